//! Devices, contexts, streams and events as programs use them.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::CStr;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use ascendcl_sys::*;
use common::*;

#[test]
fn streams_run_in_order_and_alongside_the_host() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(4);
    let gate = Gate::close_on(stream);
    let host = pinned(4);
    for value in 1..=9 {
        ok!(aclrtMemsetAsync(memory, 4, value, 4, stream));
    }
    ok!(aclrtMemcpyAsync(host.cast(), 4, memory, 4, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    let mut status = ACL_STREAM_STATUS_RESERVED;
    ok!(aclrtStreamQuery(stream, &mut status));
    assert_eq!(status, ACL_STREAM_STATUS_NOT_READY);
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeDeviceWithTimeout(20));
    gate.open();
    ok!(aclrtSynchronizeStreamWithTimeout(stream, -1));
    // SAFETY: The block has 4 bytes.
    assert_eq!(unsafe { host.cast::<[u8; 4]>().read() }, [9; 4]);
    ok!(aclrtStreamQuery(stream, &mut status));
    assert_eq!(status, ACL_STREAM_STATUS_COMPLETE);
}

#[test]
fn events_order_streams() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let memory = malloc(1);
    upload(memory, &[1]);
    let done = event_with(ACL_EVENT_SYNC);
    let gate = Gate::close_on(first);
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, first));
    ok!(aclrtRecordEvent(done, first));
    ok!(aclrtStreamWaitEvent(second, done));
    let host = pinned(1);
    ok!(aclrtMemcpyAsync(host.cast(), 1, memory, 1, ACL_MEMCPY_DEVICE_TO_HOST, second));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(second, 20));
    let mut status = ACL_EVENT_RECORDED_STATUS_COMPLETE;
    ok!(aclrtQueryEventStatus(done, &mut status));
    assert_eq!(status, ACL_EVENT_RECORDED_STATUS_NOT_READY);
    fails!(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, aclrtSynchronizeEventWithTimeout(done, 20));
    // The event can go before it is complete.
    ok!(aclrtDestroyEvent(done));
    gate.open();
    ok!(aclrtSynchronizeStream(second));
    // SAFETY: The block has a byte.
    assert_eq!(unsafe { host.read() }, 2);
}

#[test]
fn a_wait_keeps_the_record_that_it_saw() {
    let _device = TestDevice::take();
    let (first, second, third) = (stream(), stream(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(second, event));
    let gate = Gate::close_on(first);
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(third, event));
    ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(third, 20));
    gate.open();
    ok!(aclrtSynchronizeStream(third));
}

#[test]
fn an_event_that_was_never_recorded_is_complete() {
    let _device = TestDevice::take();
    let stream = stream();
    let event = event_with(ACL_EVENT_SYNC);
    let mut status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
    ok!(aclrtQueryEventStatus(event, &mut status));
    assert_eq!(status, ACL_EVENT_RECORDED_STATUS_COMPLETE);
    ok!(aclrtSynchronizeEvent(event));
    ok!(aclrtStreamWaitEvent(stream, event));
    ok!(aclrtSynchronizeStreamWithTimeout(stream, 5000));
}

#[test]
fn events_take_the_time() {
    let _device = TestDevice::take();
    let stream = stream();
    let (start, end) = (event(), event());
    let (mut elapsed, mut timestamp) = (-1.0f32, 0);
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventElapsedTime(&mut elapsed, start, end));
    ok!(aclrtRecordEvent(start, stream));
    ok!(aclrtSynchronizeStream(stream));
    let gate = Gate::close_on(stream);
    ok!(aclrtRecordEvent(end, stream));
    fails!(ACL_ERROR_RT_EVENT_NOT_COMPLETE, aclrtEventElapsedTime(&mut elapsed, start, end));
    let before = Instant::now();
    thread::sleep(Duration::from_millis(30));
    let at_least = before.elapsed().as_secs_f32() * 1e3;
    gate.open();
    ok!(aclrtSynchronizeEvent(end));
    ok!(aclrtEventElapsedTime(&mut elapsed, start, end));
    assert!(elapsed >= at_least, "{elapsed} ms, at least {at_least}");
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL, aclrtEventElapsedTime(&mut elapsed, end, start));
    ok!(aclrtEventGetTimestamp(end, &mut timestamp));
    let mut earlier = 0;
    ok!(aclrtEventGetTimestamp(start, &mut earlier));
    let difference = (timestamp - earlier) as f32 / 1e3;
    assert!((difference - elapsed).abs() < 0.01, "{difference} and {elapsed}");
    let untimed = event_with(ACL_EVENT_SYNC);
    ok!(aclrtRecordEvent(untimed, stream));
    ok!(aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventElapsedTime(&mut elapsed, start, untimed));
    let timed_only = event_with(ACL_EVENT_TIME_LINE);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(stream, timed_only));
}

#[test]
fn contexts_are_per_thread() {
    let device = TestDevice::take();
    let mut primary = aclrtContext::null();
    ok!(aclrtGetCurrentContext(&mut primary));
    let own = stream();
    let mut other = aclrtContext::null();
    ok!(aclrtCreateContext(&mut other, device.0));
    assert_ne!(primary, other);
    fails!(ACL_ERROR_RT_STREAM_CONTEXT, aclrtSynchronizeStream(own));
    let in_thread = primary.0.addr();
    thread::spawn(move || {
        let mut id = 0;
        fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&mut id));
        ok!(aclrtSetCurrentContext(aclrtContext(ptr::without_provenance_mut(in_thread))));
        ok!(aclrtGetDevice(&mut id));
        assert_eq!(id, device.0);
    })
    .join()
    .unwrap();
    ok!(aclrtDestroyContext(other));
    let mut current = aclrtContext::null();
    fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetCurrentContext(&mut current));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetCurrentContext(other));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtDestroyContext(primary));
    ok!(aclrtSetCurrentContext(primary));
    ok!(aclrtSynchronizeStream(own));
}

#[test]
fn setting_a_device_is_counted() {
    let device = TestDevice::take();
    ok!(aclrtSetDevice(device.0));
    ok!(aclrtResetDevice(device.0));
    let memory = malloc(100);
    upload(memory, &[1]);
    ok!(aclrtResetDevice(device.0));
    let mut id = 0;
    fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&mut id));
    fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtResetDevice(device.0));
    ok!(aclrtSetDevice(device.0));
    ok!(aclrtSetDevice(device.0));
    ok!(aclrtResetDeviceForce(device.0));
    fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtResetDeviceForce(device.0));
    fails!(ACL_ERROR_RT_INVALID_DEVICEID, aclrtSetDevice(64));
    fails!(ACL_ERROR_RT_INVALID_DEVICEID, aclrtSetDevice(-1));
}

#[test]
fn the_default_stream_is_null_and_has_a_handle() {
    let _device = TestDevice::take();
    let memory = malloc(4);
    ok!(aclrtMemsetAsync(memory, 4, 3, 4, aclrtStream::null()));
    ok!(aclrtSynchronizeStream(aclrtStream::null()));
    assert_eq!(download(memory, 4), [3; 4]);
    let mut stream = aclrtStream::null();
    ok!(aclrtCtxGetCurrentDefaultStream(&mut stream));
    let (mut by_null, mut by_handle) = (-1, -2);
    ok!(aclrtStreamGetId(aclrtStream::null(), &mut by_null));
    ok!(aclrtStreamGetId(stream, &mut by_handle));
    assert_eq!(by_null, by_handle);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtDestroyStream(stream));
}

#[test]
fn streams_have_settings() {
    let _device = TestDevice::take();
    let mut stream = aclrtStream::null();
    let (mut least, mut greatest) = (0, 0);
    ok!(aclrtDeviceGetStreamPriorityRange(&mut least, &mut greatest));
    assert!(least > greatest);
    let flags = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC;
    ok!(aclrtCreateStreamWithConfig(&mut stream, 3, flags));
    let (mut priority, mut found) = (0, 0);
    ok!(aclrtStreamGetPriority(stream, &mut priority));
    ok!(aclrtStreamGetFlags(stream, &mut found));
    assert_eq!((priority, found), (3, flags));
    let mut value = aclrtStreamAttrValue { userCustomTag: 77 };
    ok!(aclrtSetStreamAttribute(stream, ACL_STREAM_ATTR_USER_CUSTOM_TAG, &mut value));
    value.userCustomTag = 0;
    ok!(aclrtGetStreamAttribute(stream, ACL_STREAM_ATTR_USER_CUSTOM_TAG, &mut value));
    // SAFETY: Every field is a plain number.
    assert_eq!(unsafe { value.userCustomTag }, 77);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateStreamWithConfig(&mut stream, 0, 0x8000));
    fails!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        aclrtCreateStreamWithConfig(&mut stream, 0, ACL_STREAM_CPU_SCHEDULE)
    );
    let config = code!(aclrtCreateStreamConfigHandle());
    let wanted = 5u32;
    ok!(aclrtSetStreamConfigOpt(config, ACL_RT_STREAM_PRIORITY, (&raw const wanted).cast(), 4));
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtSetStreamConfigOpt(config, ACL_RT_STREAM_PRIORITY, (&raw const wanted).cast(), 2)
    );
    ok!(aclrtCreateStreamV2(&mut stream, config));
    ok!(aclrtStreamGetPriority(stream, &mut priority));
    assert_eq!(priority, 5);
    ok!(aclrtDestroyStreamConfigHandle(config));
}

#[test]
fn facts_are_those_of_the_model() {
    let device = TestDevice::take();
    let (mut cubes, mut vectors, mut cache, mut architecture) = (0, 0, 0, 0);
    let id = device.0 as u32;
    ok!(aclGetDeviceCapability(id, ACL_DEVICE_INFO_AI_CORE_NUM, &mut cubes));
    ok!(aclrtGetDeviceInfo(id, ACL_DEV_ATTR_VECTOR_CORE_NUM, &mut vectors));
    ok!(aclrtGetDeviceInfo(id, ACL_DEV_ATTR_L2_CACHE_SIZE, &mut cache));
    ok!(aclrtGetDeviceInfo(id, ACL_DEV_ATTR_NPU_ARCH, &mut architecture));
    assert_eq!((cubes, vectors, cache, architecture), (20, 40, 201_326_592, 2201));
    let name = code!(aclrtGetSocName());
    // SAFETY: The name is a C string.
    let name = unsafe { CStr::from_ptr(name) };
    assert_eq!(name, c"Ascend910B3");
    let mut mode = ACL_DEVICE;
    ok!(aclrtGetRunMode(&mut mode));
    assert_eq!(mode, ACL_HOST);
    let mut count = 0;
    ok!(aclrtGetDeviceCount(&mut count));
    assert_eq!(count, 64);
    let mut status = ACL_RT_DEVICE_STATUS_END;
    ok!(aclrtQueryDeviceStatus(device.0, &mut status));
    assert_eq!(status, ACL_RT_DEVICE_STATUS_NORMAL);
    ok!(aclrtSetDeviceResLimit(device.0, ACL_RT_DEV_RES_CUBE_CORE, 8));
    let mut cores = 0;
    ok!(aclrtGetDeviceResLimit(device.0, ACL_RT_DEV_RES_CUBE_CORE, &mut cores));
    assert_eq!(cores, 8);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSetDeviceResLimit(device.0, ACL_RT_DEV_RES_CUBE_CORE, 21));
    ok!(aclrtResetDeviceResLimit(device.0));
    ok!(aclrtGetDeviceResLimit(device.0, ACL_RT_DEV_RES_CUBE_CORE, &mut cores));
    assert_eq!(cores, 20);
}

#[test]
fn versions_are_told() {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    ok!(aclrtGetVersion(&mut major, &mut minor, &mut patch));
    assert_eq!((major, minor), (1, 17));
    // SAFETY: The struct is made of arrays of numbers.
    let mut version: aclCANNPackageVersion = unsafe { std::mem::zeroed() };
    ok!(aclsysGetCANNVersion(ACL_PKG_NAME_CANN, &mut version));
    // SAFETY: The text is terminated within its array.
    let text = unsafe { CStr::from_ptr(version.version.as_ptr()) };
    assert_eq!(text, c"9.1.0");
}

#[test]
fn an_abort_throws_work_away() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    let gate = Gate::close_on(first);
    ok!(aclrtRecordEvent(event, first));
    let memory = malloc(1);
    upload(memory, &[1]);
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, second));
    ok!(aclrtStreamAbort(second));
    ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
    assert_eq!(download(memory, 1), [1]);
    ok!(aclrtMemsetAsync(memory, 1, 3, 1, second));
    ok!(aclrtSynchronizeStream(second));
    assert_eq!(download(memory, 1), [3]);
    // Stopping ends the task that waits, and no other.
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtMemsetAsync(memory, 1, 4, 1, second));
    let outcome = loop {
        ok!(aclrtStreamStop(second));
        // The task may not have begun to wait when it was to be stopped.
        match code!(aclrtSynchronizeStreamWithTimeout(second, 10)) {
            ACL_ERROR_RT_STREAM_SYNC_TIMEOUT => {}
            outcome => break outcome,
        }
    };
    assert_eq!(outcome, ACL_ERROR_RT_STREAM_ABORT);
    assert_eq!(download(memory, 1), [4]);
    gate.open();
    ok!(aclrtSynchronizeStream(first));
}

#[test]
fn a_wait_for_an_event_can_be_limited() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let event = event_with(ACL_EVENT_SYNC);
    let gate = Gate::close_on(first);
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEventWithTimeout(second, event, 1));
    fails!(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second));
    gate.open();
    ok!(aclrtSynchronizeStream(first));
}

#[test]
fn parameters_are_unset_at_first() {
    let _device = TestDevice::take();
    let mut value = 0;
    fails!(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &mut value));
    ok!(aclrtCtxSetSysParamOpt(ACL_OPT_DETERMINISTIC, 1));
    ok!(aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &mut value));
    assert_eq!(value, 1);
}

#[test]
fn what_is_not_simulated_says_so() {
    let _device = TestDevice::take();
    let mut count = 0;
    fails!(ACL_ERROR_API_NOT_SUPPORT, aclrtGetGroupCount(&mut count));
    assert!(message().contains("aclrtGetGroupCount"));
    assert!(FUNCTIONS.iter().all(|function| ACL.is_available(function.name)));
}

#[test]
fn a_notify_lets_one_wait_through() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let mut notify = aclrtNotify::null();
    ok!(aclrtCreateNotify(&mut notify, 0));
    ok!(aclrtRecordNotify(notify, first));
    ok!(aclrtWaitAndResetNotify(notify, second, 0));
    ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
    // It was taken down, unlike an event.
    ok!(aclrtWaitAndResetNotify(notify, second, 1));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(second, 20));
    fails!(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second));
    ok!(aclrtWaitAndResetNotify(notify, second, 0));
    ok!(aclrtRecordNotify(notify, first));
    ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
    ok!(aclrtDestroyNotify(notify));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtRecordNotify(notify, first));
}

#[test]
fn a_device_has_so_many_notifies_and_no_more() {
    let _device = TestDevice::take();
    let make = || {
        let mut notify = aclrtNotify::null();
        (code!(aclrtCreateNotify(&mut notify, 0)), notify)
    };
    // The number of the documentation for Atlas A2 and A3.
    let made: Vec<_> = (0..8192).map(|_| make()).collect();
    assert!(made.iter().all(|(code, _)| *code == ACL_SUCCESS));
    assert_eq!(make().0, ACL_ERROR_RT_NO_NOTIFY_RESOURCE);
    ok!(aclrtDestroyNotify(made[0].1));
    assert_eq!(make().0, ACL_SUCCESS);
}

#[test]
fn streams_wait_for_values_in_memory() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let memory = malloc(16);
    // What waits, what is not enough, what is.
    for (flag, value, before, after) in [
        (ACL_STREAM_WAIT_VALUE_GEQ, 5, 4u64, 6u64),
        (ACL_STREAM_WAIT_VALUE_EQ, 5, 6, 5),
        (ACL_STREAM_WAIT_VALUE_AND, 0b0110, 0b1001, 0b0011),
        (ACL_STREAM_WAIT_VALUE_NOR, 1, u64::MAX, u64::MAX - 2),
    ] {
        ok!(aclrtValueWrite(memory, before, 0, first));
        ok!(aclrtSynchronizeStream(first));
        ok!(aclrtValueWait(memory, value, flag, second));
        fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(second, 10));
        ok!(aclrtValueWrite(memory, after, 0, first));
        ok!(aclrtSynchronizeStreamWithTimeout(second, 5000));
        assert_eq!(download(memory, 8), after.to_ne_bytes());
    }
    ok!(aclrtValueWait(memory, 1, ACL_STREAM_WAIT_VALUE_EQ, second));
    ok!(aclrtStreamAbort(second));
    let shifted = memory.wrapping_byte_add(4);
    fails!(ACL_ERROR_RT_ADDR_UNALIGNED, aclrtValueWrite(shifted, 0, 0, first));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtValueWait(memory, 0, 4, first));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtValueWrite(memory.wrapping_byte_add(16), 0, 0, first));
}

#[test]
fn an_event_can_be_reset_if_it_was_made_for_it() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let mut event = aclrtEvent::null();
    ok!(aclrtCreateEventWithFlag(&mut event, ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE));
    let gate = Gate::close_on(first);
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(second, event));
    let mut waiting = ACL_EVENT_WAIT_STATUS_RESERVED;
    ok!(aclrtQueryEventWaitStatus(event, &mut waiting));
    assert_eq!(waiting, ACL_EVENT_WAIT_STATUS_NOT_READY);
    let mut status = ACL_EVENT_STATUS_RESERVED;
    ok!(aclrtQueryEvent(event, &mut status));
    assert_eq!(status, ACL_EVENT_STATUS_NOT_READY);
    gate.open();
    ok!(aclrtSynchronizeStream(second));
    ok!(aclrtQueryEventWaitStatus(event, &mut waiting));
    assert_eq!(waiting, ACL_EVENT_WAIT_STATUS_COMPLETE);
    let mut time = 0;
    ok!(aclrtEventGetTimestamp(event, &mut time));
    ok!(aclrtResetEvent(event, second));
    ok!(aclrtSynchronizeStream(second));
    fails!(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventGetTimestamp(event, &mut time));
    let plain = common::event();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtResetEvent(plain, second));
    let extended = event_with(ACL_EVENT_SYNC);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtQueryEvent(extended, &mut status));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateEventExWithFlag(&mut event, 0x1000));
}
