//! Functions of the program that are told of failed tasks.

use ascendcl_sys::{aclError, aclrtExceptionInfo, aclrtExceptionInfoCallback};
use parking_lot::Mutex;

use crate::raw;
use crate::stream::Stream;

/// What an `aclrtExceptionInfo` of the simulator is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExceptionInfo {
    pub task: u32,
    pub stream: u32,
    pub thread: u32,
    pub device: u32,
    pub code: u32,
}

static CALLBACK: Mutex<aclrtExceptionInfoCallback> = Mutex::new(None);

pub(crate) fn set_callback(callback: aclrtExceptionInfoCallback) {
    *CALLBACK.lock() = callback;
}

/// Tells the program, on the thread of the stream.
pub(crate) fn notify(stream: &Stream, task: u32, code: aclError) {
    let callback = *CALLBACK.lock();
    let Some(callback) = callback else { return };
    let mut info = ExceptionInfo {
        task,
        stream: stream.id.cast_unsigned(),
        // The thread's id in this program does not fit; its lower half tells threads apart.
        thread: raw::thread_id() as u32,
        device: stream.device.id.cast_unsigned(),
        code: code.cast_unsigned(),
    };
    raw::call_exception(callback, (&raw mut info).cast::<aclrtExceptionInfo>());
}
