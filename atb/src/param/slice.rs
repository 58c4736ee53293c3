//! A part of a tensor.

use crate::error::{Error, Result};

/// A part of a tensor (`atb::infer::SliceParam`).
///
/// * Input: `x`, of any shape.
/// * Output: from each dimension `size` elements from `offsets` on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slice {
    /// Where the part begins in each dimension; negative ones are counted from the end (`offsets`).
    pub offsets: Vec<i64>,
    /// How long it is; -1 is to the end (`size`). As many as `offsets`.
    pub size: Vec<i64>,
}

impl super::sealed::Sealed for Slice {}
impl super::SelfContained for Slice {}
impl super::Param for Slice {}

impl super::OpParam for Slice {
    const NAME: &'static str = "Slice";
    const ADDRESSES: bool = false;
    type Raw = atb_sys::atb_slice_param;

    fn check(&self) -> Result<()> {
        if self.offsets.len() == self.size.len() {
            return Ok(());
        }
        Err(Error::tensor(
            "`size` of Slice",
            format_args!("of {} numbers, as `offsets`", self.offsets.len()),
            self.size.len(),
        ))
    }

    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
        let dim_num = self.offsets.len().min(self.size.len());
        call(&atb_sys::atb_slice_param {
            offsets: self.offsets.as_ptr(),
            size: self.size.as_ptr(),
            dimNum: dim_num,
        })
    }

    fn from_raw(_: &Self::Raw) -> Result<Self> {
        Ok(Self::default())
    }
}
