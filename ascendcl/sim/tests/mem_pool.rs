//! Memory pools of streams, through the C interface.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use common::{Gate, TestDevice, download, stream};

const MIB: usize = 1 << 20;

fn props(device: i32, limit: usize) -> aclrtMemPoolProps {
    aclrtMemPoolProps {
        allocType: ACL_MEM_ALLOCATION_TYPE_PINNED,
        handleType: ACL_MEM_HANDLE_TYPE_NONE,
        location: aclrtMemLocation { id: device.cast_unsigned(), type_: ACL_MEM_LOCATION_TYPE_DEVICE },
        maxSize: limit,
        reserved: [0; 32],
    }
}

fn pool(device: i32, limit: usize) -> aclrtMemPool {
    let mut pool = aclrtMemPool::null();
    ok!(aclrtMemPoolCreate(&mut pool, &props(device, limit)));
    pool
}

fn malloc_in(pool: aclrtMemPool, size: usize, stream: aclrtStream) -> *mut c_void {
    let mut address = ptr::null_mut();
    ok!(aclrtMemPoolMallocAsync(&mut address, size, pool, stream));
    assert!(!address.is_null());
    address
}

fn bytes(pool: aclrtMemPool, attribute: aclrtMemPoolAttr) -> u64 {
    let mut value = u64::MAX;
    ok!(aclrtMemPoolGetAttr(pool, attribute, (&raw mut value).cast()));
    value
}

fn switch(pool: aclrtMemPool, attribute: aclrtMemPoolAttr, mut value: u32) {
    ok!(aclrtMemPoolSetAttr(pool, attribute, (&raw mut value).cast()));
}

#[test]
fn freed_memory_is_not_touched_any_more() {
    let device = TestDevice::take();
    let (pool, stream) = (pool(device.0, 8 * MIB), stream());
    let address = malloc_in(pool, 100, stream);
    ok!(aclrtMemsetAsync(address, 100, 1, 100, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemsetAsync(address, 101, 1, 101, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(address));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolDestroy(pool));
    ok!(aclrtMemPoolFreeAsync(address, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolFreeAsync(address, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemsetAsync(address, 100, 1, 100, stream));
    ok!(aclrtSynchronizeStream(stream));
    // The wait gave it back to the device.
    assert_eq!(bytes(pool, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT), 0);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolFreeAsync(address, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolFreeAsync(ptr::null_mut(), stream));
    ok!(aclrtMemPoolDestroy(pool));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolTrimTo(pool, 0));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty());
}

#[test]
fn streams_get_each_others_memory_as_the_switches_say() {
    let device = TestDevice::take();
    let (first, second) = (stream(), stream());
    let pool = pool(device.0, 8 * MIB);
    let mut all = u64::MAX;
    ok!(aclrtMemPoolSetAttr(pool, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, (&raw mut all).cast()));
    switch(pool, ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 0);
    switch(pool, ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 0);
    let address = malloc_in(pool, 100, first);
    ok!(aclrtMemPoolFreeAsync(address, first));
    ok!(aclrtSynchronizeStream(first));
    let other = malloc_in(pool, 100, second);
    assert_ne!(other, address, "no switch is on");
    assert_eq!(malloc_in(pool, 100, first), address, "its own memory needs none");
    ok!(aclrtMemPoolFreeAsync(address, first));
    ok!(aclrtSynchronizeStream(first));
    switch(pool, ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 1);
    assert_eq!(malloc_in(pool, 100, second), address, "it happens to be free");
    ok!(aclrtMemPoolFreeAsync(other, second));
    ok!(aclrtSynchronizeStream(second));

    // Not free yet: the stream waits for it, if the pool adds dependencies.
    switch(pool, ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
    ok!(aclrtMemPoolTrimTo(pool, 0));
    let gate = Gate::close_on(second);
    ok!(aclrtMemsetAsync(address, 100, 1, 100, second));
    ok!(aclrtMemPoolFreeAsync(address, second));
    let again = malloc_in(pool, 100, first);
    assert_eq!(again, address);
    ok!(aclrtMemsetAsync(again, 100, 2, 100, first));
    fails!(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(first, 20));
    gate.open();
    ok!(aclrtSynchronizeStream(first));
    assert_eq!(download(again, 100), [2; 100], "the first use came first");
    ok!(aclrtMemPoolFreeAsync(again, first));
    ok!(aclrtSynchronizeStream(first));
    ok!(aclrtMemPoolDestroy(pool));
}

#[test]
fn attributes_and_properties_are_checked() {
    let device = TestDevice::take();
    let pool = pool(device.0, 8 * MIB);
    let (mut one, mut two) = (1u64, 2u32);
    let value: *mut c_void = (&raw mut one).cast();
    for attribute in [ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH, ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT] {
        fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolSetAttr(pool, attribute, value));
    }
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolGetAttr(pool, aclrtMemPoolAttr(9), value));
    let attribute = ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES;
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolSetAttr(pool, attribute, (&raw mut two).cast()));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolGetAttr(pool, attribute, ptr::null_mut()));
    let mut made = aclrtMemPool::null();
    let good = props(device.0, MIB);
    let host = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_HOST };
    let mut reserved = [0; 32];
    reserved[31] = 1;
    for wrong in [
        aclrtMemPoolProps { location: host, ..good },
        aclrtMemPoolProps { maxSize: 0, ..good },
        aclrtMemPoolProps { reserved, ..good },
    ] {
        fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolCreate(&mut made, &wrong));
    }
    fails!(ACL_ERROR_RT_INVALID_DEVICEID, aclrtMemPoolCreate(&mut made, &props(64, MIB)));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolCreate(&mut made, ptr::null()));
    let mut address = ptr::null_mut();
    let none = aclrtStream::null();
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemPoolMallocAsync(&mut address, 0, pool, none));
    fails!(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMemPoolMallocAsync(&mut address, 9 * MIB, pool, none));
    assert_eq!(bytes(pool, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT), 0);
    ok!(aclrtMemPoolDestroy(pool));
}

#[test]
fn pools_that_are_left_are_reported() {
    let device = TestDevice::take();
    let pool = pool(device.0, 8 * MIB);
    malloc_in(pool, 100, aclrtStream::null());
    ok!(aclrtResetDevice(device.0));
    let leaks = device.report().leaks;
    assert!(matches!(leaks[..], [ascendcl_sim::Leak { resource: ascendcl_sim::Resource::MemPool(_), .. }]));
    ok!(aclrtSetDevice(device.0));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolDestroy(pool));
}
