//! Streams.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtCreateStreamWithConfig` in the current context.
    pub(crate) fn create_stream(&self, priority: u32, flags: u32) -> Result<sys::aclrtStream> {
        let mut stream = sys::aclrtStream::null();
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtCreateStreamWithConfig(&mut stream, priority, flags)) }?;
        Ok(stream)
    }

    /// `aclrtCreateStream` in the current context.
    pub(crate) fn create_default_stream(&self) -> Result<sys::aclrtStream> {
        let mut stream = sys::aclrtStream::null();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtCreateStream(&mut stream)) }?;
        Ok(stream)
    }

    /// `aclrtDestroyStreamForce`, which does not wait; its context must be current.
    ///
    /// # Safety
    /// The stream is alive and not used afterwards, and what its work touches stays valid until the running task is over.
    pub(crate) unsafe fn destroy_stream_force(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtDestroyStreamForce(stream)) }
    }

    /// `aclrtDestroyStream`; its context must be current.
    ///
    /// # Safety
    /// The stream is alive and not used afterwards.
    pub(crate) unsafe fn destroy_stream(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtDestroyStream(stream)) }
    }

    /// `aclrtSynchronizeStream`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn synchronize_stream(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSynchronizeStream(stream)) }
    }

    /// `aclrtSynchronizeStreamWithTimeout`, in milliseconds.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn synchronize_stream_with_timeout(
        &self,
        stream: sys::aclrtStream,
        timeout: i32,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSynchronizeStreamWithTimeout(stream, timeout)) }
    }

    /// `aclrtStreamQuery`: whether all queued work is done.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_is_idle(&self, stream: sys::aclrtStream) -> Result<bool> {
        let mut status = sys::ACL_STREAM_STATUS_RESERVED;
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtStreamQuery(stream, &mut status)) }?;
        Ok(status == sys::ACL_STREAM_STATUS_COMPLETE)
    }

    /// `aclrtStreamGetId`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn stream_id(&self, stream: sys::aclrtStream) -> Result<i32> {
        let mut id = 0;
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclrtStreamGetId(stream, &mut id)) }?;
        Ok(id)
    }

    /// `aclrtStreamWaitEvent`.
    ///
    /// # Safety
    /// Stream and event are alive.
    pub(crate) unsafe fn stream_wait_event(
        &self,
        stream: sys::aclrtStream,
        event: sys::aclrtEvent,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtStreamWaitEvent(stream, event)) }
    }
}
