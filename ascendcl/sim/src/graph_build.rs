//! Graphs that are built by hand: streams that are bound to a graph, and the tasks that steer between them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use ascendcl_sys::{
    ACL_RT_EQUAL, ACL_RT_GREATER, ACL_RT_GREATER_OR_EQUAL, ACL_RT_LESS, ACL_RT_LESS_OR_EQUAL,
    ACL_RT_NOT_EQUAL, ACL_STREAM_DEVICE_USE_ONLY, ACL_STREAM_FAST_LAUNCH, aclrtCondition,
};
use parking_lot::Mutex;

use crate::error::{Result, failure, misuse};
use crate::graph_run::Run;
use crate::handle::Handle;
use crate::label::Label;
use crate::persistent::Persistent;
use crate::stream::Stream;
use crate::task::Task;
use crate::transfer::Place;

/// A task that steers between the streams of a graph.
#[derive(Clone)]
pub(crate) enum Flow {
    /// A place to jump to.
    Label(Arc<Label>),
    /// Jumps to the label whose index is in device memory, or to the last one if the index is larger.
    Jump { index: Place, labels: Vec<Arc<Label>> },
    /// Goes on with another stream if a comparison of two values in device memory holds.
    Switch { left: Place, right: Place, comparison: Comparison, to: i32 },
    /// Lets another stream run alongside.
    Activate(i32),
    /// The graph is done.
    End,
}

impl Flow {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Label(_) => "LABEL_SET",
            Self::Jump { .. } => "LABEL_SWITCH",
            Self::Switch { .. } => "STREAM_SWITCH",
            Self::Activate(_) => "STREAM_ACTIVE",
            Self::End => "MODEL_END",
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub condition: aclrtCondition,
    /// The bytes of a value, 4 or 8.
    pub width: usize,
}

impl Comparison {
    pub(crate) fn holds(self, left: &Place, right: &Place) -> Result<bool> {
        let order = self.value(left)?.cmp(&self.value(right)?);
        Ok(match self.condition {
            ACL_RT_EQUAL => order.is_eq(),
            ACL_RT_NOT_EQUAL => order.is_ne(),
            ACL_RT_GREATER => order.is_gt(),
            ACL_RT_GREATER_OR_EQUAL => order.is_ge(),
            ACL_RT_LESS => order.is_lt(),
            ACL_RT_LESS_OR_EQUAL => order.is_le(),
            _ => {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "there is no condition {}",
                    self.condition.0
                ));
            }
        })
    }

    fn value(self, place: &Place) -> Result<i64> {
        let mut bytes = [0; 8];
        place.read_at(0, &mut bytes[..self.width])?;
        let value = i64::from_le_bytes(bytes);
        Ok(if self.width == 4 { i64::from(value as i32) } else { value })
    }
}

/// A graph while it is built, and afterwards.
#[derive(Default)]
pub(crate) struct Build {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    streams: Vec<Bound>,
    has_end: bool,
    /// What runs, once the graph is complete.
    program: Option<Arc<Program>>,
    running: Weak<Run>,
}

struct Bound {
    stream: Arc<Stream>,
    is_head: bool,
}

/// What a complete graph runs.
pub(crate) struct Program {
    pub lanes: Vec<Lane>,
    /// The places of labels, by their ids: the lane, and the index of the task.
    pub labels: HashMap<u32, (usize, usize)>,
}

/// The tasks of one stream.
pub(crate) struct Lane {
    pub stream: Arc<Stream>,
    /// Whether it runs from the start.
    pub is_head: bool,
    pub tasks: Vec<Task>,
}

impl Program {
    fn new(streams: &[Bound]) -> Self {
        let lanes: Vec<Lane> = streams
            .iter()
            .map(|Bound { stream, is_head }| Lane {
                stream: Arc::clone(stream),
                is_head: *is_head,
                tasks: stream.persistent.as_ref().map(Persistent::seal).unwrap_or_default(),
            })
            .collect();
        let mut labels = HashMap::new();
        for (lane, Lane { tasks, .. }) in lanes.iter().enumerate() {
            for (index, task) in tasks.iter().enumerate() {
                if let Task::Flow(Flow::Label(label)) = task {
                    labels.insert(label.id, (lane, index));
                }
            }
        }
        Self { lanes, labels }
    }

    /// Whether a stream of the graph records an event.
    pub(crate) fn records(&self, event: u32) -> bool {
        self.lanes.iter().flat_map(|lane| &lane.tasks).any(|task| match task {
            Task::RecordExternal(recorded) => recorded.id == event,
            _ => false,
        })
    }
}

impl Build {
    /// Makes a stream part of the graph `graph`.
    pub(crate) fn bind(&self, graph: Handle, stream: &Arc<Stream>, is_head: bool) -> Result {
        let mut state = self.state.lock();
        state.refuse_complete()?;
        let unfit = |why: &str| {
            Err(misuse!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "stream {} cannot be bound to a graph: {why}",
                stream.id
            ))
        };
        let Some(persistent) = &stream.persistent else {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "stream {} cannot be bound to a graph: it was created without ACL_STREAM_PERSISTENT",
                stream.id
            ));
        };
        if stream.flags & ACL_STREAM_FAST_LAUNCH != 0 {
            return unfit("it was created with ACL_STREAM_FAST_LAUNCH");
        }
        if stream.flags & ACL_STREAM_DEVICE_USE_ONLY != 0 {
            return unfit("it was created with ACL_STREAM_DEVICE_USE_ONLY");
        }
        if stream.failure.stops() {
            return unfit("it stops on failure");
        }
        persistent.bind(stream.id, graph)?;
        state.streams.push(Bound { stream: Arc::clone(stream), is_head });
        Ok(())
    }

    /// Takes a stream out of the graph.
    pub(crate) fn unbind(&self, graph: Handle, stream: &Stream) -> Result {
        let persistent = bound_to(graph, stream)?;
        self.state.lock().streams.retain(|bound| bound.stream.id != stream.id);
        persistent.unbind();
        Ok(())
    }

    /// Marks the end of the graph in one of its streams.
    pub(crate) fn end_task(&self, graph: Handle, stream: &Arc<Stream>) -> Result {
        bound_to(graph, stream)?;
        let mut state = self.state.lock();
        state.refuse_complete()?;
        if state.has_end {
            return Err(misuse!(ACL_ERROR_RT_INTERNAL_ERROR, "the end of the graph was marked before"));
        }
        stream.submit(Task::Flow(Flow::End))?;
        state.has_end = true;
        Ok(())
    }

    /// Makes the graph complete.
    pub(crate) fn complete(&self) -> Result {
        let mut state = self.state.lock();
        state.refuse_complete()?;
        if !state.streams.iter().any(|bound| bound.is_head) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "no stream of the graph runs from the start (ACL_MODEL_STREAM_FLAG_HEAD)"
            ));
        }
        if !state.has_end {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the end of the graph was not marked by aclmdlRIEndTask"
            ));
        }
        state.program = Some(Arc::new(Program::new(&state.streams)));
        Ok(())
    }

    /// What to run, if the graph is complete and its streams are still bound.
    fn program(&self) -> Result<Arc<Program>> {
        let state = self.state.lock();
        let Some(program) = &state.program else {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the graph is not complete; call aclmdlRIBuildEnd"
            ));
        };
        if state.streams.len() < program.lanes.len() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_MODEL,
                "streams of the graph are not bound to it any more"
            ));
        }
        Ok(Arc::clone(program))
    }

    /// Refuses a graph that cannot run.
    pub(crate) fn refuse_incomplete(&self) -> Result {
        self.program().map(drop)
    }

    pub(crate) fn run(&self, graph: u32, stream: &Stream) -> Result {
        let run = Arc::new(Run::new(graph, self.program()?));
        self.state.lock().running = Arc::downgrade(&run);
        let result = run.carry_out(stream);
        self.state.lock().running = Weak::new();
        result
    }

    /// Stops the graph if it runs.
    pub(crate) fn abort(&self) {
        let running = self.state.lock().running.upgrade();
        if let Some(run) = running {
            run.stop(failure!(ACL_ERROR_RT_MODEL_ABORT_NORMAL, "the graph was aborted"));
        }
    }

    /// Lets go of all streams.
    pub(crate) fn dissolve(&self) {
        for bound in self.state.lock().streams.drain(..) {
            if let Some(persistent) = &bound.stream.persistent {
                persistent.unbind();
            }
        }
    }

    /// Every task: the id of its stream, and its name.
    pub(crate) fn tasks(&self) -> Vec<(i32, &'static str)> {
        let state = self.state.lock();
        let streams = state.streams.iter().map(|bound| &bound.stream);
        let names = |stream: &Stream| stream.persistent.as_ref().map(Persistent::names).unwrap_or_default();
        streams.flat_map(|stream| names(stream).into_iter().map(|name| (stream.id, name))).collect()
    }
}

/// The stream as one that is bound to a graph.
fn bound_to(graph: Handle, stream: &Stream) -> Result<&Persistent> {
    stream
        .persistent
        .as_ref()
        .filter(|persistent| persistent.graph() == Some(graph))
        .ok_or_else(|| misuse!(ACL_ERROR_RT_STREAM_MODEL, "stream {} is not bound to the graph", stream.id))
}

impl State {
    fn refuse_complete(&self) -> Result {
        if self.program.is_some() {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "the graph is complete since aclmdlRIBuildEnd"));
        }
        Ok(())
    }
}
