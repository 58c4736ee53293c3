//! `Gather` and `Gatherb`: elements or blocks from places that a tensor of offsets tells.

use super::data_type;
use super::lanes::{self, BLOCK, Bytes, Lanes, Operand, Runs, within};
use super::raw::Region;
use crate::aicore::abi::{self, DataType, GatherMode};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Use};

/// Blocks of a repeat.
const BLOCKS: usize = 8;

impl abi::Gather {
    fn codes(&self) -> Result<(GatherMode, DataType), Fault> {
        let mode = GatherMode::of(self.mode)
            .ok_or_else(|| Fault::Unsupported(format!("gather mode {} does not exist", self.mode)))?;
        let data_type = data_type(self.data_type)?;
        let supported = match mode {
            GatherMode::Elements => super::is_movable(data_type),
            GatherMode::Blocks => matches!(data_type, DataType::U16 | DataType::U32),
            GatherMode::Scatter => {
                return Err(Fault::Unsupported("Scatter does not exist on this device".to_owned()));
            }
        };
        if supported {
            Ok((mode, data_type))
        } else {
            Err(Fault::Unsupported(format!(
                "gather of {mode:?} of {data_type:?} does not exist on this device"
            )))
        }
    }

    /// The lanes, of which each takes an offset. `Gatherb` has no mask.
    fn lanes(&self, mode: GatherMode, data_type: DataType) -> Lanes {
        match mode {
            GatherMode::Blocks => Lanes::all(self.repeat.into(), BLOCKS),
            _ => Lanes::new(&self.mask, self.repeat, lanes::REPEAT * 8 / data_type.bits()),
        }
    }

    fn dst(&self, mode: GatherMode, data_type: DataType) -> Operand {
        // A stride of 0 between blocks means 1 (docs: Gatherb).
        let block = if mode == GatherMode::Blocks { self.dst_block_stride.max(1) } else { 1 };
        let bits = if mode == GatherMode::Blocks { BLOCK * 8 } else { data_type.bits() };
        Operand::new(self.dst, bits, block, self.dst_repeat_stride)
    }

    fn offsets(&self, lanes: &Lanes) -> Operand {
        let repeat = lanes.per_repeat as u64 * 4;
        Operand { address: self.offset, bits: 32, block: BLOCK as u64, repeat }
    }

    /// Bytes that one offset names.
    fn length(mode: GatherMode, data_type: DataType) -> usize {
        if mode == GatherMode::Blocks { BLOCK } else { data_type.bits() / 8 }
    }

    /// Where the bytes of an offset are.
    fn place(&self, mode: GatherMode, offset: u32) -> u64 {
        let base = if mode == GatherMode::Blocks { 0 } else { u64::from(self.base) };
        self.src.wrapping_add(base + u64::from(offset))
    }
}

/// The offset of a lane.
fn offset_at(offsets: &Region, lanes: &Lanes, repeat: u64, lane: usize) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    offsets.read((repeat as usize * lanes.per_repeat + lane) * 4, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

impl Semantics for abi::Gather {
    fn check(&self) -> Result<(), Fault> {
        let (mode, data_type) = self.codes()?;
        if mode == GatherMode::Blocks {
            within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
            within("dst block stride", self.dst_block_stride.into(), 0, 255)?;
            within("dst repeat stride", self.dst_repeat_stride.into(), 0, 255)?;
        } else {
            lanes::check_lanes(&self.mask, self.repeat)?;
            within("dst repeat stride", self.dst_repeat_stride.into(), 0, 65535)?;
            let address = Address(u64::from(self.base));
            let alignment = (data_type.bits() / 8) as u64;
            if !address.0.is_multiple_of(alignment) {
                return Err(Fault::Misaligned { operand: "base", address, alignment });
            }
        }
        lanes::check_address("dst", self.dst, 32)?;
        lanes::check_address("src", self.src, 32)?;
        lanes::check_address("offset", self.offset, 32)
    }

    fn accesses(&self, memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok((mode, data_type)) = self.codes() else { return };
        let lanes = self.lanes(mode, data_type);
        let offsets = self.offsets(&lanes);
        offsets.accesses(&lanes, Use::Read, visit);
        // Offsets that lie out of bounds are told above.
        if let Ok(offsets) = offsets.region(memory, &lanes) {
            let mut runs = Runs::new(Use::Read, visit);
            for repeat in 0..lanes.repeats {
                let active = lanes.active(repeat);
                for lane in (0..active.span).filter(|lane| active.has(*lane)) {
                    let Ok(offset) = offset_at(&offsets, &lanes, repeat, lane) else { continue };
                    runs.push(self.place(mode, offset), Self::length(mode, data_type) as u64);
                }
            }
            runs.finish();
        }
        self.dst(mode, data_type).accesses(&lanes, Use::Write, visit);
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let (mode, data_type) = self.codes()?;
        let lanes = self.lanes(mode, data_type);
        let length = Self::length(mode, data_type);
        let offsets = self.offsets(&lanes).region(memory, &lanes)?;
        let dst = self.dst(mode, data_type);
        let to = dst.region(memory, &lanes)?;
        let mut staging = Bytes::ZERO;
        for repeat in 0..lanes.repeats {
            let active = lanes.active(repeat);
            for lane in (0..active.span).filter(|lane| active.has(*lane)) {
                let address = Address(self.place(mode, offset_at(&offsets, &lanes, repeat, lane)?));
                if !address.0.is_multiple_of(length as u64) {
                    return Err(Fault::Misaligned {
                        operand: "gathered src",
                        address,
                        alignment: length as u64,
                    });
                }
                let into = &mut staging.0[lane * length..][..length];
                Region::of(memory, address.0, length as u64)?.read(0, into)?;
            }
            dst.store(&to, repeat, active, &staging)?;
        }
        Ok(())
    }
}
