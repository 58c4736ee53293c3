//! Broken rules: each has its code and a place in the report, and nothing crashes.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;
use std::thread;
use std::time::Duration;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;

fn free(address: *mut c_void) -> aclError {
    code!(aclrtFree(address))
}

#[test]
fn frees_are_checked() {
    let device = TestDevice::take();
    let memory = malloc(100);
    assert_eq!(free(ptr::null_mut()), ACL_ERROR_INVALID_PARAM);
    assert_eq!(free(memory.wrapping_byte_add(32)), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("32 bytes inside an allocation"));
    assert_eq!(free(memory), ACL_SUCCESS);
    assert_eq!(free(memory), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("was freed"));
    let mut local = 0u8;
    assert_eq!(free((&raw mut local).cast()), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(free(memory.wrapping_byte_add(1 << 20)), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("never allocated"));
    let report = device.report();
    assert_eq!(report.misuse.len(), 5);
    assert!(report.misuse.iter().all(|misuse| misuse.function == "aclrtFree"));
    assert!(report.leaks.is_empty());
}

#[test]
fn host_frees_are_checked() {
    let _device = TestDevice::take();
    let host = pinned(100);
    let free = |address: *mut u8| code!(aclrtFreeHost(address.cast()));
    assert_eq!(free(host.wrapping_add(8)), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(code!(aclrtHostUnregister(host.cast())), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(free(host), ACL_SUCCESS);
    assert_eq!(free(host), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(free(ptr::null_mut()), ACL_ERROR_INVALID_PARAM);
    let memory = malloc(8);
    assert_eq!(free(memory.cast()), ACL_ERROR_RT_PARAM_INVALID);
}

#[test]
fn copies_are_bounded() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(100);
    let mut bytes = [0u8; 200];
    let host: *mut c_void = bytes.as_mut_ptr().cast();
    let (to_device, to_host) = (ACL_MEMCPY_HOST_TO_DEVICE, ACL_MEMCPY_DEVICE_TO_HOST);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemcpy(memory, 99, host, 100, to_device));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, 200, host, 101, to_device));
    assert!(message().contains("101 bytes at"));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(host, 200, memory.wrapping_byte_add(50), 51, to_host));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpyAsync(host, 200, memory, 101, to_host, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, 100, host, 0, to_device));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemcpy(ptr::null_mut(), 1, host, 1, to_device));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemcpy(memory, 1, ptr::null(), 1, to_device));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory, 101, 0, 101));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemset(memory, 99, 0, 100));
    let block = pinned(10);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(block.cast(), 20, memory, 20, to_host));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy2d(memory, 60, host, 10, 10, 3, to_device));
    ok!(aclrtMemcpy2d(memory, 45, host, 10, 10, 3, to_device));
}

#[test]
fn kinds_must_match_the_pointers() {
    let _device = TestDevice::take();
    let memory = malloc(10);
    let mut bytes = [0u8; 10];
    let host: *mut c_void = bytes.as_mut_ptr().cast();
    let copy = |to: *mut c_void, from: *mut c_void, kind| code!(aclrtMemcpy(to, 10, from, 10, kind));
    for (to, from, right) in [
        (memory, host, ACL_MEMCPY_HOST_TO_DEVICE),
        (host, memory, ACL_MEMCPY_DEVICE_TO_HOST),
        (memory, memory, ACL_MEMCPY_DEVICE_TO_DEVICE),
        (host, host, ACL_MEMCPY_HOST_TO_HOST),
    ] {
        for kind in [
            ACL_MEMCPY_HOST_TO_HOST,
            ACL_MEMCPY_HOST_TO_DEVICE,
            ACL_MEMCPY_DEVICE_TO_HOST,
            ACL_MEMCPY_DEVICE_TO_DEVICE,
        ] {
            let expected = if kind == right { ACL_SUCCESS } else { ACL_ERROR_RT_INVALID_MEMORY_TYPE };
            assert_eq!(copy(to, from, kind), expected, "{kind:?} where {right:?} is right");
        }
        assert_eq!(copy(to, from, ACL_MEMCPY_DEFAULT), ACL_SUCCESS);
        assert_eq!(copy(to, from, aclrtMemcpyKind(99)), ACL_ERROR_INVALID_PARAM);
    }
    assert_eq!(copy(memory, memory, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE), ACL_SUCCESS);
    assert_eq!(copy(memory, memory, ACL_MEMCPY_INTER_DEVICE_TO_DEVICE), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
}

#[test]
fn memory_freed_under_a_task_is_found_when_the_task_runs() {
    let device = TestDevice::take();
    let stream = stream();
    let (memory, host) = (malloc(64), pinned(64));
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(memory, 64, 1, 64, stream));
    ok!(aclrtFree(memory));
    // The same address again: it is another allocation all the same, and the task must not touch it.
    let reused = malloc(64);
    assert_eq!(reused, memory);
    gate.open();
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(reused, 64), [0; 64]);

    let gate = Gate::close_on(stream);
    ok!(aclrtMemcpyAsync(host.cast(), 64, reused, 64, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    ok!(aclrtFreeHost(host.cast()));
    gate.open();
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeDevice());
    let tasks = device.report().misuse.iter().filter(|misuse| misuse.function == "task").count();
    assert_eq!(tasks, 2);
}

#[test]
fn waiting_frees_are_safe() {
    let device = TestDevice::take();
    let stream = stream();
    let (memory, host) = (malloc(64), pinned(64));
    for _ in 0..100 {
        ok!(aclrtMemsetAsync(memory, 64, 1, 64, stream));
        ok!(aclrtMemcpyAsync(host.cast(), 64, memory, 64, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    }
    ok!(aclrtFreeWithDevSync(memory));
    ok!(aclrtFreeHostWithDevSync(host.cast()));
    ok!(aclrtSynchronizeStream(stream));
    assert!(device.report().misuse.is_empty());
}

#[test]
fn handles_are_checked() {
    let _device = TestDevice::take();
    let (first, second) = (stream(), event());
    let as_stream = aclrtStream(second.0);
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(as_stream));
    assert!(message().contains("handle of event"));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyEvent(aclrtEvent(first.0)));
    let mut local = [0u64; 8];
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(aclrtStream(local.as_mut_ptr().cast())));
    ok!(aclrtDestroyEvent(second));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtRecordEvent(second, first));
    assert!(message().contains("was destroyed"));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyEvent(second));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtRecordEvent(aclrtEvent::null(), first));
    ok!(aclrtDestroyStream(first));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(first));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyStream(first));
    let memory = malloc(4);
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemsetAsync(memory, 4, 0, 4, first));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtDestroyStream(aclrtStream::null()));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtCreateStream(ptr::null_mut()));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIDestroy(aclmdlRI(local.as_mut_ptr().cast())));
}

#[test]
fn destroying_a_stream_waits_for_it_and_by_force_does_not() {
    let _device = TestDevice::take();
    let first = stream();
    let memory = malloc(1);
    upload(memory, &[1]);
    let gate = Gate::close_on(first);
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, first));
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        gate.open();
    });
    ok!(aclrtDestroyStream(first));
    assert_eq!(download(memory, 1), [2]);
    opener.join().unwrap();

    let second = stream();
    let event = event_with(ACL_EVENT_SYNC);
    let gate = Gate::close_on(second);
    ok!(aclrtMemsetAsync(memory, 1, 3, 1, second));
    ok!(aclrtRecordEvent(event, second));
    ok!(aclrtDestroyStreamForce(second));
    fails!(ACL_ERROR_RT_STREAM_ABORT, aclrtSynchronizeEvent(event));
    gate.open();
    assert_eq!(download(memory, 1), [2]);
}

#[test]
fn a_failure_can_stop_the_streams_of_a_context() {
    let device = TestDevice::take();
    let mut context = aclrtContext::null();
    ok!(aclrtCreateContext(&mut context, device.0));
    let (first, second) = (stream(), stream());
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSetStreamFailureMode(first, 2));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSetStreamFailureMode(aclrtStream::null(), 1));
    ok!(aclrtSetStreamFailureMode(first, ACL_STOP_ON_FAILURE.into()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamFailureMode(first, ACL_STOP_ON_FAILURE.into()));
    let (doomed, memory) = (malloc(1), malloc(1));
    upload(memory, &[1]);
    let gate = Gate::close_on(first);
    ok!(aclrtMemsetAsync(doomed, 1, 2, 1, first));
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, first));
    ok!(aclrtFree(doomed));
    gate.open();
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(first));
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(first));
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtMemsetAsync(memory, 1, 2, 1, second));
    assert_eq!(download(memory, 1), [1]);
    ok!(aclrtDestroyContext(context));
}

#[test]
fn what_is_left_is_reported() {
    let device = TestDevice::take();
    let memory = malloc(1234);
    let host = pinned(77);
    let stream = stream();
    let event = event();
    let mut context = aclrtContext::null();
    ok!(aclrtCreateContext(&mut context, device.0));
    // The context counts as a use of its device only when it is the first.
    ok!(aclrtResetDevice(device.0));
    let found: Vec<Resource> = device.report().leaks.iter().map(|leak| leak.resource).collect();
    assert!(found.contains(&Resource::DeviceMemory { address: memory.addr(), size: 1234 }));
    assert!(found.contains(&Resource::HostMemory { address: host.addr(), size: 77 }));
    assert!(found.contains(&Resource::Context));
    assert!(found.iter().any(|leak| matches!(leak, Resource::Stream(_))));
    assert!(found.iter().any(|leak| matches!(leak, Resource::Event(_))));
    assert_eq!(found.len(), 5);
    ok!(aclrtSetDevice(device.0));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyStream(stream));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyEvent(event));
    assert_ne!(free(memory), ACL_SUCCESS);
}

#[test]
fn threads_keep_their_own_errors() {
    let _device = TestDevice::take();
    let mut id = 0;
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetDevice(ptr::null_mut()));
    assert_eq!(code!(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(code!(aclrtGetLastError(ACL_RT_THREAD_LEVEL)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(code!(aclrtGetLastError(ACL_RT_THREAD_LEVEL)), ACL_SUCCESS);
    thread::spawn(|| assert!(message().is_empty())).join().unwrap();
    assert_eq!(code!(aclrtMalloc(ptr::null_mut(), 1, ACL_MEM_MALLOC_HUGE_FIRST)), ACL_ERROR_INVALID_PARAM);
    let text = message();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("EE9999: [sim] aclrtMalloc: "), "{text}");
    assert!(message().is_empty());
    ok!(aclrtGetDevice(&mut id));
}

#[test]
fn the_host_cannot_touch_device_memory() {
    let _device = TestDevice::take();
    let memory = malloc(4096);
    // The system reads on behalf of the program, and is refused, where the program itself would be killed.
    let file = tempfile::tempfile().unwrap();
    use std::os::fd::AsRawFd;
    // SAFETY: The system checks the range.
    let written = unsafe { libc::write(file.as_raw_fd(), memory, 4096) };
    assert_eq!(written, -1);
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EFAULT));
}
