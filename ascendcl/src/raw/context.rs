//! Explicit contexts, the thread's current device, and the harder ways to an end.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Error, Result};

impl Acl {
    /// `aclrtCreateContext`, which makes the context this thread's current one.
    pub(crate) fn create_context(&self, device: i32) -> Result<sys::aclrtContext> {
        let mut context = sys::aclrtContext::null();
        // SAFETY: a valid out-pointer; an impossible device is answered with an error.
        unsafe { call!(self, aclrtCreateContext(&mut context, device)) }?;
        Ok(context)
    }

    /// `aclrtDestroyContext`, which frees its streams.
    ///
    /// # Safety
    /// The context is alive and came from [`create_context`](Self::create_context); nothing of it is used afterwards.
    pub(crate) unsafe fn destroy_context(&self, context: sys::aclrtContext) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtDestroyContext(context)) }
    }

    /// `aclrtGetDevice`: the device of this thread's current context; `None` if it has no context.
    pub(crate) fn current_device(&self) -> Result<Option<i32>> {
        let mut device = 0;
        // SAFETY: a valid out-pointer.
        match unsafe { call!(self, aclrtGetDevice(&mut device)) } {
            Ok(()) => Ok(Some(device)),
            Err(Error::Acl(error)) if error.code == sys::ACL_ERROR_RT_CONTEXT_NULL => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `aclrtResetDeviceForce`: frees the primary context and all its streams, however often the device was set.
    ///
    /// # Safety
    /// No stream, event or memory of the device's primary context is used afterwards by anybody in the process.
    pub(crate) unsafe fn reset_device_force(&self, device: i32) -> Result<()> {
        // SAFETY: the caller promises that nothing of the context is used afterwards.
        unsafe { call!(self, aclrtResetDeviceForce(device)) }
    }

    /// `aclFinalizeReference` (since 9.1): gives back one initialisation; answers how many are left.
    ///
    /// # Safety
    /// If none is left, no handle of this library is used afterwards.
    pub(crate) unsafe fn finalize_reference(&self) -> Result<u64> {
        let mut left = 0;
        // SAFETY: a valid out-pointer, and the caller's promise.
        unsafe { call!(self, aclFinalizeReference(&mut left)) }?;
        Ok(left)
    }
}
