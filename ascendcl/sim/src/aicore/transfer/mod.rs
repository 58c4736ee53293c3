//! The pipes that move data between global memory and the memories of a core.

pub(crate) mod atomic;
mod copy;
mod fractal;
pub(crate) mod operand;
pub(crate) mod raw;

#[cfg(test)]
mod tests;
