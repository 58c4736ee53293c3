//! Kernel objects, their functions and launches.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::LazyLock;

use ascendcl_sim_cc::Build;
use ascendcl_sys::*;
use common::*;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// The object of `tests/kernels/scalar.cpp`.
static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scalar.cpp");
    Build::new(FOLDER.path().join("scalar.so")).source(source).run().unwrap().output
});

fn load() -> aclrtBinHandle {
    let path = CString::new(OBJECT.to_str().unwrap()).unwrap();
    let mut binary = aclrtBinHandle::null();
    ok!(aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary));
    binary
}

fn function(binary: aclrtBinHandle, name: &std::ffi::CStr) -> aclrtFuncHandle {
    let mut function = aclrtFuncHandle::null();
    ok!(aclrtBinaryGetFunction(binary, name.as_ptr(), &mut function));
    function
}

fn append<T>(list: aclrtArgsHandle, mut value: T) -> aclrtParamHandle {
    let mut parameter = aclrtParamHandle::null();
    ok!(aclrtKernelArgsAppend(list, (&raw mut value).cast(), size_of::<T>(), &mut parameter));
    parameter
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Tiling {
    small: u8,
    large: u64,
    array: [u16; 3],
}

const TILING: Tiling = Tiling { small: 200, large: 1 << 40, array: [1, 2, 3] };
const EXPECTED: [u64; 8] = [3, -5i64 as u64, 250, -7i64 as u64, 12, 203 + (1 << 40), 5, 0];

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

#[test]
fn arguments_of_every_size_arrive() {
    let device = TestDevice::take();
    let (binary, stream) = (load(), stream());
    let describe = function(binary, c"describe");
    let out = malloc(3 * 64);
    let mut list = aclrtArgsHandle::null();
    ok!(aclrtKernelArgsInit(describe, &mut list));
    append(list, out);
    let number = append(list, 99i32);
    append(list, 250u8);
    append(list, -7i16);
    append(list, 12.5f64);
    append(list, TILING);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsFinalize(list));
    append(list, 2.5f32);
    ok!(aclrtKernelArgsFinalize(list));
    let mut changed = -5i32;
    ok!(aclrtKernelArgsParaUpdate(list, number, (&raw mut changed).cast(), 4));
    let launch = |blocks| {
        code!(aclrtLaunchKernelWithConfig(describe, blocks, stream, ptr::null_mut(), list, ptr::null_mut()))
    };
    assert_eq!(launch(3), ACL_ERROR_RT_PARAM_INVALID, "changed since it was final");
    ok!(aclrtKernelArgsFinalize(list));
    assert_eq!(launch(0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(launch(3), ACL_SUCCESS, "{}", message());
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(words(&download(out, 192)), [EXPECTED; 3].concat());

    // The same by an array of pointers.
    ok!(aclrtMemset(out, 192, 0, 192));
    let (a, b, c, d, tiling, e) = (-5i32, 250u8, -7i16, 12.5f64, TILING, 2.5f32);
    let mut pointers: [*mut c_void; 7] = [
        (&raw const out).cast_mut().cast(),
        (&raw const a).cast_mut().cast(),
        (&raw const b).cast_mut().cast(),
        (&raw const c).cast_mut().cast(),
        (&raw const d).cast_mut().cast(),
        (&raw const tiling).cast_mut().cast(),
        (&raw const e).cast_mut().cast(),
    ];
    ok!(aclrtLaunchKernelWithArgsArray(describe.0, 3, stream, ptr::null_mut(), pointers.as_mut_ptr()));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(words(&download(out, 192)), [EXPECTED; 3].concat());
    ok!(aclrtBinaryUnLoad(binary));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsFinalize(list));
    ok!(aclrtFree(out));
    assert_eq!(device.report().misuse.len(), 4);
}

#[test]
fn placeholders_take_small_data_along() {
    let _device = TestDevice::take();
    let (binary, stream) = (load(), stream());
    let add_one = function(binary, c"add_one");
    let values = malloc(16);
    upload(values, &[0; 16]);
    // In memory of the program.
    let mut memory = [0u64; 8];
    let list = aclrtArgsHandle(memory.as_mut_ptr().cast());
    let (mut handle_bytes, mut bytes) = (0, 0);
    ok!(aclrtKernelArgsGetHandleMemSize(add_one, &mut handle_bytes));
    assert!(handle_bytes <= 64);
    ok!(aclrtKernelArgsGetMemSize(add_one, 16 + 4, &mut bytes));
    let mut room = vec![0u8; bytes];
    ok!(aclrtKernelArgsInitByUserMem(add_one, list, room.as_mut_ptr().cast(), bytes));
    append(list, values);
    let mut parameter = aclrtParamHandle::null();
    ok!(aclrtKernelArgsAppendPlaceHolder(list, &mut parameter));
    let mut count = ptr::null_mut();
    ok!(aclrtKernelArgsGetPlaceHolderBuffer(list, parameter, 4, &mut count));
    let set = |value: u32| {
        // SAFETY: The buffer has 4 bytes and lives as long as the list.
        unsafe { count.cast::<u32>().write(value) }
    };
    ok!(aclrtKernelArgsFinalize(list));
    let gate = Gate::close_on(stream);
    set(3);
    ok!(aclrtLaunchKernelWithConfig(add_one, 1, stream, ptr::null_mut(), list, ptr::null_mut()));
    // What changes after the launch is for the next one.
    set(1);
    ok!(aclrtLaunchKernelWithConfig(add_one, 1, stream, ptr::null_mut(), list, ptr::null_mut()));
    set(4);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(values, 16), [2u32, 1, 1, 0].map(u32::to_ne_bytes).concat());

    // The same with the arguments in one piece of memory, the data behind them.
    let mut arguments = [values.addr() as u64, 0, 2];
    let mut info = aclrtPlaceHolderInfo { addrOffset: 8, dataOffset: 16 };
    ok!(aclrtLaunchKernelWithHostArgs(
        add_one,
        1,
        stream,
        ptr::null_mut(),
        arguments.as_mut_ptr().cast(),
        24,
        &mut info,
        1
    ));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(values, 16), [3u32, 2, 1, 0].map(u32::to_ne_bytes).concat());
}

#[test]
fn launches_keep_the_order_of_the_stream_and_can_be_captured() {
    let _device = TestDevice::take();
    let (binary, stream) = (load(), stream());
    let add_one = function(binary, c"add_one");
    let (values, count, arguments) = (malloc(64), malloc(4), malloc(16));
    upload(count, &2u32.to_ne_bytes());
    upload(values, &[0; 8]);
    // The arguments are read when the kernel starts, after a copy that is queued before it.
    let bytes = pinned(16);
    let gate = Gate::close_on(stream);
    ok!(aclrtMemcpyAsync(arguments, 16, bytes.cast(), 16, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    ok!(aclrtLaunchKernel(add_one, 1, arguments, 16, stream));
    for (index, address) in [values, count].into_iter().enumerate() {
        // SAFETY: Page-locked memory of 16 bytes.
        unsafe { bytes.cast::<usize>().add(index).write(address.addr()) };
    }
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(values, 8), [1u32, 1].map(u32::to_ne_bytes).concat());

    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    ok!(aclrtLaunchKernel(add_one, 1, arguments, 16, stream));
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    assert_eq!(download(values, 8), [1u32, 1].map(u32::to_ne_bytes).concat());
    for _ in 0..3 {
        ok!(aclmdlRIExecuteAsync(graph, stream));
    }
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(values, 8), [4u32, 4].map(u32::to_ne_bytes).concat());
    ok!(aclmdlRIDestroy(graph));
}

#[test]
fn functions_say_what_they_are() {
    let _device = TestDevice::take();
    let data = std::fs::read(&*OBJECT).unwrap();
    let mut binary = aclrtBinHandle::null();
    ok!(aclrtBinaryLoadFromData(data.as_ptr().cast(), data.len(), ptr::null(), &mut binary));
    let cube = function(binary, c"tell_cube");
    let mut vector = aclrtFuncHandle::null();
    ok!(aclrtBinaryGetFunctionByEntry(binary, 7, &mut vector));
    fails!(ACL_ERROR_RT_KERNEL_LOOKUP, aclrtBinaryGetFunctionByEntry(binary, 8, &mut vector));
    let mut name = [1i8; 20];
    ok!(aclrtGetFunctionName(vector, 20, name.as_mut_ptr().cast()));
    assert_eq!(name[..14], b"tell_vector_7\0".map(|byte| byte as i8));
    for (function, kind, ratio, on_cube) in [(cube, 1, 1 << 16, true), (vector, 2, 1, false)] {
        let mut value = 0;
        ok!(aclrtGetFunctionAttribute(function, ACL_FUNC_ATTR_KERNEL_TYPE, &mut value));
        assert_eq!(value, kind);
        ok!(aclrtGetFunctionAttribute(function, ACL_FUNC_ATTR_KERNEL_RATIO, &mut value));
        assert_eq!(value, ratio);
        let (mut aic, mut aiv) = (ptr::null_mut(), ptr::null_mut());
        ok!(aclrtGetFunctionAddr(function, &mut aic, &mut aiv));
        assert_eq!((aic.is_null(), aiv.is_null()), (!on_cube, on_cube));
    }
    // Each ran the variant of its own kind of core.
    let (stream, out, arguments) = (stream(), malloc(8), malloc(8));
    upload(arguments, &out.addr().to_ne_bytes());
    for function in [cube, vector] {
        ok!(aclrtLaunchKernel(function, 1, arguments, 8, stream));
    }
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(out, 8), [1u32, 2].map(u32::to_ne_bytes).concat());
}

#[test]
fn a_kernel_that_fails_fails_its_stream() {
    let device = TestDevice::take();
    let (binary, stream) = (load(), stream());
    let (out, arguments) = (malloc(4), malloc(8));
    upload(arguments, &out.addr().to_ne_bytes());
    ok!(aclrtLaunchKernel(function(binary, c"fails"), 1, arguments, 8, stream));
    fails_with_text(stream);
    let report = device.report();
    assert!(report.misuse.iter().any(|misuse| misuse.message.contains("x > 0")), "{report}");
}

fn fails_with_text(stream: aclrtStream) {
    assert_eq!(code!(aclrtSynchronizeStream(stream)), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
    let text = message();
    assert!(text.contains("kernel fails") && text.contains("assertion `x > 0` failed"), "{text}");
}

#[test]
fn misuse_is_told() {
    let _device = TestDevice::take();
    let (binary, stream) = (load(), stream());
    let add_one = function(binary, c"add_one");
    let mut function = aclrtFuncHandle::null();
    fails!(ACL_ERROR_RT_KERNEL_LOOKUP, aclrtBinaryGetFunction(binary, c"none".as_ptr(), &mut function));
    let mut other = aclrtBinHandle::null();
    fails!(ACL_ERROR_INVALID_FILE, aclrtBinaryLoadFromFile(c"/none.o".as_ptr(), ptr::null_mut(), &mut other));
    let text = b"not an object";
    assert_eq!(
        code!(aclrtBinaryLoadFromData(text.as_ptr().cast(), text.len(), ptr::null(), &mut other)),
        ACL_ERROR_INVALID_FILE
    );
    assert!(message().contains("cargo xtask sim-cc"));
    let data = malloc(16);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_one, 1, data, 8, stream));
    let host = [0u64; 2];
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_one, 1, host.as_ptr().cast(), 16, stream));
    let mut list = aclrtArgsHandle::null();
    ok!(aclrtKernelArgsInit(add_one, &mut list));
    let (mut value, mut parameter) = (0u32, aclrtParamHandle::null());
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtKernelArgsAppend(list, (&raw mut value).cast(), 4, &mut parameter)
    );
    ok!(aclrtBinaryUnLoad(binary));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtLaunchKernel(add_one, 1, data, 16, stream));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryUnLoad(binary));
}
