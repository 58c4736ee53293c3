//! Condition tasks of captured graphs.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use common::*;

const MODE: aclmdlRICaptureMode = ACL_MODEL_RI_CAPTURE_MODE_RELAXED;
const ASSIGN: aclmdlRICondHandleFlag = ACL_MODEL_RI_COND_HANDLE_ASSIGN_DEFAULT;
const KEEP: aclmdlRICondHandleFlag = aclmdlRICondHandleFlag(0);

fn graph_of(stream: aclrtStream) -> aclmdlRI {
    let (mut status, mut graph) = (ACL_MODEL_RI_CAPTURE_STATUS_NONE, aclmdlRI::null());
    ok!(aclmdlRICaptureGetInfo(stream, &mut status, &mut graph));
    assert_eq!(status, ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE);
    graph
}

/// A condition of what a stream is captured into, and where its value is.
fn condition(
    stream: aclrtStream,
    default: u32,
    flag: aclmdlRICondHandleFlag,
) -> (aclmdlRICondHandle, *mut c_void) {
    let mut handle = aclmdlRICondHandle::null();
    ok!(aclmdlRICondHandleCreate(graph_of(stream), default, flag, &mut handle));
    let mut value = ptr::null_mut();
    ok!(aclmdlRICondHandleGetCondPtr(handle, &mut value));
    (handle, value.cast())
}

fn add_task<const N: usize>(
    handle: aclmdlRICondHandle,
    kind: aclmdlRICondTaskType,
    stream: aclrtStream,
) -> [aclmdlRI; N] {
    let mut branches = [aclmdlRI::null(); N];
    let params =
        aclmdlRICondTaskParams { handle, type_: kind, size: N as u32, modelRIArray: branches.as_mut_ptr() };
    ok!(aclmdlRIAddCondTask(params, stream, 0));
    branches
}

fn end(stream: aclrtStream) -> aclmdlRI {
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    graph
}

/// Captures what `work` queues on the stream into a branch.
fn capture(branch: aclmdlRI, stream: aclrtStream, work: impl FnOnce(aclrtStream)) {
    ok!(aclmdlRICaptureToModelRIBegin(stream, branch, MODE));
    assert_eq!(graph_of(stream), branch);
    work(stream);
    assert_eq!(end(stream), branch);
}

fn number(value: i32) -> *mut c_void {
    let memory = malloc(8);
    upload(memory, &i64::from(value).to_le_bytes());
    memory
}

fn value(memory: *mut c_void) -> i32 {
    i32::from_le_bytes(download(memory, 4).try_into().unwrap())
}

fn add(to: *mut c_void, from: *mut c_void, stream: aclrtStream) {
    let sum = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
    ok!(aclrtReduceAsync(to, from, 4, sum, ACL_INT32, stream, ptr::null_mut()));
}

fn execute(graph: aclmdlRI, stream: aclrtStream) {
    ok!(aclmdlRIExecuteAsync(graph, stream));
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 20_000));
}

#[test]
fn if_takes_one_of_its_branches() {
    let _device = TestDevice::take();
    let (stream, inner, run) = (stream(), stream(), stream());
    let (sum, one, ten, hundred) = (number(0), number(1), number(10), number(100));
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (handle, decides) = condition(stream, 0, KEEP);
    let [yes, no] = add_task(handle, ACL_MODEL_RI_COND_TYPE_IF, stream);
    add(sum, hundred, stream);
    capture(yes, inner, |stream| add(sum, one, stream));
    capture(no, inner, |stream| add(sum, ten, stream));
    let graph = end(stream);
    for (condition, expected) in [(0u64, 110), (1, 101), (1 << 40, 101), (0, 110)] {
        upload(decides, &condition.to_le_bytes());
        upload(sum, &[0; 8]);
        execute(graph, run);
        assert_eq!(value(sum), expected, "{condition}");
    }
}

#[test]
fn if_without_an_else_does_nothing_at_zero() {
    let _device = TestDevice::take();
    let (stream, inner, run) = (stream(), stream(), stream());
    let (sum, one) = (number(0), number(1));
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (handle, decides) = condition(stream, 9, ASSIGN);
    let [yes] = add_task(handle, ACL_MODEL_RI_COND_TYPE_IF, stream);
    capture(yes, inner, |stream| {
        add(sum, one, stream);
        ok!(aclrtMemsetAsync(decides, 8, 0, 8, stream));
    });
    let graph = end(stream);
    // The default is back at each start, whatever the program or the branch wrote.
    for round in 1..4 {
        execute(graph, run);
        assert_eq!(value(sum), round);
        assert_eq!(download(decides, 8), [0; 8]);
    }
    let (other, again) = (common::stream(), number(0));
    ok!(aclmdlRICaptureBegin(other, MODE));
    let (handle, decides) = condition(other, 0, ASSIGN);
    let [yes] = add_task(handle, ACL_MODEL_RI_COND_TYPE_IF, other);
    capture(yes, inner, |stream| add(again, one, stream));
    let graph = end(other);
    upload(decides, &1u64.to_le_bytes());
    execute(graph, run);
    assert_eq!(value(again), 0);
}

#[test]
fn while_runs_until_the_condition_is_zero() {
    let _device = TestDevice::take();
    let (stream, inner, run) = (stream(), stream(), stream());
    let (turns, one, less) = (number(0), number(1), number(-1));
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (handle, decides) = condition(stream, 5, ASSIGN);
    let [body] = add_task(handle, ACL_MODEL_RI_COND_TYPE_WHILE, stream);
    // The low half of the condition counts down; the high half stays zero.
    capture(body, inner, |stream| {
        add(turns, one, stream);
        add(decides, less, stream);
    });
    let graph = end(stream);
    for round in 1..3 {
        execute(graph, run);
        assert_eq!(value(turns), 5 * round);
    }
}

#[test]
fn loops_nest_and_an_endless_one_is_aborted() {
    let _device = TestDevice::take();
    let (stream, middle, inner, run) = (stream(), stream(), stream(), stream());
    let (turns, one, less, three) = (number(0), number(1), number(-1), number(3));
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (outer, rounds) = condition(stream, 4, ASSIGN);
    let [body] = add_task(outer, ACL_MODEL_RI_COND_TYPE_WHILE, stream);
    ok!(aclmdlRICaptureToModelRIBegin(middle, body, MODE));
    let (within, left) = condition(middle, 0, KEEP);
    ok!(aclrtMemcpyAsync(left, 8, three, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, middle));
    let [innermost] = add_task(within, ACL_MODEL_RI_COND_TYPE_WHILE, middle);
    capture(innermost, inner, |stream| {
        add(turns, one, stream);
        add(left, less, stream);
    });
    add(rounds, less, middle);
    end(middle);
    let graph = end(stream);
    execute(graph, run);
    assert_eq!(value(turns), 12);

    let mut other = aclrtStream::null();
    ok!(aclrtCreateStream(&mut other));
    ok!(aclmdlRICaptureBegin(other, MODE));
    let (endless, _) = condition(other, 1, ASSIGN);
    let [body] = add_task(endless, ACL_MODEL_RI_COND_TYPE_WHILE, other);
    capture(body, inner, |stream| add(turns, one, stream));
    let graph = end(other);
    ok!(aclmdlRIExecuteAsync(graph, run));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(run, 20));
    ok!(aclrtStreamAbort(run));
    ok!(aclrtSynchronizeStreamWithTimeout(run, 20_000));
}

#[test]
fn switch_takes_the_branch_of_its_index() {
    let _device = TestDevice::take();
    let (stream, inner, run) = (stream(), stream(), stream());
    let sum = number(0);
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (handle, decides) = condition(stream, 0, KEEP);
    let branches: [aclmdlRI; 3] = add_task(handle, ACL_MODEL_RI_COND_TYPE_SWITCH, stream);
    for (branch, amount) in branches.into_iter().zip([1, 10, 100]) {
        let amount = number(amount);
        capture(branch, inner, |stream| add(sum, amount, stream));
    }
    let graph = end(stream);
    for (index, expected) in [(0u64, 1), (2, 100), (1, 10), (3, 0), (u64::MAX, 0)] {
        upload(decides, &index.to_le_bytes());
        upload(sum, &[0; 8]);
        execute(graph, run);
        assert_eq!(value(sum), expected, "{index}");
    }
}

#[test]
fn conditions_are_checked() {
    let _device = TestDevice::take();
    let (stream, other, inner) = (stream(), stream(), stream());
    let mut handle = aclmdlRICondHandle::null();
    let mut built = aclmdlRI::null();
    ok!(aclmdlRIBuildBegin(&mut built, 0));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRICondHandleCreate(built, 0, KEEP, &mut handle));
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRICondHandleCreate(aclmdlRI::null(), 0, KEEP, &mut handle));
    ok!(aclmdlRICaptureBegin(stream, MODE));
    ok!(aclmdlRICaptureBegin(other, MODE));
    let graph = graph_of(stream);
    let wrong = aclmdlRICondHandleFlag(2);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICondHandleCreate(graph, 0, wrong, &mut handle));
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRICondHandleCreate(graph, 0, KEEP, ptr::null_mut()));
    let (handle, address) = condition(stream, 0, KEEP);
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRICondHandleGetCondPtr(handle, ptr::null_mut()));
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclmdlRICondHandleGetCondPtr(aclmdlRICondHandle::null(), &mut ptr::null_mut())
    );
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(address));

    let mut branches = [aclmdlRI::null(); 3];
    let array = branches.as_mut_ptr();
    let params = |type_, size| aclmdlRICondTaskParams { handle, type_, size, modelRIArray: array };
    let (if_, while_, switch) =
        (ACL_MODEL_RI_COND_TYPE_IF, ACL_MODEL_RI_COND_TYPE_WHILE, ACL_MODEL_RI_COND_TYPE_SWITCH);
    for (type_, size) in
        [(if_, 0), (if_, 3), (while_, 0), (while_, 2), (switch, 0), (aclmdlRICondTaskType(3), 1)]
    {
        fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIAddCondTask(params(type_, size), stream, 0));
    }
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIAddCondTask(params(if_, 1), stream, 1));
    let without = aclmdlRICondTaskParams { modelRIArray: ptr::null_mut(), ..params(if_, 1) };
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIAddCondTask(without, stream, 0));
    let without = aclmdlRICondTaskParams { handle: aclmdlRICondHandle::null(), ..params(if_, 1) };
    fails!(ACL_ERROR_INVALID_PARAM, aclmdlRIAddCondTask(without, stream, 0));
    fails!(ACL_ERROR_RT_STREAM_NOT_CAPTURED, aclmdlRIAddCondTask(params(if_, 1), inner, 0));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIAddCondTask(params(if_, 1), other, 0));
    ok!(aclmdlRIAddCondTask(params(if_, 2), stream, 0));
    // A condition decides for one task.
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIAddCondTask(params(if_, 1), stream, 0));

    // A branch is captured once, and its graph ends after it; by itself it neither runs nor ends.
    ok!(aclmdlRICaptureToModelRIBegin(inner, branches[0], MODE));
    fails!(ACL_ERROR_RT_MODEL_CAPTURED, aclmdlRICaptureToModelRIBegin(common::stream(), branches[0], MODE));
    let mut parent = aclmdlRI::null();
    fails!(ACL_ERROR_RT_SUB_ACLGRAPH_IS_CAPTURING, aclmdlRICaptureEnd(stream, &mut parent));
    end(inner);
    fails!(ACL_ERROR_RT_MODEL_CAPTURED, aclmdlRICaptureToModelRIBegin(inner, branches[0], MODE));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIDestroy(branches[0]));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIExecuteAsync(branches[0], inner));
    parent = end(stream);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclmdlRICondHandleCreate(parent, 0, KEEP, &mut handle.clone()));
    ok!(aclmdlRIDestroy(parent));
    // Everything ends with the graph.
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICondHandleGetCondPtr(handle, &mut ptr::null_mut()));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICaptureToModelRIBegin(inner, branches[1], MODE));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(address, 8, 0, 8));
    end(other);
}

#[test]
fn nothing_of_a_condition_is_left() {
    let device = TestDevice::take();
    let (stream, inner) = (stream(), stream());
    ok!(aclmdlRICaptureBegin(stream, MODE));
    let (handle, value) = condition(stream, 0, KEEP);
    let [_] = add_task(handle, ACL_MODEL_RI_COND_TYPE_IF, stream);
    let graph = end(stream);
    ok!(aclmdlRIDestroy(graph));
    // Neither is anything of a capture that fails.
    let global = ACL_MODEL_RI_CAPTURE_MODE_GLOBAL;
    ok!(aclmdlRICaptureBegin(stream, global));
    let (handle, _) = condition(stream, 0, KEEP);
    let [branch] = add_task(handle, ACL_MODEL_RI_COND_TYPE_IF, stream);
    fails!(ACL_ERROR_RT_STREAM_CAPTURED, aclrtSynchronizeStream(stream));
    let mut graph = aclmdlRI::null();
    fails!(ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED, aclmdlRICaptureEnd(stream, &mut graph));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICaptureToModelRIBegin(inner, branch, MODE));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRICondHandleGetCondPtr(handle, &mut ptr::null_mut()));
    for stream in [stream, inner] {
        ok!(aclrtDestroyStream(stream));
    }
    let _ = value;
    ok!(aclrtResetDevice(device.0));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}
