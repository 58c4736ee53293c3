//! One layer of a checkpoint as the operation's weights.

use std::ops::Range;

use super::error::CheckpointError;
use super::layer::{Layer, StaticInput};
use super::{Checkpoint, Progress, prepare};
use crate::{ActivationQuant, CacheMode, CacheScales, Config, Dtype, Projection, QuantMode, Weights};

/// Which query heads to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heads {
    /// All heads of the model.
    All,
    /// These heads of the model.
    Range(Range<usize>),
    /// The share of one rank under tensor parallelism: `heads / size` consecutive heads.
    Rank {
        /// This rank, from 0.
        rank: usize,
        /// Ranks in all; divides the number of heads.
        size: usize,
    },
}

/// Scales of the int8 cache mode, which no checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheScaleValues {
    /// The latent is divided by this.
    pub ctkv_scale: f32,
    /// The query is multiplied by this: one value for each head of the whole model.
    pub q_nope_scale: Vec<f32>,
}

/// What to load, and as what.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// Type of activations, norms and `wuk`; `None`: the checkpoint's own. Stored tensors of another type are
    /// converted through f32 with rounding to nearest even; a value that the type cannot hold is an error.
    pub dtype: Option<Dtype>,
    /// Query heads.
    pub heads: Heads,
    /// Layout of the cache.
    pub cache_mode: CacheMode,
    /// Given exactly with [`CacheMode::SplitNzInt8`].
    pub cache_scales: Option<CacheScaleValues>,
    /// Quantisation of the activations; `None`: as the checkpoint was quantised. A static checkpoint that also
    /// keeps its `weight_scale` can be loaded either way.
    pub quant_mode: Option<QuantMode>,
    /// Whether the operation normalises the hidden state; `false` leaves `input_layernorm` unread.
    pub input_norm: bool,
}

impl Default for LoadOptions {
    /// All heads, split cache, input norm; type and quantisation of the checkpoint.
    fn default() -> Self {
        Self {
            dtype: None,
            heads: Heads::All,
            cache_mode: CacheMode::Split,
            cache_scales: None,
            quant_mode: None,
            input_norm: true,
        }
    }
}

impl Checkpoint {
    /// Loads the weights of one layer, prepared for the operation, with the configuration that they fit.
    ///
    /// `progress` is called after each of the four weight matrices.
    ///
    /// # Errors
    /// [`CheckpointError`] with the file and the tensor (or the option) that is missing or does not fit. The
    /// two down-projections must have the same input scale and offset, as they share their input.
    pub fn load_layer(
        &self,
        layer: usize,
        options: &LoadOptions,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<(Config, Weights), CheckpointError> {
        let model = &self.model;
        let heads = options.heads.of(model.num_heads)?;
        let dtype = options.dtype.unwrap_or(model.dtype);
        let cache_scales = options.cache_scales(model.num_heads, &heads, dtype)?;
        let source = Layer::open(self, layer)?;
        let stored_mode = if source.has("self_attn.q_a_proj.deq_scale") {
            QuantMode::PerTensor
        } else {
            QuantMode::PerToken
        };
        let mode = options.quant_mode.unwrap_or(stored_mode);
        let config = model
            .operation()
            .num_heads(heads.len())
            .dtype(dtype)
            .cache_mode(options.cache_mode)
            .quant_mode(mode)
            .input_norm(options.input_norm)
            .build()
            .map_err(CheckpointError::operation(self.index.source()))?;
        let done = std::cell::Cell::new(0);
        let report = |tensor: &str, bytes: usize| {
            done.set(done.get() + bytes as u64);
            progress(Progress { tensor, bytes: done.get(), total: model.matrix_bytes() });
        };
        let prepared = |error| CheckpointError::operation(self.index.source())(error);

        let (hidden, rope, nope) = (model.hidden_size, model.qk_rope_head_dim, model.qk_nope_head_dim);
        let q_a = source.projection("q_a_proj", model.q_lora_rank, hidden, mode)?;
        let kv_a = source.projection("kv_a_proj_with_mqa", model.kv_lora_rank + rope, hidden, mode)?;
        let down = Projection {
            weight: prepare::down(kv_a.weight, q_a.weight, hidden, rope).map_err(prepared)?,
            descale: prepare::down(&kv_a.descale, &q_a.descale, 1, rope).map_err(prepared)?,
            input: match (&q_a.input, &kv_a.input) {
                (Some(q), Some(kv)) => {
                    same_input(q, kv)?;
                    ActivationQuant::PerTensor {
                        scale: q.half_scale(dtype)?,
                        offset: q.offset,
                        bias: prepare::down(&kv.bias, &q.bias, 1, rope).map_err(prepared)?,
                    }
                }
                _ => ActivationQuant::PerToken,
            },
        };
        report("q_a_proj", q_a.weight.len());
        report("kv_a_proj_with_mqa", kv_a.weight.len());

        let q_b =
            source.projection("q_b_proj", model.num_heads * model.qk_head_dim(), model.q_lora_rank, mode)?;
        let up = Projection {
            weight: prepare::up(q_b.weight, model.q_lora_rank, heads.clone(), nope, rope)
                .map_err(prepared)?,
            descale: prepare::up(&q_b.descale, 1, heads.clone(), nope, rope).map_err(prepared)?,
            input: match &q_b.input {
                Some(input) => ActivationQuant::PerTensor {
                    scale: input.half_scale(dtype)?,
                    offset: input.offset,
                    bias: prepare::up(&input.bias, 1, heads.clone(), nope, rope).map_err(prepared)?,
                },
                None => ActivationQuant::PerToken,
            },
        };
        report("q_b_proj", q_b.weight.len());

        let (latent, v) = (model.kv_lora_rank, model.v_head_dim);
        let kv_b = source.tensor("self_attn.kv_b_proj.weight")?;
        let kv_b = kv_b.of_shape(&[&[model.num_heads * (nope + v), latent]])?.halves(dtype)?;
        let wuk = prepare::key_up(&kv_b, latent, heads, nope, v).map_err(prepared)?;
        report("kv_b_proj", 2 * kv_b.len());

        let input_norm = || source.norm("input_layernorm", hidden, dtype);
        let weights = Weights {
            input_norm: options.input_norm.then(input_norm).transpose()?,
            down,
            q_norm: source.norm("self_attn.q_a_layernorm", model.q_lora_rank, dtype)?,
            up,
            kv_gamma: source.kv_gamma(latent, dtype)?,
            wuk,
            cache_scales,
        };
        weights.check(&config).map_err(CheckpointError::operation(self.index.source()))?;
        Ok((config, weights))
    }
}

impl Heads {
    /// As a range of a model's heads.
    fn of(&self, all: usize) -> Result<Range<usize>, CheckpointError> {
        let error =
            |expected| CheckpointError::Option { option: "heads", expected, got: format!("{self:?}") };
        match self {
            Self::All => Ok(0..all),
            Self::Range(range) if range.start < range.end && range.end <= all => Ok(range.clone()),
            Self::Range(_) => Err(error(format!("a range within 0..{all} that is not empty"))),
            Self::Rank { rank, size } if rank < size && all.is_multiple_of(*size) => {
                let share = all / size;
                Ok(rank * share..(rank + 1) * share)
            }
            Self::Rank { .. } => Err(error(format!("a rank below a size that divides {all} heads"))),
        }
    }
}

impl LoadOptions {
    fn cache_scales(
        &self,
        all_heads: usize,
        heads: &Range<usize>,
        dtype: Dtype,
    ) -> Result<Option<CacheScales>, CheckpointError> {
        let error = |option, expected: String, got: String| CheckpointError::Option { option, expected, got };
        let int8 = self.cache_mode == CacheMode::SplitNzInt8;
        let Some(values) = &self.cache_scales else {
            if int8 {
                let expected = "given for the int8 cache mode: a checkpoint does not hold these scales";
                return Err(error("cache_scales", expected.into(), "none".into()));
            }
            return Ok(None);
        };
        if !int8 {
            let got = format!("scales with {:?}", self.cache_mode);
            return Err(error("cache_scales", "none without the int8 cache mode".into(), got));
        }
        let half = |option, value: f32| {
            let bits = prepare::to_half(value, dtype);
            if is_usable_scale(bits, dtype) {
                return Ok(bits);
            }
            Err(error(option, format!("finite and not zero in {dtype:?}"), value.to_string()))
        };
        let of_heads = match values.q_nope_scale.get(heads.clone()) {
            Some(scales) if values.q_nope_scale.len() == all_heads => scales,
            _ => {
                let got = format!("{} values", values.q_nope_scale.len());
                return Err(error("cache_scales.q_nope_scale", format!("{all_heads} values"), got));
            }
        };
        Ok(Some(CacheScales {
            ctkv_scale: half("cache_scales.ctkv_scale", values.ctkv_scale)?,
            q_nope_scale: of_heads
                .iter()
                .map(|value| half("cache_scales.q_nope_scale", *value))
                .collect::<Result<_, _>>()?,
        }))
    }
}

impl StaticInput<'_> {
    /// The scale as the operation takes it: rounded to the activations' type, as the engines do.
    fn half_scale(&self, dtype: Dtype) -> Result<u16, CheckpointError> {
        let bits = prepare::to_half(self.scale, dtype);
        if is_usable_scale(bits, dtype) && self.scale > 0.0 {
            return Ok(bits);
        }
        Err(self.scale_tensor.error("value", format!("positive and finite in {dtype:?}"), self.scale))
    }
}

/// The operator quantises the input of both down-projections once.
fn same_input(q: &StaticInput<'_>, kv: &StaticInput<'_>) -> Result<(), CheckpointError> {
    let pair = |input: &StaticInput<'_>| (input.scale, input.offset);
    if pair(q) == pair(kv) {
        return Ok(());
    }
    let expected = format!("(scale, offset) {:?} as of `{}`", pair(q), q.scale_tensor.name);
    Err(kv.scale_tensor.error("value", expected, format!("{:?}", pair(kv))))
}

fn is_usable_scale(bits: u16, dtype: Dtype) -> bool {
    let value = prepare::from_half(bits, dtype);
    value.is_finite() && value != 0.0
}
