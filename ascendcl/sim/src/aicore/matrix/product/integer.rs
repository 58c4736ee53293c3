//! int8 and int4 products, exact in int32.

use crate::aicore::matrix::mmad::Sizes;

/// c += a * b, with c as rows of 16 int32.
pub(in crate::aicore::matrix) fn multiply(
    sizes: &Sizes,
    nibbles: bool,
    a: &[u8],
    b: &[u8],
    c: &mut [[u8; 64]],
) {
    #[cfg(target_arch = "x86_64")]
    if !nibbles && super::vnni::available() {
        return super::vnni::multiply(sizes, a, b, c);
    }
    by_columns(sizes, nibbles, a, b, c);
}

/// The plain way: one scalar product after the other.
pub(in crate::aicore::matrix) fn by_columns(
    sizes: &Sizes,
    nibbles: bool,
    a: &[u8],
    b: &[u8],
    c: &mut [[u8; 64]],
) {
    let bits = if nibbles { 4 } else { 8 };
    let mut rows = Vec::with_capacity(sizes.m * sizes.k);
    for m in 0..sizes.m {
        for piece in sizes.row_of_a(a, m, bits) {
            widen(piece, nibbles, &mut rows);
        }
    }
    let mut column = Vec::with_capacity(sizes.k);
    for n in 0..sizes.n {
        column.clear();
        for piece in sizes.column_of_b(b, n, bits) {
            widen(piece, nibbles, &mut column);
        }
        for (m, row) in rows.chunks_exact(sizes.k).enumerate() {
            add(&mut c[sizes.row_of_c(n / 16, m)], n % 16, dot(row, &column));
        }
    }
}

/// Adds to an element of a row of c.
pub(super) fn add(row: &mut [u8; 64], lane: usize, value: i32) {
    let element = &mut row.as_chunks_mut::<4>().0[lane];
    *element = i32::from_le_bytes(*element).wrapping_add(value).to_le_bytes();
}

/// Appends elements: bytes, or their low and high halves.
fn widen(bytes: &[u8], nibbles: bool, into: &mut Vec<i16>) {
    if nibbles {
        into.extend(bytes.iter().flat_map(|&byte| [(byte << 4) as i8 >> 4, byte as i8 >> 4]).map(i16::from));
    } else {
        into.extend(bytes.iter().map(|&byte| i16::from(byte as i8)));
    }
}

fn dot(a: &[i16], b: &[i16]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: The host has AVX2.
        return unsafe { dot_avx2(a, b) };
    }
    dot_plain(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[i16], b: &[i16]) -> i32 {
    dot_plain(a, b)
}

#[inline(always)]
fn dot_plain(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}
