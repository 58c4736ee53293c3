//! Instructions that put elements elsewhere: `Brcb`, `Transpose`, `TransDataTo5HD`.

use super::lanes::{self, BLOCK, Lanes, Operand, Runs, within};
use super::raw::Region;
use super::{data_type, is_movable};
use crate::aicore::abi::{self, DataType};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Use};

/// Elements that a repeat of `Brcb` spreads.
const SPREAD: usize = 8;

impl abi::BroadcastBlocks {
    /// Bytes of an element.
    fn element(&self) -> Result<usize, Fault> {
        let data_type = data_type(self.data_type)?;
        if is_movable(data_type) {
            return Ok(data_type.bits() / 8);
        }
        Err(Fault::Unsupported(format!("Brcb of {data_type:?} does not exist on this device")))
    }

    /// The destination as lanes of whole blocks; a stride of 0 between blocks means 1 (docs: Brcb).
    fn dst(&self) -> (Operand, Lanes) {
        let stride = self.dst_block_stride.max(1);
        let dst = Operand::new(self.dst, BLOCK * 8, stride, self.dst_repeat_stride);
        (dst, Lanes::all(self.repeat.into(), SPREAD))
    }

    fn source_bytes(&self, element: usize) -> u64 {
        u64::from(self.repeat) * (SPREAD * element) as u64
    }
}

impl Semantics for abi::BroadcastBlocks {
    fn check(&self) -> Result<(), Fault> {
        self.element()?;
        within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
        within("dst block stride", self.dst_block_stride.into(), 0, 65535)?;
        within("dst repeat stride", self.dst_repeat_stride.into(), 0, 65535)?;
        lanes::check_address("dst", self.dst, 32)?;
        lanes::check_address("src", self.src, 32)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(element) = self.element() else { return };
        if self.repeat == 0 {
            return;
        }
        visit(Access::run(Address(self.src), Use::Read, self.source_bytes(element)));
        let (dst, lanes) = self.dst();
        dst.accesses(&lanes, Use::Write, visit);
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let element = self.element()?;
        let (dst, lanes) = self.dst();
        let from = Region::of(memory, self.src, self.source_bytes(element))?;
        let to = dst.region(memory, &lanes)?;
        let mut source = [0; SPREAD * 4];
        let mut spread = lanes::Bytes::ZERO;
        for repeat in 0..lanes.repeats {
            let source = &mut source[..SPREAD * element];
            from.read(repeat as usize * source.len(), source)?;
            for (block, value) in spread.0.chunks_exact_mut(BLOCK).zip(source.chunks_exact(element)) {
                for place in block.chunks_exact_mut(element) {
                    place.copy_from_slice(value);
                }
            }
            dst.store(&to, repeat, lanes.active(repeat), &spread)?;
        }
        Ok(())
    }
}

/// Rows and columns of the matrix of `Transpose`, and rows of `TransDataTo5HD`.
const ROWS: usize = 16;

/// Bytes of the matrix of `Transpose`.
const MATRIX: usize = ROWS * BLOCK;

impl Semantics for abi::Transpose {
    fn check(&self) -> Result<(), Fault> {
        lanes::check_address("dst", self.dst, 32)?;
        lanes::check_address("src", self.src, 32)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        visit(Access::run(Address(self.src), Use::Read, MATRIX as u64));
        visit(Access::run(Address(self.dst), Use::Write, MATRIX as u64));
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let mut rows = [0; MATRIX];
        Region::of(memory, self.src, MATRIX as u64)?.read(0, &mut rows)?;
        let mut columns = [0; MATRIX];
        for (at, element) in columns.chunks_exact_mut(2).enumerate() {
            let (column, row) = (at / ROWS, at % ROWS);
            element.copy_from_slice(&rows[(row * ROWS + column) * 2..][..2]);
        }
        Region::of(memory, self.dst, MATRIX as u64)?.write(0, &columns)
    }
}

impl abi::TransposeRows {
    /// Bytes of an element.
    fn element(&self) -> Result<usize, Fault> {
        use DataType::*;
        match data_type(self.data_type)? {
            I8 | U8 => Ok(1),
            I16 | U16 | F16 => Ok(2),
            I32 | U32 | F32 => Ok(4),
            other => {
                Err(Fault::Unsupported(format!("TransDataTo5HD of {other:?} does not exist on this device")))
            }
        }
    }

    /// Bytes that lists are shifted by for a repeat: a single repeat starts a stride away (docs:
    /// TransDataTo5HD, repeatTimes).
    fn shift(&self, repeat: u64, stride: u32) -> u64 {
        let steps = if self.repeat == 1 { 1 } else { repeat };
        steps * u64::from(stride) * BLOCK as u64
    }

    /// The part of a block that is used, of 8-bit elements one half: its start and its length.
    fn part(element: usize, high: u8) -> (u64, usize) {
        match (element, high) {
            (1, 0) => (0, BLOCK / 2),
            (1, _) => (BLOCK as u64 / 2, BLOCK / 2),
            _ => (0, BLOCK),
        }
    }
}

impl Semantics for abi::TransposeRows {
    fn check(&self) -> Result<(), Fault> {
        self.element()?;
        within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
        within("dst repeat stride", self.dst_repeat_stride.into(), 0, 65535)?;
        within("src repeat stride", self.src_repeat_stride.into(), 0, 65535)?;
        for address in self.dst {
            lanes::check_address("dst", address, 32)?;
        }
        for address in self.src {
            lanes::check_address("src", address, 32)?;
        }
        Ok(())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(element) = self.element() else { return };
        let sides = [
            (Use::Read, self.src, self.src_repeat_stride, self.src_high),
            (Use::Write, self.dst, self.dst_repeat_stride, self.dst_high),
        ];
        for (used, list, stride, high) in sides {
            let (start, length) = Self::part(element, high);
            let mut runs = Runs::new(used, visit);
            for repeat in 0..u64::from(self.repeat) {
                for address in list {
                    runs.push(address.wrapping_add(self.shift(repeat, stride) + start), length as u64);
                }
            }
            runs.finish();
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let element = self.element()?;
        let (src_start, length) = Self::part(element, self.src_high);
        let (dst_start, _) = Self::part(element, self.dst_high);
        let columns = length / element;
        for repeat in 0..u64::from(self.repeat) {
            let mut rows = [0; MATRIX];
            for (row, address) in rows.chunks_exact_mut(length).zip(self.src) {
                let at = address.wrapping_add(self.shift(repeat, self.src_repeat_stride) + src_start);
                Region::of(memory, at, length as u64)?.read(0, row)?;
            }
            // The transposed rows follow each other through the list; 32-bit ones fill two blocks each.
            let mut turned = [0; MATRIX];
            for (at, place) in turned[..ROWS * length].chunks_exact_mut(element).enumerate() {
                let (column, row) = (at / ROWS, at % ROWS);
                place.copy_from_slice(&rows[(row * columns + column) * element..][..element]);
            }
            for (part, address) in turned.chunks_exact(length).zip(self.dst) {
                let at = address.wrapping_add(self.shift(repeat, self.dst_repeat_stride) + dst_start);
                Region::of(memory, at, length as u64)?.write(0, part)?;
            }
        }
        Ok(())
    }
}
