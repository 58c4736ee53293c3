//! The shapes that the packed weights and the inner loops agree on.

use super::isa::MAX_BLOCK;

/// Output columns of one panel of packed weights, and of one tile.
pub(super) const WIDTH: usize = 32;

/// Sums of one panel for a block of tokens; rows beyond the block's tokens are left as they were.
pub(super) type Tile<T> = [[T; WIDTH]; MAX_BLOCK];

/// One cache line of int8 weights: [`WIDTH`] outputs of two columns, or half of them of four.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line8(pub(super) [i8; 64]);

/// One cache line of 16-bit weights: [`WIDTH`] outputs of one row.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line16(pub(super) [u16; WIDTH]);
