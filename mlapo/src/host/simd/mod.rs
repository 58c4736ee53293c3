//! The inner loops, once per instruction set; safe to call with an [`Isa`](super::isa::Isa) in hand.
//!
//! Both products have one shape: a panel of packed weights, [`WIDTH`](super::tile::WIDTH) outputs wide, times a
//! block of tokens whose operands lie interleaved (`[step][token]`). Each sum has one accumulator and takes its
//! terms in order, so a result depends neither on the block's size nor on the other tokens in it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::isa::{Isa, Kind};
use super::tile::{Line8, Line16, Tile, WIDTH};
use crate::config::Dtype;

/// Calls `$tile::<$T>` with the number of tokens as the constant.
macro_rules! with_tokens {
    ($tokens:expr, [$($n:literal)*], $tile:ident $args:tt) => {
        match $tokens {
            $($n => $tile::<$n> $args,)*
            // Blocks are cut to the instruction set's size; nothing to sum otherwise.
            _ => {}
        }
    };
}
pub(super) use with_tokens;

/// int8 product of a panel with a block of tokens, in exact 32-bit arithmetic: `out[t][r] = start[r] + sum`.
///
/// `operands` holds one word for each group of columns and token (`[group][token]`, see
/// [`Matrix::stage`](super::int8::Matrix::stage)). Wraps like the registers do; the caller's column bound keeps
/// the true sums in range.
pub(super) fn int8_tile(
    isa: Isa,
    panel: &[Line8],
    operands: &[u32],
    tokens: usize,
    start: &[i32; WIDTH],
    out: &mut Tile<i32>,
) {
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this kind exists only where the processor has the features that it names, which are
        // those that the function is compiled for.
        Kind::Avx512 => unsafe { avx512::int8(panel, operands, tokens, start, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Kind::Avx2 => unsafe { avx2::int8(panel, operands, tokens, start, out) },
        Kind::Portable => portable::int8(panel, operands, tokens, start, out),
    }
}

/// 16-bit product of a panel with a block of tokens, accumulated in f32: `out[t][c] = sum over k of x[k][t] * w[k][c]`.
///
/// `operands` are `[k][token]`; a product of two 16-bit floats is exact in f32, so fused and separate additions agree.
pub(super) fn half_tile(
    isa: Isa,
    dtype: Dtype,
    panel: &[Line16],
    operands: &[f32],
    tokens: usize,
    out: &mut Tile<f32>,
) {
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this kind exists only where the processor has the features that it names, which are
        // those that the function is compiled for.
        Kind::Avx512 => unsafe { avx512::half(dtype, panel, operands, tokens, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Kind::Avx2 => unsafe { avx2::half(dtype, panel, operands, tokens, out) },
        Kind::Portable => portable::half(dtype, panel, operands, tokens, out),
    }
}

/// Compiles a function of plain Rust for each instruction set and calls the one of `$isa`.
///
/// `$body` must be `#[inline(always)]`, so that the compiler vectorises it with each set's registers. Results are the
/// same for all: no set contracts a multiplication and an addition on its own.
macro_rules! for_isa {
    ($isa:expr, $body:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        fn avx512($($arg: $ty),*) $(-> $ret)? {
            $body($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn avx2($($arg: $ty),*) $(-> $ret)? {
            $body($($arg),*)
        }
        match $isa.kind() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this kind exists only where the processor has the features that it names.
            $crate::host::isa::Kind::Avx512 => unsafe { avx512($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::host::isa::Kind::Avx2 => unsafe { avx2($($arg),*) },
            $crate::host::isa::Kind::Portable => $body($($arg),*),
        }
    }};
}
pub(super) use for_isa;
