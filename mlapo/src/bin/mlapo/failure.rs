//! Why a command fails, and how that is said.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use thiserror::Error;

/// Why a command fails.
#[derive(Debug, Error)]
pub enum Failure {
    /// The library refused something.
    #[error(transparent)]
    Mlapo(#[from] mlapo::Error),
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// Fixtures failed, as was reported.
    #[error("{failed} of {total} fixtures failed")]
    Verification { failed: usize, total: usize },
    /// Implementations do not agree, as was reported.
    #[error("{differ} of {total} pairs of backends do not agree")]
    Disagreement { differ: usize, total: usize },
    /// The sanitizer found something, as was reported.
    #[error("the kernel has {0} kinds of faults")]
    Findings(usize),
    /// There was nothing to verify.
    #[error("no fixture (*.safetensors) found in {0}")]
    NothingFound(String),
}

impl From<ascendcl::Error> for Failure {
    fn from(error: ascendcl::Error) -> Self {
        Self::Mlapo(error.into())
    }
}

impl From<mlapo::checkpoint::CheckpointError> for Failure {
    fn from(error: mlapo::checkpoint::CheckpointError) -> Self {
        Self::Mlapo(error.into())
    }
}

impl Failure {
    /// Says it on standard error, unless it was said before or nobody reads the output any more.
    pub fn report(&self) {
        match self {
            Self::Verification { .. } | Self::Disagreement { .. } | Self::Findings(_) => {}
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => complain(&explain(other)),
        }
    }
}

/// Writes an `error: ` line to standard error.
pub fn complain(text: &str) {
    // Where standard error is closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// An error with its causes, leaving out those whose text the error repeats.
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
