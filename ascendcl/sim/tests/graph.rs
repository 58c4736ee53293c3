//! Capture and replay of streams' work.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ptr;
use std::thread;

use ascendcl_sys::*;
use common::*;

fn begin(stream: aclrtStream) {
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
}

fn end(stream: aclrtStream) -> aclmdlRI {
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    assert!(!graph.is_null());
    graph
}

/// Ends a capture that must not give a graph.
fn end_code(stream: aclrtStream) -> aclError {
    let mut graph = aclmdlRI(ptr::dangling_mut());
    let code = code!(aclmdlRICaptureEnd(stream, &mut graph));
    assert!(graph.is_null());
    code
}

fn status(stream: aclrtStream) -> aclmdlRICaptureStatus {
    let mut status = aclmdlRICaptureStatus(99);
    ok!(aclmdlRICaptureGetInfo(stream, &mut status, ptr::null_mut()));
    status
}

fn memset(memory: *mut std::ffi::c_void, value: i32, stream: aclrtStream) -> aclError {
    code!(aclrtMemsetAsync(memory, 1, value, 1, stream))
}

#[test]
fn captured_work_runs_at_each_replay_and_not_before() {
    let device = TestDevice::take();
    let stream = stream();
    let (memory, source) = (malloc(4), pinned(4));
    upload(memory, &[0; 4]);
    assert_eq!(status(stream), ACL_MODEL_RI_CAPTURE_STATUS_NONE);
    begin(stream);
    assert_eq!(status(stream), ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE);
    ok!(aclrtMemcpyAsync(memory, 4, source.cast(), 4, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    ok!(aclrtMemsetAsync(memory, 1, 9, 1, stream));
    let graph = end(stream);
    assert_eq!(status(stream), ACL_MODEL_RI_CAPTURE_STATUS_NONE);
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 4), [0; 4]);
    for value in [1u8, 2] {
        // SAFETY: The block has 4 bytes, and no task is queued that touches it.
        unsafe { source.cast::<[u8; 4]>().write([value; 4]) };
        ok!(aclmdlRIExecuteAsync(graph, stream));
        ok!(aclrtSynchronizeStream(stream));
        assert_eq!(download(memory, 4), [9, value, value, value]);
    }
    ok!(aclrtMemset(memory, 4, 0, 4));
    ok!(aclmdlRIExecute(graph, -1));
    assert_eq!(download(memory, 4), [9, 2, 2, 2]);
    ok!(aclmdlRIDebugPrint(graph));
    ok!(aclmdlRIDestroy(graph));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIExecuteAsync(graph, stream));
    assert_eq!(device.report().misuse.len(), 1);
}

#[test]
fn a_graph_in_use_is_not_destroyed() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    begin(stream);
    assert_eq!(memset(memory, 1, stream), ACL_SUCCESS);
    let graph = end(stream);
    let gate = Gate::close_on(stream);
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_MODEL_RUNNING, aclmdlRIDestroy(graph));
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIAbort(graph));
    ok!(aclmdlRIDestroy(graph));
}

#[test]
fn streams_fork_and_join() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let (fork, join) = (event_with(ACL_EVENT_SYNC), event_with(ACL_EVENT_SYNC));
    let (a, b) = (malloc(1), malloc(1));
    begin(first);
    assert_eq!(memset(a, 1, first), ACL_SUCCESS);
    ok!(aclrtRecordEvent(fork, first));
    ok!(aclrtStreamWaitEvent(second, fork));
    assert_eq!(status(second), ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE);
    ok!(aclrtMemcpyAsync(b, 1, a, 1, ACL_MEMCPY_DEVICE_TO_DEVICE, second));
    ok!(aclrtRecordEvent(join, second));
    let mut recorded = ACL_EVENT_RECORDED_STATUS_COMPLETE;
    fails!(ACL_ERROR_RT_EVENT_CAPTURED, aclrtQueryEventStatus(join, &mut recorded));
    fails!(ACL_ERROR_RT_STREAM_CAPTURE_UNMATCHED, aclmdlRICaptureEnd(second, &mut aclmdlRI::null()));
    ok!(aclrtStreamWaitEvent(first, join));
    assert_eq!(memset(a, 2, first), ACL_SUCCESS);
    let graph = end(first);
    assert_eq!(status(second), ACL_MODEL_RI_CAPTURE_STATUS_NONE);
    ok!(aclmdlRIExecuteAsync(graph, first));
    ok!(aclrtSynchronizeStream(first));
    assert_eq!((download(a, 1), download(b, 1)), (vec![2], vec![1]));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph.json");
    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    ok!(aclmdlRIDebugJsonPrint(graph, c_path.as_ptr(), 0));
    let text = std::fs::read_to_string(path).unwrap();
    let names: Vec<&str> =
        text.split("\"name\":\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    let expected = ["MEMSET", "EVENT_RECORD", "EVENT_WAIT", "MEMCPY", "EVENT_RECORD", "EVENT_WAIT", "MEMSET"];
    assert_eq!(names, expected);
    fails!(ACL_ERROR_RT_FILE_WRITE, aclmdlRIDebugJsonPrint(graph, c"/no/such/place".as_ptr(), 0));
}

#[test]
fn streams_that_do_not_join_spoil_the_capture() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let (fork, join) = (event_with(ACL_EVENT_SYNC), event_with(ACL_EVENT_SYNC));
    let memory = malloc(1);
    begin(first);
    ok!(aclrtRecordEvent(fork, first));
    ok!(aclrtStreamWaitEvent(second, fork));
    assert_eq!(memset(memory, 1, second), ACL_SUCCESS);
    assert_eq!(end_code(first), ACL_ERROR_RT_STREAM_UNJOINED);

    // Work after the last record is not joined, either.
    begin(first);
    ok!(aclrtRecordEvent(fork, first));
    ok!(aclrtStreamWaitEvent(second, fork));
    ok!(aclrtRecordEvent(join, second));
    ok!(aclrtStreamWaitEvent(first, join));
    assert_eq!(memset(memory, 1, second), ACL_SUCCESS);
    assert_eq!(end_code(first), ACL_ERROR_RT_STREAM_UNJOINED);
    assert_eq!(status(second), ACL_MODEL_RI_CAPTURE_STATUS_NONE);
    ok!(aclrtSynchronizeStream(second));
    // An event of a capture that has ended says nothing.
    fails!(ACL_ERROR_RT_EVENT_CAPTURED, aclrtStreamWaitEvent(second, join));
    ok!(aclrtRecordEvent(join, first));
    ok!(aclrtStreamWaitEvent(second, join));
}

#[test]
fn joins_may_be_indirect() {
    let _device = TestDevice::take();
    let (first, second, third) = (stream(), stream(), stream());
    let events: Vec<_> = (0..4).map(|_| event_with(ACL_EVENT_SYNC)).collect();
    let memory = malloc(1);
    begin(first);
    ok!(aclrtRecordEvent(events[0], first));
    ok!(aclrtStreamWaitEvent(second, events[0]));
    ok!(aclrtRecordEvent(events[1], second));
    ok!(aclrtStreamWaitEvent(third, events[1]));
    assert_eq!(memset(memory, 5, third), ACL_SUCCESS);
    ok!(aclrtRecordEvent(events[2], third));
    ok!(aclrtStreamWaitEvent(second, events[2]));
    ok!(aclrtRecordEvent(events[3], second));
    ok!(aclrtStreamWaitEvent(first, events[3]));
    let graph = end(first);
    ok!(aclmdlRIExecute(graph, 5000));
    assert_eq!(download(memory, 1), [5]);
}

#[test]
fn unsafe_calls_are_refused_and_spoil_the_capture() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(8);
    let mut bytes = [0u8; 8];
    let host: *mut std::ffi::c_void = bytes.as_mut_ptr().cast();
    let calls: [&dyn Fn() -> aclError; 5] = [
        &|| code!(aclrtMemcpy(memory, 8, host, 8, ACL_MEMCPY_HOST_TO_DEVICE)),
        &|| code!(aclrtMemcpy2d(memory, 4, host, 4, 4, 2, ACL_MEMCPY_HOST_TO_DEVICE)),
        &|| code!(aclrtMemset(memory, 8, 0, 8)),
        &|| code!(aclrtMemsetD32(memory, 8, 0, 2)),
        &|| code!(aclrtMemcpyAsync(memory, 8, host, 8, ACL_MEMCPY_HOST_TO_DEVICE, stream)),
    ];
    for (index, call) in calls.iter().enumerate() {
        assert_eq!(call(), ACL_SUCCESS, "call {index} outside");
        for mode in [ACL_MODEL_RI_CAPTURE_MODE_GLOBAL, ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL] {
            ok!(aclmdlRICaptureBegin(stream, mode));
            assert_eq!(call(), ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT, "call {index}");
            assert_eq!(status(stream), ACL_MODEL_RI_CAPTURE_STATUS_INVALIDATED);
            assert_eq!(memset(memory, 1, stream), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);
            assert_eq!(end_code(stream), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);
        }
        ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
        assert_eq!(call(), ACL_SUCCESS, "call {index}, relaxed");
        ok!(aclmdlRIDestroy(end(stream)));
    }
}

#[test]
fn waiting_for_captured_work_is_refused() {
    let _device = TestDevice::take();
    let stream = stream();
    let mut found = ACL_STREAM_STATUS_RESERVED;
    let calls: [&dyn Fn() -> aclError; 2] =
        [&|| code!(aclrtSynchronizeStream(stream)), &|| code!(aclrtSynchronizeDevice())];
    for call in calls {
        begin(stream);
        assert_eq!(call(), ACL_ERROR_RT_STREAM_CAPTURED);
        assert_eq!(end_code(stream), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);
    }
    begin(stream);
    fails!(ACL_ERROR_RT_STREAM_CAPTURED, aclrtStreamQuery(stream, &mut found));
    fails!(ACL_ERROR_RT_STREAM_CAPTURED, aclrtDestroyStream(stream));
    fails!(ACL_ERROR_RT_STREAM_CAPTURED, aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    assert_eq!(end_code(stream), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);
    assert_eq!(code!(aclmdlRICaptureEnd(stream, &mut aclmdlRI::null())), ACL_ERROR_RT_STREAM_NOT_CAPTURED);
    fails!(
        ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT,
        aclmdlRICaptureBegin(aclrtStream::null(), ACL_MODEL_RI_CAPTURE_MODE_GLOBAL)
    );
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRICaptureBegin(stream, aclmdlRICaptureMode(3)));
}

#[test]
fn modes_reach_other_threads() {
    let device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1).addr();
    // What a thread may do while another captures, for its own mode.
    let elsewhere = |thread_mode: Option<aclmdlRICaptureMode>| {
        let id = device.0;
        thread::spawn(move || {
            ok!(aclrtSetDevice(id));
            if let Some(mut mode) = thread_mode {
                ok!(aclmdlRICaptureThreadExchangeMode(&mut mode));
                assert_eq!(mode, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL);
            }
            code!(aclrtMemset(ptr::with_exposed_provenance_mut(memory), 1, 0, 1))
        })
        .join()
        .unwrap()
    };
    let (global, local, relaxed) = (
        ACL_MODEL_RI_CAPTURE_MODE_GLOBAL,
        ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL,
        ACL_MODEL_RI_CAPTURE_MODE_RELAXED,
    );
    for (mode, thread_mode, allowed) in [
        (global, None, false),
        (global, Some(global), false),
        (global, Some(local), true),
        (global, Some(relaxed), true),
        (local, None, true),
        (relaxed, None, true),
    ] {
        ok!(aclmdlRICaptureBegin(stream, mode));
        let expected = if allowed { ACL_SUCCESS } else { ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT };
        assert_eq!(elsewhere(thread_mode), expected, "{mode:?} and {thread_mode:?}");
        code!(aclmdlRICaptureEnd(stream, &mut aclmdlRI::null()));
    }
    // The thread that captures gets leave from the relaxed mode alone.
    let own = |mode: aclmdlRICaptureMode| {
        let mut exchanged = mode;
        ok!(aclmdlRICaptureThreadExchangeMode(&mut exchanged));
        ok!(aclmdlRICaptureBegin(stream, global));
        let code = code!(aclrtMemset(ptr::with_exposed_provenance_mut(memory), 1, 0, 1));
        code!(aclmdlRICaptureEnd(stream, &mut aclmdlRI::null()));
        ok!(aclmdlRICaptureThreadExchangeMode(&mut exchanged));
        code
    };
    assert_eq!(own(local), ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT);
    assert_eq!(own(relaxed), ACL_SUCCESS);
}

#[test]
fn a_capture_ends_in_its_thread_unless_relaxed() {
    let device = TestDevice::take();
    let stream = stream();
    let end_elsewhere = || {
        let (id, handle) = (device.0, stream.0.addr());
        thread::spawn(move || {
            ok!(aclrtSetDevice(id));
            let stream = aclrtStream(ptr::without_provenance_mut(handle));
            code!(aclmdlRICaptureEnd(stream, &mut aclmdlRI::null()))
        })
        .join()
        .unwrap()
    };
    begin(stream);
    assert_eq!(end_elsewhere(), ACL_ERROR_RT_STREAM_CAPTURE_WRONG_THREAD);
    end(stream);
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
    assert_eq!(end_elsewhere(), ACL_SUCCESS);
}

#[test]
fn events_from_outside_are_no_part_of_a_capture() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let (outside, inside) = (event_with(ACL_EVENT_SYNC), event_with(ACL_EVENT_SYNC));
    ok!(aclrtRecordEvent(outside, second));
    begin(first);
    fails!(ACL_ERROR_RT_CAPTURE_DEPENDENCY, aclrtStreamWaitEvent(first, outside));
    assert_eq!(end_code(first), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);

    begin(first);
    begin(second);
    ok!(aclrtRecordEvent(inside, first));
    fails!(ACL_ERROR_STREAM_CAPTURE_CONFLICT, aclrtStreamWaitEvent(second, inside));
    fails!(ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT, aclrtStreamWaitEvent(aclrtStream::null(), inside));
    assert_eq!(end_code(second), ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED);
    end(first);
}

#[test]
fn external_events_tie_a_graph_to_other_streams() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let (before, after) = (event_with(ACL_EVENT_SYNC), event_with(ACL_EVENT_SYNC));
    let memory = malloc(1);
    upload(memory, &[0]);
    fails!(
        ACL_ERROR_RT_STREAM_NOT_CAPTURED,
        aclrtRecordEventWithFlag(after, first, ACL_EVENT_RECORD_EXTERNAL)
    );
    begin(first);
    ok!(aclrtStreamWaitEventWithFlag(first, before, 0, ACL_EVENT_WAIT_EXTERNAL));
    assert_eq!(memset(memory, 1, first), ACL_SUCCESS);
    ok!(aclrtRecordEventWithFlag(after, first, ACL_EVENT_RECORD_EXTERNAL));
    let graph = end(first);
    let gate = Gate::close_on(second);
    ok!(aclrtRecordEvent(before, second));
    ok!(aclmdlRIExecuteAsync(graph, first));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(first, 20));
    gate.open();
    ok!(aclrtSynchronizeStream(first));
    ok!(aclrtSynchronizeEvent(after));
    assert_eq!(download(memory, 1), [1]);
}

/// The scenarios of two streams and of two graphs: who waits after the launch waits for what the graph records.
#[test]
fn a_wait_after_the_launch_sees_the_record_of_the_graph() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    let (from, middle, to) = (malloc(1), malloc(1), malloc(1));
    let copy = |to, from, stream| ok!(aclrtMemcpyAsync(to, 1, from, 1, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    begin(first);
    copy(middle, from, first);
    ok!(aclrtRecordEventWithFlag(event, first, ACL_EVENT_RECORD_EXTERNAL));
    let records = end(first);
    begin(second);
    ok!(aclrtStreamWaitEventWithFlag(second, event, 0, ACL_EVENT_WAIT_EXTERNAL));
    copy(to, middle, second);
    let waits = end(second);
    for value in [1u8, 2] {
        upload(from, &[value]);
        ok!(aclrtMemset(to, 1, 0, 1));
        let gate = Gate::close_on(first);
        ok!(aclmdlRIExecuteAsync(records, first));
        ok!(aclmdlRIExecuteAsync(waits, second));
        fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(second, 20));
        gate.open();
        ok!(aclrtSynchronizeStream(second));
        assert_eq!(download(to, 1), [value]);
        ok!(aclrtSynchronizeStream(first));
    }
    // A launch that is thrown away records nothing, and holds nobody up.
    let gate = Gate::close_on(first);
    ok!(aclmdlRIExecuteAsync(records, first));
    ok!(aclmdlRIExecuteAsync(waits, second));
    let opener = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        gate.open();
    });
    ok!(aclrtStreamAbort(first));
    opener.join().unwrap();
    ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
}

/// The same for a stream that is no graph's.
#[test]
fn a_stream_waits_for_a_graph_that_was_launched() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    let (from, to) = (malloc(1), malloc(1));
    upload(from, &[9]);
    let host = pinned(1);
    begin(first);
    ok!(aclrtMemcpyAsync(to, 1, from, 1, ACL_MEMCPY_DEVICE_TO_DEVICE, first));
    ok!(aclrtRecordEventWithFlag(event, first, ACL_EVENT_RECORD_EXTERNAL));
    let graph = end(first);
    let gate = Gate::close_on(first);
    ok!(aclmdlRIExecuteAsync(graph, first));
    let mut recorded = ACL_EVENT_RECORDED_STATUS_COMPLETE;
    ok!(aclrtQueryEventStatus(event, &mut recorded));
    assert_eq!(recorded, ACL_EVENT_RECORDED_STATUS_NOT_READY);
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtMemcpyAsync(host.cast(), 1, to, 1, ACL_MEMCPY_DEVICE_TO_HOST, second));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(second, 20));
    gate.open();
    ok!(aclrtSynchronizeStream(second));
    // SAFETY: The block has a byte, and the copy is done.
    assert_eq!(unsafe { host.read() }, 9);
}

#[test]
fn an_event_is_external_once_in_a_graph_and_then_always() {
    let _device = TestDevice::take();
    let stream = stream();
    let flag = ACL_EVENT_RECORD_EXTERNAL;
    let timing = event_with(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE);
    let (once, plain) = (event_with(ACL_EVENT_SYNC), event_with(ACL_EVENT_SYNC));
    ok!(aclrtRecordEvent(plain, stream));
    begin(stream);
    // Only events of one kind.
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordEventWithFlag(timing, stream, flag));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordEventWithFlag(plain, stream, flag));
    ok!(aclrtRecordEventWithFlag(once, stream, flag));
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtStreamWaitEventWithFlag(stream, once, 0, ACL_EVENT_WAIT_EXTERNAL)
    );
    end(stream);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordEvent(once, stream));
}

#[test]
fn task_groups_are_begun_and_ended_in_a_capture() {
    let _device = TestDevice::take();
    let (stream, other) = (stream(), stream());
    let (mut group, memory) = (aclrtTaskGrp::null(), malloc(8));
    upload(memory, &[1, 0, 0, 0, 2, 0, 0, 0]);
    let second = memory.wrapping_byte_add(4);
    let add = |to, from, stream| {
        let kind = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
        code!(aclrtReduceAsync(to, from, 4, kind, ACL_INT32, stream, std::ptr::null_mut()))
    };
    fails!(ACL_ERROR_RT_STREAM_NOT_CAPTURED, aclmdlRICaptureTaskGrpBegin(stream));
    begin(stream);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskGrpEnd(stream, &mut group));
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskGrpBegin(stream));
    assert_eq!(memset(memory, 1, stream), ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT);
    assert_eq!(add(memory, second.cast_const(), stream), ACL_SUCCESS);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &mut group));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICaptureTaskUpdateBegin(other, group));
    let graph = end(stream);
    ok!(aclmdlRIExecuteAsync(graph, stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 8), [3, 0, 0, 0, 2, 0, 0, 0]);

    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskUpdateEnd(other));
    ok!(aclmdlRICaptureTaskUpdateBegin(other, group));
    assert_eq!(add(second, memory.cast_const(), other), ACL_SUCCESS);
    assert_eq!(memset(memory, 1, other), ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT);
    ok!(aclmdlRICaptureTaskUpdateEnd(other));
    ok!(aclrtSynchronizeStream(other));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 8), [3, 0, 0, 0, 5, 0, 0, 0]);
    // As many tasks as there were.
    ok!(aclmdlRICaptureTaskUpdateBegin(other, group));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskUpdateEnd(other));
    ok!(aclmdlRICaptureTaskUpdateBegin(other, group));
    assert_eq!(add(second, memory.cast_const(), other), ACL_SUCCESS);
    assert_eq!(add(second, memory.cast_const(), other), ACL_SUCCESS);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskUpdateEnd(other));
    // The group ends with its graph.
    ok!(aclmdlRIDestroy(graph));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICaptureTaskUpdateBegin(other, group));
}

#[test]
fn memory_freed_after_the_capture_is_found_at_the_replay() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    begin(stream);
    assert_eq!(memset(memory, 1, stream), ACL_SUCCESS);
    let graph = end(stream);
    ok!(aclrtFree(memory));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
}
