//! Defaults are those of ATB's headers, and every operation can be made from a parameter.

#[macro_use]
mod common;

use std::mem::MaybeUninit;
use std::ptr;

use ascendcl_sys::{ACL_DT_UNDEFINED, ACL_FLOAT16, ACL_INT8};
use atb_sys::*;
use common::*;

/// The default of a parameter.
macro_rules! default {
    ($default:ident) => {{
        let mut param = MaybeUninit::uninit();
        ok!($default(param.as_mut_ptr()));
        // SAFETY: The function has written it.
        unsafe { param.assume_init() }
    }};
}

/// Makes an operation, which must have a name and numbers of tensors.
macro_rules! make {
    ($create:ident, $param:expr, $name:expr, $inputs:expr, $outputs:expr) => {{
        let (param, mut operation) = ($param, ptr::null_mut());
        ok!($create(&param, &mut operation));
        let (mut name, mut length) = ([0u8; 64], 0);
        ok!(getName(operation, name.as_mut_ptr().cast(), 64, &mut length));
        let (mut inputs, mut outputs) = (0, 0);
        ok!(getInputNum(operation, &mut inputs));
        ok!(getOutputNum(operation, &mut outputs));
        assert_eq!((&name[..length], inputs, outputs), ($name.as_bytes(), $inputs, $outputs));
        ok!(destroyOperation(operation));
    }};
}

#[test]
fn every_operation_can_be_made() {
    initialize();
    let activation: atb_activation_param = default!(defaultActivation);
    assert_eq!((activation.scale, activation.dim, activation.geluMode), (1.0, -1, 0));
    make!(
        createActivation,
        atb_activation_param { activationType: 1, ..activation },
        "ActivationOperation",
        1,
        1
    );

    make!(createConcat, default!(defaultConcat), "ConcatOperation", 2, 1);

    let elewise: atb_elewise_param = default!(defaultElewise);
    assert_eq!((elewise.inputScale, elewise.outTensorType), (1.0, ACL_DT_UNDEFINED.0));
    make!(createElewise, atb_elewise_param { elewiseType: 8, ..elewise }, "ElewiseOperation", 2, 1);

    make!(createGather, default!(defaultGather), "GatherOperation", 2, 1);

    let linear: atb_linear_param = default!(defaultLinear);
    assert_eq!(
        (linear.transposeA, linear.transposeB, linear.hasBias, linear.enAccum),
        (false, true, true, false)
    );
    make!(createLinear, linear, "LinearOperation", 3, 1);
    make!(createLinear, atb_linear_param { outDataType: ACL_FLOAT16.0, ..linear }, "LinearOperation", 4, 1);

    let mla: atb_mla_preprocess_param = default!(defaultMlaPreprocess);
    assert_eq!((mla.epsilon, mla.qRotaryCoeff, mla.kRotaryCoeff), (1e-5, 2, 2));
    assert_eq!((mla.cacheMode, mla.quantMode, mla.transposeWuk), (0, 0, true));
    make!(createMlaPreprocess, mla, "MlaPreprocessOperation", 24, 2);
    make!(
        createMlaPreprocess,
        atb_mla_preprocess_param { cacheMode: 3, ..mla },
        "MlaPreprocessOperation",
        24,
        4
    );

    let attention: atb_multi_latent_attention_param = default!(defaultMultiLatentAttention);
    assert_eq!((attention.qkScale, attention.headNum), (1.0, 0));
    let attention = atb_multi_latent_attention_param { headNum: 32, kvHeadNum: 1, cacheMode: 1, ..attention };
    make!(createMultiLatentAttention, attention, "MultiLatentAttentionOperation", 6, 1);

    let paged: atb_paged_attention_param = default!(defaultPagedAttention);
    assert_eq!((paged.qkScale, paged.outDataType, paged.qScale), (1.0, ACL_DT_UNDEFINED.0, 0.0));
    let paged = atb_paged_attention_param { headNum: 8, kvHeadNum: 8, ..paged };
    make!(createPagedAttention, paged, "PagedAttentionOperation", 5, 1);

    make!(createReshapeAndCache, default!(defaultReshapeAndCache), "ReshapeAndCacheOperation", 5, 2);
    let bypass = atb_reshape_and_cache_param { compressType: 0, kvCacheCfg: 1 };
    make!(createReshapeAndCache, bypass, "ReshapeAndCacheOperation", 3, 1);

    let norm: atb_rms_norm_param = default!(defaultRmsNorm);
    assert_eq!((norm.normParam.epsilon, norm.normParam.layerNormEps), (1e-5, 1e-5));
    assert_eq!((norm.preNormParam.epsilon, norm.postNormParam.hasBias), (1e-5, false));
    make!(createRmsNorm, atb_rms_norm_param { layerType: 1, ..norm }, "RmsNormOperation", 2, 1);
    let mut quantised = atb_rms_norm_param { layerType: 1, ..norm };
    quantised.normParam.quantType = ACL_INT8.0;
    make!(createRmsNorm, quantised, "RmsNormOperation", 5, 1);
    let pre = atb_residual_norm_param { hasBias: true, ..norm.preNormParam };
    make!(
        createRmsNorm,
        atb_rms_norm_param { layerType: 2, preNormParam: pre, ..norm },
        "RmsNormOperation",
        4,
        2
    );

    let rope: atb_rope_param = default!(defaultRope);
    assert_eq!((rope.rotaryCoeff, rope.cosFormat), (4, 0));
    make!(createRope, rope, "RopeOperation", 5, 2);
    make!(createRopeQConcat, default!(defaultRopeQConcat), "RopeQConcatOperation", 4, 1);

    let numbers = [0i64, 1];
    let slice: atb_slice_param = default!(defaultSlice);
    assert_eq!(slice.dimNum, 0);
    let slice = atb_slice_param { offsets: numbers.as_ptr(), size: [2i64, 2].as_ptr(), dimNum: 2 };
    make!(createSlice, slice, "SliceOperation", 1, 1);

    let softmax: atb_softmax_param = default!(defaultSoftmax);
    assert_eq!(softmax.axisNum, 0);
    make!(createSoftmax, atb_softmax_param { axes: numbers.as_ptr(), axisNum: 2 }, "SoftmaxOperation", 1, 1);

    let split: atb_split_param = default!(defaultSplit);
    assert_eq!((split.splitDim, split.splitNum, split.splitSizeNum), (0, 2, 0));
    make!(createSplit, split, "SplitOperation", 1, 2);
    make!(createSplit, atb_split_param { splitNum: 3, ..split }, "SplitOperation", 1, 3);

    let transdata: atb_transdata_param = default!(defaultTransdata);
    assert_eq!((transdata.transdataType, transdata.outCrops), (0, [0, 0]));
    make!(createTransdata, atb_transdata_param { transdataType: 2, ..transdata }, "TransdataOperation", 1, 1);

    let transpose: atb_transpose_param = default!(defaultTranspose);
    assert_eq!(transpose.dimNum, 0);
}

#[test]
fn arrays_are_as_long_as_atb_s() {
    initialize();
    let perm = [0i32; 257];
    let mut operation = ptr::null_mut();
    let long = atb_transpose_param { perm: perm.as_ptr(), dimNum: 257 };
    fails!(ATB_SHIM_INVALID_ARGUMENT, "takes 256 at most", createTranspose(&long, &mut operation));
    let null = atb_transpose_param { perm: ptr::null(), dimNum: 2 };
    fails!(ATB_SHIM_INVALID_ARGUMENT, "perm is null", createTranspose(&null, &mut operation));
}
