//! Labels, and jumps between the streams of a graph that is built by hand.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, misuse};
use crate::graph_build::{Comparison, Flow};
use crate::handle::Handle;
use crate::label::{Label, LabelList};
use crate::stream::Stream;
use crate::task::Task;
use crate::transfer::Place;

/// The most labels of a list (AscendCL docs: label management).
const MAX_LIST: usize = 65535;

abi! {
    pub fn aclrtCreateLabel(label: *mut aclrtLabel) {
        label.required()?;
        let scope = Scope::enter()?;
        let made = Label::new(scope.context.device.id, scope.context.handle)?;
        scope.simulator.labels.insert(made.handle, Arc::clone(&made));
        label.set(aclrtLabel(made.handle.pointer()))
    }

    /// The streams that the label is set in keep it.
    pub fn aclrtDestroyLabel(label: aclrtLabel) {
        let scope = Scope::enter()?;
        find(&scope, label)?;
        scope.simulator.labels.remove(label.0).map(drop)
    }

    pub fn aclrtSetLabel(label: aclrtLabel, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let label = find(&scope, label)?;
        let stream = scope.stream(stream)?;
        graph_of(&stream)?;
        label.set()?;
        let task = Task::Flow(Flow::Label(Arc::clone(&label)));
        stream.submit(task).map(drop).inspect_err(|_| label.unset())
    }

    /// The list keeps the labels.
    pub fn aclrtCreateLabelList(labels: *mut aclrtLabel, num: usize, label_list: *mut aclrtLabelList) {
        label_list.required()?;
        if num == 0 || num > MAX_LIST {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "a list has 1 to {MAX_LIST} labels, not {num}"
            ));
        }
        let scope = Scope::enter()?;
        let labels: Result<Vec<_>> =
            labels.to_vec(num)?.into_iter().map(|label| find(&scope, label)).collect();
        let list = LabelList::new(scope.context.device.id, labels?);
        scope.simulator.label_lists.insert(list.handle, Arc::clone(&list));
        label_list.set(aclrtLabelList(list.handle.pointer()))
    }

    pub fn aclrtDestroyLabelList(label_list: aclrtLabelList) {
        Scope::enter()?.simulator.label_lists.remove(label_list.0).map(drop)
    }

    pub fn aclrtSwitchLabelByIndex(
        ptr: *mut c_void,
        max_value: u32,
        label_list: aclrtLabelList,
        stream: aclrtStream,
    ) {
        let scope = Scope::enter()?;
        let list = scope.simulator.label_lists.get(label_list.0)?;
        let stream = scope.stream(stream)?;
        graph_of(&stream)?;
        let count = usize::try_from(max_value).unwrap_or(usize::MAX);
        if count == 0 || count > list.labels.len() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "max_value is {count}, and the list has {} labels",
                list.labels.len()
            ));
        }
        let index = device_value(&scope, &ptr, 4)?;
        let labels = list.labels[..count].to_vec();
        stream.submit(Task::Flow(Flow::Jump { index, labels })).map(drop)
    }

    pub fn aclrtActiveStream(active_stream: aclrtStream, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let (to, stream) = pair(&scope, active_stream, stream)?;
        stream.submit(Task::Flow(Flow::Activate(to.id))).map(drop)
    }

    /// If the condition does not hold, the stream goes on; there is no other stream for that case yet.
    pub fn aclrtSwitchStream(
        left_value: *mut c_void,
        cond: aclrtCondition,
        right_value: *mut c_void,
        data_type: aclrtCompareDataType,
        true_stream: aclrtStream,
        false_stream: aclrtStream,
        stream: aclrtStream,
    ) {
        let scope = Scope::enter()?;
        if cond.0 > ACL_RT_LESS_OR_EQUAL.0 {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "there is no condition {}", cond.0));
        }
        let width = match data_type {
            ACL_RT_SWITCH_INT32 => 4,
            ACL_RT_SWITCH_INT64 => 8,
            _ => {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "there is no data type {} to compare",
                    data_type.0
                ));
            }
        };
        if !false_stream.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "false_stream is reserved, and not null"));
        }
        let (to, stream) = pair(&scope, true_stream, stream)?;
        let left = device_value(&scope, &left_value, width)?;
        let right = device_value(&scope, &right_value, width)?;
        let comparison = Comparison { condition: cond, width };
        stream.submit(Task::Flow(Flow::Switch { left, right, comparison, to: to.id })).map(drop)
    }
}

fn find(scope: &Scope, handle: aclrtLabel) -> Result<Arc<Label>> {
    let label = scope.simulator.labels.get(handle.0)?;
    if label.context != scope.context.handle {
        return Err(misuse!(
            ACL_ERROR_RT_LABEL_CONTEXT,
            "label {} belongs to another context than the thread's",
            label.id
        ));
    }
    Ok(label)
}

/// The graph that a stream is bound to.
fn graph_of(stream: &Stream) -> Result<Handle> {
    stream.persistent.as_ref().and_then(|persistent| persistent.graph()).ok_or_else(|| {
        misuse!(
            ACL_ERROR_RT_STREAM_MODEL,
            "stream {} is bound to no graph; call aclmdlRIBindStream first",
            stream.id
        )
    })
}

/// A stream to go to, and the stream to go from, of one graph.
fn pair(scope: &Scope, to: aclrtStream, from: aclrtStream) -> Result<(Arc<Stream>, Arc<Stream>)> {
    if to.is_null() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the stream to go to is null"));
    }
    let (to, from) = (scope.stream(to)?, scope.stream(from)?);
    if graph_of(&to)? != graph_of(&from)? {
        return Err(misuse!(
            ACL_ERROR_RT_STREAM_MODEL,
            "streams {} and {} are bound to different graphs",
            to.id,
            from.id
        ));
    }
    Ok((to, from))
}

/// A value in device memory that a task is to read.
fn device_value(scope: &Scope, pointer: &Out<c_void>, width: usize) -> Result<Place> {
    let address = pointer.address()?;
    let place = Place::find(&scope.simulator, &scope.context.device, address, width)?;
    if !place.is_device() {
        return Err(misuse!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "{address:#x} is not device memory"));
    }
    Ok(place)
}
