//! Parameters beside the library's own structures.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Debug;

use ascendcl::{Backend, Runtime};
use atb::param::*;
use atb::{Library, sys};

/// `Default` is what the table's function of defaults answers.
fn same<P: OpParam>(library: &Library) {
    assert_eq!(library.defaults::<P>().unwrap(), P::default(), "{}", P::NAME);
}

#[test]
fn defaults_are_the_librarys() {
    let library = Library::of(&Runtime::with_backend(Backend::Sim).unwrap()).unwrap();
    same::<Activation>(&library);
    same::<Concat>(&library);
    same::<Elewise>(&library);
    same::<Gather>(&library);
    same::<Linear>(&library);
    same::<MlaPreprocess>(&library);
    same::<MultiLatentAttention>(&library);
    same::<PagedAttention>(&library);
    same::<ReshapeAndCache>(&library);
    same::<RmsNorm>(&library);
    same::<Rope>(&library);
    same::<RopeQConcat>(&library);
    same::<Slice>(&library);
    same::<Softmax>(&library);
    same::<Split>(&library);
    same::<Transdata>(&library);
    same::<Transpose>(&library);
}

/// A field that is mixed up with another is another byte in C, so the structure is compared by its text.
fn c_text<P: OpParam<Raw: Debug>>(param: &P) -> String {
    param.with_raw(|raw| format!("{raw:?}"))
}

#[test]
fn every_field_has_its_place_in_c() {
    let elewise = Elewise {
        elewise_type: ElewiseType::DynamicQuant,
        input_scale: 2.5,
        asymmetric: true,
        input_offset: -7,
        var_attr: 0.75,
        out_tensor_type: Some(ascendcl::DataType::Bf16),
    };
    let expected = sys::atb_elewise_param {
        elewiseType: 19,
        inputScale: 2.5,
        asymmetric: true,
        inputOffset: -7,
        varAttr: 0.75,
        outTensorType: 27,
    };
    assert_eq!(c_text(&elewise), format!("{expected:?}"));

    let mla = MlaPreprocess {
        wdq_dim: 1,
        q_rope_dim: 2,
        k_rope_dim: 3,
        epsilon: 4.0,
        q_rotary_coeff: 5,
        k_rotary_coeff: 6,
        transpose_wdq: false,
        transpose_wuq: true,
        transpose_wuk: false,
        cache_mode: CacheMode::Int8Nzcache,
        quant_mode: MlaQuantMode::PerTokenQuantSymm,
    };
    let expected = sys::atb_mla_preprocess_param {
        wdqDim: 1,
        qRopeDim: 2,
        kRopeDim: 3,
        epsilon: 4.0,
        qRotaryCoeff: 5,
        kRotaryCoeff: 6,
        transposeWdq: false,
        transposeWuq: true,
        transposeWuk: false,
        cacheMode: 2,
        quantMode: 1,
    };
    assert_eq!(c_text(&mla), format!("{expected:?}"));

    let linear = Linear {
        transpose_a: true,
        transpose_b: false,
        has_bias: false,
        out_data_type: Some(ascendcl::DataType::Float16),
        en_accum: true,
        matmul_type: MatmulType::EinSum,
        quant_mode: LinearQuantMode::PerToken,
    };
    let expected = sys::atb_linear_param {
        transposeA: true,
        transposeB: false,
        hasBias: false,
        outDataType: 1,
        enAccum: true,
        matmulType: 1,
        quantMode: 2,
    };
    assert_eq!(c_text(&linear), format!("{expected:?}"));

    let norm = RmsNorm {
        layer_type: RmsNormType::Postnorm,
        norm_param: NormParam {
            quant_type: QuantType::Int8,
            epsilon: 0.25,
            layer_norm_eps: 0.5,
            rstd: true,
            precision_mode: PrecisionMode::HighPerformance,
            model_type: ModelType::Gemma,
            dynamic_quant_type: DynamicQuantType::Symmetric,
        },
        pre_norm_param: ResidualNormParam { quant_type: QuantType::Int4, epsilon: 1.0, has_bias: true },
        post_norm_param: ResidualNormParam { quant_type: QuantType::Float16, epsilon: 2.0, has_bias: false },
    };
    let expected = sys::atb_rms_norm_param {
        layerType: 3,
        normParam: sys::atb_norm_param {
            quantType: 2,
            epsilon: 0.25,
            layerNormEps: 0.5,
            rstd: true,
            precisionMode: 1,
            modelType: 1,
            dynamicQuantType: 1,
        },
        preNormParam: sys::atb_residual_norm_param { quantType: 1, epsilon: 1.0, hasBias: true },
        postNormParam: sys::atb_residual_norm_param { quantType: 5, epsilon: 2.0, hasBias: false },
    };
    assert_eq!(c_text(&norm), format!("{expected:?}"));

    let paged = PagedAttention {
        head_num: 1,
        qk_scale: 2.0,
        kv_head_num: 3,
        mask_type: PagedMaskType::MaskFree,
        batch_run_status_enable: true,
        quant_type: PagedQuantType::QuantQkvOnline,
        out_data_type: None,
        has_quant_offset: true,
        compress_type: PagedCompressType::KvheadRope,
        calc_type: PagedCalcType::Spec,
        scale_type: ScaleType::Logn,
        input_layout: InputLayout::Bnsd,
        mla_v_head_size: 512,
        q_scale: 0.5,
    };
    let expected = sys::atb_paged_attention_param {
        headNum: 1,
        qkScale: 2.0,
        kvHeadNum: 3,
        maskType: 4,
        batchRunStatusEnable: true,
        quantType: 3,
        outDataType: -1,
        hasQuantOffset: true,
        compressType: 2,
        calcType: 1,
        scaleType: 1,
        inputLayout: 1,
        mlaVHeadSize: 512,
        qScale: 0.5,
    };
    assert_eq!(c_text(&paged), format!("{expected:?}"));

    let latent = MultiLatentAttention {
        head_num: 1,
        qk_scale: 2.0,
        kv_head_num: 3,
        mask_type: MlaMaskType::SwaNorm,
        calc_type: MlaCalcType::Prefill,
        cache_mode: CacheMode::Nzcache,
        window_size: 6,
        mask_use_status_type: MaskUseStatusType::BatchMask,
    };
    let expected = sys::atb_multi_latent_attention_param {
        headNum: 1,
        qkScale: 2.0,
        kvHeadNum: 3,
        maskType: 4,
        calcType: 4,
        cacheMode: 3,
        windowSize: 6,
        maskUseStatusType: 1,
    };
    assert_eq!(c_text(&latent), format!("{expected:?}"));
}

#[test]
fn arrays_are_the_parameters_own() {
    let split = Split { split_dim: 1, split_num: 3, split_sizes: vec![512, 64, 1536] };
    split.with_raw(|raw| {
        assert_eq!((raw.splitDim, raw.splitNum, raw.splitSizeNum), (1, 3, 3));
        assert_eq!(raw.splitSizes, split.split_sizes.as_ptr());
    });
}
