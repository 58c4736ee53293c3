//! Graphs that are built by hand, and condition tasks of captured ones.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::abi;
use super::graph::find;
use super::stream::Scope;
use crate::capture;
use crate::condition::{Choice, Condition, ConditionTask};
use crate::error::{Result, misuse};
use crate::graph::{Capture, Graph};
use crate::stream::Stream;
use crate::task::Task;

abi! {
    pub fn aclmdlRIBuildBegin(model_ri: *mut aclmdlRI, flag: u32) {
        model_ri.required()?;
        if flag != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flag is {flag}, not 0"));
        }
        let scope = Scope::enter()?;
        let graph = Arc::new(Graph::to_build(scope.context.device.id));
        scope.simulator.graphs.insert(graph.handle, Arc::clone(&graph));
        model_ri.set(aclmdlRI(graph.handle.pointer()))
    }

    pub fn aclmdlRIBindStream(model_ri: aclmdlRI, stream: aclrtStream, flag: u32) {
        let (_, graph, stream) = both(model_ri, stream)?;
        let is_head = match flag {
            ACL_MODEL_STREAM_FLAG_HEAD => true,
            ACL_MODEL_STREAM_FLAG_DEFAULT => false,
            _ => return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "there is no way {flag:#x} to bind a stream")),
        };
        graph.build()?.bind(graph.handle, &stream, is_head)
    }

    pub fn aclmdlRIUnbindStream(model_ri: aclmdlRI, stream: aclrtStream) {
        let (_, graph, stream) = both(model_ri, stream)?;
        let build = graph.build()?;
        if graph.pending.load(Ordering::Acquire) > 0 {
            return Err(misuse!(ACL_ERROR_RT_MODEL_RUNNING, "graph {} is queued or running", graph.id));
        }
        build.unbind(graph.handle, &stream)
    }

    pub fn aclmdlRIEndTask(model_ri: aclmdlRI, stream: aclrtStream) {
        let (_, graph, stream) = both(model_ri, stream)?;
        graph.build()?.end_task(graph.handle, &stream)
    }

    pub fn aclmdlRIBuildEnd(model_ri: aclmdlRI, reserve: *mut c_void) {
        if !reserve.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "reserve is not null"));
        }
        let scope = Scope::enter()?;
        find(&scope, model_ri)?.build()?.complete()
    }

    /// The graph is one that is being captured. The condition ends with it.
    pub fn aclmdlRICondHandleCreate(
        model_ri: aclmdlRI,
        default_launch_value: u32,
        flag: aclmdlRICondHandleFlag,
        handle: *mut aclmdlRICondHandle,
    ) {
        handle.required()?;
        let scope = Scope::enter()?;
        let default = match flag {
            aclmdlRICondHandleFlag(0) => None,
            ACL_MODEL_RI_COND_HANDLE_ASSIGN_DEFAULT => Some(default_launch_value),
            _ => {
                return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "there is no flag {} of conditions", flag.0));
            }
        };
        let Some(capture) = capture::of_graph(model_ri.0) else {
            let graph = find(&scope, model_ri)?;
            if graph.build().is_ok() {
                return Err(misuse!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "graph {} is built by hand; conditions are of graphs that are captured",
                    graph.id
                ));
            }
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "graph {} is not being captured", graph.id));
        };
        if capture.device != scope.context.device.id {
            return Err(misuse!(
                ACL_ERROR_RT_MODEL_CONTEXT,
                "the graph is of device {}, the current device is {}",
                capture.device,
                scope.context.device.id
            ));
        }
        let condition = Condition::new(&scope.simulator, capture.graph, &scope.context.device, default)?;
        scope.simulator.conditions.insert(condition.handle, Arc::clone(&condition));
        handle.set(aclmdlRICondHandle(condition.handle.pointer()))
    }

    pub fn aclmdlRICondHandleGetCondPtr(handle: aclmdlRICondHandle, ptr: *mut *mut u64) {
        let condition = Scope::enter()?.simulator.conditions.get(handle.0)?;
        ptr.set(std::ptr::with_exposed_provenance_mut(condition.address))
    }

    /// Makes the branches, whose handles go to `params.modelRIArray`; what they do is captured by
    /// `aclmdlRICaptureToModelRIBegin`.
    pub fn aclmdlRIAddCondTask(params: aclmdlRICondTaskParams, stream: aclrtStream, flags: u32) {
        let scope = Scope::enter()?;
        if flags != 0 {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "flags is {flags}, not 0"));
        }
        let condition = scope.simulator.conditions.get(params.handle.0)?;
        let choice = choice(params.type_, params.size)?;
        if params.modelRIArray.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "modelRIArray is null"));
        }
        let stream = scope.stream(stream)?;
        let capture = stream.capture().ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_STREAM_NOT_CAPTURED,
                "condition tasks are captured, and stream {} is not being captured",
                stream.id
            )
        })?;
        if capture.graph != condition.graph {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the condition was made for another graph than stream {} is captured into",
                stream.id
            ));
        }
        condition.claim()?;
        let branches: Vec<_> = (0..params.size)
            .map(|_| Arc::new(Graph::branch(capture.graph, capture.device)))
            .collect();
        stream.submit(Task::Condition(Arc::new(ConditionTask {
            condition,
            choice,
            branches: branches.clone(),
        })))?;
        for (index, branch) in branches.into_iter().enumerate() {
            // SAFETY: Not null, hence an array of `size` handles, by the contract of the C function.
            unsafe { params.modelRIArray.add(index).write(aclmdlRI(branch.handle.pointer())) };
            scope.simulator.graphs.insert(branch.handle, branch);
        }
        Ok(())
    }

    /// Captures into a branch of a condition task.
    pub fn aclmdlRICaptureToModelRIBegin(
        stream: aclrtStream,
        model_ri: aclmdlRI,
        mode: aclmdlRICaptureMode,
    ) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let branch = find(&scope, model_ri)?;
        Capture::begin(&stream, mode, Some(branch))
    }
}

/// A graph, and a stream that must not be null nor captured.
fn both(graph: aclmdlRI, stream: aclrtStream) -> Result<(Scope, Arc<Graph>, Arc<Stream>)> {
    let scope = Scope::enter()?;
    let graph = find(&scope, graph)?;
    if stream.is_null() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the stream is null"));
    }
    let stream = scope.stream(stream)?;
    if stream.capture().is_some() {
        return Err(misuse!(
            ACL_ERROR_RT_STREAM_CAPTURED,
            "the work of stream {} is being captured, and cannot be part of a graph that is built",
            stream.id
        ));
    }
    Ok((scope, graph, stream))
}

fn choice(kind: aclmdlRICondTaskType, size: u32) -> Result<Choice> {
    let (choice, fits) = match kind {
        ACL_MODEL_RI_COND_TYPE_IF => (Choice::If, size == 1 || size == 2),
        ACL_MODEL_RI_COND_TYPE_WHILE => (Choice::While, size == 1),
        ACL_MODEL_RI_COND_TYPE_SWITCH => (Choice::Switch, size > 0),
        _ => {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "there is no condition task of type {}", kind.0));
        }
    };
    if !fits {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "a condition task of type {} does not have {size} branches",
            kind.0
        ));
    }
    Ok(choice)
}
