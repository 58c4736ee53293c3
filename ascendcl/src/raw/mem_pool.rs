//! The library's own pools of device memory (since 9.1).

use std::ffi::c_void;
use std::ptr::NonNull;

use ascendcl_sys as sys;

use super::memory::non_null;
use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtMemPoolCreate` for the memory of a device.
    pub(crate) fn mem_pool_create(&self, device: u32, max_bytes: usize) -> Result<sys::aclrtMemPool> {
        let properties = sys::aclrtMemPoolProps {
            allocType: sys::ACL_MEM_ALLOCATION_TYPE_PINNED,
            handleType: sys::ACL_MEM_HANDLE_TYPE_NONE,
            location: sys::aclrtMemLocation { id: device, type_: sys::ACL_MEM_LOCATION_TYPE_DEVICE },
            maxSize: max_bytes,
            reserved: [0; 32],
        };
        let mut pool = sys::aclrtMemPool::null();
        // SAFETY: a valid out-pointer and properties.
        unsafe { call!(self, aclrtMemPoolCreate(&mut pool, &properties)) }?;
        Ok(pool)
    }

    /// `aclrtMemPoolDestroy`.
    ///
    /// # Safety
    /// The pool is alive and not used afterwards, and all its memory was given back.
    pub(crate) unsafe fn mem_pool_destroy(&self, pool: sys::aclrtMemPool) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemPoolDestroy(pool)) }
    }

    /// `aclrtMemPoolGetAttr`.
    ///
    /// # Safety
    /// The pool is alive, and the attribute is of the type `T`.
    pub(crate) unsafe fn mem_pool_attribute<T: Default>(
        &self,
        pool: sys::aclrtMemPool,
        attribute: sys::aclrtMemPoolAttr,
    ) -> Result<T> {
        let mut value = T::default();
        // SAFETY: a valid out-pointer of the attribute's type, and the caller's promise.
        unsafe { call!(self, aclrtMemPoolGetAttr(pool, attribute, (&raw mut value).cast())) }?;
        Ok(value)
    }

    /// `aclrtMemPoolSetAttr`.
    ///
    /// # Safety
    /// As [`mem_pool_attribute`](Self::mem_pool_attribute).
    pub(crate) unsafe fn set_mem_pool_attribute<T>(
        &self,
        pool: sys::aclrtMemPool,
        attribute: sys::aclrtMemPoolAttr,
        mut value: T,
    ) -> Result<()> {
        // SAFETY: a value of the attribute's type, and the caller's promise.
        unsafe { call!(self, aclrtMemPoolSetAttr(pool, attribute, (&raw mut value).cast())) }
    }

    /// `aclrtMemPoolMallocAsync`: memory for work of the stream that is queued from now on.
    ///
    /// # Safety
    /// Pool and stream are alive.
    pub(crate) unsafe fn mem_pool_malloc(
        &self,
        pool: sys::aclrtMemPool,
        size: usize,
        stream: sys::aclrtStream,
    ) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer, and the caller's promise.
        unsafe { call!(self, aclrtMemPoolMallocAsync(&mut pointer, size, pool, stream)) }?;
        non_null("aclrtMemPoolMallocAsync", pointer)
    }

    /// `aclrtMemPoolFreeAsync`, after the work that the stream has now.
    ///
    /// # Safety
    /// The memory came from [`mem_pool_malloc`](Self::mem_pool_malloc) of a pool that lives, is not freed yet, and all
    /// queued work that touches it comes before in the order of the stream, which is alive or null, for the default one.
    pub(crate) unsafe fn mem_pool_free(
        &self,
        pointer: NonNull<c_void>,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemPoolFreeAsync(pointer.as_ptr(), stream)) }
    }

    /// `aclrtMemPoolTrimTo`, which leaves memory alone that is in use.
    ///
    /// # Safety
    /// The pool is alive.
    pub(crate) unsafe fn mem_pool_trim(&self, pool: sys::aclrtMemPool, keep: usize) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemPoolTrimTo(pool, keep)) }
    }
}
