//! Registration of host memory, and what the library knows of an address.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// Page-locks host memory and maps it for the device: `aclrtHostRegisterV2` and `aclrtHostGetDevicePointer`, or
    /// `aclrtHostRegister` before CANN 9.1. Answers the address for the device.
    ///
    /// # Safety
    /// `size` bytes from `memory`, both multiples of a page, stay allocated until
    /// [`host_unregister`](Self::host_unregister) has succeeded. In the meantime copies from and to them are asynchronous.
    pub(crate) unsafe fn host_register(&self, memory: NonNull<c_void>, size: usize) -> Result<*mut c_void> {
        let (memory, size) = (memory.as_ptr(), size as u64);
        let mut address = ptr::null_mut();
        if !self.library.is_available("aclrtHostRegisterV2") {
            let kind = sys::ACL_HOST_REGISTER_MAPPED;
            // SAFETY: the caller promises the memory; a valid out-pointer.
            unsafe { call!(self, aclrtHostRegister(memory, size, kind, &mut address)) }?;
            return Ok(address);
        }
        let flags = sys::ACL_HOST_REG_MAPPED | sys::ACL_HOST_REG_PINNED;
        // SAFETY: the caller promises the memory.
        unsafe { call!(self, aclrtHostRegisterV2(memory, size, flags)) }?;
        // SAFETY: a valid out-pointer; 0 is the only flag.
        match unsafe { call!(self, aclrtHostGetDevicePointer(memory, &mut address, 0)) } {
            Ok(()) => Ok(address),
            Err(error) => {
                // SAFETY: registered above, and nothing uses it yet.
                if let Err(error) = unsafe { call!(self, aclrtHostUnregister(memory)) } {
                    tracing::error!(%error, "taking a registration back");
                }
                Err(error)
            }
        }
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
