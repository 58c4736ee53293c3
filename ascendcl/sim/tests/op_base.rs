//! What operators are called with: tensors, scalars, arrays, lists.

#[macro_use]
mod table;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sim::executor::{self, Operand};
use ascendcl_sys::*;
use table::library;

const NULL_POINTER: aclnnStatus = 161_001;
const INVALID: aclnnStatus = 161_002;

/// Takes an array that the library handed out.
fn take(array: *mut i64, count: u64) -> Vec<i64> {
    // SAFETY: The library allocated the array for so many numbers, for its caller to free.
    unsafe {
        let numbers = std::slice::from_raw_parts(array, count as usize).to_vec();
        libc::free(array.cast());
        numbers
    }
}

/// View shape, strides and storage shape.
fn shapes(acl: &Library, tensor: *const aclTensor) -> [Vec<i64>; 3] {
    let (mut array, mut count) = (ptr::null_mut(), 0);
    assert_eq!(call!(acl.aclGetViewShape(tensor, &mut array, &mut count)), ACL_SUCCESS);
    let view = take(array, count);
    assert_eq!(call!(acl.aclGetViewStrides(tensor, &mut array, &mut count)), ACL_SUCCESS);
    let strides = take(array, count);
    assert_eq!(call!(acl.aclGetStorageShape(tensor, &mut array, &mut count)), ACL_SUCCESS);
    [view, strides, take(array, count)]
}

fn tensor(acl: &Library, shape: &[i64], address: usize) -> *mut aclTensor {
    let count = shape.len() as u64;
    let tensor = call!(acl.aclCreateTensor(
        shape.as_ptr(),
        count,
        ACL_BF16,
        ptr::null(),
        0,
        ACL_FORMAT_ND,
        shape.as_ptr(),
        count,
        ptr::without_provenance_mut(address)
    ));
    assert!(!tensor.is_null());
    tensor
}

#[test]
fn a_tensor_says_what_it_was_made_of() {
    let acl = library();
    let address: *mut c_void = ptr::without_provenance_mut(0x1000);
    let made = call!(acl.aclCreateTensor(
        [2, 4].as_ptr(),
        2,
        ACL_FLOAT16,
        [1, 2].as_ptr(),
        3,
        ACL_FORMAT_NHWC,
        [11].as_ptr(),
        1,
        address
    ));
    assert_eq!(shapes(&acl, made), [vec![2, 4], vec![1, 2], vec![11]]);
    let (mut offset, mut format, mut data_type, mut raw) =
        (0, ACL_FORMAT_UNDEFINED, ACL_DT_UNDEFINED, ptr::null_mut());
    assert_eq!(call!(acl.aclGetViewOffset(made, &mut offset)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetFormat(made, &mut format)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetDataType(made, &mut data_type)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetRawTensorAddr(made, &mut raw)), ACL_SUCCESS);
    assert_eq!((offset, format, data_type, raw), (3, ACL_FORMAT_NHWC, ACL_FLOAT16, address));

    let elsewhere = ptr::without_provenance_mut(0x2000);
    assert_eq!(call!(acl.aclSetRawTensorAddr(made, elsewhere)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetRawTensorAddr(made, &mut raw)), ACL_SUCCESS);
    assert_eq!(raw, elsewhere);

    let code = call!(acl.aclInitTensor(
        made,
        [3, 5, 7].as_ptr(),
        3,
        ACL_INT8,
        ptr::null(),
        0,
        ACL_FORMAT_ND,
        [105].as_ptr(),
        1,
        address
    ));
    assert_eq!(code, ACL_SUCCESS);
    // Contiguous, as no strides were given.
    assert_eq!(shapes(&acl, made), [vec![3, 5, 7], vec![35, 7, 1], vec![105]]);
    assert_eq!(call!(acl.aclDestroyTensor(made)), ACL_SUCCESS);
}

#[test]
fn a_tensor_without_dimensions_is_a_tensor() {
    let acl = library();
    let scalar = tensor(&acl, &[], 0);
    assert_eq!(shapes(&acl, scalar), [const { Vec::<i64>::new() }; 3]);
    assert_eq!(call!(acl.aclDestroyTensor(scalar)), ACL_SUCCESS);
}

#[test]
fn misused_tensors_are_found_out() {
    let acl = library();
    let create = |dims: *const i64, count, offset| {
        let none = ptr::null_mut();
        call!(acl.aclCreateTensor(
            dims,
            count,
            ACL_INT8,
            ptr::null(),
            offset,
            ACL_FORMAT_ND,
            dims,
            count,
            none
        ))
    };
    assert!(create(ptr::null(), 1, 0).is_null());
    assert!(create([-1].as_ptr(), 1, 0).is_null());
    assert!(create([1].as_ptr(), 1, -1).is_null());
    assert!(create([1].as_ptr(), u64::MAX, 0).is_null());
    assert!(create([2, i64::MAX, i64::MAX].as_ptr(), 3, 0).is_null());

    let made = tensor(&acl, &[4], 0);
    let (mut array, mut count) = (ptr::null_mut(), 0);
    assert_eq!(call!(acl.aclGetViewShape(ptr::null(), &mut array, &mut count)), NULL_POINTER);
    assert_eq!(call!(acl.aclGetViewShape(made, ptr::null_mut(), &mut count)), NULL_POINTER);
    assert_eq!(call!(acl.aclGetViewStrides(made, &mut array, ptr::null_mut())), NULL_POINTER);
    assert_eq!(call!(acl.aclGetDataType(made, ptr::null_mut())), NULL_POINTER);
    assert_eq!(call!(acl.aclSetRawTensorAddr(ptr::null_mut(), ptr::null_mut())), NULL_POINTER);
    assert_eq!(call!(acl.aclDestroyTensor(made)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyTensor(made)), INVALID);
    assert_eq!(call!(acl.aclGetViewShape(made, &mut array, &mut count)), INVALID);
    assert_eq!(call!(acl.aclDestroyTensor(ptr::null())), NULL_POINTER);
    assert!(array.is_null());
}

#[test]
fn scalars_are_copied() {
    let acl = library();
    let mut value = 1.5_f64;
    let scalar = call!(acl.aclCreateScalar((&raw mut value).cast(), ACL_DOUBLE));
    assert!(!scalar.is_null());
    assert_eq!(call!(acl.aclDestroyScalar(scalar)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyScalar(scalar)), INVALID);
    assert!(call!(acl.aclCreateScalar(ptr::null_mut(), ACL_DOUBLE)).is_null());
    assert!(call!(acl.aclCreateScalar((&raw mut value).cast(), ACL_STRING)).is_null());
}

#[test]
fn arrays_know_their_size() {
    let acl = library();
    let integers = call!(acl.aclCreateIntArray([1, 2, 3].as_ptr(), 3));
    let floats = call!(acl.aclCreateFloatArray([1.0, 2.0].as_ptr(), 2));
    let booleans = call!(acl.aclCreateBoolArray([true].as_ptr(), 1));
    let mut sizes = [9; 3];
    assert_eq!(call!(acl.aclGetIntArraySize(integers, &mut sizes[0])), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetFloatArraySize(floats, &mut sizes[1])), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetBoolArraySize(booleans, &mut sizes[2])), ACL_SUCCESS);
    assert_eq!(sizes, [3, 2, 1]);
    assert_eq!(call!(acl.aclGetIntArraySize(floats.cast(), &mut sizes[0])), INVALID);
    assert_eq!(call!(acl.aclGetIntArraySize(integers, ptr::null_mut())), NULL_POINTER);
    assert_eq!(call!(acl.aclDestroyIntArray(integers)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyFloatArray(floats)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyBoolArray(booleans)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyBoolArray(booleans)), INVALID);
    assert!(call!(acl.aclCreateIntArray(ptr::null(), 1)).is_null());
    let empty = call!(acl.aclCreateIntArray(ptr::null(), 0));
    assert_eq!(call!(acl.aclGetIntArraySize(empty, &mut sizes[0])), ACL_SUCCESS);
    assert_eq!(sizes[0], 0);
    assert_eq!(call!(acl.aclDestroyIntArray(empty)), ACL_SUCCESS);
}

#[test]
fn lists_end_their_members() {
    let acl = library();
    let tensors = [tensor(&acl, &[1], 0), tensor(&acl, &[2], 0)].map(<*mut aclTensor>::cast_const);
    let list = call!(acl.aclCreateTensorList(tensors.as_ptr(), 2));
    let mut size = 0;
    assert_eq!(call!(acl.aclGetTensorListSize(list, &mut size)), ACL_SUCCESS);
    assert_eq!(size, 2);
    assert_eq!(call!(acl.aclDestroyTensorList(list)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyTensor(tensors[0])), INVALID);
    assert_eq!(call!(acl.aclDestroyTensorList(list)), INVALID);
    assert!(call!(acl.aclCreateTensorList(tensors.as_ptr(), 2)).is_null());

    let mut value = 1_i32;
    let scalar = call!(acl.aclCreateScalar((&raw mut value).cast(), ACL_INT32)).cast_const();
    let list = call!(acl.aclCreateScalarList(&scalar, 1));
    assert_eq!(call!(acl.aclGetScalarListSize(list, &mut size)), ACL_SUCCESS);
    assert_eq!(size, 1);
    assert_eq!(call!(acl.aclDestroyScalarList(list)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyScalar(scalar)), INVALID);
}

#[test]
fn a_member_that_ended_before_its_list_is_an_error() {
    let acl = library();
    let tensors = [tensor(&acl, &[1], 0), tensor(&acl, &[2], 0)].map(<*mut aclTensor>::cast_const);
    let list = call!(acl.aclCreateTensorList(tensors.as_ptr(), 2));
    assert_eq!(call!(acl.aclDestroyTensor(tensors[0])), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyTensorList(list)), INVALID);
    // The rest ended with the list all the same.
    assert_eq!(call!(acl.aclDestroyTensor(tensors[1])), INVALID);
}

#[test]
fn executors_are_run_once_unless_they_are_repeatable() {
    let acl = library();
    let [a, b] = [0x1000, 0x2000].map(|address| tensor(&acl, &[1], address));
    let make = || executor::make(&[Operand::Tensor(a)], &[Operand::Tensor(b)]).unwrap();
    let once = make();
    assert_eq!(executor::run(once), Some(vec![vec![0x1000], vec![0x2000]]));
    assert_eq!(executor::run(once), None);
    assert_eq!(call!(acl.aclDestroyAclOpExecutor(once)), INVALID);

    let again = make();
    let address: *mut c_void = ptr::without_provenance_mut(0x3000);
    assert_eq!(call!(acl.aclSetAclOpExecutorRepeatable(again)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetOutputTensorAddr(again, 0, b, address)), ACL_SUCCESS);
    assert_eq!(executor::run(again), Some(vec![vec![0x1000], vec![0x3000]]));
    // Both spellings of each function are there.
    assert_eq!(call!(acl.AclSetTensorAddr(again, 0, a, address)), ACL_SUCCESS);
    assert_eq!(executor::run(again), Some(vec![vec![0x3000], vec![0x3000]]));
    for (code, expected) in [
        (call!(acl.aclSetInputTensorAddr(again, 0, ptr::null_mut(), address)), NULL_POINTER),
        (call!(acl.aclSetInputTensorAddr(again, 0, a, ptr::null_mut())), NULL_POINTER),
        (call!(acl.aclSetInputTensorAddr(ptr::null_mut(), 0, a, address)), NULL_POINTER),
        (call!(acl.aclSetInputTensorAddr(again, 1, a, address)), INVALID),
        (call!(acl.aclSetInputTensorAddr(again, 0, b, address)), INVALID),
        (call!(acl.aclSetDynamicInputTensorAddr(again, 0, 0, ptr::null_mut(), address)), NULL_POINTER),
        (call!(acl.aclSetAclOpExecutorRepeatable(once)), INVALID),
    ] {
        assert_eq!(code, expected);
    }
    assert_eq!(call!(acl.aclDestroyAclOpExecutor(again)), ACL_SUCCESS);
    assert_eq!(executor::run(again), None);
    for made in [a, b] {
        assert_eq!(call!(acl.aclDestroyTensor(made)), ACL_SUCCESS);
    }
    assert_eq!(executor::make(&[Operand::Tensor(a)], &[]), None, "it is not alive");
}

#[test]
fn the_library_starts_after_the_runtime() {
    let acl = library();
    assert_eq!(call!(acl.aclnnInit(ptr::null())), ACL_ERROR_UNINITIALIZE);
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclnnInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclnnFinalize()), ACL_SUCCESS);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}
