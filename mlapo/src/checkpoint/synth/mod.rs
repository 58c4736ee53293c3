//! Writes a checkpoint of the published W8A8 form with made-up weights, to try everything without a download.
//!
//! The weights look like a trained model's where it matters to the operation: nearly normal, each output
//! channel with a spread of its own, some channels far wider; norms around one with a few large channels.
//! They are quantised as the real ones are: int8 for each output channel (`weight_scale = max|w| / 127`), the
//! activations either dynamically or with a scale and zero point calibrated by running sample tokens through
//! norms and projection, and `deq_scale` and `quant_bias` derived from those.
//!
//! Everything follows from the seed, bit for bit, on any number of threads: each element has its own number in
//! a counter-based generator, and no sum depends on how rows are distributed.

mod calibration;
mod layer;
mod staging;

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{TensorView, serialize};
use serde_json::json;

use super::{CheckpointError, ModelConfig, Progress};
use crate::{Dtype, QuantMode};
use layer::StoredTensor;
use staging::Staging;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthOptions {
    /// Dimensions; `num_layers` layers are written.
    pub model: ModelConfig,
    /// Static (label `W8A8`) or dynamic (`W8A8_DYNAMIC`) quantisation of the activations.
    pub quant_mode: QuantMode,
    /// Equal seeds give equal files.
    pub seed: u64,
    /// A shard is closed when it has this many bytes of tensors; it can be larger by its last tensor.
    pub shard_bytes: u64,
}

impl Default for SynthOptions {
    /// One layer of DeepSeek-V3, static quantisation, seed 0, shards of 32 MiB.
    fn default() -> Self {
        Self {
            model: ModelConfig { num_layers: 1, ..ModelConfig::deepseek_v3() },
            quant_mode: QuantMode::PerTensor,
            seed: 0,
            shard_bytes: 32 << 20,
        }
    }
}

/// Writes a checkpoint: shards, index, `quant_model_description.json` and `config.json`.
///
/// `dir` is made if it does not exist. Files are written under temporary names and renamed when all are complete,
/// `config.json` last: what is found in the directory is either nothing or a checkpoint. After an error nothing is
/// left behind.
///
/// `progress` is called after each weight matrix.
///
/// # Errors
/// * [`CheckpointError::NotEmpty`] if the directory has something in it;
/// * [`CheckpointError::Operation`] or [`CheckpointError::Option`] for dimensions that the operation does not have;
/// * [`CheckpointError::Io`] with the path that could not be written.
pub fn write(
    dir: &Path,
    options: &SynthOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(), CheckpointError> {
    check(dir, options)?;
    let mut staging = Staging::new(dir)?;
    let mut shard = Shard::default();
    let mut shards = 0;
    let mut weight_map = BTreeMap::new();
    let mut description = BTreeMap::from([
        ("model_quant_type".to_owned(), label(options.quant_mode).to_owned()),
        ("version".to_owned(), "1.0.0".to_owned()),
    ]);
    let mut total_size = 0;
    let total = options.model.matrix_bytes().saturating_mul(options.model.num_layers as u64);
    let mut done = 0;
    for number in 0..options.model.num_layers {
        layer::generate(options, number, &mut |tensor| {
            total_size += tensor.data.len() as u64;
            description.insert(tensor.name.clone(), tensor.label(options.quant_mode).to_owned());
            weight_map.insert(tensor.name.clone(), shards);
            if tensor.is_matrix() {
                done += tensor.data.len() as u64;
                progress(Progress { tensor: &tensor.name, bytes: done, total });
            }
            shard.push(tensor);
            if shard.bytes >= options.shard_bytes {
                shards += 1;
                staging.add(&std::mem::take(&mut shard).serialize(dir)?)?;
            }
            Ok(())
        })?;
    }
    if shard.bytes > 0 {
        shards += 1;
        staging.add(&shard.serialize(dir)?)?;
    }

    let shard_name = |number: usize| format!("{PREFIX}-{:05}-of-{shards:05}.safetensors", number + 1);
    let mut names: Vec<_> = (0..shards).map(shard_name).collect();
    let weight_map: BTreeMap<_, _> = weight_map.iter().map(|(name, shard)| (name, &names[*shard])).collect();
    let index = json!({ "metadata": { "total_size": total_size }, "weight_map": weight_map });
    staging.add(pretty(&index).as_bytes())?;
    names.push(format!("{PREFIX}.safetensors.index.json"));
    staging.add(pretty(&json!(description)).as_bytes())?;
    names.push("quant_model_description.json".into());
    staging.add(pretty(&config_json(options)).as_bytes())?;
    names.push("config.json".into());
    staging.commit(&names)
}

/// The quantiser's name for weight files.
const PREFIX: &str = "quant_model_weights";

fn label(mode: QuantMode) -> &'static str {
    match mode {
        QuantMode::PerTensor => "W8A8",
        QuantMode::PerToken => "W8A8_DYNAMIC",
    }
}

fn check(dir: &Path, options: &SynthOptions) -> Result<(), CheckpointError> {
    let model = &options.model;
    model.operation().build().map_err(CheckpointError::operation(dir))?;
    for (option, value) in [("model.v_head_dim", model.v_head_dim), ("model.num_layers", model.num_layers)] {
        if !(1..=1 << 16).contains(&value) {
            return Err(CheckpointError::Option {
                option,
                expected: "from 1 to 65536".into(),
                got: value.to_string(),
            });
        }
    }
    Ok(())
}

fn config_json(options: &SynthOptions) -> serde_json::Value {
    let model = &options.model;
    json!({
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "hidden_size": model.hidden_size,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_heads,
        "num_hidden_layers": model.num_layers,
        "q_lora_rank": model.q_lora_rank,
        "kv_lora_rank": model.kv_lora_rank,
        "qk_nope_head_dim": model.qk_nope_head_dim,
        "qk_rope_head_dim": model.qk_rope_head_dim,
        "v_head_dim": model.v_head_dim,
        "rms_norm_eps": model.rms_norm_eps,
        "rope_theta": 10000,
        "attention_bias": false,
        "torch_dtype": match model.dtype {
            Dtype::Bf16 => "bfloat16",
            Dtype::Fp16 => "float16",
        },
        "quantize": label(options.quant_mode).to_lowercase(),
    })
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// The tensors of the shard that is being filled.
#[derive(Default)]
struct Shard {
    tensors: Vec<StoredTensor>,
    bytes: u64,
}

impl Shard {
    fn push(&mut self, tensor: StoredTensor) {
        self.bytes += tensor.data.len() as u64;
        self.tensors.push(tensor);
    }

    fn serialize(self, dir: &Path) -> Result<Vec<u8>, CheckpointError> {
        let views = self.tensors.iter().map(|tensor| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data)?;
            Ok((tensor.name.as_str(), view))
        });
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        views
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| serialize(views, Some(metadata)))
            .map_err(|source| CheckpointError::Shard { path: dir.to_owned(), source })
    }
}
