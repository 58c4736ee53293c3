//! Weights from published W8A8 checkpoints of DeepSeek-V3 and its relatives (OPERATOR contract, section 4).
//!
//! A checkpoint is a directory with `config.json` and safetensors shards, with or without an index. The shards
//! are memory-mapped, and of them only the tensors of the layer asked for are read. Of layer `N` these are:
//!
//! | tensor, below `model.layers.N.` | shape | type |
//! |---|---|---|
//! | `input_layernorm.weight`, `.bias` (optional) | `[hidden]` | 16-bit or f32 |
//! | `self_attn.q_a_proj.weight` | `[q_lora, hidden]` | int8 |
//! | `self_attn.kv_a_proj_with_mqa.weight` | `[kv_lora + rope, hidden]` | int8 |
//! | `self_attn.q_a_layernorm.weight`, `.bias` (optional) | `[q_lora]` | 16-bit or f32 |
//! | `self_attn.q_b_proj.weight` | `[heads * (nope + rope), q_lora]` | int8 |
//! | `self_attn.kv_a_layernorm.weight` | `[kv_lora]` | 16-bit or f32 |
//! | `self_attn.kv_b_proj.weight` | `[heads * (nope + v), kv_lora]` | 16-bit or f32 |
//!
//! Each int8 projection of a static checkpoint (label `W8A8`) also has `deq_scale` `[out]` (f32, or int64 that
//! carries the f32 pattern), `quant_bias` `[out]` (int32), `input_scale` `[1]` and `input_offset` `[1]`; of a
//! dynamic one (`W8A8_DYNAMIC`) `weight_scale` `[out, 1]`. The computation that they stand for is
//! `y = (x_q . w_q + quant_bias) * deq_scale` with `x_q = rint(x / input_scale + input_offset)`, where
//! `deq_scale = input_scale * weight_scale` and `quant_bias = rint(bias / deq_scale - input_offset * sum(w_q))`
//! (msModelSlim docs: AscendV1 format).
//!
//! [`Checkpoint::load_layer`] brings that into the operator's form; the single steps are in [`prepare`].
//! [`synth`] writes such a checkpoint from a seed.
//!
//! ```
//! use mlapo::checkpoint::{Checkpoint, LoadOptions, ModelConfig, synth};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let parent = tempfile::tempdir()?;
//! let dir = parent.path().join("tiny");
//! let model = ModelConfig { hidden_size: 64, num_heads: 2, num_layers: 1, ..ModelConfig::deepseek_v3() };
//! synth::write(&dir, &synth::SynthOptions { model, ..Default::default() }, &|_| ())?;
//!
//! let checkpoint = Checkpoint::open(&dir)?;
//! let (config, weights) = checkpoint.load_layer(0, &LoadOptions::default(), &|_| ())?;
//! assert_eq!(config.num_heads, 2);
//! assert_eq!(weights.down.weight.len(), config.down_rows() * config.hidden_size);
//! # Ok(())
//! # }
//! ```

mod error;
mod index;
mod layer;
mod load;
mod model_config;
pub mod prepare;
mod raw;
mod shard;
pub mod synth;
mod tensor;

pub use error::CheckpointError;
pub use load::{CacheScaleValues, Heads, LoadOptions};
pub use model_config::ModelConfig;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use index::Index;

/// How far loading or writing has come, counted in bytes of the four weight matrices of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The weight matrix that was just done.
    pub tensor: &'a str,
    /// Bytes done, this matrix included.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
}

/// One tensor of a checkpoint, as its shard's header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Full name.
    pub name: String,
    /// Element type by its safetensors name: `I8`, `BF16`, `F32`, ...
    pub dtype: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The shard that holds it.
    pub file: PathBuf,
}

/// An opened checkpoint: its configuration, and which shard holds which tensor.
#[derive(Debug)]
pub struct Checkpoint {
    model: ModelConfig,
    index: Index,
}

impl Checkpoint {
    /// Opens the checkpoint in a directory, or the one single-file checkpoint `path` beside its `config.json`.
    ///
    /// In a directory the index is a file named `*.safetensors.index.json`. Where there is more than one, the
    /// quantiser's own (`quant_model_weight*`) is taken; without any, all `.safetensors` files together are the
    /// checkpoint.
    ///
    /// The files are mapped into memory while a layer is loaded and must not be changed meanwhile: a file that
    /// another process truncates then ends this process with `SIGBUS`.
    ///
    /// # Errors
    /// [`CheckpointError`] with the file that is missing, unreadable, not JSON or not what it should be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let index = Index::open(path.as_ref())?;
        let model = ModelConfig::read(&index.dir().join("config.json"))?;
        Ok(Self { model, index })
    }

    /// The model's dimensions, from `config.json`.
    pub fn model_config(&self) -> &ModelConfig {
        &self.model
    }

    /// The layers that have an attention of this kind, ascending.
    pub fn layers(&self) -> Vec<usize> {
        let number = |name: &str| {
            let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
            (rest == "self_attn.kv_a_proj_with_mqa.weight").then(|| layer.parse().ok()).flatten()
        };
        self.index.names().filter_map(number).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Lists all tensors by name; reads the header of every shard.
    ///
    /// # Errors
    /// [`CheckpointError`] with the first shard that is missing, unreadable, truncated or corrupt, or that
    /// lacks a tensor which the index says it holds.
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, CheckpointError> {
        let mut tensors = Vec::new();
        for (position, names) in self.index.by_file() {
            let Some(first) = names.first() else { continue };
            let shard = self.index.open_shard(position, first)?;
            for name in names {
                let tensor = shard.tensor(name)?;
                tensors.push(TensorInfo {
                    name: name.to_owned(),
                    dtype: tensor.dtype.to_string(),
                    shape: tensor.shape.to_vec(),
                    file: tensor.path.to_owned(),
                });
            }
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tensors)
    }
}
