//! Initialisation, versions, devices and contexts.

use std::ffi::CStr;
use std::ptr;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Error, Result};

/// Total and free bytes of a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Bytes that are free.
    pub free: usize,
    /// Bytes in all.
    pub total: usize,
}

impl Acl {
    /// `aclInit`; `false` if something else in this process initialised the library before, which is as good.
    pub(crate) fn init(&self) -> Result<bool> {
        // SAFETY: a null configuration path means defaults.
        match unsafe { call!(self, aclInit(ptr::null())) } {
            Ok(()) => Ok(true),
            Err(Error::Acl(error)) if error.code == sys::ACL_ERROR_REPEAT_INITIALIZE => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `aclFinalize`.
    ///
    /// # Safety
    /// No handle of this library is used afterwards.
    pub(crate) unsafe fn finalize(&self) -> Result<()> {
        // SAFETY: the caller promises that no handle survives.
        unsafe { call!(self, aclFinalize()) }
    }

    /// `aclrtGetVersion`.
    pub(crate) fn version(&self) -> Result<[i32; 3]> {
        let [mut major, mut minor, mut patch] = [0; 3];
        // SAFETY: three valid out-pointers.
        unsafe { call!(self, aclrtGetVersion(&mut major, &mut minor, &mut patch)) }?;
        Ok([major, minor, patch])
    }

    /// `aclrtGetDeviceCount`.
    pub(crate) fn device_count(&self) -> Result<u32> {
        let mut count = 0;
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtGetDeviceCount(&mut count)) }?;
        Ok(count)
    }

    /// `aclrtSetDevice`: takes a reference to the device's primary context and makes it this thread's current one.
    pub(crate) fn set_device(&self, device: i32) -> Result<()> {
        // SAFETY: takes a number; an impossible one is answered with an error.
        unsafe { call!(self, aclrtSetDevice(device)) }
    }

    /// `aclrtResetDevice`: gives the reference back; the last one frees the context and all its streams.
    ///
    /// # Safety
    /// No stream, event or memory of the device's primary context is used afterwards, unless another reference is held.
    pub(crate) unsafe fn reset_device(&self, device: i32) -> Result<()> {
        // SAFETY: the caller promises that nothing of the context is used afterwards.
        unsafe { call!(self, aclrtResetDevice(device)) }
    }

    /// `aclrtGetCurrentContext`.
    pub(crate) fn current_context(&self) -> Result<sys::aclrtContext> {
        let mut context = sys::aclrtContext::null();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtGetCurrentContext(&mut context)) }?;
        Ok(context)
    }

    /// `aclrtSetCurrentContext`.
    ///
    /// # Safety
    /// The context is alive.
    pub(crate) unsafe fn set_current_context(&self, context: sys::aclrtContext) -> Result<()> {
        // SAFETY: the caller promises that the context is alive.
        unsafe { call!(self, aclrtSetCurrentContext(context)) }
    }

    /// `aclrtSynchronizeDevice` of the current context's device.
    pub(crate) fn synchronize_device(&self) -> Result<()> {
        // SAFETY: takes nothing; without a current context it answers with an error.
        unsafe { call!(self, aclrtSynchronizeDevice()) }
    }

    /// `aclrtGetSocName`; null without a device.
    pub(crate) fn soc_name(&self) -> Result<Option<String>> {
        // SAFETY: takes nothing.
        let name = unsafe { self.functions.aclrtGetSocName() }?;
        if name.is_null() {
            return Ok(None);
        }
        // SAFETY: a non-null answer is a static C string.
        Ok(Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()))
    }

    /// `aclGetDeviceCapability`.
    pub(crate) fn device_capability(&self, device: u32, info: sys::aclDeviceInfo) -> Result<i64> {
        let mut value = 0;
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclGetDeviceCapability(device, info, &mut value)) }?;
        Ok(value)
    }

    /// `aclrtGetMemInfo` of the current device's HBM.
    pub(crate) fn memory_info(&self) -> Result<MemoryInfo> {
        let mut info = MemoryInfo { free: 0, total: 0 };
        // SAFETY: valid out-pointers.
        unsafe { call!(self, aclrtGetMemInfo(sys::ACL_HBM_MEM, &mut info.free, &mut info.total)) }?;
        Ok(info)
    }

    /// `aclrtDeviceGetStreamPriorityRange` (since 9.1): least and greatest priority.
    pub(crate) fn stream_priority_range(&self) -> Result<(i32, i32)> {
        let (mut least, mut greatest) = (0, 0);
        // SAFETY: valid out-pointers.
        unsafe { call!(self, aclrtDeviceGetStreamPriorityRange(&mut least, &mut greatest)) }?;
        Ok((least, greatest))
    }
}
