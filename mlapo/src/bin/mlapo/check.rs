//! `mlapo check`: the kernel under the sanitizer of the simulated AI cores.

use std::io::Write;
use std::time::Instant;

use ascendcl::Runtime;
use ascendcl_sim::kernel::{self, Finding, LaunchReport, Level, Options};
use mlapo::{Backend, Config, SampleInputs, Weights};
use serde_json::{Value, json};

use crate::call::{Call, Inputs};
use crate::failure::Failure;
use crate::output::{print_json, stdout};
use crate::shape::Shape;

/// Run the fused kernel under the sanitizer of the simulated AI cores
///
/// The simulated cores execute the kernel instruction by instruction and follow what every byte of their memories and of
/// global memory was last used for: accesses out of bounds or unaligned, reads of memory that nothing wrote, accesses
/// that no flag or barrier orders, flags that are set twice or left, deadlocks.
#[derive(clap::Args)]
#[command(after_long_help = "\
A finding names what is wrong, the core, the pipe, the instruction and the line of the kernel, and the earlier access
that it conflicts with. The exit status is 1 if anything is wrong.

Examples:
  mlapo check
  mlapo check --tokens 33 --heads 18 --cache split-nz-int8 --quant per-token
  mlapo check --auto-sync")]
pub struct Args {
    #[command(flatten)]
    shape: Shape,
    /// Grant the order that the device's compiler inserts by itself (--cce-auto-sync=on)
    #[arg(long)]
    auto_sync: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let tokens = args.shape.tokens();
    let config = args.shape.config()?;
    let weights = Weights::random(&config, 0);
    kernel::configure(Options { level: Level::Check, auto_sync: args.auto_sync, ..Options::default() });
    let runtime = Runtime::with_backend(ascendcl::Backend::Sim)?;
    let started = Instant::now();
    let result = call(&runtime, &config, &weights, tokens);
    let reports = kernel::take_reports();
    let seconds = started.elapsed().as_secs_f64();
    let findings: Vec<&Finding> = reports.iter().flat_map(|report| &report.findings).collect();
    if args.json {
        print_json(&document(&reports, seconds))?;
    } else {
        let mut out = stdout();
        for finding in &findings {
            writeln!(out, "{finding}\n")?;
        }
        let instructions: u64 = reports.iter().map(|report| report.instructions).sum();
        writeln!(
            out,
            "{} launches, {instructions} instructions, {} findings, {seconds:.1} s",
            reports.len(),
            findings.len()
        )?;
        out.flush()?;
    }
    result?;
    match findings.iter().filter(|finding| finding.is_error()).count() {
        0 => Ok(()),
        wrong => Err(Failure::Findings(wrong)),
    }
}

/// One call, with the kernel.
fn call(runtime: &Runtime, config: &Config, weights: &Weights, tokens: usize) -> Result<(), Failure> {
    let stream = runtime.device(0)?.stream()?;
    let inputs = Inputs::upload(&stream, config, SampleInputs::random(config, tokens, 0))?;
    let mut call = Call::new(&stream, config, weights, Backend::Kernel, tokens, 128)?;
    call.forward(&stream, &inputs)?;
    Ok(stream.synchronize()?)
}

fn document(reports: &[LaunchReport], seconds: f64) -> Value {
    let actor = |actor: &kernel::Actor| {
        json!({
            "core": actor.core,
            "pipe": actor.pipe,
            "instruction": actor.instruction,
            "file": actor.source.file,
            "line": actor.source.line,
        })
    };
    let finding = |finding: &Finding| {
        json!({
            "kind": format!("{:?}", finding.kind),
            "error": finding.is_error(),
            "message": finding.message,
            "actor": actor(&finding.actor),
            "other": finding.other.as_ref().map(actor),
            "count": finding.count,
        })
    };
    let launch = |report: &LaunchReport| {
        json!({
            "kernel": report.kernel,
            "blocks": report.block_num,
            "instructions": report.instructions,
            "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    };
    json!({ "launches": reports.iter().map(launch).collect::<Vec<_>>(), "seconds": seconds })
}
