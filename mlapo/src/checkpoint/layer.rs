//! The tensors of one layer.

use std::collections::BTreeMap;

use super::Checkpoint;
use super::error::CheckpointError;
use super::shard::Shard;
use super::tensor::Tensor;
use crate::{Dtype, Norm, QuantMode};

/// One layer's attention tensors in their mapped shards.
pub(super) struct Layer<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    shards: BTreeMap<usize, Shard>,
}

/// An int8 projection as the checkpoint has it.
pub(super) struct Stored<'a> {
    pub weight: &'a [i8],
    pub descale: Vec<f32>,
    /// Present in static checkpoints.
    pub input: Option<StaticInput<'a>>,
}

/// The static quantisation of a projection's input.
pub(super) struct StaticInput<'a> {
    pub bias: Vec<i32>,
    pub scale: f32,
    pub offset: i8,
    /// The tensor `scale` comes from, for errors about it.
    pub scale_tensor: Tensor<'a>,
}

impl<'a> Layer<'a> {
    /// Opens the shards that hold the layer's attention tensors.
    pub fn open(checkpoint: &'a Checkpoint, layer: usize) -> Result<Self, CheckpointError> {
        const MODULES: [&str; 7] = [
            "input_layernorm.",
            "self_attn.q_a_proj.",
            "self_attn.q_a_layernorm.",
            "self_attn.q_b_proj.",
            "self_attn.kv_a_proj_with_mqa.",
            "self_attn.kv_a_layernorm.",
            "self_attn.kv_b_proj.",
        ];
        let prefix = format!("model.layers.{layer}.");
        let mut shards = BTreeMap::new();
        for (name, position) in checkpoint.index.with_prefix(&prefix) {
            let wanted = MODULES.iter().any(|module| name[prefix.len()..].starts_with(module));
            if wanted && !shards.contains_key(&position) {
                shards.insert(position, checkpoint.index.open_shard(position, name)?);
            }
        }
        if shards.is_empty() {
            return Err(CheckpointError::NoLayer {
                path: checkpoint.index.source().to_owned(),
                layer,
                present: format!("{:?}", checkpoint.layers()),
            });
        }
        Ok(Self { checkpoint, prefix, shards })
    }

    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.index.position(&format!("{}{name}", self.prefix)).is_some()
    }

    /// A tensor of the layer by the rest of its name.
    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>, CheckpointError> {
        let name = format!("{}{name}", self.prefix);
        let shard = self.checkpoint.index.position(&name).and_then(|position| self.shards.get(&position));
        match shard {
            Some(shard) => shard.tensor(&name),
            None => Err(CheckpointError::MissingTensor {
                path: self.checkpoint.index.source().to_owned(),
                tensor: name,
            }),
        }
    }

    fn optional(&self, name: &str) -> Result<Option<Tensor<'_>>, CheckpointError> {
        if self.has(name) { self.tensor(name).map(Some) } else { Ok(None) }
    }

    /// A norm's scale and shift. Outlier suppression that replaces the norm by a wrapped one leaves its result
    /// under `module.`.
    pub fn norm(&self, name: &str, width: usize, dtype: Dtype) -> Result<Norm, CheckpointError> {
        let module = if self.has(&format!("{name}.module.weight")) { ".module" } else { "" };
        let gamma = self.tensor(&format!("{name}{module}.weight"))?.of_shape(&[&[width]])?.halves(dtype)?;
        let beta = match self.optional(&format!("{name}{module}.bias"))? {
            Some(bias) => bias.of_shape(&[&[width]])?.halves(dtype)?,
            None => vec![0; width],
        };
        Ok(Norm { gamma, beta })
    }

    /// The latent's norm, for which the operator has no shift.
    pub fn kv_gamma(&self, width: usize, dtype: Dtype) -> Result<Vec<u16>, CheckpointError> {
        const NAME: &str = "self_attn.kv_a_layernorm";
        for bias in [".bias", ".module.bias"] {
            if let Some(bias) = self.optional(&format!("{NAME}{bias}"))? {
                bias.zeros("zero: the operation has no shift for this norm")?;
            }
        }
        Ok(self.norm(NAME, width, dtype)?.gamma)
    }

    /// The int8 projection `self_attn.{name}` with what the mode needs.
    pub fn projection(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
        mode: QuantMode,
    ) -> Result<Stored<'_>, CheckpointError> {
        let part = |part: &str| format!("self_attn.{name}.{part}");
        let weight = self.tensor(&part("weight"))?.of_shape(&[&[rows, columns]])?.int8()?;
        if let Some(offset) = self.optional(&part("weight_offset"))? {
            offset.zeros("zero: weights are quantised symmetrically")?;
        }
        let (descale, input) = match mode {
            QuantMode::PerTensor => {
                let scale_tensor = self.tensor(&part("input_scale"))?.single()?;
                let input = StaticInput {
                    bias: self.tensor(&part("quant_bias"))?.per_row(rows)?.int32()?,
                    scale: scale_tensor.floats()?.first().copied().unwrap_or(f32::NAN),
                    offset: self.tensor(&part("input_offset"))?.single()?.zero_point()?,
                    scale_tensor,
                };
                (self.tensor(&part("deq_scale"))?.per_row(rows)?.descales()?, Some(input))
            }
            QuantMode::PerToken => {
                if let Some(bias) = self.optional(&part("bias"))? {
                    bias.zeros("zero: the operation adds no bias with per-token quantisation")?;
                }
                (self.tensor(&part("weight_scale"))?.per_row(rows)?.floats()?, None)
            }
        };
        Ok(Stored { weight, descale, input })
    }
}
