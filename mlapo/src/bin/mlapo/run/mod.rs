//! `mlapo run`: runs the operation, times it and compares it with the reference.

mod measure;
mod report;

use std::path::PathBuf;

use ascendcl::Runtime;
use mlapo::checkpoint::{CacheScaleValues, Checkpoint, Heads, LoadOptions};
use mlapo::{CacheMode, Config, QuantMode, SampleInputs, Weights};

use crate::choice::{BackendChoice, CacheChoice, DtypeChoice, QuantChoice, WukChoice};
use crate::failure::Failure;
use crate::progress;

/// Run the operation: shapes, time, checksum, difference from the reference
///
/// Without arguments: the attention of DeepSeek-V3 (hidden 7168, 128 heads) with random weights and 4 tokens.
/// Everything goes through the public interface: device tensors, a stream, `Mlapo::forward`.
#[derive(clap::Args)]
#[command(after_long_help = "\
What is printed:
  checksum    of each result: the sum of (bits + 1) * (2 * position + 1) over its elements as stored, modulo 2^64; the
              whole cache counts, which starts with zeros. The checksum of the run is the sum of these.
  difference  the largest absolute difference from the reference in the device's order of rounding, computed once from
              the same inputs; of int8 tensors in steps
  time        from the call to the end of its work, median and least over the iterations after one call that warms up;
              `on the stream` is measured by events around the call
  weights     bytes of weights that a call reads, per second of the median; few tokens are bound by this

Examples:
  mlapo run
  mlapo run --tokens 32 --cache split-nz-int8 --quant per-token --iterations 50
  mlapo run --checkpoint DeepSeek-R1-W8A8 --layer 3 --tp-rank 0 --tp-size 8
  mlapo run --json | jq .time.median_us")]
pub struct Args {
    /// Take the weights from a checkpoint in the published W8A8 layout instead of random ones
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Layer of the checkpoint
    #[arg(long, value_name = "N", default_value_t = 0, requires = "checkpoint")]
    layer: usize,
    /// This rank under tensor parallelism, from 0: takes its share of the checkpoint's heads
    #[arg(long, value_name = "N", requires_all = ["checkpoint", "tp_size"], conflicts_with = "heads")]
    tp_rank: Option<usize>,
    /// Ranks in all
    #[arg(long, value_name = "N", requires = "tp_rank")]
    tp_size: Option<usize>,
    /// Tokens of a call
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = tokens)]
    tokens: usize,
    /// Query heads; 128 by default, with a checkpoint all of its heads (otherwise the first N)
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Type of the activations; bf16 by default, with a checkpoint its own
    #[arg(long, value_enum)]
    dtype: Option<DtypeChoice>,
    /// Layout of the paged cache
    #[arg(long, value_enum, default_value_t = CacheChoice::Split)]
    #[arg(
        long_help = "Layout of the paged cache. No checkpoint holds the scales of split-nz-int8: with one, 1/20 is \
                       taken for the latent and 20 for the query"
    )]
    cache: CacheChoice,
    /// Quantisation of the activations; per-tensor by default, with a checkpoint its own
    #[arg(long, value_enum)]
    quant: Option<QuantChoice>,
    /// Storage in which the key up-projection is handed over
    #[arg(long, value_enum, default_value_t = WukChoice::Nd)]
    wuk: WukChoice,
    /// The hidden state comes normalised and is only quantised
    #[arg(long)]
    no_input_norm: bool,
    /// What computes
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto)]
    backend: BackendChoice,
    /// Timed calls
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    /// Rows of a cache block
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = tokens)]
    block_size: usize,
    /// Seed of random weights and inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Tokens, or rows of a block: bounded, because this program makes them all up at once.
fn tokens(text: &str) -> Result<usize, String> {
    const LARGEST: usize = 1 << 16;
    match text.parse() {
        Ok(number @ 1..=LARGEST) => Ok(number),
        _ => Err(format!("must be a number from 1 to {LARGEST}")),
    }
}

/// Scale of the int8 latent for a checkpoint, which has none: rows are normalised, so this fits ±6.
const CTKV_SCALE: f32 = 1.0 / 20.0;
/// Scale of the int8 query for a checkpoint.
const Q_NOPE_SCALE: f32 = 20.0;

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (config, mut weights) = match &args.checkpoint {
        Some(path) => load(args, path)?,
        None => {
            let config = Config::deepseek_v3()
                .num_heads(args.heads.unwrap_or(128))
                .dtype(args.dtype.unwrap_or(DtypeChoice::Bf16).into())
                .cache_mode(args.cache.into())
                .quant_mode(args.quant.map_or(QuantMode::PerTensor, Into::into))
                .input_norm(!args.no_input_norm)
                .build()?;
            let weights = Weights::random(&config, args.seed);
            (config, weights)
        }
    };
    if args.wuk == WukChoice::Nz {
        let stored = weights.wuk_nz(&config)?;
        weights.set_wuk_nz(&config, &stored)?;
    }
    let runtime = Runtime::new()?;
    let sample = SampleInputs::random(&config, args.tokens, args.seed);
    let run = {
        let (backend, iterations) = (args.backend.into(), args.iterations);
        measure::run(&runtime, &config, &weights, sample, backend, iterations, args.block_size)?
    };
    // The report of leaks, if there are any, comes from the library here.
    runtime.finalize()?;
    if args.json {
        report::print_as_json(args, &config, &weights, &run)
    } else {
        report::print(args, &config, &weights, &run)
    }
}

fn load(args: &Args, path: &std::path::Path) -> Result<(Config, Weights), Failure> {
    let checkpoint = Checkpoint::open(path)?;
    let heads = match (args.heads, args.tp_rank, args.tp_size) {
        (_, Some(rank), Some(size)) => Heads::Rank { rank, size },
        (Some(heads), ..) => Heads::Range(0..heads),
        (None, ..) => Heads::All,
    };
    let cache_mode = args.cache.into();
    let options = LoadOptions {
        dtype: args.dtype.map(Into::into),
        heads,
        cache_mode,
        cache_scales: (cache_mode == CacheMode::SplitNzInt8).then(|| CacheScaleValues {
            ctkv_scale: CTKV_SCALE,
            q_nope_scale: vec![Q_NOPE_SCALE; checkpoint.model_config().num_heads],
        }),
        quant_mode: args.quant.map(Into::into),
        input_norm: !args.no_input_norm,
    };
    Ok(progress::with_bar("loading", |report| checkpoint.load_layer(args.layer, &options, report))?)
}
