//! Graphs that are built by hand.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;
use std::thread;
use std::time::Duration;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;

const HEAD: u32 = 0;
const WAITING: u32 = 0x7fff_ffff;

fn stream_of(flags: u32) -> aclrtStream {
    let mut stream = aclrtStream::null();
    ok!(aclrtCreateStreamWithConfig(&mut stream, 0, flags));
    stream
}

fn persistent() -> aclrtStream {
    stream_of(ACL_STREAM_PERSISTENT)
}

fn begin() -> aclmdlRI {
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRIBuildBegin(&mut graph, 0));
    assert!(!graph.is_null());
    graph
}

fn memset(memory: *mut c_void, value: i32, stream: aclrtStream) -> aclError {
    code!(aclrtMemsetAsync(memory, 1, value, 1, stream))
}

#[test]
fn a_graph_runs_as_often_as_it_is_executed() {
    let device = TestDevice::take();
    let (work, run) = (persistent(), stream());
    let (from, to) = (malloc(1), malloc(1));
    upload(to, &[0]);
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, work, HEAD));
    ok!(aclrtMemcpyAsync(to, 1, from, 1, ACL_MEMCPY_DEVICE_TO_DEVICE, work));
    ok!(aclmdlRIEndTask(graph, work));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIExecuteAsync(graph, run));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclrtSynchronizeStream(work));
    assert_eq!(download(to, 1), [0]);
    for value in [1, 2] {
        upload(from, &[value]);
        ok!(aclmdlRIExecuteAsync(graph, run));
        ok!(aclrtSynchronizeStream(run));
        assert_eq!(download(to, 1), [value]);
    }
    upload(from, &[3]);
    ok!(aclmdlRIExecute(graph, -1));
    assert_eq!(download(to, 1), [3]);
    ok!(aclmdlRIUnbindStream(graph, work));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIExecuteAsync(graph, run));
    ok!(aclmdlRIDestroy(graph));
    for stream in [work, run] {
        ok!(aclrtDestroyStream(stream));
    }
    for memory in [from, to] {
        ok!(aclrtFree(memory));
    }
    ok!(aclrtResetDevice(device.0));
    assert_eq!(device.report().misuse.len(), 2);
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

#[test]
fn heads_run_alongside_and_events_order_them_in_each_run() {
    let _device = TestDevice::take();
    let (first, second, run) = (persistent(), persistent(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    let (a, b, step) = (malloc(4), malloc(4), malloc(4));
    upload(step, &1i32.to_le_bytes());
    upload(a, &[0; 4]);
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, first, HEAD));
    ok!(aclmdlRIBindStream(graph, second, HEAD));
    // The second stream must see what the first one does in the same run, also in the second run.
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtMemcpyAsync(b, 4, a, 4, ACL_MEMCPY_DEVICE_TO_DEVICE, second));
    extern "C" fn nap(_: *mut c_void) {
        thread::sleep(Duration::from_millis(20));
    }
    ok!(aclrtLaunchHostFunc(first, Some(nap), ptr::null_mut()));
    let sum = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
    ok!(aclrtReduceAsync(a, step, 4, sum, ACL_INT32, first, ptr::null_mut()));
    ok!(aclrtRecordEvent(event, first));
    ok!(aclmdlRIEndTask(graph, second));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    for round in 1..4i32 {
        ok!(aclmdlRIExecuteAsync(graph, run));
        ok!(aclrtSynchronizeStream(run));
        assert_eq!(download(b, 4), round.to_le_bytes());
    }
    ok!(aclrtSynchronizeEvent(event));
}

#[test]
fn a_graph_takes_no_tasks_when_it_is_complete() {
    let _device = TestDevice::take();
    let work = persistent();
    let memory = malloc(1);
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, work, HEAD));
    assert_eq!(memset(memory, 1, work), ACL_SUCCESS);
    ok!(aclmdlRIEndTask(graph, work));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    assert_eq!(memset(memory, 1, work), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(graph, ptr::null_mut()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIEndTask(graph, work));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(graph, persistent(), HEAD));
}

#[test]
fn building_is_checked() {
    let _device = TestDevice::take();
    let (graph, work) = (begin(), persistent());
    let none = aclrtStream::null();
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIBuildBegin(ptr::null_mut(), 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIBuildBegin(&mut aclmdlRI::null(), 1));
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIBindStream(graph, none, HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(graph, stream(), HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(graph, work, 1));
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIBindStream(aclmdlRI::null(), work, HEAD));
    let fast = stream_of(ACL_STREAM_PERSISTENT | ACL_STREAM_FAST_LAUNCH);
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIBindStream(graph, fast, HEAD));
    let device_only = stream_of(ACL_STREAM_PERSISTENT | ACL_STREAM_DEVICE_USE_ONLY);
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIBindStream(graph, device_only, HEAD));
    // The end is in a stream of the graph, once, and a graph has a head.
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIEndTask(graph, work));
    ok!(aclmdlRIBindStream(graph, work, WAITING));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIBindStream(graph, work, WAITING));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIBindStream(begin(), work, HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclmdlRIUnbindStream(graph, work));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIUnbindStream(graph, work));
    ok!(aclmdlRIBindStream(graph, work, HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclmdlRIEndTask(graph, work));
    fails!(ACL_ERROR_RT_INTERNAL_ERROR, aclmdlRIEndTask(graph, work));
    let mut reserve = 0u8;
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIBuildEnd(graph, (&raw mut reserve).cast()));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    // Persistent streams execute and capture nothing, and end after their graph.
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIExecuteAsync(graph, fast));
    let relaxed = ACL_MODEL_RI_CAPTURE_MODE_RELAXED;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureBegin(fast, relaxed));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtDestroyStream(work));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtDestroyStreamForce(work));
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtDestroyStream(work));
    fails!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        aclrtCreateStreamWithConfig(&mut aclrtStream::null(), 0, ACL_STREAM_CPU_SCHEDULE)
    );

    // What was captured is not built, and what is captured is not bound.
    let captured = stream();
    ok!(aclmdlRICaptureBegin(captured, relaxed));
    let graph = begin();
    fails!(ACL_ERROR_RT_STREAM_CAPTURED, aclmdlRIBindStream(graph, captured, HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureToModelRIBegin(stream(), graph, relaxed));
    let mut replay = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(captured, &mut replay));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(replay, persistent(), HEAD));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(replay, ptr::null_mut()));
    fails!(ACL_ERROR_RT_MODEL_CAPTURED, aclmdlRICaptureToModelRIBegin(stream(), replay, relaxed));
}

#[test]
fn a_graph_that_does_not_come_to_its_end_has_failed() {
    let _device = TestDevice::take();
    let (head, last) = (persistent(), persistent());
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, head, HEAD));
    ok!(aclmdlRIBindStream(graph, last, WAITING));
    let memory = malloc(1);
    assert_eq!(memset(memory, 1, head), ACL_SUCCESS);
    ok!(aclmdlRIEndTask(graph, last));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    fails!(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecute(graph, 20_000));
    assert_eq!(download(memory, 1), [1]);
}

#[test]
fn a_task_that_fails_ends_the_run_and_the_next_run_is_its_own() {
    let _device = TestDevice::take();
    let (head, other, run) = (persistent(), persistent(), stream());
    let (memory, flag) = (malloc(1), malloc(8));
    upload(flag, &[0; 8]);
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, head, HEAD));
    ok!(aclmdlRIBindStream(graph, other, HEAD));
    assert_eq!(memset(memory, 1, head), ACL_SUCCESS);
    // The other stream waits for something that never comes; the failure ends that, too.
    ok!(aclrtValueWait(flag, 1, ACL_STREAM_WAIT_VALUE_EQ, other));
    ok!(aclmdlRIEndTask(graph, other));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclrtFree(memory));
    for _ in 0..2 {
        ok!(aclmdlRIExecuteAsync(graph, run));
        fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(run));
    }
}

#[test]
fn a_running_graph_is_aborted_and_runs_again() {
    let _device = TestDevice::take();
    let (head, run) = (persistent(), stream());
    let flag = malloc(8);
    upload(flag, &[0; 8]);
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, head, HEAD));
    ok!(aclrtValueWait(flag, 1, ACL_STREAM_WAIT_VALUE_EQ, head));
    ok!(aclmdlRIEndTask(graph, head));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclmdlRIAbort(graph));
    ok!(aclmdlRIExecuteAsync(graph, run));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(run, 30));
    fails!(ACL_ERROR_RT_MODEL_RUNNING, aclmdlRIUnbindStream(graph, head));
    fails!(ACL_ERROR_RT_MODEL_RUNNING, aclmdlRIDestroy(graph));
    ok!(aclmdlRIAbort(graph));
    fails!(ACL_ERROR_RT_MODEL_ABORT_NORMAL, aclrtSynchronizeStreamWithTimeout(run, 20_000));
    // An abort of the stream that executes it ends it, too.
    ok!(aclmdlRIExecuteAsync(graph, run));
    thread::sleep(Duration::from_millis(10));
    ok!(aclrtStreamAbort(run));
    upload(flag, &1u64.to_le_bytes());
    ok!(aclmdlRIExecuteAsync(graph, run));
    ok!(aclrtSynchronizeStream(run));
    ok!(aclmdlRIUnbindStream(graph, head));
    ok!(aclmdlRIDestroy(graph));
}

#[test]
fn what_is_left_is_reported() {
    let device = TestDevice::take();
    let graph = begin();
    ok!(aclmdlRIBindStream(graph, persistent(), HEAD));
    ok!(aclrtResetDevice(device.0));
    let found: Vec<Resource> = device.report().leaks.iter().map(|leak| leak.resource).collect();
    assert!(found.iter().any(|leak| matches!(leak, Resource::Graph(_))));
    assert!(found.iter().any(|leak| matches!(leak, Resource::Stream(_))));
    assert_eq!(found.len(), 2);
}
