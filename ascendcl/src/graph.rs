//! Graphs: work that is recorded once and launched many times.

use std::fmt;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::block::Block;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::stream::Stream;
use crate::usage::{Access, Usage};

/// The memory that captured work touches, each block once, with its strongest access.
#[derive(Default)]
pub(crate) struct Recording {
    blocks: Vec<(Arc<Block>, Access)>,
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
    pub(crate) blocks: Vec<(Arc<Block>, Access)>,
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
        self.begin_capture("Stream::capture")?;
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
        Ok(Graph {
            device: self.device().clone(),
            handle,
            blocks: recording.blocks,
            launches: Mutex::default(),
        })
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
        for (block, access) in &self.blocks {
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
            tracing::error!(%error, "destroying a graph");
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({} blocks of memory on {:?})", self.blocks.len(), self.device)
    }
}
