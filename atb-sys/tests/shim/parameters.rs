//! Every field of every parameter arrives where ATB has it, and defaults are ATB's.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use atb_sys::*;

use crate::support::{Atb, all};

type Default<C> = Option<unsafe extern "C" fn(*mut C) -> atb_status>;
type Create<C> = Option<unsafe extern "C" fn(*const C, *mut *mut atb_operation) -> atb_status>;
type Update<C> = Option<unsafe extern "C" fn(*mut atb_operation, *const C) -> atb_status>;

/// The functions of one operation.
type Functions<C> = (Default<C>, Create<C>, Update<C>);

/// Compares what the library gets with `expected`, and its defaults with `default`, both by the fake library's notation.
/// A parameter's name is the first word. Returns the defaults.
fn check<C>(atb: &Atb, functions: Functions<C>, param: &C, expected: &str, default: &str) -> C {
    let name = expected.split(' ').next().unwrap();
    let (defaults, create, update) = (functions.0.unwrap(), functions.1.unwrap(), functions.2.unwrap());
    let mut operation = null_mut();
    // SAFETY: The pointers are valid, and the parameters' arrays live.
    unsafe {
        assert_eq!(create(param, &mut operation), 0, "{}", atb.message());
        assert_eq!(atb.record(), expected);
        assert_eq!(update(operation, param), 0, "{}", atb.message());
        assert_eq!(atb.record(), format!("update {expected}"));
        atb.destroy(operation);

        // Whatever was in the memory before, all of it is the default then.
        let mut memory = MaybeUninit::<C>::uninit();
        memory.as_mut_ptr().cast::<u8>().write_bytes(0xAA, size_of::<C>());
        assert_eq!(defaults(memory.as_mut_ptr()), 0);
        let values = memory.assume_init();
        assert_eq!(create(&values, &mut operation), 0, "{}", atb.message());
        assert_eq!(atb.record(), default);
        assert_eq!(atb.default_of(name), default);
        atb.destroy(operation);

        // What is missing is refused by name, and what is there stays.
        let mut other = null_mut();
        assert_eq!(defaults(null_mut()), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(create(std::ptr::null(), &mut other), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`param` is null");
        assert_eq!(create(param, null_mut()), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`operation` is null");
        assert_eq!(update(null_mut(), param), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`operation` is null");
        assert!(other.is_null());
        assert_eq!(atb.alive(), 0);
        values
    }
}

/// The functions of an operation in the table.
macro_rules! of {
    ($atb:ident, $default:ident, $create:ident, $update:ident) => {{
        let table = $atb.table();
        (table.$default, table.$create, table.$update)
    }};
}

#[test]
fn parameters_of_plain_numbers() {
    for atb in all() {
        check(
            atb,
            of!(atb, defaultActivation, createActivation, updateActivation),
            &atb_activation_param { activationType: 6, scale: 1.5, dim: 3, geluMode: 1 },
            "ActivationParam activationType=6 scale=1.5 dim=3 geluMode=1",
            "ActivationParam activationType=0 scale=1 dim=-1 geluMode=0",
        );
        check(
            atb,
            of!(atb, defaultConcat, createConcat, updateConcat),
            &atb_concat_param { concatDim: -2 },
            "ConcatParam concatDim=-2",
            "ConcatParam concatDim=0",
        );
        check(
            atb,
            of!(atb, defaultElewise, createElewise, updateElewise),
            &atb_elewise_param {
                elewiseType: 17,
                inputScale: 0.25,
                asymmetric: true,
                inputOffset: -7,
                varAttr: 2.5,
                outTensorType: 27,
            },
            "ElewiseParam elewiseType=17 quantParam.inputScale=0.25 quantParam.asymmetric=1 quantParam.inputOffset=-7 \
             mulsParam.varAttr=2.5 outTensorType=27",
            "ElewiseParam elewiseType=0 quantParam.inputScale=1 quantParam.asymmetric=0 quantParam.inputOffset=0 \
             mulsParam.varAttr=0 outTensorType=-1",
        );
        check(
            atb,
            of!(atb, defaultGather, createGather, updateGather),
            &atb_gather_param { axis: 1 << 40, batchDims: -3 },
            "GatherParam axis=1099511627776 batchDims=-3",
            "GatherParam axis=0 batchDims=0",
        );
        check(
            atb,
            of!(atb, defaultReshapeAndCache, createReshapeAndCache, updateReshapeAndCache),
            &atb_reshape_and_cache_param { compressType: 2, kvCacheCfg: 1 },
            "ReshapeAndCacheParam compressType=2 kvCacheCfg=1",
            "ReshapeAndCacheParam compressType=0 kvCacheCfg=0",
        );
        check(
            atb,
            of!(atb, defaultRope, createRope, updateRope),
            &atb_rope_param { rotaryCoeff: 2, cosFormat: 1 },
            "RopeParam rotaryCoeff=2 cosFormat=1",
            "RopeParam rotaryCoeff=4 cosFormat=0",
        );
        check(
            atb,
            of!(atb, defaultRopeQConcat, createRopeQConcat, updateRopeQConcat),
            &atb_rope_q_concat_param { none: 0 },
            "RopeQConcatParam",
            "RopeQConcatParam",
        );
        check(
            atb,
            of!(atb, defaultMlaPreprocess, createMlaPreprocess, updateMlaPreprocess),
            &atb_mla_preprocess_param {
                wdqDim: 1536,
                qRopeDim: 64,
                kRopeDim: 65,
                epsilon: 0.5,
                qRotaryCoeff: 3,
                kRotaryCoeff: 4,
                transposeWdq: false,
                transposeWuq: false,
                transposeWuk: false,
                cacheMode: 3,
                quantMode: 300,
            },
            "MlaPreprocessParam wdqDim=1536 qRopeDim=64 kRopeDim=65 epsilon=0.5 qRotaryCoeff=3 kRotaryCoeff=4 \
             transposeWdq=0 transposeWuq=0 transposeWuk=0 cacheMode=3 quantMode=300",
            "MlaPreprocessParam wdqDim=0 qRopeDim=0 kRopeDim=0 epsilon=1e-05 qRotaryCoeff=2 kRotaryCoeff=2 \
             transposeWdq=1 transposeWuq=1 transposeWuk=1 cacheMode=0 quantMode=0",
        );
    }
}

#[test]
fn rms_norm_has_three_parts() {
    for atb in all() {
        check(
            atb,
            of!(atb, defaultRmsNorm, createRmsNorm, updateRmsNorm),
            &atb_rms_norm_param {
                layerType: 2,
                normParam: atb_norm_param {
                    quantType: 1,
                    epsilon: 0.125,
                    layerNormEps: 0.0625,
                    rstd: true,
                    precisionMode: 4,
                    modelType: 5,
                    dynamicQuantType: 6,
                },
                preNormParam: atb_residual_norm_param { quantType: 7, epsilon: 0.25, hasBias: true },
                postNormParam: atb_residual_norm_param { quantType: 8, epsilon: 0.5, hasBias: false },
            },
            "RmsNormParam layerType=2 normParam.quantType=1 normParam.epsilon=0.125 normParam.layerNormEps=0.0625 \
             normParam.rstd=1 normParam.precisionMode=4 normParam.modelType=5 normParam.dynamicQuantType=6 \
             preNormParam.quantType=7 preNormParam.epsilon=0.25 preNormParam.hasBias=1 \
             postNormParam.quantType=8 postNormParam.epsilon=0.5 postNormParam.hasBias=0",
            "RmsNormParam layerType=0 normParam.quantType=0 normParam.epsilon=1e-05 normParam.layerNormEps=1e-05 \
             normParam.rstd=0 normParam.precisionMode=0 normParam.modelType=0 normParam.dynamicQuantType=0 \
             preNormParam.quantType=0 preNormParam.epsilon=1e-05 preNormParam.hasBias=0 \
             postNormParam.quantType=0 postNormParam.epsilon=1e-05 postNormParam.hasBias=0",
        );
    }
}

/// What an older version shows of a parameter that has grown since.
fn of_version(atb: &Atb, common: &str, newer: &str) -> String {
    if atb.is_newest() { format!("{common} {newer}") } else { common.to_owned() }
}

#[test]
fn parameters_that_have_grown() {
    for atb in all() {
        let newest = i32::from(atb.is_newest());
        check(
            atb,
            of!(atb, defaultLinear, createLinear, updateLinear),
            &atb_linear_param {
                transposeA: true,
                transposeB: false,
                hasBias: false,
                outDataType: 27,
                enAccum: true,
                matmulType: 255,
                quantMode: 2 * newest,
            },
            &of_version(
                atb,
                "LinearParam transposeA=1 transposeB=0 hasBias=0 outDataType=27 enAccum=1 matmulType=255",
                "quantMode=2",
            ),
            &of_version(
                atb,
                "LinearParam transposeA=0 transposeB=1 hasBias=1 outDataType=-1 enAccum=0 matmulType=0",
                "quantMode=0",
            ),
        );
        check(
            atb,
            of!(atb, defaultMultiLatentAttention, createMultiLatentAttention, updateMultiLatentAttention),
            &atb_multi_latent_attention_param {
                headNum: 128,
                qkScale: 0.5,
                kvHeadNum: 2,
                maskType: 3,
                calcType: 4,
                cacheMode: 1,
                windowSize: 9 * newest as u32,
                maskUseStatusType: newest,
            },
            &of_version(
                atb,
                "MultiLatentAttentionParam headNum=128 qkScale=0.5 kvHeadNum=2 maskType=3 calcType=4 cacheMode=1",
                "windowSize=9 maskUseStatusType=1",
            ),
            &of_version(
                atb,
                "MultiLatentAttentionParam headNum=0 qkScale=1 kvHeadNum=0 maskType=0 calcType=0 cacheMode=0",
                "windowSize=0 maskUseStatusType=0",
            ),
        );
        check(
            atb,
            of!(atb, defaultPagedAttention, createPagedAttention, updatePagedAttention),
            &atb_paged_attention_param {
                headNum: 1,
                qkScale: 0.5,
                kvHeadNum: 2,
                maskType: 3,
                batchRunStatusEnable: true,
                quantType: 4,
                outDataType: 5,
                hasQuantOffset: true,
                compressType: 6,
                calcType: 7,
                scaleType: 8,
                inputLayout: 9,
                mlaVHeadSize: 10,
                qScale: 0.25 * newest as f32,
            },
            &of_version(
                atb,
                "PagedAttentionParam headNum=1 qkScale=0.5 kvHeadNum=2 maskType=3 batchRunStatusEnable=1 quantType=4 \
                 outDataType=5 hasQuantOffset=1 compressType=6 calcType=7 scaleType=8 inputLayout=9 mlaVHeadSize=10",
                "qScale=0.25",
            ),
            &of_version(
                atb,
                "PagedAttentionParam headNum=0 qkScale=1 kvHeadNum=0 maskType=0 batchRunStatusEnable=0 quantType=0 \
                 outDataType=-1 hasQuantOffset=0 compressType=0 calcType=0 scaleType=0 inputLayout=0 mlaVHeadSize=0",
                "qScale=0",
            ),
        );
    }
}

#[test]
fn parameters_with_arrays() {
    for atb in all() {
        let (offsets, size, ints) = ([0_i64, 1 << 33, 2], [-1_i64, 5, 6], [2_i32, 0, 1]);
        check(
            atb,
            of!(atb, defaultSlice, createSlice, updateSlice),
            &atb_slice_param { offsets: offsets.as_ptr(), size: size.as_ptr(), dimNum: 3 },
            "SliceParam offsets=[0,8589934592,2] size=[-1,5,6]",
            "SliceParam offsets=[] size=[]",
        );
        check(
            atb,
            of!(atb, defaultSoftmax, createSoftmax, updateSoftmax),
            &atb_softmax_param { axes: size.as_ptr(), axisNum: 1 },
            "SoftmaxParam axes=[-1]",
            "SoftmaxParam axes=[]",
        );
        let default = check(
            atb,
            of!(atb, defaultSplit, createSplit, updateSplit),
            &atb_split_param { splitDim: 1, splitNum: 3, splitSizes: ints.as_ptr(), splitSizeNum: 3 },
            "SplitParam splitDim=1 splitNum=3 splitSizes=[2,0,1]",
            "SplitParam splitDim=0 splitNum=2 splitSizes=[]",
        );
        assert!(default.splitSizes.is_null());
        check(
            atb,
            of!(atb, defaultTransdata, createTransdata, updateTransdata),
            &atb_transdata_param { transdataType: 2, outCrops: [128, 7168] },
            "TransdataParam transdataType=2 outCrops=[128,7168]",
            "TransdataParam transdataType=0 outCrops=[0,0]",
        );
        check(
            atb,
            of!(atb, defaultTranspose, createTranspose, updateTranspose),
            &atb_transpose_param { perm: ints.as_ptr(), dimNum: 3 },
            "TransposeParam perm=[2,0,1]",
            "TransposeParam perm=[]",
        );
    }
}

#[test]
fn arrays_may_be_as_long_as_the_vectors_of_the_library() {
    for atb in all() {
        let axes: Vec<i64> = (0..300).collect();
        let create = |number| {
            let param = atb_softmax_param { axes: axes.as_ptr(), axisNum: number };
            let mut operation = null_mut();
            let status = call!(atb, createSoftmax, &param, &mut operation);
            if status == 0 {
                atb.destroy(operation);
            }
            status
        };
        // The vectors hold 64 elements inline and 256 at most.
        for number in [64, 65, 256] {
            assert_eq!(create(number), 0, "{number}: {}", atb.message());
            let record = atb.record();
            assert_eq!(record.matches(',').count(), number - 1);
            assert!(record.ends_with(&format!(",{}]", number - 1)), "{record}");
        }
        assert_eq!(create(257), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`SoftmaxParam.axes` has 257 elements, more than ATB's limit of 256");

        let param = atb_slice_param { offsets: axes.as_ptr(), size: std::ptr::null(), dimNum: 2 };
        assert_eq!(call!(atb, createSlice, &param, &mut null_mut()), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`SliceParam.size` is null");
    }
}

#[test]
fn fields_that_a_version_lacks_are_refused_by_name() {
    for atb in all().iter().filter(|atb| !atb.is_newest()) {
        let mut operation = null_mut();
        let refused = |status: atb_status, field: &str, value: &str| {
            assert_eq!(status, ATB_SHIM_UNSUPPORTED);
            let message =
                format!("the ATB that this shim was compiled for does not have {field}, which is {value}");
            assert_eq!(atb.message(), message);
        };
        let mut linear: atb_linear_param = default(atb.table().defaultLinear);
        linear.quantMode = 1;
        refused(call!(atb, createLinear, &linear, &mut operation), "LinearParam.quantMode", "1");
        let mut attention: atb_multi_latent_attention_param =
            default(atb.table().defaultMultiLatentAttention);
        attention.windowSize = 512;
        let status = call!(atb, createMultiLatentAttention, &attention, &mut operation);
        refused(status, "MultiLatentAttentionParam.windowSize", "512");
        attention.windowSize = 0;
        attention.maskUseStatusType = 1;
        let status = call!(atb, createMultiLatentAttention, &attention, &mut operation);
        refused(status, "MultiLatentAttentionParam.maskUseStatusType", "1");
        let mut paged: atb_paged_attention_param = default(atb.table().defaultPagedAttention);
        paged.qScale = 0.5;
        let status = call!(atb, createPagedAttention, &paged, &mut operation);
        refused(status, "PagedAttentionParam.qScale", "0.500000");

        let existing = atb.operation();
        refused(call!(atb, updateLinear, existing, &linear), "LinearParam.quantMode", "1");
        atb.destroy(existing);
        assert!(operation.is_null());
        assert_eq!(atb.alive(), 0);
    }
}

/// The defaults of a parameter.
fn default<C>(function: Default<C>) -> C {
    let mut memory = MaybeUninit::uninit();
    // SAFETY: The pointer is valid, and the function writes all of it.
    unsafe {
        assert_eq!(function.unwrap()(memory.as_mut_ptr()), 0);
        memory.assume_init()
    }
}

#[test]
fn a_value_that_is_too_large_for_its_enumeration_does_not_become_another_one() {
    for atb in all() {
        for value in [256, -1, i32::MAX] {
            let mut linear: atb_linear_param = default(atb.table().defaultLinear);
            linear.matmulType = value;
            assert_eq!(call!(atb, createLinear, &linear, &mut null_mut()), ATB_ERROR_INVALID_PARAM);
            assert_eq!(atb.message(), format!("LinearParam.matmulType has no value {value}"));
        }
    }
}

#[test]
fn an_operation_is_not_updated_with_the_parameter_of_another() {
    for atb in all() {
        let operation = atb.operation();
        let rope = atb_rope_param { rotaryCoeff: 2, cosFormat: 0 };
        assert_eq!(call!(atb, updateRope, operation, &rope), ATB_ERROR_INVALID_PARAM);
        assert_eq!(atb.message(), "", "the library gives no text");
        atb.destroy(operation);
    }
}
