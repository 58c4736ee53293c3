//! Persistent streams: they keep their tasks for the graph that they are bound to, and run nothing themselves.

use parking_lot::Mutex;

use crate::error::{Result, misuse};
use crate::handle::Handle;
use crate::task::Task;

/// What a persistent stream keeps.
#[derive(Default)]
pub(crate) struct Persistent {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tasks: Vec<Task>,
    /// The graph that the stream is bound to.
    graph: Option<Handle>,
    /// That graph is complete, and takes no more tasks.
    is_sealed: bool,
}

impl Persistent {
    pub(crate) fn keep(&self, stream: i32, task: Task) -> Result {
        let mut kept = self.kept.lock();
        if kept.is_sealed {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "stream {stream} is bound to a graph that is complete since aclmdlRIBuildEnd, and takes no more tasks"
            ));
        }
        kept.tasks.push(task);
        Ok(())
    }

    pub(crate) fn graph(&self) -> Option<Handle> {
        self.kept.lock().graph
    }

    pub(crate) fn bind(&self, stream: i32, graph: Handle) -> Result {
        let mut kept = self.kept.lock();
        if kept.graph.is_some() {
            return Err(misuse!(ACL_ERROR_RT_STREAM_MODEL, "stream {stream} is bound to a graph already"));
        }
        kept.graph = Some(graph);
        Ok(())
    }

    pub(crate) fn unbind(&self) {
        let mut kept = self.kept.lock();
        kept.graph = None;
        kept.is_sealed = false;
    }

    /// Takes no more tasks, and answers with those that came.
    pub(crate) fn seal(&self) -> Vec<Task> {
        let mut kept = self.kept.lock();
        kept.is_sealed = true;
        kept.tasks.clone()
    }

    /// The names of the tasks.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.kept.lock().tasks.iter().map(Task::name).collect()
    }
}
