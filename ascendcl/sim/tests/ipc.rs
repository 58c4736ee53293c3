//! Memory, notifies and events that two processes share. The other process is this program again, as `the_other_process`.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ffi::{CStr, CString, c_char, c_void};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, ptr, thread};

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;

/// Says to the other process what to do.
const ROLE: &str = "ASCENDCL_SIM_TEST_ROLE";
/// Says to the other process which device the test has.
const DEVICE: &str = "ASCENDCL_SIM_TEST_DEVICE";
/// What the other process says starts with it; the rest is of the test framework.
const MARK: &str = "##";

/// The other process, seen from the test.
struct Other {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, device: &TestDevice) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DEVICE, device.0.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the other process ended");
            // The framework may have begun the line.
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    fn expect(&mut self, said: &str) {
        assert_eq!(self.hear(), said);
    }

    /// Waits for the good end.
    fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it at once.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The test, seen from the other process.
fn say(line: &str) {
    println!("{MARK}{line}");
    io::stdout().flush().unwrap();
}

/// The device of the test, made current.
fn same_device() -> TestDevice {
    let device = TestDevice(env::var(DEVICE).unwrap().parse().unwrap());
    ok!(aclrtSetDevice(device.0));
    device
}

fn hear() -> String {
    let mut line = String::new();
    assert!(io::stdin().read_line(&mut line).unwrap() > 0, "the test ended");
    line.trim_end().to_owned()
}

#[test]
fn the_other_process() {
    let Ok(role) = env::var(ROLE) else { return };
    match role.as_str() {
        "borrows memory" => borrows_memory(),
        "borrows memory of another device" => borrows_memory_of_another_device(),
        "lends memory" => lends_memory(),
        "borrows physical memory" => borrows_physical_memory(),
        "lends physical memory" => lends_physical_memory(),
        "records a notify" => records_a_notify(),
        "answers notifies" => answers_notifies(),
        "waits for an event" => waits_for_an_event(),
        "never records" => never_records(),
        other => panic!("no role {other}"),
    }
}

const KEY: usize = 65;
const WITH_LIST: u64 = 0;
const WITHOUT_LIST: u64 = 1;

fn text(key: &[c_char]) -> String {
    // SAFETY: The key is a C string.
    unsafe { CStr::from_ptr(key.as_ptr()) }.to_str().unwrap().to_owned()
}

fn export(memory: *mut c_void, size: usize, flags: u64) -> String {
    let mut key = [c_char::MAX; KEY];
    ok!(aclrtIpcMemGetExportKey(memory, size, key.as_mut_ptr(), KEY, flags));
    text(&key)
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn import(key: &str, flags: u64) -> Result<*mut c_void, aclError> {
    let mut memory = ptr::null_mut();
    let code = code!(aclrtIpcMemImportByKey(&mut memory, c(key).as_ptr(), flags));
    if code == ACL_SUCCESS { Ok(memory) } else { Err(code) }
}

fn close(key: &str) -> aclError {
    code!(aclrtIpcMemClose(c(key).as_ptr()))
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

const HUGE: usize = 2 << 20;

fn physical(device: i32) -> aclrtDrvMemHandle {
    let properties = aclrtPhysicalMemProp {
        handleType: ACL_MEM_HANDLE_TYPE_NONE,
        allocationType: ACL_MEM_ALLOCATION_TYPE_PINNED,
        memAttr: ACL_HBM_MEM_HUGE,
        location: aclrtMemLocation { id: device.cast_unsigned(), type_: ACL_MEM_LOCATION_TYPE_DEVICE },
        reserve: 0,
    };
    let mut handle = aclrtDrvMemHandle::null();
    ok!(aclrtMallocPhysical(&mut handle, HUGE, &properties, 0));
    handle
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
    let own = physical(device.0);
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
    let handle = physical(device.0);
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
    let handle = physical(device.0);
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

fn notify() -> aclrtNotify {
    let mut notify = aclrtNotify::null();
    ok!(aclrtCreateNotify(&mut notify, 0));
    notify
}

fn export_notify(notify: aclrtNotify, flags: u64) -> String {
    let mut key = [c_char::MAX; KEY];
    ok!(aclrtNotifyGetExportKey(notify, key.as_mut_ptr(), KEY, flags));
    text(&key)
}

fn import_notify(key: &str) -> Result<aclrtNotify, aclError> {
    let mut notify = aclrtNotify::null();
    let code = code!(aclrtNotifyImportByKey(&mut notify, c(key).as_ptr(), 0));
    if code == ACL_SUCCESS { Ok(notify) } else { Err(code) }
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
