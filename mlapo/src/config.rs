//! What the operation is asked to do: the model's dimensions by their names in the Hugging Face config, and the
//! modes of the published operator.

use crate::error::{ConfigError, Error};

/// The 16-bit floating-point type of activations, norms and the key up-projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE half precision.
    Fp16,
    /// bfloat16.
    Bf16,
}

impl Dtype {
    /// The tensor element type.
    pub const fn data_type(self) -> ascendcl::DataType {
        match self {
            Self::Fp16 => ascendcl::DataType::Float16,
            Self::Bf16 => ascendcl::DataType::Bf16,
        }
    }
}

/// How the paged cache stores the latent and the rotary key (`cacheMode` of the published operator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheMode {
    /// Mode 0: one ND cache `[blocks, block_size, 1, kv_lora_rank + qk_rope_head_dim]`.
    Combined,
    /// Mode 1: two ND caches, `[blocks, block_size, 1, kv_lora_rank]` and `[blocks, block_size, 1, qk_rope_head_dim]`.
    Split,
    /// Mode 2: an int8 FRACTAL_NZ latent cache and a 16-bit FRACTAL_NZ rotary cache; the query is int8 too.
    SplitNzInt8,
    /// Mode 3: two 16-bit FRACTAL_NZ caches.
    SplitNz,
}

impl CacheMode {
    /// The number that the published operator's `cacheMode` parameter gives this mode.
    pub const fn number(self) -> u8 {
        match self {
            Self::Combined => 0,
            Self::Split => 1,
            Self::SplitNzInt8 => 2,
            Self::SplitNz => 3,
        }
    }

    /// Whether the caches are stored as FRACTAL_NZ.
    pub const fn is_nz(self) -> bool {
        matches!(self, Self::SplitNzInt8 | Self::SplitNz)
    }
}

/// How activations are quantised before the two int8 projections (`quantMode` of the published operator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantMode {
    /// Mode 0: one static scale and offset for the whole tensor; the projections add an int32 bias.
    PerTensor,
    /// Mode 1: a dynamic symmetric scale for each token; no bias.
    PerToken,
}

impl QuantMode {
    /// The number that the published operator's `quantMode` parameter gives this mode.
    pub const fn number(self) -> u16 {
        match self {
            Self::PerTensor => 0,
            Self::PerToken => 1,
        }
    }
}

/// A validated configuration of the operation.
///
/// Built by [`Config::builder`] or a preset; every field is public to read and checked once, so that
/// everything downstream can rely on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Width of the hidden state.
    pub hidden_size: usize,
    /// Width of the query latent.
    pub q_lora_rank: usize,
    /// Width of the key-value latent.
    pub kv_lora_rank: usize,
    /// Rotary part of a head.
    pub qk_rope_head_dim: usize,
    /// Non-rotary part of a head.
    pub qk_nope_head_dim: usize,
    /// Query heads on this device (after tensor parallelism).
    pub num_heads: usize,
    /// Type of activations, norms, the key up-projection and the 16-bit outputs.
    pub dtype: Dtype,
    /// Layout of the paged cache.
    pub cache_mode: CacheMode,
    /// Quantisation of the activations.
    pub quant_mode: QuantMode,
    /// Added to the mean square in all RMSNorms; 1e-6 by default.
    pub epsilon: f32,
    /// Whether the operation normalises the hidden state before it quantises it. `false`: the hidden state comes
    /// normalised, as inference engines hand it over, and is only quantised.
    pub input_norm: bool,
}

impl Config {
    /// Starts from the dimensions of DeepSeek-V3: 128 heads, bf16, split cache, per-tensor quantisation.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder {
            config: Self {
                hidden_size: 7168,
                q_lora_rank: 1536,
                kv_lora_rank: 512,
                qk_rope_head_dim: 64,
                qk_nope_head_dim: 128,
                num_heads: 128,
                dtype: Dtype::Bf16,
                cache_mode: CacheMode::Split,
                quant_mode: QuantMode::PerTensor,
                epsilon: 1e-6,
                input_norm: true,
            },
        }
    }

    /// DeepSeek-V3, DeepSeek-R1 and DeepSeek-V3.1: hidden 7168, 128 heads, ranks 1536 and 512, head 128 + 64.
    pub fn deepseek_v3() -> ConfigBuilder {
        Self::builder()
    }

    /// Kimi-K2: the dimensions of DeepSeek-V3 with 64 heads.
    pub fn kimi_k2() -> ConfigBuilder {
        Self::builder().num_heads(64)
    }

    /// Width of one head of the up-projected query, `qk_nope_head_dim + qk_rope_head_dim`.
    pub const fn qk_head_dim(&self) -> usize {
        self.qk_nope_head_dim + self.qk_rope_head_dim
    }

    /// Width of a whole cache row, latent then rotary key: `kv_lora_rank + qk_rope_head_dim`.
    pub const fn kv_width(&self) -> usize {
        self.kv_lora_rank + self.qk_rope_head_dim
    }

    /// Output rows of the down-projection: latent, rotary key, query latent.
    pub const fn down_rows(&self) -> usize {
        self.kv_lora_rank + self.qk_rope_head_dim + self.q_lora_rank
    }

    /// Output rows of the up-projection: all heads, each its nope part, then its rope part.
    pub const fn up_rows(&self) -> usize {
        self.num_heads * self.qk_head_dim()
    }
}

/// Sets up a [`Config`]; [`build`](Self::build) checks it as a whole.
#[derive(Clone, Debug)]
pub struct ConfigBuilder {
    config: Config,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.config.$name = $name;
            self
        }
    )*};
}

impl ConfigBuilder {
    setters! {
        /// Width of the hidden state: a multiple of 32.
        hidden_size: usize,
        /// Width of the query latent: a multiple of 32.
        q_lora_rank: usize,
        /// Width of the key-value latent: a multiple of 32.
        kv_lora_rank: usize,
        /// Rotary part of a head: a multiple of 16.
        qk_rope_head_dim: usize,
        /// Non-rotary part of a head: a multiple of 16.
        qk_nope_head_dim: usize,
        /// Query heads on this device: at least one.
        num_heads: usize,
        /// Type of the activations.
        dtype: Dtype,
        /// Layout of the paged cache.
        cache_mode: CacheMode,
        /// Quantisation of the activations.
        quant_mode: QuantMode,
        /// RMSNorm epsilon: finite and not negative.
        epsilon: f32,
        /// Whether the hidden state is normalised here.
        input_norm: bool,
    }

    /// Checks the configuration as a whole.
    ///
    /// # Errors
    /// [`Error::Config`] names the first field that does not fit, what it must be and what it was.
    pub fn build(self) -> Result<Config, Error> {
        let c = &self.config;
        // Every product of dimensions that the implementation forms stays far below 2^63 with this bound, and
        // an int8 inner product of this length stays below 2^31.
        const LARGEST: usize = 1 << 16;
        let multiples = [
            ("hidden_size", c.hidden_size, 32),
            ("q_lora_rank", c.q_lora_rank, 32),
            ("kv_lora_rank", c.kv_lora_rank, 32),
            ("qk_rope_head_dim", c.qk_rope_head_dim, 16),
            ("qk_nope_head_dim", c.qk_nope_head_dim, 16),
            ("num_heads", c.num_heads, 1),
        ];
        for (field, value, multiple) in multiples {
            if value == 0 || value % multiple != 0 || value > LARGEST {
                return Err(ConfigError {
                    field,
                    expected: match multiple {
                        1 => format!("from 1 to {LARGEST}"),
                        _ => format!("a multiple of {multiple} from {multiple} to {LARGEST}"),
                    },
                    got: value.to_string(),
                }
                .into());
            }
        }
        if !(c.epsilon.is_finite() && c.epsilon >= 0.0) {
            return Err(ConfigError {
                field: "epsilon",
                expected: "finite and not negative".into(),
                got: c.epsilon.to_string(),
            }
            .into());
        }
        Ok(self.config)
    }
}
