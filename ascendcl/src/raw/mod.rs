//! The result layer: one method for each C call that the safe types use, with the code turned into an [`Error`].
//!
//! This module and its children hold all calls into C. A method is safe if no argument can make the call
//! undefined; otherwise it is `unsafe` and says what it needs. Handles are the C library's own; the safe types decide how
//! long they live.

pub(crate) mod batch;
pub(crate) mod capture;
pub(crate) mod context;
pub(crate) mod copy_now;
pub(crate) mod cxx;
pub(crate) mod dedicated;
pub(crate) mod device;
pub(crate) mod event;
pub(crate) mod event_time;
pub(crate) mod exception;
pub(crate) mod executor;
pub(crate) mod fill;
pub(crate) mod graph;
pub(crate) mod graph_control;
pub(crate) mod host_function;
pub(crate) mod kernel;
pub(crate) mod mem_pool;
pub(crate) mod memory;
pub(crate) mod operator;
pub(crate) mod profiler;
pub(crate) mod registration;
pub(crate) mod stream;
pub(crate) mod stream_control;
pub(crate) mod system;
pub(crate) mod tracked_event;
pub(crate) mod version;

use std::ffi::CStr;

use ascendcl_sys as sys;

use crate::error::{AclError, Error, Result};

/// A loaded AscendCL library.
pub(crate) struct Acl {
    /// Its functions, each under its C name.
    pub(crate) functions: sys::Library,
}

/// Calls a C function of `$acl` and turns its code into a `Result<()>`; used inside `unsafe` blocks.
macro_rules! call {
    ($acl:expr, $name:ident($($arg:expr),* $(,)?)) => {
        $acl.check(stringify!($name), $acl.functions.$name($($arg),*))
    };
}
pub(crate) use call;

impl Acl {
    /// The one place where a code becomes an error. Success costs a comparison.
    pub(crate) fn check(
        &self,
        call: &'static str,
        result: std::result::Result<sys::aclError, sys::MissingSymbol>,
    ) -> Result<()> {
        match result? {
            sys::ACL_SUCCESS => Ok(()),
            code => Err(self.error(call, code)),
        }
    }

    fn error(&self, call: &'static str, code: sys::aclError) -> Error {
        AclError { call, code, message: self.recent_message() }.into()
    }

    /// The library's message for this thread. Reading drains it and ends the life of earlier ones
    /// (AscendCL docs: exception handling), hence the copy.
    fn recent_message(&self) -> Option<String> {
        // SAFETY: the function takes nothing and may be called at any time.
        let message = unsafe { self.functions.aclGetRecentErrMsg() }.ok()?;
        if message.is_null() {
            return None;
        }
        // SAFETY: a non-null answer is a C string that lives until this thread's next call of the function.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().trim().to_owned();
        (!message.is_empty()).then_some(message)
    }
}
