//! Reports of tasks that failed on a device.

use std::fmt;
use std::sync::Arc;

use ascendcl_sys as sys;

use crate::error::Result;
use crate::runtime::Runtime;

/// A task that failed on a device (`aclrtExceptionInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskException {
    /// Number of the device (`aclrtGetDeviceIdFromExceptionInfo`).
    pub device: u32,
    /// Number of the stream, as [`Stream::id`](crate::Stream::id) tells (`aclrtGetStreamIdFromExceptionInfo`).
    pub stream: u32,
    /// Number of the task (`aclrtGetTaskIdFromExceptionInfo`).
    pub task: u32,
    /// Number of the host thread (`aclrtGetThreadIdFromExceptionInfo`).
    pub thread: u32,
    /// What went wrong (`aclrtGetErrorCodeFromExceptionInfo`).
    pub code: sys::aclError,
}

impl TaskException {
    /// The symbolic name of the code, for example `ACL_ERROR_RT_AICORE_EXCEPTION`.
    pub fn name(&self) -> Option<&'static str> {
        sys::error_name(self.code)
    }
}

impl fmt::Display for TaskException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, stream, task, thread, code } = self;
        write!(f, "task {task} of stream {stream} on device {device}, of thread {thread}, failed: {code}")?;
        if let Some(name) = self.name() {
            write!(f, " ({name})")?;
        }
        Ok(())
    }
}

impl Runtime {
    /// Calls `handler` for each task that fails, on a thread of the library (`aclrtSetExceptionInfoCallback` and
    /// the five functions that [`TaskException`] names).
    ///
    /// There is one handler for the process; a new one takes the place of the last one. It should only take notes: calls of
    /// this crate answer with [`Error::InHostFunction`](crate::Error::InHostFunction) in it, because the library holds locks
    /// meanwhile (AscendCL docs: exception handling). A panic is caught and logged.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// runtime.on_task_exception(|exception| eprintln!("{exception}"))?;
    /// runtime.ignore_task_exceptions()?;
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library; the last handler stays then.
    pub fn on_task_exception(&self, handler: impl Fn(&TaskException) + Send + Sync + 'static) -> Result<()> {
        self.acl().set_exception_handler(self.backend(), Some(Arc::new(handler)))
    }

    /// Ends the calls that [`on_task_exception`](Self::on_task_exception) began.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn ignore_task_exceptions(&self) -> Result<()> {
        self.acl().set_exception_handler(self.backend(), None)
    }
}
