//! Attributes of streams, and ending their work early.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtStreamGetPriority` (since 9.1).
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_priority(&self, stream: sys::aclrtStream) -> Result<u32> {
        let mut priority = 0;
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtStreamGetPriority(stream, &mut priority)) }?;
        Ok(priority)
    }

    /// `aclrtStreamGetFlags` (since 9.1).
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_flags(&self, stream: sys::aclrtStream) -> Result<u32> {
        let mut flags = 0;
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtStreamGetFlags(stream, &mut flags)) }?;
        Ok(flags)
    }

    /// `aclrtSetStreamFailureMode`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn set_stream_failure_mode(&self, stream: sys::aclrtStream, mode: u32) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSetStreamFailureMode(stream, mode.into())) }
    }

    /// `aclrtGetStreamOverflowSwitch`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_overflow_switch(&self, stream: sys::aclrtStream) -> Result<bool> {
        let mut switch = 0;
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtGetStreamOverflowSwitch(stream, &mut switch)) }?;
        Ok(switch != 0)
    }

    /// `aclrtSetStreamOverflowSwitch`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn set_stream_overflow_switch(&self, stream: sys::aclrtStream, on: bool) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSetStreamOverflowSwitch(stream, on.into())) }
    }

    /// `aclrtGetStreamAttribute` (since 9.1); the first four bytes of the answer, which all attributes fit in.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_attribute(
        &self,
        stream: sys::aclrtStream,
        attribute: sys::aclrtStreamAttr,
    ) -> Result<u32> {
        let mut value = sys::aclrtStreamAttrValue { reserve: [0; 4] };
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtGetStreamAttribute(stream, attribute, &mut value)) }?;
        // SAFETY: every field is a plain number, and all bytes were initialised above.
        let [first, ..] = unsafe { value.reserve };
        Ok(first)
    }

    /// `aclrtSetStreamAttribute` (since 9.1) for an attribute of four bytes.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn set_stream_attribute(
        &self,
        stream: sys::aclrtStream,
        attribute: sys::aclrtStreamAttr,
        value: u32,
    ) -> Result<()> {
        let mut value = sys::aclrtStreamAttrValue { reserve: [value, 0, 0, 0] };
        // SAFETY: all bytes of the value are initialised; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtSetStreamAttribute(stream, attribute, &mut value)) }
    }

    /// `aclrtStreamAbort`.
    ///
    /// # Safety
    /// The stream is alive, and nobody queues work that depends on it during the call.
    pub(crate) unsafe fn abort_stream(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtStreamAbort(stream)) }
    }

    /// `aclrtStreamStop` (since 9.1).
    ///
    /// # Safety
    /// As [`abort_stream`](Self::abort_stream).
    pub(crate) unsafe fn stop_stream(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtStreamStop(stream)) }
    }

    /// `aclmdlRICaptureGetInfo`, without the graph.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn capture_status(
        &self,
        stream: sys::aclrtStream,
    ) -> Result<sys::aclmdlRICaptureStatus> {
        let mut status = sys::ACL_MODEL_RI_CAPTURE_STATUS_NONE;
        let mut graph = sys::aclmdlRI::null();
        // SAFETY: valid out-pointers; the caller promises that the stream is alive.
        unsafe { call!(self, aclmdlRICaptureGetInfo(stream, &mut status, &mut graph)) }?;
        Ok(status)
    }
}
