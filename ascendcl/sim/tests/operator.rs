//! Work of other libraries in stream order.

#[macro_use]
mod table;

use std::ptr;

use ascendcl_sim::operator::{self, Fault};
use ascendcl_sys::*;
use table::with_runtime;

/// 16 bytes of device memory, all 7, and a stream.
fn set_up(acl: &Library) -> (aclrtStream, *mut core::ffi::c_void) {
    let (mut stream, mut memory) = (aclrtStream::null(), ptr::null_mut());
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtMalloc(&mut memory, 16, ACL_MEM_MALLOC_HUGE_FIRST)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtMemset(memory, 16, 7, 16)), ACL_SUCCESS);
    (stream, memory)
}

fn tear_down(acl: &Library, stream: aclrtStream, memory: *mut core::ffi::c_void) {
    assert_eq!(call!(acl.aclrtDestroyStream(stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtFree(memory)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtResetDevice(0)), ACL_SUCCESS);
}

#[test]
fn work_runs_in_stream_order_on_device_memory() {
    with_runtime(|acl| {
        let (stream, memory) = set_up(acl);
        // The work sees what the stream wrote before it, and not what it writes after it.
        assert_eq!(call!(acl.aclrtMemsetAsync(memory, 16, 3, 16, stream)), ACL_SUCCESS);
        operator::enqueue("double", stream, &[(memory.expose_provenance(), 16), (0, 0)], |memory| {
            assert!(memory[1].is_empty());
            let doubled: Vec<u8> = memory[0].read::<u8>(4, 4)?.iter().map(|byte| byte * 2).collect();
            memory[0].write(12, &doubled)
        })
        .unwrap();
        let mut bytes = [0u8; 16];
        assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
        let to = bytes.as_mut_ptr().cast();
        assert_eq!(call!(acl.aclrtMemcpy(to, 16, memory, 16, ACL_MEMCPY_DEVICE_TO_HOST)), ACL_SUCCESS);
        assert_eq!(bytes, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 6, 6, 6, 6]);
        tear_down(acl, stream, memory);
    });
}

#[test]
fn wrong_memory_is_refused_when_it_is_queued() {
    with_runtime(|acl| {
        let (stream, memory) = set_up(acl);
        let queue = |range| operator::enqueue("queue", stream, &[range], |_| Ok(()));
        let host = [0u8; 16];
        assert_eq!(queue((memory.expose_provenance(), 17)), Err(ACL_ERROR_RT_PARAM_INVALID));
        assert_eq!(queue((host.as_ptr().expose_provenance(), 16)), Err(ACL_ERROR_RT_PARAM_INVALID));
        let foreign = aclrtStream(ptr::without_provenance_mut(64));
        assert!(operator::enqueue("queue", foreign, &[], |_| Ok(())).is_err());
        assert!(!call!(acl.aclGetRecentErrMsg()).is_null());
        tear_down(acl, stream, memory);
    });
}

#[test]
fn faults_of_the_work_are_told_to_who_waits() {
    with_runtime(|acl| {
        let (stream, memory) = set_up(acl);
        let range = (memory.expose_provenance(), 16);
        operator::enqueue("beyond", stream, &[range], |memory| memory[0].write(9, &[0u64])).unwrap();
        assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_ERROR_RT_PARAM_INVALID);
        operator::enqueue("broken", stream, &[range], |_| Err(Fault::new("cannot"))).unwrap();
        assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
        tear_down(acl, stream, memory);
    });
}
