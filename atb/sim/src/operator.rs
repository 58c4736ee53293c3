//! What an operation is to the library around it.

use ascendcl_sim::operator::Fault;
use atb_sys::atb_status;

use crate::tensor::{Operand, TensorDesc};
use crate::tensor_check;

/// A call that is refused: ATB's code, and what is wrong for the log and for the shim's `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: atb_status,
    pub message: String,
}

pub(crate) type Result<T = ()> = std::result::Result<T, Refusal>;

/// A [`Refusal`]: `refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "what is wrong with {it}")`.
macro_rules! refuse {
    ($status:ident, $($message:tt)*) => {
        $crate::operator::Refusal { status: atb_sys::$status, message: format!($($message)*) }
    };
}

pub(crate) use refuse;

/// An operation with its parameter: what it takes, what shapes follow, and what it computes.
///
/// The library calls the methods in this order, as ATB's `OperationBase` does: the numbers of tensors, then
/// [`check_types`](Self::check_types), then [`check_inputs`](Self::check_inputs), and for `Setup` also
/// [`check_outputs`](Self::check_outputs).
pub(crate) trait Operator: Send + Sync {
    /// The name that `GetName` answers, such as `RmsNormOperation`.
    fn name(&self) -> &'static str;

    fn input_num(&self) -> usize;

    fn output_num(&self) -> usize;

    /// Whether types and formats are one of the combinations of ATB's table (`atb_ops_info.ini`), else
    /// `ATB_ERROR_INVALID_TENSOR_INI_MATCH`. `outputs` is empty when shapes are inferred.
    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result;

    /// The checks of `InferShapeCheckImpl`, which `SetupCheckImpl` shares.
    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result;

    /// `InferShapeImpl`, for inputs that passed the checks.
    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>>;

    /// The rest of `SetupCheckImpl`.
    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result;

    /// Whether an input may be left out: those that ATB's table calls optional.
    fn may_be_empty(&self, _input: usize) -> bool {
        false
    }

    /// Bytes of workspace that `Setup` asks for.
    fn workspace_size(&self, inputs: &[TensorDesc]) -> u64;

    /// Bytes of device memory that a call reads and writes; by default all of its tensors.
    fn bytes(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> (u64, u64) {
        (total_bytes(inputs), total_bytes(outputs))
    }

    /// Computes, when the stream comes to it. Tensors that are left out have no dimension and no memory.
    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault>;
}

/// Bytes of all tensors.
pub(crate) fn total_bytes(descs: &[TensorDesc]) -> u64 {
    descs.iter().map(tensor_check::byte_count).sum()
}
