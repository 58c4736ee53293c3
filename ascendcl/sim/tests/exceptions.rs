//! What the program is told of kernels that fail, and of faults of a device.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::{CString, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Mutex;

use ascendcl_sim::fault::{self, Fault};
use ascendcl_sim_cc::Build;
use ascendcl_sys::*;
use common::*;

/// A failure that the callback was told of: the device, then the function and the arguments of the kernel, or the code
/// that the question for them gave.
type Told = (u32, Result<(usize, Vec<u8>), aclError>);

/// The tasks that failed, by their devices.
static TASKS: Mutex<Vec<(u32, u32)>> = Mutex::new(Vec::new());

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

unsafe extern "C" fn tell(info: *mut aclrtExceptionInfo) {
    let device = code!(aclrtGetDeviceIdFromExceptionInfo(info));
    TASKS.lock().unwrap().push((device, code!(aclrtGetTaskIdFromExceptionInfo(info))));
    let (mut function, mut arguments, mut length) = (aclrtFuncHandle::null(), ptr::null_mut(), 0);
    let code = code!(aclrtGetFuncHandleFromExceptionInfo(info, &mut function));
    assert_eq!(code!(aclrtGetArgsFromExceptionInfo(info, &mut arguments, &mut length)), code);
    let kernel = if code == ACL_SUCCESS {
        // The callback runs on a thread of the runtime, which needs a context for the copy.
        ok!(aclrtSetDevice(device as i32));
        let bytes = download(arguments, length as usize);
        ok!(aclrtResetDevice(device as i32));
        Ok((function.0.addr(), bytes))
    } else {
        Err(code)
    };
    TOLD.lock().unwrap().push((device, kernel));
}

fn told(device: &TestDevice) -> Vec<Result<(usize, Vec<u8>), aclError>> {
    let told = TOLD.lock().unwrap();
    told.iter().filter(|told| told.0 == device.0 as u32).map(|told| told.1.clone()).collect()
}

fn launch_failing(function: aclrtFuncHandle, argument: &mut u64, stream: aclrtStream) {
    let argument: *mut c_void = ptr::from_mut(argument).cast();
    ok!(aclrtLaunchKernelWithHostArgs(function, 1, stream, ptr::null_mut(), argument, 8, ptr::null_mut(), 0));
}

#[test]
fn the_kernel_that_failed_is_told() {
    let device = TestDevice::take();
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scalar.cpp");
    let object = Build::new(folder.path().join("scalar.so")).source(source).run().unwrap().output;
    let path = CString::new(object.to_str().unwrap()).unwrap();
    let (mut binary, mut function) = (aclrtBinHandle::null(), aclrtFuncHandle::null());
    ok!(aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary));
    ok!(aclrtBinaryGetFunction(binary, c"fails".as_ptr(), &mut function));
    ok!(aclrtSetExceptionInfoCallback(Some(tell)));
    let (stream, memory) = (stream(), malloc(8));
    upload(memory, &[0; 8]);
    let mut argument = memory.addr() as u64;
    let expected = Ok((function.0.addr(), argument.to_ne_bytes().to_vec()));

    launch_failing(function, &mut argument, stream);
    fails!(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, aclrtSynchronizeStream(stream));
    // In a graph that was captured, and in one that was built by hand.
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
    launch_failing(function, &mut argument, stream);
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, aclrtSynchronizeStream(stream));
    let mut work = aclrtStream::null();
    ok!(aclrtCreateStreamWithConfig(&mut work, 0, ACL_STREAM_PERSISTENT));
    ok!(aclmdlRIBuildBegin(&mut graph, 0));
    ok!(aclmdlRIBindStream(graph, work, 0));
    launch_failing(function, &mut argument, work);
    ok!(aclmdlRIEndTask(graph, work));
    ok!(aclmdlRIBuildEnd(graph, ptr::null_mut()));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, aclrtSynchronizeStream(stream));
    assert_eq!(told(&device), [expected.clone(), expected.clone(), expected]);

    // A copy has neither function nor arguments.
    let _guard = fault::inject(device.0 as u32, Fault::AsyncCopy { nth: 1 });
    let host = pinned(1);
    let last_task = || {
        let mut task = 0;
        ok!(aclrtGetThreadLastTaskId(&mut task));
        task
    };
    let before = last_task();
    ok!(aclrtMemcpyAsync(memory, 1, host.cast(), 1, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    // The id of the thread's last task is the one that the failure names; another thread has none.
    let failing = last_task();
    assert_ne!(failing, before);
    assert_eq!(std::thread::spawn(last_task).join().unwrap(), 0);
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    let failed = TASKS.lock().unwrap().iter().rfind(|(id, _)| *id == device.0 as u32).copied();
    assert_eq!(failed, Some((device.0 as u32, failing)));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetThreadLastTaskId(ptr::null_mut()));
    assert_eq!(told(&device).last(), Some(&Err(ACL_ERROR_INVALID_PARAM)));
}

#[test]
fn exception_information_is_checked() {
    let _device = TestDevice::take();
    let (mut function, mut arguments, mut length) = (aclrtFuncHandle::null(), ptr::null_mut(), 0);
    let none = ptr::null();
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetFuncHandleFromExceptionInfo(none, &mut function));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetArgsFromExceptionInfo(none, &mut arguments, &mut length));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetFuncHandleFromExceptionInfo(none, ptr::null_mut()));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetArgsFromExceptionInfo(none, ptr::null_mut(), &mut length));
}

#[test]
fn a_lost_device_is_an_error_without_details() {
    let device = TestDevice::take();
    // SAFETY: The type is made of plain numbers and pointers.
    let mut info: aclrtErrorInfo = unsafe { std::mem::zeroed() };
    let ask = |info: &mut aclrtErrorInfo| {
        info.hasDetail = 9;
        info.tryRepair = 9;
        ok!(aclrtGetErrorVerbose(device.0, info));
        (info.errorType, info.hasDetail, info.tryRepair)
    };
    assert_eq!(ask(&mut info), (ACL_RT_NO_ERROR, 0, 0));
    let guard = fault::inject(device.0 as u32, Fault::DeviceLost);
    assert_eq!(ask(&mut info), (ACL_RT_ERROR_OTHERS, 0, 0));
    drop(guard);
    assert_eq!(ask(&mut info), (ACL_RT_NO_ERROR, 0, 0));
    fails!(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetErrorVerbose(64, &mut info));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetErrorVerbose(device.0, ptr::null_mut()));
}

#[test]
fn the_thread_may_use_what_its_device_is_limited_to() {
    let device = TestDevice::take();
    let (cube, vector) = (ACL_RT_DEV_RES_CUBE_CORE, ACL_RT_DEV_RES_VECTOR_CORE);
    let ask = |kind| {
        let mut cores = 0;
        ok!(aclrtGetResInCurrentThread(kind, &mut cores));
        cores
    };
    assert_eq!((ask(cube), ask(vector)), (20, 40));
    ok!(aclrtSetDeviceResLimit(device.0, vector, 7));
    assert_eq!((ask(cube), ask(vector)), (20, 7));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetResInCurrentThread(aclrtDevResLimitType(2), &mut 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetResInCurrentThread(cube, ptr::null_mut()));
    std::thread::spawn(|| {
        fails!(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetResInCurrentThread(ACL_RT_DEV_RES_CUBE_CORE, &mut 0))
    })
    .join()
    .unwrap();
}
