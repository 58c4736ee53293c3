//! Element types against the library's own answers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ascendcl::{Backend, DataType, Element, Runtime};
use half::{bf16, f16};
use proptest::prelude::*;

fn library() -> Runtime {
    Runtime::with_backend(Backend::Sim).unwrap()
}

#[test]
fn sizes_are_those_of_the_library() {
    fn check<T: Element>(library: &Runtime) {
        let data_type: DataType = T::DATA_TYPE;
        let size = library.data_type_size(data_type).unwrap();
        assert_eq!((size, data_type.size()), (size_of::<T>(), size_of::<T>()), "{data_type:?}");
    }
    let library = library();
    check::<f32>(&library);
    check::<f16>(&library);
    check::<bf16>(&library);
    check::<f64>(&library);
    check::<i8>(&library);
    check::<i16>(&library);
    check::<i32>(&library);
    check::<i64>(&library);
    check::<u8>(&library);
    check::<u16>(&library);
    check::<u32>(&library);
    check::<u64>(&library);
}

#[test]
fn every_half_is_the_same_number_for_the_library() {
    let library = library();
    for bits in 0..=u16::MAX {
        let ours = f16::from_bits(bits).to_f32();
        let theirs = library.half_to_float(f16::from_bits(bits)).unwrap();
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:#06x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn floats_are_rounded_as_the_library_rounds_them(bits: u32, exponent in 100u32..145) {
        let library = library();
        // Any float, and one whose magnitude is near those of halves.
        for bits in [bits, bits & 0x807f_ffff | exponent << 23] {
            let float = f32::from_bits(bits);
            let theirs = library.float_to_half(float).unwrap();
            let ours = f16::from_f32(float);
            prop_assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{float}");
        }
    }
}
