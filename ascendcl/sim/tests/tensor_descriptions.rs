//! Data buffers and tensor descriptions.

#[macro_use]
mod table;

use std::ffi::CStr;
use std::ptr;

use ascendcl_sys::*;
use table::library;

#[test]
fn a_data_buffer_says_what_it_was_made_of() {
    let acl = library();
    let mut data = [0_u8; 64];
    let buffer = call!(acl.aclCreateDataBuffer(data.as_mut_ptr().cast(), 48));
    assert!(!buffer.is_null());
    assert_eq!(call!(acl.aclGetDataBufferAddr(buffer)), data.as_mut_ptr().cast());
    assert_eq!(call!(acl.aclGetDataBufferSize(buffer)), 48);
    assert_eq!(call!(acl.aclGetDataBufferSizeV2(buffer)), 48);

    let middle = data[32..].as_mut_ptr().cast();
    assert_eq!(call!(acl.aclUpdateDataBuffer(buffer, middle, 5 << 32)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclGetDataBufferAddr(buffer)), middle);
    assert_eq!(call!(acl.aclGetDataBufferSizeV2(buffer)), 5 << 32);
    // Too large for the old function: 0, not the lower half.
    assert_eq!(call!(acl.aclGetDataBufferSize(buffer)), 0);
    assert_eq!(call!(acl.aclDestroyDataBuffer(buffer)), ACL_SUCCESS);
}

#[test]
fn misused_data_buffers_are_found_out() {
    let acl = library();
    assert!(call!(acl.aclCreateDataBuffer(ptr::null_mut(), 1)).is_null());
    assert_eq!(call!(acl.aclDestroyDataBuffer(ptr::null())), ACL_ERROR_INVALID_PARAM);
    let empty = call!(acl.aclCreateDataBuffer(ptr::null_mut(), 0));
    assert!(!empty.is_null());
    let description = call!(acl.aclCreateTensorDesc(ACL_INT8, 0, ptr::null(), ACL_FORMAT_ND));
    assert_eq!(call!(acl.aclDestroyDataBuffer(description.cast())), ACL_ERROR_RT_INVALID_HANDLE);
    assert_eq!(call!(acl.aclDestroyDataBuffer(empty)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclDestroyDataBuffer(empty)), ACL_ERROR_RT_INVALID_HANDLE);
    assert!(call!(acl.aclGetDataBufferAddr(empty)).is_null());
    assert_eq!(call!(acl.aclGetDataBufferSizeV2(empty)), 0);
    assert_eq!(call!(acl.aclUpdateDataBuffer(empty, ptr::null_mut(), 0)), ACL_ERROR_RT_INVALID_HANDLE);
    call!(acl.aclDestroyTensorDesc(description));
}

#[test]
fn a_description_says_what_it_was_made_of() {
    let acl = library();
    let dimensions = [2, 3, 5, 7];
    let desc = call!(acl.aclCreateTensorDesc(ACL_FLOAT16, 4, dimensions.as_ptr(), ACL_FORMAT_NCHW));
    assert_eq!(call!(acl.aclGetTensorDescType(desc)), ACL_FLOAT16);
    assert_eq!(call!(acl.aclGetTensorDescFormat(desc)), ACL_FORMAT_NCHW);
    assert_eq!(call!(acl.aclGetTensorDescNumDims(desc)), 4);
    assert_eq!(call!(acl.aclGetTensorDescElementCount(desc)), 210);
    assert_eq!(call!(acl.aclGetTensorDescSize(desc)), 420);
    for (index, expected) in dimensions.into_iter().enumerate() {
        let mut size = 0;
        assert_eq!(call!(acl.aclGetTensorDescDim(desc, index)), expected);
        assert_eq!(call!(acl.aclGetTensorDescDimV2(desc, index, &mut size)), ACL_SUCCESS);
        assert_eq!(size, expected);
    }
    assert_eq!(call!(acl.aclGetTensorDescDim(desc, 4)), -1);
    assert_eq!(call!(acl.aclGetTensorDescDimV2(desc, 4, &mut 0)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclGetTensorDescDimV2(desc, 0, ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclGetTensorDescByIndex(desc, 0)), desc);
    assert!(call!(acl.aclGetTensorDescByIndex(desc, 1)).is_null());
    assert!(call!(acl.aclGetTensorDescAddress(desc)).is_null());
    call!(acl.aclDestroyTensorDesc(desc));
}

#[test]
fn names_live_with_their_description() {
    let acl = library();
    let desc = call!(acl.aclCreateTensorDesc(ACL_FLOAT, 0, ptr::null(), ACL_FORMAT_ND));
    let name = || {
        let name = call!(acl.aclGetTensorDescName(desc));
        // SAFETY: The description lives, and its name did not change since.
        unsafe { CStr::from_ptr(name) }.to_owned()
    };
    assert_eq!(name().as_c_str(), c"");
    call!(acl.aclSetTensorDescName(desc, c"query".as_ptr()));
    assert_eq!(name().as_c_str(), c"query");
    call!(acl.aclSetTensorDescName(desc, ptr::null()));
    assert_eq!(name().as_c_str(), c"query");
    // A scalar has one element and no dimensions.
    assert_eq!(call!(acl.aclGetTensorDescElementCount(desc)), 1);
    assert_eq!(call!(acl.aclGetTensorDescNumDims(desc)), 0);
    call!(acl.aclDestroyTensorDesc(desc));
    assert!(call!(acl.aclGetTensorDescName(desc)).is_null());
}

#[test]
fn unknown_shapes_have_ranges_and_no_size() {
    let acl = library();
    let desc = call!(acl.aclCreateTensorDesc(ACL_INT4, 3, [16, -1, 5].as_ptr(), ACL_FORMAT_ND));
    assert_eq!(call!(acl.aclGetTensorDescSize(desc)), 0);
    assert_eq!(call!(acl.aclGetTensorDescElementCount(desc)), 0);
    let range = |index| {
        let mut range = [0, 0];
        assert_eq!(call!(acl.aclGetTensorDescDimRange(desc, index, 2, range.as_mut_ptr())), ACL_SUCCESS);
        range
    };
    assert_eq!((range(0), range(1)), ([16, 16], [0, -1]));
    let mut ranges = [[16, 16], [1, 128], [5, 5]];
    assert_eq!(call!(acl.aclSetTensorShapeRange(desc, 3, ranges.as_mut_ptr())), ACL_SUCCESS);
    assert_eq!(range(1), [1, 128]);
    assert_eq!(call!(acl.aclGetTensorDescDimRange(desc, 1, 1, [0, 0].as_mut_ptr())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorShapeRange(desc, 3, ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    call!(acl.aclDestroyTensorDesc(desc));

    let unranked = call!(acl.aclCreateTensorDesc(ACL_INT8, 1, [-2].as_ptr(), ACL_FORMAT_ND));
    assert_eq!(call!(acl.aclGetTensorDescNumDims(unranked)), 0xffff_ffff_ffff_fffe);
    call!(acl.aclDestroyTensorDesc(unranked));

    // Two elements of four bits to a byte.
    let packed = call!(acl.aclCreateTensorDesc(ACL_INT4, 1, [7].as_ptr(), ACL_FORMAT_ND));
    assert_eq!(call!(acl.aclGetTensorDescSize(packed)), 4);
    call!(acl.aclDestroyTensorDesc(packed));
}

#[test]
fn formats_that_differ_in_order_are_converted() {
    let acl = library();
    let source = call!(acl.aclCreateTensorDesc(ACL_FLOAT, 4, [2, 3, 5, 7].as_ptr(), ACL_FORMAT_NCHW));
    for (format, expected) in
        [(ACL_FORMAT_NHWC, [2, 5, 7, 3]), (ACL_FORMAT_HWCN, [5, 7, 3, 2]), (ACL_FORMAT_NCHW, [2, 3, 5, 7])]
    {
        let mut converted = ptr::null_mut();
        assert_eq!(call!(acl.aclTransTensorDescFormat(source, format, &mut converted)), ACL_SUCCESS);
        assert_ne!(converted, source);
        assert_eq!(call!(acl.aclGetTensorDescFormat(converted)), format);
        let sizes = [0, 1, 2, 3].map(|index| call!(acl.aclGetTensorDescDim(converted, index)));
        assert_eq!(sizes, expected);
        call!(acl.aclDestroyTensorDesc(converted));
    }
    let mut converted = ptr::null_mut();
    let code = call!(acl.aclTransTensorDescFormat(source, ACL_FORMAT_NC1HWC0, &mut converted));
    assert_eq!((code, converted), (ACL_ERROR_RT_FEATURE_NOT_SUPPORT, ptr::null_mut()));
    let code = call!(acl.aclTransTensorDescFormat(source, ACL_FORMAT_NHWC, ptr::null_mut()));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    call!(acl.aclDestroyTensorDesc(source));
}

#[test]
fn settings_are_checked() {
    let acl = library();
    let desc = call!(acl.aclCreateTensorDesc(ACL_FLOAT, 1, [4].as_ptr(), ACL_FORMAT_ND));
    let shape = [1, 4, 16, 16];
    assert_eq!(call!(acl.aclSetTensorFormat(desc, ACL_FORMAT_FRACTAL_NZ)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorShape(desc, 4, shape.as_ptr())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorStorageFormat(desc, ACL_FORMAT_FRACTAL_NZ)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorStorageShape(desc, 4, shape.as_ptr())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorOriginFormat(desc, ACL_FORMAT_ND)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorOriginShape(desc, 1, [4].as_ptr())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorDynamicInput(desc, c"x".as_ptr())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorPlaceMent(desc, ACL_MEMTYPE_HOST)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorConst(desc, [0_u8; 16].as_mut_ptr().cast(), 16)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclSetTensorValueRange(desc, 1, [[0, 9]].as_mut_ptr())), ACL_SUCCESS);
    // The description itself is as before.
    assert_eq!(call!(acl.aclGetTensorDescFormat(desc)), ACL_FORMAT_ND);
    assert_eq!(call!(acl.aclGetTensorDescNumDims(desc)), 1);

    assert_eq!(call!(acl.aclSetTensorPlaceMent(desc, aclMemType(3))), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorConst(desc, ptr::null_mut(), 16)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorShape(desc, 4, ptr::null())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorShape(desc, -1, shape.as_ptr())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorDynamicInput(desc, ptr::null())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclSetTensorFormat(ptr::null_mut(), ACL_FORMAT_ND)), ACL_ERROR_INVALID_PARAM);
    call!(acl.aclDestroyTensorDesc(desc));
    assert_eq!(call!(acl.aclSetTensorFormat(desc, ACL_FORMAT_ND)), ACL_ERROR_RT_INVALID_HANDLE);
    // Twice: nothing happens.
    call!(acl.aclDestroyTensorDesc(desc));
}

#[test]
fn impossible_descriptions_are_not_made() {
    let acl = library();
    let create = |count, dimensions: *const i64| {
        call!(acl.aclCreateTensorDesc(ACL_FLOAT, count, dimensions, ACL_FORMAT_ND))
    };
    assert!(create(-1, [1].as_ptr()).is_null());
    assert!(create(1, ptr::null()).is_null());
    assert!(create(1, [-3].as_ptr()).is_null());
    assert!(create(2, [-2, 4].as_ptr()).is_null());
    assert!(create(i32::MAX, [1].as_ptr()).is_null());
    let huge = create(3, [i64::MAX, i64::MAX, 2].as_ptr());
    assert_eq!(call!(acl.aclGetTensorDescSize(huge)), 0);
    call!(acl.aclDestroyTensorDesc(huge));
}
