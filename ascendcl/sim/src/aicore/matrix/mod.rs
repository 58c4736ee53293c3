//! The cube unit and the pipes that feed and drain it.
//!
//! Layouts of NPU architecture 2201, with `k0` elements in the 32 bytes of a fractal's row (64 of int4, 32 of
//! int8, 16 of fp16 and bf16, 8 of fp32):
//!
//! | memory | matrix | order |
//! |---|---|---|
//! | L0A | a, m by k | `[m / 16][k / k0][16][k0]` (zZ) |
//! | L0B | b, k by n | `[k / k0][n / 16][16][k0]` (nZ, the columns of b as rows) |
//! | L0C | c, m by n | `[n / 16][m / 16][16][16]` of 4-byte elements (Nz) |

mod fill;
mod fixpipe;
mod load;
mod load3d;
mod mmad;
mod product;

#[cfg(test)]
mod tests;

/// Bytes of a fractal in L1, L0A and L0B.
const FRACTAL: u64 = 512;
/// Bytes of its row.
const ROW: u64 = 32;
/// Rows of a fractal; columns of one in L0C.
const SIDE: u64 = 16;
