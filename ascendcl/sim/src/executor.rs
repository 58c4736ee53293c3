//! Executors of operators, for libraries of operators that run on the simulated device.
//!
//! The simulator has few `aclnn` operators of its own. A library that has others [makes](make) an executor in the first
//! phase of an operator, hands it to the program, and in the second phase asks where its operands [are](run) by then.

use ascendcl_sys::{aclOpExecutor, aclTensor, aclTensorList};

use crate::abi::executor as registry;

/// What an operator is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// One tensor.
    Tensor(*const aclTensor),
    /// A list of tensors.
    List(*const aclTensorList),
}

/// Makes an executor for an operator with these inputs and outputs, whose memory is where the tensors say now; `None` if one
/// of them is not alive.
pub fn make(inputs: &[Operand], outputs: &[Operand]) -> Option<*mut aclOpExecutor> {
    registry::make(inputs, outputs)
}

/// Where the tensors of each operand are, inputs first, for one run. The executor ends with it, unless it is repeatable.
/// `None` if it is not alive.
pub fn run(executor: *mut aclOpExecutor) -> Option<Vec<Vec<usize>>> {
    registry::run(executor)
}
