//! Attention of decoding over a paged cache.

use ascendcl::DataType;

c_enum! {
    /// Which mask (`PagedAttentionParam::MaskType`).
    PagedMaskType: i32 {
        /// None (`UNDEFINED`).
        #[default]
        Undefined = 0,
        /// Triangular (`MASK_TYPE_NORM`).
        Norm = 1,
        /// Of ALiBi (`MASK_TYPE_ALIBI`).
        Alibi = 2,
        /// Of parallel decoding (`MASK_TYPE_SPEC`).
        Spec = 3,
        /// A fixed compressed mask, Float16 (`MASK_TYPE_MASK_FREE`, newer than 8.1).
        MaskFree = 4,
        /// Triangular and compressed (`MASK_TYPE_NORM_COMPRESS`, newer than 8.1).
        NormCompress = 5,
    }
}

c_enum! {
    /// How caches and queries are quantised (`PagedAttentionParam::QuantType`).
    PagedQuantType: i32 {
        /// They are 16-bit (`TYPE_QUANT_UNQUANT`).
        #[default]
        Unquant = 0,
        /// The caches are int8 and dequantised (`TYPE_DEQUANT_FUSION`).
        DequantFusion = 1,
        /// All are int8, with given scales (`TYPE_QUANT_QKV_OFFLINE`).
        QuantQkvOffline = 2,
        /// All are int8, with scales that are computed (`TYPE_QUANT_QKV_ONLINE`).
        QuantQkvOnline = 3,
    }
}

c_enum! {
    /// How the caches' heads are compressed (`PagedAttentionParam::CompressType`).
    PagedCompressType: i32 {
        /// They are not (`COMPRESS_TYPE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// By head (`COMPRESS_TYPE_KVHEAD`).
        Kvhead = 1,
        /// By head, with rotary embedding (`COMPRESS_TYPE_KVHEAD_ROPE`).
        KvheadRope = 2,
    }
}

c_enum! {
    /// What is computed (`PagedAttentionParam::CalcType`).
    PagedCalcType: i32 {
        /// One query token for each sequence (`CALC_TYPE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// Several (`CALC_TYPE_SPEC`).
        Spec = 1,
    }
}

c_enum! {
    /// How scores are scaled (`PagedAttentionParam::ScaleType`).
    ScaleType: i32 {
        /// By a constant (`SCALE_TYPE_TOR`).
        #[default]
        Tor = 0,
        /// By the logarithm of the length as well (`SCALE_TYPE_LOGN`).
        Logn = 1,
    }
}

c_enum! {
    /// Order of dimensions (`atb::infer::InputLayout`).
    InputLayout: i32 {
        /// Batch, sequence, heads, size (`TYPE_BSND`).
        #[default]
        Bsnd = 0,
        /// Batch, heads, sequence, size (`TYPE_BNSD`).
        Bnsd = 1,
    }
}

/// Attention of decoding over a paged cache (`atb::infer::PagedAttentionParam`).
///
/// * Inputs: query `[tokens, heads, size]` 16-bit; keyCache and valueCache `[blocks, block size, kv heads, size]` (no valueCache if
///   [`mla_v_head_size`](Self::mla_v_head_size) is set); blockTables `[batch, blocks of the longest]` Int32; contextLens `[batch]`
///   Int32, also on the host ([`input_host`](crate::VariantPack::input_host)); then what the types ask for: mask, batch
///   status, scales, offsets, query lengths (also on the host).
/// * Output: like the query, with the values' size.
///
/// Block tables and lengths are addresses to the device: executions are `unsafe`.
#[derive(Clone, Debug, PartialEq)]
pub struct PagedAttention {
    /// Query heads (`headNum`).
    pub head_num: i32,
    /// Factor of the scores (`qkScale`); 1 by default.
    pub qk_scale: f32,
    /// Key heads (`kvHeadNum`).
    pub kv_head_num: i32,
    /// Which mask (`maskType`).
    pub mask_type: PagedMaskType,
    /// Whether sequences can be switched off by another input (`batchRunStatusEnable`).
    pub batch_run_status_enable: bool,
    /// How caches and queries are quantised (`quantType`).
    pub quant_type: PagedQuantType,
    /// Type of the output, if the query is quantised (`outDataType`).
    pub out_data_type: Option<DataType>,
    /// Whether dequantisation has offsets (`hasQuantOffset`).
    pub has_quant_offset: bool,
    /// How the caches' heads are compressed (`compressType`).
    pub compress_type: PagedCompressType,
    /// What is computed (`calcType`).
    pub calc_type: PagedCalcType,
    /// How scores are scaled (`scaleType`).
    pub scale_type: ScaleType,
    /// Order of dimensions (`inputLayout`).
    pub input_layout: InputLayout,
    /// The values' size where values are the first part of the keys; 0 for a cache of their own (`mlaVHeadSize`).
    pub mla_v_head_size: u32,
    /// Factor of the query; 0 and 1 do nothing (`qScale`, newer than 8.1).
    pub q_scale: f32,
}

impl Default for PagedAttention {
    fn default() -> Self {
        Self {
            head_num: 0,
            qk_scale: 1.0,
            kv_head_num: 0,
            mask_type: PagedMaskType::default(),
            batch_run_status_enable: false,
            quant_type: PagedQuantType::default(),
            out_data_type: None,
            has_quant_offset: false,
            compress_type: PagedCompressType::default(),
            calc_type: PagedCalcType::default(),
            scale_type: ScaleType::default(),
            input_layout: InputLayout::default(),
            mla_v_head_size: 0,
            q_scale: 0.0,
        }
    }
}

impl super::sealed::Sealed for PagedAttention {}
plain_param!(PagedAttention: atb_paged_attention_param, "PagedAttention", addresses: true {
    head_num: headNum,
    qk_scale: qkScale,
    kv_head_num: kvHeadNum,
    mask_type: maskType,
    batch_run_status_enable: batchRunStatusEnable,
    quant_type: quantType,
    out_data_type: outDataType,
    has_quant_offset: hasQuantOffset,
    compress_type: compressType,
    calc_type: calcType,
    scale_type: scaleType,
    input_layout: inputLayout,
    mla_v_head_size: mlaVHeadSize,
    q_scale: qScale,
});
