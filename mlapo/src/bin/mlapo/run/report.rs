//! How a run is printed.

use std::io::Write;

use ascendcl::{BackendKind, TensorDesc};
use mlapo::{ActivationQuant, Config, Projection, Weights};
use serde_json::{Value, json};

use super::Args;
use super::measure::{Run, median, type_word};
use crate::choice::{WukChoice, cache_word, config_json, dtype_word, quant_word};
use crate::failure::Failure;
use crate::output::{print_json, stdout};
use crate::table::Table;
use crate::units;

/// Bytes of weights that one call reads.
fn weight_bytes(weights: &Weights) -> u64 {
    let projection = |projection: &Projection| {
        let bias = match &projection.input {
            ActivationQuant::PerTensor { bias, .. } => 4 * bias.len(),
            ActivationQuant::PerToken => 0,
        };
        projection.weight.len() + 4 * projection.descale.len() + bias
    };
    let norms = [weights.input_norm.as_ref(), Some(&weights.q_norm)];
    let norms: usize = norms.into_iter().flatten().map(|norm| norm.gamma.len() + norm.beta.len()).sum();
    let halves = norms + weights.kv_gamma.len() + weights.wuk.len();
    (projection(&weights.down) + projection(&weights.up) + 2 * halves) as u64
}

/// Gigabytes (10^9) of weights per second of the median.
fn bandwidth(weights: &Weights, run: &Run) -> f64 {
    weight_bytes(weights) as f64 / median(&run.times).as_secs_f64().max(1e-9) / 1e9
}

fn source(args: &Args) -> String {
    match &args.checkpoint {
        Some(path) => format!("{}, layer {}", path.display(), args.layer),
        None => format!("random, seed {}", args.seed),
    }
}

fn kind_word(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::Npu => "npu",
        BackendKind::Sim => "sim",
    }
}

fn wuk_word(wuk: WukChoice) -> &'static str {
    match wuk {
        WukChoice::Nd => "nd",
        WukChoice::Nz => "nz",
    }
}

pub fn print(args: &Args, config: &Config, weights: &Weights, run: &Run) -> Result<(), Failure> {
    let mut out = stdout();
    let mut head = Table::new(0, &[]);
    head.row([
        "operation",
        &format!(
            "{}, {}, hidden {}, ranks {} and {}, head {} + {}",
            units::count(args.tokens, "token"),
            units::count(config.num_heads, "head"),
            config.hidden_size,
            config.q_lora_rank,
            config.kv_lora_rank,
            config.qk_nope_head_dim,
            config.qk_rope_head_dim
        ),
    ]);
    head.row([
        "mode",
        &format!(
            "{}, cache {}, quantised {}, wuk {}{}",
            dtype_word(config.dtype),
            cache_word(config.cache_mode),
            quant_word(config.quant_mode),
            wuk_word(args.wuk),
            if config.input_norm { "" } else { ", no input norm" }
        ),
    ]);
    head.row(["weights", &format!("{} ({})", units::bytes(weight_bytes(weights)), source(args))]);
    let properties = &run.properties;
    let simulated = match run.kind {
        BackendKind::Npu => "",
        BackendKind::Sim => ", simulated",
    };
    head.row([
        "device",
        &format!(
            "{}: {}{simulated} ({} AI cores, {})",
            run.device,
            properties.soc_name,
            properties.ai_cores,
            units::bytes(properties.memory_bytes as u64)
        ),
    ]);
    head.row(["backend", &run.backend.to_string()]);
    writeln!(out, "{head}")?;

    let mut table = Table::new(0, &[3, 5]);
    table.row(["input", "type", "shape", "size", "", ""]);
    for (name, desc) in &run.inputs {
        let (dtype, shape, size) = describe(desc);
        table.row([name, &dtype, &shape, &size, "", ""]);
    }
    table.row(["result", "", "", "", "checksum", "difference"]);
    for result in &run.results {
        let (dtype, shape, size) = describe(&result.desc);
        let checksum = format!("{:#018x}", result.checksum);
        table.row([result.name, &dtype, &shape, &size, &checksum, &units::difference(result.difference)]);
    }
    writeln!(out, "{table}")?;

    let (times, on_stream) = (&run.times, &run.stream_times);
    let least = |times: &[std::time::Duration]| units::time(times.first().copied().unwrap_or_default());
    let mut foot = Table::new(0, &[]);
    foot.row([
        "time",
        &format!("median {}, least {}, {} calls", units::time(median(times)), least(times), times.len()),
    ]);
    foot.row([
        "on the stream",
        &format!("median {}, least {}", units::time(median(on_stream)), least(on_stream)),
    ]);
    foot.row(["weights read", &format!("{:.1} GB/s", bandwidth(weights, run))]);
    foot.row(["checksum", &format!("{:#018x}", run.checksum())]);
    foot.row(["difference", &largest_differences(run)]);
    write!(out, "{foot}")?;
    Ok(out.flush()?)
}

/// The largest differences of the 16-bit and of the int8 results.
fn largest_differences(run: &Run) -> String {
    let halves = units::difference(run.largest_difference(false).unwrap_or(0.0));
    match run.largest_difference(true) {
        Some(steps) => {
            let steps = units::difference(steps);
            format!("at most {halves} in 16-bit values and {steps} in int8 from the reference")
        }
        None => format!("at most {halves} from the reference"),
    }
}

fn describe(desc: &TensorDesc) -> (String, String, String) {
    (type_word(desc.dtype()), format!("{:?}", desc.shape()), units::bytes(desc.storage_bytes() as u64))
}

pub fn print_as_json(args: &Args, config: &Config, weights: &Weights, run: &Run) -> Result<(), Failure> {
    let tensor = |name: &str, desc: &TensorDesc| {
        json!({
            "name": name,
            "dtype": type_word(desc.dtype()),
            "shape": desc.shape(),
            "bytes": desc.storage_bytes(),
        })
    };
    let inputs: Vec<Value> = run.inputs.iter().map(|(name, desc)| tensor(name, desc)).collect();
    let results = run.results.iter().map(|result| {
        let mut value = tensor(result.name, &result.desc);
        value["checksum"] = json!(format!("{:#018x}", result.checksum));
        // Infinite differences have no JSON number and are null.
        value["max_difference"] = json!(result.difference);
        value
    });
    let results: Vec<Value> = results.collect();
    let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    let first = |times: &[std::time::Duration]| micros(times.first().copied().unwrap_or_default());
    let document = json!({
        "tokens": args.tokens,
        "block_size": args.block_size,
        "config": config_json(config),
        "wuk": wuk_word(args.wuk),
        "weights": { "source": source(args), "bytes": weight_bytes(weights) },
        "device": {
            "id": run.device,
            "kind": kind_word(run.kind),
            "soc": run.properties.soc_name,
            "ai_cores": run.properties.ai_cores,
            "memory_bytes": run.properties.memory_bytes,
        },
        "backend": run.backend.to_string(),
        "inputs": inputs,
        "results": results,
        "time": {
            "iterations": run.times.len(),
            "median_us": micros(median(&run.times)),
            "min_us": first(&run.times),
            "stream_median_us": micros(median(&run.stream_times)),
            "stream_min_us": first(&run.stream_times),
        },
        "weights_gb_per_s": bandwidth(weights, run),
        "checksum": format!("{:#018x}", run.checksum()),
        "max_difference": run.largest_difference(false),
        "max_int8_step": run.largest_difference(true),
    });
    Ok(print_json(&document)?)
}
