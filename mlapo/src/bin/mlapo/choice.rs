//! Words that options take.

use clap::ValueEnum;
use mlapo::reference::Order;
use mlapo::{Backend, CacheMode, Dtype, Launches, QuantMode};

/// Type of activations, norms and key up-projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DtypeChoice {
    /// bfloat16
    Bf16,
    /// IEEE half precision
    Fp16,
}

/// Layout of the paged cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheChoice {
    /// One cache, latent and rotary key in one row (`cacheMode` 0)
    Combined,
    /// One cache for the latent and one for the rotary key (`cacheMode` 1)
    Split,
    /// As split-nz, with query and latent quantised to int8 (`cacheMode` 2)
    SplitNzInt8,
    /// Two caches in FRACTAL_NZ blocks (`cacheMode` 3)
    SplitNz,
}

/// Quantisation of the activations before the int8 projections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QuantChoice {
    /// A static scale and zero point for the tensor, and an int32 bias (`quantMode` 0; W8A8)
    PerTensor,
    /// A dynamic scale for each token, no bias (`quantMode` 1; W8A8_DYNAMIC)
    PerToken,
}

/// Storage of the key up-projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WukChoice {
    /// Row-major
    Nd,
    /// FRACTAL_NZ
    Nz,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// The kernel if it takes the shape, else host
    Auto,
    /// The fused kernel on the device's AI cores
    Kernel,
    /// ATB's MlaPreprocess, the vendor's operator
    Atb,
    /// The small operators that the fused ones replace, as one graph of ATB's
    Unfused,
    /// The same, launched one by one
    UnfusedSingle,
    /// The host's processors: threads and SIMD
    Host,
    /// The plain implementation that the others are judged by; slow
    Reference,
}

impl From<BackendChoice> for Backend {
    fn from(choice: BackendChoice) -> Self {
        match choice {
            BackendChoice::Auto => Self::Auto,
            BackendChoice::Kernel => Self::Kernel,
            BackendChoice::Atb => Self::Atb,
            BackendChoice::Unfused => Self::Unfused(Launches::Graph),
            BackendChoice::UnfusedSingle => Self::Unfused(Launches::Single),
            BackendChoice::Host => Self::Host,
            BackendChoice::Reference => Self::Reference(Order::Kernel),
        }
    }
}

impl From<DtypeChoice> for Dtype {
    fn from(choice: DtypeChoice) -> Self {
        match choice {
            DtypeChoice::Bf16 => Self::Bf16,
            DtypeChoice::Fp16 => Self::Fp16,
        }
    }
}

impl From<CacheChoice> for CacheMode {
    fn from(choice: CacheChoice) -> Self {
        match choice {
            CacheChoice::Combined => Self::Combined,
            CacheChoice::Split => Self::Split,
            CacheChoice::SplitNzInt8 => Self::SplitNzInt8,
            CacheChoice::SplitNz => Self::SplitNz,
        }
    }
}

impl From<QuantChoice> for QuantMode {
    fn from(choice: QuantChoice) -> Self {
        match choice {
            QuantChoice::PerTensor => Self::PerTensor,
            QuantChoice::PerToken => Self::PerToken,
        }
    }
}

/// The word of a data type.
pub fn dtype_word(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Bf16 => "bf16",
        Dtype::Fp16 => "fp16",
    }
}

/// The word of a cache mode.
pub fn cache_word(mode: CacheMode) -> &'static str {
    match mode {
        CacheMode::Combined => "combined",
        CacheMode::Split => "split",
        CacheMode::SplitNzInt8 => "split-nz-int8",
        CacheMode::SplitNz => "split-nz",
    }
}

/// The word of a quantisation.
pub fn quant_word(mode: QuantMode) -> &'static str {
    match mode {
        QuantMode::PerTensor => "per-tensor",
        QuantMode::PerToken => "per-token",
    }
}

/// A configuration as JSON, by the names of its fields.
pub fn config_json(config: &mlapo::Config) -> serde_json::Value {
    serde_json::json!({
        "hidden_size": config.hidden_size,
        "q_lora_rank": config.q_lora_rank,
        "kv_lora_rank": config.kv_lora_rank,
        "qk_rope_head_dim": config.qk_rope_head_dim,
        "qk_nope_head_dim": config.qk_nope_head_dim,
        "num_heads": config.num_heads,
        "dtype": dtype_word(config.dtype),
        "cache": cache_word(config.cache_mode),
        "quant": quant_word(config.quant_mode),
        "epsilon": config.epsilon,
        "input_norm": config.input_norm,
    })
}
