//! Rows of bytes between memories.

use half::f16;

use super::atomic::Store;
use super::operand::{placed, supported, within};
use super::raw;
use crate::aicore::abi::{self, Atomic};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};

/// The unit of copies that know nothing smaller, and what rows in local memories start at.
const BLOCK: u64 = 32;

impl abi::Copy {
    /// No rows or nothing in them: the documents call it no operation.
    fn idle(&self) -> bool {
        self.rows == 0 || self.row_bytes == 0
    }

    fn written(&self) -> u64 {
        if self.widens != 0 {
            return self.row_bytes.saturating_mul(2);
        }
        self.row_bytes.saturating_add(u64::from(self.left_padding) + u64::from(self.right_padding))
    }
}

impl Semantics for abi::Copy {
    fn check(&self) -> Result<(), Fault> {
        // A copy without limits passes zeros.
        if self.count_limit != 0 {
            within("blockCount", self.count_field, 0, u64::from(self.count_limit))?;
        }
        if self.length_limit != 0 {
            within("blockLen", self.length_field, 0, u64::from(self.length_limit))?;
        }
        let src = placed("source", self.src, &Space::ALL)?;
        let dst = placed("destination", self.dst, &Space::ALL)?;
        if self.idle() {
            return Ok(());
        }
        supported(self.row_bytes <= u64::from(u32::MAX), || format!("a row of {} bytes", self.row_bytes))?;
        if self.blocks != 0 {
            supported(self.row_bytes.is_multiple_of(BLOCK), || {
                format!("rows of {} bytes, where the copy takes blocks of {BLOCK} bytes", self.row_bytes)
            })?;
        }
        for (name, space, stride) in [("source", src, self.src_stride), ("destination", dst, self.dst_stride)]
        {
            supported(self.rows == 1 || space == Space::Gm || stride.is_multiple_of(BLOCK), || {
                format!("rows of the {name} are {stride} bytes apart, which is no multiple of {BLOCK}")
            })?;
        }
        if self.widens != 0 {
            supported(
                src == Space::L1
                    && dst == Space::Bt
                    && self.left_padding == 0
                    && self.right_padding == 0
                    && self.atomic == Atomic::None as u8
                    && self.row_bytes.is_multiple_of(2),
                || "a copy that widens other than from L1 to BT".to_owned(),
            )?;
        }
        within("leftPadding in bytes", self.left_padding, 0, BLOCK)?;
        // Up to 32 bytes that were asked for, and what is left of the last block.
        within("rightPadding in bytes", self.right_padding, 0, 2 * BLOCK - 1)?;
        if self.left_padding != 0 || self.right_padding != 0 {
            supported(matches!(self.element, 1 | 2 | 4 | 8), || {
                format!("padding of elements of {} bytes", self.element)
            })?;
        }
        Store::of(self.atomic, self.atomic_type, self.dst)?.check_length(self.written())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.idle() {
            return;
        }
        let used = Store::of(self.atomic, self.atomic_type, self.dst).map_or(Use::Write, Store::used);
        let count = u64::from(self.rows);
        visit(Access {
            address: Address(self.src),
            used: Use::Read,
            length: self.row_bytes,
            count,
            stride: self.src_stride,
        });
        visit(Access {
            address: Address(self.dst),
            used,
            length: self.written(),
            count,
            stride: self.dst_stride,
        });
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.idle() {
            return Ok(());
        }
        let store = Store::of(self.atomic, self.atomic_type, self.dst)?;
        let padded = self.left_padding != 0 || self.right_padding != 0;
        // Bounds come first: nothing is allocated for a row that no memory holds.
        memory.at(Address(self.src), self.row_bytes)?;
        memory.at(Address(self.dst), self.written())?;
        let mut row = Vec::new();
        if padded {
            row.resize(self.written() as usize, 0);
            let element = self.padding.to_le_bytes();
            let size = self.element.clamp(1, 8) as usize;
            let left = self.left_padding as usize;
            let (before, after) = row.split_at_mut(left + self.row_bytes as usize);
            for (i, byte) in before[..left].iter_mut().enumerate() {
                *byte = element[i % size];
            }
            for (i, byte) in after.iter_mut().enumerate() {
                *byte = element[i % size];
            }
        }
        for i in 0..u64::from(self.rows) {
            let src = Address(self.src).add(self.src_stride.wrapping_mul(i));
            let dst = Address(self.dst).add(self.dst_stride.wrapping_mul(i));
            if self.widens != 0 {
                widen(memory, dst, src, self.row_bytes)?;
                continue;
            }
            if !padded && store == Store::Plain {
                raw::copy(memory, dst, src, self.row_bytes)?;
                continue;
            }
            if !padded {
                row.resize(self.row_bytes as usize, 0);
            }
            let left = self.left_padding as usize;
            raw::get(memory, src, &mut row[left..left + self.row_bytes as usize])?;
            store.put(memory, dst, &row)?;
        }
        Ok(())
    }
}

/// A row of half values as floats.
fn widen(memory: &CoreMemory, dst: Address, src: Address, bytes: u64) -> Result<(), Fault> {
    let mut halves = vec![0; bytes as usize];
    raw::get(memory, src, &mut halves)?;
    let floats =
        halves.chunks_exact(2).flat_map(|half| f16::from_le_bytes([half[0], half[1]]).to_f32().to_le_bytes());
    raw::put(memory, dst, &floats.collect::<Vec<u8>>())
}
