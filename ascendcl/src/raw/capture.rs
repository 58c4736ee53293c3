//! Modes of captures, and task groups.

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclmdlRICaptureThreadExchangeMode`: sets this thread's mode, and answers what it was.
    pub(crate) fn exchange_capture_mode(
        &self,
        mut mode: sys::aclmdlRICaptureMode,
    ) -> Result<sys::aclmdlRICaptureMode> {
        // SAFETY: a valid pointer to read and write.
        unsafe { call!(self, aclmdlRICaptureThreadExchangeMode(&mut mode)) }?;
        Ok(mode)
    }

    /// `aclmdlRICaptureTaskGrpBegin`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn task_group_begin(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRICaptureTaskGrpBegin(stream)) }
    }

    /// `aclmdlRICaptureTaskGrpEnd`.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn task_group_end(&self, stream: sys::aclrtStream) -> Result<sys::aclrtTaskGrp> {
        let mut group = sys::aclrtTaskGrp::null();
        // SAFETY: a valid out-pointer; the caller promises that the stream is alive.
        unsafe { call!(self, aclmdlRICaptureTaskGrpEnd(stream, &mut group)) }?;
        Ok(group)
    }

    /// `aclmdlRICaptureTaskUpdateBegin`.
    ///
    /// # Safety
    /// The stream is alive, and so is the graph that the group is of.
    pub(crate) unsafe fn task_update_begin(
        &self,
        stream: sys::aclrtStream,
        group: sys::aclrtTaskGrp,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRICaptureTaskUpdateBegin(stream, group)) }
    }

    /// `aclmdlRICaptureTaskUpdateEnd`.
    ///
    /// # Safety
    /// The stream is alive, and its update is of as many tasks of the same kinds as the group.
    pub(crate) unsafe fn task_update_end(&self, stream: sys::aclrtStream) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRICaptureTaskUpdateEnd(stream)) }
    }

    /// `aclmdlRIAbort` (since 9.1).
    ///
    /// # Safety
    /// The graph is alive, and nothing depends on the order of work that its launches keep.
    pub(crate) unsafe fn graph_abort(&self, graph: sys::aclmdlRI) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclmdlRIAbort(graph)) }
    }
}
