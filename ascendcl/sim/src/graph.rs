//! Graphs: work that was captured, or put together by hand, to be run again.
//!
//! A captured graph keeps its tasks in the order in which they were captured. A wait is always captured after
//! the record that it waits for, so that order keeps every dependency, and the graph runs its tasks one by one
//! in it. A graph that was built by hand runs its streams alongside each other; see [`crate::graph_run`].

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};

pub(crate) use crate::capture::{Capture, Mark, close_captures, exchange_mode, refuse_unsafe};
use crate::error::{Result, misuse};
use crate::event::Last;
use crate::graph_build::Build;
use crate::handle::{Handle, Kind};
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;
use crate::task::Task;

/// A captured task.
pub(crate) struct Node {
    pub stream: i32,
    pub task: Task,
}

/// Tasks of a graph that can be replaced.
pub(crate) struct TaskGroup {
    pub handle: Handle,
    /// The graph that they are part of.
    pub graph: Handle,
    /// Their places in it.
    nodes: Vec<usize>,
}

impl TaskGroup {
    pub(crate) fn new(graph: Handle, nodes: Vec<usize>) -> Self {
        Self { handle: Handle::new(Kind::TaskGroup), graph, nodes }
    }
}

/// Tasks that are to replace those of a group.
pub(crate) struct Update {
    pub graph: Arc<Graph>,
    pub group: Arc<TaskGroup>,
    tasks: Vec<Task>,
}

impl Update {
    pub(crate) fn new(graph: Arc<Graph>, group: Arc<TaskGroup>) -> Self {
        Self { graph, group, tasks: Vec::new() }
    }

    pub(crate) fn append(&mut self, task: Task) -> Result {
        refuse_in_group(&task, self.tasks.len())?;
        self.tasks.push(task);
        Ok(())
    }

    /// The task that replaces the tasks, of which there must be as many as before, of the same types.
    pub(crate) fn finish(self) -> Result<Task> {
        let Self { graph, group, tasks } = self;
        let old: Vec<_> = {
            let nodes = graph.nodes.read();
            group.nodes.iter().filter_map(|&index| nodes.get(index)).map(|node| node.task.kind()).collect()
        };
        let new: Vec<_> = tasks.iter().map(Task::kind).collect();
        if old != new {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the tasks of a group of graph {} are {old:?}, and cannot be replaced by {new:?}",
                graph.id
            ));
        }
        Ok(Task::other("TASK_UPDATE", move |_| {
            // Also while the graph runs, which may be waiting for this at an event.
            let mut nodes = graph.nodes.write();
            for (&index, task) in group.nodes.iter().zip(&tasks) {
                if let Some(node) = nodes.get_mut(index) {
                    node.task = task.clone();
                }
            }
            Ok(())
        }))
    }
}

/// Groups are of calls of operators: of what is no copy, fill, event or callback.
pub(crate) fn refuse_in_group(task: &Task, index: usize) -> Result {
    match task {
        Task::Operator { .. } | Task::Other { .. } => Ok(()),
        _ => Err(misuse!(
            ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT,
            "task {index} of the group is {}, and groups are of operators only",
            task.name()
        )),
    }
}

/// Work that can be run again.
pub(crate) struct Graph {
    pub handle: Handle,
    pub id: u32,
    pub device: i32,
    pub origin: Origin,
    /// What was captured; nothing in a graph that was built by hand.
    nodes: RwLock<Vec<Node>>,
    /// How often it is queued or running.
    pub pending: AtomicUsize,
    /// A graph runs once at a time.
    turn: Mutex<()>,
}

/// An execution of a graph, in a queue.
pub(crate) struct Launch {
    graph: Arc<Graph>,
    /// What the graph records outside of itself, by the ids of the events. Who waits for such an event after the launch waits for
    /// this execution, although the graph comes to the record only later.
    records: Vec<(u32, Arc<Signal>)>,
}

impl Launch {
    pub(crate) fn new(graph: &Arc<Graph>) -> Self {
        graph.pending.fetch_add(1, Ordering::AcqRel);
        let nodes = graph.nodes.read();
        let announce = |node: &Node| match &node.task {
            Task::RecordExternal(event) if !event.is_flag() => {
                let signal = Arc::<Signal>::default();
                *event.last.lock() = Last::Stream(Arc::clone(&signal));
                Some((event.id, signal))
            }
            _ => None,
        };
        Self { graph: Arc::clone(graph), records: nodes.iter().filter_map(announce).collect() }
    }

    /// Runs on the worker of a stream.
    pub(crate) fn run(&self, stream: &Stream) -> Result {
        let turn = self.graph.turn.lock();
        let result = match &self.graph.origin {
            Origin::Built(build) => build.run(self.graph.id, stream),
            _ => self.graph.assign_defaults().and_then(|()| {
                self.graph.run_each(|task| match self.announced(task) {
                    Some(signal) => {
                        signal.set(Outcome::Done(Instant::now()));
                        Ok(())
                    }
                    None => task.run(stream),
                })
            }),
        };
        drop(turn);
        self.end();
        result
    }

    fn announced(&self, task: &Task) -> Option<&Signal> {
        let Task::RecordExternal(event) = task else { return None };
        self.records.iter().find(|(id, _)| *id == event.id).map(|(_, signal)| &**signal)
    }

    /// Ends the execution, also one that never began; nobody waits any longer for records that it has not come to.
    pub(crate) fn end(&self) {
        for (_, signal) in &self.records {
            signal.set(Outcome::Aborted);
        }
        self.graph.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How a graph came to be.
pub(crate) enum Origin {
    Captured,
    /// As a branch of a condition task of another graph.
    Branch {
        parent: Handle,
        stage: Mutex<Stage>,
    },
    Built(Build),
}

/// How far a branch of a condition task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Empty,
    Capturing,
    Captured,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Graph {
    fn new(handle: Handle, device: i32, origin: Origin, nodes: Vec<Node>) -> Self {
        Self {
            handle,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device,
            origin,
            nodes: RwLock::new(nodes),
            pending: AtomicUsize::new(0),
            turn: Mutex::new(()),
        }
    }

    pub(crate) fn captured(handle: Handle, device: i32, nodes: Vec<Node>) -> Self {
        Self::new(handle, device, Origin::Captured, nodes)
    }

    /// A branch of a condition task, whose tasks are to be captured.
    pub(crate) fn branch(parent: Handle, device: i32) -> Self {
        let origin = Origin::Branch { parent, stage: Mutex::new(Stage::Empty) };
        Self::new(Handle::new(Kind::Graph), device, origin, Vec::new())
    }

    /// A graph to be built by hand.
    pub(crate) fn to_build(device: i32) -> Self {
        Self::new(Handle::new(Kind::Graph), device, Origin::Built(Build::default()), Vec::new())
    }

    /// The graph of whose condition task this is a branch.
    pub(crate) fn parent(&self) -> Option<Handle> {
        match self.origin {
            Origin::Branch { parent, .. } => Some(parent),
            _ => None,
        }
    }

    pub(crate) fn refuse_branch(&self, what: &str) -> Result {
        if self.parent().is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "graph {} is a branch of a condition task, and cannot be {what} by itself",
                self.id
            ));
        }
        Ok(())
    }

    /// The graph as one that is built by hand.
    pub(crate) fn build(&self) -> Result<&Build> {
        match &self.origin {
            Origin::Built(build) => Ok(build),
            _ => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "graph {} was captured, and not begun by aclmdlRIBuildBegin",
                self.id
            )),
        }
    }

    /// Lets the tasks of a branch come.
    pub(crate) fn begin_capture(&self) -> Result {
        match &self.origin {
            Origin::Branch { stage, .. } => {
                let mut stage = stage.lock();
                if *stage == Stage::Empty {
                    *stage = Stage::Capturing;
                    return Ok(());
                }
            }
            Origin::Captured => {}
            Origin::Built(_) => {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "graph {} is built by hand, and nothing is captured into it",
                    self.id
                ));
            }
        }
        Err(misuse!(ACL_ERROR_RT_MODEL_CAPTURED, "graph {} has been captured, or is being captured", self.id))
    }

    pub(crate) fn end_capture(&self, nodes: Vec<Node>) {
        *self.nodes.write() = nodes;
        if let Origin::Branch { stage, .. } = &self.origin {
            *stage.lock() = Stage::Captured;
        }
    }

    /// Takes [`Self::begin_capture`] back.
    pub(crate) fn give_up_capture(&self) {
        if let Origin::Branch { stage, .. } = &self.origin {
            *stage.lock() = Stage::Empty;
        }
    }

    pub(crate) fn is_being_captured(&self) -> bool {
        matches!(&self.origin, Origin::Branch { stage, .. } if *stage.lock() == Stage::Capturing)
    }

    /// Runs what was captured; as a branch, under the turn of the graph that it is part of.
    pub(crate) fn run_tasks(&self, stream: &Stream) -> Result {
        self.run_each(|task| task.run(stream))
    }

    fn run_each(&self, run: impl Fn(&Task) -> Result) -> Result {
        for index in 0.. {
            // No lock is held while the task runs: it may wait for an update of those that follow.
            let Some(task) = self.nodes.read().get(index).map(|node| node.task.clone()) else { break };
            run(&task)?;
        }
        Ok(())
    }

    /// Sets the conditions that start with a value, also those in branches.
    fn assign_defaults(&self) -> Result {
        for node in &*self.nodes.read() {
            if let Task::Condition(task) = &node.task {
                task.condition.assign_default()?;
                task.branches.iter().try_for_each(|branch| branch.assign_defaults())?;
            }
        }
        Ok(())
    }

    /// Every task: the id of its stream, and its name.
    fn tasks(&self) -> Vec<(i32, &'static str)> {
        match &self.origin {
            Origin::Built(build) => build.tasks(),
            _ => self.nodes.read().iter().map(|node| (node.stream, node.task.name())).collect(),
        }
    }

    /// One line for each task.
    pub(crate) fn describe(&self) -> String {
        let tasks = self.tasks();
        let mut text = format!("graph {} on device {}, {} tasks", self.id, self.device, tasks.len());
        for (index, (stream, name)) in tasks.iter().enumerate() {
            let _ = write!(text, "\n  task {index}, stream {stream}: {name}");
        }
        text
    }

    /// The tasks as events of the trace viewer of Chromium, one unit of time each.
    pub(crate) fn trace(&self) -> String {
        let events: Vec<String> = self
            .tasks()
            .iter()
            .enumerate()
            .map(|(index, (stream, name))| {
                format!(
                    "{{\"name\":\"{name}\",\"pid\":\"model {id}\",\"tid\":\"stream {stream}\",\"ph\":\"X\",\
                     \"ts\":{index},\"dur\":1,\"args\":{{\"Model Id\":{id},\"Stream Id\":{stream},\
                     \"Task Id\":{index},\"Task Type\":\"{name}\"}}}}",
                    id = self.id,
                )
            })
            .collect();
        format!("[{}]\n", events.join(",\n"))
    }
}
