//! What a program did wrong and what it left behind.

use std::fmt;

use ascendcl_sys::error_name;
use atb_sys::*;
use parking_lot::Mutex;

use crate::context::CONTEXTS;
use crate::execution::OPERATIONS;
use crate::operator::Refusal;

/// What a program did wrong and what it has not given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is alive now.
    pub leaks: Vec<Leak>,
    /// Calls that were refused, in order; the first thousand of the process are kept.
    pub misuse: Vec<Misuse>,
}

/// Something that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leak {
    /// A context, by its handle.
    Context(usize),
    /// An operation that no graph owns, by its handle.
    Operation {
        /// The handle.
        handle: usize,
        /// What `GetName` answers.
        name: String,
    },
}

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The member of the table that was called.
    pub function: &'static str,
    /// What the call answered.
    pub status: atb_status,
    /// What was wrong.
    pub message: String,
}

impl Report {
    /// Whether nothing was done wrong and nothing is alive.
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.misuse.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing is alive, no misuse");
        }
        for leak in &self.leaks {
            writeln!(f, "not destroyed: {leak}")?;
        }
        for Misuse { function, status, message } in &self.misuse {
            writeln!(f, "{function}: {message} ({}, {status})", status_name(*status))?;
        }
        Ok(())
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(handle) => write!(f, "context {handle:#x}"),
            Self::Operation { handle, name } => write!(f, "{name} {handle:#x}"),
        }
    }
}

const MAX_MISUSE: usize = 1000;

static MISUSE: Mutex<Vec<Misuse>> = Mutex::new(Vec::new());

/// The report so far: every refused call of the process, and what is alive now.
pub fn report() -> Report {
    let contexts = CONTEXTS.all().into_iter().map(|(handle, _)| Leak::Context(handle));
    let operations = OPERATIONS
        .all()
        .into_iter()
        .map(|(handle, operation)| Leak::Operation { handle, name: operation.operation().name().to_owned() });
    Report { leaks: contexts.chain(operations).collect(), misuse: MISUSE.lock().clone() }
}

pub(crate) fn refused(function: &'static str, Refusal { status, message }: &Refusal) {
    tracing::warn!(function, status, name = status_name(*status), "{message}");
    let mut misuse = MISUSE.lock();
    if misuse.len() < MAX_MISUSE {
        misuse.push(Misuse { function, status: *status, message: message.clone() });
    }
}

/// The name of a status as ATB's headers and AscendCL's have it.
fn status_name(status: atb_status) -> &'static str {
    match status {
        ATB_NO_ERROR => "NO_ERROR",
        ATB_ERROR_INVALID_PARAM => "ERROR_INVALID_PARAM",
        ATB_ERROR_INVALID_GRAPH => "ERROR_INVALID_GRAPH",
        ATB_ERROR_INTERNAL_ERROR => "ERROR_INTERNAL_ERROR",
        ATB_ERROR_RT_FAIL => "ERROR_RT_FAIL",
        ATB_ERROR_INVALID_IN_TENSOR_NUM => "ERROR_INVALID_IN_TENSOR_NUM",
        ATB_ERROR_INVALID_TENSOR_DTYPE => "ERROR_INVALID_TENSOR_DTYPE",
        ATB_ERROR_INVALID_TENSOR_FORMAT => "ERROR_INVALID_TENSOR_FORMAT",
        ATB_ERROR_INVALID_TENSOR_DIM => "ERROR_INVALID_TENSOR_DIM",
        ATB_ERROR_INVALID_TENSOR_SIZE => "ERROR_INVALID_TENSOR_SIZE",
        ATB_ERROR_OPERATION_NULL_RUNNER => "ERROR_OPERATION_NULL_RUNNER",
        ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL => "ERROR_GRAPH_INFERSHAPE_FUNC_FAIL",
        ATB_ERROR_CANN_ERROR => "ERROR_CANN_ERROR",
        ATB_ERROR_INVALID_TENSOR_INI_MATCH => "ERROR_INVALID_TENSOR_INI_MATCH",
        ATB_ERROR_INVALID_TENSOR_ADDR => "ERROR_INVALID_TENSOR_ADDR",
        ATB_ERROR_INVALID_TENSOR_NUM => "ERROR_INVALID_TENSOR_NUM",
        ATB_ERROR_INVALID_TENSOR_DIM_NUM => "ERROR_INVALID_TENSOR_DIM_NUM",
        ATB_ERROR_INVALID_SINGLE_OPERATION_PARAM => "ERROR_INVALID_SINGLE_OPERATION_PARAM",
        ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL => "ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL",
        ATB_ERROR_INVALID_GRAPH_NODE_CHUNK => "ERROR_INVALID_GRAPH_NODE_CHUNK",
        ATB_ERROR_INVALID_CONTEXT_ADDR => "ERROR_INVALID_CONTEXT_ADDR",
        ATB_ERROR_INVALID_STREAM => "ERROR_INVALID_STREAM",
        ATB_ERROR_INVALID_WORKSPACE_SIZE => "ERROR_INVALID_WORKSPACE_SIZE",
        ATB_ERROR_INVALID_WORKSPACE_ADDR => "ERROR_INVALID_WORKSPACE_ADDR",
        ATB_ERROR_INVALID_OPERATION_ADDR => "ERROR_INVALID_OPERATION_ADDR",
        ATB_ERROR_OUT_OF_DEVICE_MEMORY => "ERROR_OUT_OF_DEVICE_MEMORY",
        ATB_ERROR_OUT_OF_HOST_MEMORY => "ERROR_OUT_OF_HOST_MEMORY",
        ATB_SHIM_UNSUPPORTED => "the shim's UNSUPPORTED",
        ATB_SHIM_INVALID_ARGUMENT => "the shim's INVALID_ARGUMENT",
        other => error_name(other).unwrap_or("unknown status"),
    }
}
