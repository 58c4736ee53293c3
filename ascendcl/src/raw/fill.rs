//! Fills with words.

use std::ffi::c_void;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtMemsetD32Async`.
    ///
    /// # Safety
    /// As [`memset_async`](Self::memset_async), for `words` words of four bytes.
    pub(crate) unsafe fn memset_words_async(
        &self,
        dst: *mut c_void,
        value: u32,
        words: usize,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let bytes = words * size_of::<u32>();
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtMemsetD32Async(dst, bytes, value, words, stream)) }
    }
}
