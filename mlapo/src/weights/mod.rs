//! The operation's weights on the host, in the operator's logical layout.
//!
//! 16-bit values are bit patterns of the configuration's [`Dtype`](crate::Dtype).

mod fractal;
mod random;

use crate::config::{Config, QuantMode};
use crate::error::{Error, TensorError};

/// A norm's scale and shift, each as wide as the rows that it normalises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Norm {
    /// Scale.
    pub gamma: Vec<u16>,
    /// Shift; zeros where the checkpoint has none.
    pub beta: Vec<u16>,
}

/// How the input of a projection is quantised, with what only that mode needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivationQuant {
    /// `q = rint(x / scale + offset)`; the bias is added to the int32 product.
    PerTensor {
        /// Scale of the activation, a 16-bit float.
        scale: u16,
        /// Zero point.
        offset: i8,
        /// One int32 for each output row.
        bias: Vec<i32>,
    },
    /// `q = rint(x / s)` with `s = max|x| / 127` of the token.
    PerToken,
}

/// An int8 projection, output-major: row `r` holds the weights of output `r`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// `[rows, columns]`, row-major.
    pub weight: Vec<i8>,
    /// One de-quantisation scale for each output row.
    pub descale: Vec<f32>,
    /// Quantisation of the input.
    pub input: ActivationQuant,
}

/// Scales of the int8 cache mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheScales {
    /// The latent is divided by this (`ctkv_scale`, 16-bit float).
    pub ctkv_scale: u16,
    /// The query is multiplied by this, one for each head (`q_nope_scale`, 16-bit floats).
    pub q_nope_scale: Vec<u16>,
}

/// All weights of one layer's operation, checked against a [`Config`] by [`Weights::check`].
///
/// Rows of `down` are ordered latent, rotary key, query latent; the rotary rows are in half layout (all even
/// components, then all odd ones), as the operator wants them.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// `gamma0`, `beta0`: present exactly when the configuration has `input_norm`.
    pub input_norm: Option<Norm>,
    /// `wdqkv` `[down_rows, hidden_size]`.
    pub down: Projection,
    /// `gamma1`, `beta1` of width `q_lora_rank`.
    pub q_norm: Norm,
    /// `wuq` `[up_rows, q_lora_rank]`.
    pub up: Projection,
    /// `gamma2` of width `kv_lora_rank`.
    pub kv_gamma: Vec<u16>,
    /// `wuk` `[num_heads, qk_nope_head_dim, kv_lora_rank]`, ND, row-major.
    pub wuk: Vec<u16>,
    /// Present exactly in cache mode [`SplitNzInt8`](crate::CacheMode::SplitNzInt8).
    pub cache_scales: Option<CacheScales>,
}

impl Weights {
    /// Checks every tensor's presence and length against the configuration.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first tensor that does not fit.
    pub fn check(&self, config: &Config) -> Result<(), Error> {
        let len = TensorError::check_len;
        presence("gamma0", config.input_norm, self.input_norm.is_some())?;
        if let Some(norm) = &self.input_norm {
            len("gamma0", config.hidden_size, norm.gamma.len())?;
            len("beta0", config.hidden_size, norm.beta.len())?;
        }
        self.down.check(
            ["wdqkv", "descale0", "bias0"],
            config.quant_mode,
            config.down_rows(),
            config.hidden_size,
        )?;
        len("gamma1", config.q_lora_rank, self.q_norm.gamma.len())?;
        len("beta1", config.q_lora_rank, self.q_norm.beta.len())?;
        self.up.check(
            ["wuq", "descale1", "bias1"],
            config.quant_mode,
            config.up_rows(),
            config.q_lora_rank,
        )?;
        len("gamma2", config.kv_lora_rank, self.kv_gamma.len())?;
        len("wuk", config.num_heads * config.qk_nope_head_dim * config.kv_lora_rank, self.wuk.len())?;
        let int8 = config.cache_mode == crate::CacheMode::SplitNzInt8;
        presence("ctkv_scale", int8, self.cache_scales.is_some())?;
        if let Some(scales) = &self.cache_scales {
            len("q_nope_scale", config.num_heads, scales.q_nope_scale.len())?;
        }
        Ok(())
    }
}

impl Projection {
    fn check(
        &self,
        [weight, descale, bias]: [&'static str; 3],
        mode: QuantMode,
        rows: usize,
        columns: usize,
    ) -> Result<(), TensorError> {
        TensorError::check_len(weight, rows * columns, self.weight.len())?;
        TensorError::check_len(descale, rows, self.descale.len())?;
        match (&self.input, mode) {
            (ActivationQuant::PerTensor { bias: values, .. }, QuantMode::PerTensor) => {
                TensorError::check_len(bias, rows, values.len())
            }
            (ActivationQuant::PerToken, QuantMode::PerToken) => Ok(()),
            (got, expected) => Err(TensorError {
                tensor: weight,
                what: "input quantisation",
                expected: format!("{expected:?}"),
                got: match got {
                    ActivationQuant::PerTensor { .. } => "PerTensor".into(),
                    ActivationQuant::PerToken => "PerToken".into(),
                },
            }),
        }
    }
}

fn presence(tensor: &'static str, expected: bool, got: bool) -> Result<(), TensorError> {
    if expected == got { Ok(()) } else { Err(TensorError::presence(tensor, expected, got)) }
}
