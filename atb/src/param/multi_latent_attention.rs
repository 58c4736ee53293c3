//! Multi-head latent attention over the paged cache.

use super::CacheMode;

c_enum! {
    /// Which mask (`MultiLatentAttentionParam::MaskType`).
    MlaMaskType: i32 {
        /// None (`UNDEFINED`).
        #[default]
        Undefined = 0,
        /// For more than one query token (`MASK_TYPE_SPEC`).
        Spec = 1,
        /// A fixed compressed mask (`MASK_TYPE_MASK_FREE`).
        MaskFree = 2,
        /// Causal, made by the operation (`MASK_TYPE_CAUSAL_MASK`).
        CausalMask = 3,
        /// Of a sliding window (`MASK_TYPE_SWA_NORM`, newer than 8.1).
        SwaNorm = 4,
    }
}

c_enum! {
    /// What is computed (`MultiLatentAttentionParam::CalcType`).
    MlaCalcType: i32 {
        /// Decoding of one token for each sequence (`CALC_TYPE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// Decoding of several tokens (`CALC_TYPE_SPEC`).
        Spec = 1,
        /// Ring attention, with the log-sum-exp as a second output (`CALC_TYPE_RING`).
        Ring = 2,
        /// Both (`CALC_TYPE_SPEC_AND_RING`).
        SpecAndRing = 3,
        /// Prefill (`CALC_TYPE_PREFILL`).
        Prefill = 4,
    }
}

c_enum! {
    /// Whether a mask is used for each sequence by itself (`MultiLatentAttentionParam::MaskUseStatusType`, newer than 8.1).
    MaskUseStatusType: i32 {
        /// It is not (`MASK_USE_STATUS_TYPE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// It is, by another input (`MASK_USE_STATUS_TYPE_BATCH_MASK`).
        BatchMask = 1,
    }
}

/// Multi-head latent attention over the paged cache (`atb::infer::MultiLatentAttentionParam`).
///
/// * Inputs: qNope `[tokens, heads, 512]` and qRope `[tokens, heads, 64]` 16-bit (the former Int8 for
///   [`CacheMode::Int8Nzcache`]); the caches of latent and rotary keys, see [`CacheMode`]; blockTables [batch, blocks of the
///   longest] Int32; contextLens `[batch]` Int32, also on the host ([`input_host`](crate::VariantPack::input_host)); then what the
///   types ask for: mask, query lengths (also on the host), scales of query and key for `Int8Nzcache` `[heads]` Float32.
/// * Outputs: `[tokens, heads, 512]`, and for ring attention the log-sum-exp `[tokens, heads, 1]`.
///
/// Block tables and lengths are addresses to the device: executions are `unsafe`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiLatentAttention {
    /// Query heads (`headNum`).
    pub head_num: i32,
    /// Factor of the scores (`qkScale`); 1 by default.
    pub qk_scale: f32,
    /// Key heads: 1 (`kvHeadNum`).
    pub kv_head_num: i32,
    /// Which mask (`maskType`).
    pub mask_type: MlaMaskType,
    /// What is computed (`calcType`).
    pub calc_type: MlaCalcType,
    /// How the cache is stored (`cacheMode`).
    pub cache_mode: CacheMode,
    /// Tokens of the sliding window (`windowSize`, newer than 8.1).
    pub window_size: u32,
    /// Whether a mask is used for each sequence by itself (`maskUseStatusType`, newer than 8.1).
    pub mask_use_status_type: MaskUseStatusType,
}

impl Default for MultiLatentAttention {
    fn default() -> Self {
        Self {
            head_num: 0,
            qk_scale: 1.0,
            kv_head_num: 0,
            mask_type: MlaMaskType::default(),
            calc_type: MlaCalcType::default(),
            cache_mode: CacheMode::default(),
            window_size: 0,
            mask_use_status_type: MaskUseStatusType::default(),
        }
    }
}

impl super::sealed::Sealed for MultiLatentAttention {}
plain_param!(MultiLatentAttention: atb_multi_latent_attention_param, "MultiLatentAttention", addresses: true {
    head_num: headNum,
    qk_scale: qkScale,
    kv_head_num: kvHeadNum,
    mask_type: maskType,
    calc_type: calcType,
    cache_mode: cacheMode,
    window_size: windowSize,
    mask_use_status_type: maskUseStatusType,
});
