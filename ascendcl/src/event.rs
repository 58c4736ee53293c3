//! Events: points in a stream's work.

use std::fmt;
use std::time::Duration;

use ascendcl_sys as sys;

use crate::device::Device;
use crate::error::Result;
use crate::raw::Acl;
use crate::stream::milliseconds;

/// A point in a stream's work that others wait for or measure from (`aclrtEvent`).
///
/// An event can be recorded again and again; a wait takes the last record at the time when it is queued. One that
/// was never recorded counts as complete.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let (stream, start, end) = (device.stream()?, device.timing_event()?, device.timing_event()?);
/// stream.record(&start)?;
/// stream.record(&end)?;
/// end.synchronize()?;
/// assert!(end.elapsed_since(&start)? < std::time::Duration::from_secs(1));
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct Event {
    device: Device,
    handle: sys::aclrtEvent,
}

// SAFETY: the library lets any thread use an event whose context is current for it, which `Device::bind` ensures.
unsafe impl Send for Event {}
// SAFETY: as above; no method changes anything on our side.
unsafe impl Sync for Event {}

impl Device {
    /// Makes an event for order between streams and the host (`ACL_EVENT_SYNC`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) if the device has no more events.
    pub fn event(&self) -> Result<Event> {
        Event::new(self, sys::ACL_EVENT_SYNC)
    }

    /// Makes an event that also takes the time (`ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) if the device has no more events.
    pub fn timing_event(&self) -> Result<Event> {
        Event::new(self, sys::ACL_EVENT_SYNC | sys::ACL_EVENT_TIME_LINE)
    }
}

impl Event {
    fn new(device: &Device, flags: u32) -> Result<Self> {
        Self::made_by(device, |acl| acl.create_event(flags))
    }

    pub(crate) fn made_by(
        device: &Device,
        make: impl FnOnce(&Acl) -> Result<sys::aclrtEvent>,
    ) -> Result<Self> {
        Ok(Self { device: device.clone(), handle: make(device.bind()?)? })
    }

    /// The device that it belongs to.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn handle(&self) -> sys::aclrtEvent {
        self.handle
    }

    /// Whether the last record is done (`aclrtQueryEventStatus`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn is_complete(&self) -> Result<bool> {
        // SAFETY: the event is alive as long as `self`.
        unsafe { self.device.bind()?.event_is_complete(self.handle) }
    }

    /// Waits until the last record is done (`aclrtSynchronizeEvent`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) for work that failed.
    pub fn synchronize(&self) -> Result<()> {
        // SAFETY: the event is alive as long as `self`.
        unsafe { self.device.bind()?.synchronize_event_to_end(self.handle) }
    }

    /// Waits, but no longer than `timeout`, rounded up to whole milliseconds (`aclrtSynchronizeEventWithTimeout`).
    ///
    /// # Errors
    /// As [`synchronize`](Self::synchronize), and a time-out ([`ErrorKind::Timeout`](crate::ErrorKind::Timeout)).
    pub fn synchronize_timeout(&self, timeout: Duration) -> Result<()> {
        // SAFETY: the event is alive as long as `self`.
        unsafe { self.device.bind()?.synchronize_event(self.handle, milliseconds(timeout)) }
    }

    /// Time on the device from the record of `earlier` to this one's (`aclrtEventElapsedTime`).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the events belong to different devices,
    /// [`Error::Acl`](crate::Error::Acl) if one is not recorded or done, or not a
    /// [`timing_event`](Device::timing_event).
    pub fn elapsed_since(&self, earlier: &Event) -> Result<Duration> {
        self.device.check_same("event", &earlier.device)?;
        // SAFETY: both events are alive while they are borrowed.
        let milliseconds = unsafe { self.device.bind()?.event_elapsed(earlier.handle, self.handle) }?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) / 1e3).unwrap_or_default())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let destroyed = self.device.bind().and_then(|acl| {
            // SAFETY: the event is alive until here. Work that is queued may still complete it or wait for it: the
            // library keeps what is needed until then (AscendCL docs: event management).
            unsafe { acl.destroy_event(self.handle) }
        });
        if let Err(error) = destroyed {
            tracing::error!(%error, "destroying an event");
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:?} on {:?})", self.handle, self.device)
    }
}
