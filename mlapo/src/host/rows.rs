//! What is done to one row of values between the products: conversion, RMSNorm, quantisation and rotation.
//!
//! Everything is elementwise or a reduction in a fixed order, so results do not depend on the instruction set. Widths
//! are multiples of 16, as [`Config`](crate::Config) has them.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::isa::Isa;
use super::simd::for_isa;
use crate::config::Dtype;

/// How a per-tensor quantisation brings values to the integer scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rescale {
    /// Multiplication by the factor, for a scale its f32 reciprocal: the device's way.
    Multiply(f32),
    /// Division by the scale: the way of the engines' golden for hidden states that come normalised.
    Divide(f32),
}

/// f32 values of 16-bit patterns.
pub(super) fn widen(isa: Isa, dtype: Dtype, bits: &[u16], values: &mut [f32]) {
    match dtype {
        Dtype::Fp16 => bits.reinterpret_cast::<f16>().convert_to_f32_slice(values),
        Dtype::Bf16 => for_isa!(isa, widen_bf16(bits: &[u16], values: &mut [f32])),
    }
}

#[inline(always)]
fn widen_bf16(bits: &[u16], values: &mut [f32]) {
    for (value, bits) in values.iter_mut().zip(bits) {
        *value = f32::from_bits(u32::from(*bits) << 16);
    }
}

/// 16-bit patterns of f32 values, rounded to nearest even.
pub(super) fn narrow(isa: Isa, dtype: Dtype, values: &[f32], bits: &mut [u16]) {
    match dtype {
        Dtype::Fp16 => bits.reinterpret_cast_mut::<f16>().convert_from_f32_slice(values),
        Dtype::Bf16 => for_isa!(isa, narrow_bf16(values: &[f32], bits: &mut [u16])),
    }
}

#[inline(always)]
fn narrow_bf16(values: &[f32], bits: &mut [u16]) {
    for (bits, value) in bits.iter_mut().zip(values) {
        *bits = (bf16_bits(*value) >> 16) as u16;
    }
}

/// The f32 pattern of a value rounded to bf16.
#[inline(always)]
fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    // Rounding would carry a NaN's payload away; set its quiet bit instead.
    if value.is_nan() { bits & 0xffff_0000 | 0x0040_0000 } else { rounded }
}

/// Rounds values to the 16-bit type in place.
pub(super) fn round(isa: Isa, dtype: Dtype, values: &mut [f32; 32]) {
    match dtype {
        Dtype::Fp16 => {
            let mut rounded = [f16::ZERO; 32];
            rounded.convert_from_f32_slice(values);
            rounded.convert_to_f32_slice(values);
        }
        Dtype::Bf16 => for_isa!(isa, round_bf16(values: &mut [f32; 32])),
    }
}

#[inline(always)]
fn round_bf16(values: &mut [f32; 32]) {
    for value in values {
        *value = f32::from_bits(bf16_bits(*value));
    }
}

/// `sqrt(mean(x^2) + epsilon)`.
///
/// The squares are summed in f64, in 16 interleaved sums, and rounded to f32 once.
pub(super) fn rms(isa: Isa, row: &[f32], epsilon: f32) -> f32 {
    let squares = for_isa!(isa, sum_of_squares(row: &[f32]) -> f64);
    (squares as f32 / row.len() as f32 + epsilon).sqrt()
}

#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f64 {
    let mut sums = [0.0; 16];
    for values in row.as_chunks::<16>().0 {
        for (sum, value) in sums.iter_mut().zip(values) {
            let value = f64::from(*value);
            *sum += value * value;
        }
    }
    sums.iter().sum()
}

/// `x * (1 / rms) * gamma + beta`, left to right: the norm before a projection.
pub(super) fn norm(isa: Isa, row: &mut [f32], rms: f32, gamma: &[f32], beta: &[f32]) {
    let factor = 1.0 / rms;
    for_isa!(isa, norm_body(row: &mut [f32], factor: f32, gamma: &[f32], beta: &[f32]));
}

#[inline(always)]
fn norm_body(row: &mut [f32], factor: f32, gamma: &[f32], beta: &[f32]) {
    for ((x, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
        *x = *x * factor * gamma + beta;
    }
}

/// `x / rms * gamma`: the norm of the key latent.
pub(super) fn norm_latent(isa: Isa, row: &mut [f32], rms: f32, gamma: &[f32]) {
    for_isa!(isa, norm_latent_body(row: &mut [f32], rms: f32, gamma: &[f32]));
}

#[inline(always)]
fn norm_latent_body(row: &mut [f32], rms: f32, gamma: &[f32]) {
    for (x, gamma) in row.iter_mut().zip(gamma) {
        *x = *x / rms * gamma;
    }
}

/// Quantises with a given scale and zero point: rescale, add, round to half precision, saturate, round to integer.
pub(super) fn quantize(isa: Isa, row: &[f32], rescale: Rescale, offset: f32, codes: &mut [i8]) {
    match rescale {
        Rescale::Multiply(by) => {
            for_isa!(isa, quantize_by_factor(row: &[f32], by: f32, offset: f32, codes: &mut [i8]));
        }
        Rescale::Divide(by) => {
            for_isa!(isa, quantize_by_divisor(row: &[f32], by: f32, offset: f32, codes: &mut [i8]));
        }
    }
}

#[inline(always)]
fn quantize_by_factor(row: &[f32], by: f32, offset: f32, codes: &mut [i8]) {
    for (code, x) in codes.iter_mut().zip(row) {
        *code = int8_by_half(x * by + offset);
    }
}

#[inline(always)]
fn quantize_by_divisor(row: &[f32], by: f32, offset: f32, codes: &mut [i8]) {
    for (code, x) in codes.iter_mut().zip(row) {
        *code = int8_by_half(x / by + offset);
    }
}

/// Quantises with the row's own scale `max|x| / 127`, which it returns.
///
/// A row of zeros gets zeros and the scale 0. A NaN anywhere makes the scale NaN, and so everything computed from
/// this row.
pub(super) fn quantize_dynamic(isa: Isa, row: &[f32], codes: &mut [i8]) -> f32 {
    let scale = for_isa!(isa, largest(row: &[f32]) -> f32) / 127.0;
    quantize(isa, row, Rescale::Multiply(1.0 / scale), 0.0, codes);
    scale
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    // The patterns of magnitudes order like the magnitudes, with NaN above all.
    let mut most = [0u32; 16];
    for values in row.as_chunks::<16>().0 {
        for (most, value) in most.iter_mut().zip(values) {
            *most = (*most).max(value.abs().to_bits());
        }
    }
    f32::from_bits(most.into_iter().fold(0, u32::max))
}

/// Rounds to half precision, saturates, and rounds to an integer, ties to even; NaN becomes 0.
#[inline(always)]
fn int8_by_half(value: f32) -> i8 {
    // Half precision keeps 10 of the 23 bits of a mantissa. Its subnormal numbers and its overflow need no care:
    // the former become 0 and the latter saturates.
    let bits = value.to_bits();
    let rounded = f32::from_bits(bits.wrapping_add(0x0fff + (bits >> 13 & 1)) & !0x1fff);
    let bounded = if value.is_nan() { 0.0 } else { rounded.clamp(-128.0, 127.0) };
    // At 1.5 * 2^23 the unit of the last place is 1: the addition rounds, and the low byte is the integer.
    const TO_INTEGER: f32 = 12_582_912.0;
    (bounded + TO_INTEGER).to_bits() as i8
}

/// Rotary embedding in half layout: `x * cos + [-x[half..], x[..half]] * sin`, in f32.
pub(super) fn rotate(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
    let middle = x.len() / 2;
    let (even, odd) = x.split_at(middle);
    let (out_even, out_odd) = out.split_at_mut(middle);
    for i in 0..middle {
        out_even[i] = even[i] * cos[i] - odd[i] * sin[i];
        out_odd[i] = odd[i] * cos[middle + i] + even[i] * sin[middle + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric;

    /// Values whose mantissas end in the patterns that decide a rounding, at every exponent, and the special ones.
    fn values() -> Vec<f32> {
        let tails =
            [0u32, 1, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0x1_8000];
        let heads = [0u32, 0x1_2345, 0x40_0000, 0x2a_a000, 0x7e_0000];
        let mut values: Vec<f32> = (0..512u32)
            .flat_map(|sign_exponent| {
                heads.into_iter().flat_map(move |head| {
                    tails.map(|tail| f32::from_bits(sign_exponent << 23 | (head + tail) & 0x7f_ffff))
                })
            })
            // Arithmetic makes quiet NaNs only.
            .map(|v| if v.is_nan() { f32::NAN } else { v })
            .collect();
        values.extend((-1100..1100).map(|i| i as f32 / 8.0));
        values.extend([f32::INFINITY, f32::NEG_INFINITY, 65519.0, 65520.0, f32::MAX]);
        values.resize(values.len().next_multiple_of(32), 0.0);
        values
    }

    #[test]
    fn conversions_agree_with_the_scalar_ones() {
        let values = values();
        for isa in Isa::available() {
            for dtype in [Dtype::Fp16, Dtype::Bf16] {
                let mut bits = vec![0; values.len()];
                narrow(isa, dtype, &values, &mut bits);
                let mut wide = vec![0.0; values.len()];
                widen(isa, dtype, &bits, &mut wide);
                for (chunk, wide) in values.as_chunks::<32>().0.iter().zip(wide.as_chunks::<32>().0) {
                    let mut rounded = *chunk;
                    round(isa, dtype, &mut rounded);
                    for i in 0..32 {
                        let expected = numeric::round16(chunk[i], dtype);
                        let same =
                            |x: f32| x.to_bits() == expected.to_bits() || x.is_nan() && expected.is_nan();
                        assert!(same(rounded[i]) && same(wide[i]), "{isa:?} {dtype:?} {:e}", chunk[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn quantisation_agrees_with_the_scalar_one() {
        let values = values();
        for isa in Isa::available() {
            for offset in [0.0, -3.0] {
                let mut product = vec![0; values.len()];
                quantize(isa, &values, Rescale::Multiply(0.75), offset, &mut product);
                let mut quotient = vec![0; values.len()];
                quantize(isa, &values, Rescale::Divide(0.3), offset, &mut quotient);
                for (i, x) in values.iter().enumerate() {
                    let expected = |y: f32| numeric::to_int8(numeric::half(y));
                    assert_eq!(product[i], expected(x * 0.75 + offset), "{isa:?} {x:e}");
                    assert_eq!(quotient[i], expected(x / 0.3 + offset), "{isa:?} {x:e}");
                }
            }
        }
    }

    #[test]
    fn dynamic_scale_is_the_largest_magnitude() {
        for isa in Isa::available() {
            let mut row = [0.25; 48];
            row[17] = -254.0;
            row[18] = 127.0;
            let mut codes = [1; 48];
            assert_eq!(quantize_dynamic(isa, &row, &mut codes), 2.0);
            assert_eq!((codes[17], codes[18], codes[0]), (-127, 64, 0));

            assert_eq!(quantize_dynamic(isa, &[-0.0; 16], &mut codes[..16]), 0.0);
            assert_eq!(codes[..16], [0; 16]);

            row[40] = f32::NAN;
            assert!(quantize_dynamic(isa, &row, &mut codes).is_nan());
            assert_eq!(codes, [0; 48]);
        }
    }

    #[test]
    fn norms_divide_by_the_root_mean_square() {
        let row: Vec<f32> = (0..96).map(|i| (i as f32 - 40.0) / 8.0).collect();
        let mean = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 96.0;
        for isa in Isa::available() {
            let rms = rms(isa, &row, 0.5);
            assert!((f64::from(rms) / (mean + 0.5).sqrt() - 1.0).abs() < 3e-7, "{isa:?} {rms}");
            let (mut normed, mut latent) = (row.clone(), row.clone());
            norm(isa, &mut normed, rms, &[2.0; 96], &[10.0; 96]);
            norm_latent(isa, &mut latent, rms, &[2.0; 96]);
            for ((x, normed), latent) in row.iter().zip(normed).zip(latent) {
                let expected = 2.0 * f64::from(*x) / (mean + 0.5).sqrt();
                assert!((f64::from(normed) - 10.0 - expected).abs() < 3e-6, "{isa:?} {x}");
                assert!((f64::from(latent) - expected).abs() < 3e-6, "{isa:?} {x}");
            }
        }
    }

    /// Rotating by an angle is a complex product.
    #[test]
    fn rotation_is_a_complex_product() {
        let x: [f32; 16] = std::array::from_fn(|i| i as f32 - 6.5);
        let angle = |i: usize| i as f32 * 0.3;
        let cos: [f32; 16] = std::array::from_fn(|i| angle(i % 8).cos());
        let sin: [f32; 16] = std::array::from_fn(|i| angle(i % 8).sin());
        let mut out = [0.0; 16];
        rotate(&x, &cos, &sin, &mut out);
        for i in 0..8 {
            let (radius, phase) = (x[i].hypot(x[i + 8]), x[i + 8].atan2(x[i]) + angle(i));
            assert!(
                (out[i] - radius * phase.cos()).abs() < 1e-5
                    && (out[i + 8] - radius * phase.sin()).abs() < 1e-5
            );
        }
    }
}
