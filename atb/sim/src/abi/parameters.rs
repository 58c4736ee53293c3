//! Parameters of operations: the defaults of ATB's headers, and from a C struct to what the operation takes.
//!
//! Each operation checks its parameter when it is made.

use std::sync::Arc;

use ascendcl_sys::ACL_DT_UNDEFINED;
use atb_sys::*;

use super::abi;
use super::argument::{Out, member};
use super::operation::create;
use crate::execution::OPERATIONS;
use crate::operation::{Body, Operation};
use crate::operator::{Operator, Result, refuse};
use crate::ops::mla_preprocess::{MlaPreprocess, MlaPreprocessParam};
use crate::ops::{
    activation, concat, elewise, gather, linear, multi_latent_attention, paged_attention, reshape_and_cache,
    rms_norm, rope, rope_q_concat, slice, softmax, split, transdata, transpose,
};

/// The three functions of an operation: its parameter, the default, and how to make one.
macro_rules! operation {
    ($param:ident, $default:ident: $value:expr, $create:ident, $update:ident, $new:expr) => {
        abi! {
            fn $default(param: *mut $param) {
                param.set($value)
            }

            fn $create(param: *const $param, operation: *mut *mut atb_operation) {
                create(operation, || $new(&param.get()?))
            }

            fn $update(operation: *mut atb_operation, param: *const $param) {
                update(operation, || $new(&param.get()?))
            }
        }
    };
}

/// Gives an operation another parameter. One that cannot be changes nothing.
fn update(operation: Out<atb_operation>, new: impl FnOnce() -> Result<Operation>) -> Result {
    if operation.is_null() {
        return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the operation is null"));
    }
    OPERATIONS.get(operation.raw())?.update(new()?)
}

fn single(operator: impl Operator + 'static) -> Operation {
    Operation::new(Body::Single(Arc::new(operator)))
}

/// The elements of an array of a parameter.
macro_rules! elements {
    ($raw:ident.$array:ident, $length:ident) => {
        // SAFETY: An array of a parameter is null or as long as the parameter says, for the time of the call.
        unsafe { member($raw.$array, stringify!($array)) }.to_small_vec($raw.$length)?
    };
}

operation!(
    atb_activation_param,
    defaultActivation: atb_activation_param { activationType: 0, scale: 1.0, dim: -1, geluMode: 0 },
    createActivation,
    updateActivation,
    |raw: &atb_activation_param| Ok(single(activation::Activation::new(activation::ActivationParam {
        activation_type: raw.activationType,
        scale: raw.scale,
        dim: raw.dim,
        gelu_mode: raw.geluMode,
    })?))
);

operation!(
    atb_concat_param,
    defaultConcat: atb_concat_param { concatDim: 0 },
    createConcat,
    updateConcat,
    |raw: &atb_concat_param| Ok(single(concat::Concat::new(concat::ConcatParam { concat_dim: raw.concatDim })?))
);

operation!(
    atb_elewise_param,
    defaultElewise: atb_elewise_param {
        elewiseType: 0,
        inputScale: 1.0,
        asymmetric: false,
        inputOffset: 0,
        varAttr: 0.0,
        outTensorType: ACL_DT_UNDEFINED.0,
    },
    createElewise,
    updateElewise,
    |raw: &atb_elewise_param| Ok(single(elewise::Elewise::new(elewise::ElewiseParam {
        elewise_type: raw.elewiseType,
        input_scale: raw.inputScale,
        asymmetric: raw.asymmetric,
        input_offset: raw.inputOffset,
        var_attr: raw.varAttr,
        out_tensor_type: raw.outTensorType,
    })?))
);

operation!(
    atb_gather_param,
    defaultGather: atb_gather_param { axis: 0, batchDims: 0 },
    createGather,
    updateGather,
    |raw: &atb_gather_param| Ok(single(gather::Gather::new(gather::GatherParam { axis: raw.axis, batch_dims: raw.batchDims })?))
);

operation!(
    atb_linear_param,
    defaultLinear: atb_linear_param {
        transposeA: false,
        transposeB: true,
        hasBias: true,
        outDataType: ACL_DT_UNDEFINED.0,
        enAccum: false,
        matmulType: 0,
        quantMode: 0,
    },
    createLinear,
    updateLinear,
    |raw: &atb_linear_param| Ok(single(linear::Linear::new(linear::LinearParam {
        transpose_a: raw.transposeA,
        transpose_b: raw.transposeB,
        has_bias: raw.hasBias,
        out_data_type: raw.outDataType,
        en_accum: raw.enAccum,
        matmul_type: raw.matmulType,
        quant_mode: raw.quantMode,
    })?))
);

operation!(
    atb_mla_preprocess_param,
    defaultMlaPreprocess: atb_mla_preprocess_param {
        wdqDim: 0,
        qRopeDim: 0,
        kRopeDim: 0,
        epsilon: 1e-5,
        qRotaryCoeff: 2,
        kRotaryCoeff: 2,
        transposeWdq: true,
        transposeWuq: true,
        transposeWuk: true,
        cacheMode: 0,
        quantMode: 0,
    },
    createMlaPreprocess,
    updateMlaPreprocess,
    new_mla_preprocess
);

/// ATB reads no other field.
pub(super) fn new_mla_preprocess(raw: &atb_mla_preprocess_param) -> Result<Operation> {
    let param =
        MlaPreprocessParam { epsilon: raw.epsilon, cache_mode: raw.cacheMode, quant_mode: raw.quantMode };
    Ok(single(MlaPreprocess::new(param)?))
}

operation!(
    atb_multi_latent_attention_param,
    defaultMultiLatentAttention: atb_multi_latent_attention_param {
        headNum: 0,
        qkScale: 1.0,
        kvHeadNum: 0,
        maskType: 0,
        calcType: 0,
        cacheMode: 0,
        windowSize: 0,
        maskUseStatusType: 0,
    },
    createMultiLatentAttention,
    updateMultiLatentAttention,
    |raw: &atb_multi_latent_attention_param| Ok(single(multi_latent_attention::MultiLatentAttention::new(
        multi_latent_attention::MultiLatentAttentionParam {
            head_num: raw.headNum,
            qk_scale: raw.qkScale,
            kv_head_num: raw.kvHeadNum,
            mask_type: raw.maskType,
            calc_type: raw.calcType,
            cache_mode: raw.cacheMode,
            window_size: raw.windowSize,
            mask_use_status_type: raw.maskUseStatusType,
        }
    )?))
);

operation!(
    atb_paged_attention_param,
    defaultPagedAttention: atb_paged_attention_param {
        headNum: 0,
        qkScale: 1.0,
        kvHeadNum: 0,
        maskType: 0,
        batchRunStatusEnable: false,
        quantType: 0,
        outDataType: ACL_DT_UNDEFINED.0,
        hasQuantOffset: false,
        compressType: 0,
        calcType: 0,
        scaleType: 0,
        inputLayout: 0,
        mlaVHeadSize: 0,
        qScale: 0.0,
    },
    createPagedAttention,
    updatePagedAttention,
    |raw: &atb_paged_attention_param| Ok(single(paged_attention::PagedAttention::new(paged_attention::PagedAttentionParam {
        head_num: raw.headNum,
        qk_scale: raw.qkScale,
        kv_head_num: raw.kvHeadNum,
        mask_type: raw.maskType,
        batch_run_status_enable: raw.batchRunStatusEnable,
        quant_type: raw.quantType,
        out_data_type: raw.outDataType,
        has_quant_offset: raw.hasQuantOffset,
        compress_type: raw.compressType,
        calc_type: raw.calcType,
        scale_type: raw.scaleType,
        input_layout: raw.inputLayout,
        mla_v_head_size: raw.mlaVHeadSize,
        q_scale: raw.qScale,
    })?))
);

operation!(
    atb_reshape_and_cache_param,
    defaultReshapeAndCache: atb_reshape_and_cache_param { compressType: 0, kvCacheCfg: 0 },
    createReshapeAndCache,
    updateReshapeAndCache,
    |raw: &atb_reshape_and_cache_param| Ok(single(reshape_and_cache::ReshapeAndCache::new(reshape_and_cache::ReshapeAndCacheParam {
        compress_type: raw.compressType,
        kv_cache_cfg: raw.kvCacheCfg,
    })?))
);

const RESIDUAL_NORM: atb_residual_norm_param =
    atb_residual_norm_param { quantType: 0, epsilon: 1e-5, hasBias: false };

operation!(
    atb_rms_norm_param,
    defaultRmsNorm: atb_rms_norm_param {
        layerType: 0,
        normParam: atb_norm_param {
            quantType: 0,
            epsilon: 1e-5,
            layerNormEps: 1e-5,
            rstd: false,
            precisionMode: 0,
            modelType: 0,
            dynamicQuantType: 0,
        },
        preNormParam: RESIDUAL_NORM,
        postNormParam: RESIDUAL_NORM,
    },
    createRmsNorm,
    updateRmsNorm,
    |raw: &atb_rms_norm_param| Ok(single(rms_norm::RmsNorm::new(rms_norm::RmsNormParam {
        layer_type: raw.layerType,
        norm_param: rms_norm::NormParam {
            quant_type: raw.normParam.quantType,
            epsilon: raw.normParam.epsilon,
            layer_norm_eps: raw.normParam.layerNormEps,
            rstd: raw.normParam.rstd,
            precision_mode: raw.normParam.precisionMode,
            model_type: raw.normParam.modelType,
            dynamic_quant_type: raw.normParam.dynamicQuantType,
        },
        pre_norm_param: residual_norm(&raw.preNormParam),
        post_norm_param: residual_norm(&raw.postNormParam),
    })?))
);

fn residual_norm(raw: &atb_residual_norm_param) -> rms_norm::ResidualNormParam {
    rms_norm::ResidualNormParam { quant_type: raw.quantType, epsilon: raw.epsilon, has_bias: raw.hasBias }
}

operation!(
    atb_rope_param,
    defaultRope: atb_rope_param { rotaryCoeff: 4, cosFormat: 0 },
    createRope,
    updateRope,
    |raw: &atb_rope_param| Ok(single(rope::Rope::new(rope::RopeParam { rotary_coeff: raw.rotaryCoeff, cos_format: raw.cosFormat })?))
);

operation!(
    atb_rope_q_concat_param,
    defaultRopeQConcat: atb_rope_q_concat_param { none: 0 },
    createRopeQConcat,
    updateRopeQConcat,
    |_: &atb_rope_q_concat_param| Ok(single(rope_q_concat::RopeQConcat::new(rope_q_concat::RopeQConcatParam)?))
);

operation!(
    atb_slice_param,
    defaultSlice: atb_slice_param { offsets: std::ptr::null(), size: std::ptr::null(), dimNum: 0 },
    createSlice,
    updateSlice,
    |raw: &atb_slice_param| Ok(single(slice::Slice::new(slice::SliceParam { offsets: elements!(raw.offsets, dimNum), size: elements!(raw.size, dimNum) })?))
);

operation!(
    atb_softmax_param,
    defaultSoftmax: atb_softmax_param { axes: std::ptr::null(), axisNum: 0 },
    createSoftmax,
    updateSoftmax,
    |raw: &atb_softmax_param| Ok(single(softmax::Softmax::new(softmax::SoftmaxParam { axes: elements!(raw.axes, axisNum) })?))
);

operation!(
    atb_split_param,
    defaultSplit: atb_split_param { splitDim: 0, splitNum: 2, splitSizes: std::ptr::null(), splitSizeNum: 0 },
    createSplit,
    updateSplit,
    |raw: &atb_split_param| Ok(single(split::Split::new(split::SplitParam {
        split_dim: raw.splitDim,
        split_num: raw.splitNum,
        split_sizes: elements!(raw.splitSizes, splitSizeNum),
    })?))
);

operation!(
    atb_transdata_param,
    defaultTransdata: atb_transdata_param { transdataType: 0, outCrops: [0, 0] },
    createTransdata,
    updateTransdata,
    |raw: &atb_transdata_param| Ok(single(transdata::Transdata::new(transdata::TransdataParam {
        transdata_type: raw.transdataType,
        out_crops: raw.outCrops,
    })?))
);

operation!(
    atb_transpose_param,
    defaultTranspose: atb_transpose_param { perm: std::ptr::null(), dimNum: 0 },
    createTranspose,
    updateTranspose,
    |raw: &atb_transpose_param| Ok(single(transpose::Transpose::new(transpose::TransposeParam { perm: elements!(raw.perm, dimNum) })?))
);
