//! Parameters as C has them.

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use atb_sys::atb_operation;

use super::{Atb, call, context::null};
use crate::error::Result;

/// A parameter structure with its three functions.
pub trait RawParam: Sized {
    /// The library's defaults; arrays are empty.
    #[doc(hidden)]
    fn defaults(atb: &Atb) -> Result<Self>;

    /// `CreateOperation`.
    ///
    /// # Safety
    /// Arrays have the lengths that the structure says.
    #[doc(hidden)]
    unsafe fn create(atb: &Atb, raw: &Self) -> Result<NonNull<atb_operation>>;

    /// `UpdateOperationParam`.
    ///
    /// # Safety
    /// As [`create`](Self::create); the operation was made from a structure of this type, is alive and nobody else uses it or
    /// its context now; the device has done its work.
    #[doc(hidden)]
    unsafe fn update(atb: &Atb, operation: NonNull<atb_operation>, raw: &Self) -> Result<()>;
}

macro_rules! raw_params {
    ($($Raw:ident: $default:ident, $create:ident, $update:ident;)*) => {$(
        impl RawParam for atb_sys::$Raw {
            fn defaults(atb: &Atb) -> Result<Self> {
                let mut raw = MaybeUninit::<Self>::zeroed();
                // SAFETY: a valid out-pointer.
                unsafe { call!(atb, "default parameter": $default(raw.as_mut_ptr())) }?;
                // SAFETY: numbers, flags and pointers, for which zeros are values; the library has overwritten them.
                Ok(unsafe { raw.assume_init() })
            }

            unsafe fn create(atb: &Atb, raw: &Self) -> Result<NonNull<atb_operation>> {
                let mut operation = ptr::null_mut();
                // SAFETY: the caller's promise, and a valid out-pointer.
                unsafe { call!(atb, "CreateOperation": $create(raw, &mut operation)) }?;
                NonNull::new(operation).ok_or_else(|| null("CreateOperation"))
            }

            unsafe fn update(atb: &Atb, operation: NonNull<atb_operation>, raw: &Self) -> Result<()> {
                // SAFETY: the caller's promise.
                unsafe { call!(atb, "UpdateOperationParam": $update(operation.as_ptr(), raw)) }
            }
        }
    )*};
}

raw_params! {
    atb_activation_param: defaultActivation, createActivation, updateActivation;
    atb_concat_param: defaultConcat, createConcat, updateConcat;
    atb_elewise_param: defaultElewise, createElewise, updateElewise;
    atb_gather_param: defaultGather, createGather, updateGather;
    atb_linear_param: defaultLinear, createLinear, updateLinear;
    atb_mla_preprocess_param: defaultMlaPreprocess, createMlaPreprocess, updateMlaPreprocess;
    atb_multi_latent_attention_param:
        defaultMultiLatentAttention, createMultiLatentAttention, updateMultiLatentAttention;
    atb_paged_attention_param: defaultPagedAttention, createPagedAttention, updatePagedAttention;
    atb_reshape_and_cache_param: defaultReshapeAndCache, createReshapeAndCache, updateReshapeAndCache;
    atb_rms_norm_param: defaultRmsNorm, createRmsNorm, updateRmsNorm;
    atb_rope_param: defaultRope, createRope, updateRope;
    atb_rope_q_concat_param: defaultRopeQConcat, createRopeQConcat, updateRopeQConcat;
    atb_slice_param: defaultSlice, createSlice, updateSlice;
    atb_softmax_param: defaultSoftmax, createSoftmax, updateSoftmax;
    atb_split_param: defaultSplit, createSplit, updateSplit;
    atb_transdata_param: defaultTransdata, createTransdata, updateTransdata;
    atb_transpose_param: defaultTranspose, createTranspose, updateTranspose;
}
