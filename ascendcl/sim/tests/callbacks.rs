//! Callbacks in stream order.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use ascendcl_sys::*;
use common::*;

unsafe extern "C" fn count(argument: *mut c_void) {
    // SAFETY: The tests pass a counter that outlives the stream's work.
    unsafe { &*argument.cast::<AtomicU32>() }.fetch_add(1, Ordering::AcqRel);
}

fn pointer(counter: &AtomicU32) -> *mut c_void {
    ptr::from_ref(counter).cast_mut().cast()
}

/// A thread that processes reports until it is told to end; its id, and what ends it.
fn reporter() -> (u64, Arc<AtomicBool>, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let ends = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ends);
    let thread = thread::spawn(move || {
        // SAFETY: A call without preconditions.
        sender.send(unsafe { libc::pthread_self() }).unwrap();
        while !told.load(Ordering::Acquire) {
            code!(aclrtProcessReport(10));
        }
    });
    (receiver.recv().unwrap(), ends, thread)
}

#[test]
fn host_functions_run_in_order() {
    let _device = TestDevice::take();
    let stream = stream();
    let counter = AtomicU32::new(0);
    let gate = Gate::close_on(stream);
    for _ in 0..10 {
        ok!(aclrtLaunchHostFunc(stream, Some(count), pointer(&counter)));
    }
    assert_eq!(counter.load(Ordering::Acquire), 0);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(counter.load(Ordering::Acquire), 10);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtLaunchHostFunc(stream, None, ptr::null_mut()));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtSubscribeReport(1, stream));
}

#[test]
fn callbacks_run_in_the_thread_that_is_subscribed() {
    let _device = TestDevice::take();
    let stream = stream();
    let counter = AtomicU32::new(0);
    let launch = |block| code!(aclrtLaunchCallback(Some(count), pointer(&counter), block, stream));
    assert_eq!(launch(ACL_CALLBACK_BLOCK), ACL_ERROR_RT_STREAM_NO_CB_REG);
    let (id, ends, thread) = reporter();
    ok!(aclrtSubscribeReport(id, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtSubscribeReport(id, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtLaunchHostFunc(stream, Some(count), pointer(&counter)));
    for _ in 0..5 {
        assert_eq!(launch(ACL_CALLBACK_BLOCK), ACL_SUCCESS);
    }
    ok!(aclrtSynchronizeStream(stream));
    // Blocking callbacks hold up what comes after them, hence have run.
    assert_eq!(counter.load(Ordering::Acquire), 5);
    assert_eq!(launch(ACL_CALLBACK_NO_BLOCK), ACL_SUCCESS);
    ok!(aclrtSynchronizeStream(stream));
    while counter.load(Ordering::Acquire) < 6 {
        thread::yield_now();
    }
    ok!(aclrtUnSubscribeReport(id, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtUnSubscribeReport(id, stream));
    ends.store(true, Ordering::Release);
    thread.join().unwrap();
    ok!(aclrtLaunchHostFunc(stream, Some(count), pointer(&counter)));
    ok!(aclrtSynchronizeStream(stream));
}

#[test]
fn a_blocking_callback_holds_the_stream_up() {
    let _device = TestDevice::take();
    let stream = stream();
    let counter = AtomicU32::new(0);
    // SAFETY: A call without preconditions.
    let own = unsafe { libc::pthread_self() };
    fails!(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtProcessReport(10));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtProcessReport(0));
    ok!(aclrtSubscribeReport(own, stream));
    fails!(ACL_ERROR_RT_REPORT_TIMEOUT, aclrtProcessReport(10));
    ok!(aclrtLaunchCallback(Some(count), pointer(&counter), ACL_CALLBACK_BLOCK, stream));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
    ok!(aclrtProcessReport(5000));
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
    assert_eq!(counter.load(Ordering::Acquire), 1);
    // An abort gets a stream out of a callback that nobody processes.
    ok!(aclrtLaunchCallback(Some(count), pointer(&counter), ACL_CALLBACK_BLOCK, stream));
    ok!(aclrtStreamAbort(stream));
    let other = TestDevice::take();
    let there = common::stream();
    fails!(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtSubscribeReport(own, there));
    assert!(!other.report().misuse.is_empty());
}
