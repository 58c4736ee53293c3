//! AVX2: `vpmaddwd` on widened int8 (its sums of two products are exact), fused multiply-add for 16-bit weights.

use std::arch::x86_64::*;

use super::super::tile::{Line8, Line16, Tile, WIDTH};
use super::with_tokens;
use crate::config::Dtype;

/// Outputs of one register.
const LANES: usize = 8;
/// Registers of one panel.
const PARTS: usize = WIDTH / LANES;

/// See [`int8_tile`](super::int8_tile); at most 3 tokens.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn int8(
    panel: &[Line8],
    operands: &[u32],
    tokens: usize,
    start: &[i32; WIDTH],
    out: &mut Tile<i32>,
) {
    with_tokens!(tokens, [1 2 3], int8_block(panel, operands, start, out));
}

#[target_feature(enable = "avx2,fma,f16c")]
fn int8_block<const T: usize>(panel: &[Line8], operands: &[u32], start: &[i32; WIDTH], out: &mut Tile<i32>) {
    let mut first = [_mm256_setzero_si256(); PARTS];
    for (part, values) in first.iter_mut().zip(start.as_chunks::<LANES>().0) {
        // SAFETY: 8 values of 4 bytes, as wide as the register.
        *part = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
    }
    let mut sums = [first; T];
    for (line, words) in panel.iter().zip(operands.as_chunks::<T>().0) {
        for (part, bytes) in line.0.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: 16 bytes, as wide as the register.
            let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            let weights = _mm256_cvtepi8_epi16(bytes);
            for (sum, word) in sums.iter_mut().zip(words) {
                let x = _mm256_set1_epi32(word.cast_signed());
                sum[part] = _mm256_add_epi32(sum[part], _mm256_madd_epi16(weights, x));
            }
        }
    }
    for (row, sum) in out.iter_mut().zip(&sums) {
        for (values, part) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
            // SAFETY: 8 values of 4 bytes, as wide as the register.
            unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), *part) };
        }
    }
}

/// See [`half_tile`](super::half_tile); at most 3 tokens.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn half(dtype: Dtype, panel: &[Line16], operands: &[f32], tokens: usize, out: &mut Tile<f32>) {
    match dtype {
        Dtype::Bf16 => with_tokens!(tokens, [1 2 3], bf16_block(panel, operands, out)),
        Dtype::Fp16 => with_tokens!(tokens, [1 2 3], fp16_block(panel, operands, out)),
    }
}

macro_rules! half_block {
    ($name:ident, $widen:ident) => {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn $name<const T: usize>(panel: &[Line16], operands: &[f32], out: &mut Tile<f32>) {
            let mut sums = [[_mm256_setzero_ps(); PARTS]; T];
            for (line, xs) in panel.iter().zip(operands.as_chunks::<T>().0) {
                let weights = $widen(line);
                for (sum, x) in sums.iter_mut().zip(xs) {
                    let x = _mm256_set1_ps(*x);
                    for (sum, weights) in sum.iter_mut().zip(&weights) {
                        *sum = _mm256_fmadd_ps(x, *weights, *sum);
                    }
                }
            }
            for (row, sum) in out.iter_mut().zip(&sums) {
                for (values, part) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
                    // SAFETY: 8 values of 4 bytes, as wide as the register.
                    unsafe { _mm256_storeu_ps(values.as_mut_ptr(), *part) };
                }
            }
        }
    };
}
half_block!(bf16_block, widen_bf16);
half_block!(fp16_block, widen_fp16);

/// Outputs in order: the low halves of the 32-bit lanes, then the high ones (see [`Keys`](super::super::keys::Keys)).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn widen_bf16(line: &Line16) -> [__m256; PARTS] {
    let mask = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    let mut out = [_mm256_setzero_ps(); PARTS];
    for (half, pairs) in line.0.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: 16 values of 2 bytes, as wide as the register.
        let pairs = unsafe { _mm256_loadu_si256(pairs.as_ptr().cast()) };
        out[half] = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs));
        out[half + 2] = _mm256_castsi256_ps(_mm256_and_si256(pairs, mask));
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn widen_fp16(line: &Line16) -> [__m256; PARTS] {
    let mut out = [_mm256_setzero_ps(); PARTS];
    for (part, values) in out.iter_mut().zip(line.0.as_chunks::<LANES>().0) {
        // SAFETY: 8 values of 2 bytes, as wide as the register.
        let values = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
        *part = _mm256_cvtph_ps(values);
    }
    out
}
