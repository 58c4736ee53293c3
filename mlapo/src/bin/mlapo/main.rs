//! `mlapo`: tries, checks and explains the operation on the command line.

mod call;
mod check;
mod choice;
mod compare;
mod doctor;
mod failure;
mod inspect;
mod output;
mod progress;
mod run;
mod shape;
mod synth;
mod table;
mod units;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// MLAPO, the fused operation that DeepSeek-style models run before every attention.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 110,
    long_about = "\
MLAPO (MlaPreprocess): the fused operation that DeepSeek-style models run before every attention. One call \
normalises and quantises the hidden state, projects query and key-value down and the query up again (int8), absorbs \
the key up-projection, rotates query and key, and writes latent and rotary key to a paged cache.

Everything here runs on any Linux machine: without an NPU, AscendCL's calls are answered by a simulated device, whose \
AI cores execute the same kernel source instruction by instruction.",
    after_long_help = "\
Examples:
  mlapo run                                  a DeepSeek-V3 layer with random weights
  mlapo synth --out layer                    write a small stand-in for a published checkpoint ...
  mlapo run --checkpoint layer --layer 0     ... and run a layer of it
  mlapo verify mlapo/tests/fixtures          judge the implementation by golden fixtures
  mlapo compare                              all implementations on the same input, beside each other
  mlapo check                                the kernel under the sanitizer of the simulated AI cores
  mlapo doctor                               what is installed here, and what is missing for an NPU

Environment:
  ASCENDCL_BACKEND      auto (default), npu or sim: which AscendCL answers
  ASCENDCL_LIBRARY      the AscendCL library, or the directory that it is in
  ASCENDCL_SIM_SOC      model of the simulated device, Ascend910B3 by default
  RUST_LOG              what is logged to stderr, for example `ascendcl=debug`

Exit status: 0 success, 1 failure, 2 wrong usage."
)]
struct Cli {
    /// Log more to stderr: -v what is chosen, -vv what is done, -vvv everything (RUST_LOG has precedence)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Verify(verify::Args),
    Check(check::Args),
    Compare(compare::Args),
    Inspect(inspect::Args),
    Doctor(doctor::Args),
    Synth(synth::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    let result = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Check(args) => check::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Synth(args) => synth::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        // What fails is said by the error message; the layers below would say it once more.
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        // It would panic where standard error is closed.
        .log_internal_errors(false)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
