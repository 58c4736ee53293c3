//! `InitConstValue` and `Fill`: constants in L1, L0A and L0B.

use super::{FRACTAL, ROW};
use crate::aicore::abi;
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};
use crate::aicore::transfer::operand::{placed, supported, within};
use crate::aicore::transfer::raw;

impl abi::Fill {
    /// Bytes of a block: that of the memory.
    fn block(&self) -> u64 {
        if Address(self.dst).space() == Some(Space::L1) { ROW } else { FRACTAL }
    }

    fn length(&self) -> u64 {
        u64::from(self.block_num) * self.block()
    }

    fn stride(&self) -> u64 {
        self.length() + u64::from(self.dst_gap) * self.block()
    }
}

impl Semantics for abi::Fill {
    fn check(&self) -> Result<(), Fault> {
        within("repeatTimes", self.repeat, 0, 32767)?;
        within("blockNum", self.block_num, 0, 32767)?;
        within("dstGap", self.dst_gap, 0, 32767)?;
        supported(matches!(self.element, 2 | 4), || format!("elements of {} bytes", self.element))?;
        placed("destination", self.dst, &[Space::L1, Space::L0a, Space::L0b]).map(drop)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.repeat != 0 && self.block_num != 0 {
            visit(Access {
                address: Address(self.dst),
                used: Use::Write,
                length: self.length(),
                count: u64::from(self.repeat),
                stride: self.stride(),
            });
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.repeat == 0 || self.block_num == 0 {
            return Ok(());
        }
        let value = self.value.to_le_bytes();
        let size = self.element.clamp(1, 8) as usize;
        let bytes: Vec<u8> = value[..size].iter().copied().cycle().take(self.length() as usize).collect();
        for repeat in 0..u64::from(self.repeat) {
            raw::put(memory, Address(self.dst).add(repeat * self.stride()), &bytes)?;
        }
        Ok(())
    }
}
