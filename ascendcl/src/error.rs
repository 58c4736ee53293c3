//! The error type: which call failed, with which code, and what the library said about it.

use std::fmt;

use ascendcl_sys as sys;
use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that this crate reports.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A C function answered with an error code.
    #[error(transparent)]
    Acl(#[from] AclError),
    /// The loaded library does not have a function.
    #[error(transparent)]
    MissingSymbol(#[from] sys::MissingSymbol),
    /// No AscendCL library could be loaded.
    #[error(transparent)]
    Load(#[from] sys::LoadError),
    /// The backend that was asked for is not there.
    #[error("backend `{backend}`: {why}")]
    Backend {
        /// The backend: "npu", "sim", or what `ASCENDCL_BACKEND` said.
        backend: String,
        /// What is missing and what to do.
        why: String,
    },
    /// A shape, length or range that does not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The call is not possible while a stream is being captured.
    #[error("{call}: not possible while the stream is being captured")]
    Capturing {
        /// The operation that was refused.
        call: &'static str,
    },
    /// A host function that ran on a stream panicked.
    #[error("a host function on the stream panicked: {message}")]
    HostFunctionPanicked {
        /// The panic's message.
        message: String,
    },
    /// A host function called back into this crate, which the library forbids.
    #[error("not possible in a host function that runs on a stream")]
    InHostFunction,
    /// Objects belong to different runtimes or devices.
    #[error("{what} belongs to {got}, but {expected} was needed")]
    Mismatch {
        /// The object.
        what: &'static str,
        /// The device that was needed.
        expected: String,
        /// The device that it belongs to.
        got: String,
    },
    /// The runtime, the operator library or the device cannot be ended while others hold it.
    #[error("still in use: {handles} other handle(s) are alive")]
    InUse {
        /// Live handles besides the one that was given up.
        handles: usize,
    },
}

/// A call that answered with an error code.
///
/// The message is the library's own, fetched when the error arose (`aclGetRecentErrMsg` drains it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclError {
    /// The C function.
    pub call: &'static str,
    /// Its code.
    pub code: sys::aclError,
    /// What the library reported on this thread, if anything.
    pub message: Option<String>,
}

/// What kind of thing went wrong, for callers that act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter or handle was refused.
    InvalidArgument,
    /// Device or host memory ran out.
    OutOfMemory,
    /// A wait ended by its time limit.
    Timeout,
    /// The function or feature is not there.
    Unsupported,
    /// The device does not answer any more.
    DeviceLost,
    /// A stream is being captured.
    Capturing,
    /// Anything else.
    Other,
}

impl AclError {
    /// The symbolic name of the code, for example `ACL_ERROR_RT_MEMORY_ALLOCATION`.
    pub fn name(&self) -> Option<&'static str> {
        sys::error_name(self.code)
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self.code {
            sys::ACL_ERROR_BAD_ALLOC
            | sys::ACL_ERROR_STORAGE_OVER_LIMIT
            | sys::ACL_ERROR_RT_MEMORY_ALLOCATION
            | sys::ACL_ERROR_RT_RESOURCE_ALLOC_FAIL
            | sys::ACL_ERROR_RT_DEVICE_OOM => ErrorKind::OutOfMemory,
            sys::ACL_ERROR_RT_STREAM_SYNC_TIMEOUT
            | sys::ACL_ERROR_RT_EVENT_SYNC_TIMEOUT
            | sys::ACL_ERROR_WAIT_CALLBACK_TIMEOUT
            | sys::ACL_ERROR_RT_WAIT_TIMEOUT
            | sys::ACL_ERROR_RT_TASK_TIMEOUT
            | sys::ACL_ERROR_RT_REPORT_TIMEOUT => ErrorKind::Timeout,
            sys::ACL_ERROR_API_NOT_SUPPORT
            | sys::ACL_ERROR_FEATURE_UNSUPPORTED
            | sys::ACL_ERROR_RT_FEATURE_NOT_SUPPORT => ErrorKind::Unsupported,
            sys::ACL_ERROR_RT_LOST_HEARTBEAT | sys::ACL_ERROR_RT_DEVICE_TASK_ABORT => ErrorKind::DeviceLost,
            sys::ACL_ERROR_RT_STREAM_CAPTURED
            | sys::ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED
            | sys::ACL_ERROR_RT_STREAM_NOT_CAPTURED
            | sys::ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT
            | sys::ACL_ERROR_RT_MODEL_CAPTURED
            | sys::ACL_ERROR_RT_EVENT_CAPTURED
            | sys::ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT => ErrorKind::Capturing,
            sys::ACL_ERROR_INVALID_PARAM
            | sys::ACL_ERROR_RT_PARAM_INVALID
            | sys::ACL_ERROR_RT_INVALID_DEVICEID
            | sys::ACL_ERROR_RT_CONTEXT_NULL
            | sys::ACL_ERROR_RT_STREAM_CONTEXT
            | sys::ACL_ERROR_RT_INVALID_MEMORY_TYPE
            | sys::ACL_ERROR_RT_INVALID_HANDLE
            | sys::ACL_ERROR_RT_INVALID_MALLOC_TYPE => ErrorKind::InvalidArgument,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for AclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.call, self.code)?;
        if let Some(name) = self.name() {
            write!(f, " ({name})")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AclError {}

impl Error {
    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Acl(error) => error.kind(),
            Self::MissingSymbol(_) | Self::Load(_) | Self::Backend { .. } => ErrorKind::Unsupported,
            Self::Shape(_) | Self::Mismatch { .. } => ErrorKind::InvalidArgument,
            Self::Capturing { .. } => ErrorKind::Capturing,
            Self::InHostFunction => ErrorKind::InvalidArgument,
            Self::HostFunctionPanicked { .. } | Self::InUse { .. } => ErrorKind::Other,
        }
    }
}

/// A shape, length or range that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} must be {expected}, got {got}")]
pub struct ShapeError {
    /// The thing that was measured.
    pub what: &'static str,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub got: String,
}

impl ShapeError {
    pub(crate) fn new(what: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self { what, expected: expected.to_string(), got: got.to_string() }
    }
}
