//! `config.json`.

use std::path::Path;

use serde_json::Value;

use super::error::CheckpointError;
use super::index::read_json;
use crate::{Config, ConfigBuilder, Dtype};

/// The dimensions of a model, by their names in the Hugging Face configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Width of the hidden state.
    pub hidden_size: usize,
    /// Query heads of the whole model (`num_attention_heads`).
    pub num_heads: usize,
    /// Decoder layers (`num_hidden_layers`); a checkpoint may hold fewer, or a further one for multi-token
    /// prediction.
    pub num_layers: usize,
    /// Width of the query latent.
    pub q_lora_rank: usize,
    /// Width of the key-value latent.
    pub kv_lora_rank: usize,
    /// Non-rotary part of a head.
    pub qk_nope_head_dim: usize,
    /// Rotary part of a head.
    pub qk_rope_head_dim: usize,
    /// Width of a head's value.
    pub v_head_dim: usize,
    /// Epsilon of all RMSNorms.
    pub rms_norm_eps: f64,
    /// Type of what is not quantised (`torch_dtype`, in newer files `dtype`).
    pub dtype: Dtype,
}

impl ModelConfig {
    /// DeepSeek-V3, DeepSeek-R1 and DeepSeek-V3.1.
    pub const fn deepseek_v3() -> Self {
        Self {
            hidden_size: 7168,
            num_heads: 128,
            num_layers: 61,
            q_lora_rank: 1536,
            kv_lora_rank: 512,
            qk_nope_head_dim: 128,
            qk_rope_head_dim: 64,
            v_head_dim: 128,
            rms_norm_eps: 1e-6,
            dtype: Dtype::Bf16,
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let json = read_json(path)?;
        let value = |field: &str| json.get(field).unwrap_or(&Value::Null);
        let error = |field: &str, expected| CheckpointError::Field {
            path: path.to_owned(),
            field: field.to_owned(),
            expected,
            got: value(field).to_string(),
        };
        let integer = |field: &str| {
            let integer = value(field).as_u64().filter(|value| (1..=1 << 16).contains(value));
            integer.map(|value| value as usize).ok_or_else(|| error(field, "an integer from 1 to 65536"))
        };
        let dtype_field = if value("torch_dtype").is_null() { "dtype" } else { "torch_dtype" };
        let model = Self {
            hidden_size: integer("hidden_size")?,
            num_heads: integer("num_attention_heads")?,
            num_layers: integer("num_hidden_layers")?,
            q_lora_rank: integer("q_lora_rank")?,
            kv_lora_rank: integer("kv_lora_rank")?,
            qk_nope_head_dim: integer("qk_nope_head_dim")?,
            qk_rope_head_dim: integer("qk_rope_head_dim")?,
            v_head_dim: integer("v_head_dim")?,
            rms_norm_eps: value("rms_norm_eps").as_f64().ok_or_else(|| error("rms_norm_eps", "a number"))?,
            dtype: match value(dtype_field).as_str() {
                Some("bfloat16") => Dtype::Bf16,
                Some("float16") => Dtype::Fp16,
                _ => return Err(error("torch_dtype", "\"bfloat16\" or \"float16\"")),
            },
        };
        model.operation().build().map_err(CheckpointError::operation(path))?;
        Ok(model)
    }

    /// The operation's configuration with these dimensions.
    pub(super) fn operation(&self) -> ConfigBuilder {
        Config::builder()
            .hidden_size(self.hidden_size)
            .num_heads(self.num_heads)
            .q_lora_rank(self.q_lora_rank)
            .kv_lora_rank(self.kv_lora_rank)
            .qk_nope_head_dim(self.qk_nope_head_dim)
            .qk_rope_head_dim(self.qk_rope_head_dim)
            .epsilon(self.rms_norm_eps as f32)
            .dtype(self.dtype)
    }

    /// Width of a head's query: nope, then rope.
    pub(super) fn qk_head_dim(&self) -> usize {
        self.qk_nope_head_dim + self.qk_rope_head_dim
    }

    /// Bytes of one layer's four weight matrices: three int8, one 16-bit.
    pub(super) fn matrix_bytes(&self) -> u64 {
        let down = (self.q_lora_rank + self.kv_lora_rank + self.qk_rope_head_dim) * self.hidden_size;
        let up = self.num_heads * self.qk_head_dim() * self.q_lora_rank;
        let kv = self.num_heads * (self.qk_nope_head_dim + self.v_head_dim) * self.kv_lora_rank;
        (down + up + 2 * kv) as u64
    }
}
