//! Labels, and jumps between the streams of a graph that is built by hand.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;

const HEAD: u32 = 0;
const WAITING: u32 = 0x7fff_ffff;

fn persistent() -> aclrtStream {
    let mut stream = aclrtStream::null();
    ok!(aclrtCreateStreamWithConfig(&mut stream, 0, ACL_STREAM_PERSISTENT));
    stream
}

/// A graph to build, with its streams; the first one is the head.
fn begin(streams: &[aclrtStream]) -> aclmdlRI {
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRIBuildBegin(&mut graph, 0));
    for (index, &stream) in streams.iter().enumerate() {
        ok!(aclmdlRIBindStream(graph, stream, if index == 0 { HEAD } else { WAITING }));
    }
    graph
}

fn end(graph: aclmdlRI, stream: aclrtStream) {
    ok!(aclmdlRIEndTask(graph, stream));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
}

fn labels<const N: usize>() -> ([aclrtLabel; N], aclrtLabelList) {
    let mut labels = [aclrtLabel::null(); N];
    for label in &mut labels {
        ok!(aclrtCreateLabel(label));
    }
    let mut list = aclrtLabelList::null();
    ok!(aclrtCreateLabelList(labels.as_mut_ptr(), N, &mut list));
    (labels, list)
}

fn word(value: i32) -> *mut c_void {
    let memory = malloc(4);
    upload(memory, &value.to_le_bytes());
    memory
}

fn value(memory: *mut c_void) -> i32 {
    i32::from_le_bytes(download(memory, 4).try_into().unwrap())
}

/// Adds a word of device memory to another.
fn add(to: *mut c_void, from: *mut c_void, stream: aclrtStream) {
    let sum = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
    ok!(aclrtReduceAsync(to, from, 4, sum, ACL_INT32, stream, ptr::null_mut()));
}

fn copy(to: *mut c_void, from: *mut c_void, stream: aclrtStream) {
    ok!(aclrtMemcpyAsync(to, 4, from, 4, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
}

fn execute(graph: aclmdlRI) {
    ok!(aclmdlRIExecute(graph, 20_000));
}

#[test]
fn an_index_chooses_the_label() {
    let _device = TestDevice::take();
    let stream = persistent();
    let graph = begin(&[stream]);
    let (labels, list) = labels::<3>();
    let (index, sum, one, ten, hundred) = (word(0), word(0), word(1), word(10), word(100));
    ok!(aclrtSwitchLabelByIndex(index, 3, list, stream));
    add(sum, word(1000), stream);
    for (label, amount) in labels.into_iter().zip([one, ten, hundred]) {
        ok!(aclrtSetLabel(label, stream));
        add(sum, amount, stream);
    }
    end(graph, stream);
    assert_eq!(value(sum), 0, "nothing runs before the graph does");
    // What comes after the label runs, and nothing before it. An index that is too large is the last one.
    for (chosen, expected) in [(0, 111), (1, 110), (2, 100), (3, 100), (-1, 100)] {
        upload(index, &i32::to_le_bytes(chosen));
        upload(sum, &[0; 4]);
        execute(graph);
        assert_eq!(value(sum), expected, "label {chosen}");
    }
}

/// A loop in one stream: the counter goes up to the limit, one at a time.
#[test]
fn jumps_back_make_loops_that_count() {
    let _device = TestDevice::take();
    let (stream, body) = (persistent(), persistent());
    let graph = begin(&[stream, body]);
    let (labels, list) = labels::<1>();
    let (counter, turns, limit, one, zero) = (word(0), word(0), word(0), word(1), word(0));
    ok!(aclrtSetLabel(labels[0], stream));
    // Jumps to the body while counter < limit; the end comes after the loop.
    ok!(aclrtSwitchStream(
        counter,
        ACL_RT_LESS,
        limit,
        ACL_RT_SWITCH_INT32,
        body,
        aclrtStream::null(),
        stream
    ));
    add(counter, turns, stream);
    ok!(aclmdlRIEndTask(graph, stream));
    add(counter, one, body);
    add(turns, one, body);
    // Back to the label, in the other stream, which has come to rest.
    ok!(aclrtSwitchLabelByIndex(zero, 1, list, body));
    add(counter, word(1_000_000), body);
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    for rounds in [0, 1, 7] {
        upload(limit, &i32::to_le_bytes(rounds));
        upload(counter, &[0; 4]);
        upload(turns, &[0; 4]);
        execute(graph);
        assert_eq!(value(turns), rounds);
        // The last task adds the turns to the counter.
        assert_eq!(value(counter), 2 * rounds);
    }
}

/// A loop within one stream, by the index of a label.
#[test]
fn a_stream_loops_in_itself() {
    let _device = TestDevice::take();
    let stream = persistent();
    let graph = begin(&[stream]);
    let (labels, list) = labels::<2>();
    // The index is 0, the start, until the countdown has brought the table to 1, the end.
    let table = malloc(16);
    let (position, turns, one) = (malloc(4), word(0), word(1));
    upload(position, &[0; 4]);
    let entries: Vec<u8> = [0, 0, 0, 1].into_iter().flat_map(i32::to_le_bytes).collect();
    ok!(aclrtSetLabel(labels[0], stream));
    add(turns, one, stream);
    copy(position, table, stream);
    // The table moves up by one.
    for index in 0..3 {
        copy(table.wrapping_byte_add(index * 4), table.wrapping_byte_add(index * 4 + 4), stream);
    }
    ok!(aclrtSwitchLabelByIndex(position, 2, list, stream));
    add(turns, word(1000), stream);
    ok!(aclrtSetLabel(labels[1], stream));
    end(graph, stream);
    for _ in 0..2 {
        upload(table, &entries);
        upload(turns, &[0; 4]);
        execute(graph);
        assert_eq!(value(turns), 4);
    }
}

#[test]
fn a_switch_goes_to_the_other_stream_or_goes_on() {
    let _device = TestDevice::take();
    let conditions = [
        (ACL_RT_EQUAL, [false, true, false]),
        (ACL_RT_NOT_EQUAL, [true, false, true]),
        (ACL_RT_GREATER, [false, false, true]),
        (ACL_RT_GREATER_OR_EQUAL, [false, true, true]),
        (ACL_RT_LESS, [true, false, false]),
        (ACL_RT_LESS_OR_EQUAL, [true, true, false]),
    ];
    for (condition, expected) in conditions {
        // Both widths; the second word of the narrow one must not matter.
        for (data_type, values) in [
            (
                ACL_RT_SWITCH_INT32,
                [(-3i64 & 0xffff_ffff, 2i64 | 9 << 32), (2, 2 | 9 << 32), (5, 2 | 9 << 32)],
            ),
            (ACL_RT_SWITCH_INT64, [(1 << 40, 1 << 41), (-1, -1), (1 << 33, -5)]),
        ] {
            let (head, other) = (persistent(), persistent());
            let graph = begin(&[head, other]);
            let (left, right, met, went_on, one) = (malloc(8), malloc(8), word(0), word(0), word(1));
            ok!(aclrtSwitchStream(left, condition, right, data_type, other, aclrtStream::null(), head));
            add(went_on, one, head);
            ok!(aclrtActiveStream(other, head));
            add(met, one, other);
            end(graph, other);
            for ((a, b), holds) in values.into_iter().zip(expected) {
                upload(left, &a.to_le_bytes());
                upload(right, &b.to_le_bytes());
                upload(met, &[0; 4]);
                upload(went_on, &[0; 4]);
                execute(graph);
                assert_eq!(value(went_on), i32::from(!holds), "{condition:?} of {a} and {b}");
                assert_eq!(value(met), 1, "{condition:?} of {a} and {b}");
            }
            for stream in [head, other] {
                ok!(aclmdlRIUnbindStream(graph, stream));
                ok!(aclrtDestroyStream(stream));
            }
            ok!(aclmdlRIDestroy(graph));
        }
    }
}

#[test]
fn activated_streams_run_alongside() {
    let _device = TestDevice::take();
    let (head, first, second) = (persistent(), persistent(), persistent());
    let graph = begin(&[head, first, second]);
    let (a, b) = (malloc(8), malloc(8));
    upload(a, &[0; 8]);
    upload(b, &[0; 8]);
    ok!(aclrtActiveStream(first, head));
    ok!(aclrtActiveStream(second, head));
    // Each waits for the other, which takes both to run at once.
    ok!(aclrtValueWrite(a, 1, 0, first));
    ok!(aclrtValueWait(b, 1, ACL_STREAM_WAIT_VALUE_EQ, first));
    ok!(aclrtValueWait(a, 1, ACL_STREAM_WAIT_VALUE_EQ, second));
    ok!(aclrtValueWrite(b, 1, 0, second));
    end(graph, first);
    execute(graph);
}

#[test]
fn labels_are_checked() {
    let device = TestDevice::take();
    let (stream, plain, unbound) = (persistent(), stream(), persistent());
    let graph = begin(&[stream]);
    let (index, host) = (word(0), pinned(4));
    let mut label = aclrtLabel::null();
    ok!(aclrtCreateLabel(&mut label));
    // A label must be in a list before it is set, and is set once, in a stream of a graph.
    fails!(ACL_ERROR_RT_INTERNAL_ERROR, aclrtSetLabel(label, stream));
    let (labels, list) = labels::<2>();
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtSetLabel(labels[0], plain));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtSetLabel(labels[0], unbound));
    ok!(aclrtSetLabel(labels[0], stream));
    fails!(ACL_ERROR_RT_INTERNAL_ERROR, aclrtSetLabel(labels[0], stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSetLabel(aclrtLabel::null(), stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateLabel(ptr::null_mut()));

    let mut wrong = labels;
    let mut made = aclrtLabelList::null();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateLabelList(wrong.as_mut_ptr(), 0, &mut made));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateLabelList(wrong.as_mut_ptr(), 65536, &mut made));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateLabelList(ptr::null_mut(), 1, &mut made));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateLabelList(wrong.as_mut_ptr(), 1, ptr::null_mut()));
    wrong[1] = aclrtLabel(stream.0);
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtCreateLabelList(wrong.as_mut_ptr(), 2, &mut made));

    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtSwitchLabelByIndex(index, 2, list, plain));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchLabelByIndex(index, 3, list, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchLabelByIndex(index, 0, list, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSwitchLabelByIndex(ptr::null_mut(), 2, list, stream));
    fails!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, aclrtSwitchLabelByIndex(host.cast(), 2, list, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSwitchLabelByIndex(index, 2, aclrtLabelList::null(), stream));

    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(plain, stream));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(stream, unbound));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtActiveStream(aclrtStream::null(), stream));
    let elsewhere = persistent();
    let other_graph = begin(&[elsewhere]);
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(elsewhere, stream));

    let none = aclrtStream::null();
    let (equal, wide) = (ACL_RT_EQUAL, ACL_RT_SWITCH_INT64);
    let narrow = ACL_RT_SWITCH_INT32;
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtSwitchStream(index, aclrtCondition(6), index, narrow, stream, none, stream)
    );
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtSwitchStream(index, equal, index, aclrtCompareDataType(2), stream, none, stream)
    );
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchStream(index, equal, index, wide, stream, none, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSwitchStream(index, equal, index, narrow, stream, stream, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSwitchStream(index, equal, index, narrow, none, none, stream));
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtSwitchStream(index, equal, ptr::null_mut(), narrow, stream, none, stream)
    );
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtSwitchStream(index, equal, index, narrow, plain, none, stream));
    fails!(ACL_ERROR_RT_STREAM_MODEL, aclrtSwitchStream(index, equal, index, narrow, stream, none, plain));

    // A label of another context.
    let mut context = aclrtContext::null();
    ok!(aclrtCreateContext(&mut context, device.0));
    fails!(ACL_ERROR_RT_LABEL_CONTEXT, aclrtDestroyLabel(labels[1]));
    ok!(aclrtDestroyContext(context));
    ok!(aclrtSetDevice(device.0));

    // A jump to a label that was never set fails when the graph runs.
    upload(index, &1i32.to_le_bytes());
    ok!(aclrtSwitchLabelByIndex(index, 2, list, stream));
    end(graph, stream);
    fails!(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecute(graph, 20_000));

    ok!(aclmdlRIDestroy(other_graph));
    ok!(aclrtDestroyLabelList(list));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabelList(list));
    ok!(aclrtDestroyLabel(label));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabel(label));
}

#[test]
fn labels_that_are_left_are_reported() {
    let device = TestDevice::take();
    let (_, _) = labels::<2>();
    ok!(aclrtResetDevice(device.0));
    let found: Vec<Resource> = device.report().leaks.iter().map(|leak| leak.resource).collect();
    assert_eq!(found.iter().filter(|leak| matches!(leak, Resource::Label(_))).count(), 2);
    assert_eq!(found.iter().filter(|leak| matches!(leak, Resource::LabelList(_))).count(), 1);
}
