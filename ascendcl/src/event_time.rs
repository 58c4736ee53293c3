//! The time of events, and waits with a time limit.

use std::time::Duration;

use crate::error::Result;
use crate::event::Event;
use crate::stream::{Capture, Stream};

impl Event {
    /// When the last record was done, since the start of the device's system (`aclrtEventGetTimestamp`).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let (stream, first, second) = (device.stream()?, device.timing_event()?, device.timing_event()?);
    /// stream.record(&first)?;
    /// stream.record(&second)?;
    /// stream.synchronize()?;
    /// assert!(first.timestamp()? <= second.timestamp()?);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) if the event is not recorded or done, or not a
    /// [`timing_event`](crate::Device::timing_event).
    pub fn timestamp(&self) -> Result<Duration> {
        // SAFETY: the event is alive as long as `self`.
        unsafe { self.device().bind()?.event_timestamp(self.handle()) }.map(Duration::from_micros)
    }
}

impl Stream {
    /// As [`wait`](Self::wait), but after `timeout`, rounded up to whole seconds, the wait fails, which is reported by
    /// the next wait for the stream (`aclrtStreamWaitEventWithTimeout`, since 9.1).
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1.
    pub fn wait_timeout(&self, event: &Event, timeout: Duration) -> Result<()> {
        self.device().check_same("event", event.device())?;
        let submission = self.submit("Stream::wait_timeout", Capture::Refused)?;
        // SAFETY: the submission's stream is alive, and so is the event while it is borrowed.
        unsafe {
            submission.acl.stream_wait_event_with_timeout(submission.handle, event.handle(), seconds(timeout))
        }
    }
}

/// Whole seconds for the C interface, rounded up, at least one, because zero is for ever.
fn seconds(timeout: Duration) -> i32 {
    let whole = timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX).max(1)
}
