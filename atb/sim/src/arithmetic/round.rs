//! Rounding to the types of tensors.

use ascendcl_sys::{ACL_BF16, ACL_FLOAT16, aclDataType};
use half::{bf16, f16};

/// A value as it is after it was stored as `dtype` and read back: 16-bit types round to nearest even, others keep it.
pub(crate) fn stored_as(dtype: aclDataType, value: f32) -> f32 {
    match dtype {
        ACL_FLOAT16 => f16::from_f32(value).to_f32(),
        ACL_BF16 => bf16::from_f32(value).to_f32(),
        _ => value,
    }
}

/// Rounds to fp16, to nearest even.
pub(crate) fn half(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

/// int8 as the vector unit makes it of f32: to fp16, then clamped, then to nearest even.
///
/// The two roundings are not one: 63.498 becomes 63.5 as fp16, and then 64. What is not a number becomes 0.
pub(crate) fn to_i8(value: f32) -> i8 {
    half_to_i8(half(value))
}

/// int8 of a value that is fp16 already: clamped to -128..=127, then to nearest even.
pub(crate) fn half_to_i8(value: f32) -> i8 {
    value.clamp(-128.0, 127.0).round_ties_even() as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int8_is_rounded_twice() {
        assert_eq!(to_i8(63.498), 64, "through fp16, whose step is 1/32 there");
        assert_eq!(63.498f32.round_ties_even(), 63.0, "once would be another value");
        assert_eq!(to_i8(63.48), 63);
    }

    #[test]
    fn ties_go_to_even_and_ends_are_clamped() {
        assert_eq!([0.5, 1.5, 2.5, -0.5, -1.5].map(to_i8), [0, 2, 2, 0, -2]);
        assert_eq!([127.6, 1e9, f32::INFINITY].map(to_i8), [127; 3]);
        assert_eq!([-128.6, -1e9, f32::NEG_INFINITY].map(to_i8), [-128; 3]);
        assert_eq!(to_i8(f32::NAN), 0);
    }

    #[test]
    fn sixteen_bits_are_kept() {
        assert_eq!(stored_as(ACL_FLOAT16, 1.0 + 1.0 / 2048.0), 1.0, "a tie, to even");
        assert_eq!(stored_as(ACL_FLOAT16, 1.0 + 3.0 / 2048.0), 1.0 + 2.0 / 1024.0);
        assert_eq!(stored_as(ACL_BF16, 1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(stored_as(ascendcl_sys::ACL_FLOAT, 1.0 + f32::EPSILON), 1.0 + f32::EPSILON);
    }
}
