//! What every instruction that moves data checks of its operands.

use crate::aicore::fault::Fault;
use crate::aicore::memory::{Address, Space};

/// A value must fit the field of the instruction.
pub(crate) fn within(field: &'static str, value: u32, least: u64, most: u64) -> Result<(), Fault> {
    let value = u64::from(value);
    if (least..=most).contains(&value) { Ok(()) } else { Err(Fault::Field { field, value, least, most }) }
}

pub(crate) fn aligned(operand: &'static str, address: u64, alignment: u64) -> Result<(), Fault> {
    let address = Address(address);
    if address.offset().is_multiple_of(alignment) {
        Ok(())
    } else {
        Err(Fault::Misaligned { operand, address, alignment })
    }
}

/// The memory of an operand, which must be one of `allowed`, and the alignment that the memory asks for.
pub(crate) fn placed(operand: &'static str, address: u64, allowed: &[Space]) -> Result<Space, Fault> {
    let space = Address(address).space().ok_or(Fault::NoSuchMemory { address: Address(address) })?;
    if !allowed.contains(&space) {
        let names: Vec<_> = allowed.iter().map(|space| space.name()).collect();
        return Err(Fault::Unsupported(format!(
            "{operand} is in {}, where the instruction takes {}",
            space.name(),
            names.join(" or ")
        )));
    }
    aligned(operand, address, space.alignment())?;
    Ok(space)
}

/// A condition that has no field of its own.
pub(crate) fn supported(condition: bool, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if condition { Ok(()) } else { Err(Fault::Unsupported(what())) }
}
