//! Graphs: work that is recorded once and launched many times.

use std::fmt;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::block::Block;
use crate::capture::CaptureMode;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::stream::Stream;
use crate::usage::{Access, Usage};

/// The memory that captured work touches, each block once, with its strongest access, and the events that it uses.
#[derive(Default)]
pub(crate) struct Recording {
    blocks: Vec<(Arc<Block>, Access)>,
    events: Vec<Arc<Event>>,
    /// Tells the graph from others.
    pub(crate) identity: Arc<()>,
}

impl Recording {
    pub(crate) fn touch(&mut self, block: &Arc<Block>, access: Access) {
        match self.blocks.iter_mut().find(|(other, _)| Arc::ptr_eq(other, block)) {
            Some((_, known)) => {
                if access == Access::Write {
                    *known = Access::Write;
                }
            }
            None => self.blocks.push((Arc::clone(block), access)),
        }
    }

    /// Keeps an event for the graph; `false` if the graph uses it already.
    pub(crate) fn keep_event(&mut self, event: &Arc<Event>) -> bool {
        let is_new = !self.events.iter().any(|other| Arc::ptr_eq(other, event));
        if is_new {
            self.events.push(Arc::clone(event));
        }
        is_new
    }

    /// Takes over what another recording has.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (block, access) in &other.blocks {
            self.touch(block, *access);
        }
        for event in &other.events {
            self.keep_event(event);
        }
    }

    /// Leaks the events, for a graph that may still use them.
    fn leak_events(&mut self) {
        std::mem::forget(std::mem::take(&mut self.events));
    }

    pub(crate) fn blocks(&self) -> &[(Arc<Block>, Access)] {
        &self.blocks
    }
}

/// Work captured from a stream, ready to be launched again and again (`aclmdlRI`).
///
/// The graph owns the memory that its work touches, so buffers may be dropped before it. Launches are ordered with other
/// work on that memory like any other work. Dropping the graph waits for its launches.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let (mut from, mut to) = (stream.alloc_from(&[1u8, 2, 3])?, stream.alloc_from(&[0u8; 3])?);
/// let graph = stream.capture(|stream| stream.copy(&from, &mut to))?;
/// assert_eq!(stream.download_vec(&to)?, [0, 0, 0]); // nothing has run yet
/// graph.launch(&stream)?;
/// assert_eq!(stream.download_vec(&to)?, [1, 2, 3]);
/// stream.upload(&[4, 5, 6], &mut from)?;
/// graph.launch(&stream)?;
/// assert_eq!(stream.download_vec(&to)?, [4, 5, 6]);
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct Graph {
    pub(crate) device: Device,
    pub(crate) handle: sys::aclmdlRI,
    pub(crate) recording: Recording,
    /// Streams with launches that may not be done.
    pub(crate) launches: Mutex<Usage>,
}

// SAFETY: the library lets any thread use a graph whose context is current for it, which `Device::bind` ensures.
unsafe impl Send for Graph {}
// SAFETY: as above; launches are serialised by the lock.
unsafe impl Sync for Graph {}

impl Stream {
    /// Records the work that `work` queues on this stream instead of doing it (`aclmdlRICaptureBegin`, `…End`).
    ///
    /// Copies from or to host memory and host functions are refused during a capture: a graph may run long after
    /// the host has moved on.
    ///
    /// # Errors
    /// What `work` answers with; [`Error::Capturing`] if the stream is being captured already; [`Error::Acl`] from the
    /// library.
    pub fn capture(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Graph> {
        // In relaxed mode: this crate itself refuses what must not be captured, on the stream that it concerns, and
        // other streams go on as they like.
        self.capture_in(CaptureMode::Relaxed, work)
    }

    /// As [`capture`](Self::capture), in a mode in which the library lets fewer threads copy and fill without a
    /// stream or from pageable memory meanwhile.
    ///
    /// # Errors
    /// As [`capture`](Self::capture), also if the capture was spoilt by such a call in a thread that the mode forbids it.
    pub fn capture_in(&self, mode: CaptureMode, work: impl FnOnce(&Self) -> Result<()>) -> Result<Graph> {
        self.begin_capture("Stream::capture", mode)?;
        // Ends the capture also if `work` panics.
        let end = EndCapture { stream: self };
        let worked = work(self);
        std::mem::forget(end);
        let graph = self.finish_capture();
        worked?;
        graph
    }

    fn finish_capture(&self) -> Result<Graph> {
        let (handle, recording) = self.end_capture()?;
        if handle.is_null() {
            return Err(Error::Capturing { call: "Stream::capture: the capture was spoilt; its end" });
        }
        Ok(Graph { device: self.device().clone(), handle, recording, launches: Mutex::default() })
    }
}

struct EndCapture<'s> {
    stream: &'s Stream,
}

impl Drop for EndCapture<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.stream.finish_capture() {
            tracing::warn!(%error, "ending a capture whose work panicked");
        }
    }
}

impl Graph {
    /// Queues the captured work (`aclmdlRIExecuteAsync`).
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a stream of another device, [`Error::Capturing`] if that stream is being captured,
    /// [`Error::Acl`] from the library.
    pub fn launch(&self, stream: &Stream) -> Result<()> {
        self.device.check_same("graph", stream.device())?;
        let (submission, _alone) = stream.submit_alone("Graph::launch")?;
        let mut launches = self.launches.lock();
        launches.touch(&stream.core, Access::Write)?;
        for (block, access) in self.recording.blocks() {
            submission.touch(block, *access)?;
        }
        // SAFETY: graph and stream are alive, and the graph owns the memory that its work touches, all of which is
        // ordered on this stream now.
        unsafe { submission.acl.graph_execute(self.handle, submission.handle) }
    }

    fn close(&mut self) -> Result<()> {
        let acl = self.device.bind()?;
        // Rather leaked than destroyed while it may be running.
        self.launches.get_mut().wait_on_host(Access::Write)?;
        // SAFETY: the graph is alive until here, and its launches were waited for.
        unsafe { acl.graph_destroy(self.handle) }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            self.recording.leak_events();
            tracing::error!(%error, "destroying a graph");
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({} blocks of memory on {:?})", self.recording.blocks().len(), self.device)
    }
}
