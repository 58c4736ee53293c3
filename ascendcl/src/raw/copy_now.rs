//! Copies and fills that are done when the call returns.

use std::ffi::c_void;

use super::memory::{CopyKind, Rectangle};
use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtMemcpy`, which waits for no stream.
    ///
    /// # Safety
    /// `bytes` bytes are valid at `src` to read and at `dst` to write, and nothing touches them during the call.
    pub(crate) unsafe fn memcpy(
        &self,
        dst: *mut c_void,
        src: *const c_void,
        bytes: usize,
        kind: CopyKind,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemcpy(dst, bytes, src, bytes, kind.to_acl())) }
    }

    /// `aclrtMemcpy2d`, which waits for no stream; from or to the host.
    ///
    /// # Safety
    /// As [`memcpy`](Self::memcpy) for each of the rectangle's rows.
    pub(crate) unsafe fn memcpy_2d(
        &self,
        dst: *mut c_void,
        src: *const c_void,
        rectangle: Rectangle,
        kind: CopyKind,
    ) -> Result<()> {
        let Rectangle { width, height, dst_pitch, src_pitch } = rectangle;
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemcpy2d(dst, dst_pitch, src, src_pitch, width, height, kind.to_acl())) }
    }

    /// `aclrtMemset`, which waits for no stream.
    ///
    /// # Safety
    /// As [`memcpy`](Self::memcpy) for the destination, which the library allocated.
    pub(crate) unsafe fn memset(&self, dst: *mut c_void, value: u8, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemset(dst, bytes, i32::from(value), bytes)) }
    }

    /// `aclrtMemsetD32` (since 9.1), which waits for no stream.
    ///
    /// # Safety
    /// As [`memset`](Self::memset), for `words` words of four bytes.
    pub(crate) unsafe fn memset_words(&self, dst: *mut c_void, value: u32, words: usize) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemsetD32(dst, words * size_of::<u32>(), value, words)) }
    }
}
