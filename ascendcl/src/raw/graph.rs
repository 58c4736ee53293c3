//! Captured graphs (`aclmdlRI`).

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclmdlRICaptureBegin`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn capture_begin(
        &self,
        stream: sys::aclrtStream,
        mode: sys::aclmdlRICaptureMode,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRICaptureBegin(stream, mode)) }
    }

    /// `aclmdlRICaptureEnd`; the graph is null if the capture was spoilt.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn capture_end(&self, stream: sys::aclrtStream) -> Result<sys::aclmdlRI> {
        let mut graph = sys::aclmdlRI::null();
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclmdlRICaptureEnd(stream, &mut graph)) }?;
        Ok(graph)
    }

    /// `aclmdlRIExecuteAsync`.
    ///
    /// # Safety
    /// Graph and stream are alive, and everything that the captured work touches is valid until it has run.
    pub(crate) unsafe fn graph_execute(&self, graph: sys::aclmdlRI, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRIExecuteAsync(graph, stream)) }
    }

    /// `aclmdlRIDestroy`.
    ///
    /// # Safety
    /// The graph is alive, is not running, and is not used afterwards.
    pub(crate) unsafe fn graph_destroy(&self, graph: sys::aclmdlRI) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRIDestroy(graph)) }
    }
}
