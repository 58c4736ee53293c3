//! Registration of host memory, and what the library knows of an address.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtHostRegisterV2` (since 9.1): page-locks host memory and maps it for the device.
    ///
    /// # Safety
    /// `size` bytes from `memory`, both multiples of a page, stay allocated until
    /// [`host_unregister`](Self::host_unregister) has succeeded.
    pub(crate) unsafe fn host_register_v2(&self, memory: NonNull<c_void>, size: usize) -> Result<()> {
        let flags = sys::ACL_HOST_REG_MAPPED | sys::ACL_HOST_REG_PINNED;
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtHostRegisterV2(memory.as_ptr(), size as u64, flags)) }
    }

    /// `aclrtHostGetDevicePointer` (since 9.1).
    pub(crate) fn host_device_pointer(&self, memory: NonNull<c_void>) -> Result<*mut c_void> {
        let mut address = ptr::null_mut();
        // SAFETY: a valid out-pointer; the memory's address is looked up, not accessed.
        unsafe { call!(self, aclrtHostGetDevicePointer(memory.as_ptr(), &mut address, 0)) }?;
        Ok(address)
    }

    /// `aclrtHostRegister`, which answers the address for the device.
    ///
    /// # Safety
    /// As [`host_register_v2`](Self::host_register_v2).
    pub(crate) unsafe fn host_register(&self, memory: NonNull<c_void>, size: usize) -> Result<*mut c_void> {
        let mut address = ptr::null_mut();
        let kind = sys::ACL_HOST_REGISTER_MAPPED;
        // SAFETY: the caller promises the memory; a valid out-pointer.
        unsafe { call!(self, aclrtHostRegister(memory.as_ptr(), size as u64, kind, &mut address)) }?;
        Ok(address)
    }

    /// `aclrtHostUnregister`.
    ///
    /// # Safety
    /// `memory` is registered, and no queued work touches it.
    pub(crate) unsafe fn host_unregister(&self, memory: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtHostUnregister(memory.as_ptr())) }
    }

    /// `aclrtPointerGetAttributes`.
    pub(crate) fn pointer_attributes(&self, address: *const c_void) -> Result<sys::aclrtPtrAttributes> {
        let location = sys::aclrtMemLocation { id: 0, type_: sys::ACL_MEM_LOCATION_TYPE_UNREGISTERED };
        let mut attributes = sys::aclrtPtrAttributes { location, pageSize: 0, rsv: [0; 4] };
        // SAFETY: a valid out-pointer; the address is looked up, not accessed.
        unsafe { call!(self, aclrtPointerGetAttributes(address, &mut attributes)) }?;
        Ok(attributes)
    }
}
