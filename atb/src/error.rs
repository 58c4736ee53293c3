//! The error type: which call failed, of which operation, with which code, and what the library said about it.

use std::fmt;

use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that this crate reports.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A call answered with a code of ATB's or of the shim's.
    #[error(transparent)]
    Atb(#[from] AtbError),
    /// A call of ATB answered with a code of AscendCL's (100000 and more), which it had from a function that it called.
    #[error(transparent)]
    Acl(#[from] AclError),
    /// ATB could not be loaded; says what was tried.
    #[error(transparent)]
    Unavailable(#[from] atb_sys::LoadError),
    /// A tensor that does not fit.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A graph that cannot be made.
    #[error("graph `{graph}`: {why}")]
    Graph {
        /// Its name.
        graph: String,
        /// What is wrong.
        why: String,
    },
    /// The device, its memory or a stream refused; also for objects that do not belong together.
    #[error(transparent)]
    Device(ascendcl::Error),
    /// The call is not possible while the stream is being captured; see [`Prepared::execute`](crate::Prepared::execute).
    #[error(
        "{call}: not possible while the stream is being captured: a replay would use tiling that is gone"
    )]
    Capturing {
        /// The call that was refused.
        call: &'static str,
    },
    /// What the operation reads and writes depends on what the safe calls cannot check; see
    /// [`Prepared::execute_unchecked`](crate::Prepared::execute_unchecked).
    #[error(
        "`{operation}` can be executed by unsafe calls only: it, or a node of it, takes addresses from its inputs' data \
         (slots, indices, block tables or lengths), or it is a graph with chunks or a shape inference of its own"
    )]
    Unchecked {
        /// The operation.
        operation: String,
    },
    /// A closure of a graph panicked.
    #[error("a closure of the graph `{graph}` panicked: {message}")]
    ClosurePanicked {
        /// The graph.
        graph: String,
        /// The panic's message.
        message: String,
    },
    /// A closure of a graph called back into this crate, which the library forbids.
    #[error("{call}: not possible in a closure of a graph")]
    InClosure {
        /// The call that was refused.
        call: &'static str,
    },
}

/// A call of ATB's that answered with an error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtbError {
    /// The function, by its name in ATB.
    pub call: &'static str,
    /// The operation, if the call was about one.
    pub operation: Option<String>,
    /// The code (`atb::ErrorType`, or negative for the shim's own).
    pub code: i32,
    /// What the shim or the library had to say; may be empty, as ATB itself says the details to its log only.
    pub message: String,
}

/// A call of ATB's that passed on an error code of AscendCL's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclError {
    /// The function, by its name in ATB.
    pub call: &'static str,
    /// The operation, if the call was about one.
    pub operation: Option<String>,
    /// The code (`aclError`).
    pub code: i32,
    /// What the shim or the library had to say; may be empty.
    pub message: String,
}

/// A tensor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{tensor} must be {expected}, got {got}")]
pub struct TensorError {
    /// Which tensor, such as "input 3" or "view".
    pub tensor: String,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub got: String,
}

impl AtbError {
    /// The symbolic name of the code, for example `ERROR_INVALID_TENSOR_DIM`.
    pub fn name(&self) -> Option<&'static str> {
        atb_sys::error_name(self.code)
    }
}

impl AclError {
    /// The symbolic name of the code, for example `ACL_ERROR_RT_MEMORY_ALLOCATION`.
    pub fn name(&self) -> Option<&'static str> {
        ascendcl::sys::error_name(self.code)
    }
}

impl Error {
    /// The symbolic name of the library's code, for errors that have one.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Atb(error) => error.name(),
            Self::Acl(error) => error.name(),
            Self::Device(ascendcl::Error::Acl(error)) => error.name(),
            _ => None,
        }
    }

    /// The error of a call of ATB's that answered `code`.
    pub(crate) fn of_code(call: &'static str, code: i32, message: String) -> Self {
        let operation = None;
        match code {
            100_000.. => AclError { call, operation, code, message }.into(),
            _ => AtbError { call, operation, code, message }.into(),
        }
    }

    /// Adds which operation the call was about.
    pub(crate) fn about(mut self, name: &str) -> Self {
        match &mut self {
            Self::Atb(AtbError { operation, .. }) | Self::Acl(AclError { operation, .. }) => {
                *operation = Some(name.to_owned());
            }
            _ => {}
        }
        self
    }

    pub(crate) fn tensor(tensor: impl ToString, expected: impl ToString, got: impl ToString) -> Self {
        let (tensor, expected, got) = (tensor.to_string(), expected.to_string(), got.to_string());
        TensorError { tensor, expected, got }.into()
    }
}

impl From<ascendcl::Error> for Error {
    fn from(error: ascendcl::Error) -> Self {
        match error {
            ascendcl::Error::Capturing { call } => Self::Capturing { call },
            other => Self::Device(other),
        }
    }
}

/// "Setup of RmsNormOperation failed: 8 (ERROR_INVALID_TENSOR_DIM): ..."
fn describe(
    f: &mut fmt::Formatter<'_>,
    (call, operation): (&str, Option<&String>),
    (code, name): (i32, Option<&str>),
    message: &str,
) -> fmt::Result {
    write!(f, "{call}")?;
    if let Some(operation) = operation {
        write!(f, " of {operation}")?;
    }
    write!(f, " failed: {code}")?;
    if let Some(name) = name {
        write!(f, " ({name})")?;
    }
    if !message.is_empty() {
        write!(f, ": {message}")?;
    }
    Ok(())
}

impl fmt::Display for AtbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, (self.call, self.operation.as_ref()), (self.code, self.name()), &self.message)
    }
}

impl fmt::Display for AclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, (self.call, self.operation.as_ref()), (self.code, self.name()), &self.message)
    }
}

impl std::error::Error for AtbError {}

impl std::error::Error for AclError {}
