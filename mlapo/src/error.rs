//! Errors of the operation: each names the thing that is wrong, what was expected and what came.

use thiserror::Error;

/// A field of the configuration that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("configuration: `{field}` must be {expected}, got {got}")]
pub struct ConfigError {
    /// The field, by its name in [`Config`](crate::Config).
    pub field: &'static str,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub got: String,
}

/// A tensor that does not fit: wrong dtype, shape, format or length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("tensor `{tensor}`: {what} must be {expected}, got {got}")]
pub struct TensorError {
    /// The tensor, by its name in the operator's contract.
    pub tensor: &'static str,
    /// The property that is wrong: "shape", "dtype", "format", "length".
    pub what: &'static str,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub got: String,
}

impl TensorError {
    /// A tensor that is there and should not be, or the other way round.
    pub(crate) fn presence(tensor: &'static str, expected: bool, got: bool) -> Self {
        let word = |present| if present { "present" } else { "absent" };
        Self { tensor, what: "the tensor", expected: word(expected).into(), got: word(got).into() }
    }

    /// A storage that does not have the shape that is needed.
    pub(crate) fn shape(tensor: &'static str, error: ascendcl::ShapeError) -> Self {
        Self { tensor, what: error.what, expected: error.expected, got: error.got }
    }

    /// Checks a length in elements.
    pub(crate) fn check_len(tensor: &'static str, expected: usize, got: usize) -> Result<(), Self> {
        if expected == got {
            return Ok(());
        }
        Err(Self {
            tensor,
            what: "length",
            expected: format!("{expected} elements"),
            got: format!("{got} elements"),
        })
    }
}

/// Anything that this crate reports.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that is not possible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor that does not fit the configuration.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The device, its memory or a stream.
    #[error(transparent)]
    Device(#[from] ascendcl::Error),
    /// The kernel was not built for the device.
    #[error(transparent)]
    NoKernel(#[from] mlapo_kernel::NoBinary),
    /// ATB, the vendor's operator library.
    #[error(transparent)]
    Atb(#[from] atb::Error),
    /// A checkpoint that cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointError),
    /// A golden fixture that cannot be used.
    #[error(transparent)]
    Fixture(#[from] crate::fixture::FixtureError),
    /// A slot outside the cache.
    #[error("slot_mapping[{token}] is {slot}, but the cache has {slots} slots (negative slots are skipped)")]
    Slot {
        /// The token whose slot is wrong.
        token: usize,
        /// The slot that it asks for.
        slot: i32,
        /// Slots of the cache: blocks times block size.
        slots: usize,
    },
}
