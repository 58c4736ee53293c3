//! The file of `aclInit`: what is wrong with it, and what it changes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod table;

use std::ffi::{CStr, CString};
use std::path::Path;
use std::{fs, ptr, thread};

use ascendcl_sys::*;
use table::{RUNTIME, library};
use tempfile::TempDir;

fn start(acl: &Library, folder: &TempDir, text: &str) -> aclError {
    let path = folder.path().join("acl.json");
    fs::write(&path, text).unwrap();
    start_with(acl, &path)
}

fn start_with(acl: &Library, path: &Path) -> aclError {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    call!(acl.aclInit(path.as_ptr()))
}

fn message(acl: &Library) -> String {
    let text = call!(acl.aclGetRecentErrMsg());
    if text.is_null() {
        return String::new();
    }
    // SAFETY: Not null, hence a text that lives until the next call.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

#[test]
fn a_missing_or_broken_file_is_an_error() {
    let _turn = RUNTIME.lock();
    let (acl, folder) = (library(), tempfile::tempdir().unwrap());
    assert_eq!(start_with(&acl, Path::new("/nowhere/at/all.json")), ACL_ERROR_INVALID_FILE);
    assert!(message(&acl).contains("/nowhere/at/all.json"));
    for (text, code) in [
        ("", ACL_ERROR_PARSE_FILE),
        ("{\"a\": ", ACL_ERROR_PARSE_FILE),
        ("[]", ACL_ERROR_PARSE_FILE),
        (r#"{"defaultDevice": {"default_device": "1000"}}"#, ACL_ERROR_FILE_ATTR_INVALID),
        (r#"{"defaultDevice": {"default_device": "first"}}"#, ACL_ERROR_FILE_ATTR_INVALID),
        (r#"{"dump": {"dump_op_switch": "on"}}"#, ACL_ERROR_INVALID_DUMP_CONFIG),
    ] {
        assert_eq!(start(&acl, &folder, text), code, "{text}");
    }
    // Nothing was started.
    assert_eq!(call!(acl.aclFinalize()), ACL_ERROR_REPEAT_FINALIZE);
    assert_eq!(start(&acl, &folder, "{}"), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
    // What has no effect does no harm.
    assert_eq!(start(&acl, &folder, r#"{"StackSize": {"aicore_stack_size": 65536}}"#), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn threads_without_a_device_take_the_default_one() {
    let _turn = RUNTIME.lock();
    let (acl, folder) = (library(), tempfile::tempdir().unwrap());
    let text = r#"{"defaultDevice": {"default_device": "0"}}"#;
    assert_eq!(start(&acl, &folder, text), ACL_SUCCESS);
    let allocate = || {
        let (mut memory, mut device) = (ptr::null_mut(), -1);
        assert_eq!(call!(acl.aclrtMalloc(&mut memory, 64, ACL_MEM_MALLOC_HUGE_FIRST)), ACL_SUCCESS);
        assert_eq!(call!(acl.aclrtGetDevice(&mut device)), ACL_SUCCESS);
        assert_eq!(device, 0);
        assert_eq!(call!(acl.aclrtFree(memory)), ACL_SUCCESS);
    };
    allocate();
    thread::scope(|scope| scope.spawn(allocate).join().unwrap());
    assert_eq!(call!(acl.aclrtResetDeviceForce(0)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
    // The next start has none.
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    let mut memory = ptr::null_mut();
    let code = call!(acl.aclrtMalloc(&mut memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    assert_eq!(code, ACL_ERROR_RT_CONTEXT_NULL);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn messages_are_those_of_the_thread_or_of_the_process() {
    let _turn = RUNTIME.lock();
    let (acl, folder) = (library(), tempfile::tempdir().unwrap());
    for (mode, together) in [("0", false), ("1", true)] {
        let text = format!("{{\"err_msg_mode\": \"{mode}\"}}");
        assert_eq!(start(&acl, &folder, &text), ACL_SUCCESS);
        message(&acl);
        let elsewhere = || assert_ne!(call!(acl.aclrtSetDevice(12_345)), ACL_SUCCESS);
        thread::scope(|scope| scope.spawn(elsewhere).join().unwrap());
        assert_eq!(message(&acl).contains("12345"), together);
        assert_eq!(message(&acl), "");
        assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
    }
}

#[test]
fn dumps_of_the_file_hold_until_the_end() {
    let _turn = RUNTIME.lock();
    let (acl, folder) = (library(), tempfile::tempdir().unwrap());
    let path = || {
        let path = call!(acl.acldumpGetPath(DATA_DUMP));
        // SAFETY: Not null, hence a text that lives until the configuration changes.
        (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_str().unwrap().to_owned())
    };
    let text = r#"{"dump": {"dump_path": "by_file", "dump_op_switch": "on", "dump_list": []}}"#;
    assert_eq!(start(&acl, &folder, text), ACL_SUCCESS);
    assert_eq!(path().as_deref(), Some("by_file"));
    assert_eq!(call!(acl.aclmdlInitDump()), ACL_ERROR_DUMP_ALREADY_RUN);
    let file = CString::new(folder.path().join("acl.json").to_str().unwrap()).unwrap();
    assert_eq!(call!(acl.aclmdlSetDump(file.as_ptr())), ACL_ERROR_DUMP_ALREADY_RUN);
    assert_eq!(call!(acl.aclmdlFinalizeDump()), ACL_ERROR_DUMP_ALREADY_RUN);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
    assert_eq!(path(), None);
}

#[test]
fn the_operator_library_checks_a_file_of_its_own() {
    let _turn = RUNTIME.lock();
    let (acl, folder) = (library(), tempfile::tempdir().unwrap());
    let start = |text: &str| {
        let path = folder.path().join("aclnn.json");
        fs::write(&path, text).unwrap();
        let path = CString::new(path.to_str().unwrap()).unwrap();
        call!(acl.aclnnInit(path.as_ptr()))
    };
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclnnInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclnnInit(c"/nowhere/at/all.json".as_ptr())), 161_002);
    assert_eq!(start(r#"{"op_debug_config": {"enable_debug_kernel": "on"}}"#), ACL_SUCCESS);
    for broken in ["{", "[]", r#"{"op_debug_config": {"enable_debug_kernel": "maybe"}}"#] {
        assert_eq!(start(broken), 161_002, "{broken}");
    }
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}
