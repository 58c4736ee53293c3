//! Concatenation.

/// Two tensors, one behind the other in a dimension (`atb::infer::ConcatParam`).
///
/// * Inputs: `x` and `y`, Float32, 16-bit and others, alike in all dimensions but [`concat_dim`](Self::concat_dim).
/// * Output: `x` and then `y`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Concat {
    /// The dimension, negative ones counted from the end (`concatDim`); 0 by default.
    pub concat_dim: i32,
}

impl super::sealed::Sealed for Concat {}
impl super::SelfContained for Concat {}
plain_param!(Concat: atb_concat_param, "Concat", addresses: false { concat_dim: concatDim });
