//! `sim-cc`: compiles Ascend C for the simulated AI cores; see `sim-cc --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ascendcl_sim_cc::cli::main(std::env::args_os().skip(1))
}
