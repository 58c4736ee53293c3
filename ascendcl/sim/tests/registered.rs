//! Host memory that is registered for a device: who reaches it, and when it may go.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod operators;

use std::ffi::{CString, c_void};
use std::path::Path;
use std::ptr;

use ascendcl_sim_cc::Build;
use ascendcl_sys::*;
use common::*;
use operators::Tensor;

/// The elements that a block of the kernel takes.
const TILE: usize = 64;
const BYTES: usize = TILE * size_of::<f32>();

/// A vector kernel that writes `x + 1` to `y`, through the cores' own memory.
fn add_one(folder: &tempfile::TempDir) -> aclrtFuncHandle {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/add_one_queues.cpp");
    let object = Build::new(folder.path().join("add_one.so")).source(source).run().unwrap().output;
    let path = CString::new(object.to_str().unwrap()).unwrap();
    let (mut binary, mut function) = (aclrtBinHandle::null(), aclrtFuncHandle::null());
    ok!(aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary));
    ok!(aclrtBinaryGetFunction(binary, c"add_one_queues".as_ptr(), &mut function));
    function
}

fn launch(function: aclrtFuncHandle, from: *mut c_void, to: *mut c_void, stream: aclrtStream) -> aclError {
    let tiles = 1u32;
    let mut arguments: [*mut c_void; 3] = [
        (&raw const from).cast_mut().cast(),
        (&raw const to).cast_mut().cast(),
        (&raw const tiles).cast_mut().cast(),
    ];
    let (blocks, none) = (1, ptr::null_mut());
    ok!(aclrtLaunchKernelWithArgsArray(function.0, blocks, stream, none, arguments.as_mut_ptr()));
    code!(aclrtSynchronizeStream(stream))
}

fn register(memory: *mut u8, flags: u64) -> aclError {
    code!(aclrtHostRegisterV2(memory.cast(), BYTES as u64, flags as u32))
}

/// The address for the device.
fn mapped(memory: *mut u8) -> *mut c_void {
    let mut address = ptr::null_mut();
    ok!(aclrtHostGetDevicePointer(memory.cast(), &mut address, 0));
    address
}

fn fill(memory: *mut u8, value: f32) {
    for index in 0..TILE {
        // SAFETY: The tests' blocks have a tile each, of pages.
        unsafe { memory.cast::<f32>().add(index).write(value) };
    }
}

fn seen(memory: *mut u8) -> Vec<f32> {
    // SAFETY: As above.
    (0..TILE).map(|index| unsafe { memory.cast::<f32>().add(index).read_volatile() }).collect()
}

#[test]
fn kernels_reach_what_is_registered_and_mapped_and_nothing_else_of_the_host() {
    let device = TestDevice::take();
    let folder = tempfile::tempdir().unwrap();
    let (function, stream) = (add_one(&folder), stream());
    let (from, to) = (pinned(BYTES), pinned(BYTES));
    fill(from, 2.);
    fill(to, 0.);
    // Page-locked is not enough.
    assert_eq!(launch(function, from.cast(), to.cast(), stream), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
    for memory in [from, to] {
        assert_eq!(register(memory, ACL_HOST_REG_MAPPED.into()), ACL_SUCCESS, "{}", message());
    }
    assert_eq!(launch(function, mapped(from), mapped(to), stream), ACL_SUCCESS, "{}", message());
    assert_eq!(seen(to), [3.; TILE]);
    // Memory of the program's own, by the older function, beside memory of the device.
    let mut pages = vec![0u8; 2 * 4096];
    let own = pages.as_mut_ptr().wrapping_add(pages.as_ptr().align_offset(4096));
    fill(own, 7.);
    let mut address = ptr::null_mut();
    ok!(aclrtHostRegister(own.cast(), BYTES as u64, ACL_HOST_REGISTER_MAPPED, &mut address));
    let result = malloc(BYTES);
    assert_eq!(launch(function, address, result, stream), ACL_SUCCESS, "{}", message());
    assert_eq!(download(result, BYTES), [8f32; TILE].map(f32::to_ne_bytes).concat());
    // Not any more.
    ok!(aclrtHostUnregister(own.cast()));
    assert_eq!(launch(function, address, result, stream), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
    for memory in [from, to] {
        ok!(aclrtHostUnregister(memory.cast()));
        ok!(aclrtFreeHost(memory.cast()));
    }
    ok!(aclrtFree(result));
    ok!(aclrtDestroyStream(stream));
    assert!(device.report().leaks.is_empty(), "{}", device.report());
}

#[test]
fn operators_reach_what_is_mapped() {
    let _device = TestDevice::take();
    let a = Tensor::new(ACL_FLOAT, &[2], &[1., 2.]);
    let out = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    let host = pinned(BYTES);
    fill(host, 5.);
    ok!(aclSetRawTensorAddr(out.handle, host.cast()));
    let add = || {
        let (code, size, executor) = operators::add_first(&a, &a, operators::scalar(1.), &out);
        assert_eq!((code, size), (0, 0), "{}", message());
        operators::run(c"aclnnAdd", 0, executor)
    };
    assert_eq!(add(), 361_001, "the runtime refuses memory that is only page-locked");
    assert_eq!(register(host, ACL_HOST_REG_MAPPED.into()), ACL_SUCCESS);
    assert_eq!(add(), 0, "{}", message());
    assert_eq!(seen(host)[..3], [2., 4., 5.]);
}

#[test]
fn registrations_are_checked() {
    let (first, second) = (TestDevice::take(), TestDevice::take());
    ok!(aclrtSetDevice(first.0));
    let (mapping, locking): (u64, u64) = (ACL_HOST_REG_MAPPED.into(), ACL_HOST_REG_PINNED.into());
    let memory = pinned(3 * 4096);
    let mut address = ptr::null_mut();
    // It is page-locked already.
    assert_eq!(register(memory, locking), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(register(memory, mapping | locking), ACL_ERROR_RT_PARAM_INVALID);
    // A part of it, and no bytes twice.
    assert_eq!(register(memory.wrapping_add(4096), mapping), ACL_SUCCESS);
    assert_eq!(register(memory.wrapping_add(4096), mapping), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtHostRegisterV2(memory.cast(), 8192, mapping as u32));
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtHostRegisterV2(memory.wrapping_add(8192).cast(), 8192, mapping as u32)
    );
    assert_eq!(mapped(memory.wrapping_add(4100)), memory.wrapping_add(4100).cast());
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtHostGetDevicePointer(memory.cast(), &mut address, 0));
    // It is mapped for the device of the context.
    ok!(aclrtSetDevice(second.0));
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        aclrtHostGetDevicePointer(memory.wrapping_add(4096).cast(), &mut address, 0)
    );
    ok!(aclrtSetDevice(first.0));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtHostUnregister(memory.cast()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFreeHost(memory.cast()));
    ok!(aclrtHostUnregister(memory.wrapping_add(4096).cast()));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtHostUnregister(memory.wrapping_add(4096).cast()));
    ok!(aclrtFreeHost(memory.cast()));

    // Page-locked memory of the program's own is not mapped.
    let mut pages = vec![0u8; 2 * 4096];
    let own = pages.as_mut_ptr().wrapping_add(pages.as_ptr().align_offset(4096));
    assert_eq!(register(own, locking), ACL_SUCCESS, "{}", message());
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtHostGetDevicePointer(own.cast(), &mut address, 0));
    ok!(aclrtHostUnregister(own.cast()));
    assert_eq!(register(own, mapping | locking), ACL_SUCCESS, "{}", message());
    assert_eq!(mapped(own), own.cast());
    ok!(aclrtHostUnregister(own.cast()));
}
