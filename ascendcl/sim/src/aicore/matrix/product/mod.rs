//! The arithmetic of `Mmad`, on copies of the operands: vectorized for the instruction sets of the host, with the
//! same result on each.

pub(super) mod float;
pub(super) mod integer;
#[cfg(target_arch = "x86_64")]
mod vnni;
