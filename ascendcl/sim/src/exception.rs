//! Functions of the program that are told of failed tasks.

use std::cell::RefCell;

use ascendcl_sys::{aclError, aclrtExceptionInfo, aclrtExceptionInfoCallback};
use parking_lot::Mutex;

use crate::memory::Page;
use crate::raw;
use crate::simulator;
use crate::stream::Stream;
use crate::transfer::Place;

/// What an `aclrtExceptionInfo` of the simulator is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExceptionInfo {
    pub task: u32,
    pub stream: u32,
    pub thread: u32,
    pub device: u32,
    pub code: u32,
    /// The kernel that failed.
    pub kernel: Option<FailedKernel>,
}

/// A kernel that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedKernel {
    /// The handle of the function.
    pub function: usize,
    /// Where the arguments are in device memory, for the time of the callback.
    pub arguments: usize,
    /// How many bytes they have.
    pub length: u32,
}

/// A kernel to blame for the failure of a task.
#[derive(Clone, Debug)]
pub(crate) struct Blamed {
    /// The handle of the function.
    pub function: usize,
    pub arguments: Vec<u8>,
}

static CALLBACK: Mutex<aclrtExceptionInfoCallback> = Mutex::new(None);

thread_local! {
    /// The kernel that made the running task of this thread fail.
    static BLAMED: RefCell<Option<Blamed>> = const { RefCell::new(None) };
}

pub(crate) fn set_callback(callback: aclrtExceptionInfoCallback) {
    *CALLBACK.lock() = callback;
}

/// Keeps the kernel to blame for the failure that the task of this thread is about to report.
pub(crate) fn blame(kernel: Option<Blamed>) {
    BLAMED.set(kernel);
}

/// The kernel to blame, which is then forgotten.
pub(crate) fn take_blame() -> Option<Blamed> {
    BLAMED.take()
}

/// Tells the program, on the thread of the stream.
pub(crate) fn notify(stream: &Stream, task: u32, code: aclError) {
    let blamed = take_blame();
    let callback = *CALLBACK.lock();
    let Some(callback) = callback else { return };
    let kernel = blamed.map(|blamed| lend(stream, &blamed));
    let mut info = ExceptionInfo {
        task,
        stream: stream.id.cast_unsigned(),
        // The thread's id in this program does not fit; its lower half tells threads apart.
        thread: raw::thread_id() as u32,
        device: stream.device.id.cast_unsigned(),
        code: code.cast_unsigned(),
        kernel,
    };
    raw::call_exception(callback, (&raw mut info).cast::<aclrtExceptionInfo>());
    if let Some(kernel) = kernel.filter(|kernel| kernel.arguments != 0) {
        // The device may have been reset meanwhile, which has freed it.
        let _ = stream.device.memory.free_pooled(kernel.arguments);
    }
}

/// Puts the arguments of a kernel into device memory; a device without room for them gives no arguments.
fn lend(stream: &Stream, blamed: &Blamed) -> FailedKernel {
    let (memory, length) = (&stream.device.memory, blamed.arguments.len());
    let mut kernel = FailedKernel { function: blamed.function, arguments: 0, length: 0 };
    if length > 0
        && let Some(simulator) = simulator::running()
        && let Ok((address, _)) = memory.allocate_pooled(length, 0, Page::Normal)
    {
        kernel.arguments = address;
        let place = Place::find(&simulator, &stream.device, address, length);
        if place.and_then(|place| place.write(&blamed.arguments)).is_ok() {
            kernel.length = length as u32;
        }
    }
    kernel
}
