//! Host functions on a stream.
//!
//! CANN 9 has `aclrtLaunchHostFunc`, which brings its own thread. Before it there is only `aclrtLaunchCallback`, whose
//! callbacks run where a thread of ours calls `aclrtProcessReport`. The two must not be mixed on one stream.

use std::ffi::c_void;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Error, Result, ShapeError};

/// Work for a stream's host thread. It must not unwind.
pub(crate) type HostTask = Box<dyn FnOnce() + Send>;

/// How long the pump waits for a report before it looks whether it should end, in milliseconds.
const REPORT_TIMEOUT_MS: i32 = 100;

/// Runs and frees a task that [`leak`] gave away.
///
/// # Safety
/// `task` came from [`leak`] and is run once.
unsafe extern "C" fn run(task: *mut c_void) {
    // SAFETY: by the contract above, this is the one owner of the box.
    let task = unsafe { Box::from_raw(task.cast::<HostTask>()) };
    task();
}

fn leak(task: HostTask) -> *mut c_void {
    Box::into_raw(Box::new(task)).cast()
}

impl Acl {
    /// `aclrtLaunchHostFunc` (since 9.1): queues `task` on the stream.
    ///
    /// # Safety
    /// The stream is alive and not being captured, because a graph would run the task more than once.
    pub(crate) unsafe fn launch_host_function(&self, stream: sys::aclrtStream, task: HostTask) -> Result<()> {
        let task = leak(task);
        // SAFETY: `run` takes what `leak` gave; the stream is alive by the caller's promise.
        let result = unsafe { call!(self, aclrtLaunchHostFunc(stream, Some(run), task)) };
        if result.is_err() {
            // SAFETY: the call failed, so nobody else will ever run or free the task.
            drop(unsafe { Box::from_raw(task.cast::<HostTask>()) });
        }
        result
    }

    /// `aclrtLaunchCallback`: queues `task` on a stream that is subscribed to a [`Pump`]; the stream waits for it.
    ///
    /// # Safety
    /// As [`launch_host_function`](Self::launch_host_function).
    pub(crate) unsafe fn launch_callback(&self, stream: sys::aclrtStream, task: HostTask) -> Result<()> {
        let task = leak(task);
        // SAFETY: `run` takes what `leak` gave; the stream is alive by the caller's promise.
        let result =
            unsafe { call!(self, aclrtLaunchCallback(Some(run), task, sys::ACL_CALLBACK_BLOCK, stream)) };
        if result.is_err() {
            // SAFETY: the call failed, so nobody else will ever run or free the task.
            drop(unsafe { Box::from_raw(task.cast::<HostTask>()) });
        }
        result
    }
}

/// A context on its way to another thread.
struct Travelling(sys::aclrtContext);

// SAFETY: any thread may make a live context its current one.
unsafe impl Send for Travelling {}

impl Travelling {
    /// Arrives; a method, so that a closure captures the whole and not the handle alone.
    fn arrive(self) -> sys::aclrtContext {
        self.0
    }
}

/// A thread that runs the callbacks of the streams subscribed to it.
pub(crate) struct Pump {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Starts the thread in the given context.
    ///
    /// # Safety
    /// The context stays alive until the pump is dropped.
    pub(crate) unsafe fn start(acl: Arc<Acl>, context: sys::aclrtContext) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let context = Travelling(context);
        let thread = std::thread::Builder::new().name("ascendcl-callbacks".into()).spawn({
            let stop = Arc::clone(&stop);
            move || {
                let context = context.arrive();
                // SAFETY: the context outlives the pump, which joins this thread, by the promise above.
                if let Err(error) = unsafe { acl.set_current_context(context) } {
                    tracing::error!(%error, "the callback thread has no context");
                    return;
                }
                while !stop.load(Ordering::Acquire) {
                    acl.process_reports();
                }
            }
        });
        let thread =
            thread.map_err(|error| ShapeError::new("the callback thread", "started by the system", error))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    fn thread_id(&self) -> Option<u64> {
        self.thread.as_ref().map(JoinHandleExt::as_pthread_t)
    }

    /// `aclrtSubscribeReport`.
    ///
    /// # Safety
    /// The stream is alive and not subscribed yet.
    pub(crate) unsafe fn subscribe(&self, acl: &Acl, stream: sys::aclrtStream) -> Result<()> {
        let Some(thread) = self.thread_id() else { return Ok(()) };
        // SAFETY: the thread lives as long as `self`; the stream is alive by the caller's promise.
        unsafe { call!(acl, aclrtSubscribeReport(thread, stream)) }
    }

    /// `aclrtUnSubscribeReport`.
    ///
    /// # Safety
    /// The stream is alive, subscribed and idle.
    pub(crate) unsafe fn unsubscribe(&self, acl: &Acl, stream: sys::aclrtStream) -> Result<()> {
        let Some(thread) = self.thread_id() else { return Ok(()) };
        // SAFETY: as for `subscribe`.
        unsafe { call!(acl, aclrtUnSubscribeReport(thread, stream)) }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        // A callback that drops the last handle to the device ends up here on this very thread.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the callback thread panicked");
        }
    }
}

impl Acl {
    /// `aclrtProcessReport`: runs a callback, if one comes in time.
    fn process_reports(&self) {
        // SAFETY: takes a number; callbacks that it runs were queued with `run` and their own task.
        match unsafe { call!(self, aclrtProcessReport(REPORT_TIMEOUT_MS)) } {
            Ok(()) => {}
            // A time-out is the normal case of an idle pump, and so is a thread without subscriptions yet.
            Err(Error::Acl(error))
                if matches!(
                    error.code,
                    sys::ACL_ERROR_RT_REPORT_TIMEOUT
                        | sys::ACL_ERROR_WAIT_CALLBACK_TIMEOUT
                        | sys::ACL_ERROR_RT_THREAD_SUBSCRIBE
                ) =>
            {
                if error.code == sys::ACL_ERROR_RT_THREAD_SUBSCRIBE {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for callbacks");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}
