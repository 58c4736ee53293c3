//! Why kernels cannot be built.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::soc::{ARCH, SOCS};
use super::step::Step;

/// Why kernels cannot be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the kernel is for NPU architecture {ARCH} ({}), not for {soc}", SOCS.join(", "))]
    UnsupportedSoc { soc: String },
    #[error("{}", NoToolkit(tried))]
    NoToolkit { tried: Vec<(PathBuf, String)> },
    #[error("{} cannot build by the method {asked}; it has: {has}", home.display())]
    NoMethod { home: PathBuf, asked: &'static str, has: String },
    #[error("{} differs from the definition of the tiling: run `cargo xtask tiling-header`", header.display())]
    OldHeader { header: PathBuf },
    #[error("{} cannot be started: {error}\n  {step}", step.program.display())]
    NotStarted { step: Box<Step>, error: io::Error },
    #[error("{} failed ({status})\n  {step}\n{output}{}", step.program.display(), Hint(*other))]
    Failed { step: Box<Step>, status: String, output: String, other: Option<&'static str> },
    #[error("the toolkit's commands succeeded, but {} is {what}", object.display())]
    NoObject { object: PathBuf, what: &'static str },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

impl Error {
    /// For `map_err`: an error of a file.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::File { path, error }
    }
}

/// What was tried, and what to do.
struct NoToolkit<'a>(&'a [(PathBuf, String)]);

impl fmt::Display for NoToolkit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no CANN toolkit that can build kernels was found; looked in:")?;
        for (place, why) in self.0 {
            writeln!(f, "  {}: {why}", place.display())?;
        }
        write!(
            f,
            "install the CANN toolkit and `source` its set_env.sh, which sets ASCEND_HOME_PATH, or give --ascend-home DIR"
        )
    }
}

struct Hint(Option<&'static str>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(method) => write!(f, "\nthe toolkit has another way to build: --method {method}"),
            None => Ok(()),
        }
    }
}
