//! What makes an AI core stop.

use super::memory::Address;

/// An instruction that the hardware refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// `size` is that of the local memory; 0 for global memory, where the bytes are not within one allocation.
    #[error("{length} bytes at {address} are out of bounds{}", of(*size))]
    OutOfBounds { address: Address, length: u64, size: u64 },
    #[error("the core has no memory at {address}")]
    NoSuchMemory { address: Address },
    #[error("{operand} at {address} is not aligned to {alignment} bytes")]
    Misaligned { operand: &'static str, address: Address, alignment: u64 },
    /// A value that the instruction's field cannot hold.
    #[error("{field} is {value}, which is not within {least}..={most}")]
    Field { field: &'static str, value: u64, least: u64, most: u64 },
    /// A combination that the hardware does not have.
    #[error("{0}")]
    Unsupported(String),
}

fn of(size: u64) -> String {
    if size == 0 { " of any allocation".to_owned() } else { format!(" of the {size} bytes of the memory") }
}
