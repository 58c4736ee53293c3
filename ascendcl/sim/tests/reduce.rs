//! Reductions, prefetches, and the status of the device that operators would change.

#[macro_use]
mod table;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use half::{bf16, f16};
use table::{RUNTIME, library};

/// Runs a test with a runtime, a device and a stream.
fn with_stream(test: impl FnOnce(&Library, aclrtStream)) {
    let _turn = RUNTIME.lock();
    let acl = library();
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    let mut stream = aclrtStream::null();
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);
    test(&acl, stream);
    assert_eq!(call!(acl.aclrtDestroyStream(stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

/// Device memory with these values.
fn upload<T: Copy>(acl: &Library, values: &[T]) -> *mut c_void {
    let size = size_of_val(values);
    let mut device = ptr::null_mut();
    assert_eq!(call!(acl.aclrtMalloc(&mut device, size, ACL_MEM_MALLOC_HUGE_FIRST)), ACL_SUCCESS);
    let code = call!(acl.aclrtMemcpy(device, size, values.as_ptr().cast(), size, ACL_MEMCPY_HOST_TO_DEVICE));
    assert_eq!(code, ACL_SUCCESS);
    device
}

fn download<T: Copy + Default>(acl: &Library, device: *const c_void, count: usize) -> Vec<T> {
    let mut values = vec![T::default(); count];
    let size = size_of_val(&values[..]);
    let code =
        call!(acl.aclrtMemcpy(values.as_mut_ptr().cast(), size, device, size, ACL_MEMCPY_DEVICE_TO_HOST));
    assert_eq!(code, ACL_SUCCESS);
    values
}

fn reduced<T: Copy + Default>(
    acl: &Library,
    stream: aclrtStream,
    kind: aclrtReduceKind,
    data_type: aclDataType,
    [to, from]: [&[T]; 2],
) -> Vec<T> {
    let (dst, src) = (upload(acl, to), upload(acl, from));
    let bytes = size_of_val(to) as u64;
    let code = call!(acl.aclrtReduceAsync(dst, src, bytes, kind, data_type, stream, ptr::null_mut()));
    assert_eq!(code, ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
    let result = download(acl, dst, to.len());
    for memory in [dst, src] {
        assert_eq!(call!(acl.aclrtFree(memory)), ACL_SUCCESS);
    }
    result
}

const SUM: aclrtReduceKind = ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
const MAX: aclrtReduceKind = ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX;
const MIN: aclrtReduceKind = ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN;

#[test]
fn integers_are_reduced() {
    with_stream(|acl, stream| {
        let values: [&[i8]; 2] = [&[1, -5, 127], &[2, -7, 1]];
        assert_eq!(reduced(acl, stream, SUM, ACL_INT8, values), [3, -12, -128]);
        assert_eq!(reduced(acl, stream, MAX, ACL_INT8, values), [2, -5, 127]);
        assert_eq!(reduced(acl, stream, MIN, ACL_INT8, values), [1, -7, 1]);
        let values: [&[i16]; 2] = [&[300, -300], &[-1, 1]];
        assert_eq!(reduced(acl, stream, SUM, ACL_INT16, values), [299, -299]);
        let values: [&[i32]; 2] = [&[1 << 20, -1], &[1, -(1 << 20)]];
        assert_eq!(reduced(acl, stream, SUM, ACL_INT32, values), [(1 << 20) + 1, -(1 << 20) - 1]);
        assert_eq!(reduced(acl, stream, MIN, ACL_INT32, values), [1, -(1 << 20)]);
    });
}

#[test]
fn half_precision_sums_are_rounded_once() {
    with_stream(|acl, stream| {
        let numbers =
            |seed: u32| (0..512_u32).map(move |i| (i.wrapping_mul(seed) % 4093) as f32 / 37.0 - 50.0);
        let [a, b] = [2_654_435_761, 40503].map(|seed| numbers(seed).map(f16::from_f32).collect::<Vec<_>>());
        // The sum of two halves has few enough bits for single precision to hold it, unless they are far apart.
        let expected: Vec<f16> =
            a.iter().zip(&b).map(|(a, b)| f16::from_f64(a.to_f64() + b.to_f64())).collect();
        assert_eq!(reduced(acl, stream, SUM, ACL_FLOAT16, [&a, &b]), expected);
        let greatest: Vec<f16> = a.iter().zip(&b).map(|(a, b)| if a > b { *a } else { *b }).collect();
        assert_eq!(reduced(acl, stream, MAX, ACL_FLOAT16, [&a, &b]), greatest);

        let [a, b] = [97, 7919].map(|seed| numbers(seed).map(bf16::from_f32).collect::<Vec<_>>());
        let expected: Vec<bf16> =
            a.iter().zip(&b).map(|(a, b)| bf16::from_f64(a.to_f64() + b.to_f64())).collect();
        assert_eq!(reduced(acl, stream, SUM, ACL_BF16, [&a, &b]), expected);
        assert!(reduced(acl, stream, SUM, ACL_BF16, [&[bf16::NAN], &[bf16::ONE]])[0].is_nan());
        assert_eq!(reduced(acl, stream, SUM, ACL_FLOAT, [&[1.5_f32], &[2.25]]), [3.75]);
    });
}

#[test]
fn a_captured_reduction_adds_whenever_its_graph_runs() {
    with_stream(|acl, stream| {
        let (dst, src) = (upload(acl, &[10_i32, 20]), upload(acl, &[1_i32, 2]));
        let mut graph = aclmdlRI::null();
        assert_eq!(call!(acl.aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL)), ACL_SUCCESS);
        let code = call!(acl.aclrtReduceAsync(dst, src, 8, SUM, ACL_INT32, stream, ptr::null_mut()));
        assert_eq!(code, ACL_SUCCESS);
        assert_eq!(call!(acl.aclmdlRICaptureEnd(stream, &mut graph)), ACL_SUCCESS);
        assert_eq!(download::<i32>(acl, dst, 2), [10, 20]);
        for _ in 0..3 {
            assert_eq!(call!(acl.aclmdlRIExecuteAsync(graph, stream)), ACL_SUCCESS);
        }
        assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
        assert_eq!(download::<i32>(acl, dst, 2), [13, 26]);
    });
}

#[test]
fn impossible_reductions_are_refused() {
    with_stream(|acl, stream| {
        let (dst, src) = (upload(acl, &[1_i32, 2]), upload(acl, &[1_i32, 2]));
        let reduce = |dst, src, bytes, kind, data_type| {
            call!(acl.aclrtReduceAsync(dst, src, bytes, kind, data_type, stream, ptr::null_mut()))
        };
        let mut host = [0_i32; 2];
        let host: *mut c_void = host.as_mut_ptr().cast();
        assert_eq!(reduce(ptr::null_mut(), src, 8, SUM, ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(dst, ptr::null_mut(), 8, SUM, ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(host, src, 8, SUM, ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(dst, src, 7, SUM, ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(dst, src, 0, SUM, ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(dst, src, 16, SUM, ACL_INT32), ACL_ERROR_RT_PARAM_INVALID);
        assert_eq!(reduce(dst, src, 8, SUM, ACL_DOUBLE), ACL_ERROR_INVALID_PARAM);
        assert_eq!(reduce(dst, src, 8, aclrtReduceKind(9), ACL_INT32), ACL_ERROR_INVALID_PARAM);
        assert_eq!(download::<i32>(acl, dst, 2), [1, 2]);
        let freed = dst;
        assert_eq!(call!(acl.aclrtFree(freed)), ACL_SUCCESS);
        assert_eq!(reduce(freed, src, 8, SUM, ACL_INT32), ACL_ERROR_RT_PARAM_INVALID);
    });
}

#[test]
fn prefetches_are_checked() {
    with_stream(|acl, stream| {
        let memory = upload(acl, &[0_u8; 64]);
        let prefetch = |memory, size, kind| call!(acl.aclrtCmoAsync(memory, size, kind, stream));
        assert_eq!(prefetch(memory, 64, ACL_RT_CMO_TYPE_PREFETCH), ACL_SUCCESS);
        assert_eq!(prefetch(memory, 65, ACL_RT_CMO_TYPE_PREFETCH), ACL_ERROR_RT_PARAM_INVALID);
        assert_eq!(prefetch(memory, 64, ACL_RT_CMO_TYPE_FLUSH), ACL_ERROR_INVALID_PARAM);
        assert_eq!(prefetch(ptr::null_mut(), 64, ACL_RT_CMO_TYPE_PREFETCH), ACL_ERROR_INVALID_PARAM);
        let mut host = [0_u8; 64];
        let code = prefetch(host.as_mut_ptr().cast(), 64, ACL_RT_CMO_TYPE_PREFETCH);
        assert_eq!(code, ACL_ERROR_INVALID_PARAM);
        assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
    });
}

#[test]
fn the_process_on_the_host_is_this_one() {
    with_stream(|acl, _| {
        let mut process = 0;
        assert_eq!(call!(acl.aclrtDeviceGetBareTgid(&mut process)), ACL_SUCCESS);
        assert_eq!(process.cast_unsigned(), std::process::id());
    });
}
