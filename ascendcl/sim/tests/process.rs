//! Start and end of the process's use, which is one for all threads; hence one test.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ptr;

use ascendcl_sim::{ConfigError, SimConfig};
use ascendcl_sys::*;

#[test]
fn the_life_of_a_process() {
    let acl = common::library();
    // SAFETY: The pointers that the functions get are null or of variables.
    unsafe {
        let mut count = 0;
        assert_eq!(acl.aclrtGetDeviceCount(&mut count).unwrap(), ACL_ERROR_UNINITIALIZE);
        assert_eq!(acl.aclrtSetDevice(0).unwrap(), ACL_ERROR_UNINITIALIZE);
        assert_eq!(acl.aclFinalize().unwrap(), ACL_ERROR_REPEAT_FINALIZE);
        assert!(acl.aclrtGetSocName().unwrap().is_null());

        // A machine without devices.
        ascendcl_sim::configure(SimConfig { devices: 0, ..SimConfig::default() }).unwrap();
        assert_eq!(acl.aclInit(ptr::null()).unwrap(), ACL_SUCCESS);
        assert_eq!(acl.aclrtGetDeviceCount(&mut count).unwrap(), ACL_SUCCESS);
        assert_eq!(count, 0);
        assert_eq!(acl.aclrtSetDevice(0).unwrap(), ACL_ERROR_RT_INVALID_DEVICEID);
        assert!(acl.aclrtGetSocName().unwrap().is_null());
        assert_eq!(acl.aclFinalize().unwrap(), ACL_SUCCESS);

        let unknown = SimConfig { soc: "Ascend999".into(), ..SimConfig::default() };
        assert!(matches!(ascendcl_sim::configure(unknown), Err(ConfigError::UnknownSoc { .. })));
        let config = SimConfig { devices: 2, soc: "Ascend910B4".into(), memory: None };
        ascendcl_sim::configure(config.clone()).unwrap();

        assert_eq!(acl.aclInit(ptr::null()).unwrap(), ACL_SUCCESS);
        assert_eq!(ascendcl_sim::configure(config), Err(ConfigError::Initialized));
        assert_eq!(acl.aclInit(ptr::null()).unwrap(), ACL_ERROR_REPEAT_INITIALIZE);
        assert_eq!(acl.aclrtGetDeviceCount(&mut count).unwrap(), ACL_SUCCESS);
        assert_eq!(count, 2);

        // All the memory of a real device is there, and a part of it costs little.
        assert_eq!(acl.aclrtSetDevice(1).unwrap(), ACL_SUCCESS);
        let (mut free, mut total) = (0, 0);
        assert_eq!(acl.aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total).unwrap(), ACL_SUCCESS);
        assert_eq!(total, 31 << 30);
        let mut memory = ptr::null_mut();
        let size = 20 << 30;
        assert_eq!(acl.aclrtMalloc(&mut memory, size, ACL_MEM_MALLOC_HUGE_ONLY).unwrap(), ACL_SUCCESS);
        let last = memory.wrapping_byte_add(size - 1);
        assert_eq!(acl.aclrtMemset(last, 1, 7, 1).unwrap(), ACL_SUCCESS);

        let mut references = 0;
        assert_eq!(acl.aclFinalizeReference(&mut references).unwrap(), ACL_SUCCESS);
        assert_eq!(references, 1);
        assert_eq!(acl.aclrtFree(memory.wrapping_byte_add(64)).unwrap(), ACL_ERROR_RT_PARAM_INVALID);
        assert_eq!(acl.aclFinalizeReference(&mut references).unwrap(), ACL_SUCCESS);
        assert_eq!(references, 0);
        assert_eq!(acl.aclrtFree(memory).unwrap(), ACL_ERROR_UNINITIALIZE);
        let report = ascendcl_sim::report();
        assert_eq!(report.leaks.len(), 1, "{report}");
        assert_eq!(report.leaks[0].device, 1);

        // Once more; what was before is forgotten, and contexts of then are not valid now.
        assert_eq!(acl.aclInit(ptr::null()).unwrap(), ACL_SUCCESS);
        assert!(ascendcl_sim::report().is_clean());
        assert_eq!(acl.aclrtFree(memory).unwrap(), ACL_ERROR_RT_CONTEXT_NULL);
        // One call ends it, however often it was begun.
        assert_eq!(acl.aclInit(ptr::null()).unwrap(), ACL_ERROR_REPEAT_INITIALIZE);
        assert_eq!(acl.aclFinalize().unwrap(), ACL_SUCCESS);
        assert_eq!(acl.aclFinalize().unwrap(), ACL_ERROR_REPEAT_FINALIZE);
    }
}
