//! `mlapo synth`: writes a checkpoint to try things with.

use std::io::Write;
use std::path::PathBuf;

use mlapo::checkpoint::ModelConfig;
use mlapo::checkpoint::synth::{self, SynthOptions};

use crate::choice::{DtypeChoice, QuantChoice};
use crate::failure::Failure;
use crate::output::stdout;
use crate::progress;
use crate::units;

/// Write a small synthetic checkpoint in the published W8A8 layout
///
/// The attention weights of a DeepSeek-style model as its quantised checkpoints have them: safetensors shards with
/// an index, config.json and quant_model_description.json. Values are made up, but distributed as trained ones are,
/// and quantised for each channel. Equal arguments give equal files. One layer of DeepSeek-V3 takes 0.1 GiB.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  mlapo synth --out layer                                          one layer of DeepSeek-V3
  mlapo synth --out tiny --heads 2 --hidden-size 64 --q-lora-rank 64 --kv-lora-rank 64
  mlapo synth --out kimi --heads 64 --quant per-token --layers 2")]
pub struct Args {
    /// Directory to write; made if it is not there, refused if it has something in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 1)]
    layers: usize,
    /// Width of the hidden state, a multiple of 32
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().hidden_size)]
    hidden_size: usize,
    /// Query heads
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().num_heads)]
    heads: usize,
    /// Width of the query latent, a multiple of 32
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().q_lora_rank)]
    q_lora_rank: usize,
    /// Width of the key-value latent, a multiple of 32
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().kv_lora_rank)]
    kv_lora_rank: usize,
    /// Rotary part of a head (qk_rope_head_dim), a multiple of 16
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().qk_rope_head_dim)]
    rope: usize,
    /// Non-rotary part of a head (qk_nope_head_dim), a multiple of 16
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().qk_nope_head_dim)]
    nope: usize,
    /// Width of a head's value
    #[arg(long, value_name = "N", default_value_t = ModelConfig::deepseek_v3().v_head_dim)]
    v_head_dim: usize,
    /// Type of what is not quantised
    #[arg(long, value_enum, default_value_t = DtypeChoice::Bf16)]
    dtype: DtypeChoice,
    /// Quantisation of the activations
    #[arg(long, value_enum, default_value_t = QuantChoice::PerTensor)]
    quant: QuantChoice,
    /// Seed of the values
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Size of a shard in MiB; it can be larger by one tensor
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    shard_mib: u64,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let options = SynthOptions {
        model: ModelConfig {
            hidden_size: args.hidden_size,
            num_heads: args.heads,
            num_layers: args.layers,
            q_lora_rank: args.q_lora_rank,
            kv_lora_rank: args.kv_lora_rank,
            qk_nope_head_dim: args.nope,
            qk_rope_head_dim: args.rope,
            v_head_dim: args.v_head_dim,
            dtype: args.dtype.into(),
            ..ModelConfig::deepseek_v3()
        },
        quant_mode: args.quant.into(),
        seed: args.seed,
        shard_bytes: args.shard_mib << 20,
    };
    progress::with_bar("writing", |report| synth::write(&args.out, &options, report))?;
    let mut out = stdout();
    let layers = units::count(args.layers, "layer");
    writeln!(out, "wrote {layers} to {}", args.out.display())?;
    writeln!(out, "try: mlapo run --checkpoint {} --layer 0", args.out.display())?;
    Ok(out.flush()?)
}
