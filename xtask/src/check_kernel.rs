//! `cargo xtask check-kernel`: whether the kernel is what an installed toolkit understands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// Type-check the kernel with a host compiler against the CPU-debug headers of an installed CANN toolkit.
///
/// This finds calls that the toolkit does not have; it needs no device compiler and makes nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the toolkit is installed; ASCEND_HOME_PATH if it is not said.
    #[arg(long, value_name = "DIR")]
    ascend_home: Option<PathBuf>,
    /// The compiler, in place of CXX or g++.
    #[arg(long, value_name = "PROGRAM")]
    cxx: Option<OsString>,
    /// What to check, in place of the kernel of this workspace.
    #[arg(value_name = "SOURCE")]
    sources: Vec<PathBuf>,
}

const KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo-kernel/kernel/mlapo.cpp");

/// Under the toolkit's root.
const DEBUG_HEADERS: &str = "tools/tikicpulib/lib/include";
/// Under `<arch>-linux` in the toolkit's root.
const HEADERS: [&str; 8] = [
    "include",
    "ascendc/include/basic_api",
    "ascendc/include/basic_api/impl",
    "ascendc/include/basic_api/interface",
    "ascendc/include/highlevel_api",
    "ascendc/include/highlevel_api/lib",
    "ascendc/include/highlevel_api/impl",
    "ascendc/include/highlevel_api/lib/matmul",
];

/// Why a kernel cannot be checked, or does not pass.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "no toolkit was named: give --ascend-home DIR, or source the toolkit's set_env.sh, which sets ASCEND_HOME_PATH"
    )]
    NoToolkit,
    #[error("{} has no {what}: it is no CANN toolkit with CPU-debug headers (8.1 has them)", home.display())]
    NotAToolkit { home: PathBuf, what: String },
    #[error("{program:?} cannot be started: {error}; install g++ or name a compiler with --cxx")]
    NoCompiler { program: OsString, error: std::io::Error },
    #[error("{} does not compile for {cores} cores", source_file.display())]
    Refused { source_file: PathBuf, cores: &'static str },
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match check(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("check-kernel: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(args: &Args) -> Result<(), Error> {
    let home = args.ascend_home.clone().or_else(|| env::var_os("ASCEND_HOME_PATH").map(PathBuf::from));
    let includes = includes(&home.ok_or(Error::NoToolkit)?)?;
    let program = args.cxx.clone().or_else(|| env::var_os("CXX")).unwrap_or_else(|| OsString::from("g++"));
    let kernel = [PathBuf::from(KERNEL)];
    let sources = if args.sources.is_empty() { &kernel[..] } else { &args.sources };
    for source in sources {
        for (cores, define) in [("cube", "-D__DAV_C220_CUBE__"), ("vector", "-D__DAV_C220_VEC__")] {
            let status = Command::new(&program)
                .args(["-std=c++17", "-fsyntax-only", "-w", "-D__CCE_AICORE__=220", "-D__DAV_C220__"])
                .args(["-D__CCE_KT_TEST__=1", "-DASCENDC_CPU_DEBUG=1", "-DASCENDC_DEBUG=1", define])
                .args(includes.iter().flat_map(|path| [OsString::from("-I"), path.into()]))
                .args(["-x", "c++"])
                .arg(source)
                .status()
                .map_err(|error| Error::NoCompiler { program: program.clone(), error })?;
            if !status.success() {
                return Err(Error::Refused { source_file: source.clone(), cores });
            }
            println!("{}: compiles for {cores} cores", source.display());
        }
    }
    Ok(())
}

/// The folders of headers in a toolkit.
fn includes(home: &Path) -> Result<Vec<PathBuf>, Error> {
    let missing = |what: &str| Error::NotAToolkit { home: home.to_owned(), what: what.to_owned() };
    let debug = home.join(DEBUG_HEADERS);
    if !debug.is_dir() {
        return Err(missing(DEBUG_HEADERS));
    }
    let entries = fs::read_dir(home).map_err(|_| missing("folder"))?;
    let mut platforms: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with("-linux") && path.join(HEADERS[1]).is_dir())
        .collect();
    platforms.sort();
    let platform = platforms.first().ok_or_else(|| missing("<arch>-linux/ascendc/include/basic_api"))?;
    Ok([debug].into_iter().chain(HEADERS.iter().map(|folder| platform.join(folder))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(home: Option<&Path>, source: &Path) -> Args {
        Args { ascend_home: home.map(Path::to_owned), cxx: None, sources: vec![source.to_owned()] }
    }

    /// A stand-in for a toolkit, with a header that has one function.
    fn toolkit() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(DEBUG_HEADERS)).unwrap();
        for folder in HEADERS {
            fs::create_dir_all(home.path().join("x-linux").join(folder)).unwrap();
        }
        let header = home.path().join("x-linux").join(HEADERS[1]).join("kernel_operator.h");
        fs::write(header, "#ifdef __DAV_C220_VEC__\nvoid Add(int);\n#endif\nvoid Both(int);\n").unwrap();
        home
    }

    #[test]
    fn a_kernel_is_compiled_for_both_kinds_of_cores() {
        let home = toolkit();
        let good = home.path().join("good.cpp");
        fs::write(&good, "#include \"kernel_operator.h\"\nvoid kernel() { Both(1); }\n").unwrap();
        check(&args(Some(home.path()), &good)).unwrap();
        let bad = home.path().join("bad.cpp");
        fs::write(&bad, "#include \"kernel_operator.h\"\nvoid kernel() { Add(1); }\n").unwrap();
        let error = check(&args(Some(home.path()), &bad)).unwrap_err();
        assert!(matches!(error, Error::Refused { cores: "cube", .. }), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let error = check(&args(Some(empty.path()), Path::new("kernel.cpp"))).unwrap_err();
        assert!(error.to_string().contains(DEBUG_HEADERS), "{error}");
    }
}
