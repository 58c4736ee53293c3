//! Memory that two processes share.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod other_process;
mod physical;

use std::ffi::{c_char, c_void};
use std::ptr;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;
use other_process::*;
use physical::*;

#[test]
fn the_other_process() {
    other_process::play(&[
        ("borrows memory", borrows_memory),
        ("lends memory", lends_memory),
        ("borrows physical memory", borrows_physical_memory),
        ("lends physical memory", lends_physical_memory),
    ]);
}

fn allow(key: &str, mut process: i32) {
    ok!(aclrtIpcMemSetImportPid(c(key).as_ptr(), &mut process, 1));
}

/// Imports, changes and closes memory, and says what the codes are.
fn borrows_memory() {
    let device = same_device();
    let mut own = 0;
    ok!(aclrtDeviceGetBareTgid(&mut own));
    say(&own.to_string());
    let key = hear();
    say(&format!("{:?}", import(&key, 0).err()));
    hear();
    let memory = import(&key, 0).unwrap();
    assert_eq!(import(&key, 0), Err(ACL_ERROR_RT_PARAM_INVALID), "imported already");
    assert_eq!(download(memory, 4), [1, 2, 3, 4]);
    // Not more than what is shared; nor is it memory to free or to unmap.
    let more = &mut [0u8; 5];
    let to = more.as_mut_ptr().cast();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(to, 5, memory, 5, ACL_MEMCPY_DEVICE_TO_HOST));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(memory));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(memory));
    upload(memory, &[5, 6]);
    let stream = stream();
    ok!(aclrtMemsetAsync(memory.wrapping_byte_add(3), 1, 9, 1, stream));
    ok!(aclrtSynchronizeStream(stream));
    say("changed");
    hear();
    // What the other side wrote meanwhile is there at once.
    assert_eq!(download(memory, 4), [7; 4]);
    let leak = Resource::ImportedMemory { address: memory.addr(), size: 4 };
    assert!(device.report().leaks.iter().any(|found| found.resource == leak), "{}", device.report());
    assert_eq!(close(&key), ACL_SUCCESS);
    assert_eq!(close(&key), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory, 1, 0, 1));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
    say("closed");
}

#[test]
fn another_process_sees_the_same_bytes_once_it_is_on_the_list() {
    let device = TestDevice::take();
    let memory = malloc(4);
    upload(memory, &[1, 2, 3, 4]);
    let key = export(memory, 4, WITH_LIST);
    assert!(key.len() < KEY);
    let mut other = Other::start("borrows memory", &device);
    assert_eq!(other.hear(), other.id().to_string());
    other.say(&key);
    other.expect(&format!("Some({ACL_ERROR_RT_NO_PERMISSION})"));
    allow(&key, other.id());
    other.say("again");
    other.expect("changed");
    assert_eq!(download(memory, 4), [5, 6, 3, 9]);
    ok!(aclrtMemset(memory, 4, 7, 4));
    other.say("look");
    other.expect("closed");
    let leak = Resource::ExportedMemory { address: memory.addr(), size: 4 };
    assert!(device.report().leaks.iter().any(|found| found.resource == leak), "{}", device.report());
    assert_eq!(close(&key), ACL_SUCCESS);
    ok!(aclrtFree(memory));
    other.end();
    assert!(device.report().is_clean(), "{}", device.report());
    // The key is over.
    assert_eq!(close(&key), ACL_ERROR_RT_PARAM_INVALID);
    let mut process = 1;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(c(&key).as_ptr(), &mut process, 1));
    assert_eq!(import(&key, 0), Err(ACL_ERROR_RT_PARAM_INVALID));
}

#[test]
fn misuse_of_keys_is_caught() {
    let _device = TestDevice::take();
    let memory = malloc(3 << 20);
    let mut key = [0; KEY];
    let mut export = |memory: *mut c_void, size, length, flags| {
        code!(aclrtIpcMemGetExportKey(memory, size, key.as_mut_ptr(), length, flags))
    };
    assert_eq!(export(ptr::null_mut(), 1, KEY, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(export(memory, 1, 64, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(export(memory, 1, KEY, 2), ACL_ERROR_INVALID_PARAM);
    assert_eq!(export(memory, 0, KEY, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(export(memory, (3 << 20) + 1, KEY, 0), ACL_ERROR_RT_PARAM_INVALID);
    // The start of a page of 4 KiB, where pages are of 2 MiB.
    assert_eq!(export(memory.wrapping_byte_add(4096), 4096, KEY, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(export(memory.wrapping_byte_add(2 << 20), 4096, KEY, 0), ACL_SUCCESS);
    let local = 0u8;
    assert_eq!(export((&raw const local).cast_mut().cast(), 1, KEY, 0), ACL_ERROR_RT_PARAM_INVALID);
    let mut reserved = ptr::null_mut();
    ok!(aclrtReserveMemAddress(&mut reserved, 2 << 20, 0, ptr::null_mut(), 0));
    assert_eq!(export(reserved, 1, KEY, 0), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcMemGetExportKey(memory, 1, ptr::null_mut(), KEY, 0));

    for stranger in ["", "name", "ascendcl-sim-1-00000000", "ascendcl-sim-99999999-00000000"] {
        assert_eq!(import(stranger, 0), Err(ACL_ERROR_RT_PARAM_INVALID), "{stranger}");
        assert_eq!(close(stranger), ACL_ERROR_RT_PARAM_INVALID);
    }
    let good = self::export(memory, 3 << 20, WITHOUT_LIST);
    assert_eq!(import(&good, 2), Err(ACL_ERROR_INVALID_PARAM));
    let mut address = ptr::null_mut();
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcMemImportByKey(&mut address, ptr::null(), 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcMemImportByKey(ptr::null_mut(), c(&good).as_ptr(), 0));
    let mut process = 1;
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcMemSetImportPid(c(&good).as_ptr(), &mut process, 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtIpcMemSetImportPid(c(&good).as_ptr(), ptr::null_mut(), 1));
    // A key of memory is none of a notify, an event or physical memory.
    let mut notify = aclrtNotify::null();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifyImportByKey(&mut notify, c(&good).as_ptr(), 0));
    assert!(message().contains("stands for memory"));
    let mut event = aclrtEvent::null();
    let mut handle = aclrtIpcEventHandle { reserved: [0; 64] };
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcOpenEventHandle(handle, &mut event));
    for (to, from) in handle.reserved.iter_mut().zip(good.bytes()) {
        *to = from as c_char;
    }
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcOpenEventHandle(handle, &mut event));
    // The process itself may import what everyone may.
    let again = import(&good, 0).unwrap();
    upload(memory, &[8]);
    assert_eq!(download(again, 1), [8]);
    assert_eq!((close(&good), close(&good)), (ACL_SUCCESS, ACL_SUCCESS));
}

/// Exports memory, and does to it what the test says.
fn lends_memory() {
    let _device = same_device();
    let mut memory = malloc(100);
    loop {
        upload(memory, &[3; 100]);
        let key = export(memory, 100, WITHOUT_LIST);
        say(&key);
        match hear().as_str() {
            "free" => {
                ok!(aclrtFree(memory));
                memory = malloc(100);
            }
            "close" => {
                assert_eq!(close(&key), ACL_SUCCESS);
                let report = ascendcl_sim::report();
                assert!(report.misuse.iter().any(|m| m.function == "aclrtIpcMemClose"), "{report}");
            }
            other => panic!("{other}"),
        }
        say("done");
    }
}

#[test]
fn memory_that_is_taken_back_is_lost() {
    let device = TestDevice::take();
    let stream = stream();
    let mut other = Other::start("lends memory", &device);
    let fill = |memory| code!(aclrtMemset(memory, 1, 0, 1));
    for deed in ["free", "close"] {
        let key = other.hear();
        let memory = import(&key, 0).unwrap();
        assert_eq!(download(memory, 100), [3; 100]);
        let gate = Gate::close_on(stream);
        ok!(aclrtMemsetAsync(memory, 1, 0, 1, stream));
        other.say(deed);
        other.expect("done");
        assert_eq!(fill(memory), ACL_ERROR_RT_PARAM_INVALID, "{deed}");
        gate.open();
        fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
        assert!(message().contains("taken back"));
        assert_eq!(close(&key), ACL_SUCCESS);
        assert_eq!(import(&key, 0), Err(ACL_ERROR_RT_PARAM_INVALID), "{deed}");
    }
    // Its end is the end of everything it shares.
    let key = other.hear();
    let memory = import(&key, 0).unwrap();
    assert_eq!(fill(memory), ACL_SUCCESS);
    other.kill();
    assert_eq!(fill(memory), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(close(&key), ACL_SUCCESS);
    assert_eq!(import(&key, 0), Err(ACL_ERROR_RT_PARAM_INVALID));
    assert!(message().contains("ended"));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

fn mapped(handle: aclrtDrvMemHandle) -> *mut c_void {
    let mut address = ptr::null_mut();
    ok!(aclrtReserveMemAddress(&mut address, HUGE, 0, ptr::null_mut(), 0));
    ok!(aclrtMapMem(address, HUGE, 0, handle, 0));
    address
}

fn share(handle: aclrtDrvMemHandle, flags: u64) -> u64 {
    let mut shareable = 0;
    ok!(aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, flags, &mut shareable));
    shareable
}

/// Imports a shareable handle, changes the memory, and frees it.
fn borrows_physical_memory() {
    let device = same_device();
    let shareable: u64 = hear().parse().unwrap();
    let mut handle = aclrtDrvMemHandle::null();
    let mut import = |on: i32| code!(aclrtMemImportFromShareableHandle(shareable, on, &mut handle));
    say(&import(device.0).to_string());
    hear();
    assert_eq!(import(64), ACL_ERROR_RT_INVALID_DEVICEID);
    assert_eq!(import(device.0), ACL_SUCCESS);
    assert_eq!(import(device.0), ACL_ERROR_RT_PARAM_INVALID, "one handle in a process");
    // Only who allocated it shares it.
    let mut again = 0;
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 1, &mut again)
    );
    let mut process = 1;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemSetPidToShareableHandle(shareable, &mut process, 1));
    // It goes with no memory of this process in one reservation.
    let mut address = ptr::null_mut();
    ok!(aclrtReserveMemAddress(&mut address, 2 * HUGE, 0, ptr::null_mut(), 0));
    ok!(aclrtMapMem(address, HUGE, 0, handle, 0));
    let own = physical(device.0, HUGE);
    let second = address.wrapping_byte_add(HUGE);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(second, HUGE, 0, own, 0));
    assert_eq!(download(address, 3), [1, 2, 3]);
    upload(address.wrapping_byte_add(HUGE - 3), &[4, 5, 6]);
    say("changed");
    assert_eq!(hear(), "freed");
    // It lives on.
    assert_eq!(download(address, 3), [1, 2, 3]);
    ok!(aclrtUnmapMem(address));
    ok!(aclrtFreePhysical(handle));
    ok!(aclrtFreePhysical(own));
    ok!(aclrtReleaseMemAddress(address));
    // The one who shared it is done with it.
    let mut handle = aclrtDrvMemHandle::null();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandle(shareable, device.0, &mut handle));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
    say("done");
}

#[test]
fn another_process_maps_the_same_physical_memory() {
    let device = TestDevice::take();
    let handle = physical(device.0, HUGE);
    let address = mapped(handle);
    upload(address, &[1, 2, 3]);
    let mut shareable = 0;
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_POSIX, 0, &mut shareable)
    );
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 2, &mut shareable)
    );
    let shareable = share(handle, WITH_LIST);
    let mut again = 0;
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 0, &mut again)
    );
    let mut own = aclrtDrvMemHandle::null();
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandle(shareable, device.0, &mut own));

    let mut other = Other::start("borrows physical memory", &device);
    other.say(&shareable.to_string());
    other.expect(&ACL_ERROR_RT_NO_PERMISSION.to_string());
    let mut process = other.id();
    ok!(aclrtMemSetPidToShareableHandle(shareable, &mut process, 1));
    other.say("again");
    other.expect("changed");
    assert_eq!(download(address.wrapping_byte_add(HUGE - 3), 3), [4, 5, 6]);
    ok!(aclrtUnmapMem(address));
    ok!(aclrtReleaseMemAddress(address));
    ok!(aclrtFreePhysical(handle));
    other.say("freed");
    other.expect("done");
    other.end();
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

/// Shares physical memory in each way, until it is killed.
fn lends_physical_memory() {
    let device = same_device();
    let handle = physical(device.0, HUGE);
    upload(mapped(handle), &[1, 2, 3]);
    let mut shareable = [0u64; 2];
    let to = shareable.as_mut_ptr().cast::<c_void>();
    let export = |kind, flags| code!(aclrtMemExportToShareableHandleV2(handle, flags, kind, to));
    // The device is none of Atlas A3.
    assert_eq!(export(ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 1), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
    assert_eq!(export(aclrtMemSharedHandleType(3), 1), ACL_ERROR_INVALID_PARAM);
    assert_eq!(export(ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, 1), ACL_SUCCESS);
    assert_eq!(shareable[1], 0, "eight bytes alone");
    say(&shareable[0].to_string());
    hear();
}

#[test]
fn physical_memory_outlives_the_process_that_shares_it() {
    let device = TestDevice::take();
    let mut other = Other::start("lends physical memory", &device);
    let mut shareable: u64 = other.hear().parse().unwrap();
    let mut handle = aclrtDrvMemHandle::null();
    let from = (&raw mut shareable).cast();
    let mut import = |kind, flags| code!(aclrtMemImportFromShareableHandleV2(from, kind, flags, &mut handle));
    assert_eq!(import(ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, 1), ACL_ERROR_INVALID_PARAM);
    assert_eq!(import(ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
    assert_eq!(import(ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, 0), ACL_SUCCESS);
    let address = mapped(handle);
    other.kill();
    assert_eq!(download(address, 3), [1, 2, 3]);
    ok!(aclrtUnmapMem(address));
    ok!(aclrtReleaseMemAddress(address));
    ok!(aclrtFreePhysical(handle));
    let kind = ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT;
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandleV2(from, kind, 0, &mut handle));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}
