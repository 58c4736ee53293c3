//! Managed memory, and copies that a description in device memory tells.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ptr;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;

fn managed(size: u64) -> *mut u8 {
    let mut address = ptr::null_mut();
    ok!(aclrtMemAllocManaged(&mut address, size, ACL_RT_MEM_ATTACH_GLOBAL));
    address.cast()
}

/// What the host sees itself.
fn seen(address: *const u8, length: usize) -> Vec<u8> {
    // SAFETY: The tests ask for bytes of managed memory.
    (0..length).map(|index| unsafe { address.add(index).read_volatile() }).collect()
}

#[test]
fn the_host_and_every_device_see_the_same_bytes() {
    let (first, second) = (TestDevice::take(), TestDevice::take());
    let memory = managed(100);
    assert_eq!(memory.addr() % (2 << 20), 0);
    for index in 0..100 {
        // SAFETY: The host has access to managed memory.
        unsafe { memory.add(index).write(index as u8) };
    }
    for device in [&first, &second] {
        ok!(aclrtSetDevice(device.0));
        let here = malloc(100);
        // It is memory of the host as well as of the device.
        for kind in [ACL_MEMCPY_DEFAULT, ACL_MEMCPY_DEVICE_TO_DEVICE, ACL_MEMCPY_HOST_TO_DEVICE] {
            ok!(aclrtMemset(here, 100, 0, 100));
            ok!(aclrtMemcpy(here, 100, memory.cast(), 100, kind));
            assert_eq!(download(here, 100), (0..100).collect::<Vec<u8>>());
        }
        ok!(aclrtFree(here));
        let stream = stream();
        ok!(aclrtMemsetAsync(memory.cast(), 100, 5, 10, stream));
        ok!(aclrtSynchronizeStream(stream));
        assert_eq!(seen(memory, 12), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 10, 11]);
        for index in 0..10 {
            // SAFETY: As above.
            unsafe { memory.add(index).write(index as u8) };
        }
        ok!(aclrtDestroyStream(stream));
    }
    let mut attributes = aclrtPtrAttributes {
        location: aclrtMemLocation { id: 99, type_: ACL_MEM_LOCATION_TYPE_HOST },
        pageSize: 0,
        rsv: [0; 4],
    };
    ok!(aclrtPointerGetAttributes(memory.cast(), &mut attributes));
    assert_eq!(attributes.location.type_, ACL_MEM_LOCATION_TYPE_MANAGED);
    ok!(aclrtFree(memory.cast()));
    for device in [first, second] {
        assert!(device.report().is_clean(), "{}", device.report());
    }
}

#[test]
fn copies_of_managed_memory_are_asynchronous() {
    let device = TestDevice::take();
    let (stream, memory) = (stream(), managed(16));
    let here = malloc(16);
    upload(here, &[4; 16]);
    ok!(aclrtMemset(memory.cast(), 16, 1, 16));
    let gate = Gate::close_on(stream);
    ok!(aclrtMemcpyAsync(memory.cast(), 16, here, 16, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    assert_eq!(seen(memory, 2), [1, 1]);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(seen(memory, 2), [4, 4]);
    let other = managed(16);
    ok!(aclrtMemcpyAsync(other.cast(), 16, memory.cast(), 16, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(seen(other, 2), [4, 4]);
    ok!(aclrtFree(other.cast()));

    // A task of memory that was freed meanwhile fails.
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(memory.cast(), 16, 9, 16, stream));
    ok!(aclrtFree(memory.cast()));
    gate.open();
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory.cast()));
    ok!(aclrtFree(here));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty());
}

#[test]
fn misuse_of_managed_memory_is_caught() {
    let device = TestDevice::take();
    let mut address = ptr::null_mut();
    let flag = ACL_RT_MEM_ATTACH_GLOBAL;
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemAllocManaged(ptr::null_mut(), 1, flag));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemAllocManaged(&mut address, 0, flag));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemAllocManaged(&mut address, 1, 2));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemAllocManaged(&mut address, (3 << 40) + 1, flag));
    let memory = managed(3 << 20);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFreeHost(memory.cast()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory.wrapping_add(4096).cast()));
    // The size is that of whole huge pages, as documented.
    ok!(aclrtMemset(memory.cast(), 4 << 20, 1, 4 << 20));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory.cast(), 5 << 20, 1, (4 << 20) + 1));
    let leak = Resource::ManagedMemory { address: memory.addr(), size: 4 << 20 };
    assert!(device.report().leaks.iter().any(|found| found.resource == leak), "{}", device.report());
    ok!(aclrtResetDevice(device.0));
    ok!(aclrtSetDevice(device.0));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory.cast()));
}

const INNER: aclrtMemcpyKind = ACL_MEMCPY_INNER_DEVICE_TO_DEVICE;

#[test]
fn a_description_is_read_when_the_stream_comes_to_it() {
    let device = TestDevice::take();
    let stream = stream();
    let mut size = 0;
    ok!(aclrtGetMemcpyDescSize(INNER, &mut size));
    let desc = malloc(size);
    let (first, second, to) = (malloc(8), malloc(8), malloc(8));
    upload(first, &[1; 8]);
    upload(second, &[2; 8]);
    let gate = Gate::close_on(stream);
    ok!(aclrtSetMemcpyDesc(desc, INNER, first, to, 8, ptr::null_mut()));
    ok!(aclrtMemcpyAsyncWithDesc(desc, INNER, stream));
    ok!(aclrtSetMemcpyDesc(desc, INNER, second, to, 5, ptr::null_mut()));
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(to, 8), [2, 2, 2, 2, 2, 0, 0, 0]);
    for memory in [desc, first, second, to] {
        ok!(aclrtFree(memory));
    }
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().is_clean(), "{}", device.report());
}

#[test]
fn misuse_of_descriptions_is_caught() {
    let _device = TestDevice::take();
    let stream = stream();
    let mut size = 0;
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtGetMemcpyDescSize(ACL_MEMCPY_DEVICE_TO_DEVICE, &mut size));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetMemcpyDescSize(INNER, ptr::null_mut()));
    let (desc, from, to) = (malloc(128), malloc(8), malloc(8));
    let null = ptr::null_mut();
    let set =
        |desc, kind, from, to, count, config| code!(aclrtSetMemcpyDesc(desc, kind, from, to, count, config));
    assert_eq!(set(desc, ACL_MEMCPY_DEFAULT, from, to, 8, null), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
    assert_eq!(set(null, INNER, from, to, 8, null), ACL_ERROR_INVALID_PARAM);
    assert_eq!(set(desc, INNER, null, to, 8, null), ACL_ERROR_INVALID_PARAM);
    assert_eq!(set(desc, INNER, from, null, 8, null), ACL_ERROR_INVALID_PARAM);
    assert_eq!(set(desc, INNER, from, to, 8, to), ACL_ERROR_INVALID_PARAM);
    assert_eq!(set(desc, INNER, from, to, 0, null), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(set(desc, INNER, from, to, 9, null), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(set(desc.wrapping_byte_add(8), INNER, from, to, 8, null), ACL_ERROR_RT_ADDR_UNALIGNED);
    let host = pinned(64);
    assert_eq!(set(host.cast(), INNER, from, to, 8, null), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
    assert_eq!(set(desc, INNER, host.cast(), to, 8, null), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
    // Nothing was written, hence there is nothing to copy.
    ok!(aclrtMemcpyAsyncWithDesc(desc, INNER, stream));
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    ok!(aclrtSetMemcpyDesc(desc, INNER, from, to, 8, null));
    ok!(aclrtFree(from));
    ok!(aclrtMemcpyAsyncWithDesc(desc, INNER, stream));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeStream(stream));
}
