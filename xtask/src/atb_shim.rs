//! `cargo xtask atb-shim`: the shim over ATB, for programs that were built where there is no ATB.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::compile::{Installation, Shim};

#[path = "../../atb-sys/build/compile.rs"]
mod compile;

/// Compiles the shim over an installed ATB: libatb_shim.so, to put beside a program or into ATB_SHIM_LIBRARY.
///
/// Where ATB has builds for both C++ ABIs there is a shim for each, in cxx_abi_0 and cxx_abi_1.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// ATB: a directory with include and lib, or the one above with cxx_abi_0 and cxx_abi_1. Default: ATB_HOME_PATH.
    #[arg(long, value_name = "DIR")]
    atb_home: Option<PathBuf>,
    /// Further headers, such as the toolkit's; $ASCEND_HOME_PATH/include follows them.
    #[arg(long, value_name = "DIR")]
    include: Vec<PathBuf>,
    /// The directory to write to.
    #[arg(long, value_name = "DIR", default_value = "target/atb-shim")]
    out: PathBuf,
    /// Checks whether the shim compiles, and writes nothing. Needs headers only, in --atb-home or --include.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let home = args.atb_home.clone().or_else(|| variable("ATB_HOME_PATH"));
    let done = if args.check { check(args, home.as_deref()) } else { build(args, home.as_deref()) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("atb-shim: {message}");
            ExitCode::FAILURE
        }
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Compiles for each installation and each ABI, or for the headers alone.
fn check(args: &Args, home: Option<&Path>) -> Result<(), String> {
    let home = home.map(|home| Installation::find(home).map_err(|reason| (home, reason))).transpose();
    let targets: Vec<_> = match home {
        Ok(Some(installations)) => {
            installations.iter().map(|found| (Some(found.home.join("include")), found.cxx11_abi)).collect()
        }
        Ok(None) if args.include.is_empty() => return Err(NO_ATB.to_owned()),
        Ok(None) => [0, 1].map(|abi| (None, abi)).into(),
        // Headers without a library are enough to check.
        Err((home, reason)) => {
            let include = home.join("include");
            if !include.join("atb").is_dir() {
                return Err(reason);
            }
            [0, 1].map(|abi| (Some(include.clone()), abi)).into()
        }
    };
    for (atb, cxx11_abi) in targets {
        execute(shim(args, atb, cxx11_abi).check()?)?;
    }
    Ok(())
}

const NO_ATB: &str =
    "no ATB is known: `source` its set_env.sh, which sets ATB_HOME_PATH, or name it with --atb-home";

fn build(args: &Args, home: Option<&Path>) -> Result<(), String> {
    let installations = Installation::find(home.ok_or(NO_ATB)?)?;
    for installation in &installations {
        let directory = match installations.len() {
            1 => args.out.clone(),
            _ => args.out.join(compile::directory(installation.cxx11_abi)),
        };
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        let output = directory.join(compile::FILE);
        let shim = shim(args, Some(installation.home.join("include")), installation.cxx11_abi);
        execute(shim.build(&installation.home.join("lib"), &output)?)?;
        println!("{} (_GLIBCXX_USE_CXX11_ABI={})", output.display(), installation.cxx11_abi);
    }
    Ok(())
}

fn shim(args: &Args, atb: Option<PathBuf>, cxx11_abi: u8) -> Shim<'static> {
    let toolkit = variable("ASCEND_HOME_PATH").map(|home| home.join("include"));
    Shim {
        package: Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../atb-sys")),
        include: atb.into_iter().chain(args.include.iter().cloned()).chain(toolkit).collect(),
        cxx11_abi,
        arguments: &[],
    }
}

/// Shows a command and runs it.
fn execute(mut command: std::process::Command) -> Result<(), String> {
    println!("{}", compile::display(&command));
    compile::run(&mut command)
}
