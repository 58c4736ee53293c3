//! One call of the operation on host memory: what goes in and what comes out, as the implementations see it.
//!
//! 16-bit values are bit patterns of the configuration's [`Dtype`](crate::Dtype).

use crate::config::{CacheMode, Config};
use crate::error::TensorError;

/// Inputs of one call; `tokens` rows each, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Rows in every tensor below.
    pub tokens: usize,
    /// `[tokens, hidden_size]`.
    pub hidden: &'a [u16],
    /// `[tokens, qk_rope_head_dim]`, half layout.
    pub cos: &'a [u16],
    /// `[tokens, qk_rope_head_dim]`, half layout.
    pub sin: &'a [u16],
}

/// Elements of a tensor that is int8 in [`CacheMode::SplitNzInt8`] and 16-bit otherwise.
#[derive(Debug)]
pub enum Elements<'a> {
    /// 16-bit floats, as bit patterns.
    Half(&'a mut [u16]),
    /// Quantised values.
    Int8(&'a mut [i8]),
}

impl Elements<'_> {
    /// Length in elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Half(values) => values.len(),
            Self::Int8(values) => values.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Owned elements of a tensor that is int8 in [`CacheMode::SplitNzInt8`] and 16-bit otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// 16-bit floats, as bit patterns.
    Half(Vec<u16>),
    /// Quantised values.
    Int8(Vec<i8>),
}

impl Values {
    /// Zeros in the form that a cache mode wants.
    pub fn zeros(mode: CacheMode, len: usize) -> Self {
        match mode {
            CacheMode::SplitNzInt8 => Self::Int8(vec![0; len]),
            _ => Self::Half(vec![0; len]),
        }
    }

    /// The elements, to write to.
    pub fn elements(&mut self) -> Elements<'_> {
        match self {
            Self::Half(values) => Elements::Half(values),
            Self::Int8(values) => Elements::Int8(values),
        }
    }
}

/// Outputs of one call.
///
/// Cache rows come for every token in token order, also for tokens whose slot is negative: the caller scatters
/// them by its slot mapping.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// Query: `[tokens, heads, kv_lora_rank + qk_rope_head_dim]` in [`CacheMode::Combined`], else
    /// `[tokens, heads, kv_lora_rank]`.
    pub q_out0: Elements<'a>,
    /// Rotary query `[tokens, heads, qk_rope_head_dim]`; absent in [`CacheMode::Combined`].
    pub q_out1: Option<&'a mut [u16]>,
    /// Cache rows: `[tokens, kv_lora_rank + qk_rope_head_dim]` in [`CacheMode::Combined`], else the latent
    /// `[tokens, kv_lora_rank]`.
    pub kv_rows0: Elements<'a>,
    /// Rotary key rows `[tokens, qk_rope_head_dim]`; absent in [`CacheMode::Combined`].
    pub kv_rows1: Option<&'a mut [u16]>,
}

/// Checks the lengths of inputs and outputs, and that the outputs have the form of the cache mode.
pub(crate) fn check(config: &Config, inputs: &Inputs<'_>, outputs: &Outputs<'_>) -> Result<(), TensorError> {
    let n = inputs.tokens;
    let (heads, rope, latent) = (config.num_heads, config.qk_rope_head_dim, config.kv_lora_rank);
    let product = |tensor: &'static str, factors: &[usize]| {
        factors.iter().try_fold(1usize, |p, f| p.checked_mul(*f)).ok_or_else(|| TensorError {
            tensor,
            what: "length",
            expected: "a length that fits the address space".into(),
            got: format!("{factors:?}"),
        })
    };
    let len = |tensor, factors: &[usize], got| TensorError::check_len(tensor, product(tensor, factors)?, got);
    len("input", &[n, config.hidden_size], inputs.hidden.len())?;
    len("cos", &[n, rope], inputs.cos.len())?;
    len("sin", &[n, rope], inputs.sin.len())?;
    let combined = config.cache_mode == CacheMode::Combined;
    let width0 = if combined { latent + rope } else { latent };
    len("q_out0", &[n, heads, width0], outputs.q_out0.len())?;
    len("kv_cache", &[n, width0], outputs.kv_rows0.len())?;
    let width1 = if combined { 0 } else { rope };
    len("q_out1", &[n, heads, width1], outputs.q_out1.as_ref().map_or(0, |v| v.len()))?;
    len("kv_cache_rope", &[n, width1], outputs.kv_rows1.as_ref().map_or(0, |v| v.len()))?;
    let int8 = config.cache_mode == CacheMode::SplitNzInt8;
    for (tensor, elements) in [("q_out0", &outputs.q_out0), ("kv_cache", &outputs.kv_rows0)] {
        if matches!(elements, Elements::Int8(_)) != int8 {
            return Err(TensorError {
                tensor,
                what: "dtype",
                expected: if int8 { "int8".into() } else { format!("{:?}", config.dtype) },
                got: if int8 { "16-bit".into() } else { "int8".into() },
            });
        }
    }
    Ok(())
}
