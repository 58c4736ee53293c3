//! `cargo xtask test-npu`: builds the device suite, optimised, and runs it.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Test a real NPU, or the simulated one (--sim), and write a report.
///
/// Builds the program `test-npu` of this package and runs it with these arguments; `--help` tells them.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of the suite.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // A program of its own, because the crates that it tests need files that other tasks of this one write.
    command.args([
        "run",
        "--quiet",
        "--release",
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    command.args(["--bin", "test-npu", "--"]).args(&args.arguments);
    match command.status() {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("test-npu: cannot start {command:?}: {error}");
            ExitCode::FAILURE
        }
    }
}
