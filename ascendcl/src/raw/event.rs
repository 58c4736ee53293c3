//! Events.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtCreateEventExWithFlag`: an event that can be recorded again and again.
    pub(crate) fn create_event(&self, flags: u32) -> Result<sys::aclrtEvent> {
        let mut event = sys::aclrtEvent::null();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtCreateEventExWithFlag(&mut event, flags)) }?;
        Ok(event)
    }

    /// `aclrtDestroyEvent`, which neither waits nor disturbs work that is queued.
    ///
    /// # Safety
    /// The event is alive and not used afterwards.
    pub(crate) unsafe fn destroy_event(&self, event: sys::aclrtEvent) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtDestroyEvent(event)) }
    }

    /// `aclrtRecordEvent`.
    ///
    /// # Safety
    /// Event and stream are alive.
    pub(crate) unsafe fn record_event(&self, event: sys::aclrtEvent, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtRecordEvent(event, stream)) }
    }

    /// `aclrtQueryEventStatus`: whether the last record is done; also true for an event that was never recorded.
    ///
    /// # Safety
    /// The event is alive.
    pub(crate) unsafe fn event_is_complete(&self, event: sys::aclrtEvent) -> Result<bool> {
        let mut status = sys::ACL_EVENT_RECORDED_STATUS_NOT_READY;
        // SAFETY: a valid out-pointer; the caller promises that the event is alive.
        unsafe { call!(self, aclrtQueryEventStatus(event, &mut status)) }?;
        Ok(status == sys::ACL_EVENT_RECORDED_STATUS_COMPLETE)
    }

    /// `aclrtSynchronizeEventWithTimeout`, in milliseconds; -1 waits for ever.
    ///
    /// # Safety
    /// The event is alive.
    pub(crate) unsafe fn synchronize_event(&self, event: sys::aclrtEvent, timeout: i32) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSynchronizeEventWithTimeout(event, timeout)) }
    }

    /// `aclrtSynchronizeEvent`.
    ///
    /// # Safety
    /// The event is alive.
    pub(crate) unsafe fn synchronize_event_to_end(&self, event: sys::aclrtEvent) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtSynchronizeEvent(event)) }
    }

    /// `aclrtEventElapsedTime`, in milliseconds.
    ///
    /// # Safety
    /// Both events are alive.
    pub(crate) unsafe fn event_elapsed(&self, start: sys::aclrtEvent, end: sys::aclrtEvent) -> Result<f32> {
        let mut milliseconds = 0.0;
        // SAFETY: a valid out-pointer; the caller promises that the events are alive.
        unsafe { call!(self, aclrtEventElapsedTime(&mut milliseconds, start, end)) }?;
        Ok(milliseconds)
    }
}
