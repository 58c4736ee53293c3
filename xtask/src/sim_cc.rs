//! `cargo xtask sim-cc`: Ascend C for the simulated AI cores.

use std::ffi::OsString;
use std::process::ExitCode;

/// Compile Ascend C for the simulated AI cores: kernels alone, or with the program that launches them.
///
/// The arguments are those of sim-cc; see `cargo xtask sim-cc -- --help`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Sources and options, as for a compiler.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: Args) -> ExitCode {
    ascendcl_sim_cc::cli::main(args.arguments)
}
