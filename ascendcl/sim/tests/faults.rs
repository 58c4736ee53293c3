//! Faults on demand, from Rust.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ptr;

use ascendcl_sim::fault::{self, Fault};
use ascendcl_sys::*;
use common::*;

#[test]
fn the_nth_allocation_fails() {
    let (other, device) = (TestDevice::take(), TestDevice::take());
    let guard = fault::inject(device.0 as u32, Fault::OutOfMemory { nth: 2 });
    malloc(100);
    assert!(!guard.has_happened());
    ok!(aclrtSetDevice(other.0));
    malloc(100);
    malloc(100);
    ok!(aclrtSetDevice(device.0));
    let mut memory = ptr::null_mut();
    fails!(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMalloc(&mut memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
    assert!(memory.is_null());
    assert!(guard.has_happened());
    malloc(100);
    assert!(device.report().misuse.is_empty());
}

#[test]
fn a_copy_fails_at_the_call() {
    let device = TestDevice::take();
    let memory = malloc(1);
    let byte = 7u8;
    let copy = || code!(aclrtMemcpy(memory, 1, (&raw const byte).cast(), 1, ACL_MEMCPY_HOST_TO_DEVICE));
    let guard = fault::inject(device.0 as u32, Fault::Copy { nth: 1 });
    assert_eq!(copy(), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
    assert_eq!(copy(), ACL_SUCCESS);
    drop(guard);
    let guard = fault::inject(device.0 as u32, Fault::Copy { nth: 1 });
    drop(guard);
    assert_eq!(copy(), ACL_SUCCESS);
}

#[test]
fn a_copy_fails_when_it_runs() {
    let device = TestDevice::take();
    let stream = stream();
    let (memory, host) = (malloc(1), pinned(1));
    let _guard = fault::inject(device.0 as u32, Fault::AsyncCopy { nth: 2 });
    for _ in 0..3 {
        ok!(aclrtMemcpyAsync(memory, 1, host.cast(), 1, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    }
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    ok!(aclrtSynchronizeStream(stream));
    assert!(device.report().misuse.is_empty());
}

#[test]
fn a_lost_device_refuses_everything_until_it_is_back() {
    let device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(memory, 1, 1, 1, stream));
    let guard = fault::inject(device.0 as u32, Fault::DeviceLost);
    gate.open();
    let mut other = ptr::null_mut();
    fails!(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMalloc(&mut other, 1, ACL_MEM_MALLOC_HUGE_FIRST));
    fails!(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSetDevice(device.0));
    let mut status = ACL_RT_DEVICE_STATUS_NORMAL;
    ok!(aclrtQueryDeviceStatus(device.0, &mut status));
    assert_eq!(status, ACL_RT_DEVICE_STATUS_ABNORMAL);
    drop(guard);
    // The task that found no device failed.
    let outcome = code!(aclrtSynchronizeStream(stream));
    assert!([ACL_ERROR_RT_LOST_HEARTBEAT, ACL_SUCCESS].contains(&outcome), "{outcome}");
    ok!(aclrtMalloc(&mut other, 1, ACL_MEM_MALLOC_HUGE_FIRST));
}

/// What the exception callback was told.
static TOLD: std::sync::Mutex<Vec<(u32, u32)>> = std::sync::Mutex::new(Vec::new());

unsafe extern "C" fn tell(info: *mut aclrtExceptionInfo) {
    let device = code!(aclrtGetDeviceIdFromExceptionInfo(info));
    let error = code!(aclrtGetErrorCodeFromExceptionInfo(info));
    TOLD.lock().unwrap().push((device, error));
}

#[test]
fn failed_tasks_are_told_to_the_program() {
    let device = TestDevice::take();
    let stream = stream();
    ok!(aclrtSetExceptionInfoCallback(Some(tell)));
    let (memory, host) = (malloc(1), pinned(1));
    let _guard = fault::inject(device.0 as u32, Fault::AsyncCopy { nth: 1 });
    ok!(aclrtMemcpyAsync(memory, 1, host.cast(), 1, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    let expected = (device.0 as u32, ACL_ERROR_RT_SYS_DMA as u32);
    assert!(TOLD.lock().unwrap().contains(&expected));
}
