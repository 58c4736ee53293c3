//! The library's report of failed tasks.
//!
//! The C interface has one function pointer for the process and passes it no data, so what it calls is kept here: once for
//! each kind of library, since a real and a simulated one can be open at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::RwLock;

use super::{Acl, call};
use crate::backend::BackendKind;
use crate::error::Result;
use crate::exception::TaskException;
use crate::host_function::inside;

/// What the program wants to be called.
pub(crate) type Handler = Arc<dyn Fn(&TaskException) + Send + Sync>;

/// A handler with the library whose reports it takes.
type Slot = RwLock<Option<(Arc<Acl>, Handler)>>;

static NPU: Slot = RwLock::new(None);
static SIM: Slot = RwLock::new(None);

fn slot(kind: BackendKind) -> (&'static Slot, sys::aclrtExceptionInfoCallback) {
    match kind {
        BackendKind::Npu => (&NPU, Some(on_npu)),
        BackendKind::Sim => (&SIM, Some(on_sim)),
    }
}

unsafe extern "C" fn on_npu(info: *mut sys::aclrtExceptionInfo) {
    // SAFETY: the library calls with a report of its own.
    unsafe { report(&NPU, info) };
}

unsafe extern "C" fn on_sim(info: *mut sys::aclrtExceptionInfo) {
    // SAFETY: the library calls with a report of its own.
    unsafe { report(&SIM, info) };
}

/// Calls the handler, and never unwinds.
///
/// # Safety
/// `info` is a report of the library in the slot, during its callback.
unsafe fn report(slot: &Slot, info: *mut sys::aclrtExceptionInfo) {
    // Not called under the lock, so that a handler may set another one.
    let Some((acl, handler)) = slot.read().clone() else { return };
    let called = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise.
        match unsafe { acl.task_exception(info) } {
            Ok(exception) => inside(|| handler(&exception)),
            Err(error) => tracing::error!(%error, "a task failed, and the library does not say which"),
        }
    }));
    if let Err(payload) = called {
        tracing::error!("the handler of task exceptions panicked");
        // Dropping the payload could panic, too.
        std::mem::forget(payload);
    }
    // The last handle to a replaced handler may go here, and its destructor may panic.
    if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err_and(|payload| {
        std::mem::forget(payload);
        true
    }) {
        tracing::error!("dropping the handler of task exceptions panicked");
    }
}

impl Acl {
    /// `aclrtSetExceptionInfoCallback`: `None` ends the reports.
    pub(crate) fn set_exception_handler(
        self: &Arc<Self>,
        kind: BackendKind,
        handler: Option<Handler>,
    ) -> Result<()> {
        let (slot, callback) = slot(kind);
        let callback = callback.filter(|_| handler.is_some());
        let handler = handler.map(|handler| (Arc::clone(self), handler));
        // Before the library knows of it, so that no report is missed; and put back if the library refuses.
        let before = std::mem::replace(&mut *slot.write(), handler);
        // SAFETY: the callback is a function of this module, which outlives the library and does not unwind.
        let result = unsafe { call!(self, aclrtSetExceptionInfoCallback(callback)) };
        if result.is_err() {
            let refused = std::mem::replace(&mut *slot.write(), before);
            drop(refused);
        }
        result
    }

    /// The five facts of a report.
    ///
    /// # Safety
    /// `info` is a report of this library, during its callback.
    unsafe fn task_exception(&self, info: *const sys::aclrtExceptionInfo) -> Result<TaskException> {
        // SAFETY: the caller's promise is the contract of all five functions.
        unsafe {
            Ok(TaskException {
                device: self.functions.aclrtGetDeviceIdFromExceptionInfo(info)?,
                stream: self.functions.aclrtGetStreamIdFromExceptionInfo(info)?,
                task: self.functions.aclrtGetTaskIdFromExceptionInfo(info)?,
                thread: self.functions.aclrtGetThreadIdFromExceptionInfo(info)?,
                code: self.functions.aclrtGetErrorCodeFromExceptionInfo(info)?.cast_signed(),
            })
        }
    }
}
