//! Dimensions in another order.

use crate::error::{Error, Result};

/// Dimensions in another order (`atb::infer::TransposeParam`).
///
/// * Input: `x`, of any shape.
/// * Output: dimension `i` is dimension `perm[i]` of `x`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transpose {
    /// The order: each dimension of `x` once (`perm`).
    pub perm: Vec<i32>,
}

impl super::sealed::Sealed for Transpose {}
impl super::SelfContained for Transpose {}
impl super::Param for Transpose {}

impl super::OpParam for Transpose {
    const NAME: &'static str = "Transpose";
    const ADDRESSES: bool = false;
    type Raw = atb_sys::atb_transpose_param;

    // The library indexes by it (ATB's source transpose_operation.cpp).
    fn check(&self) -> Result<()> {
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if sorted.iter().zip(0..).all(|(dim, expected)| *dim == expected) {
            return Ok(());
        }
        let expected = format_args!("each of 0..{} once", self.perm.len());
        Err(Error::tensor("`perm` of Transpose", expected, format_args!("{:?}", self.perm)))
    }

    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
        call(&atb_sys::atb_transpose_param { perm: self.perm.as_ptr(), dimNum: self.perm.len() })
    }

    fn from_raw(_: &Self::Raw) -> Result<Self> {
        Ok(Self::default())
    }
}
