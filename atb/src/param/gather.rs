//! Rows by index.

/// Slices of a tensor by their indices (`atb::infer::GatherParam`).
///
/// * Inputs: `x`, and `indices` of type Int32 or Int64, each within the dimension [`axis`](Self::axis) of `x`.
/// * Output: `x` with that dimension replaced by those of `indices` (without their first
///   [`batch_dims`](Self::batch_dims)).
///
/// The indices are addresses to the device: executions are `unsafe`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gather {
    /// The dimension that is indexed; not negative (`axis`); 0 by default.
    pub axis: i64,
    /// Leading dimensions that `x` and `indices` share, at most `axis` (`batchDims`); 0 by default.
    pub batch_dims: i64,
}

impl super::sealed::Sealed for Gather {}
plain_param!(Gather: atb_gather_param, "Gather", addresses: true { axis: axis, batch_dims: batchDims });
