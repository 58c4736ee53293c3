//! Device memory, pinned host memory, copies and fills.

use std::ffi::c_void;
use std::ptr::NonNull;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Result, ShapeError};

/// Which way an asynchronous copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyKind {
    HostToDevice,
    DeviceToHost,
    DeviceToDevice,
}

impl CopyKind {
    pub(crate) fn to_acl(self) -> sys::aclrtMemcpyKind {
        match self {
            Self::HostToDevice => sys::ACL_MEMCPY_HOST_TO_DEVICE,
            Self::DeviceToHost => sys::ACL_MEMCPY_DEVICE_TO_HOST,
            Self::DeviceToDevice => sys::ACL_MEMCPY_DEVICE_TO_DEVICE,
        }
    }
}

/// A rectangle of bytes for a two-dimensional copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) dst_pitch: usize,
    pub(crate) src_pitch: usize,
}

impl Acl {
    /// `aclrtMalloc`, huge pages first; aligned to 512 bytes.
    pub(crate) fn malloc(&self, size: usize) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer; the size is a number.
        unsafe { call!(self, aclrtMalloc(&mut pointer, size, sys::ACL_MEM_MALLOC_HUGE_FIRST)) }?;
        non_null("aclrtMalloc", pointer)
    }

    /// `aclrtFree`, which waits for nothing.
    ///
    /// # Safety
    /// `pointer` came from [`malloc`](Self::malloc), is not freed yet, and no queued work touches it.
    pub(crate) unsafe fn free(&self, pointer: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtFree(pointer.as_ptr())) }
    }

    /// `aclrtMallocHost`.
    pub(crate) fn malloc_host(&self, size: usize) -> Result<NonNull<c_void>> {
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a valid out-pointer; the size is a number.
        unsafe { call!(self, aclrtMallocHost(&mut pointer, size)) }?;
        non_null("aclrtMallocHost", pointer)
    }

    /// `aclrtFreeHost`, which waits for nothing.
    ///
    /// # Safety
    /// As [`free`](Self::free), for memory from [`malloc_host`](Self::malloc_host).
    pub(crate) unsafe fn free_host(&self, pointer: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtFreeHost(pointer.as_ptr())) }
    }

    /// `aclrtMemcpyAsync`.
    ///
    /// # Safety
    /// `bytes` bytes are valid at `src` to read and at `dst` to write until the stream has done the copy, nothing
    /// touches them meanwhile except in the stream's order, and the stream is alive.
    pub(crate) unsafe fn memcpy_async(
        &self,
        dst: *mut c_void,
        src: *const c_void,
        bytes: usize,
        kind: CopyKind,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemcpyAsync(dst, bytes, src, bytes, kind.to_acl(), stream)) }
    }

    /// `aclrtMemcpy2dAsync`.
    ///
    /// # Safety
    /// As [`memcpy_async`](Self::memcpy_async) for each of the rectangle's rows.
    pub(crate) unsafe fn memcpy_2d_async(
        &self,
        dst: *mut c_void,
        src: *const c_void,
        rectangle: Rectangle,
        kind: CopyKind,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let Rectangle { width, height, dst_pitch, src_pitch } = rectangle;
        let kind = kind.to_acl();
        // SAFETY: the caller's promise is the function's contract.
        unsafe {
            call!(self, aclrtMemcpy2dAsync(dst, dst_pitch, src, src_pitch, width, height, kind, stream))
        }
    }

    /// `aclrtMemsetAsync`.
    ///
    /// # Safety
    /// As [`memcpy_async`](Self::memcpy_async) for the destination.
    pub(crate) unsafe fn memset_async(
        &self,
        dst: *mut c_void,
        value: u8,
        bytes: usize,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemsetAsync(dst, bytes, i32::from(value), bytes, stream)) }
    }
}

pub(crate) fn non_null(call: &'static str, pointer: *mut c_void) -> Result<NonNull<c_void>> {
    NonNull::new(pointer).ok_or_else(|| ShapeError::new(call, "a pointer", "null and no error").into())
}
