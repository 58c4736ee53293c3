//! Which elements a vector instruction takes, and where they are.
//!
//! A repeat is up to 8 blocks of 32 bytes of the widest operand; operands of narrower elements have as many
//! lanes in fewer blocks (Ascend C docs: high-dimensional slicing, masks).

use bytemuck::Pod;

use super::raw::Region;
use crate::aicore::abi::Mask;
use crate::aicore::fault::Fault;
use crate::aicore::memory::{Access, Address, Space, Use};

/// Bytes of a block.
pub(super) const BLOCK: usize = 32;
/// Bytes of a repeat.
pub(super) const REPEAT: usize = 256;
/// Most lanes of a repeat.
pub(super) const LANES: usize = 128;
/// Most repeats of an instruction.
pub(super) const MOST_REPEATS: u64 = 255;

/// The operands of one repeat, outside of the memory.
#[derive(Clone)]
#[repr(C, align(32))]
pub(super) struct Bytes(pub [u8; REPEAT]);

impl Bytes {
    pub(super) const ZERO: Self = Self([0; REPEAT]);

    pub(super) fn lanes<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(&self.0)
    }

    pub(super) fn lanes_mut<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// The lanes of a repeat that take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Active {
    pub bits: u128,
    /// One more than the last lane that takes part.
    pub span: usize,
}

impl Active {
    pub(super) fn of(bits: u128) -> Self {
        Self { bits, span: 128 - bits.leading_zeros() as usize }
    }

    pub(super) fn first(lanes: usize) -> Self {
        Self::of(ones(lanes))
    }

    pub(super) fn has(&self, lane: usize) -> bool {
        self.bits >> lane & 1 == 1
    }

    /// No lane is left out before the last.
    fn is_dense(&self) -> bool {
        self.bits == ones(self.span)
    }
}

const fn ones(count: usize) -> u128 {
    if count >= LANES { u128::MAX } else { (1 << count) - 1 }
}

/// The repeats of an instruction and their lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    pub per_repeat: usize,
    pub repeats: u64,
    whole: Active,
    last: Active,
}

impl Lanes {
    /// The lanes of a mask. A repeat count of 0 is no operation, and so is a mask without a lane; in counter
    /// mode the count alone decides.
    pub(super) fn new(mask: &Mask, repeat: u32, per_repeat: usize) -> Self {
        if mask.counter != 0 {
            let count = mask.bits[0];
            let repeats = count.div_ceil(per_repeat as u64);
            let last = count - repeats.saturating_sub(1) * per_repeat as u64;
            let whole = Active::first(per_repeat);
            return Self { per_repeat, repeats, whole, last: Active::first(last as usize) };
        }
        // A mask has 128 bits; elements of 32 bits leave the upper half without use.
        let bits = u128::from(mask.bits[0]) | u128::from(mask.bits[1]) << 64;
        let active = Active::of(bits & ones(per_repeat));
        let repeats = if active.span == 0 { 0 } else { u64::from(repeat) };
        Self { per_repeat, repeats, whole: active, last: active }
    }

    /// Every lane of each repeat.
    pub(super) fn all(repeats: u64, per_repeat: usize) -> Self {
        let active = Active::first(per_repeat);
        Self { per_repeat, repeats, whole: active, last: active }
    }

    /// The same lanes in each repeat.
    pub(super) fn each(repeats: u64, per_repeat: usize, active: Active) -> Self {
        let repeats = if active.span == 0 { 0 } else { repeats };
        Self { per_repeat, repeats, whole: active, last: active }
    }

    pub(super) fn active(&self, repeat: u64) -> Active {
        if repeat + 1 == self.repeats { self.last } else { self.whole }
    }

    /// The most lanes that a repeat reaches.
    pub(super) fn span(&self) -> usize {
        if self.repeats > 1 { self.whole.span } else { self.last.span }
    }

    /// For a mask of 4-bit elements, which go by pairs: no byte is split.
    pub(super) fn whole_bytes(&self) -> bool {
        const EVEN: u128 = u128::MAX / 3;
        [self.whole, self.last].iter().all(|active| active.bits & EVEN == active.bits >> 1 & EVEN)
    }
}

/// Checks the repeat count and the mask.
pub(super) fn check_lanes(mask: &Mask, repeat: u32) -> Result<(), Fault> {
    if mask.counter != 0 {
        return within("mask count", mask.bits[0], 0, u64::from(u32::MAX));
    }
    within("repeat", u64::from(repeat), 0, MOST_REPEATS)
}

/// Checks the value of a field.
pub(super) fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), Fault> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(Fault::Field { field, value, least, most }) }
}

/// Checks that an address is of UB and aligned.
pub(super) fn check_address(operand: &'static str, address: u64, alignment: u64) -> Result<(), Fault> {
    let address = Address(address);
    match address.space() {
        Some(Space::Ub) => {}
        Some(space) => {
            let name = space.name();
            return Err(Fault::Unsupported(format!(
                "{operand} of a vector instruction is in {name}, not in UB"
            )));
        }
        None => return Err(Fault::NoSuchMemory { address }),
    }
    if address.offset().is_multiple_of(alignment) {
        Ok(())
    } else {
        Err(Fault::Misaligned { operand, address, alignment })
    }
}

/// A tensor that an instruction goes through block by block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub address: u64,
    /// Bits of an element.
    pub bits: usize,
    /// Bytes from block to block.
    pub block: u64,
    /// Bytes from repeat to repeat.
    pub repeat: u64,
}

impl Operand {
    /// Strides are in blocks.
    pub(super) fn new(address: u64, bits: usize, block: u32, repeat: u32) -> Self {
        Self {
            address,
            bits,
            block: u64::from(block) * BLOCK as u64,
            repeat: u64::from(repeat) * BLOCK as u64,
        }
    }

    fn lanes_per_block(&self) -> usize {
        BLOCK * 8 / self.bits
    }

    /// Bytes from the address to the end of the last block that the lanes use.
    pub(super) fn extent(&self, lanes: &Lanes) -> u64 {
        let end = |repeat: u64, span: usize| match span.checked_sub(1) {
            Some(last) => {
                repeat * self.repeat + (last / self.lanes_per_block()) as u64 * self.block + BLOCK as u64
            }
            None => 0,
        };
        match lanes.repeats {
            0 => 0,
            1 => end(0, lanes.last.span),
            repeats => end(repeats - 2, lanes.whole.span).max(end(repeats - 1, lanes.last.span)),
        }
    }

    pub(super) fn region<'a>(
        &self,
        memory: &'a crate::aicore::memory::CoreMemory,
        lanes: &Lanes,
    ) -> Result<Region<'a>, Fault> {
        Region::of(memory, self.address, self.extent(lanes))
    }

    /// Reads the blocks of a repeat up to the last active lane.
    pub(super) fn load(
        &self,
        region: &Region,
        repeat: u64,
        active: Active,
        into: &mut Bytes,
    ) -> Result<(), Fault> {
        let blocks = active.span.div_ceil(self.lanes_per_block());
        let start = (repeat * self.repeat) as usize;
        if self.block == BLOCK as u64 {
            return region.read(start, &mut into.0[..blocks * BLOCK]);
        }
        for (block, part) in into.0[..blocks * BLOCK].chunks_exact_mut(BLOCK).enumerate() {
            region.read(start + block * self.block as usize, part)?;
        }
        Ok(())
    }

    /// Writes the active lanes of a repeat.
    pub(super) fn store(
        &self,
        region: &Region,
        repeat: u64,
        active: Active,
        from: &Bytes,
    ) -> Result<(), Fault> {
        let start = (repeat * self.repeat) as usize;
        if self.block == BLOCK as u64 && active.is_dense() {
            return region.write(start, &from.0[..(active.span * self.bits).div_ceil(8)]);
        }
        self.runs_of_repeat(active, |block, first, length| {
            let at = block * BLOCK + first;
            region.write(start + block * self.block as usize + first, &from.0[at..at + length])
        })
    }

    /// The runs of bytes of active lanes, by block.
    fn runs_of_repeat<E>(
        &self,
        active: Active,
        mut visit: impl FnMut(usize, usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let per_block = self.lanes_per_block();
        for block in 0..active.span.div_ceil(per_block) {
            let mut bits = active.bits >> (block * per_block) & ones(per_block);
            while bits != 0 {
                let first = bits.trailing_zeros() as usize;
                let count = (!(bits >> first)).trailing_zeros() as usize;
                let start = first * self.bits / 8;
                visit(block, start, ((first + count) * self.bits).div_ceil(8) - start)?;
                bits &= !(ones(count) << first);
            }
        }
        Ok(())
    }

    /// Tells the bytes of all active lanes.
    pub(super) fn accesses(&self, lanes: &Lanes, used: Use, visit: &mut dyn FnMut(Access)) {
        let extent = self.extent(lanes);
        if extent > Space::Ub.size() as u64 {
            // Out of bounds whatever it leaves out: one run says so.
            visit(Access::run(Address(self.address), used, extent));
            return;
        }
        let mut runs = Runs::new(used, visit);
        for repeat in 0..lanes.repeats {
            let active = lanes.active(repeat);
            let start = self.address.wrapping_add(repeat * self.repeat);
            if self.block == BLOCK as u64 && active.is_dense() {
                runs.push(start, ((active.span * self.bits) as u64).div_ceil(8));
                continue;
            }
            let pushed: Result<(), std::convert::Infallible> =
                self.runs_of_repeat(active, |block, first, length| {
                    runs.push(start.wrapping_add(block as u64 * self.block + first as u64), length as u64);
                    Ok(())
                });
            match pushed {
                Ok(()) => {}
            }
        }
        runs.finish();
    }
}

/// Merges runs of bytes: neighbors to one run, equal runs at equal distances to one access.
pub(super) struct Runs<'a> {
    used: Use,
    visit: &'a mut dyn FnMut(Access),
    run: Option<(u64, u64)>,
    pending: Option<Access>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(used: Use, visit: &'a mut dyn FnMut(Access)) -> Self {
        Self { used, visit, run: None, pending: None }
    }

    pub(super) fn push(&mut self, address: u64, length: u64) {
        match &mut self.run {
            Some((start, run)) if *start + *run == address => *run += length,
            // The same block again, as with a stride of 0.
            Some((start, run)) if *start == address && *run == length => {}
            run => {
                if let Some((start, length)) = run.replace((address, length)) {
                    self.close(start, length);
                }
            }
        }
    }

    fn close(&mut self, start: u64, length: u64) {
        if let Some(access) = &mut self.pending {
            let first = access.address.0;
            if access.length == length && start > first {
                if access.count == 1 {
                    access.count = 2;
                    access.stride = start - first;
                    return;
                }
                if start == first + access.count * access.stride {
                    access.count += 1;
                    return;
                }
            }
            (self.visit)(*access);
        }
        self.pending = Some(Access::run(Address(start), self.used, length));
    }

    pub(super) fn finish(mut self) {
        if let Some((start, length)) = self.run.take() {
            self.close(start, length);
        }
        if let Some(access) = self.pending.take() {
            (self.visit)(access);
        }
    }
}
