//! The operation's number formats: 16-bit floats as bit patterns, and rounding to int8.
//!
//! All roundings are to nearest, ties to even.

use half::{bf16, f16};

use crate::config::Dtype;

/// The value of a bit pattern.
#[inline]
pub(crate) fn to_f32(bits: u16, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::Fp16 => f16::from_bits(bits).to_f32(),
        Dtype::Bf16 => bf16::from_bits(bits).to_f32(),
    }
}

/// The bit pattern nearest to a value; beyond the largest finite number it is an infinity.
#[inline]
pub(crate) fn from_f32(value: f32, dtype: Dtype) -> u16 {
    match dtype {
        Dtype::Fp16 => f16::from_f32(value).to_bits(),
        Dtype::Bf16 => bf16::from_f32(value).to_bits(),
    }
}

/// A value rounded to the 16-bit type: `R16` of the golden specification.
#[inline]
pub(crate) fn round16(value: f32, dtype: Dtype) -> f32 {
    to_f32(from_f32(value, dtype), dtype)
}

/// A value rounded to half precision, whatever the activations' type: `half` of the golden specification.
#[inline]
pub(crate) fn half(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

/// Rounds to an integer and saturates to int8; NaN becomes 0.
///
/// The bounds are integers, so it makes no difference whether saturation comes before or after the rounding.
#[inline]
pub(crate) fn to_int8(value: f32) -> i8 {
    // A float-to-integer cast saturates and maps NaN to 0.
    value.round_ties_even() as i8
}

/// The values of a row of bit patterns.
pub(crate) fn widen(bits: &[u16], dtype: Dtype) -> Vec<f32> {
    bits.iter().map(|b| to_f32(*b, dtype)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_pattern_survives_the_way_through_f32() {
        for dtype in [Dtype::Fp16, Dtype::Bf16] {
            for bits in 0..=u16::MAX {
                let value = to_f32(bits, dtype);
                if !value.is_nan() {
                    assert_eq!(from_f32(value, dtype), bits);
                }
            }
        }
    }

    /// Between two neighbors, the midpoint goes to the even one and anything beside it to the nearer one.
    #[test]
    fn rounding_is_to_nearest_even() {
        for (dtype, largest) in [(Dtype::Fp16, 0x7bff_u16), (Dtype::Bf16, 0x7f7f)] {
            for low in 0..largest {
                let (a, b) = (to_f32(low, dtype), to_f32(low + 1, dtype));
                let middle = ((f64::from(a) + f64::from(b)) / 2.0) as f32;
                assert_eq!(from_f32(middle, dtype), low + (low & 1), "{dtype:?} {low:#x}");
                assert_eq!(from_f32(middle.next_down(), dtype), low);
                assert_eq!(from_f32(middle.next_up(), dtype), low + 1);
            }
        }
        assert_eq!(half(65519.0), 65504.0);
        assert_eq!(half(65520.0), f32::INFINITY);
    }

    #[test]
    fn int8_ties_and_extremes() {
        let cases = [
            (0.5, 0),
            (1.5, 2),
            (-0.5, 0),
            (-2.5, -2),
            (126.5, 126),
            (127.5, 127),
            (-128.5, -128),
            (1e30, 127),
            (f32::INFINITY, 127),
            (f32::NEG_INFINITY, -128),
            (f32::NAN, 0),
        ];
        for (value, expected) in cases {
            assert_eq!(to_int8(value), expected, "{value}");
        }
    }
}
