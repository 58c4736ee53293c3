//! Streams: queues of work that a device does in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ascendcl_sys as sys;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::block::Block;
use crate::capture::CaptureMode;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::graph::Recording;
use crate::raw::Acl;
use crate::raw::host_function::Pump;
use crate::usage::Access;

/// A queue of work that the device does in order (`aclrtStream`).
///
/// All methods take `&self` and may be called from any thread. Work is asynchronous unless a method says that it waits.
/// Dropping the stream waits for its work.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let stream = device.stream()?;
/// let mut buffer = stream.alloc::<u32>(4)?;
/// stream.upload(&[1, 2, 3, 4], &mut buffer)?;
/// assert_eq!(stream.download_vec(&buffer)?, [1, 2, 3, 4]);
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct Stream {
    pub(crate) core: Arc<StreamCore>,
    device: Device,
    id: i32,
}

/// What memory remembers of a stream: enough to wait for it, nothing that keeps the device open.
pub(crate) struct StreamCore {
    acl: Arc<Acl>,
    /// `None` when the stream is destroyed; all its work is done then. Held for reading during a call that uses it.
    handle: RwLock<Option<Handles>>,
    /// What is captured, while the stream is being captured. Held for reading while work is queued, and for writing when
    /// a capture begins or ends: so nothing slips into a graph that does not own its memory.
    recording: RwLock<Option<Mutex<Recording>>>,
    /// The message of a host function that panicked, until somebody waits for the stream.
    pub(crate) panicked: Mutex<Option<String>>,
    /// The thread that the stream is subscribed to, where host functions need one.
    pub(crate) pump: Mutex<Option<Arc<Pump>>>,
}

struct Handles {
    stream: sys::aclrtStream,
    /// Recorded anew whenever another stream has to wait for this one, and when a capture begins. Locked from the record
    /// to the wait for it.
    fence: Mutex<sys::aclrtEvent>,
}

// SAFETY: the library lets any thread use a stream or an event whose context is current for the thread, which callers
// ensure with `Device::bind`; it is destroyed under the write lock. All other state is behind locks.
unsafe impl Send for StreamCore {}
// SAFETY: as above.
unsafe impl Sync for StreamCore {}

/// Whether work may be part of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    Allowed,
    Refused,
}

/// The right to queue work on a stream. While it is held, no capture begins or ends, and no graph is launched.
pub(crate) struct Submission<'s> {
    stream: &'s Stream,
    pub(crate) acl: &'s Acl,
    /// Alive as long as the submission, which borrows the stream.
    pub(crate) handle: sys::aclrtStream,
    recording: RwLockReadGuard<'s, Option<Mutex<Recording>>>,
    /// Given up before a wait.
    order: Option<RwLockReadGuard<'s, ()>>,
}

impl Submission<'_> {
    /// Makes queued work of this stream on `block` safe: the stream waits for other streams' work on the block now, or,
    /// during a capture, the graph takes the block and waits at each launch.
    pub(crate) fn touch(&self, block: &Arc<Block>, access: Access) -> Result<()> {
        self.stream.device.check_same("memory", block.device())?;
        match &*self.recording {
            Some(recording) => {
                recording.lock().touch(block, access);
                Ok(())
            }
            None => block.usage().touch(&self.stream.core, access),
        }
    }

    /// What is being captured, if anything is.
    pub(crate) fn recording(&self) -> Option<&Mutex<Recording>> {
        self.recording.as_ref()
    }

    /// Waits for the stream, which then has done what this submission queued.
    pub(crate) fn synchronize(mut self) -> Result<()> {
        self.order = None;
        // SAFETY: the submission's stream is alive.
        unsafe { self.acl.synchronize_stream(self.handle) }?;
        self.stream.core.take_panic()
    }
}

/// How a stream is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamOptions {
    /// Priority; 0 is the default and the highest.
    pub priority: u32,
    /// Trades host CPU time for launch latency (`ACL_STREAM_FAST_LAUNCH` and `ACL_STREAM_FAST_SYNC`).
    pub fast: bool,
}

impl Device {
    /// Makes a stream with default options (`aclrtCreateStream`).
    ///
    /// # Errors
    /// As [`stream_with`](Self::stream_with).
    pub fn stream(&self) -> Result<Stream> {
        self.stream_made_by(Acl::create_default_stream)
    }

    /// Makes a stream (`aclrtCreateStreamWithConfig`).
    ///
    /// # Errors
    /// [`Error::Acl`] if the device has no more streams or refuses the priority.
    pub fn stream_with(&self, options: StreamOptions) -> Result<Stream> {
        let flags = if options.fast { sys::ACL_STREAM_FAST_LAUNCH | sys::ACL_STREAM_FAST_SYNC } else { 0 };
        self.stream_made_by(|acl| acl.create_stream(options.priority, flags))
    }

    fn stream_made_by(&self, make: impl FnOnce(&Acl) -> Result<sys::aclrtStream>) -> Result<Stream> {
        let acl = self.bind()?;
        let fence = acl.create_event(sys::ACL_EVENT_SYNC)?;
        let stream = match make(acl) {
            Ok(stream) => stream,
            Err(error) => {
                // SAFETY: the event was just made.
                unsafe { acl.destroy_event(fence) }?;
                return Err(error);
            }
        };
        let core = StreamCore {
            acl: Arc::clone(acl),
            handle: RwLock::new(Some(Handles { stream, fence: Mutex::new(fence) })),
            recording: RwLock::default(),
            panicked: Mutex::default(),
            pump: Mutex::default(),
        };
        // Owns the stream from here on, whatever fails.
        let mut made = Stream { core: Arc::new(core), device: self.clone(), id: 0 };
        // SAFETY: the stream was just made.
        made.id = unsafe { acl.stream_id(stream) }?;
        Ok(made)
    }
}

impl Stream {
    /// The device that does the work.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The number that logs and profiles give the stream (`aclrtStreamGetId`).
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Waits until all queued work is done (`aclrtSynchronizeStream`).
    ///
    /// # Errors
    /// [`Error::Acl`] for work that failed, [`Error::HostFunctionPanicked`] once for a host function that did,
    /// [`Error::Capturing`] during a capture.
    pub fn synchronize(&self) -> Result<()> {
        self.submit("Stream::synchronize", Capture::Refused)?.synchronize()
    }

    /// Waits, but no longer than `timeout`, rounded up to whole milliseconds
    /// (`aclrtSynchronizeStreamWithTimeout`).
    ///
    /// # Errors
    /// As [`synchronize`](Self::synchronize), and a time-out ([`ErrorKind::Timeout`](crate::ErrorKind::Timeout)).
    pub fn synchronize_timeout(&self, timeout: Duration) -> Result<()> {
        let mut submission = self.submit("Stream::synchronize_timeout", Capture::Refused)?;
        submission.order = None;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.synchronize_stream_with_timeout(submission.handle, milliseconds(timeout)) }?;
        self.core.take_panic()
    }

    /// Whether all queued work is done (`aclrtStreamQuery`).
    ///
    /// # Errors
    /// [`Error::Acl`] for work that failed, [`Error::Capturing`] during a capture.
    pub fn is_idle(&self) -> Result<bool> {
        let submission = self.submit("Stream::is_idle", Capture::Refused)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.stream_is_idle(submission.handle) }
    }

    /// Records an event: it is complete when the work queued so far is done (`aclrtRecordEvent`).
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the event belongs to another device, [`Error::Capturing`] during a capture (it would
    /// draw other streams into the graph), [`Error::Acl`] from the library.
    pub fn record(&self, event: &Event) -> Result<()> {
        self.device.check_same("event", event.device())?;
        let submission = self.submit("Stream::record", Capture::Refused)?;
        // SAFETY: the submission's stream is alive, and so is the event while it is borrowed.
        unsafe { submission.acl.record_event(event.handle(), submission.handle) }
    }

    /// Makes later work wait for the event's last record (`aclrtStreamWaitEvent`).
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn wait(&self, event: &Event) -> Result<()> {
        self.device.check_same("event", event.device())?;
        let submission = self.submit("Stream::wait", Capture::Refused)?;
        // SAFETY: the submission's stream is alive, and so is the event while it is borrowed.
        unsafe { submission.acl.stream_wait_event(submission.handle, event.handle()) }
    }

    /// Refuses a call that cannot be part of a graph, before any of its parts is queued.
    ///
    /// # Errors
    /// [`Error::Capturing`] with the name of the call, during a capture.
    pub fn check_not_capturing(&self, call: &'static str) -> Result<()> {
        self.submit(call, Capture::Refused).map(drop)
    }

    /// Takes the right to queue work, with the device's context bound to this thread.
    pub(crate) fn submit(&self, call: &'static str, capture: Capture) -> Result<Submission<'_>> {
        let acl = self.device.bind()?;
        // `read_recursive`: a thread that waits for the stream must not, together with one that wants to capture, keep
        // out the thread whose work they wait for.
        let recording = self.core.recording.read_recursive();
        if capture == Capture::Refused && recording.is_some() {
            return Err(Error::Capturing { call });
        }
        match &*self.core.handle.read() {
            Some(handles) => {
                let order = Some(self.device.inner.order.read_recursive());
                Ok(Submission { stream: self, acl, handle: handles.stream, recording, order })
            }
            // `self` is the owner, and destroys the stream in its destructor only.
            None => Err(Error::Mismatch { what: call, expected: "a live stream".into(), got: "none".into() }),
        }
    }

    /// Takes the right to queue work that touches memory which it does not borrow: nobody else queues any meanwhile.
    pub(crate) fn submit_alone(
        &self,
        call: &'static str,
    ) -> Result<(Submission<'_>, RwLockWriteGuard<'_, ()>)> {
        let mut submission = self.submit(call, Capture::Refused)?;
        submission.order = None;
        Ok((submission, self.device.inner.order.write()))
    }

    /// Begins a capture, when no other thread is queueing work.
    pub(crate) fn begin_capture(&self, call: &'static str, mode: CaptureMode) -> Result<()> {
        // SAFETY: `begin_recording` hands over the live stream.
        self.begin_recording(call, |acl, stream| unsafe { acl.capture_begin(stream, mode.to_acl()) })?;
        self.device.capture_begins();
        Ok(())
    }

    /// Begins to record what work touches, from the moment when `begin` has made the library keep the work back.
    pub(crate) fn begin_recording(
        &self,
        call: &'static str,
        begin: impl FnOnce(&Acl, sys::aclrtStream) -> Result<()>,
    ) -> Result<()> {
        let acl = self.device.bind()?;
        let mut recording = self.core.recording.write();
        let handle = self.core.handle.read();
        let Some(handles) = handle.as_ref().filter(|_| recording.is_none()) else {
            return Err(Error::Capturing { call });
        };
        // Streams that wait for this one during the capture wait for this record.
        // SAFETY: stream and fence are alive while the lock is held.
        unsafe { acl.record_event(*handles.fence.lock(), handles.stream) }?;
        begin(acl, handles.stream)?;
        *recording = Some(Mutex::default());
        Ok(())
    }

    /// Ends a capture: the graph and the memory that it needs.
    pub(crate) fn end_capture(&self) -> Result<(sys::aclmdlRI, Recording)> {
        self.device.capture_ends();
        // SAFETY: `end_recording` hands over the live stream.
        let (recorded, graph) =
            self.end_recording("Stream::capture", |acl, stream| unsafe { acl.capture_end(stream) })?;
        Ok((graph?, recorded))
    }

    /// Ends what [`begin_recording`](Self::begin_recording) began: what was recorded, and what `end` answers.
    pub(crate) fn end_recording<R>(
        &self,
        call: &'static str,
        end: impl FnOnce(&Acl, sys::aclrtStream) -> R,
    ) -> Result<(Recording, R)> {
        let acl = self.device.bind()?;
        // Dropped after the locks, should it be dropped here.
        let recorded;
        let mut recording = self.core.recording.write();
        recorded = recording.take().map(Mutex::into_inner).unwrap_or_default();
        let handle = self.core.handle.read();
        let Some(handles) = &*handle else { return Err(Error::Capturing { call }) };
        let ended = end(acl, handles.stream);
        Ok((recorded, ended))
    }

    /// Destroys the stream without waiting for its work (`aclrtDestroyStreamForce`).
    ///
    /// What is queued is dropped, as by [`abort`](Self::abort), and the task that is running may go on for a while.
    /// A thread that waits for the stream's work is waited for.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let stream = device.stream()?;
    /// // SAFETY: the stream has no work.
    /// unsafe { stream.destroy_force() }?;
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`] from the library; the stream is dropped as usual then.
    ///
    /// # Safety
    /// As [`abort`](Self::abort), and moreover: the stream counts as done, while its running task may still touch memory. So
    /// nothing touches the memory that the stream's work touched, and no buffer gets it from a pool, until the device has
    /// been [synchronised](Device::synchronize).
    pub unsafe fn destroy_force(self) -> Result<()> {
        let acl = Arc::clone(self.device.bind()?);
        let mut handle = self.core.handle.write();
        let Some(Handles { stream, fence }) = &*handle else { return Ok(()) };
        if let Some(pump) = self.core.pump.lock().take() {
            // SAFETY: the stream is alive and subscribed to this pump.
            if let Err(error) = unsafe { pump.unsubscribe(&acl, *stream) } {
                tracing::warn!(stream = self.id, %error, "unsubscribing the stream from its callbacks");
            }
        }
        // SAFETY: nobody else uses the stream, as the lock is held for writing. The caller vouches for the memory.
        unsafe { acl.destroy_stream_force(*stream) }?;
        let fence = *fence.lock();
        *handle = None;
        // SAFETY: the fence went with its stream; waits that are queued keep what they need.
        unsafe { acl.destroy_event(fence) }
    }

    fn close(&mut self) -> Result<()> {
        let acl = Arc::clone(self.device.bind()?);
        // Waiting leaves others free to wait for this stream, too.
        let work = self.core.synchronize();
        let mut handle = self.core.handle.write();
        let Some(Handles { stream, fence }) = &*handle else { return work };
        if let Some(pump) = self.core.pump.lock().take() {
            // SAFETY: the stream is alive and subscribed to this pump.
            if let Err(error) = unsafe { pump.unsubscribe(&acl, *stream) } {
                tracing::warn!(stream = self.id, %error, "unsubscribing the stream from its callbacks");
            }
        }
        // SAFETY: nobody else uses the stream, as the lock is held for writing. If the library refuses, the handle stays,
        // so that whoever waits for the stream's work goes on asking the library.
        unsafe { acl.destroy_stream(*stream) }?;
        let fence = *fence.lock();
        *handle = None;
        // SAFETY: the fence went with its stream; waits that are queued keep what they need.
        work.and(unsafe { acl.destroy_event(fence) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(stream = self.id, %error, "closing the stream");
        }
        if let Err(error) = self.core.take_panic() {
            tracing::error!(stream = self.id, %error, "nobody waited for the stream");
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} on {:?})", self.id, self.device)
    }
}

impl StreamCore {
    /// Waits until all queued work is done. The device's context must be bound.
    pub(crate) fn synchronize(&self) -> Result<()> {
        // `read_recursive`: a thread that queues work may hold the lock already.
        let recording = self.recording.read_recursive();
        match (&*self.handle.read(), &*recording) {
            // SAFETY: the stream cannot be destroyed while the lock is held.
            (Some(handles), None) => unsafe { self.acl.synchronize_stream(handles.stream) },
            // What was queued before the capture is done when the fence is, and nothing runs during it.
            (Some(handles), Some(_)) => {
                let fence = *handles.fence.lock();
                // SAFETY: the fence goes with its stream.
                unsafe { self.acl.synchronize_event(fence, -1) }
            }
            (None, _) => Ok(()),
        }
    }

    /// Makes later work of this stream wait for all work that `other` has now. The context must be bound.
    pub(crate) fn wait_for(&self, other: &StreamCore) -> Result<()> {
        let recording = other.recording.read_recursive();
        let (mine, others) = (self.handle.read(), other.handle.read());
        // A stream that is gone was synchronised when it went.
        let (Some(mine), Some(others)) = (&*mine, &*others) else { return Ok(()) };
        let fence = others.fence.lock();
        if recording.is_none() {
            // SAFETY: stream and fence are alive while the locks are held.
            unsafe { self.acl.record_event(*fence, others.stream) }?;
        }
        // SAFETY: as above.
        unsafe { self.acl.stream_wait_event(mine.stream, *fence) }
    }

    /// Whether nothing is queued; `false` if that cannot be found out at once.
    pub(crate) fn is_idle(&self) -> bool {
        let (Some(recording), Some(handle)) = (self.recording.try_read(), self.handle.try_read()) else {
            return false;
        };
        match (&*handle, &*recording) {
            // SAFETY: the stream cannot be destroyed while the lock is held.
            (Some(handles), None) => unsafe { self.acl.stream_is_idle(handles.stream) }.unwrap_or(false),
            (Some(_), Some(_)) => false,
            (None, _) => true,
        }
    }

    /// Whether the stream is gone, and its work done. Does not wait for one that is going.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.try_read().is_some_and(|handle| handle.is_none())
    }

    fn take_panic(&self) -> Result<()> {
        match self.panicked.lock().take() {
            Some(message) => Err(Error::HostFunctionPanicked { message }),
            None => Ok(()),
        }
    }
}

/// Whole milliseconds for the C interface, rounded up, at least one.
pub(crate) fn milliseconds(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX).max(1)
}
