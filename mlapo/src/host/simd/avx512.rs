//! AVX-512: `vpdpbusd` for int8, fused multiply-add for 16-bit weights.

use std::arch::x86_64::*;

use super::super::tile::{Line8, Line16, Tile, WIDTH};
use super::with_tokens;
use crate::config::Dtype;

/// See [`int8_tile`](super::int8_tile); at most 12 tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn int8(
    panel: &[Line8],
    operands: &[u32],
    tokens: usize,
    start: &[i32; WIDTH],
    out: &mut Tile<i32>,
) {
    with_tokens!(tokens, [1 2 3 4 5 6 7 8 9 10 11 12], int8_block(panel, operands, start, out));
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn int8_block<const T: usize>(panel: &[Line8], operands: &[u32], start: &[i32; WIDTH], out: &mut Tile<i32>) {
    let (low, high) = start.split_at(WIDTH / 2);
    let mut sums = [[load_i32(low), load_i32(high)]; T];
    let lines = panel.as_chunks::<2>().0;
    for (lines, words) in lines.iter().zip(operands.as_chunks::<T>().0) {
        prefetch(&lines[0]);
        prefetch(&lines[1]);
        let weights = [load_i8(&lines[0]), load_i8(&lines[1])];
        for (sum, word) in sums.iter_mut().zip(words) {
            let x = _mm512_set1_epi32(word.cast_signed());
            sum[0] = _mm512_dpbusd_epi32(sum[0], x, weights[0]);
            sum[1] = _mm512_dpbusd_epi32(sum[1], x, weights[1]);
        }
    }
    for (row, sum) in out.iter_mut().zip(&sums) {
        let (low, high) = row.split_at_mut(WIDTH / 2);
        // SAFETY: 16 values of 4 bytes, as wide as the register.
        unsafe { _mm512_storeu_si512(low.as_mut_ptr().cast(), sum[0]) };
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(high.as_mut_ptr().cast(), sum[1]) };
    }
}

/// See [`half_tile`](super::half_tile); at most 12 tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn half(dtype: Dtype, panel: &[Line16], operands: &[f32], tokens: usize, out: &mut Tile<f32>) {
    match dtype {
        Dtype::Bf16 => with_tokens!(tokens, [1 2 3 4 5 6 7 8 9 10 11 12], bf16_block(panel, operands, out)),
        Dtype::Fp16 => with_tokens!(tokens, [1 2 3 4 5 6 7 8 9 10 11 12], fp16_block(panel, operands, out)),
    }
}

macro_rules! half_block {
    ($name:ident, $widen:ident) => {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        fn $name<const T: usize>(panel: &[Line16], operands: &[f32], out: &mut Tile<f32>) {
            let mut sums = [[_mm512_setzero_ps(); 2]; T];
            for (line, xs) in panel.iter().zip(operands.as_chunks::<T>().0) {
                prefetch(line);
                let weights = $widen(line);
                for (sum, x) in sums.iter_mut().zip(xs) {
                    let x = _mm512_set1_ps(*x);
                    sum[0] = _mm512_fmadd_ps(x, weights[0], sum[0]);
                    sum[1] = _mm512_fmadd_ps(x, weights[1], sum[1]);
                }
            }
            for (row, sum) in out.iter_mut().zip(&sums) {
                let (low, high) = row.split_at_mut(WIDTH / 2);
                // SAFETY: 16 values of 4 bytes, as wide as the register.
                unsafe { _mm512_storeu_ps(low.as_mut_ptr(), sum[0]) };
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(high.as_mut_ptr(), sum[1]) };
            }
        }
    };
}
half_block!(bf16_block, widen_bf16);
half_block!(fp16_block, widen_fp16);

/// Outputs 0..16 and 16..32: the low and the high halves of the 32-bit lanes (see [`Keys`](super::super::keys::Keys)).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn widen_bf16(line: &Line16) -> [__m512; 2] {
    // SAFETY: a line is 64 bytes, aligned to 64.
    let pairs = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
    let low = _mm512_slli_epi32::<16>(pairs);
    let high = _mm512_and_si512(pairs, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
    [_mm512_castsi512_ps(low), _mm512_castsi512_ps(high)]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn widen_fp16(line: &Line16) -> [__m512; 2] {
    let (low, high) = line.0.split_at(WIDTH / 2);
    // SAFETY: 16 values of 2 bytes, as wide as the register.
    let low = unsafe { _mm256_loadu_si256(low.as_ptr().cast()) };
    // SAFETY: as above.
    let high = unsafe { _mm256_loadu_si256(high.as_ptr().cast()) };
    [_mm512_cvtph_ps(low), _mm512_cvtph_ps(high)]
}

/// Asks for the cache line that a stream of weights reaches a while after this one.
///
/// A block of tokens fills the reorder window with its products, so the loads themselves do not run ahead far enough.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn prefetch<Line>(line: &Line) {
    const LINES_AHEAD: usize = 64;
    let ahead = std::ptr::from_ref(line).wrapping_add(LINES_AHEAD);
    // SAFETY: a prefetch accesses nothing: it is a hint that is dropped where the address is not mapped.
    #[allow(unused_unsafe, reason = "newer toolchains than the oldest supported one know that it is safe")]
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(ahead.cast())
    };
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn load_i8(line: &Line8) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned to 64.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

/// The first 16 values; zeros if there are fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn load_i32(values: &[i32]) -> __m512i {
    let Some(values) = values.first_chunk::<16>() else { return _mm512_setzero_si512() };
    // SAFETY: 16 values of 4 bytes, as wide as the register.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}
