//! The numerics that operations share: pure functions on slices.
//!
//! Floats are computed as the vector unit does: in f32, one operation at a time, nothing fused. Where a result is 16 bits
//! wide, the function's text says where it is rounded.

pub(crate) mod attention;
pub(crate) mod matmul;
pub(crate) mod nz;
pub(crate) mod quantize;
pub(crate) mod rms_norm;
pub(crate) mod rope;
pub(crate) mod round;
