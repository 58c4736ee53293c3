//! Threads of the program that run host functions, and callbacks of streams that come and go.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use ascendcl_sys::*;
use common::*;

fn own_thread() -> u64 {
    // SAFETY: A call without preconditions.
    unsafe { libc::pthread_self() }
}

/// What a function found: the thread that ran it last, and how often it ran.
#[derive(Default)]
struct Seen {
    thread: AtomicU64,
    count: AtomicU64,
}

unsafe extern "C" fn see(argument: *mut c_void) {
    // SAFETY: The tests pass a `Seen` that outlives the stream's work.
    let seen = unsafe { &*argument.cast::<Seen>() };
    seen.thread.store(own_thread(), Ordering::Release);
    seen.count.fetch_add(1, Ordering::AcqRel);
}

fn launch(stream: aclrtStream, seen: &Seen) -> aclError {
    code!(aclrtLaunchHostFunc(stream, Some(see), ptr::from_ref(seen).cast_mut().cast()))
}

/// A thread that processes host functions until it is told to end.
fn server() -> (u64, Arc<AtomicBool>, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let ends = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ends);
    let thread = thread::spawn(move || {
        sender.send(own_thread()).unwrap();
        while !told.load(Ordering::Acquire) {
            code!(aclrtProcessHostFunc(10));
        }
    });
    (receiver.recv().unwrap(), ends, thread)
}

#[test]
fn host_functions_run_in_the_thread_that_is_subscribed() {
    let _device = TestDevice::take();
    let streams = [stream(), stream(), stream()];
    let seen: [Seen; 3] = Default::default();
    let servers = [server(), server()];
    // The first thread serves two streams, the second one the third.
    for (stream, server) in streams.into_iter().zip([0, 0, 1]) {
        ok!(aclrtSubscribeHostFunc(servers[server].0, stream));
    }
    for _ in 0..5 {
        for (stream, seen) in streams.into_iter().zip(&seen) {
            assert_eq!(launch(stream, seen), ACL_SUCCESS);
        }
    }
    for stream in streams {
        ok!(aclrtSynchronizeStreamWithTimeout(stream, 20_000));
    }
    for (seen, server) in seen.iter().zip([0, 0, 1]) {
        assert_eq!(seen.count.load(Ordering::Acquire), 5);
        assert_eq!(seen.thread.load(Ordering::Acquire), servers[server].0);
    }
    for (stream, server) in streams.into_iter().zip([0, 0, 1]) {
        ok!(aclrtUnSubscribeHostFunc(servers[server].0, stream));
    }
    // After that they run in a thread of the runtime.
    assert_eq!(launch(streams[0], &seen[0]), ACL_SUCCESS);
    ok!(aclrtSynchronizeStream(streams[0]));
    assert!(servers.iter().all(|server| server.0 != seen[0].thread.load(Ordering::Acquire)));
    for (_, ends, thread) in servers {
        ends.store(true, Ordering::Release);
        thread.join().unwrap();
    }
}

#[test]
fn a_host_function_holds_its_stream_up() {
    let _device = TestDevice::take();
    let stream = stream();
    let seen = Seen::default();
    fails!(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtProcessHostFunc(10));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtProcessHostFunc(0));
    ok!(aclrtSubscribeHostFunc(own_thread(), stream));
    fails!(ACL_ERROR_RT_REPORT_TIMEOUT, aclrtProcessHostFunc(10));
    // Callbacks have a thread of their own; this one has no stream there.
    fails!(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtProcessReport(10));
    assert_eq!(launch(stream, &seen), ACL_SUCCESS);
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
    ok!(aclrtProcessHostFunc(5000));
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
    assert_eq!(seen.count.load(Ordering::Acquire), 1);
    // Both threads may serve one stream, as each was named for its part.
    ok!(aclrtSubscribeReport(own_thread(), stream));
    assert_eq!(launch(stream, &seen), ACL_SUCCESS);
    let argument = ptr::from_ref(&seen).cast_mut().cast();
    ok!(aclrtLaunchCallback(Some(see), argument, ACL_CALLBACK_BLOCK, stream));
    ok!(aclrtProcessHostFunc(5000));
    ok!(aclrtProcessReport(5000));
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
    assert_eq!(seen.count.load(Ordering::Acquire), 3);
    // A thread that comes later may have the same id.
    ok!(aclrtUnSubscribeHostFunc(own_thread(), stream));
    ok!(aclrtUnSubscribeReport(own_thread(), stream));
}

#[test]
fn subscriptions_are_checked() {
    let device = TestDevice::take();
    let (stream, used) = (stream(), stream());
    let (own, seen) = (own_thread(), Seen::default());
    let none = aclrtStream::null();
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSubscribeHostFunc(own, none));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtUnSubscribeHostFunc(own, none));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtUnSubscribeHostFunc(own, stream));
    assert_eq!(launch(used, &seen), ACL_SUCCESS);
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtSubscribeHostFunc(own, used));
    ok!(aclrtSubscribeHostFunc(own, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtSubscribeHostFunc(own, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtSubscribeHostFunc(own + 1, stream));
    fails!(ACL_ERROR_RT_STREAM_SUBSCRIBE, aclrtUnSubscribeHostFunc(own + 1, stream));
    let _other = TestDevice::take();
    let there = common::stream();
    fails!(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtSubscribeHostFunc(own, there));
    ok!(aclrtSetDevice(device.0));
    ok!(aclrtUnSubscribeHostFunc(own, stream));
}

#[test]
fn captured_host_functions_run_at_the_replay() {
    let _device = TestDevice::take();
    let (stream, seen) = (stream(), Seen::default());
    ok!(aclrtSubscribeHostFunc(own_thread(), stream));
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
    assert_eq!(launch(stream, &seen), ACL_SUCCESS);
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    for round in 1..3 {
        ok!(aclmdlRIExecuteAsync(graph, stream));
        ok!(aclrtProcessHostFunc(5000));
        ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
        assert_eq!(seen.count.load(Ordering::Acquire), round);
        assert_eq!(seen.thread.load(Ordering::Acquire), own_thread());
    }
    ok!(aclrtUnSubscribeHostFunc(own_thread(), stream));
}

/// The streams that the callback was told of, by the threads that made or ended them.
static TOLD: Mutex<Vec<(u64, usize, aclrtStreamState)>> = Mutex::new(Vec::new());

unsafe extern "C" fn tell(stream: aclrtStream, state: aclrtStreamState, argument: *mut c_void) {
    assert_eq!(argument.addr(), 42);
    TOLD.lock().unwrap().push((own_thread(), stream.0.addr(), state));
}

#[test]
fn the_program_is_told_of_streams() {
    let device = TestDevice::take();
    let name = c"the_program_is_told_of_streams".as_ptr();
    let argument = ptr::without_provenance_mut(42);
    ok!(aclrtRegStreamStateCallback(name, Some(tell), argument));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRegStreamStateCallback(name, Some(tell), argument));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtRegStreamStateCallback(c"".as_ptr(), Some(tell), argument));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtRegStreamStateCallback(ptr::null(), Some(tell), argument));
    let first = stream();
    // The default stream of the new context is told of, too.
    let (mut context, mut default) = (aclrtContext::null(), aclrtStream::null());
    ok!(aclrtCreateContext(&mut context, device.0));
    ok!(aclrtCtxGetCurrentDefaultStream(&mut default));
    ok!(aclrtDestroyContext(context));
    ok!(aclrtSetDevice(device.0));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtRegStreamStateCallback(name, None, ptr::null_mut()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRegStreamStateCallback(name, None, ptr::null_mut()));
    stream();
    let own = own_thread();
    let told: Vec<_> = TOLD.lock().unwrap().iter().filter(|told| told.0 == own).copied().collect();
    let expected = [
        (own, first.0.addr(), ACL_RT_STREAM_STATE_CREATE_POST),
        (own, default.0.addr(), ACL_RT_STREAM_STATE_CREATE_POST),
        (own, default.0.addr(), ACL_RT_STREAM_STATE_DESTROY_PRE),
        (own, first.0.addr(), ACL_RT_STREAM_STATE_DESTROY_PRE),
    ];
    assert_eq!(told, expected);
}
