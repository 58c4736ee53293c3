//! Quantisation to int8 and back.

use super::round::{half, half_to_i8, to_i8};

/// `y * reciprocal + offset` in f32, then to int8 by way of fp16: `rms_norm_quant.cpp`.
pub(crate) fn per_tensor(row: &[f32], reciprocal: f32, offset: f32) -> Vec<i8> {
    row.iter().map(|y| to_i8(y * reciprocal + offset)).collect()
}

/// int8 with a scale of the row's own, in f32 until the last step, as `mla_preprocess` does it.
///
/// The scale is `max|y| / 127`, and what the values are multiplied by is its reciprocal. A row of zeros has the scale 0, and
/// its values, which are not numbers on the way, become 0.
pub(crate) fn per_token(row: &[f32]) -> (Vec<i8>, f32) {
    let scale = largest(row) / 127.0;
    let reciprocal = 1.0 / scale;
    (row.iter().map(|y| to_i8(y * reciprocal)).collect(), scale)
}

/// As [`per_token`], for rows that are fp16: the reciprocal and each product are fp16 too (`norm_dynamic_quant_base.h`).
pub(crate) fn per_token_half(row: &[f32]) -> (Vec<i8>, f32) {
    let scale = largest(row) / 127.0;
    let reciprocal = half(1.0 / scale);
    (row.iter().map(|y| half_to_i8(half(y * reciprocal))).collect(), scale)
}

/// The largest magnitude of a row, 0 if it is empty.
pub(crate) fn largest(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |largest: f32, y| largest.max(y.abs()))
}

/// What the cube's output stage keeps of a scale that a 64-bit word holds: sign, exponent and 10 bits of the fraction of the
/// f32 in its low half.
pub(crate) fn fixpipe_scale(word: u64) -> f32 {
    f32::from_bits(word as u32 & 0xFFFF_E000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_tensor_is_affine() {
        assert_eq!(per_tensor(&[0.0, 1.0, -1.0, 100.0], 8.0, 3.0), [3, 11, -5, 127]);
    }

    #[test]
    fn per_token_maps_the_largest_to_127() {
        let (values, scale) = per_token(&[1.0, -2.0, 0.5, 0.0]);
        assert_eq!(values, [64, -127, 32, 0], "63.5 and 31.75");
        assert_eq!(scale, 2.0 / 127.0);
        let (values, _) = per_token_half(&[1.0, -2.0, 0.5, 0.0]);
        assert_eq!(values, [64, -127, 32, 0]);
    }

    #[test]
    fn a_row_of_zeros_is_zeros() {
        assert_eq!(per_token(&[0.0; 4]), (vec![0; 4], 0.0));
        assert_eq!(per_token_half(&[0.0; 4]), (vec![0; 4], 0.0));
    }

    #[test]
    fn a_scale_loses_thirteen_bits() {
        let word = |value: f32| u64::from(value.to_bits());
        assert_eq!(fixpipe_scale(word(0.5)), 0.5);
        assert_eq!(fixpipe_scale(word(1.0 + f32::EPSILON)), 1.0);
        assert_eq!(fixpipe_scale(word(1.0 + 1.0 / 1024.0)), 1.0 + 1.0 / 1024.0);
        assert_eq!(fixpipe_scale(1 << 46 | word(0.25)), 0.25, "the high half has other fields");
    }
}
