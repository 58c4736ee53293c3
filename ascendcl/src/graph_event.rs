//! Events between graphs and streams.

use std::sync::Arc;

use ascendcl_sys as sys;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::stream::{Capture, Stream, Submission};

/// Where an event is recorded, or waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// In the work of a graph, by calls while it is captured.
    Graph,
    /// On streams.
    Stream,
}

/// An event that orders the work of a graph with that of streams or of other graphs.
///
/// Other events are refused during a capture. This one says when it is made on which side it is recorded and on which
/// it is waited for, because the library takes no event that is recorded, or waited for, on both. Each launch of a graph that
/// records it does so anew, and each wait takes the last record: a stream's when the wait is queued, a graph's when it gets
/// there. One that was never recorded counts as complete.
///
/// The order of work on memory needs no event: see [`Graph`](crate::Graph).
///
/// ```
/// use ascendcl::{Backend, Runtime, Side};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let (stream, other) = (device.stream()?, device.stream()?);
/// let half_time = device.graph_event(Side::Graph, Side::Stream)?;
/// let (mut a, mut b) = (stream.alloc_from(&[0u8])?, stream.alloc_from(&[0u8])?);
/// let graph = stream.capture(|stream| {
///     stream.fill_bytes(&mut a, 1)?;
///     stream.record_graph_event(&half_time)?;
///     stream.fill_bytes(&mut b, 1)
/// })?;
/// graph.launch(&stream)?;
/// stream.synchronize()?;
/// other.wait_graph_event(&half_time)?;
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Debug)]
pub struct GraphEvent {
    /// Graphs that use it own it, too.
    event: Arc<Event>,
    recorded: Side,
    awaited: Side,
}

impl Device {
    /// Makes an event that is recorded and waited for on the given sides (`aclrtCreateEventExWithFlag` with
    /// `ACL_EVENT_SYNC`).
    ///
    /// # Errors
    /// [`Error::Acl`] if the device has no more events.
    pub fn graph_event(&self, recorded: Side, awaited: Side) -> Result<GraphEvent> {
        Ok(GraphEvent { event: Arc::new(self.event()?), recorded, awaited })
    }
}

impl Stream {
    /// Records an event (`aclrtRecordEventWithFlag`, since 9.1): in the graph that is being captured, with
    /// `ACL_EVENT_RECORD_EXTERNAL`, or on this stream, as the event wants it.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the event belongs to another device, or the stream is not being captured and should be, or the
    /// graph uses the event already; [`Error::Capturing`] if the stream is being captured and should not;
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn record_graph_event(&self, event: &GraphEvent) -> Result<()> {
        let submission = self.submit_for("Stream::record_graph_event", event, event.recorded)?;
        let flag = match event.recorded {
            Side::Graph => sys::ACL_EVENT_RECORD_EXTERNAL,
            Side::Stream => sys::ACL_EVENT_RECORD_DEFAULT,
        };
        // SAFETY: the submission's stream is alive, and so is the event: it is borrowed, and a graph has its own handle.
        unsafe { submission.acl.record_event_with_flag(event.event.handle(), submission.handle, flag) }
    }

    /// Waits for an event (`aclrtStreamWaitEventWithFlag`, since 9.1): in the graph that is being captured, with
    /// `ACL_EVENT_WAIT_EXTERNAL`, or on this stream, as the event wants it.
    ///
    /// A graph that waits for an event which nobody completes does not end, nor do calls that wait for it.
    ///
    /// # Errors
    /// As [`record_graph_event`](Self::record_graph_event).
    pub fn wait_graph_event(&self, event: &GraphEvent) -> Result<()> {
        let submission = self.submit_for("Stream::wait_graph_event", event, event.awaited)?;
        let flag = match event.awaited {
            Side::Graph => sys::ACL_EVENT_WAIT_EXTERNAL,
            Side::Stream => sys::ACL_EVENT_WAIT_DEFAULT,
        };
        // SAFETY: as in `record_graph_event`.
        unsafe { submission.acl.stream_wait_event_with_flag(submission.handle, event.event.handle(), flag) }
    }

    fn submit_for(&self, call: &'static str, event: &GraphEvent, side: Side) -> Result<Submission<'_>> {
        self.device().check_same("event", event.event.device())?;
        if side == Side::Stream {
            return self.submit(call, Capture::Refused);
        }
        let submission = self.submit(call, Capture::Allowed)?;
        let Some(recording) = submission.recording() else {
            let (expected, got) = ("one that is being captured".into(), format!("{self:?}"));
            return Err(Error::Mismatch { what: "stream of an event in a graph", expected, got });
        };
        // Kept also if the call fails: the graph then owns an event that it does not use.
        if !recording.lock().keep_event(&event.event) {
            let (expected, got) = ("one that the graph does not use yet".into(), format!("{event:?}"));
            return Err(Error::Mismatch { what: "event in a graph", expected, got });
        }
        Ok(submission)
    }
}
