//! What a call answers: a code, and a message that the thread keeps until it is asked for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use ascendcl_sys::{ACL_SUCCESS, aclError, error_name};
use parking_lot::Mutex;

use crate::report;

/// A call or a task that failed.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub code: aclError,
    pub message: String,
    /// Whether the program broke a rule, as opposed to a resource that ran out or a time that was over.
    pub misuse: bool,
}

pub(crate) type Result<T = ()> = std::result::Result<T, Error>;

/// An [`Error`] for a broken rule: `misuse!(CODE, "what is wrong with {it}")`.
macro_rules! misuse {
    ($code:ident, $($message:tt)*) => {
        $crate::error::Error { code: ascendcl_sys::$code, message: format!($($message)*), misuse: true }
    };
}

/// An [`Error`] that is nobody's fault: `failure!(CODE, "what ran out: {it}")`.
macro_rules! failure {
    ($code:ident, $($message:tt)*) => {
        $crate::error::Error { code: ascendcl_sys::$code, message: format!($($message)*), misuse: false }
    };
}

pub(crate) use {failure, misuse};

/// As many messages as a thread keeps for a program that never asks.
const MAX_MESSAGES: usize = 64;

/// Whether the messages of all threads are kept together, as the file of `aclInit` may ask, and then those.
static OF_PROCESS: Mutex<Option<VecDeque<String>>> = Mutex::new(None);

thread_local! {
    static LAST: Cell<aclError> = const { Cell::new(ACL_SUCCESS) };
    static MESSAGES: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
    /// The text that the last `aclGetRecentErrMsg` of this thread handed out.
    static HANDED_OUT: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Runs the body of a C function that answers with a code.
pub(crate) fn code_of(function: &'static str, body: impl FnOnce() -> Result) -> aclError {
    run(function, body).err().unwrap_or(ACL_SUCCESS)
}

/// Runs the body of a C function that answers with a value, which is `failed` if the body fails.
pub(crate) fn value_of<T>(function: &'static str, failed: T, body: impl FnOnce() -> Result<T>) -> T {
    run(function, body).unwrap_or(failed)
}

fn run<T>(function: &'static str, body: impl FnOnce() -> Result<T>) -> std::result::Result<T, aclError> {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(failure!(ACL_ERROR_INTERNAL_ERROR, "the simulator panicked, which is a defect of the simulator"))
    });
    result.map_err(|error| {
        note(function, &error);
        error.code
    })
}

/// Keeps an error for `aclrtGetLastError`, `aclGetRecentErrMsg` and the report.
pub(crate) fn note(function: &'static str, error: &Error) {
    let name = error_name(error.code).unwrap_or("unknown code");
    if error.misuse {
        tracing::warn!(function, code = error.code, name, "{}", error.message);
        report::misuse(function, error);
    } else {
        tracing::debug!(function, code = error.code, name, "{}", error.message);
    }
    LAST.set(error.code);
    let message = format!("EE9999: [sim] {function}: {} ({name}, {})", error.message, error.code);
    match &mut *OF_PROCESS.lock() {
        Some(messages) => keep(messages, message),
        None => MESSAGES.with_borrow_mut(|messages| keep(messages, message)),
    }
}

fn keep(messages: &mut VecDeque<String>, message: String) {
    if messages.len() == MAX_MESSAGES {
        messages.pop_back();
    }
    messages.push_front(message);
}

/// Keeps the messages of all threads together from now on, or those of each thread.
pub(crate) fn collect_for_process(together: bool) {
    *OF_PROCESS.lock() = together.then(VecDeque::new);
}

/// The thread's last code.
pub(crate) fn last() -> aclError {
    LAST.get()
}

/// The thread's last code, which is then forgotten.
pub(crate) fn take_last() -> aclError {
    LAST.replace(ACL_SUCCESS)
}

/// The thread's messages, or those of the process, the newest first, which are then forgotten; null if there is none. The text lives
/// until the thread asks again.
pub(crate) fn recent_message() -> *const c_char {
    let messages: Vec<String> = match &mut *OF_PROCESS.lock() {
        Some(messages) => messages.drain(..).collect(),
        None => MESSAGES.with_borrow_mut(|messages| messages.drain(..).collect()),
    };
    if messages.is_empty() {
        return ptr::null();
    }
    let text = CString::new(messages.join("\n").replace('\0', "?")).ok();
    HANDED_OUT.with_borrow_mut(|handed_out| {
        *handed_out = text;
        handed_out.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    })
}
