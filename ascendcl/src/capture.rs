//! Modes of captures, and parts of graphs that can be changed.

use std::fmt;
use std::sync::Arc;

use ascendcl_sys as sys;

use crate::device_info::unknown;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::host_function::is_inside;
use crate::runtime::Runtime;
use crate::stream::{Capture, Stream};
use crate::usage::Access;

/// Which threads must not copy and fill without a stream, or from and to pageable memory, while a stream is being captured
/// (`aclmdlRICaptureMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaptureMode {
    /// All (`ACL_MODEL_RI_CAPTURE_MODE_GLOBAL`).
    Global,
    /// The one that captures (`ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL`).
    ThreadLocal,
    /// None (`ACL_MODEL_RI_CAPTURE_MODE_RELAXED`).
    Relaxed,
}

impl CaptureMode {
    pub(crate) fn to_acl(self) -> sys::aclmdlRICaptureMode {
        match self {
            Self::Global => sys::ACL_MODEL_RI_CAPTURE_MODE_GLOBAL,
            Self::ThreadLocal => sys::ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL,
            Self::Relaxed => sys::ACL_MODEL_RI_CAPTURE_MODE_RELAXED,
        }
    }

    fn from_acl(mode: sys::aclmdlRICaptureMode) -> Result<Self> {
        match mode {
            sys::ACL_MODEL_RI_CAPTURE_MODE_GLOBAL => Ok(Self::Global),
            sys::ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL => Ok(Self::ThreadLocal),
            sys::ACL_MODEL_RI_CAPTURE_MODE_RELAXED => Ok(Self::Relaxed),
            other => Err(unknown("capture mode", "global, thread-local or relaxed", other.0)),
        }
    }
}

impl Runtime {
    /// Sets the calling thread's own mode, and answers what it was (`aclmdlRICaptureThreadExchangeMode`).
    ///
    /// While others capture in a mode that is not [`Relaxed`](CaptureMode::Relaxed), it says what this thread may do all the
    /// same: in relaxed mode everything, in thread-local mode what a global capture forbids to other threads.
    ///
    /// ```
    /// use ascendcl::{Backend, CaptureMode, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let before = runtime.exchange_capture_mode(CaptureMode::Relaxed)?;
    /// assert_eq!(runtime.exchange_capture_mode(before)?, CaptureMode::Relaxed);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, [`Error::Shape`] for a mode that this crate does not know.
    pub fn exchange_capture_mode(&self, mode: CaptureMode) -> Result<CaptureMode> {
        if is_inside() {
            return Err(Error::InHostFunction);
        }
        CaptureMode::from_acl(self.acl().exchange_capture_mode(mode.to_acl())?)
    }
}

/// Tasks of a graph that can be replaced by [`Graph::update`] (`aclrtTaskGrp`).
pub struct TaskGroup {
    handle: sys::aclrtTaskGrp,
    /// The graph that it is part of has the same.
    graph: Arc<()>,
}

// SAFETY: the handle is only used together with its graph, which the library lets any thread use.
unsafe impl Send for TaskGroup {}
// SAFETY: as above.
unsafe impl Sync for TaskGroup {}

impl Stream {
    /// Makes a group of the tasks that `work` queues on this stream, which is being captured (`aclmdlRICaptureTaskGrpBegin`,
    /// `…End`).
    ///
    /// The library has groups of calls of single operators only, and refuses other tasks
    /// (`ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT`; AscendCL docs: model instances).
    ///
    /// # Errors
    /// What `work` answers with, [`Error::Mismatch`] if the stream is not being captured, [`Error::Acl`] from the library.
    pub fn capture_group(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<TaskGroup> {
        let submission = self.submit("Stream::capture_group", Capture::Allowed)?;
        let Some(recording) = submission.recording() else {
            let (expected, got) = ("one that is being captured".into(), format!("{self:?}"));
            return Err(Error::Mismatch { what: "stream of a task group", expected, got });
        };
        let graph = Arc::clone(&recording.lock().identity);
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.task_group_begin(submission.handle) }?;
        drop(submission);
        // Ends the group also if `work` panics.
        let end = Finally(|| match self.end_group() {
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "ending a task group whose work panicked"),
        });
        let worked = work(self);
        std::mem::forget(end);
        let handle = self.end_group();
        worked?;
        Ok(TaskGroup { handle: handle?, graph })
    }

    fn end_group(&self) -> Result<sys::aclrtTaskGrp> {
        let submission = self.submit("Stream::capture_group", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.task_group_end(submission.handle) }
    }
}

impl Graph {
    /// Replaces the tasks of a group by those that `work` queues on a stream, in the stream's order
    /// (`aclmdlRICaptureTaskUpdateBegin`, `…End`).
    ///
    /// The work is not done. It is refused what a capture is refused; the graph also owns the memory that it
    /// touches from now on. Launches before have the old tasks, later ones the new.
    ///
    /// # Errors
    /// What `work` answers with; [`Error::Mismatch`] if the group is of another graph or the stream of another device,
    /// [`Error::Capturing`] if the stream is being captured, [`Error::Acl`] from the library, also for a driver that cannot
    /// do it.
    ///
    /// # Safety
    /// `work` queues as many tasks as the group has, of the same kinds in the same order, and nobody else queues work on the
    /// stream meanwhile. After an error the graph is not launched or executed again.
    pub unsafe fn update(
        &mut self,
        group: &TaskGroup,
        stream: &Stream,
        work: impl FnOnce(&Stream) -> Result<()>,
    ) -> Result<()> {
        let call = "Graph::update";
        self.device.check_same("graph", stream.device())?;
        if !Arc::ptr_eq(&group.graph, &self.recording.identity) {
            let (expected, got) = (format!("one of {self:?}"), "one of another graph".into());
            return Err(Error::Mismatch { what: "task group", expected, got });
        }
        // The stream waits for launches on others, and later ones on others wait for it.
        drop(stream.submit(call, Capture::Refused)?);
        self.launches.get_mut().touch(&stream.core, Access::Write)?;
        // SAFETY: the stream is alive, and the group is of this graph.
        stream.begin_recording(call, |acl, stream| unsafe { acl.task_update_begin(stream, group.handle) })?;
        // Ends the update also if `work` panics.
        let end = Finally(|| match end_update(stream) {
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "ending an update whose work panicked"),
        });
        let worked = work(stream);
        std::mem::forget(end);
        let (recorded, ended) = end_update(stream)?;
        // Also after a failure: who knows which tasks the graph has.
        self.recording.absorb(recorded);
        worked?;
        ended
    }

    /// Ends launches of the graph that are running (`aclmdlRIAbort`, since 9.1).
    ///
    /// The library does not do it for captured graphs, which all of this crate are (AscendCL docs: model instances), and
    /// answers with an error; a later version may do it.
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    ///
    /// # Safety
    /// As [`Stream::abort`], for the streams on which the graph was launched.
    pub unsafe fn abort(&self) -> Result<()> {
        let acl = self.device.bind()?;
        // SAFETY: the graph is alive while it is borrowed, and the caller vouches for the memory.
        unsafe { acl.graph_abort(self.handle) }
    }
}

fn end_update(stream: &Stream) -> Result<(crate::graph::Recording, Result<()>)> {
    // SAFETY: the stream is alive.
    stream.end_recording("Graph::update", |acl, stream| unsafe { acl.task_update_end(stream) })
}

/// Runs a function when it is dropped.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskGroup({:?})", self.handle)
    }
}
