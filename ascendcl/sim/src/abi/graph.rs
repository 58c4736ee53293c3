//! Graphs: capture, replay, printing.

use std::ffi::c_char;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{abi, timeout};
use crate::error::{Result, failure, misuse};
use crate::graph::{self, Capture, Graph, Launch, Origin, Update};
use crate::simulator;
use crate::stream::{Making, Stream};
use crate::task::Task;

abi! {
    pub fn aclmdlRICaptureBegin(stream: aclrtStream, mode: aclmdlRICaptureMode) {
        Capture::begin(&Scope::enter()?.stream(stream)?, mode, None)
    }

    pub fn aclmdlRICaptureEnd(stream: aclrtStream, model_ri: *mut aclmdlRI) {
        model_ri.required()?;
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let capture = stream.capture();
        let graph = Capture::end(&stream).inspect_err(|_| {
            // Null, not what was there before, is what the program finds.
            let _ = model_ri.set(aclmdlRI::null());
            if let Some(capture) = capture.filter(|_| stream.capture().is_none()) {
                scope.simulator.end_parts(capture.graph);
            }
        })?;
        scope.simulator.graphs.insert(graph.handle, Arc::clone(&graph));
        model_ri.set(aclmdlRI(graph.handle.pointer()))
    }

    /// The graph is null unless the stream's work is being captured.
    pub fn aclmdlRICaptureGetInfo(
        stream: aclrtStream,
        status: *mut aclmdlRICaptureStatus,
        model_ri: *mut aclmdlRI,
    ) {
        let (found, graph) = match Scope::enter()?.stream(stream)?.capture() {
            None => (ACL_MODEL_RI_CAPTURE_STATUS_NONE, aclmdlRI::null()),
            Some(capture) if capture.is_invalid() => {
                (ACL_MODEL_RI_CAPTURE_STATUS_INVALIDATED, aclmdlRI::null())
            }
            Some(capture) => (ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE, aclmdlRI(capture.graph.pointer())),
        };
        status.set(found)?;
        if model_ri.is_null() { Ok(()) } else { model_ri.set(graph) }
    }

    pub fn aclmdlRICaptureThreadExchangeMode(mode: *mut aclmdlRICaptureMode) {
        simulator::get()?;
        let before = graph::exchange_mode(mode.get()?)?;
        mode.set(before)
    }

    pub fn aclmdlRICaptureTaskGrpBegin(stream: aclrtStream) {
        let stream = Scope::enter()?.stream(stream)?;
        capture_of(&stream)?.begin_group(stream.id)
    }

    pub fn aclmdlRICaptureTaskGrpEnd(stream: aclrtStream, handle: *mut aclrtTaskGrp) {
        handle.required()?;
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let group = capture_of(&stream)?.end_group(stream.id)?;
        scope.simulator.task_groups.insert(group.handle, Arc::clone(&group));
        handle.set(aclrtTaskGrp(group.handle.pointer()))
    }

    /// Takes tasks from now on instead of doing them.
    pub fn aclmdlRICaptureTaskUpdateBegin(stream: aclrtStream, handle: aclrtTaskGrp) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let group = scope.simulator.task_groups.get(handle.0)?;
        let graph = find(&scope, aclmdlRI(group.graph.pointer()))?;
        stream.begin_update(Update::new(graph, group))
    }

    /// The tasks are replaced when the stream gets there.
    pub fn aclmdlRICaptureTaskUpdateEnd(stream: aclrtStream) {
        Scope::enter()?.stream(stream)?.end_update()
    }

    pub fn aclmdlRIExecuteAsync(model_ri: aclmdlRI, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        if stream.capture().is_some() {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "stream {} is being captured, and a graph in a graph is not simulated",
                stream.id
            ));
        }
        if stream.is_persistent() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "stream {} is persistent, and executes no graph",
                stream.id
            ));
        }
        launch(&find_to_run(&scope, model_ri)?, &stream)
    }

    pub fn aclmdlRIExecute(model_ri: aclmdlRI, milliseconds: i32) {
        let deadline = timeout(milliseconds)?;
        let scope = Scope::enter()?;
        let graph = find_to_run(&scope, model_ri)?;
        let context = &scope.context;
        let stream = Stream::new(&context.device, context.handle, &context.failure, Making::default())?;
        let result = launch(&graph, &stream).and_then(|()| stream.synchronize(deadline));
        stream.close();
        result
    }

    pub fn aclmdlRIDestroy(model_ri: aclmdlRI) {
        let scope = Scope::enter()?;
        let graph = find(&scope, model_ri)?;
        graph.refuse_branch("destroyed")?;
        if graph.pending.load(Ordering::Acquire) > 0 {
            return Err(misuse!(ACL_ERROR_RT_MODEL_RUNNING, "graph {} is queued or running", graph.id));
        }
        scope.simulator.end_graph(&graph);
        Ok(())
    }

    /// As documented, captured graphs cannot be aborted. A graph that does not run is left as it is.
    pub fn aclmdlRIAbort(model_ri: aclmdlRI) {
        let scope = Scope::enter()?;
        let graph = find(&scope, model_ri)?;
        if let Origin::Built(build) = &graph.origin {
            build.abort();
            return Ok(());
        }
        Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "graph {} was captured, and such graphs cannot be aborted",
            graph.id
        ))
    }

    /// Prints to the log.
    pub fn aclmdlRIDebugPrint(model_ri: aclmdlRI) {
        let scope = Scope::enter()?;
        tracing::info!("{}", find(&scope, model_ri)?.describe());
        Ok(())
    }

    pub fn aclmdlRIDebugJsonPrint(model_ri: aclmdlRI, path: *const c_char, flags: u32) {
        let scope = Scope::enter()?;
        let graph = find(&scope, model_ri)?;
        let path = path.text()?;
        if u64::from(flags) > u64::from(ACL_MDLRI_DEBUG_JSON_PRINT_VERBOSE) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no way {flags} to print a graph"));
        }
        fs::write(&path, graph.trace())
            .map_err(|error| failure!(ACL_ERROR_RT_FILE_WRITE, "cannot write {path}: {error}"))
    }
}

fn capture_of(stream: &Stream) -> Result<Arc<Capture>> {
    stream.capture().ok_or_else(|| {
        misuse!(
            ACL_ERROR_RT_STREAM_NOT_CAPTURED,
            "task groups are of captured work, and stream {} is not being captured",
            stream.id
        )
    })
}

/// The graph of a handle, which must be complete.
fn find_to_run(scope: &Scope, handle: aclmdlRI) -> Result<Arc<Graph>> {
    let graph = find(scope, handle)?;
    graph.refuse_branch("executed")?;
    if let Origin::Built(build) = &graph.origin {
        build.refuse_incomplete()?;
    }
    Ok(graph)
}

pub(super) fn find(scope: &Scope, handle: aclmdlRI) -> Result<Arc<Graph>> {
    let graph = scope.simulator.graphs.get(handle.0)?;
    if graph.device != scope.context.device.id {
        return Err(misuse!(
            ACL_ERROR_RT_MODEL_CONTEXT,
            "graph {} is of device {}, the current device is {}",
            graph.id,
            graph.device,
            scope.context.device.id
        ));
    }
    Ok(graph)
}

fn launch(graph: &Arc<Graph>, stream: &Arc<Stream>) -> Result {
    let launch = Arc::new(Launch::new(graph));
    stream.submit(Task::Graph(Arc::clone(&launch))).map(drop).inspect_err(|_| launch.end())
}
