//! Rotary position embedding of a query, and its latent part behind it.

/// Rotary position embedding of a query, followed by another part of it (`atb::infer::RopeQConcatParam`, which has no field).
///
/// * Inputs: q `[tokens, heads · 64]`; cos and sin `[tokens, 64]`; concatInput `[tokens, heads, 512]`; all 16-bit.
/// * Output: [tokens, heads, 576]: the rotated q, in which element `i` goes with `i + 32`, and then concatInput (ATB's source
///   RopeFp16.h). MlaPreprocess has the two the other way round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RopeQConcat;

impl super::sealed::Sealed for RopeQConcat {}
impl super::SelfContained for RopeQConcat {}
impl super::Param for RopeQConcat {}

impl super::OpParam for RopeQConcat {
    const NAME: &'static str = "RopeQConcat";
    const ADDRESSES: bool = false;
    type Raw = atb_sys::atb_rope_q_concat_param;

    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
        call(&atb_sys::atb_rope_q_concat_param { none: 0 })
    }

    fn from_raw(_: &Self::Raw) -> crate::Result<Self> {
        Ok(Self)
    }
}
