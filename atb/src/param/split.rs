//! Parts of a tensor.

/// Two or three parts of a tensor (`atb::infer::SplitParam`).
///
/// * Input: `x`, of any shape.
/// * Outputs: [`split_num`](Self::split_num) parts along a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The dimension; negative ones are counted from the end if the parts are equal (`splitDim`); 0 by default.
    pub split_dim: i32,
    /// How many parts: 2, the default, or 3 (`splitNum`).
    pub split_num: i32,
    /// Their lengths; none, the default, for equal parts (`splitSizes`).
    pub split_sizes: Vec<i32>,
}

impl Default for Split {
    fn default() -> Self {
        Self { split_dim: 0, split_num: 2, split_sizes: Vec::new() }
    }
}

impl super::sealed::Sealed for Split {}
impl super::SelfContained for Split {}
impl super::Param for Split {}

impl super::OpParam for Split {
    const NAME: &'static str = "Split";
    const ADDRESSES: bool = false;
    type Raw = atb_sys::atb_split_param;

    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
        call(&atb_sys::atb_split_param {
            splitDim: self.split_dim,
            splitNum: self.split_num,
            splitSizes: self.split_sizes.as_ptr(),
            splitSizeNum: self.split_sizes.len(),
        })
    }

    fn from_raw(raw: &Self::Raw) -> crate::Result<Self> {
        Ok(Self { split_dim: raw.splitDim, split_num: raw.splitNum, split_sizes: Vec::new() })
    }
}
