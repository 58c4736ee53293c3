//! Sizes of data types, half-precision numbers, and what the toolkit supports.

mod table;

use ascendcl_sys::*;
use half::f16;
use table::library;

#[test]
fn sizes_are_those_of_the_c_types() {
    let acl = library();
    // SAFETY: No pointers.
    let size = |data_type| unsafe { acl.aclDataTypeSize(data_type) }.unwrap();
    for (data_type, bytes) in [
        (ACL_BOOL, size_of::<bool>()),
        (ACL_INT8, size_of::<i8>()),
        (ACL_UINT8, size_of::<u8>()),
        (ACL_INT16, size_of::<i16>()),
        (ACL_UINT16, size_of::<u16>()),
        (ACL_FLOAT16, size_of::<f16>()),
        (ACL_BF16, size_of::<half::bf16>()),
        (ACL_INT32, size_of::<i32>()),
        (ACL_UINT32, size_of::<u32>()),
        (ACL_FLOAT, size_of::<f32>()),
        (ACL_INT64, size_of::<i64>()),
        (ACL_UINT64, size_of::<u64>()),
        (ACL_DOUBLE, size_of::<f64>()),
        (ACL_COMPLEX64, 2 * size_of::<f32>()),
        (ACL_COMPLEX128, 2 * size_of::<f64>()),
        (ACL_FLOAT8_E4M3FN, 1),
        (ACL_STRING, 0),
        (ACL_INT4, 0),
        (ACL_DT_UNDEFINED, 0),
        (aclDataType(12345), 0),
    ] {
        assert_eq!(size(data_type), bytes, "{data_type:?}");
    }
}

#[test]
fn every_half_widens_as_the_half_crate_says() {
    let acl = library();
    for bits in 0..=u16::MAX {
        // SAFETY: No pointers.
        let value = unsafe { acl.aclFloat16ToFloat(bits) }.unwrap();
        assert_eq!(value.to_bits(), f16::from_bits(bits).to_f32().to_bits(), "{bits:#06x}");
    }
}

#[test]
fn floats_narrow_as_the_half_crate_says() {
    let acl = library();
    let check = |bits: u32| {
        let value = f32::from_bits(bits);
        // SAFETY: No pointers.
        let narrow = unsafe { acl.aclFloatToFloat16(value) }.unwrap();
        assert_eq!(narrow, f16::from_f32(value).to_bits(), "{value:e} ({bits:#010x})");
    };
    // Every half, every point half-way to its neighbor, and the floats around both.
    for bits in 0..=u16::MAX {
        let here = f16::from_bits(bits).to_f32().to_bits();
        let next = f16::from_bits(bits.wrapping_add(1)).to_f32().to_bits();
        let between = here.midpoint(next);
        for around in [here, between] {
            for bits in [around.wrapping_sub(1), around, around.wrapping_add(1)] {
                check(bits);
            }
        }
    }
    // Every exponent, with fractions that share no period with the rounding.
    for bits in (0..=u32::MAX).step_by(1021) {
        check(bits);
    }
}

#[test]
fn attributes_are_listed_and_queried() {
    let acl = library();
    let (mut list, mut count) = (std::ptr::null(), 0);
    // SAFETY: The pointers are valid for a write, and the list for as many reads as it says.
    unsafe {
        assert_eq!(acl.aclGetCannAttributeList(&mut list, &mut count).unwrap(), ACL_SUCCESS);
        let list = std::slice::from_raw_parts(list, count);
        assert!(list.contains(&ACL_CANN_ATTR_BF16), "{list:?}");
        for &attribute in list {
            let mut value = -1;
            assert_eq!(acl.aclGetCannAttribute(attribute, &mut value).unwrap(), ACL_SUCCESS);
            assert_eq!(value, 1);
        }
        let unknown = acl.aclGetCannAttribute(ACL_CANN_ATTR_UNDEFINED, &mut 0).unwrap();
        assert_eq!(unknown, ACL_ERROR_INVALID_PARAM);
        let null = acl.aclGetCannAttribute(ACL_CANN_ATTR_BF16, std::ptr::null_mut()).unwrap();
        assert_eq!(null, ACL_ERROR_INVALID_PARAM);
        let null = acl.aclGetCannAttributeList(std::ptr::null_mut(), &mut count).unwrap();
        assert_eq!(null, ACL_ERROR_INVALID_PARAM);
    }
}

#[test]
fn models_of_one_architecture_are_compatible() {
    let acl = library();
    let mut answer = -1;
    // SAFETY: The pointers are valid for the calls.
    unsafe {
        let before = acl.aclrtCheckArchCompatibility(c"Ascend910B1".as_ptr(), &mut answer).unwrap();
        assert_eq!(before, ACL_ERROR_UNINITIALIZE);
        assert_eq!(acl.aclInit(std::ptr::null()).unwrap(), ACL_SUCCESS);
        for (name, compatible) in [(c"Ascend910B1", 1), (c"Ascend910_9362", 1), (c"Ascend310P3", 0)] {
            assert_eq!(acl.aclrtCheckArchCompatibility(name.as_ptr(), &mut answer).unwrap(), ACL_SUCCESS);
            assert_eq!(answer, compatible, "{name:?}");
        }
        assert_eq!(acl.aclFinalize().unwrap(), ACL_SUCCESS);
    }
}
