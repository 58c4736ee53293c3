//! What comes before multi-head latent attention, in one operation.

c_enum! {
    /// How the latent cache is stored (`MlaPreprocessParam::CacheMode`, `MultiLatentAttentionParam::CacheMode`).
    CacheMode: u8 {
        /// Latent and rotary part in one tensor `[blocks, block size, 1, 576]` (`KVCACHE`).
        #[default]
        Kvcache = 0,
        /// Two tensors, `[blocks, block size, 1, 512]` and [.., 64] (`KROPE_CTKV`).
        KropeCtkv = 1,
        /// Two tensors in fractals: Int8 `[blocks, 16, 128, 32]`, and 16-bit `[blocks, 4, 128, 16]` (`INT8_NZCACHE`).
        Int8Nzcache = 2,
        /// Two 16-bit tensors in fractals, `[blocks, 32, 128, 16]` and `[blocks, 4, 128, 16]` (`NZCACHE`).
        Nzcache = 3,
    }
}

c_enum! {
    /// How the normalised activations are quantised (`MlaPreprocessParam::QuantMode`).
    MlaQuantMode: u16 {
        /// With one given scale and offset (`PER_TENSOR_QUANT_ASYMM`).
        #[default]
        PerTensorQuantAsymm = 0,
        /// With a scale for each token, which is computed (`PER_TOKEN_QUANT_SYMM`).
        PerTokenQuantSymm = 1,
        /// The library refuses it (`PER_TOKEN_QUANT_ASYMM`).
        PerTokenQuantAsymm = 2,
        /// The library refuses it (`UNQUANT`).
        Unquant = 3,
    }
}

/// What comes before multi-head latent attention, in one operation (`atb::infer::MlaPreprocessParam`): two norms with
/// quantisation, three matrix products, rotary embedding, and the write into the paged cache.
///
/// "fp" is Float16 or Bf16. `n` tokens (at most 1024), `h` heads; a hidden size other than 7168 needs `aclnnMlaPreprocess` in
/// the installed toolkit.
///
/// | input | | shape | type |
/// |--|--|--|--|
/// | 0 | input | `[n, 7168]` | fp |
/// | 1, 2 | gamma0, beta0 | `[7168]` | fp |
/// | 3, 4 | quantScale0, quantOffset0 | `[1]` | fp, Int8; left out for per-token |
/// | 5 | wdqkv | FRACTAL_NZ `[1, 224, 2112, 32]` | Int8 |
/// | 6 | deScale0 | `[2112]` | Float32; Int64 for Float16 per-tensor |
/// | 7 | bias0 | `[2112]` | Int32; left out for per-token |
/// | 8, 9 | gamma1, beta1 | `[1536]` | fp |
/// | 10, 11 | quantScale1, quantOffset1 | `[1]` | as 3, 4 |
/// | 12 | wuq | FRACTAL_NZ `[1, 48, h · 192, 32]` | Int8 |
/// | 13, 14 | deScale1, bias1 | `[h · 192]` | as 6, 7 |
/// | 15 | gamma2 | `[512]` | fp |
/// | 16, 17 | cos, sin | `[n, 64]` | fp |
/// | 18 | wuk | `[h, 128, 512]`, or FRACTAL_NZ `[h, 32, 128, 16]` | fp |
/// | 19, 20 | kvCache, kvCacheRope | see [`CacheMode`] | 20 is left out for [`CacheMode::Kvcache`] |
/// | 21 | slotmapping | `[n]` | Int32 |
/// | 22, 23 | ctkvScale, qNopeScale | `[1]`, `[h]` | fp; left out but for [`CacheMode::Int8Nzcache`] |
///
/// Outputs: for [`CacheMode::Kvcache`] the query `[n, h, 576]` and the cache; else the latent query `[n, h, 512]` (Int8 for
/// [`CacheMode::Int8Nzcache`]), the cache, the rotary query `[n, h, 64]` and the rotary cache. The caches are the inputs 19 and
/// 20, which must be given by [`updated`](crate::VariantPack::updated).
///
/// Slots are addresses to the device, and the library does not check the shapes of the inputs 5, 7, 12, 14, 22 and 23, nor the
/// last dimensions of 18, 19 and 20 (ATB's source mla_preprocess_operation.cpp): executions are `unsafe`. A slot is -1 for a
/// token without a place; no other negative number is allowed.
///
/// The fields but [`cache_mode`](Self::cache_mode) and [`quant_mode`](Self::quant_mode) are not used by the library's own
/// kernel, whose epsilon is 1e-6 whatever [`epsilon`](Self::epsilon) says.
#[derive(Clone, Debug, PartialEq)]
pub struct MlaPreprocess {
    /// Not used (`wdqDim`).
    pub wdq_dim: u32,
    /// Not used (`qRopeDim`).
    pub q_rope_dim: u32,
    /// Not used (`kRopeDim`).
    pub k_rope_dim: u32,
    /// Used with `aclnnMlaPreprocess` only (`epsilon`); 1e-5 by default.
    pub epsilon: f32,
    /// Not used (`qRotaryCoeff`); 2 by default.
    pub q_rotary_coeff: i32,
    /// Not used (`kRotaryCoeff`); 2 by default.
    pub k_rotary_coeff: i32,
    /// Not used (`transposeWdq`); true by default.
    pub transpose_wdq: bool,
    /// Not used (`transposeWuq`); true by default.
    pub transpose_wuq: bool,
    /// Not used (`transposeWuk`); true by default.
    pub transpose_wuk: bool,
    /// How the cache is stored (`cacheMode`).
    pub cache_mode: CacheMode,
    /// How activations are quantised (`quantMode`).
    pub quant_mode: MlaQuantMode,
}

impl Default for MlaPreprocess {
    fn default() -> Self {
        Self {
            wdq_dim: 0,
            q_rope_dim: 0,
            k_rope_dim: 0,
            epsilon: 1e-5,
            q_rotary_coeff: 2,
            k_rotary_coeff: 2,
            transpose_wdq: true,
            transpose_wuq: true,
            transpose_wuk: true,
            cache_mode: CacheMode::default(),
            quant_mode: MlaQuantMode::default(),
        }
    }
}

impl super::sealed::Sealed for MlaPreprocess {
    fn updates(&self) -> Vec<(usize, usize)> {
        match self.cache_mode {
            CacheMode::Kvcache => vec![(1, 19)],
            _ => vec![(1, 19), (3, 20)],
        }
    }
}
plain_param!(MlaPreprocess: atb_mla_preprocess_param, "MlaPreprocess", addresses: true {
    wdq_dim: wdqDim,
    q_rope_dim: qRopeDim,
    k_rope_dim: kRopeDim,
    epsilon: epsilon,
    q_rotary_coeff: qRotaryCoeff,
    k_rotary_coeff: kRotaryCoeff,
    transpose_wdq: transposeWdq,
    transpose_wuq: transposeWuq,
    transpose_wuk: transposeWuk,
    cache_mode: cacheMode,
    quant_mode: quantMode,
});
