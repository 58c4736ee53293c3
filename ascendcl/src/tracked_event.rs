//! Events that know of the waits for them.

use ascendcl_sys as sys;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::raw::Acl;
use crate::stream::{Capture, Stream};

/// An event that knows whether the waits for it are over, and that can be reset.
///
/// It is made by the older functions `aclrtCreateEventWithFlag` or `aclrtCreateEvent`, whose events say what those of
/// [`Device::event`] do not. For everything else [`event`](Self::event) is an event like any other.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let (first, second) = (device.stream()?, device.stream()?);
/// let tracked = device.tracked_event()?;
/// first.record(tracked.event())?;
/// second.wait(tracked.event())?;
/// second.reset(&tracked)?; // ready for the next round
/// second.synchronize()?;
/// assert!(tracked.waits_are_over()?);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Debug)]
pub struct TrackedEvent {
    event: Event,
    resettable: bool,
}

impl Device {
    /// Makes an event for order between streams that can be reset (`aclrtCreateEventWithFlag` with `ACL_EVENT_SYNC`).
    ///
    /// # Errors
    /// [`Error::Acl`] if the device has no more events.
    pub fn tracked_event(&self) -> Result<TrackedEvent> {
        let event = Event::made_by(self, |acl| acl.create_event_with_flag(sys::ACL_EVENT_SYNC))?;
        Ok(TrackedEvent { event, resettable: true })
    }

    /// Makes an event that also takes the time, and cannot be reset (`aclrtCreateEvent`).
    ///
    /// The library allocates the event itself when it is first recorded, and may let the thread wait for one then.
    ///
    /// # Errors
    /// As [`tracked_event`](Self::tracked_event).
    pub fn tracked_timing_event(&self) -> Result<TrackedEvent> {
        let event = Event::made_by(self, Acl::create_plain_event)?;
        Ok(TrackedEvent { event, resettable: false })
    }
}

impl TrackedEvent {
    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Whether all waits of streams for the event are over (`aclrtQueryEventWaitStatus`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn waits_are_over(&self) -> Result<bool> {
        let acl = self.event.device().bind()?;
        // SAFETY: the event is alive as long as `self`, and is none of `create_event`.
        unsafe { acl.event_waits_are_over(self.event.handle()) }
    }
}

impl Stream {
    /// Queues that an event is as before its first record (`aclrtResetEvent`), on the stream that waits for it.
    ///
    /// If several streams wait for the event, one whose wait comes later may wait for ever.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the event belongs to another device or is one of [`Device::tracked_timing_event`],
    /// [`Error::Capturing`] during a capture, [`Error::Acl`] from the library.
    pub fn reset(&self, event: &TrackedEvent) -> Result<()> {
        let TrackedEvent { event, resettable } = event;
        self.device().check_same("event", event.device())?;
        if !resettable {
            let expected = "one of Device::tracked_event".into();
            return Err(Error::Mismatch { what: "event", expected, got: format!("{event:?}") });
        }
        let submission = self.submit("Stream::reset", Capture::Refused)?;
        // SAFETY: the submission's stream is alive, and so is the event while it is borrowed; it can be reset.
        unsafe { submission.acl.reset_event(event.handle(), submission.handle) }
    }
}
