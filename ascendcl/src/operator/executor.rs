//! Executors: operators that are set up once and run many times.

use std::fmt;
use std::ptr::NonNull;

use ascendcl_sys as sys;

use super::{OpTensor, Operators, Owned, TensorList};
use crate::error::{Result, ShapeError};
use crate::raw::Acl;
use crate::tensor::Tensor;

/// An operator that is set up, and can be run again and again (`aclOpExecutor`).
///
/// The first phase of an `aclnn` operator makes an executor from the operands. Usually the second phase consumes it; this
/// one is repeatable (`aclSetAclOpExecutorRepeatable`), and destroyed when it is dropped (`aclDestroyAclOpExecutor`). Between
/// runs the operands' memory can be replaced, without the cost of the first phase.
pub struct Executor {
    owned: Owned<sys::aclOpExecutor>,
}

/// Which operand of an executor, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperandIndex {
    /// Of the inputs.
    Input(usize),
    /// Of the outputs.
    Output(usize),
    /// Of the inputs and outputs together.
    Any(usize),
}

impl Operators {
    /// Takes an executor over from the first phase of an operator, and makes it repeatable
    /// (`aclSetAclOpExecutorRepeatable`).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for null; [`Error::Acl`](crate::Error::Acl) from the library, also for an
    /// operator that cannot be repeatable. The executor stays the caller's then.
    ///
    /// # Safety
    /// The executor was made by an operator of this runtime's library, was not executed yet, and is left to the new object:
    /// nobody else destroys or consumes it.
    pub unsafe fn executor(&self, raw: *mut sys::aclOpExecutor) -> Result<Executor> {
        let raw = NonNull::new(raw).ok_or_else(|| ShapeError::new("executor", "not null", "null"))?;
        // SAFETY: the caller promises a live executor.
        unsafe { self.acl()?.make_repeatable(raw) }?;
        // SAFETY: the caller leaves it to us.
        Ok(Executor { owned: unsafe { Owned::new(self, raw) } })
    }
}

impl Executor {
    /// Lets the next runs use another tensor's memory for an operand (`aclSetInputTensorAddr`, `aclSetOutputTensorAddr`,
    /// `aclSetTensorAddr`).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the tensor is not of the type, format and shape of the operand's,
    /// [`Error::Mismatch`](crate::Error::Mismatch) if one belongs to another runtime or device,
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    ///
    /// # Safety
    /// The executor was made with `operand` at this index.
    pub unsafe fn set_memory(
        &mut self,
        index: OperandIndex,
        operand: &OpTensor<'_>,
        memory: &Tensor,
    ) -> Result<()> {
        let (acl, executor) = self.parts()?;
        self.owned.operators.check_runtime("operand", operand.owned.operators.runtime())?;
        operand.check_alike(memory)?;
        let (tensor, address) = (operand.as_raw(), memory.buffer().as_device_ptr());
        // SAFETY: executor and operand are alive; the caller vouches for the index.
        unsafe {
            match index {
                OperandIndex::Input(index) => acl.set_input_address(executor, index, tensor, address),
                OperandIndex::Output(index) => acl.set_output_address(executor, index, tensor, address),
                OperandIndex::Any(index) => acl.set_operand_address(executor, index, tensor, address),
            }
        }
    }

    /// Lets the next runs use another tensor's memory for a member of a list (`aclSetDynamicInputTensorAddr`,
    /// `aclSetDynamicOutputTensorAddr`, `aclSetDynamicTensorAddr`).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the list or the tensor belongs to another runtime,
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    ///
    /// # Safety
    /// The executor was made with `list` at this index, and the tensor is of the type, format and shape of that member's.
    pub unsafe fn set_member_memory(
        &mut self,
        index: OperandIndex,
        list: &TensorList<'_>,
        member: usize,
        memory: &Tensor,
    ) -> Result<()> {
        let (acl, executor) = self.parts()?;
        let operators = &self.owned.operators;
        operators.check_runtime("list", list.owned.operators.runtime())?;
        operators.check_runtime("tensor", memory.buffer().device().runtime())?;
        let (list, address) = (list.as_raw(), memory.buffer().as_device_ptr());
        // SAFETY: executor and list are alive; the caller vouches for the index.
        unsafe {
            match index {
                OperandIndex::Input(index) => {
                    acl.set_input_member_address(executor, index, member, list, address)
                }
                OperandIndex::Output(index) => {
                    acl.set_output_member_address(executor, index, member, list, address)
                }
                OperandIndex::Any(index) => {
                    acl.set_operand_member_address(executor, index, member, list, address)
                }
            }
        }
    }

    /// The handle, for an operator's second phase; alive as long as `self`.
    pub fn as_raw(&self) -> *mut sys::aclOpExecutor {
        self.owned.raw.as_ptr()
    }

    fn parts(&self) -> Result<(&Acl, NonNull<sys::aclOpExecutor>)> {
        Ok((self.owned.operators.acl()?, self.owned.raw))
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executor({:p})", self.as_raw())
    }
}
