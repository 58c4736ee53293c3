//! int8 products with AVX-512 VNNI, straight from the fractals of L0B.
//!
//! The instruction multiplies unsigned by signed bytes, so a is taken plus 128, and 128 times the sum of each column
//! of b is taken off at the end; that sum is a product with a row of ones. All steps wrap, so the result is exact.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_i32gather_epi32, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_setr_epi32, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::integer::add;
use crate::aicore::matrix::mmad::Sizes;

/// Bytes of a fractal, and of its row.
const FRACTAL: usize = 512;
const ROW: usize = 32;

/// Whether the host can do it.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

/// c += a * b; call only if it is [`available`].
pub(super) fn multiply(sizes: &Sizes, a: &[u8], b: &[u8], c: &mut [[u8; 64]]) {
    let stride = sizes.k.next_multiple_of(ROW);
    // One row of ones, then the rows of a; what is beyond k multiplies by zero.
    let mut rows = vec![0; (sizes.m + 1) * stride];
    rows[..sizes.k].fill(1);
    for (m, row) in rows.chunks_exact_mut(stride).skip(1).enumerate() {
        let mut into = row.iter_mut();
        for &byte in sizes.row_of_a(a, m, 8).flatten() {
            if let Some(element) = into.next() {
                *element = byte ^ 0x80;
            }
        }
    }
    let (ones, rows) = rows.split_at(stride);
    let n1 = sizes.n.div_ceil(16);
    for column in 0..n1 {
        let lanes = sizes.lanes(column);
        // 16 rows of a fit the registers; less are a smaller block.
        let mut first = 0;
        while first < sizes.m {
            let left = sizes.m - first;
            let rows = &rows[first * stride..];
            let fractals = &b[column * FRACTAL..];
            // SAFETY: `available` said that the host has the instructions. `rows` holds as many rows of `stride`
            // bytes as the block takes, and `fractals` stride / 32 fractals, n1 fractals apart.
            let count = unsafe {
                match left {
                    16.. => block::<16>(ones, rows, fractals, n1, &mut |row, sums| {
                        store(sizes, c, column, first + row, lanes, sums);
                    }),
                    4..16 => block::<4>(ones, rows, fractals, n1, &mut |row, sums| {
                        store(sizes, c, column, first + row, lanes, sums);
                    }),
                    _ => block::<1>(ones, rows, fractals, n1, &mut |row, sums| {
                        store(sizes, c, column, first + row, lanes, sums);
                    }),
                }
            };
            first += count;
        }
    }
}

fn store(sizes: &Sizes, c: &mut [[u8; 64]], column: usize, m: usize, lanes: usize, sums: &[i32; 16]) {
    let row = &mut c[sizes.row_of_c(column, m)];
    for (lane, &sum) in sums[..lanes].iter().enumerate() {
        add(row, lane, sum);
    }
}

/// Multiplies R rows with 16 columns of b and hands out their sums; returns R.
#[target_feature(enable = "avx512f,avx512vnni")]
fn block<const R: usize>(
    ones: &[u8],
    rows: &[u8],
    fractals: &[u8],
    n1: usize,
    store: &mut dyn FnMut(usize, &[i32; 16]),
) -> usize {
    let stride = ones.len();
    let mut sums = [_mm512_setzero_si512(); R];
    let mut columns = _mm512_setzero_si512();
    // Rows of a fractal are 8 words apart.
    let places = _mm512_setr_epi32(0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120);
    for k1 in 0..stride / ROW {
        let fractal = &fractals[k1 * n1 * FRACTAL..][..FRACTAL];
        for word in 0..ROW / 4 {
            // SAFETY: The farthest word is 120 + 7 of the 128 of the fractal.
            let b = unsafe { _mm512_i32gather_epi32::<4>(places, fractal.as_ptr().add(word * 4).cast()) };
            let at = k1 * ROW + word * 4;
            columns = _mm512_dpbusd_epi32(columns, spread(ones, at), b);
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_dpbusd_epi32(*sum, spread(rows, row * stride + at), b);
            }
        }
    }
    let excess = _mm512_mullo_epi32(columns, _mm512_set1_epi32(128));
    for (row, &sum) in sums.iter().enumerate() {
        let mut out = [0; 16];
        let sum: __m512i = _mm512_sub_epi32(sum, excess);
        // SAFETY: `out` has 64 bytes; the store takes any alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
        store(row, &out);
    }
    R
}

/// Four bytes in every lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(bytes: &[u8], at: usize) -> __m512i {
    let word =
        bytes.get(at..at + 4).and_then(|word| word.first_chunk()).map_or(0, |word| i32::from_le_bytes(*word));
    _mm512_set1_epi32(word)
}
