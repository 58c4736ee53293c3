//! `cargo xtask sim-cc`: Ascend C kernels for the simulated AI cores.

use std::path::PathBuf;
use std::process::ExitCode;

use ascendcl_sim_cc::Build;

/// Compile Ascend C kernels for the simulated AI cores.
///
/// The result is a shared library that aclrtBinaryLoadFromFile of the simulated device loads.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files with kernels: .cpp, .asc, .cce or .h.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// The object to write.
    #[arg(short, long, value_name = "OUT.so")]
    output: PathBuf,
    /// A folder to look for included files in.
    #[arg(short = 'I', value_name = "DIR")]
    include: Vec<PathBuf>,
    /// A macro.
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    define: Vec<String>,
    /// The compiler, in place of CXX or g++.
    #[arg(long, value_name = "PROGRAM")]
    cxx: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let mut build = Build::new(&args.output);
    build = args.sources.iter().fold(build, Build::source);
    build = args.include.iter().fold(build, Build::include);
    build = args.define.iter().fold(build, Build::define);
    if let Some(compiler) = &args.cxx {
        build = build.compiler(compiler);
    }
    match build.run() {
        Ok(built) => {
            println!("{}", built.output.display());
            for kernel in built.kernels {
                println!("  {} ({:?})", kernel.name, kernel.kernel_type);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sim-cc: {error}");
            ExitCode::FAILURE
        }
    }
}
