//! fp16, bf16 and fp32 products.

use half::{bf16, f16};

use crate::aicore::abi::DataType;
use crate::aicore::matrix::mmad::Sizes;

/// Rows of a that are multiplied at once.
const ROWS: usize = 8;

/// Rounds an fp32 to the 11 bits of mantissa of HF32: to nearest, ties to even (1) or toward zero (2).
pub(super) fn hf32(value: f32, mode: u8) -> f32 {
    const DROPPED: u32 = 12;
    let bits = value.to_bits();
    if mode == 0 || !value.is_finite() {
        return value;
    }
    let half = (1 << (DROPPED - 1)) - 1;
    let add = if mode == 1 { half + (bits >> DROPPED & 1) } else { half };
    f32::from_bits((bits + add) >> DROPPED << DROPPED)
}

/// Appends the elements of a run of bytes.
fn widen(bytes: &[u8], kind: DataType, mode: u8, mut put: impl FnMut(f32)) {
    match kind {
        DataType::F16 => bytes.as_chunks().0.iter().for_each(|&b| put(f16::from_le_bytes(b).to_f32())),
        DataType::Bf16 => bytes.as_chunks().0.iter().for_each(|&b| put(bf16::from_le_bytes(b).to_f32())),
        _ => bytes.as_chunks().0.iter().for_each(|&b| put(hf32(f32::from_le_bytes(b), mode))),
    }
}

/// c += a * b, with c as rows of 16 fp32.
pub(in crate::aicore::matrix) fn multiply(
    sizes: &Sizes,
    kind: DataType,
    mode: u8,
    a: &[u8],
    b: &[u8],
    c: &mut [[u8; 64]],
) {
    let k = sizes.k;
    let mut rows = Vec::with_capacity(sizes.m * k);
    for m in 0..sizes.m {
        for piece in sizes.row_of_a(a, m, kind.bits()) {
            widen(piece, kind, mode, |value| rows.push(value));
        }
    }
    // 16 columns of b, as rows of 16.
    let mut panel = vec![[0.0; 16]; k];
    for n1 in 0..sizes.n.div_ceil(16) {
        let lanes = sizes.lanes(n1);
        for lane in 0..lanes {
            let mut into = panel.iter_mut();
            for piece in sizes.column_of_b(b, n1 * 16 + lane, kind.bits()) {
                widen(piece, kind, mode, |value| {
                    if let Some(row) = into.next() {
                        row[lane] = value;
                    }
                });
            }
        }
        for first in (0..sizes.m).step_by(ROWS) {
            let count = ROWS.min(sizes.m - first);
            let mut sums = [[0.0; 16]; ROWS];
            for (i, sum) in sums[..count].iter_mut().enumerate() {
                for (value, bytes) in sum.iter_mut().zip(c[sizes.row_of_c(n1, first + i)].as_chunks().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
            accumulate(&rows[first * k..(first + count) * k], &panel, &mut sums[..count]);
            for (i, sum) in sums[..count].iter().enumerate() {
                let row = &mut c[sizes.row_of_c(n1, first + i)];
                for (bytes, value) in row.as_chunks_mut().0.iter_mut().zip(&sum[..lanes]) {
                    *bytes = value.to_le_bytes();
                }
            }
        }
    }
}

/// `sums[row][lane] = fma(rows[row][k], panel[k][lane], sums[row][lane])` with k ascending.
fn accumulate(rows: &[f32], panel: &[[f32; 16]], sums: &mut [[f32; 16]]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: The host has AVX-512F.
            return unsafe { with_avx512(rows, panel, sums) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: The host has AVX2 and FMA.
            return unsafe { with_avx2(rows, panel, sums) };
        }
    }
    by_rows(rows, panel, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn with_avx512(rows: &[f32], panel: &[[f32; 16]], sums: &mut [[f32; 16]]) {
    by_rows(rows, panel, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(rows: &[f32], panel: &[[f32; 16]], sums: &mut [[f32; 16]]) {
    by_rows(rows, panel, sums);
}

#[inline(always)]
fn by_rows(rows: &[f32], panel: &[[f32; 16]], sums: &mut [[f32; 16]]) {
    let k = panel.len();
    let mut rows = rows.chunks_exact(k);
    let (fours, rest) = sums.as_chunks_mut::<4>();
    for sums in fours {
        if let (Some(a), Some(b), Some(c), Some(d)) = (rows.next(), rows.next(), rows.next(), rows.next()) {
            block([a, b, c, d], panel, sums);
        }
    }
    for sum in rest {
        if let Some(row) = rows.next() {
            block([row], panel, std::array::from_mut(sum));
        }
    }
}

#[inline(always)]
fn block<const R: usize>(rows: [&[f32]; R], panel: &[[f32; 16]], sums: &mut [[f32; 16]; R]) {
    let mut local = *sums;
    let rows = rows.map(|row| &row[..panel.len()]);
    for (k, b) in panel.iter().enumerate() {
        for (row, sum) in rows.iter().zip(&mut local) {
            let a = row[k];
            for lane in 0..16 {
                sum[lane] = a.mul_add(b[lane], sum[lane]);
            }
        }
    }
    *sums = local;
}
