//! Memory for one instruction, and what it must have done to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, GlobalMemory, Registers, Space, Use};

pub(super) const SIZE: usize = 192 << 10;

/// A unified buffer filled with bytes that look random.
pub(super) struct Arena {
    words: Vec<u64>,
    pub registers: Registers,
}

pub(super) fn ub(offset: u64) -> u64 {
    Address::new(Space::Ub, offset).0
}

/// The next of a sequence that looks random (SplitMix64).
pub(super) fn scramble(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Arena {
    pub(super) fn random(mut seed: u64) -> Self {
        let words = (0..SIZE / 8).map(|_| scramble(&mut seed)).collect();
        Self { words, registers: Registers::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.words)
    }

    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.bytes_mut()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn memory(&mut self) -> CoreMemory {
        let mut base = [std::ptr::null_mut(); 8];
        base[Space::Ub as usize] = self.words.as_mut_ptr().cast();
        // SAFETY: The pointer is to as many bytes as UB has, and nothing else uses them while the value lives.
        unsafe { CoreMemory::new(base, Arc::new(GlobalMemory::default())) }
    }

    pub(super) fn run(&mut self, instruction: &dyn Semantics) -> Result<(), Fault> {
        let memory = self.memory();
        instruction.check()?;
        let mut registers = self.registers;
        let result = instruction.run(&memory, &mut registers);
        self.registers = registers;
        result
    }

    /// Every byte that the instruction says that it reads, and writes.
    pub(super) fn accesses(&mut self, instruction: &dyn Semantics) -> (Vec<bool>, Vec<bool>) {
        let memory = self.memory();
        let (mut read, mut written) = (vec![false; SIZE], vec![false; SIZE]);
        instruction.accesses(&memory, &mut |access: Access| {
            let map = if access.used == Use::Read { &mut read } else { &mut written };
            for run in 0..access.count {
                let start = (access.address.offset() + run * access.stride) as usize;
                map[start..start + access.length as usize].fill(true);
            }
        });
        (read, written)
    }
}

/// What an instruction must read and write, byte by byte.
#[derive(Default)]
pub(super) struct Expected {
    pub writes: BTreeMap<u64, u8>,
    pub reads: std::collections::BTreeSet<u64>,
}

impl Expected {
    pub(super) fn read(&mut self, offset: u64, length: usize) {
        self.reads.extend(offset..offset + length as u64);
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.writes.extend((offset..).zip(bytes.iter().copied()));
    }

    /// Runs the instruction and compares all memory, and all accesses.
    pub(super) fn verify(&self, arena: &mut Arena, instruction: &dyn Semantics) {
        let mut wanted = arena.bytes().to_vec();
        let (read, written) = arena.accesses(instruction);
        for (offset, byte) in &self.writes {
            wanted[*offset as usize] = *byte;
        }
        arena.run(instruction).expect("the instruction is valid");
        if wanted != arena.bytes() {
            let at = (0..SIZE).find(|at| wanted[*at] != arena.bytes()[*at]).unwrap_or_default();
            let start = at & !7;
            let (got, wanted) = (&arena.bytes()[start..start + 8], &wanted[start..start + 8]);
            panic!("at {at:#x}: {got:x?} and not {wanted:x?}");
        }
        let (mut to_read, mut to_write) = (vec![false; SIZE], vec![false; SIZE]);
        self.reads.iter().for_each(|at| to_read[*at as usize] = true);
        self.writes.keys().for_each(|at| to_write[*at as usize] = true);
        for (what, told, wanted) in [("read", read, to_read), ("write", written, to_write)] {
            if told != wanted {
                let at = (0..SIZE).find(|at| told[*at] != wanted[*at]);
                panic!("{what} at {at:x?} is told wrongly");
            }
        }
    }
}
