//! The overflow of operators: when it is kept, what asks for it, and what results become.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod operators;

use std::ffi::CStr;
use std::ptr;

use ascendcl_sys::*;
use common::*;
use operators::*;

/// The status of a stream, in its first number; the rest is zeros.
fn status(stream: aclrtStream) -> u32 {
    let memory = malloc(64);
    upload(memory, &[0xff; 64]);
    ok!(aclrtGetOverflowStatus(memory, 64, stream));
    ok!(aclrtSynchronizeStream(stream));
    let bytes = download(memory, 64);
    ok!(aclrtFree(memory));
    assert_eq!(bytes[4..], [0; 60]);
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn reset(stream: aclrtStream) {
    ok!(aclrtResetOverflowStatus(stream));
    ok!(aclrtSynchronizeStream(stream));
}

/// Runs an operator on a stream.
fn run_on(
    stream: aclrtStream,
    name: &CStr,
    (code, size, executor): (i32, u64, *mut aclOpExecutor),
    out: &Tensor,
) -> Vec<f64> {
    assert_eq!(code, 0, "{}", message());
    let workspace = if size > 0 { malloc(size as usize) } else { ptr::null_mut() };
    assert_eq!(second(name, workspace, size, executor, stream), 0, "{}", message());
    ok!(aclrtSynchronizeStream(stream));
    out.values()
}

/// `a + a` on a stream.
fn double(a: &Tensor, out: &Tensor, stream: aclrtStream) -> Vec<f64> {
    run_on(stream, c"aclnnAdd", add_first(a, a, int_scalar(1), out), out)
}

fn saturating_stream() -> aclrtStream {
    ok!(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION));
    let stream = stream();
    ok!(aclrtSetStreamOverflowSwitch(stream, 1));
    ok!(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_INFNAN));
    stream
}

#[test]
fn results_saturate_and_tell_on_streams_of_that_mode() {
    let _device = TestDevice::take();
    let a = Tensor::new(ACL_FLOAT16, &[3], &[40_000., -65_504., 1.]);
    let out = Tensor::new(ACL_FLOAT16, &[3], &[0.; 3]);
    // By default a result is infinite, and nothing is kept.
    let plain = stream();
    let stream = saturating_stream();
    assert_eq!(double(&a, &out, plain), [f64::INFINITY, f64::NEG_INFINITY, 2.]);
    assert_eq!(status(plain), 0);
    assert_eq!(double(&a, &out, stream), [65_504., -65_504., 2.]);
    assert_eq!(status(stream), 1);
    // It is that of the device, and stays until it is reset in stream order.
    assert_eq!(status(plain), 1);
    assert_eq!(status(stream), 1);
    reset(plain);
    assert_eq!(status(stream), 0);
    let b = Tensor::new(ACL_FLOAT16, &[3], &[32_752., -1., 0.]);
    assert_eq!(double(&b, &out, stream), [65_504., -2., 0.], "the largest number is no overflow");
    assert_eq!(status(stream), 0);
    // In a graph the stream of the capture counts, not the one that runs it.
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    let (code, size, executor) = add_first(&a, &a, int_scalar(1), &out);
    assert_eq!((code, size), (0, 0), "{}", message());
    assert_eq!(second(c"aclnnAdd", ptr::null_mut(), 0, executor, stream), 0, "{}", message());
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    ok!(aclmdlRIExecuteAsync(graph, plain));
    ok!(aclrtSynchronizeStream(plain));
    assert_eq!((out.values(), status(plain)), (vec![65_504., -65_504., 2.], 1));
    ok!(aclmdlRIDestroy(graph));
    reset(plain);
    // The common type overflows, and not that of the result.
    let wide = Tensor::new(ACL_FLOAT, &[3], &[0.; 3]);
    assert_eq!(double(&a, &wide, stream), [65_504., -65_504., 2.]);
    assert_eq!(status(stream), 1);
}

#[test]
fn every_operator_and_type_tells() {
    let _device = TestDevice::take();
    ok!(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION));
    let mut mode = ACL_RT_OVERFLOW_MODE_UNDEF;
    ok!(aclrtGetDeviceSatMode(&mut mode));
    assert_eq!(mode, ACL_RT_OVERFLOW_MODE_SATURATION);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_UNDEF));
    let stream = saturating_stream();
    let bf16_max = (2. - 2f64.powi(-7)) * 2f64.powi(127);
    for (data_type, value, largest) in [
        (ACL_FLOAT16, 300., 65_504.),
        (ACL_BF16, 2f64.powi(70), bf16_max),
        (ACL_FLOAT, 2f64.powi(70), f32::MAX.into()),
    ] {
        let a = Tensor::new(data_type, &[1, 1], &[value]);
        let out = Tensor::new(data_type, &[1, 1], &[0.]);
        assert_eq!(run_on(stream, c"aclnnMul", mul_first(&a, &a, &out), &out), [largest]);
        assert_eq!(status(stream), 1);
        reset(stream);
        assert_eq!(run_on(stream, c"aclnnMatmul", matmul_first(&a, &a, &out, 0), &out), [largest]);
        assert_eq!(status(stream), 1);
        reset(stream);
    }
    // An integer that the type of the result does not hold; integers themselves wrap around.
    let a = Tensor::new(ACL_INT32, &[1], &[40_000.]);
    let half = Tensor::new(ACL_FLOAT16, &[1], &[0.]);
    assert_eq!(double(&a, &half, stream), [65_504.]);
    assert_eq!(status(stream), 1);
    reset(stream);
    let a = Tensor::new(ACL_INT32, &[1], &[2_000_000_000.]);
    let whole = Tensor::new(ACL_INT32, &[1], &[0.]);
    assert_eq!(double(&a, &whole, stream), [(4_000_000_000i64 - (1 << 32)) as f64]);
    assert_eq!(status(stream), 0);
}

#[test]
fn switches_and_groups_decide_who_hears_of_it() {
    let _device = TestDevice::take();
    let a = Tensor::new(ACL_FLOAT16, &[1], &[60_000.]);
    let out = Tensor::new(ACL_FLOAT16, &[1], &[0.]);
    let (first, second) = (saturating_stream(), saturating_stream());
    for on in [0, 1] {
        ok!(aclrtSetStreamOverflowSwitch(first, on));
        assert_eq!(double(&a, &out, first), [65_504.]);
        assert_eq!(status(first), on);
        reset(first);
    }
    let mut on = 1;
    ok!(aclrtGetStreamOverflowSwitch(stream(), &mut on));
    assert_eq!(on, 0, "as documented");
    let group = |stream, tag| {
        let mut value = aclrtStreamAttrValue { userCustomTag: tag };
        ok!(aclrtSetStreamAttribute(stream, ACL_STREAM_ATTR_USER_CUSTOM_TAG, &mut value));
    };
    let everywhere = stream();
    group(first, 7);
    group(second, 8);
    double(&a, &out, first);
    assert_eq!((status(first), status(second), status(everywhere)), (1, 0, 1));
    reset(second);
    assert_eq!((status(first), status(everywhere)), (1, 1));
    reset(first);
    assert_eq!((status(first), status(everywhere)), (0, 0));
    double(&a, &out, first);
    double(&a, &out, second);
    reset(everywhere);
    assert_eq!((status(first), status(second)), (0, 0));
}

#[test]
fn the_status_goes_to_device_memory_of_its_size() {
    let _device = TestDevice::take();
    let (stream, memory) = (stream(), malloc(64));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetOverflowStatus(memory, 8, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetOverflowStatus(ptr::null_mut(), 64, stream));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtGetOverflowStatus(pinned(64).cast(), 64, stream));
    assert_eq!(status(stream), 0);
}
