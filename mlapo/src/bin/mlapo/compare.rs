//! `mlapo compare`: all implementations on the same input, beside each other.

use std::io::Write;
use std::time::{Duration, Instant};

use ascendcl::{Runtime, Stream};
use mlapo::call::Values;
use mlapo::fixture::{TensorReport, Yardstick, compare_values};
use mlapo::reference::Order;
use mlapo::traffic::{self, LaunchTraffic};
use mlapo::{Backend, Config, SampleInputs, Weights};
use serde_json::{Value, json};

use crate::call::{Call, Inputs};
use crate::choice::{BackendChoice, config_json};
use crate::failure::{Failure, explain};
use crate::output::{print_json, stdout};
use crate::shape::Shape;
use crate::table::Table;
use crate::units;

/// Run all implementations on the same input and compare their results
///
/// Each backend computes the same call, with random weights and inputs; the results of every two are compared. They agree if
/// at most 0.1 % of a tensor's elements differ by more than max(0.003, 0.003 |x|), or if their difference is of the size by
/// which the two orders of rounding differ, the device's and that of the published CPU goldens: its root mean square below twice,
/// its largest below ten times, at least of 1/128 of the tensor's own. Int8 agrees up to 2, or what the two orders differ by.
#[derive(clap::Args)]
#[command(after_long_help = "\
A backend that does not take the configuration is left out, with the reason. The last table sets the chain of small
operators beside the fused operation: launches, and bytes of device memory that each reads and writes, by the shapes of
its tensors. The exit status is 1 if two results do not agree.

Examples:
  mlapo compare
  mlapo compare --tokens 16 --cache combined --dtype fp16
  mlapo compare --backend kernel --backend atb --heads 16")]
pub struct Args {
    #[command(flatten)]
    shape: Shape,
    /// Compare these backends only
    #[arg(long = "backend", value_enum, value_name = "BACKEND")]
    backends: Vec<BackendChoice>,
    /// Seed of random weights and inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is compared if nothing else is asked for.
const ALL: [BackendChoice; 6] = [
    BackendChoice::Reference,
    BackendChoice::Host,
    BackendChoice::Kernel,
    BackendChoice::Atb,
    BackendChoice::Unfused,
    BackendChoice::UnfusedSingle,
];

/// Rows of a cache block: the only number that every backend takes in every mode.
const BLOCK_SIZE: usize = 128;

/// What one backend computed.
struct Computed {
    backend: Backend,
    time: Duration,
    results: Vec<(&'static str, Values)>,
}

/// Two backends beside each other.
struct Pair {
    backends: [Backend; 2],
    tensors: Vec<TensorReport>,
}

impl Pair {
    fn agree(&self) -> bool {
        self.tensors.iter().all(|report| report.pass)
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args.shape.config()?;
    let tokens = args.shape.tokens();
    let weights = Weights::random(&config, args.seed);
    let stream = Runtime::new()?.device(0)?.stream()?;
    let compute = |backend| {
        let sample = SampleInputs::random(&config, tokens, args.seed);
        compute(&stream, &config, &weights, sample, backend)
    };
    let choices: &[BackendChoice] = if args.backends.is_empty() { &ALL } else { &args.backends };
    let (mut computed, mut left_out) = (Vec::new(), Vec::new());
    for backend in choices.iter().map(|choice| Backend::from(*choice)) {
        match backend.check(&config) {
            Ok(()) => computed.push(compute(backend)?),
            Err(refusal) => left_out.push((backend, explain(&refusal))),
        }
    }
    // The two orders of rounding are the yardstick.
    let [kernel, golden] = [Order::Kernel, Order::Golden].map(|order| compute(Backend::Reference(order)));
    let (kernel, golden) = (kernel?, golden?);
    let between = |((name, a), (_, b)): (&(&'static str, Values), &(&'static str, Values))| {
        (*name, Yardstick::between(a, b, config.dtype))
    };
    let yardsticks: Vec<(&'static str, Yardstick)> =
        golden.results.iter().zip(&kernel.results).map(between).collect();
    let pairs = pairs(&computed, &yardsticks, &config);
    let (chain, fused) = (traffic::unfused(&config, tokens), traffic::fused(&config, tokens));
    if args.json {
        print_json(&document(&config, tokens, &computed, &left_out, &pairs, &chain, &fused))?;
    } else {
        print(&computed, &left_out, &pairs, &chain, &fused)?;
    }
    match pairs.iter().filter(|pair| !pair.agree()).count() {
        0 => Ok(()),
        differ => Err(Failure::Disagreement { differ, total: pairs.len() }),
    }
}

/// One call, after one that warms up, which writes the same rows to a cache of its own.
fn compute(
    stream: &Stream,
    config: &Config,
    weights: &Weights,
    sample: SampleInputs,
    backend: Backend,
) -> Result<Computed, Failure> {
    let tokens = sample.tokens;
    let inputs = Inputs::upload(stream, config, sample)?;
    let mut call = Call::new(stream, config, weights, backend, tokens, BLOCK_SIZE)?;
    call.forward(stream, &inputs)?;
    stream.synchronize()?;
    let started = Instant::now();
    call.forward(stream, &inputs)?;
    stream.synchronize()?;
    let time = started.elapsed();
    let results = call.results().map(|(name, tensor)| Ok((name, Values::download(stream, tensor)?)));
    Ok(Computed {
        backend: call.operation.backend(),
        time,
        results: results.collect::<Result<_, Failure>>()?,
    })
}

fn pairs(computed: &[Computed], yardsticks: &[(&'static str, Yardstick)], config: &Config) -> Vec<Pair> {
    let pair = |first: &Computed, second: &Computed| {
        let tensors = first.results.iter().zip(&second.results).map(|((name, a), (_, b))| {
            let yardstick = yardsticks.iter().find(|(known, _)| known == name);
            let yardstick = yardstick.map_or_else(Yardstick::default, |(_, yardstick)| *yardstick);
            compare_values(name, a, b, config.dtype, yardstick)
        });
        Pair { backends: [first.backend, second.backend], tensors: tensors.collect() }
    };
    let mut pairs = Vec::new();
    for (index, first) in computed.iter().enumerate() {
        pairs.extend(computed[index + 1..].iter().map(|second| pair(first, second)));
    }
    pairs
}

fn print(
    computed: &[Computed],
    left_out: &[(Backend, String)],
    pairs: &[Pair],
    chain: &[LaunchTraffic],
    fused: &LaunchTraffic,
) -> Result<(), Failure> {
    let mut out = stdout();
    let mut table = Table::new(0, &[1]);
    table.row(["backend", "time on this machine"]);
    for Computed { backend, time, .. } in computed {
        table.row([&backend.to_string(), &units::time(*time)]);
    }
    writeln!(out, "{table}")?;
    for (backend, reason) in left_out {
        writeln!(out, "{backend} is left out: {reason}\n")?;
    }
    let mut table = Table::new(0, &[3, 4]);
    table.row(["results of", "and", "tensor", "largest", "differ", ""]);
    for Pair { backends: [first, second], tensors } in pairs {
        for report in tensors {
            table.row([
                &first.to_string(),
                &second.to_string(),
                report.name,
                &units::difference(report.max_error),
                &units::percent(report.mismatch),
                if report.pass { "agree" } else { "DIFFER" },
            ]);
        }
    }
    writeln!(out, "{table}")?;
    let mut table = Table::new(0, &[2, 3]);
    table.row(["launch", "operator", "reads", "writes"]);
    let mut row = |launch: &LaunchTraffic| {
        table.row([launch.name, launch.operator, &units::bytes(launch.read), &units::bytes(launch.written)]);
    };
    chain.iter().for_each(&mut row);
    row(fused);
    writeln!(out, "{table}")?;
    let moved: u64 = chain.iter().map(|launch| launch.read + launch.written).sum();
    let once = fused.read + fused.written;
    writeln!(
        out,
        "unfused: {} launches, {} moved; fused: 1 launch, {} ({:.1} % of it)",
        chain.len(),
        units::bytes(moved),
        units::bytes(once),
        100.0 * once as f64 / moved as f64
    )?;
    Ok(out.flush()?)
}

fn document(
    config: &Config,
    tokens: usize,
    computed: &[Computed],
    left_out: &[(Backend, String)],
    pairs: &[Pair],
    chain: &[LaunchTraffic],
    fused: &LaunchTraffic,
) -> Value {
    let launch = |launch: &LaunchTraffic| json!({ "name": launch.name, "operator": launch.operator, "read": launch.read, "written": launch.written });
    let pair = |pair: &Pair| {
        let backends = pair.backends.map(|backend| backend.to_string());
        json!({ "backends": backends, "agree": pair.agree(), "tensors": pair.tensors })
    };
    let of_backend = |computed: &Computed| json!({ "backend": computed.backend.to_string(), "seconds": computed.time.as_secs_f64() });
    let refused =
        |(backend, reason): &(Backend, String)| json!({ "backend": backend.to_string(), "reason": reason });
    json!({
        "config": config_json(config),
        "tokens": tokens,
        "backends": computed.iter().map(of_backend).collect::<Vec<_>>(),
        "left_out": left_out.iter().map(refused).collect::<Vec<_>>(),
        "pairs": pairs.iter().map(pair).collect::<Vec<_>>(),
        "unfused": chain.iter().map(launch).collect::<Vec<_>>(),
        "fused": launch(fused),
    })
}
