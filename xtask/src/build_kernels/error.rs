//! Why kernels cannot be built.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::object::Unfit;
use super::soc::{ARCH, SOCS};
use super::step::Step;
use super::toolkit::{Lack, NotHere, join};

/// Why kernels cannot be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the kernel is for NPU architecture {ARCH} ({}), not for {soc}", SOCS.join(", "))]
    UnsupportedSoc { soc: String },
    #[error("{}", NoToolkit(tried))]
    NoToolkit { tried: Vec<(PathBuf, NotHere)> },
    #[error(
        "{} cannot build by the method {asked}: {}; it has: {}",
        home.display(), join(lacks), has.join(", ")
    )]
    NoMethod { home: PathBuf, asked: &'static str, lacks: Vec<Lack>, has: Vec<&'static str> },
    #[error("{} differs from the definition of the tiling: run `cargo xtask tiling-header`", header.display())]
    OldHeader { header: PathBuf },
    #[error("{} cannot be started: {error}{}\n  {step}{}", step.program.display(), Install(step, error), Hint(*other))]
    NotStarted { step: Box<Step>, error: io::Error, other: Option<&'static str> },
    #[error("{} failed ({status})\n  {step}\n{output}{}", step.program.display(), Hint(*other))]
    Failed { step: Box<Step>, status: String, output: String, other: Option<&'static str> },
    #[error("the toolkit's commands succeeded, but {} {why}{}", object.display(), Hint(*other))]
    Unfit { object: PathBuf, why: Unfit, other: Option<&'static str> },
    #[error("{} cannot be written: {error}; {instead}", path.display())]
    NotWritten { path: PathBuf, error: io::Error, instead: &'static str },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

impl Error {
    /// For `map_err`: an error of a file.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::File { path, error }
    }

    /// For `map_err`: what cannot be written to the cache.
    pub(super) fn cache(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::NotWritten {
            path,
            error,
            instead: "the cache is in cargo's target folder, and CARGO_TARGET_DIR=DIR names another one",
        }
    }

    /// For `map_err`: what cannot be written to the folder of built kernels.
    pub(super) fn artifacts(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::NotWritten { path, error, instead: "--out DIR names another folder for built kernels" }
    }

    /// For `map_err`: what cannot be written to where the user wants it.
    pub(super) fn object(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::NotWritten { path, error, instead: "-o OBJECT names another place for it" }
    }

    /// For `map_err`: an object that cannot be loaded.
    pub(super) fn unfit(object: &Path) -> impl FnOnce(Unfit) -> Self {
        let object = object.to_owned();
        |why| Self::Unfit { object, why, other: None }
    }

    /// Of a build by one method, if the toolkit has another one.
    pub(super) fn or_by(mut self, method: Option<&'static str>) -> Self {
        if let Self::NotStarted { other, .. } | Self::Failed { other, .. } | Self::Unfit { other, .. } =
            &mut self
        {
            *other = method;
        }
        self
    }
}

/// What was tried, and what to do.
struct NoToolkit<'a>(&'a [(PathBuf, NotHere)]);

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

/// How to get a program that is no part of the toolkit.
struct Install<'a>(&'a Step, &'a io::Error);

impl fmt::Display for Install<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step, error) = self;
        if step.program == Path::new("cmake") && error.kind() == io::ErrorKind::NotFound {
            write!(f, "; install cmake, 3.16 or newer, such that it is in PATH")?;
        }
        Ok(())
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
