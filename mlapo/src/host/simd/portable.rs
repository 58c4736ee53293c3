//! Plain Rust, for processors without a path of their own.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::super::tile::{Line8, Line16, Tile, WIDTH};
use crate::config::Dtype;

/// See [`int8_tile`](super::int8_tile).
pub(super) fn int8(
    panel: &[Line8],
    operands: &[u32],
    tokens: usize,
    start: &[i32; WIDTH],
    out: &mut Tile<i32>,
) {
    let out = &mut out[..tokens];
    out.fill(*start);
    for (line, words) in panel.iter().zip(operands.chunks_exact(tokens)) {
        for (sums, word) in out.iter_mut().zip(words) {
            let [a, b] = [*word, *word >> 16].map(|half| i32::from(half as u16 as i16));
            for (sum, [v, w]) in sums.iter_mut().zip(line.0.as_chunks::<2>().0) {
                *sum = sum.wrapping_add(i32::from(*v) * a + i32::from(*w) * b);
            }
        }
    }
}

/// See [`half_tile`](super::half_tile).
pub(super) fn half(dtype: Dtype, panel: &[Line16], operands: &[f32], tokens: usize, out: &mut Tile<f32>) {
    let out = &mut out[..tokens];
    out.fill([0.0; WIDTH]);
    for (line, xs) in panel.iter().zip(operands.chunks_exact(tokens)) {
        let weights = widen(dtype, line);
        for (sums, x) in out.iter_mut().zip(xs) {
            for (sum, w) in sums.iter_mut().zip(&weights) {
                *sum += x * w;
            }
        }
    }
}

fn widen(dtype: Dtype, line: &Line16) -> [f32; WIDTH] {
    let mut values = [0.0; WIDTH];
    match dtype {
        Dtype::Fp16 => line.0.reinterpret_cast::<f16>().convert_to_f32_slice(&mut values),
        Dtype::Bf16 => {
            // The order of the packing: output i beside output i + 16.
            for (i, [low, high]) in line.0.as_chunks::<2>().0.iter().enumerate() {
                values[i] = f32::from_bits(u32::from(*low) << 16);
                values[i + WIDTH / 2] = f32::from_bits(u32::from(*high) << 16);
            }
        }
    }
    values
}
