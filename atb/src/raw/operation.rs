//! Operations.

use std::ffi::c_void;
use std::ptr::NonNull;

use atb_sys::{atb_context, atb_operation, atb_tensor, atb_tensor_desc};

use super::{Atb, call, read_text};
use crate::error::Result;
use crate::tensor::TensorDesc;

/// More outputs than any operation has (ATB's headers: svector.h).
const MAX_TENSORS: usize = 256;

impl Atb {
    /// `DestroyOperation`.
    ///
    /// # Safety
    /// The operation is alive and nobody uses it afterwards; the context that it was set up in is alive and nobody else uses
    /// it now; the device has done its work.
    pub(crate) unsafe fn destroy_operation(&self, operation: NonNull<atb_operation>) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { call!(self, "DestroyOperation": destroyOperation(operation.as_ptr())) }
    }

    /// `Operation::GetName`.
    ///
    /// # Safety
    /// The operation is alive.
    pub(crate) unsafe fn operation_name(&self, operation: NonNull<atb_operation>) -> Result<String> {
        read_text(|text, size, length| {
            // SAFETY: the caller's promise; room for `size` bytes and a place for the length.
            unsafe { call!(self, "GetName": getName(operation.as_ptr(), text, size, length)) }
        })
    }

    /// `Operation::GetInputNum` and `GetOutputNum`.
    ///
    /// # Safety
    /// The operation is alive.
    pub(crate) unsafe fn tensor_numbers(&self, operation: NonNull<atb_operation>) -> Result<(usize, usize)> {
        let (mut inputs, mut outputs) = (0, 0);
        // SAFETY: the caller's promise, and valid out-pointers.
        unsafe {
            call!(self, "GetInputNum": getInputNum(operation.as_ptr(), &mut inputs))?;
            call!(self, "GetOutputNum": getOutputNum(operation.as_ptr(), &mut outputs))?;
        }
        Ok((inputs as usize, outputs as usize))
    }

    /// `Operation::InferShape`.
    ///
    /// # Safety
    /// The operation is alive and nobody else uses it now.
    pub(crate) unsafe fn infer_shape(
        &self,
        operation: NonNull<atb_operation>,
        inputs: &[atb_tensor_desc],
    ) -> Result<Vec<TensorDesc>> {
        let mut outputs = [EMPTY; 8].to_vec();
        loop {
            let mut count = 0;
            // SAFETY: the caller's promise; pointers with the lengths of what they point to.
            unsafe {
                call!(self, "InferShape": inferShape(
                    operation.as_ptr(),
                    inputs.as_ptr(),
                    inputs.len(),
                    outputs.as_mut_ptr(),
                    outputs.len(),
                    &mut count,
                ))
            }?;
            if count <= outputs.len() || count > MAX_TENSORS {
                outputs.truncate(count);
                let described = outputs.iter().enumerate();
                return described
                    .map(|(index, desc)| TensorDesc::from_raw(desc, format_args!("output {index}")))
                    .collect();
            }
            outputs.resize(count, EMPTY);
        }
    }

    /// `Operation::Setup`: the size of the workspace.
    ///
    /// # Safety
    /// Operation and context are alive and nobody else uses them now. The tensors describe memory that is theirs, on the
    /// device of the context, which is the thread's current one.
    pub(crate) unsafe fn setup(
        &self,
        operation: NonNull<atb_operation>,
        (inputs, outputs): (&[atb_tensor], &[atb_tensor]),
        context: NonNull<atb_context>,
    ) -> Result<u64> {
        let mut workspace_size = 0;
        // SAFETY: the caller's promise; pointers with the lengths of what they point to.
        unsafe {
            call!(self, "Setup": setup(
                operation.as_ptr(),
                inputs.as_ptr(),
                inputs.len(),
                outputs.as_ptr(),
                outputs.len(),
                &mut workspace_size,
                context.as_ptr(),
            ))
        }?;
        Ok(workspace_size)
    }

    /// `Operation::Execute`: queues the work on the context's stream.
    ///
    /// # Safety
    /// As [`setup`](Self::setup), which was the operation's last call, with the same tensors and context. They and the
    /// workspace may be touched by work on the context's stream, in the stream's order.
    pub(crate) unsafe fn execute(
        &self,
        operation: NonNull<atb_operation>,
        (inputs, outputs): (&[atb_tensor], &[atb_tensor]),
        (workspace, size): (*mut c_void, u64),
        context: NonNull<atb_context>,
    ) -> Result<()> {
        // SAFETY: the caller's promise; pointers with the lengths of what they point to.
        unsafe {
            call!(self, "Execute": execute(
                operation.as_ptr(),
                inputs.as_ptr(),
                inputs.len(),
                outputs.as_ptr(),
                outputs.len(),
                workspace,
                size,
                context.as_ptr(),
            ))
        }
    }
}

/// Room for a description.
const EMPTY: atb_tensor_desc = atb_tensor_desc {
    dtype: -1,
    format: -1,
    shape: atb_sys::atb_dims { dims: [0; atb_sys::ATB_MAX_DIM as usize], dimNum: 0 },
};
