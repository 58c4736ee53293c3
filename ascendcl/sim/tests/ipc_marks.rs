//! Notifies and events that two processes share.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod other_process;

use std::ffi::c_char;
use std::time::{Duration, Instant};
use std::{ptr, thread};

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;
use other_process::*;

#[test]
fn the_other_process() {
    other_process::play(&[
        ("borrows memory of another device", borrows_memory_of_another_device),
        ("records a notify", records_a_notify),
        ("answers notifies", answers_notifies),
        ("waits for an event", waits_for_an_event),
        ("never records", never_records),
    ]);
}

/// Imports memory of the device of the test on another device.
fn borrows_memory_of_another_device() {
    let home = same_device().0;
    ok!(aclrtSetDevice((home + 1) % 64));
    let key = hear();
    let memory = import(&key, 0).unwrap();
    let here = malloc(4);
    let copy = |kind| code!(aclrtMemcpy(here, 4, memory, 4, kind));
    assert_eq!(copy(ACL_MEMCPY_DEVICE_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("peer access"));
    assert_eq!(close(&key), ACL_SUCCESS);
    let memory = import(&key, u64::from(ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS)).unwrap();
    ok!(aclrtMemcpy(here, 4, memory, 4, ACL_MEMCPY_INTER_DEVICE_TO_DEVICE));
    assert_eq!(download(here, 4), [1, 2, 3, 4]);
    // Documented as not supported.
    let local = [0u8; 4];
    let from = local.as_ptr().cast();
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemcpy(memory, 4, from, 4, ACL_MEMCPY_HOST_TO_DEVICE));
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemcpy(memory, 4, here, 4, ACL_MEMCPY_DEFAULT));
    assert_eq!(close(&key), ACL_SUCCESS);

    let key = c(&hear());
    let (stream, mut notify) = (stream(), aclrtNotify::null());
    ok!(aclrtNotifyImportByKey(&mut notify, key.as_ptr(), 0));
    ok!(aclrtDeviceDisablePeerAccess(home));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordNotify(notify, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtWaitAndResetNotify(notify, stream, 0));
    ok!(aclrtDestroyNotify(notify));
    let flag = u64::from(ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS);
    ok!(aclrtNotifyImportByKey(&mut notify, key.as_ptr(), flag));
    ok!(aclrtRecordNotify(notify, stream));
    ok!(aclrtSynchronizeStream(stream));
    say("done");
}

#[test]
fn things_of_another_device_need_peer_access() {
    let device = TestDevice::take();
    let memory = malloc(4);
    upload(memory, &[1, 2, 3, 4]);
    let mut other = Other::start("borrows memory of another device", &device);
    other.say(&export(memory, 4, WITHOUT_LIST));
    let (stream, notify) = (stream(), notify());
    other.say(&export_notify(notify, u64::from(ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION)));
    ok!(aclrtWaitAndResetNotify(notify, stream, 10));
    ok!(aclrtSynchronizeStream(stream));
    other.expect("done");
    other.end();
}

/// Records a notify when the test says so.
fn records_a_notify() {
    let device = same_device();
    let stream = stream();
    let key = hear();
    say(&format!("{:?}", import_notify(&key).err()));
    hear();
    let notify = import_notify(&key).unwrap();
    let mut again = [0; KEY];
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifyGetExportKey(notify, again.as_mut_ptr(), KEY, 0));
    let mut process = 1;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifySetImportPid(notify, &mut process, 1));
    say("ready");
    hear();
    ok!(aclrtRecordNotify(notify, stream));
    ok!(aclrtSynchronizeStream(stream));
    say("recorded");
    assert!(device.report().leaks.iter().any(|leak| matches!(leak.resource, Resource::Notify(_))));
    ok!(aclrtDestroyNotify(notify));
}

#[test]
fn a_notify_of_another_process_ends_a_wait() {
    let device = TestDevice::take();
    let (stream, notify) = (stream(), notify());
    let memory = malloc(1);
    let mut process = 1;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifySetImportPid(notify, &mut process, 1));
    let mut key = [0; KEY];
    fails!(ACL_ERROR_INVALID_PARAM, aclrtNotifyGetExportKey(notify, key.as_mut_ptr(), 64, 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtNotifyGetExportKey(notify, key.as_mut_ptr(), KEY, 1));
    // One wait began before the notify was shared.
    ok!(aclrtWaitAndResetNotify(notify, stream, 0));
    thread::sleep(Duration::from_millis(10));
    let key = export_notify(notify, 0);
    assert_eq!(export_notify(notify, 0), key);
    ok!(aclrtMemsetAsync(memory, 1, 5, 1, stream));

    let mut other = Other::start("records a notify", &device);
    other.say(&key);
    other.expect(&format!("Some({ACL_ERROR_RT_NO_PERMISSION})"));
    let mut process = other.id();
    ok!(aclrtNotifySetImportPid(notify, &mut process, 1));
    other.say("again");
    other.expect("ready");
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 30));
    assert_eq!(download(memory, 1), [0]);
    other.say("record");
    other.expect("recorded");
    let recorded = Instant::now();
    ok!(aclrtSynchronizeStream(stream));
    assert!(recorded.elapsed() < Duration::from_secs(1), "{:?}", recorded.elapsed());
    assert_eq!(download(memory, 1), [5]);
    other.end();

    // It is down again, and a wait for it can be thrown away or be over in time.
    ok!(aclrtWaitAndResetNotify(notify, stream, 1));
    fails!(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(stream));
    ok!(aclrtWaitAndResetNotify(notify, stream, 0));
    thread::sleep(Duration::from_millis(10));
    ok!(aclrtStreamAbort(stream));
    // It still works within the process, and is shared no more once it is destroyed.
    ok!(aclrtRecordNotify(notify, stream));
    ok!(aclrtWaitAndResetNotify(notify, stream, 5));
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtDestroyNotify(notify));
    assert_eq!(import_notify(&key), Err(ACL_ERROR_RT_PARAM_INVALID));
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtFree(memory));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

const ROUNDS: u8 = 50;

/// Adds one to shared memory, each time that the test has done so.
fn answers_notifies() {
    let _device = same_device();
    let stream = stream();
    let (memory, there, back) = (hear(), hear(), hear());
    let memory = import(&memory, 0).unwrap();
    let (there, back) = (import_notify(&there).unwrap(), import_notify(&back).unwrap());
    for round in 0..ROUNDS {
        ok!(aclrtWaitAndResetNotify(there, stream, 10));
        ok!(aclrtSynchronizeStream(stream));
        assert_eq!(download(memory, 1), [2 * round + 1]);
        ok!(aclrtMemsetAsync(memory, 1, i32::from(2 * round + 2), 1, stream));
        ok!(aclrtRecordNotify(back, stream));
    }
    ok!(aclrtSynchronizeStream(stream));
    say("done");
}

#[test]
fn two_processes_take_turns() {
    let device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    let (there, back) = (notify(), notify());
    let flag = u64::from(ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION);
    let mut other = Other::start("answers notifies", &device);
    other.say(&export(memory, 1, WITHOUT_LIST));
    other.say(&export_notify(there, flag));
    other.say(&export_notify(back, flag));
    for round in 0..ROUNDS {
        ok!(aclrtMemsetAsync(memory, 1, i32::from(2 * round + 1), 1, stream));
        ok!(aclrtRecordNotify(there, stream));
        ok!(aclrtWaitAndResetNotify(back, stream, 10));
        ok!(aclrtSynchronizeStream(stream));
        assert_eq!(download(memory, 1), [2 * round + 2]);
    }
    other.expect("done");
    other.end();
}

fn event_text(handle: &aclrtIpcEventHandle) -> String {
    handle.reserved.map(|byte| byte as u8).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event_handle(text: &str) -> aclrtIpcEventHandle {
    let mut reserved = [0; 64];
    for (index, to) in reserved.iter_mut().enumerate() {
        *to = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap() as c_char;
    }
    aclrtIpcEventHandle { reserved }
}

fn export_event(event: aclrtEvent) -> String {
    let mut handle = aclrtIpcEventHandle { reserved: [0; 64] };
    ok!(aclrtIpcGetEventHandle(event, &mut handle));
    event_text(&handle)
}

fn open_event(text: &str) -> aclrtEvent {
    let mut event = aclrtEvent::null();
    ok!(aclrtIpcOpenEventHandle(event_handle(text), &mut event));
    event
}

fn is_complete(event: aclrtEvent) -> bool {
    let mut status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
    ok!(aclrtQueryEventStatus(event, &mut status));
    status == ACL_EVENT_RECORDED_STATUS_COMPLETE
}

/// Waits for the record of the test, in a stream and on the host, and makes one of its own.
fn waits_for_an_event() {
    let device = same_device();
    let (stream, event) = (stream(), open_event(&hear()));
    let memory = malloc(1);
    assert!(is_complete(event), "never recorded");
    ok!(aclrtStreamWaitEvent(stream, event));
    ok!(aclrtSynchronizeStream(stream));
    say("opened");
    hear();
    assert!(!is_complete(event));
    ok!(aclrtStreamWaitEvent(stream, event));
    ok!(aclrtMemsetAsync(memory, 1, 1, 1, stream));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 30));
    fails!(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, aclrtSynchronizeEventWithTimeout(event, 30));
    say("waiting");
    ok!(aclrtSynchronizeEvent(event));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 1), [1]);
    assert!(is_complete(event));
    say("over");
    // A record of this process, behind a gate.
    let gate = Gate::close_on(stream);
    ok!(aclrtRecordEvent(event, stream));
    say("recorded");
    hear();
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtDestroyEvent(event));
    say("done");
    // One whose task is thrown away.
    let event = open_event(&hear());
    let gate = Gate::close_on(stream);
    ok!(aclrtRecordEvent(event, stream));
    say("recorded");
    hear();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        gate.open();
    });
    ok!(aclrtStreamAbort(stream));
    opener.join().unwrap();
    ok!(aclrtDestroyEvent(event));
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtFree(memory));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

#[test]
fn an_event_orders_two_processes() {
    let device = TestDevice::take();
    let (stream, event) = (stream(), event_with(ACL_EVENT_IPC));
    let handle = export_event(event);
    assert_eq!(export_event(event), handle);
    let mut other = Other::start("waits for an event", &device);
    other.say(&handle);
    other.expect("opened");
    let gate = Gate::close_on(stream);
    ok!(aclrtRecordEvent(event, stream));
    assert!(!is_complete(event));
    other.say("recorded");
    other.expect("waiting");
    gate.open();
    other.expect("over");
    other.expect("recorded");
    assert!(!is_complete(event));
    ok!(aclrtStreamWaitEventWithTimeout(stream, event, 30));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 30));
    other.say("open");
    ok!(aclrtSynchronizeStream(stream));
    assert!(is_complete(event));
    other.expect("done");

    other.say(&handle);
    other.expect("recorded");
    ok!(aclrtStreamWaitEvent(stream, event));
    other.say("abort");
    fails!(ACL_ERROR_RT_STREAM_ABORT, aclrtSynchronizeStream(stream));
    other.end();
    ok!(aclrtDestroyEvent(event));
    let mut event = aclrtEvent::null();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcOpenEventHandle(event_handle(&handle), &mut event));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

/// Queues the record of an event that it never makes.
fn never_records() {
    let _device = same_device();
    let (stream, event) = (stream(), open_event(&hear()));
    let _gate = Gate::close_on(stream);
    ok!(aclrtRecordEvent(event, stream));
    say("recorded");
    hear();
}

#[test]
fn a_process_that_dies_makes_no_record() {
    let device = TestDevice::take();
    let (stream, event) = (stream(), event_with(ACL_EVENT_IPC));
    let mut other = Other::start("never records", &device);
    other.say(&export_event(event));
    other.expect("recorded");
    ok!(aclrtStreamWaitEvent(stream, event));
    other.kill();
    fails!(ACL_ERROR_RT_IPC_ERROR, aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_IPC_ERROR, aclrtSynchronizeEvent(event));
    // A later record counts.
    ok!(aclrtRecordEvent(event, stream));
    ok!(aclrtSynchronizeEvent(event));
}

#[test]
fn events_for_processes_are_for_nothing_else() {
    let _device = TestDevice::take();
    let mut event = aclrtEvent::null();
    let flags = ACL_EVENT_IPC | ACL_EVENT_SYNC;
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateEventExWithFlag(&mut event, flags));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateEventWithFlag(&mut event, ACL_EVENT_IPC));
    let (stream, plain, event) = (stream(), common::event(), event_with(ACL_EVENT_IPC));
    let mut handle = aclrtIpcEventHandle { reserved: [0; 64] };
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcGetEventHandle(plain, &mut handle));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcGetEventHandle(event, ptr::null_mut()));
    ok!(aclrtRecordEvent(event, stream));
    ok!(aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtResetEvent(event, stream));
    let mut status = ACL_EVENT_STATUS_NOT_READY;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtQueryEvent(event, &mut status));
    let mut status = ACL_EVENT_WAIT_STATUS_NOT_READY;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtQueryEventWaitStatus(event, &mut status));
    let mut time = 0.0;
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventElapsedTime(&mut time, event, event));
    let mut time = 0;
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventGetTimestamp(event, &mut time));
    // Not part of a graph.
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordEvent(event, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(stream, event));
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
}
