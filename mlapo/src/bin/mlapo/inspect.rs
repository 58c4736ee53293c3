//! `mlapo inspect`: what a checkpoint or a fixture holds.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use mlapo::checkpoint::{Checkpoint, CheckpointError, ModelConfig, TensorInfo};
use mlapo::fixture::{ExpectedOrder, Fixture, FixtureError, FixtureProblem};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::choice::{cache_word, config_json, dtype_word, quant_word};
use crate::failure::Failure;
use crate::output::{print_json, stdout};
use crate::table::Table;
use crate::units;

/// Show what a checkpoint or a fixture holds
///
/// Of a checkpoint: the model's dimensions, its layers and how they are quantised, and the attention tensors of a
/// layer with type, shape and file; of a golden fixture: the case that it describes and the tensors stored in it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  mlapo inspect DeepSeek-R1-W8A8 --layer 3
  mlapo inspect layer --json | jq '.tensors | length'
  mlapo inspect mlapo/tests/fixtures/public/p01_fp16_cm0_qm0_n1_h1.safetensors")]
pub struct Args {
    /// Checkpoint directory, single-file checkpoint beside its config.json, or fixture file
    path: PathBuf,
    /// Layer whose tensors are listed; by default the first one, with --json all
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let metadata =
        fs::metadata(&args.path).map_err(|source| Failure::Read { path: args.path.clone(), source })?;
    if metadata.is_dir() {
        return checkpoint(args);
    }
    match Fixture::open(&args.path) {
        Ok(fixture) => self::fixture(args, &fixture),
        Err(FixtureError { problem: FixtureProblem::NoCase, .. }) => checkpoint(args),
        Err(error) => Err(mlapo::Error::from(error).into()),
    }
}

/// How the attention of a layer is quantised, told from the tensors that are there.
fn quantisation(tensors: &[TensorInfo], layer: usize) -> &'static str {
    let has = |suffix: &str| {
        let name = format!("model.layers.{layer}.self_attn.q_a_proj.{suffix}");
        tensors.iter().any(|tensor| tensor.name == name)
    };
    match (has("deq_scale"), has("weight_scale")) {
        (true, false) => "W8A8 (per-tensor)",
        (true, true) => "W8A8 (per-tensor, or per-token by its weight_scale)",
        (false, true) => "W8A8_DYNAMIC (per-token)",
        (false, false) => "not quantised",
    }
}

/// Numbers with runs folded: `0-2, 5`.
fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let run = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

fn element_bytes(dtype: &str) -> u64 {
    match dtype {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        _ => 1,
    }
}

fn tensor_bytes(tensor: &TensorInfo) -> u64 {
    tensor.shape.iter().fold(element_bytes(&tensor.dtype), |bytes, size| bytes.saturating_mul(*size as u64))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn checkpoint(args: &Args) -> Result<(), Failure> {
    let checkpoint = Checkpoint::open(&args.path)?;
    let model = checkpoint.model_config();
    let layers = checkpoint.layers();
    let tensors = checkpoint.tensors()?;
    if let Some(layer) = args.layer.filter(|layer| !layers.contains(layer)) {
        let present = if layers.is_empty() { "none".to_owned() } else { ranges(&layers) };
        return Err(CheckpointError::NoLayer { path: args.path.clone(), layer, present }.into());
    }
    let of_layer = |layer: usize| {
        let (attention, norm) =
            (format!("model.layers.{layer}.self_attn."), format!("model.layers.{layer}.input_layernorm."));
        let belongs =
            move |tensor: &&TensorInfo| tensor.name.starts_with(&attention) || tensor.name.starts_with(&norm);
        tensors.iter().filter(belongs).collect::<Vec<_>>()
    };
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for layer in &layers {
        kinds.entry(quantisation(&tensors, *layer)).or_default().push(*layer);
    }
    if args.json {
        let listed = args.layer.map_or_else(|| tensors.iter().collect(), of_layer);
        return Ok(print_json(&checkpoint_json(args, model, &layers, &kinds, &listed))?);
    }

    let mut out = stdout();
    let total: u64 = tensors.iter().map(tensor_bytes).sum();
    let files = tensors.iter().map(|tensor| &tensor.file).collect::<std::collections::BTreeSet<_>>().len();
    let mut head = Table::new(0, &[]);
    head.row(["checkpoint", &args.path.display().to_string()]);
    head.row([
        "tensors",
        &format!("{} in {}, {}", tensors.len(), units::count(files, "file"), units::bytes(total)),
    ]);
    head.row(["hidden_size", &model.hidden_size.to_string()]);
    head.row(["heads", &model.num_heads.to_string()]);
    head.row(["ranks", &format!("query {}, key-value {}", model.q_lora_rank, model.kv_lora_rank)]);
    let (nope, rope, v) = (model.qk_nope_head_dim, model.qk_rope_head_dim, model.v_head_dim);
    head.row(["head", &format!("nope {nope}, rope {rope}, value {v}")]);
    head.row(["type", dtype_word(model.dtype)]);
    head.row(["rms_norm_eps", &model.rms_norm_eps.to_string()]);
    let present = if layers.is_empty() { "none with attention weights".to_owned() } else { ranges(&layers) };
    head.row(["layers", &format!("{present} (config.json: {})", model.num_layers)]);
    for (kind, layers) in &kinds {
        head.row(["quantisation", &format!("{kind}: layers {}", ranges(layers))]);
    }
    write!(out, "{head}")?;
    if let Some(layer) = args.layer.or(layers.first().copied()) {
        writeln!(out, "\nattention of layer {layer}")?;
        let mut table = Table::new(2, &[3]);
        table.row(["tensor", "type", "shape", "size", "file"]);
        let prefix = format!("model.layers.{layer}.");
        for tensor in of_layer(layer) {
            let name = tensor.name.strip_prefix(&prefix).unwrap_or(&tensor.name);
            let (shape, size) = (format!("{:?}", tensor.shape), units::bytes(tensor_bytes(tensor)));
            table.row([name, &tensor.dtype, &shape, &size, &file_name(&tensor.file)]);
        }
        write!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

fn checkpoint_json(
    args: &Args,
    model: &ModelConfig,
    layers: &[usize],
    kinds: &BTreeMap<&str, Vec<usize>>,
    tensors: &[&TensorInfo],
) -> Value {
    let tensor = |tensor: &&TensorInfo| {
        json!({
            "name": tensor.name,
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "bytes": tensor_bytes(tensor),
            "file": file_name(&tensor.file),
        })
    };
    let tensors: Vec<Value> = tensors.iter().map(tensor).collect();
    json!({
        "kind": "checkpoint",
        "path": args.path.display().to_string(),
        "model": {
            "hidden_size": model.hidden_size,
            "num_heads": model.num_heads,
            "num_layers": model.num_layers,
            "q_lora_rank": model.q_lora_rank,
            "kv_lora_rank": model.kv_lora_rank,
            "qk_nope_head_dim": model.qk_nope_head_dim,
            "qk_rope_head_dim": model.qk_rope_head_dim,
            "v_head_dim": model.v_head_dim,
            "rms_norm_eps": model.rms_norm_eps,
            "dtype": dtype_word(model.dtype),
        },
        "layers": layers,
        "quantisation": kinds,
        "tensors": tensors,
    })
}

fn order_word(order: ExpectedOrder) -> &'static str {
    match order {
        ExpectedOrder::Golden => "golden: the public CPU goldens' order of rounding",
        ExpectedOrder::Kernel => "kernel: the device's order of rounding",
        ExpectedOrder::Sgl => "sgl: hidden state comes normalised, the device's order of rounding",
    }
}

fn fixture(args: &Args, fixture: &Fixture) -> Result<(), Failure> {
    let case = fixture.case();
    let config = &case.config;
    let read = |source| Failure::Read { path: args.path.clone(), source };
    let bytes = fs::read(&args.path).map_err(read)?;
    let unreadable = |problem: safetensors::SafeTensorError| {
        mlapo::Error::from(FixtureError { path: args.path.clone(), problem: problem.into() })
    };
    let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
    let mut stored = file.tensors();
    stored.sort_by(|(a, _), (b, _)| a.cmp(b));

    if args.json {
        let tensor = |(name, view): &(String, safetensors::tensor::TensorView<'_>)| {
            json!({
                "name": name,
                "dtype": view.dtype().to_string(),
                "shape": view.shape(),
                "bytes": view.data().len(),
            })
        };
        let tensors: Vec<Value> = stored.iter().map(tensor).collect();
        return Ok(print_json(&json!({
            "kind": "fixture",
            "path": args.path.display().to_string(),
            "case": case.name,
            "expected_order": format!("{:?}", case.expected_order).to_lowercase(),
            "tokens": case.tokens,
            "config": config_json(config),
            "kv_cache": case.kv_cache.shape(),
            "kv_cache_rope": case.kv_cache_rope.as_ref().map(|layout| layout.shape()),
            "tensors": tensors,
        }))?);
    }
    let mut out = stdout();
    let mut head = Table::new(0, &[]);
    head.row(["fixture", &args.path.display().to_string()]);
    head.row(["case", &case.name]);
    head.row(["expectations", order_word(case.expected_order)]);
    head.row(["tokens", &case.tokens.to_string()]);
    head.row(["heads", &config.num_heads.to_string()]);
    head.row(["hidden_size", &config.hidden_size.to_string()]);
    head.row(["ranks", &format!("query {}, key-value {}", config.q_lora_rank, config.kv_lora_rank)]);
    head.row(["head", &format!("nope {}, rope {}", config.qk_nope_head_dim, config.qk_rope_head_dim)]);
    let (dtype, quant) = (dtype_word(config.dtype), quant_word(config.quant_mode));
    head.row(["mode", &format!("{dtype}, cache {}, quantised {quant}", cache_word(config.cache_mode))]);
    head.row(["kv_cache", &format!("{:?}", case.kv_cache.shape())]);
    if let Some(layout) = &case.kv_cache_rope {
        head.row(["kv_cache_rope", &format!("{:?}", layout.shape())]);
    }
    writeln!(out, "{head}")?;
    let mut table = Table::new(0, &[3]);
    table.row(["stored tensor", "type", "shape", "size"]);
    for (name, view) in &stored {
        let (shape, size) = (format!("{:?}", view.shape()), units::bytes(view.data().len() as u64));
        table.row([name, &view.dtype().to_string(), &shape, &size]);
    }
    write!(out, "{table}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn runs_are_folded() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2, 5, 7-8");
        assert_eq!(ranges(&[]), "");
    }
}
