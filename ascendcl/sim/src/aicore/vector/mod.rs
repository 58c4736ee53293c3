//! The vector unit (Ascend C docs: memory vector computation, for Atlas A2).
//!
//! A repeat reads all its operands before it writes. Floats compute in f32: fp16 results are rounded to the
//! nearest even once per instruction and overflow to infinity, integers wrap around, and a result that is
//! not a number has one bit pattern.

mod arithmetic;
mod cast;
mod elementwise;
mod gather;
mod gather_mask;
mod lanes;
mod raw;
mod rearrange;
mod reduce;
mod select;
mod sort;
#[cfg(test)]
mod tests;

use super::abi::DataType;
use super::fault::Fault;

/// The type of a code of the ABI.
fn data_type(code: u8) -> Result<DataType, Fault> {
    DataType::of(code).ok_or_else(|| Fault::Unsupported(format!("data type {code} does not exist")))
}

/// Whether a type has 16 or 32 bits: what instructions that only move elements take.
const fn is_movable(data_type: DataType) -> bool {
    matches!(data_type.bits(), 16 | 32)
}
