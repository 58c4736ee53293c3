//! Captures: the work of streams on its way into a graph.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use ascendcl_sys::{
    ACL_MODEL_RI_CAPTURE_MODE_GLOBAL, ACL_MODEL_RI_CAPTURE_MODE_RELAXED,
    ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL, aclmdlRICaptureMode,
};
use parking_lot::Mutex;

use crate::error::{Error, Result, misuse};
use crate::event::Event;
use crate::graph::{Graph, Node, TaskGroup, refuse_in_group};
use crate::handle::{Handle, Kind};
use crate::stream::Stream;
use crate::task::Task;

/// Work that is being captured.
pub(crate) struct Capture {
    /// The graph that it will be.
    pub graph: Handle,
    pub device: i32,
    /// The branch of a condition task that the graph is.
    branch: Option<Arc<Graph>>,
    /// The stream that the capture began with.
    origin: i32,
    mode: aclmdlRICaptureMode,
    thread: ThreadId,
    state: Mutex<State>,
    ended: AtomicBool,
}

#[derive(Default)]
struct State {
    nodes: Vec<Node>,
    /// Why the capture is good for nothing any more.
    invalid: Option<String>,
    branches: HashMap<i32, Branch>,
    /// The tasks of the groups that are not ended yet, by the streams that they were begun on.
    open_groups: HashMap<i32, Vec<usize>>,
    /// Events that are recorded or waited for across the border of the graph.
    external: Vec<u32>,
}

/// A stream whose work goes to a capture.
struct Branch {
    stream: Arc<Stream>,
    /// How many tasks it has.
    length: usize,
    /// How many tasks of the other streams its next task comes after.
    seen: HashMap<i32, usize>,
}

/// The place of an event in a capture.
#[derive(Clone)]
pub(crate) struct Mark {
    capture: Arc<Capture>,
    /// How many tasks of each stream it comes after.
    seen: HashMap<i32, usize>,
}

impl Mark {
    pub(crate) fn capture(&self) -> Arc<Capture> {
        Arc::clone(&self.capture)
    }
}

/// The captures in progress.
static ACTIVE: Mutex<Vec<Arc<Capture>>> = Mutex::new(Vec::new());
static ACTIVE_COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD_MODE: Cell<aclmdlRICaptureMode> = const { Cell::new(ACL_MODEL_RI_CAPTURE_MODE_GLOBAL) };
}

/// Sets the thread's mode, and answers with what it was.
pub(crate) fn exchange_mode(mode: aclmdlRICaptureMode) -> Result<aclmdlRICaptureMode> {
    check_mode(mode)?;
    Ok(THREAD_MODE.replace(mode))
}

fn check_mode(mode: aclmdlRICaptureMode) -> Result {
    match mode {
        ACL_MODEL_RI_CAPTURE_MODE_GLOBAL
        | ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL
        | ACL_MODEL_RI_CAPTURE_MODE_RELAXED => Ok(()),
        _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no capture mode {}", mode.0)),
    }
}

/// Refuses what is unsafe while work of the device is being captured: in the modes of the captures and of the
/// calling thread that forbid it. The captures that forbid it are invalidated.
pub(crate) fn refuse_unsafe(device: i32, what: &str) -> Result {
    if ACTIVE_COUNT.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    let (own, thread_mode) = (thread::current().id(), THREAD_MODE.get());
    let forbids = |capture: &&Arc<Capture>| {
        capture.device == device
            && match capture.mode {
                ACL_MODEL_RI_CAPTURE_MODE_RELAXED => false,
                _ if capture.thread == own => thread_mode != ACL_MODEL_RI_CAPTURE_MODE_RELAXED,
                ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL => false,
                _ => thread_mode == ACL_MODEL_RI_CAPTURE_MODE_GLOBAL,
            }
    };
    let forbidding: Vec<_> = ACTIVE.lock().iter().filter(forbids).cloned().collect();
    if forbidding.is_empty() {
        return Ok(());
    }
    let error = misuse!(
        ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT,
        "{what} is not possible while work is captured in this mode; see aclmdlRICaptureThreadExchangeMode"
    );
    for capture in forbidding {
        capture.invalidate(&error.message);
    }
    Err(error)
}

impl Capture {
    /// Lets the work of a stream be captured from now on, into a new graph or into a branch of a condition task.
    pub(crate) fn begin(
        stream: &Arc<Stream>,
        mode: aclmdlRICaptureMode,
        branch: Option<Arc<Graph>>,
    ) -> Result {
        check_mode(mode)?;
        if stream.is_persistent() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "stream {} is persistent: its work is for graphs that are built by hand",
                stream.id
            ));
        }
        if stream.is_default {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT,
                "the work of a default stream cannot be captured"
            ));
        }
        if stream.capture().is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURED,
                "the work of stream {} is being captured already",
                stream.id
            ));
        }
        if let Some(branch) = &branch {
            branch.begin_capture()?;
        }
        let origin = Branch { stream: Arc::clone(stream), length: 0, seen: HashMap::new() };
        let state = State { branches: HashMap::from([(stream.id, origin)]), ..State::default() };
        let capture = Arc::new(Self {
            graph: branch.as_ref().map_or_else(|| Handle::new(Kind::Graph), |branch| branch.handle),
            branch,
            device: stream.device.id,
            origin: stream.id,
            mode,
            thread: thread::current().id(),
            state: Mutex::new(state),
            ended: AtomicBool::new(false),
        });
        let mut active = ACTIVE.lock();
        active.push(Arc::clone(&capture));
        ACTIVE_COUNT.store(active.len(), Ordering::Release);
        drop(active);
        stream.set_capture(Some(capture));
        Ok(())
    }

    /// Ends the capture that began with a stream.
    pub(crate) fn end(stream: &Arc<Stream>) -> Result<Arc<Graph>> {
        let capture = stream.capture().ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_STREAM_NOT_CAPTURED,
                "the work of stream {} is not being captured",
                stream.id
            )
        })?;
        if capture.origin != stream.id {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_UNMATCHED,
                "stream {} joined the capture, which ends with stream {}",
                stream.id,
                capture.origin
            ));
        }
        if capture.mode != ACL_MODEL_RI_CAPTURE_MODE_RELAXED && capture.thread != thread::current().id() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_WRONG_THREAD,
                "a capture ends in the thread in which it began, unless its mode is relaxed"
            ));
        }
        if capture.has_open_branches() {
            return Err(misuse!(
                ACL_ERROR_RT_SUB_ACLGRAPH_IS_CAPTURING,
                "a branch of a condition task of the graph is still being captured"
            ));
        }
        let unjoined = capture.unjoined();
        let state = capture.close();
        if let Some(reason) = state.invalid {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED,
                "the capture was invalidated: {reason}"
            ));
        }
        if let Some(stream) = state.open_groups.keys().next() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED,
                "a task group was begun on stream {stream} and not ended"
            ));
        }
        if let Some(unjoined) = unjoined {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_UNJOINED,
                "stream {unjoined} joined the capture, and stream {} does not wait for all its work",
                capture.origin
            ));
        }
        let Some(branch) = &capture.branch else {
            return Ok(Arc::new(Graph::captured(capture.graph, capture.device, state.nodes)));
        };
        branch.end_capture(state.nodes);
        Ok(Arc::clone(branch))
    }

    /// Stops capturing, and takes what was captured.
    fn close(self: &Arc<Self>) -> State {
        self.ended.store(true, Ordering::Release);
        let mut active = ACTIVE.lock();
        active.retain(|capture| !Arc::ptr_eq(capture, self));
        ACTIVE_COUNT.store(active.len(), Ordering::Release);
        drop(active);
        let mut state = std::mem::take(&mut *self.state.lock());
        for branch in std::mem::take(&mut state.branches).into_values() {
            branch.stream.set_capture(None);
        }
        if let Some(branch) = &self.branch {
            branch.give_up_capture();
        }
        state
    }

    /// Whether a branch of one of its condition tasks is being captured.
    fn has_open_branches(&self) -> bool {
        self.state.lock().nodes.iter().any(|node| match &node.task {
            Task::Condition(condition) => condition.branches.iter().any(|branch| branch.is_being_captured()),
            _ => false,
        })
    }

    /// A stream whose last work the origin does not wait for.
    fn unjoined(&self) -> Option<i32> {
        let state = self.state.lock();
        let seen = &state.branches.get(&self.origin)?.seen;
        state.branches.iter().find_map(|(&id, branch)| {
            let reached = seen.get(&id).copied();
            // A stream that joined without work of its own must be joined, too.
            (id != self.origin && reached.is_none_or(|reached| reached < branch.length)).then_some(id)
        })
    }

    pub(crate) fn append(&self, stream: i32, task: Task) -> Result {
        if let Some(group) = self.state.lock().open_groups.get(&stream) {
            refuse_in_group(&task, group.len())?;
        }
        let index = self.branch(stream, |nodes, branch| {
            nodes.push(Node { stream, task });
            branch.length += 1;
            nodes.len() - 1
        })?;
        if let Some(group) = self.state.lock().open_groups.get_mut(&stream) {
            group.push(index);
        }
        Ok(())
    }

    /// As [`Self::append`], for a task that uses an event across the border of the graph.
    pub(crate) fn append_external(&self, stream: i32, event: &Event, task: Task) -> Result {
        let mut state = self.state.lock();
        if state.external.contains(&event.id) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "event {} is recorded or waited for in the graph already",
                event.id
            ));
        }
        state.external.push(event.id);
        drop(state);
        self.append(stream, task)
    }

    /// Begins a group of tasks of a stream.
    pub(crate) fn begin_group(&self, stream: i32) -> Result {
        let mut state = self.state.lock();
        if state.open_groups.contains_key(&stream) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "a task group was begun on stream {stream} and not ended"
            ));
        }
        state.open_groups.insert(stream, Vec::new());
        Ok(())
    }

    /// Ends a group.
    pub(crate) fn end_group(&self, stream: i32) -> Result<Arc<TaskGroup>> {
        let mut state = self.state.lock();
        let nodes = state.open_groups.remove(&stream).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "no task group was begun on stream {stream}")
        })?;
        Ok(Arc::new(TaskGroup::new(self.graph, nodes)))
    }

    /// Marks the end of what a stream has captured.
    pub(crate) fn record(&self, stream: i32, capture: &Arc<Self>) -> Result<Mark> {
        self.branch(stream, |nodes, branch| {
            nodes.push(Node { stream, task: Task::Order("EVENT_RECORD") });
            branch.length += 1;
            let mut seen = branch.seen.clone();
            seen.insert(stream, branch.length);
            Mark { capture: Arc::clone(capture), seen }
        })
    }

    /// Lets a stream, which may not be part of the capture yet, wait for a mark.
    pub(crate) fn join(&self, stream: &Arc<Stream>, mark: &Mark) -> Result {
        if !std::ptr::eq(&*mark.capture, self) {
            return self.refuse(misuse!(
                ACL_ERROR_STREAM_CAPTURE_CONFLICT,
                "stream {} is being captured, and the event belongs to another capture",
                stream.id
            ));
        }
        if self.ended.load(Ordering::Acquire) {
            return Err(misuse!(
                ACL_ERROR_RT_EVENT_CAPTURED,
                "the event was recorded in a capture that has ended, outside of which it has no state"
            ));
        }
        self.state.lock().branches.entry(stream.id).or_insert_with(|| Branch {
            stream: Arc::clone(stream),
            length: 0,
            seen: HashMap::new(),
        });
        self.branch(stream.id, |nodes, branch| {
            nodes.push(Node { stream: stream.id, task: Task::Order("EVENT_WAIT") });
            branch.length += 1;
            for (&id, &length) in &mark.seen {
                let seen = branch.seen.entry(id).or_default();
                *seen = length.max(*seen);
            }
        })
    }

    fn branch<T>(&self, stream: i32, change: impl FnOnce(&mut Vec<Node>, &mut Branch) -> T) -> Result<T> {
        let mut state = self.state.lock();
        let State { nodes, invalid, branches, .. } = &mut *state;
        if let Some(reason) = invalid {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED,
                "the capture was invalidated: {reason}"
            ));
        }
        let branch = branches.get_mut(&stream).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_STREAM_NOT_CAPTURED, "stream {stream} is not part of the capture any more")
        })?;
        Ok(change(nodes, branch))
    }

    /// Invalidates the capture and answers with why.
    pub(crate) fn refuse(&self, error: Error) -> Result {
        self.invalidate(&error.message);
        Err(error)
    }

    pub(crate) fn invalidate(&self, reason: &str) {
        self.state.lock().invalid.get_or_insert_with(|| reason.to_owned());
    }

    pub(crate) fn is_invalid(&self) -> bool {
        self.state.lock().invalid.is_some()
    }
}

/// The capture whose graph has a handle, if it goes on.
pub(crate) fn of_graph(graph: *mut c_void) -> Option<Arc<Capture>> {
    ACTIVE.lock().iter().find(|capture| capture.graph.pointer() == graph).cloned()
}

/// Ends the captures of a device, whose streams are going away.
pub(crate) fn close_captures(device: i32) {
    let captures: Vec<_> = ACTIVE.lock().iter().filter(|capture| capture.device == device).cloned().collect();
    for capture in captures {
        capture.close();
    }
}
