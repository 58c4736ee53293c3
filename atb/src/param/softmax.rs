//! Softmax.

/// Softmax over one dimension, or several neighbouring ones (`atb::infer::SoftmaxParam`).
///
/// * Input: `x`, of any shape, Float32 or 16-bit.
/// * Output: like `x`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Softmax {
    /// The dimensions, in order and without gaps; -1 is the last (`axes`). At least one.
    pub axes: Vec<i64>,
}

impl super::sealed::Sealed for Softmax {}
impl super::SelfContained for Softmax {}
impl super::Param for Softmax {}

impl super::OpParam for Softmax {
    const NAME: &'static str = "Softmax";
    const ADDRESSES: bool = false;
    type Raw = atb_sys::atb_softmax_param;

    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
        call(&atb_sys::atb_softmax_param { axes: self.axes.as_ptr(), axisNum: self.axes.len() })
    }

    fn from_raw(_: &Self::Raw) -> crate::Result<Self> {
        Ok(Self::default())
    }
}
