//! Events by the older functions, and records and waits with flags.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtCreateEvent`: an event that orders and times, and is never reset.
    pub(crate) fn create_plain_event(&self) -> Result<sys::aclrtEvent> {
        let mut event = sys::aclrtEvent::null();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtCreateEvent(&mut event)) }?;
        Ok(event)
    }

    /// `aclrtCreateEventWithFlag`: an event that can be reset if it orders streams.
    pub(crate) fn create_event_with_flag(&self, flags: u32) -> Result<sys::aclrtEvent> {
        let mut event = sys::aclrtEvent::null();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtCreateEventWithFlag(&mut event, flags)) }?;
        Ok(event)
    }

    /// `aclrtResetEvent`, in the stream's order.
    ///
    /// # Safety
    /// Event and stream are alive, and the event came from
    /// [`create_event_with_flag`](Self::create_event_with_flag) with `ACL_EVENT_SYNC`.
    pub(crate) unsafe fn reset_event(&self, event: sys::aclrtEvent, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtResetEvent(event, stream)) }
    }

    /// `aclrtQueryEventWaitStatus`: whether all waits for the event are over.
    ///
    /// # Safety
    /// The event is alive, and did not come from [`create_event`](Self::create_event).
    pub(crate) unsafe fn event_waits_are_over(&self, event: sys::aclrtEvent) -> Result<bool> {
        let mut status = sys::ACL_EVENT_WAIT_STATUS_NOT_READY;
        // SAFETY: a valid out-pointer; the caller's promise.
        unsafe { call!(self, aclrtQueryEventWaitStatus(event, &mut status)) }?;
        Ok(status == sys::ACL_EVENT_WAIT_STATUS_COMPLETE)
    }

    /// `aclrtRecordEventWithFlag` (since 9.1).
    ///
    /// # Safety
    /// Event and stream are alive, the event for as long as a graph that the record becomes part of.
    pub(crate) unsafe fn record_event_with_flag(
        &self,
        event: sys::aclrtEvent,
        stream: sys::aclrtStream,
        flag: u32,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtRecordEventWithFlag(event, stream, flag)) }
    }

    /// `aclrtStreamWaitEventWithFlag` (since 9.1), without a time limit.
    ///
    /// # Safety
    /// As [`record_event_with_flag`](Self::record_event_with_flag).
    pub(crate) unsafe fn stream_wait_event_with_flag(
        &self,
        stream: sys::aclrtStream,
        event: sys::aclrtEvent,
        flag: u32,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtStreamWaitEventWithFlag(stream, event, 0, flag)) }
    }
}
