//! Graphs without a stream: running one to its end, and printing it.

use std::ffi::CStr;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

/// Wait for ever.
const NO_TIMEOUT: i32 = -1;

impl Acl {
    /// `aclmdlRIExecute` without a time limit: answers when the work is done.
    ///
    /// # Safety
    /// The graph is alive, and everything that the captured work touches is valid; nothing else touches it before the call
    /// is over.
    pub(crate) unsafe fn graph_execute_to_end(&self, graph: sys::aclmdlRI) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRIExecute(graph, NO_TIMEOUT)) }
    }

    /// `aclmdlRIDebugPrint`.
    ///
    /// # Safety
    /// The graph is alive.
    pub(crate) unsafe fn graph_debug_print(&self, graph: sys::aclmdlRI) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRIDebugPrint(graph)) }
    }

    /// `aclmdlRIDebugJsonPrint` of the summary.
    ///
    /// # Safety
    /// The graph is alive.
    pub(crate) unsafe fn graph_debug_json(&self, graph: sys::aclmdlRI, path: &CStr) -> Result<()> {
        let flags = sys::ACL_MDLRI_DEBUG_JSON_PRINT_SUMMARY;
        // SAFETY: the path is a C string; the caller promises that the graph is alive.
        unsafe { call!(self, aclmdlRIDebugJsonPrint(graph, path.as_ptr(), flags)) }
    }
}
