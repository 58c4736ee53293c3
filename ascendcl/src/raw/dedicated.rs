//! Memory by the less common allocation functions, and frees that wait.

use std::ffi::c_void;
use std::ptr::NonNull;

use ascendcl_sys as sys;

use super::memory::non_null;
use super::{Acl, call};
use crate::error::{Error, Result};

/// Calls `call` with a configuration that names the module that allocates.
fn with_config<R>(module: u16, call: impl FnOnce(&mut sys::aclrtMallocConfig) -> R) -> R {
    let mut value = sys::aclrtMallocAttrValue { rsv: [0; 8] };
    value.moduleId = module;
    let mut attribute = sys::aclrtMallocAttribute { attr: sys::ACL_RT_MEM_ATTR_MODULE_ID, value };
    call(&mut sys::aclrtMallocConfig { attrs: &mut attribute, numAttrs: 1 })
}

impl Acl {
    /// `aclrtMallocAlign32`.
    pub(crate) fn malloc_align32(
        &self,
        size: usize,
        policy: sys::aclrtMemMallocPolicy,
    ) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtMallocAlign32(&mut pointer, size, policy)) }?;
        non_null("aclrtMallocAlign32", pointer)
    }

    /// `aclrtMallocCached`.
    pub(crate) fn malloc_cached(
        &self,
        size: usize,
        policy: sys::aclrtMemMallocPolicy,
    ) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtMallocCached(&mut pointer, size, policy)) }?;
        non_null("aclrtMallocCached", pointer)
    }

    /// `aclrtMallocWithCfg` on behalf of a module.
    pub(crate) fn malloc_with_config(
        &self,
        size: usize,
        policy: sys::aclrtMemMallocPolicy,
        module: u16,
    ) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer, and a configuration with its attribute.
        with_config(module, |config| unsafe {
            call!(self, aclrtMallocWithCfg(&mut pointer, size, policy, config))
        })?;
        non_null("aclrtMallocWithCfg", pointer)
    }

    /// `aclrtMallocHostWithCfg` on behalf of a module.
    pub(crate) fn malloc_host_with_config(&self, size: usize, module: u16) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer, and a configuration with its attribute.
        with_config(module, |config| unsafe {
            call!(self, aclrtMallocHostWithCfg(&mut pointer, size as u64, config))
        })?;
        non_null("aclrtMallocHostWithCfg", pointer)
    }

    /// `aclrtFreeWithDevSync` (since 9.1), which waits for the device's work; before, `aclrtSynchronizeDevice` and
    /// `aclrtFree`.
    ///
    /// # Safety
    /// As [`free`](Self::free).
    pub(crate) unsafe fn free_with_device_sync(&self, pointer: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        match unsafe { call!(self, aclrtFreeWithDevSync(pointer.as_ptr())) } {
            Err(Error::MissingSymbol(_)) => {
                self.synchronize_device()?;
                // SAFETY: as above; nothing was freed.
                unsafe { self.free(pointer) }
            }
            result => result,
        }
    }

    /// `aclrtFreeHostWithDevSync` (since 9.1), which waits for the device's work; before, `aclrtSynchronizeDevice` and
    /// `aclrtFreeHost`.
    ///
    /// # Safety
    /// As [`free_host`](Self::free_host).
    pub(crate) unsafe fn free_host_with_device_sync(&self, pointer: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        match unsafe { call!(self, aclrtFreeHostWithDevSync(pointer.as_ptr())) } {
            Err(Error::MissingSymbol(_)) => {
                self.synchronize_device()?;
                // SAFETY: as above; nothing was freed.
                unsafe { self.free_host(pointer) }
            }
            result => result,
        }
    }

    /// `aclrtMemFlush`: writes cached data of the range back to memory.
    ///
    /// # Safety
    /// `bytes` bytes from `address` are device memory.
    pub(crate) unsafe fn flush_cache(&self, address: *mut c_void, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemFlush(address, bytes)) }
    }

    /// `aclrtMemInvalidate`: forgets cached data of the range.
    ///
    /// # Safety
    /// As [`flush_cache`](Self::flush_cache).
    pub(crate) unsafe fn invalidate_cache(&self, address: *mut c_void, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemInvalidate(address, bytes)) }
    }
}
