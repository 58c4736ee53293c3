//! Allocators of programs, and dumps.

#[macro_use]
mod table;

use std::ffi::{CStr, CString, c_void};
use std::{fs, ptr};

use ascendcl_sim::{Leak, Resource};
use ascendcl_sys::*;
use table::{RUNTIME, library};

unsafe extern "C" fn allocate(_: aclrtAllocator, _: usize) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn free(_: aclrtAllocator, _: aclrtAllocatorBlock) {}

unsafe extern "C" fn advise(_: aclrtAllocator, _: usize, _: aclrtAllocatorAddr) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn address(_: aclrtAllocatorBlock) -> *mut c_void {
    ptr::null_mut()
}

#[test]
fn an_allocator_is_registered_for_a_stream() {
    let _turn = RUNTIME.lock();
    let acl = library();
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    let mut stream = aclrtStream::null();
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);

    let desc = call!(acl.aclrtAllocatorCreateDesc());
    assert!(!desc.is_null());
    let mut object = 7_u32;
    let object = aclrtAllocator((&raw mut object).cast());
    assert_eq!(call!(acl.aclrtAllocatorSetObjToDesc(desc, object)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorSetAllocFuncToDesc(desc, Some(allocate))), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorSetFreeFuncToDesc(desc, Some(free))), ACL_SUCCESS);
    // One function is missing; the advice is not needed, and null is none.
    assert_eq!(call!(acl.aclrtAllocatorSetAllocAdviseFuncToDesc(desc, None)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclrtAllocatorSetAllocAdviseFuncToDesc(desc, Some(advise))), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorRegister(stream, desc)), ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclrtAllocatorSetGetAddrFromBlockFuncToDesc(desc, None));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclrtAllocatorSetGetAddrFromBlockFuncToDesc(desc, Some(address)));
    assert_eq!(code, ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorRegister(aclrtStream::null(), desc)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclrtAllocatorRegister(stream, desc)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorDestroyDesc(desc)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorDestroyDesc(desc)), ACL_ERROR_RT_INVALID_HANDLE);
    assert_eq!(call!(acl.aclrtAllocatorRegister(stream, desc)), ACL_ERROR_RT_INVALID_HANDLE);

    let mut found = (aclrtAllocatorDesc::null(), aclrtAllocator::null());
    let mut functions: (
        aclrtAllocatorAllocFunc,
        aclrtAllocatorFreeFunc,
        aclrtAllocatorAllocAdviseFunc,
        aclrtAllocatorGetAddrFromBlockFunc,
    ) = (None, None, None, None);
    let mut query = || {
        call!(acl.aclrtAllocatorGetByStream(
            stream,
            &mut found.0,
            &mut found.1,
            &mut functions.0,
            &mut functions.1,
            &mut functions.2,
            &mut functions.3
        ))
    };
    assert_eq!(query(), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorUnregister(stream)), ACL_SUCCESS);
    assert_eq!(query(), ACL_ERROR_INVALID_PARAM);
    assert_eq!(found, (desc, object));
    assert!(functions.0.is_some() && functions.1.is_some() && functions.3.is_some());
    assert_eq!(functions.2.map(|function| function as usize), Some(advise as *const () as usize));
    // Again: documented to do nothing.
    assert_eq!(call!(acl.aclrtAllocatorUnregister(stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

unsafe extern "C" fn on_dump(_: *const acldumpChunk, _: i32) -> i32 {
    0
}

#[test]
fn dumps_are_configured_between_start_and_end() {
    let _turn = RUNTIME.lock();
    let acl = library();
    let folder = tempfile::tempdir().unwrap();
    let configure = |text: &str| {
        let file = folder.path().join("dump.json");
        fs::write(&file, text).unwrap();
        let path = CString::new(file.to_str().unwrap()).unwrap();
        call!(acl.aclmdlSetDump(path.as_ptr()))
    };
    let path = |kind| {
        let path = call!(acl.acldumpGetPath(kind));
        // SAFETY: Not null, hence a text that lives until the configuration changes.
        (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_str().unwrap().to_owned())
    };
    assert_eq!(call!(acl.aclmdlInitDump()), ACL_ERROR_UNINITIALIZE);
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclmdlFinalizeDump()), ACL_ERROR_DUMP_NOT_RUN);
    assert_eq!(configure(r#"{"dump": {"dump_path": "out"}}"#), ACL_ERROR_DUMP_NOT_RUN);
    assert_eq!(call!(acl.aclmdlInitDump()), ACL_SUCCESS);
    assert_eq!(call!(acl.aclmdlInitDump()), ACL_ERROR_DUMP_ALREADY_RUN);
    assert_eq!(path(DATA_DUMP), None);
    assert_eq!(configure(r#"{"dump": {"dump_path": "out", "dump_list": [{}]}}"#), ACL_SUCCESS);
    assert_eq!((path(DATA_DUMP).as_deref(), path(OVERFLOW_DUMP)), (Some("out"), None));
    assert_eq!(configure(r#"{"dump": {"dump_path": "flow", "dump_debug": "on"}}"#), ACL_SUCCESS);
    assert_eq!((path(DATA_DUMP), path(OVERFLOW_DUMP).as_deref()), (None, Some("flow")));
    for broken in [
        "{",
        "{}",
        r#"{"dump": {"dump_list": []}}"#,
        r#"{"dump": {"dump_path": 3}}"#,
        r#"{"dump": {"dump_path": "p", "dump_scene": "nothing"}}"#,
    ] {
        assert_eq!(configure(broken), ACL_ERROR_INVALID_DUMP_CONFIG, "{broken}");
    }
    // What was refused changed nothing.
    assert_eq!(path(OVERFLOW_DUMP).as_deref(), Some("flow"));
    assert_eq!(configure(r#"{"dump": {"dump_scene": "lite_exception"}}"#), ACL_SUCCESS);
    assert_eq!(path(AIC_ERR_BRIEF_DUMP).as_deref(), Some("."));
    assert_eq!(call!(acl.aclmdlSetDump(c"/nowhere/at/all.json".as_ptr())), ACL_ERROR_INVALID_FILE);
    assert_eq!(call!(acl.aclmdlSetDump(ptr::null())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclmdlFinalizeDump()), ACL_SUCCESS);
    assert_eq!(path(AIC_ERR_BRIEF_DUMP), None);

    assert_eq!(call!(acl.acldumpRegCallback(None, 0)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.acldumpRegCallback(Some(on_dump), 1)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.acldumpRegCallback(Some(on_dump), 0)), ACL_SUCCESS);
    call!(acl.acldumpUnregCallback());
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn operator_statistics_start_and_stop() {
    let _turn = RUNTIME.lock();
    let acl = library();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made/here");
    let path = CString::new(made.to_str().unwrap()).unwrap();
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclopStopDumpArgs(ACL_OP_DUMP_OP_AICORE_ARGS)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclopStartDumpArgs(2, path.as_ptr())), ACL_ERROR_INVALID_PARAM);
    let start = |path| call!(acl.aclopStartDumpArgs(ACL_OP_DUMP_OP_AICORE_ARGS, path));
    assert_eq!(start(ptr::null()), ACL_ERROR_INVALID_PARAM);
    assert_eq!(start(path.as_ptr()), ACL_SUCCESS);
    assert!(made.is_dir());
    assert_eq!(start(path.as_ptr()), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclopStopDumpArgs(ACL_OP_DUMP_OP_AICORE_ARGS)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn what_is_left_in_the_process_is_reported_and_gone() {
    let _turn = RUNTIME.lock();
    let acl = library();
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    let channel = call!(acl.acltdtCreateChannel(0, c"left".as_ptr()));
    let attr = call!(acl.acltdtCreateQueueAttr());
    let mut queue = 0;
    assert_eq!(call!(acl.acltdtCreateQueue(attr, &mut queue)), ACL_SUCCESS);
    assert_eq!(call!(acl.acltdtDestroyQueueAttr(attr)), ACL_SUCCESS);
    let desc = call!(acl.aclrtAllocatorCreateDesc());
    let mut object = 7_u32;
    let object = aclrtAllocator((&raw mut object).cast());
    assert_eq!(call!(acl.aclrtAllocatorSetObjToDesc(desc, object)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorSetAllocFuncToDesc(desc, Some(allocate))), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorSetFreeFuncToDesc(desc, Some(free))), ACL_SUCCESS);
    let code = call!(acl.aclrtAllocatorSetGetAddrFromBlockFuncToDesc(desc, Some(address)));
    assert_eq!(code, ACL_SUCCESS);
    let mut stream = aclrtStream::null();
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtAllocatorRegister(stream, desc)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtDestroyStream(stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclmdlInitDump()), ACL_SUCCESS);
    assert_eq!(call!(acl.acldumpRegCallback(Some(on_dump), 0)), ACL_SUCCESS);

    let expected = [
        (-1, Resource::AllocatorDescription),
        (-1, Resource::Allocator),
        (0, Resource::Channel),
        (-1, Resource::Queue(queue)),
    ]
    .map(|(device, resource)| Leak { device, resource });
    assert_eq!(ascendcl_sim::report().leaks, expected);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
    assert_eq!(ascendcl_sim::report().leaks, expected);

    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert!(ascendcl_sim::report().leaks.is_empty());
    assert_eq!(call!(acl.acltdtDestroyChannel(channel)), ACL_ERROR_RT_INVALID_HANDLE);
    assert_eq!(call!(acl.acltdtDestroyQueue(queue)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclrtAllocatorDestroyDesc(desc)), ACL_ERROR_RT_INVALID_HANDLE);
    // Dumps were neither begun nor has anybody asked for them.
    assert_eq!(call!(acl.aclmdlFinalizeDump()), ACL_ERROR_DUMP_NOT_RUN);
    call!(acl.acldumpUnregCallback());
    assert_eq!(call!(acl.aclrtGetLastError(ACL_RT_THREAD_LEVEL)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn only_packages_that_are_installed_have_a_version() {
    let _turn = RUNTIME.lock();
    let acl = library();
    let version = |name: &CStr| {
        let (mut text, mut number) = ([0; 128], 0);
        let code = call!(acl.aclsysGetVersionStr(name.as_ptr().cast_mut(), text.as_mut_ptr()));
        assert_eq!(call!(acl.aclsysGetVersionNum(name.as_ptr().cast_mut(), &mut number)), code);
        code
    };
    for name in [c"runtime", c"driver", c"firmware"] {
        assert_eq!(version(name), ACL_SUCCESS, "{name:?}");
    }
    for name in [c"", c"Runtime", c"no-such-package"] {
        assert_eq!(version(name), ACL_ERROR_INVALID_PARAM, "{name:?}");
    }
}
