//! A core with memories of random bytes, for the tests of instructions.

use std::sync::Arc;

use super::fault::Fault;
use super::instruction::Semantics;
use super::memory::{Access, Address, CoreMemory, GlobalMemory, Range, Registers, Space, Use};

/// Where global memory starts for instructions.
pub(crate) const GLOBAL: u64 = 0x10_0000;
/// Its bytes.
const GLOBAL_BYTES: usize = 1 << 20;

/// All memories of both kinds of cores.
pub(crate) struct Core {
    /// Owned through `memory`'s pointers; never moved or reallocated.
    arenas: Vec<Box<[u8]>>,
    pointers: [*mut u8; 8],
    initial: Vec<Vec<u8>>,
    memory: CoreMemory,
}

impl Core {
    pub(crate) fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut arenas: Vec<Box<[u8]>> = Space::ALL
            .iter()
            .map(|&space| {
                let length = if space == Space::Gm { GLOBAL_BYTES } else { space.size() };
                (0..length)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        (state >> 24) as u8
                    })
                    .collect()
            })
            .collect();
        let mut pointers = [std::ptr::null_mut(); 8];
        for (pointer, arena) in pointers.iter_mut().zip(&mut arenas) {
            *pointer = arena.as_mut_ptr();
        }
        let delta = (pointers[0] as u64).wrapping_sub(GLOBAL);
        let range = Range { start: GLOBAL, length: GLOBAL_BYTES as u64, delta };
        let global = Arc::new(GlobalMemory { ranges: vec![range], ..GlobalMemory::default() });
        let mut base = pointers;
        base[0] = std::ptr::null_mut();
        let initial = arenas.iter().map(|arena| arena.to_vec()).collect();
        // SAFETY: The arenas have the sizes of the spaces and live as long as the value, unmoved.
        let memory = unsafe { CoreMemory::new(base, global) };
        Self { arenas, pointers, initial, memory }
    }

    /// Checks and runs an instruction, and that it told every byte that it changed.
    pub(crate) fn execute(&mut self, instruction: &impl Semantics) -> Result<(), Fault> {
        instruction.check()?;
        let before: Vec<Vec<u8>> = Space::ALL.iter().map(|&space| self.all(space)).collect();
        let mut told: Vec<Vec<bool>> = before.iter().map(|bytes| vec![false; bytes.len()]).collect();
        for access in self.accesses(instruction) {
            if access.used == Use::Read {
                continue;
            }
            let space = access.address.space().unwrap();
            let start = access.address.offset() - if space == Space::Gm { GLOBAL } else { 0 };
            for i in 0..access.count {
                for byte in start + i * access.stride..start + i * access.stride + access.length {
                    if let Some(byte) = told[space as usize].get_mut(byte as usize) {
                        *byte = true;
                    }
                }
            }
        }
        instruction.run(&self.memory, &mut Registers::default())?;
        for (space, (before, told)) in Space::ALL.iter().zip(before.iter().zip(&told)) {
            let after = self.all(*space);
            for (i, told) in told.iter().enumerate() {
                assert!(*told || before[i] == after[i], "byte {i} of {space:?} was written and not told");
            }
        }
        Ok(())
    }

    pub(crate) fn accesses(&self, instruction: &impl Semantics) -> Vec<Access> {
        let mut accesses = Vec::new();
        instruction.accesses(&self.memory, &mut |access| accesses.push(access));
        accesses
    }

    /// The bytes that a memory started with.
    pub(crate) fn random(&self, space: Space) -> Vec<u8> {
        self.initial[space as usize].clone()
    }

    fn all(&self, space: Space) -> Vec<u8> {
        self.bytes(space, 0, self.arenas[space as usize].len())
    }

    pub(crate) fn bytes(&self, space: Space, offset: u64, length: usize) -> Vec<u8> {
        assert!(offset as usize + length <= self.arenas[space as usize].len());
        let mut bytes = vec![0; length];
        // SAFETY: The range is in the arena, which nothing else uses now.
        unsafe {
            let from = self.pointers[space as usize].add(offset as usize);
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), length);
        }
        bytes
    }

    pub(crate) fn byte(&self, space: Space, offset: u64) -> u8 {
        self.bytes(space, offset, 1)[0]
    }

    pub(crate) fn write(&mut self, space: Space, offset: u64, bytes: &[u8]) {
        assert!(offset as usize + bytes.len() <= self.arenas[space as usize].len());
        // SAFETY: The range is in the arena, which nothing else uses now.
        unsafe {
            let to = self.pointers[space as usize].add(offset as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// Where an offset is, as instructions name it.
    pub(crate) fn address(space: Space, offset: u64) -> u64 {
        if space == Space::Gm { GLOBAL + offset } else { Address::new(space, offset).0 }
    }
}
