//! What tests of physical memory share, beside `common`.
#![allow(dead_code, reason = "no test file uses everything")]

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;

pub const HUGE: usize = 2 << 20;

pub fn properties(device: i32, attribute: aclrtMemAttr) -> aclrtPhysicalMemProp {
    aclrtPhysicalMemProp {
        handleType: ACL_MEM_HANDLE_TYPE_NONE,
        allocationType: ACL_MEM_ALLOCATION_TYPE_PINNED,
        memAttr: attribute,
        location: aclrtMemLocation { id: device.cast_unsigned(), type_: ACL_MEM_LOCATION_TYPE_DEVICE },
        reserve: 0,
    }
}

pub fn physical(device: i32, size: usize) -> aclrtDrvMemHandle {
    let mut handle = aclrtDrvMemHandle::null();
    ok!(aclrtMallocPhysical(&mut handle, size, &properties(device, ACL_HBM_MEM_HUGE), 0));
    handle
}

pub fn reserve(size: usize) -> *mut c_void {
    let mut address = ptr::null_mut();
    ok!(aclrtReserveMemAddress(&mut address, size, 0, ptr::null_mut(), 0));
    address
}

pub fn free_bytes() -> usize {
    let (mut free, mut total) = (0, 0);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    free
}
