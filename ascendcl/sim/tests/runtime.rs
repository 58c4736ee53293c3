//! Devices, contexts, streams, memory, copies and events as programs use them.

mod common;

use std::ffi::{CStr, c_void};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use ascendcl_sys::*;
use common::*;

#[test]
fn copies_go_there_and_back() {
    let device = TestDevice::take();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 + i / 256) as u8).collect();
    let (first, second) = (malloc(bytes.len()), malloc(bytes.len()));
    upload(first, &bytes);
    ok!(aclrtMemcpy(second, bytes.len(), first, bytes.len(), ACL_MEMCPY_DEVICE_TO_DEVICE));
    assert_eq!(download(second, bytes.len()), bytes);
    ok!(aclrtFree(first));
    ok!(aclrtFree(second));
    assert!(device.report().is_clean(), "{}", device.report());
}

#[test]
fn host_to_host_is_a_plain_copy() {
    let _device = TestDevice::take();
    let (from, mut to) = ([1u8, 2, 3], [0u8; 3]);
    ok!(aclrtMemcpy(to.as_mut_ptr().cast(), 3, from.as_ptr().cast(), 3, ACL_MEMCPY_HOST_TO_HOST));
    assert_eq!(to, from);
    let stream = stream();
    fails!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        aclrtMemcpyAsync(to.as_mut_ptr().cast(), 3, from.as_ptr().cast(), 3, ACL_MEMCPY_HOST_TO_HOST, stream)
    );
}

#[test]
fn rows_are_copied_with_their_pitches() {
    let _device = TestDevice::take();
    let stream = stream();
    let device = malloc(5 * 16);
    ok!(aclrtMemset(device, 80, 0xEE, 80));
    let host = pinned(5 * 10);
    for i in 0..50 {
        // SAFETY: The block has 50 bytes.
        unsafe { host.add(i).write(i as u8) };
    }
    ok!(aclrtMemcpy2dAsync(device, 16, host.cast(), 10, 8, 5, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    ok!(aclrtSynchronizeStream(stream));
    let expected: Vec<u8> = (0..80)
        .map(|i| if i % 16 < 8 { (i / 16 * 10 + i % 16) as u8 } else { 0xEE })
        .collect();
    assert_eq!(download(device, 80), expected);
    let mut back = [0u8; 40];
    ok!(aclrtMemcpy2d(back.as_mut_ptr().cast(), 8, device, 16, 8, 5, ACL_MEMCPY_DEVICE_TO_HOST));
    assert_eq!(back[8..16], [10, 11, 12, 13, 14, 15, 16, 17]);
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemcpy2d(back.as_mut_ptr().cast(), 4, device, 16, 8, 5, ACL_MEMCPY_DEVICE_TO_HOST)
    );
}

#[test]
fn fills_fill_bytes_and_words() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(64);
    ok!(aclrtMemsetAsync(memory, 64, 0x1AB, 64, stream));
    ok!(aclrtMemsetD32Async(memory, 64, 0x0403_0201, 3, stream));
    ok!(aclrtSynchronizeStream(stream));
    let mut expected = vec![0xAB; 64];
    expected[..12].copy_from_slice(&[1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
    assert_eq!(download(memory, 64), expected);
    let host = pinned(8);
    ok!(aclrtMemsetD32(host.cast(), 8, 0x0807_0605, 2));
    // SAFETY: The block has 8 bytes.
    assert_eq!(unsafe { host.cast::<[u8; 8]>().read() }, [5, 6, 7, 8, 5, 6, 7, 8]);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemsetD32(memory, 64, 0, 17));
    let mut local = [0u8; 8];
    fails!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, aclrtMemset(local.as_mut_ptr().cast(), 8, 0, 8));
}

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
fn synchronous_copies_do_not_wait_for_streams() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    upload(memory, &[1]);
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, stream));
    assert_eq!(download(memory, 1), [1]);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 1), [2]);
}

#[test]
fn pageable_copies_wait_and_staged_ones_do_not() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(8);
    let gate = Gate::close_on(stream);
    let mut source = [7u8; 8];
    let kind = ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE;
    ok!(aclrtMemcpyAsync(memory, 8, source.as_ptr().cast(), 8, kind, stream));
    source.fill(0);
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        gate.open();
    });
    let mut result = [0u8; 8];
    // Behind the gate, so that the copy could not have been made before the call returned.
    ok!(aclrtMemcpyAsync(result.as_mut_ptr().cast(), 8, memory, 8, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    assert_eq!(result, [7; 8]);
    opener.join().unwrap();
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
        aclrtCreateStreamWithConfig(&mut stream, 0, ACL_STREAM_PERSISTENT)
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
fn memory_is_counted_and_limited() {
    let _device = TestDevice::take();
    let (mut free, mut total) = (0, 0);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    assert_eq!((free as u64, total as u64), (MEMORY, MEMORY));
    let mut memory = ptr::null_mut();
    fails!(
        ACL_ERROR_RT_MEMORY_ALLOCATION,
        aclrtMalloc(&mut memory, MEMORY as usize, ACL_MEM_MALLOC_HUGE_FIRST)
    );
    // 2 MiB are rounded up with the padding to 4.
    let huge = malloc(2 << 20);
    let small = malloc(1000);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    assert_eq!(free as u64, MEMORY - (4 << 20) - 4096);
    let mut attributes = aclrtPtrAttributes {
        location: aclrtMemLocation { id: 99, type_: ACL_MEM_LOCATION_TYPE_HOST },
        pageSize: 0,
        rsv: [0; 4],
    };
    ok!(aclrtPointerGetAttributes(huge, &mut attributes));
    assert_eq!((attributes.location.type_, attributes.pageSize), (ACL_MEM_LOCATION_TYPE_DEVICE, 2 << 20));
    ok!(aclrtPointerGetAttributes(small, &mut attributes));
    assert_eq!(attributes.pageSize, 4096);
    ok!(aclrtPointerGetAttributes((&raw const free).cast(), &mut attributes));
    assert_eq!(attributes.location.type_, ACL_MEM_LOCATION_TYPE_UNREGISTERED);
    ok!(aclrtFree(huge));
    ok!(aclrtFree(small));
    ok!(aclrtGetMemInfo(ACL_HBM_MEM_HUGE, &mut free, &mut total));
    assert_eq!(free as u64, MEMORY);
    assert_eq!((huge.addr() % 512, small.addr() % 64), (0, 0));
}

#[test]
fn freed_memory_reads_as_zeros_when_it_is_given_out_again() {
    let _device = TestDevice::take();
    let first = malloc(4096);
    upload(first, &[9; 4096]);
    ok!(aclrtFree(first));
    let second = malloc(4096);
    assert_eq!(first, second);
    assert_eq!(download(second, 4096), [0; 4096]);
}

#[test]
fn memory_of_another_device_needs_peer_access() {
    let (first, second) = (TestDevice::take(), TestDevice::take());
    let there = malloc(16);
    upload(there, &[5; 16]);
    ok!(aclrtSetDevice(first.0));
    let here = malloc(16);
    let copy = || code!(aclrtMemcpy(here, 16, there, 16, ACL_MEMCPY_DEVICE_TO_DEVICE));
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    let mut possible = 0;
    ok!(aclrtDeviceCanAccessPeer(&mut possible, first.0, second.0));
    assert_eq!(possible, 1);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtDeviceEnablePeerAccess(first.0, 0));
    ok!(aclrtDeviceEnablePeerAccess(second.0, 0));
    assert_eq!(copy(), ACL_SUCCESS);
    assert_eq!(download(here, 16), [5; 16]);
    ok!(aclrtDeviceDisablePeerAccess(second.0));
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(there));
}

#[test]
fn batches_have_one_direction() {
    let _device = TestDevice::take();
    let host = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_HOST };
    let device = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_DEVICE };
    let mut attribute = aclrtMemcpyBatchAttr { dstLoc: device, srcLoc: host, rsv: [0; 16] };
    let (a, b) = (malloc(3), malloc(4));
    let (x, y) = ([1u8, 2, 3], [4u8, 5, 6, 7]);
    let mut dsts = [a, b];
    let mut srcs = [x.as_ptr().cast_mut().cast::<c_void>(), y.as_ptr().cast_mut().cast()];
    let (mut most, mut sizes, mut starts, mut fail) = ([3usize, 4], [3usize, 4], [0usize], 0usize);
    ok!(aclrtMemcpyBatch(
        dsts.as_mut_ptr(),
        most.as_mut_ptr(),
        srcs.as_mut_ptr(),
        sizes.as_mut_ptr(),
        2,
        &mut attribute,
        starts.as_mut_ptr(),
        1,
        &mut fail,
    ));
    assert_eq!((download(a, 3), download(b, 4)), (x.to_vec(), y.to_vec()));
    assert_eq!(fail, usize::MAX);
    let mut mixed = [attribute, aclrtMemcpyBatchAttr { dstLoc: host, srcLoc: device, rsv: [0; 16] }];
    let mut starts = [0usize, 1];
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemcpyBatch(
            dsts.as_mut_ptr(),
            most.as_mut_ptr(),
            srcs.as_mut_ptr(),
            sizes.as_mut_ptr(),
            2,
            mixed.as_mut_ptr(),
            starts.as_mut_ptr(),
            2,
            &mut fail,
        )
    );
    assert_eq!(fail, 1);
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
    fails!(
        ACL_ERROR_API_NOT_SUPPORT,
        aclrtLaunchKernel(aclrtFuncHandle::null(), 1, ptr::null(), 0, aclrtStream::null())
    );
    let mut pool = aclrtMemPool::null();
    fails!(ACL_ERROR_API_NOT_SUPPORT, aclrtMemPoolCreate(&mut pool, ptr::null()));
    assert!(message().contains("aclrtMemPoolCreate"));
    assert!(FUNCTIONS.iter().all(|function| ACL.is_available(function.name)));
}
