//! The operators of the simulator itself: what they compute, against formulas in double precision, and what they refuse.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
#[macro_use]
mod operators;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use common::{TestDevice, malloc, message, stream};
use operators::*;
use proptest::prelude::*;

const NULL_POINTER: i32 = 161_001;
const INVALID: i32 = 161_002;
const RUNTIME_ERROR: i32 = 361_001;
const INNER_NULL_POINTER: i32 = 561_103;

#[test]
fn sums_in_every_type_with_alpha_and_broadcasting() {
    let _device = TestDevice::take();
    for data_type in [ACL_FLOAT, ACL_FLOAT16, ACL_BF16] {
        let a = Tensor::new(data_type, &[2, 3], &[1., 2., 3., 4., 5., 6.]);
        let b = Tensor::new(data_type, &[3], &[10., 20., 30.]);
        let out = Tensor::new(data_type, &[2, 3], &[0.; 6]);
        assert_eq!(add(&a, &b, scalar(1.0), &out), [11., 22., 33., 14., 25., 36.]);
        assert_eq!(add(&a, &b, scalar(-0.5), &out), [-4., -8., -12., -1., -5., -9.]);
        // A column and a row.
        let column = Tensor::new(data_type, &[2, 1], &[100., 200.]);
        assert_eq!(add(&column, &b, scalar(1.0), &out), [110., 120., 130., 210., 220., 230.]);
        let column = Tensor::new(data_type, &[2, 1], &[2., -4.]);
        assert_eq!(mul(&column, &b, &out), [20., 40., 60., -40., -80., -120.]);
    }
    let a = Tensor::new(ACL_INT32, &[3], &[7., -7., f64::from(i32::MAX)]);
    let b = Tensor::new(ACL_INT32, &[1], &[3.]);
    let out = Tensor::new(ACL_INT32, &[3], &[0.; 3]);
    assert_eq!(add(&a, &b, int_scalar(2), &out), [13., -1., f64::from(i32::MIN) + 5.]);
    assert_eq!(mul(&a, &b, &out), [21., -21., f64::from(i32::MAX) - 2.]);
}

#[test]
fn results_are_rounded_once_to_the_common_type() {
    let _device = TestDevice::take();
    // fp16 has steps of 2 from 2048 on: 2049 is a tie and goes to the even 2048, 2051 to 2052.
    let a = Tensor::new(ACL_FLOAT16, &[2], &[2048., 2048.]);
    let b = Tensor::new(ACL_FLOAT16, &[2], &[1., 3.]);
    let out = Tensor::new(ACL_FLOAT16, &[2], &[0.; 2]);
    assert_eq!(add(&a, &b, scalar(1.0), &out), [2048., 2052.]);
    // Beside fp32 the common type is fp32, which holds them.
    let wide = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    let ones = Tensor::new(ACL_FLOAT, &[2], &[1., 3.]);
    assert_eq!(add(&a, &ones, scalar(1.0), &wide), [2049., 2051.]);
    // Of two fp16 it is fp16, also where the result is written as fp32.
    assert_eq!(add(&a, &b, scalar(1.0), &wide), [2048., 2052.]);
    // bf16 has 8 bits: steps of 2 from 256 on.
    let a = Tensor::new(ACL_BF16, &[2], &[256., 256.]);
    let b = Tensor::new(ACL_BF16, &[2], &[1., 3.]);
    let out = Tensor::new(ACL_BF16, &[2], &[0.; 2]);
    assert_eq!(add(&a, &b, scalar(1.0), &out), [256., 260.]);
    // An int32 beside bf16 is bf16: 257 is 256 there.
    let integers = Tensor::new(ACL_INT32, &[2], &[257., 2.]);
    assert_eq!(mul(&b, &integers, &out), [256., 6.]);
    // The sum of two products is rounded between them: 1/3 in fp32.
    let third = f64::from(1.0f32 / 3.0);
    let a = Tensor::new(ACL_FLOAT, &[1], &[-third]);
    let b = Tensor::new(ACL_FLOAT, &[1], &[3.0]);
    let out = Tensor::new(ACL_FLOAT, &[1], &[0.]);
    assert_eq!(add(&a, &b, scalar(1.0 / 9.0), &out), [f64::from(-(third as f32) + (1.0f32 / 9.0) * 3.0)]);
}

#[test]
fn views_are_read_and_written_where_they_are() {
    let _device = TestDevice::take();
    let numbers: Vec<f64> = (0..12).map(f64::from).collect();
    // A transposed view of 3 by 4, from element 1 on, two columns of it: 1 5 9 / 2 6 10.
    let a = Tensor::view(ACL_FLOAT, &numbers, &[2, 3], Some(&[1, 4]), 1);
    let b = Tensor::view(ACL_FLOAT, &[1.0], &[2, 3], Some(&[0, 0]), 0);
    // Every second element, from element 1 on.
    let out = Tensor::view(ACL_FLOAT, &[-1.0; 14], &[2, 3], Some(&[6, 2]), 1);
    let expected = [-1., 2., -1., 6., -1., 10., -1., 3., -1., 7., -1., 11., -1., -1.];
    assert_eq!(add(&a, &b, scalar(1.0), &out), expected);
    // Rows with a gap.
    let out = Tensor::view(ACL_FLOAT, &[-1.0; 8], &[2, 3], Some(&[4, 1]), 0);
    assert_eq!(add(&a, &b, scalar(1.0), &out), [2., 6., 10., -1., 3., 7., 11., -1.]);
    // In place, and with itself.
    let x = Tensor::new(ACL_FLOAT, &[3], &[1., 2., 3.]);
    assert_eq!(mul(&x, &x, &x), [1., 4., 9.]);
    let first = function!(
        c"aclnnInplaceMulGetWorkspaceSize"
            as unsafe extern "C" fn(
                *mut aclTensor,
                *const aclTensor,
                *mut u64,
                *mut *mut aclOpExecutor,
            ) -> i32
    );
    let (mut size, mut executor) = (0, ptr::null_mut());
    // SAFETY: The handles are the simulator's.
    assert_eq!(unsafe { first(x.handle, x.handle, &mut size, &mut executor) }, 0);
    assert_eq!(run(c"aclnnInplaceMul", size, executor), 0);
    assert_eq!(x.values(), [1., 16., 81.]);
}

#[test]
fn products_of_matrices_vectors_and_batches() {
    let _device = TestDevice::take();
    for data_type in [ACL_FLOAT, ACL_FLOAT16, ACL_BF16] {
        for math in [0, 1] {
            let a = Tensor::new(data_type, &[2, 3], &[1., 2., 3., 4., 5., 6.]);
            let b = Tensor::new(data_type, &[3, 2], &[1., 0., 0., 1., 2., 2.]);
            let out = Tensor::new(data_type, &[2, 2], &[0.; 4]);
            assert_eq!(matmul(&a, &b, &out, math), [7., 8., 16., 17.]);
            let vector = Tensor::new(data_type, &[3], &[1., 1., 2.]);
            let two = Tensor::new(data_type, &[2], &[0.; 2]);
            assert_eq!(matmul(&a, &vector, &two, math), [9., 21.]);
            assert_eq!(matmul(&vector, &b, &two, math), [5., 5.]);
            let one = Tensor::new(data_type, &[1], &[0.]);
            assert_eq!(matmul(&vector, &vector, &one, math), [6.]);
        }
    }
    // Two matrices on the left, one transposed matrix on the right for both.
    let a = Tensor::new(ACL_FLOAT, &[2, 1, 2], &[1., 2., 3., 4.]);
    let b = Tensor::view(ACL_FLOAT, &[1., 10., 100., 1000.], &[1, 2, 2], Some(&[4, 1, 2]), 0);
    let out = Tensor::new(ACL_FLOAT, &[2, 1, 2], &[0.; 4]);
    assert_eq!(matmul(&a, &b, &out, 0), [21., 2100., 43., 4300.]);
}

#[test]
fn the_math_type_of_the_cube_decides_what_is_lost() {
    let _device = TestDevice::take();
    // 1 + 2^-12 needs 12 bits of fraction: fp32 has them, HF32 and fp16 have 11 and 10.
    let fine = 1.0 + 2f64.powi(-12);
    let coarse = 1.0 + 2f64.powi(-11);
    let a = Tensor::new(ACL_FLOAT, &[2, 1], &[fine, coarse]);
    let b = Tensor::new(ACL_FLOAT, &[1, 1], &[1.0]);
    let out = Tensor::new(ACL_FLOAT, &[2, 1], &[0.; 2]);
    assert_eq!(matmul(&a, &b, &out, 0), [fine, coarse]);
    assert_eq!(matmul(&a, &b, &out, 1), [1.0, coarse]);
    assert_eq!(matmul(&a, &b, &out, 3), [1.0, coarse]);
    assert_eq!(matmul(&a, &b, &out, 2), [1.0, 1.0]);
    // Sums of fp16 are made in fp32: 2048 + 1 + 1 is 2050, which fp16 holds, and 2048 + 1 is not lost between.
    let a = Tensor::new(ACL_FLOAT16, &[1, 3], &[2048., 1., 1.]);
    let b = Tensor::new(ACL_FLOAT16, &[3, 1], &[1.; 3]);
    let out = Tensor::new(ACL_FLOAT16, &[1, 1], &[0.]);
    assert_eq!(matmul(&a, &b, &out, 0), [2050.]);
    let bf = Tensor::new(ACL_BF16, &[1, 1], &[1.]);
    for (x, math) in [(&bf, 2), (&bf, 3), (&out, 3), (&out, 4), (&out, -1)] {
        assert_eq!(matmul_first(x, x, x, math).0, INVALID, "{math}");
    }
}

#[test]
fn wrong_arguments_have_the_documented_codes() {
    let _device = TestDevice::take();
    let (mut size, mut executor) = (0, ptr::null_mut());
    let first = function!(c"aclnnAddGetWorkspaceSize" as Add);
    let x = Tensor::new(ACL_FLOAT, &[2, 3], &[0.; 6]);
    let alpha = scalar(1.0);
    let mut call = |missing: usize| {
        let tensor = |index: usize| if index == missing { ptr::null_mut() } else { x.handle };
        let alpha = if missing == 2 { ptr::null_mut() } else { alpha };
        let size: *mut u64 = if missing == 4 { ptr::null_mut() } else { &mut size };
        let executor: *mut *mut aclOpExecutor = if missing == 5 { ptr::null_mut() } else { &mut executor };
        // SAFETY: The pointers are the simulator's, or null.
        unsafe { first(tensor(0), tensor(1), alpha, tensor(3), size, executor) }
    };
    assert_eq!(call(9), 0);
    for missing in 0..6 {
        assert_eq!(call(missing), NULL_POINTER, "argument {missing}");
    }
    let refused = |a: &Tensor, b: &Tensor, out: &Tensor, word: &str| {
        assert_eq!(add_first(a, b, alpha, out).0, INVALID);
        let message = message();
        assert!(message.contains(word), "{message}");
    };
    let row = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    refused(&x, &row, &x, "cannot be broadcast");
    let three = Tensor::new(ACL_FLOAT, &[3], &[0.; 3]);
    refused(&x, &three, &three, "[2, 3]");
    let integers = Tensor::new(ACL_INT32, &[3], &[0.; 3]);
    refused(&x, &integers, &Tensor::new(ACL_INT32, &[2, 3], &[0.; 6]), "INT32");
    refused(&integers, &integers, &integers, "alpha");
    refused(&Tensor::view(ACL_FLOAT, &[0.; 5], &[2, 3], None, 0), &x, &x, "storage");
    assert_eq!(matmul_first(&x, &x, &x, 0).0, INVALID);
    assert!(message().contains("3 columns"), "the message names the sizes");
    assert_eq!(matmul_first(&integers, &integers, &integers, 0).0, INVALID);
    ok!(aclDestroyScalar(alpha));
}

#[test]
fn executors_run_once_or_are_repeatable() {
    let _device = TestDevice::take();
    let a = Tensor::new(ACL_FLOAT, &[2], &[1., 2.]);
    let b = Tensor::new(ACL_FLOAT, &[2], &[10., 20.]);
    let out = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    let (_, size, executor) = mul_first(&a, &b, &out);
    assert_eq!(size, 0, "nothing is to be copied");
    assert_eq!(run(c"aclnnAdd", size, executor), INNER_NULL_POINTER, "the executor is another operator's");
    assert_eq!(run(c"aclnnMul", size, executor), 0);
    assert_eq!(run(c"aclnnMul", size, executor), INNER_NULL_POINTER, "it has ended");
    assert_eq!(run(c"aclnnMul", 0, ptr::null_mut()), NULL_POINTER);

    let (_, size, executor) = mul_first(&a, &b, &out);
    ok!(aclSetAclOpExecutorRepeatable(executor));
    assert_eq!(run(c"aclnnMul", size, executor), 0);
    assert_eq!(out.values(), [10., 40.]);
    // Later runs read and write where the tensors are by then.
    let other = Tensor::new(ACL_FLOAT, &[2], &[5., 6.]);
    ok!(aclSetInputTensorAddr(executor, 0, a.handle, other.memory));
    assert_eq!(run(c"aclnnMul", size, executor), 0);
    assert_eq!(out.values(), [50., 120.]);
    ok!(aclDestroyAclOpExecutor(executor));
    assert_eq!(run(c"aclnnMul", size, executor), INNER_NULL_POINTER);
}

#[test]
fn a_workspace_is_asked_for_where_copies_are_made() {
    let _device = TestDevice::take();
    // One operand is converted to fp32, and one is strided: two copies of 6 elements, in pieces of 512 bytes.
    let a = Tensor::new(ACL_FLOAT16, &[6], &[1.; 6]);
    let b = Tensor::view(ACL_FLOAT, &[2.; 11], &[6], Some(&[2]), 0);
    let out = Tensor::new(ACL_FLOAT, &[6], &[0.; 6]);
    let (code, size, executor) = mul_first(&a, &b, &out);
    assert_eq!((code, size), (0, 1024));
    ok!(aclSetAclOpExecutorRepeatable(executor));
    let second = function!(c"aclnnMul" as Second);
    let stream = stream();
    let workspace = malloc(1024);
    // SAFETY: The handles are the simulator's; the workspace is null, short, or right.
    unsafe {
        assert_eq!(second(ptr::null_mut(), size, executor, stream), NULL_POINTER);
        assert_eq!(second(workspace, size - 1, executor, stream), INVALID);
        assert_eq!(
            second(workspace, size, executor, aclrtStream(ptr::without_provenance_mut(64))),
            RUNTIME_ERROR
        );
        assert_eq!(second(workspace, size, executor, stream), 0);
    }
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(out.values(), [2.; 6]);
    ok!(aclrtFree(workspace));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn work_runs_in_stream_order() {
    let _device = TestDevice::take();
    let a = Tensor::new(ACL_INT32, &[2], &[0.; 2]);
    let b = Tensor::new(ACL_INT32, &[1], &[1.]);
    let stream = stream();
    let (_, size, executor) = add_first(&a, &b, int_scalar(1), &a);
    ok!(aclSetAclOpExecutorRepeatable(executor));
    let second = function!(c"aclnnAdd" as Second);
    for _ in 0..3 {
        // SAFETY: The handles are the simulator's.
        assert_eq!(unsafe { second(ptr::null_mut(), size, executor, stream) }, 0);
    }
    ok!(aclrtMemcpyAsync(b.memory, 4, a.memory, 4, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    // SAFETY: As above.
    assert_eq!(unsafe { second(ptr::null_mut(), size, executor, stream) }, 0);
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(a.values(), [6., 6.]);
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn empty_tensors_are_no_work() {
    let _device = TestDevice::take();
    let empty = Tensor::new(ACL_FLOAT, &[0, 3], &[]);
    let row = Tensor::new(ACL_FLOAT, &[3], &[1.; 3]);
    assert!(mul(&empty, &row, &empty).is_empty());
    // A sum of no products.
    let left = Tensor::new(ACL_FLOAT, &[2, 0], &[]);
    let right = Tensor::new(ACL_FLOAT, &[0, 1], &[]);
    let out = Tensor::new(ACL_FLOAT, &[2, 1], &[7.; 2]);
    assert_eq!(matmul(&left, &right, &out, 0), [0., 0.]);
}

/// Shapes that are broadcast to a shape: some axes become 1, and leading ones that are 1 may be left out.
fn shapes() -> impl Strategy<Value = (Vec<i64>, Vec<i64>, Vec<i64>)> {
    let axis = (1i64..4, 0..3u8);
    (proptest::collection::vec(axis, 0..4), 0..4usize).prop_map(|(axes, cut)| {
        let out: Vec<i64> = axes.iter().map(|axis| axis.0).collect();
        let side = |which: u8| -> Vec<i64> {
            axes.iter().map(|&(size, single)| if single == which { 1 } else { size }).collect()
        };
        let (mut a, b) = (side(1), side(2));
        let cut = a.iter().take(cut).take_while(|&&size| size == 1).count();
        a.drain(..cut);
        (a, b, out)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The element of a broadcast sum by its definition: each index is divided out, and taken as 0 where an operand has 1.
    #[test]
    fn broadcasting_is_as_defined((a, b, out) in shapes(), alpha in -4i32..4) {
        let device = TestDevice(0);
        ok!(aclrtSetDevice(device.0));
        let count = |shape: &[i64]| shape.iter().product::<i64>() as usize;
        let x: Vec<f64> = (0..count(&a)).map(|i| i as f64).collect();
        let y: Vec<f64> = (0..count(&b)).map(|i| 100.0 * i as f64).collect();
        let element = |values: &[f64], shape: &[i64], mut index: usize| {
            let (mut at, mut stride) = (0, 1);
            for axis in (0..out.len()).rev() {
                let position = index % out[axis] as usize;
                index /= out[axis] as usize;
                if let Some(own) = (axis + shape.len()).checked_sub(out.len()) {
                    at += if shape[own] == 1 { 0 } else { position * stride };
                    stride *= shape[own] as usize;
                }
            }
            values[at]
        };
        let expected: Vec<f64> = (0..count(&out))
            .map(|i| element(&x, &a, i) + f64::from(alpha) * element(&y, &b, i))
            .collect();
        let (left, right) = (Tensor::new(ACL_FLOAT, &a, &x), Tensor::new(ACL_FLOAT, &b, &y));
        let result = Tensor::new(ACL_FLOAT, &out, &vec![0.0; count(&out)]);
        prop_assert_eq!(add(&left, &right, scalar(alpha as f32), &result), expected);
    }
}
