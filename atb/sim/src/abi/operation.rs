//! `atb::Operation`.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use atb_sys::{atb_context, atb_operation, atb_tensor, atb_tensor_desc};

use super::argument::{In, Out, copy_text, describe, raw_desc, tensors};
use super::{abi, context};
use crate::context::Context;
use crate::execution::{LiveOperation, OPERATIONS, Workspace};
use crate::operation::Operation;
use crate::operator::{Result, refuse};

/// Puts a new operation into the program's hands.
pub(super) fn create(operation: Out<*mut atb_operation>, new: impl FnOnce() -> Result<Operation>) -> Result {
    if operation.is_null() {
        return Err(refuse!(ATB_ERROR_INVALID_PARAM, "there is nowhere to put the operation"));
    }
    operation.set(OPERATIONS.add(LiveOperation::new(new()?)))
}

fn get(operation: Out<atb_operation>) -> Result<Arc<LiveOperation>> {
    OPERATIONS.get(operation.raw())
}

fn read(operation: In<atb_operation>) -> Result<Arc<Operation>> {
    Ok(OPERATIONS.get(operation.raw())?.operation())
}

/// The context of a call, which ATB looks at first.
fn context_of(context: Out<atb_context>) -> Result<Arc<Context>> {
    if context.is_null() {
        return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the context is null"));
    }
    context::get(context)
}

abi! {
    /// Null is nothing to destroy.
    fn destroyOperation(operation: *mut atb_operation) {
        if operation.is_null() { Ok(()) } else { OPERATIONS.remove(operation.raw()).map(drop) }
    }

    fn getName(operation: *const atb_operation, text: *mut c_char, size: usize, length: *mut usize) {
        copy_text(read(operation)?.name(), text, size, length)
    }

    fn getInputNum(operation: *const atb_operation, number: *mut u32) {
        number.set(read(operation)?.input_num() as u32)
    }

    fn getOutputNum(operation: *const atb_operation, number: *mut u32) {
        number.set(read(operation)?.output_num() as u32)
    }

    fn inferShape(
        operation: *const atb_operation,
        inTensorDescs: *const atb_tensor_desc,
        inTensorNum: usize,
        outTensorDescs: *mut atb_tensor_desc,
        capacity: usize,
        outTensorNum: *mut usize,
    ) {
        let operation = read(operation)?;
        let inputs: Vec<_> = inTensorDescs.to_small_vec(inTensorNum)?.iter().map(describe).collect();
        let outputs = operation.infer_shape(&inputs)?;
        let fitting = &outputs[..outputs.len().min(capacity)];
        outTensorDescs.set_all(fitting.iter().map(raw_desc))?;
        outTensorNum.set(outputs.len())
    }

    fn setup(
        operation: *mut atb_operation,
        inTensors: *const atb_tensor,
        inTensorNum: usize,
        outTensors: *const atb_tensor,
        outTensorNum: usize,
        workspaceSize: *mut u64,
        context: *mut atb_context,
    ) {
        let operation = get(operation)?;
        workspaceSize.required()?;
        let context = context_of(context)?;
        let (inputs, outputs) = (tensors(inTensors, inTensorNum)?, tensors(outTensors, outTensorNum)?);
        workspaceSize.set(operation.set_up(&inputs, &outputs, &context)?)
    }

    fn execute(
        operation: *mut atb_operation,
        inTensors: *const atb_tensor,
        inTensorNum: usize,
        outTensors: *const atb_tensor,
        outTensorNum: usize,
        workspace: *mut c_void,
        workspaceSize: u64,
        context: *mut atb_context,
    ) {
        let operation = get(operation)?;
        let context = context_of(context)?;
        let (inputs, outputs) = (tensors(inTensors, inTensorNum)?, tensors(outTensors, outTensorNum)?);
        let workspace = Workspace { address: workspace.raw().expose_provenance(), size: workspaceSize };
        operation.execute(&inputs, &outputs, workspace, &context)
    }

    fn setExecuteStreamId(operation: *mut atb_operation, streamId: u32) {
        get(operation)?.operation().set_stream_id(streamId);
        Ok(())
    }

    fn getExecuteStreamId(operation: *mut atb_operation, streamId: *mut u32) {
        streamId.set(get(operation)?.operation().stream_id())
    }
}
