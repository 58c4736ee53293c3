//! What can be wrong with a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;
use thiserror::Error;

/// A checkpoint that cannot be opened, read or written; each case names the file, and the tensor if there is one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a file, or a file too large to be what it should be.
    #[error("{}: must be {expected}, got {got}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it must be.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// A directory without weights.
    #[error("{}: not a checkpoint: neither `*.safetensors.index.json` nor any `*.safetensors` in it", path.display())]
    NoWeights {
        /// The directory.
        path: PathBuf,
    },
    /// More than one index, and none of them, or several, named as the quantiser does.
    #[error("{}: which index is meant? Found {}", path.display(), found.join(", "))]
    AmbiguousIndex {
        /// The directory.
        path: PathBuf,
        /// The indices in it.
        found: Vec<String>,
    },
    /// A JSON file that is none.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// A field of `config.json` or of an index that does not fit.
    #[error("{}: `{field}` must be {expected}, got {got}", path.display())]
    Field {
        /// The JSON file.
        path: PathBuf,
        /// The field, by its name in the file.
        field: String,
        /// What it must be.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// A shard whose header is corrupt or whose length is not what the header says (truncated).
    #[error("{}: not a complete safetensors file: {source}", path.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// The index names a shard that is not there.
    #[error("{}: the shard that holds `{tensor}` does not exist", path.display())]
    MissingShard {
        /// The shard.
        path: PathBuf,
        /// The first tensor that it should hold.
        tensor: String,
    },
    /// A tensor that is needed and not there.
    #[error("{}: there is no tensor `{tensor}`", path.display())]
    MissingTensor {
        /// Where it was looked for: a shard, an index or a directory.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor of a wrong dtype, shape or value.
    #[error("{}: tensor `{tensor}`: {what} must be {expected}, got {got}", path.display())]
    Tensor {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The property that is wrong: "shape", "dtype", "value".
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it was.
        got: String,
    },
    /// A layer that the checkpoint does not have.
    #[error("{}: no attention weights of layer {layer}; layers present: {present}", path.display())]
    NoLayer {
        /// The checkpoint.
        path: PathBuf,
        /// The layer asked for.
        layer: usize,
        /// Those that are there.
        present: String,
    },
    /// A wish that cannot be met.
    #[error("option `{option}` must be {expected}, got {got}")]
    Option {
        /// The field of [`LoadOptions`](super::LoadOptions) or [`SynthOptions`](super::synth::SynthOptions).
        option: &'static str,
        /// What it must be.
        expected: String,
        /// What it was.
        got: String,
    },
    /// The directory to write to has something in it.
    #[error("{}: exists and is not empty; nothing was written", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// Dimensions that the operation does not support, or weights that do not fit them.
    #[error("{}: {source}", path.display())]
    Operation {
        /// The checkpoint.
        path: PathBuf,
        /// The configuration field or the operator's tensor.
        source: Box<crate::Error>,
    },
}

impl CheckpointError {
    /// For `map_err`: an I/O error at a path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }

    /// For `map_err`: an error of the operation's own types at a path.
    pub(super) fn operation<E: Into<crate::Error>>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        |source| Self::Operation { path: path.to_owned(), source: Box::new(source.into()) }
    }
}
