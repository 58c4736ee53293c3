//! `GatherMask`: keeps the elements that a pattern selects, without gaps.

use super::lanes::{self, BLOCK, Runs, within};
use super::raw::Region;
use super::{data_type, is_movable};
use crate::aicore::abi;
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};

/// Whether a built-in pattern keeps the element: 1 and 2 one of two, 3 to 6 one of four, 7 all.
fn keeps(pattern: u8, element: u64) -> bool {
    match pattern {
        1 | 2 => element % 2 == u64::from(pattern - 1),
        3..=6 => element % 4 == u64::from(pattern - 3),
        _ => true,
    }
}

impl abi::GatherMask {
    /// Bytes of an element.
    fn element(&self) -> Result<u64, Fault> {
        let data_type = data_type(self.data_type)?;
        if is_movable(data_type) {
            return Ok(data_type.bits() as u64 / 8);
        }
        Err(Fault::Unsupported(format!("GatherMask of {data_type:?} does not exist on this device")))
    }

    /// Elements of each repeat.
    fn per_repeat(&self, element: u64) -> u64 {
        if self.reduce != 0 { u64::from(self.count) } else { lanes::REPEAT as u64 / element }
    }

    /// Where an element is, from the start of the source.
    fn place(&self, element: u64, repeat: u64, index: u64) -> u64 {
        let at = index * element;
        let block = BLOCK as u64;
        (repeat * u64::from(self.src_repeat_stride) + at / block * u64::from(self.src_block_stride)) * block
            + at % block
    }

    /// Where the pattern of a repeat starts, from its address.
    fn pattern_place(&self, repeat: u64) -> u64 {
        repeat * u64::from(self.pattern_repeat_stride) * BLOCK as u64
    }

    /// Calls with the place of each kept element, repeat by repeat.
    fn kept(
        &self,
        memory: &CoreMemory,
        element: u64,
        mut visit: impl FnMut(u64, u64) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let per_repeat = self.per_repeat(element);
        for repeat in 0..u64::from(self.repeat) {
            let pattern = match self.built_in {
                0 => {
                    let at = self.pattern.wrapping_add(self.pattern_place(repeat));
                    Some(Region::of(memory, at, per_repeat.div_ceil(8))?)
                }
                _ => None,
            };
            let mut byte = [0];
            for index in 0..per_repeat {
                let keep = match &pattern {
                    Some(pattern) => {
                        if index % 8 == 0 {
                            pattern.read(index as usize / 8, &mut byte)?;
                        }
                        byte[0] >> (index % 8) & 1 == 1
                    }
                    None => keeps(self.built_in, index),
                };
                if keep {
                    visit(repeat, self.place(element, repeat, index))?;
                }
            }
        }
        Ok(())
    }
}

impl Semantics for abi::GatherMask {
    fn check(&self) -> Result<(), Fault> {
        self.element()?;
        within("pattern", self.built_in.into(), 0, 7)?;
        within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
        within("src block stride", self.src_block_stride.into(), 0, 255)?;
        within("src repeat stride", self.src_repeat_stride.into(), 0, 65535)?;
        if self.built_in == 0 {
            within("pattern repeat stride", self.pattern_repeat_stride.into(), 0, 255)?;
            lanes::check_address("pattern", self.pattern, 32)?;
        }
        if self.reduce != 0 {
            within("mask count", self.count.into(), 1, u64::from(u32::MAX))?;
        }
        lanes::check_address("dst", self.dst, 32)?;
        lanes::check_address("src", self.src, 32)
    }

    fn accesses(&self, memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(element) = self.element() else { return };
        let per_repeat = self.per_repeat(element);
        if per_repeat * element > Space::Ub.size() as u64 {
            visit(Access::run(Address(self.src), Use::Read, per_repeat * element));
            return;
        }
        if self.built_in == 0 {
            let mut runs = Runs::new(Use::Read, visit);
            for repeat in 0..u64::from(self.repeat) {
                runs.push(self.pattern.wrapping_add(self.pattern_place(repeat)), per_repeat.div_ceil(8));
            }
            runs.finish();
        }
        let mut kept = 0;
        let mut runs = Runs::new(Use::Read, visit);
        // The unit reads whole repeats, but what is not kept is of no consequence.
        let complete = self.kept(memory, element, |_, place| {
            kept += element;
            runs.push(self.src.wrapping_add(place), element);
            Ok(())
        });
        runs.finish();
        // A pattern out of bounds was told above.
        if complete.is_ok() && kept > 0 {
            visit(Access::run(Address(self.dst), Use::Write, kept));
        }
    }

    fn run(&self, memory: &CoreMemory, registers: &mut Registers) -> Result<(), Fault> {
        let element = self.element()?;
        let mut staging: Vec<u8> = Vec::new();
        let mut current = 0;
        let mut written = 0;
        let mut bytes = [0; 4];
        let flush = |staging: &mut Vec<u8>, written: &mut u64| {
            let to = Region::of(memory, self.dst.wrapping_add(*written), staging.len() as u64)?;
            *written += staging.len() as u64;
            to.write(0, staging)?;
            staging.clear();
            Ok::<(), Fault>(())
        };
        self.kept(memory, element, |repeat, place| {
            if repeat != current {
                flush(&mut staging, &mut written)?;
                current = repeat;
            }
            let into = &mut bytes[..element as usize];
            Region::of(memory, self.src.wrapping_add(place), element)?.read(0, into)?;
            staging.extend_from_slice(into);
            Ok(())
        })?;
        flush(&mut staging, &mut written)?;
        registers.remaining_count = written / element;
        Ok(())
    }
}
