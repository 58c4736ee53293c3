//! Updates of a graph's tasks, before it runs and alongside it.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
#[macro_use]
mod operators;

use std::ffi::CStr;
use std::ptr;

use ascendcl_sys::*;
use common::*;
use operators::*;

/// An event between an update and the graph.
fn update_event() -> aclrtEvent {
    let mut event = aclrtEvent::null();
    ok!(aclrtCreateEventWithFlag(&mut event, ACL_EVENT_EXTERNAL));
    event
}

fn begin(stream: aclrtStream) {
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
}

fn end(stream: aclrtStream) -> aclmdlRI {
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    graph
}

/// Queues an operator; tensors of one type need no workspace.
fn launch(name: &CStr, (code, size, executor): (i32, u64, *mut aclOpExecutor), stream: aclrtStream) {
    assert_eq!((code, size), (0, 0), "{}", message());
    assert_eq!(second(name, ptr::null_mut(), 0, executor, stream), 0, "{}", message());
}

/// Captures `between`, then a wait for an event, its reset, and a group with `out = a + alpha * b`.
fn capture(
    stream: aclrtStream,
    event: aclrtEvent,
    [a, b, out]: [&Tensor; 3],
    alpha: f32,
    between: impl FnOnce(),
) -> (aclmdlRI, aclrtTaskGrp) {
    let mut group = aclrtTaskGrp::null();
    begin(stream);
    between();
    ok!(aclrtStreamWaitEvent(stream, event));
    ok!(aclrtResetEvent(event, stream));
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    launch(c"aclnnAdd", add_first(a, b, scalar(alpha), out), stream);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &mut group));
    (end(stream), group)
}

/// The sequence of the documentation: the graph is executed first, and waits in its middle for the update.
#[test]
fn a_task_is_updated_while_the_graph_waits_for_it() {
    let device = TestDevice::take();
    let (stream, updates, event) = (stream(), common::stream(), update_event());
    let a = Tensor::new(ACL_FLOAT, &[3], &[1., 2., 3.]);
    let b = Tensor::new(ACL_FLOAT, &[3], &[10., 20., 30.]);
    let middle = Tensor::new(ACL_FLOAT, &[3], &[0.; 3]);
    let out = Tensor::new(ACL_FLOAT, &[3], &[0.; 3]);
    let (graph, group) = capture(stream, event, [&middle, &b, &out], 1., || {
        launch(c"aclnnAdd", add_first(&a, &b, scalar(2.), &middle), stream);
    });
    // middle is a + 2 b.
    for (alpha, expected) in
        [(None, [31., 62., 93.]), (Some(4.), [61., 122., 183.]), (None, [61., 122., 183.])]
    {
        ok!(aclmdlRIExecuteAsync(graph, stream));
        fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
        if let Some(alpha) = alpha {
            ok!(aclmdlRICaptureTaskUpdateBegin(updates, group));
            launch(c"aclnnAdd", add_first(&middle, &b, scalar(alpha), &out), updates);
            ok!(aclmdlRICaptureTaskUpdateEnd(updates));
        }
        ok!(aclrtRecordEvent(event, updates));
        ok!(aclrtSynchronizeStream(updates));
        ok!(aclrtSynchronizeStream(stream));
        assert_eq!(out.values(), expected, "{alpha:?}");
    }
    // A record may come first; the next run has to wait for another one.
    ok!(aclrtRecordEvent(event, updates));
    ok!(aclrtSynchronizeStream(updates));
    ok!(aclmdlRIExecute(graph, 5000));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
    ok!(aclrtRecordEvent(event, updates));
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtDestroyEvent(event));
    assert!(device.report().misuse.is_empty(), "{}", device.report());
}

/// The same with an event of the other kind for outside events, and the update stuck behind other work.
#[test]
fn an_update_that_was_queued_first_may_come_later() {
    let _device = TestDevice::take();
    let (stream, updates) = (stream(), common::stream());
    let event = event_with(ACL_EVENT_SYNC);
    let a = Tensor::new(ACL_INT32, &[2], &[1., 2.]);
    let out = Tensor::new(ACL_INT32, &[2], &[0.; 2]);
    let mut group = aclrtTaskGrp::null();
    begin(stream);
    ok!(aclrtStreamWaitEventWithFlag(stream, event, 0, ACL_EVENT_WAIT_EXTERNAL));
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    launch(c"aclnnAdd", add_first(&a, &a, int_scalar(1), &out), stream);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &mut group));
    let graph = end(stream);
    let gate = Gate::close_on(updates);
    ok!(aclmdlRICaptureTaskUpdateBegin(updates, group));
    launch(c"aclnnAdd", add_first(&a, &a, int_scalar(5), &out), updates);
    ok!(aclmdlRICaptureTaskUpdateEnd(updates));
    ok!(aclrtRecordEvent(event, updates));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
    gate.open();
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
    assert_eq!(out.values(), [6., 12.]);
}

#[test]
fn an_operator_may_be_replaced_by_another_one() {
    let _device = TestDevice::take();
    let (stream, updates, event) = (stream(), common::stream(), update_event());
    let a = Tensor::new(ACL_FLOAT, &[2], &[3., 5.]);
    let b = Tensor::new(ACL_FLOAT, &[2], &[7., 11.]);
    let out = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    let (graph, group) = capture(stream, event, [&a, &b, &out], 1., || {});
    ok!(aclmdlRICaptureTaskUpdateBegin(updates, group));
    launch(c"aclnnMul", mul_first(&a, &b, &out), updates);
    ok!(aclmdlRICaptureTaskUpdateEnd(updates));
    ok!(aclrtRecordEvent(event, updates));
    ok!(aclmdlRIExecute(graph, 5000));
    assert_eq!(out.values(), [21., 55.]);
    // What is no operator does not replace one.
    ok!(aclmdlRICaptureTaskUpdateBegin(updates, group));
    let (to, from) = (malloc(4), malloc(4));
    let kind = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
    ok!(aclrtReduceAsync(to, from, 4, kind, ACL_INT32, updates, ptr::null_mut()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICaptureTaskUpdateEnd(updates));
}

#[test]
fn the_event_of_updates_is_a_flag_for_streams_alone() {
    let _device = TestDevice::take();
    let (first, second, event) = (stream(), common::stream(), update_event());
    let mut other = aclrtEvent::null();
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtCreateEventWithFlag(&mut other, ACL_EVENT_EXTERNAL | ACL_EVENT_SYNC)
    );
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateEventExWithFlag(&mut other, ACL_EVENT_EXTERNAL));
    // The wait comes first, outside of graphs, too; it ends by its time or by a record.
    ok!(aclrtStreamWaitEventWithTimeout(first, event, 1));
    fails!(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(first));
    ok!(aclrtStreamWaitEvent(first, event));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(first, 20));
    ok!(aclrtRecordEvent(event, second));
    ok!(aclrtSynchronizeStream(first));
    // Raised is raised, until it is reset.
    ok!(aclrtStreamWaitEvent(first, event));
    ok!(aclrtResetEvent(event, first));
    ok!(aclrtSynchronizeStream(first));
    ok!(aclrtStreamWaitEvent(first, event));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(first, 20));
    ok!(aclrtRecordEvent(event, second));
    ok!(aclrtSynchronizeStream(first));
    // The host has no part in it.
    let (mut recorded, mut waited) = (ACL_EVENT_RECORDED_STATUS_COMPLETE, ACL_EVENT_WAIT_STATUS_COMPLETE);
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtSynchronizeEvent(event));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtQueryEventStatus(event, &mut recorded));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtQueryEventWaitStatus(event, &mut waited));
    // It ties no other stream to a capture.
    begin(first);
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtStreamWaitEventWithFlag(first, event, 0, ACL_EVENT_WAIT_EXTERNAL)
    );
    ok!(aclmdlRIDestroy(end(first)));
}
