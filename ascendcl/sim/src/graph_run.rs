//! A run of a graph that was built by hand.
//!
//! Each stream of the graph is a lane with a thread of its own while it has something to do. Lanes that are
//! heads run from the start, the others when a task activates them. A lane that is activated while it runs
//! runs once more afterwards. The run is over when every lane has come to rest; it has failed if none of them
//! came by the end of the graph.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{Error, Result, failure, misuse};
use crate::exception::{self, Blamed};
use crate::fault;
use crate::graph_build::{Flow, Program};
use crate::label::Label;
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;
use crate::task::Task;

/// A run.
pub(crate) struct Run {
    /// The id of the graph.
    graph: u32,
    program: Arc<Program>,
    state: Mutex<State>,
    /// Set when every lane is at rest.
    over: Arc<Signal>,
    /// Asks the lanes to come to rest.
    is_stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    lanes: Vec<LaneState>,
    /// How often lanes have to run, those that do included.
    pending: usize,
    has_ended: bool,
    error: Option<Error>,
    blamed: Option<Blamed>,
    /// The events that the graph records, by their ids, as in this run.
    events: HashMap<u32, Arc<Signal>>,
}

#[derive(Default)]
struct LaneState {
    /// The tasks to start from.
    starts: VecDeque<usize>,
    has_thread: bool,
}

/// Where a lane goes on.
enum Next {
    Task(usize),
    /// The lane is at rest.
    Rest,
}

impl Run {
    pub(crate) fn new(graph: u32, program: Arc<Program>) -> Self {
        let lanes = program.lanes.iter().map(|_| LaneState::default()).collect();
        let state = Mutex::new(State { lanes, ..State::default() });
        Self { graph, program, state, over: Arc::default(), is_stopped: AtomicBool::new(false) }
    }

    /// Runs, for a task of a stream.
    pub(crate) fn carry_out(self: &Arc<Self>, stream: &Stream) -> Result {
        for lane in self.program.lanes.iter() {
            lane.stream.resume();
        }
        let heads = self.program.lanes.iter().enumerate().filter(|(_, lane)| lane.is_head);
        // All at once, so that the run is not over before every head has begun.
        let heads: Vec<usize> = heads.map(|(index, _)| index).collect();
        self.state.lock().pending += heads.len();
        for lane in heads {
            self.start(&mut self.state.lock(), lane, 0);
        }
        if let Err(error) = stream.block_on(&self.over, None) {
            self.stop(error);
            self.over.wait(None, || false);
        }
        for lane in self.program.lanes.iter() {
            lane.stream.resume();
        }
        let mut state = self.state.lock();
        exception::blame(state.blamed.take());
        match state.error.take() {
            Some(error) => Err(error),
            None if state.has_ended => Ok(()),
            None => Err(misuse!(
                ACL_ERROR_RT_MODEL_EXECUTE,
                "every stream of graph {} has come to rest, and none has come by the end of the graph",
                self.graph
            )),
        }
    }

    /// Lets every lane come to rest.
    pub(crate) fn stop(&self, error: Error) {
        let mut state = self.state.lock();
        state.error.get_or_insert(error);
        self.is_stopped.store(true, Ordering::Release);
        let waiting: usize = state.lanes.iter_mut().map(|lane| lane.starts.drain(..).count()).sum();
        self.settle(&mut state, waiting);
        drop(state);
        for lane in &self.program.lanes {
            lane.stream.interrupt();
        }
    }

    /// Counts runs of lanes that are over.
    fn settle(&self, state: &mut State, count: usize) {
        state.pending -= count;
        if state.pending == 0 {
            self.over.set(Outcome::Done(Instant::now()));
        }
    }

    fn activate(self: &Arc<Self>, lane: usize, start: usize) {
        let mut state = self.state.lock();
        if !self.is_stopped.load(Ordering::Acquire) {
            state.pending += 1;
            self.start(&mut state, lane, start);
        }
    }

    /// Lets a lane run, which is counted already.
    fn start(self: &Arc<Self>, state: &mut State, lane: usize, start: usize) {
        state.lanes[lane].starts.push_back(start);
        if state.lanes[lane].has_thread {
            return;
        }
        let run = Arc::clone(self);
        let name = format!("acl-stream-{}", self.program.lanes[lane].stream.id);
        match thread::Builder::new().name(name).spawn(move || run.run_lane(lane)) {
            Ok(_) => state.lanes[lane].has_thread = true,
            Err(error) => {
                state.lanes[lane].starts.pop_back();
                state.error.get_or_insert(failure!(
                    ACL_ERROR_RT_RESOURCE_ALLOC_FAIL,
                    "the host starts no thread for a stream of graph {}: {error}",
                    self.graph
                ));
                self.settle(state, 1);
            }
        }
    }

    /// The life of a lane's thread.
    fn run_lane(self: &Arc<Self>, lane: usize) {
        loop {
            let mut state = self.state.lock();
            let Some(start) = state.lanes[lane].starts.pop_front() else {
                state.lanes[lane].has_thread = false;
                return;
            };
            drop(state);
            if let Err(error) = self.pass(lane, start) {
                let blamed = exception::take_blame();
                let mut state = self.state.lock();
                state.blamed = state.blamed.take().or(blamed);
                drop(state);
                self.stop(error);
            }
            self.settle(&mut self.state.lock(), 1);
        }
    }

    /// Runs the tasks of a lane from one on.
    fn pass(self: &Arc<Self>, lane: usize, start: usize) -> Result {
        let tasks = &self.program.lanes[lane].tasks;
        let stream = &self.program.lanes[lane].stream;
        let mut index = start;
        while let Some(task) = tasks.get(index)
            && !self.is_stopped.load(Ordering::Acquire)
        {
            fault::check_not_lost(stream.device.id)?;
            index = match task {
                Task::Flow(flow) => match self.steer(flow, lane, index)? {
                    Next::Task(index) => index,
                    Next::Rest => break,
                },
                _ => {
                    self.run_task(task, stream)?;
                    index + 1
                }
            };
        }
        Ok(())
    }

    /// Does what a task says that steers.
    fn steer(self: &Arc<Self>, flow: &Flow, lane: usize, index: usize) -> Result<Next> {
        match flow {
            Flow::Label(_) => {}
            Flow::Jump { index, labels } => {
                let mut bytes = [0; 4];
                index.read_at(0, &mut bytes)?;
                let (to, start) = self.place(labels, u32::from_le_bytes(bytes))?;
                if to == lane {
                    return Ok(Next::Task(start));
                }
                self.activate(to, start);
                return Ok(Next::Rest);
            }
            Flow::Switch { left, right, comparison, to } => {
                if comparison.holds(left, right)? {
                    self.activate(self.lane(*to)?, 0);
                    return Ok(Next::Rest);
                }
            }
            Flow::Activate(stream) => self.activate(self.lane(*stream)?, 0),
            Flow::End => self.state.lock().has_ended = true,
        }
        Ok(Next::Task(index + 1))
    }

    fn place(&self, labels: &[Arc<Label>], index: u32) -> Result<(usize, usize)> {
        let index = usize::try_from(index).unwrap_or(usize::MAX).min(labels.len() - 1);
        let id = labels[index].id;
        self.program.labels.get(&id).copied().ok_or_else(|| {
            misuse!(ACL_ERROR_RT_MODEL_EXECUTE, "label {id} was set in no stream of graph {}", self.graph)
        })
    }

    fn lane(&self, stream: i32) -> Result<usize> {
        self.program.lanes.iter().position(|lane| lane.stream.id == stream).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_STREAM_MODEL, "stream {stream} is not bound to graph {}", self.graph)
        })
    }

    /// Runs a task that does not steer. Events that the graph records are those of this run.
    fn run_task(&self, task: &Task, stream: &Stream) -> Result {
        match task {
            Task::RecordExternal(event) => {
                task.run(stream)?;
                self.event(event.id).set(Outcome::Done(Instant::now()));
                Ok(())
            }
            Task::WaitExternal { event, timeout } if self.program.records(event.id) => {
                stream.block_on(&self.event(event.id), *timeout).map(drop)
            }
            Task::Reset(event) => {
                self.state.lock().events.remove(&event.id);
                task.run(stream)
            }
            _ => task.run(stream),
        }
    }

    fn event(&self, id: u32) -> Arc<Signal> {
        Arc::clone(self.state.lock().events.entry(id).or_default())
    }
}
