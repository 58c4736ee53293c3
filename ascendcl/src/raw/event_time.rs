//! The time of events, and waits with a time limit.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclrtEventGetTimestamp`, in microseconds.
    ///
    /// # Safety
    /// The event is alive.
    pub(crate) unsafe fn event_timestamp(&self, event: sys::aclrtEvent) -> Result<u64> {
        let mut microseconds = 0;
        // SAFETY: a valid out-pointer; the caller promises that the event is alive.
        unsafe { call!(self, aclrtEventGetTimestamp(event, &mut microseconds)) }?;
        Ok(microseconds)
    }

    /// `aclrtStreamWaitEventWithTimeout` (since 9.1), in seconds; 0 waits for ever.
    ///
    /// # Safety
    /// Stream and event are alive.
    pub(crate) unsafe fn stream_wait_event_with_timeout(
        &self,
        stream: sys::aclrtStream,
        event: sys::aclrtEvent,
        seconds: i32,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclrtStreamWaitEventWithTimeout(stream, event, seconds)) }
    }
}
