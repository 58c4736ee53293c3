//! The memories of an AI core (NPU architecture 2201) and the way to them.

use std::fmt;
use std::sync::Arc;

use super::fault::Fault;

/// A memory that an instruction can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Space {
    /// Global memory: that of the device.
    Gm = 0,
    /// Unified buffer of a vector core.
    Ub = 1,
    L1 = 2,
    L0a = 3,
    L0b = 4,
    L0c = 5,
    /// Bias table.
    Bt = 6,
    /// Parameters of the fixpipe.
    Fb = 7,
}

impl Space {
    /// Every memory, in the order of their codes.
    pub(crate) const ALL: [Self; 8] =
        [Self::Gm, Self::Ub, Self::L1, Self::L0a, Self::L0b, Self::L0c, Self::Bt, Self::Fb];

    /// Bytes of the memory in one core; 0 for global memory.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Gm => 0,
            Self::Ub => 192 << 10,
            Self::L1 => 512 << 10,
            Self::L0a | Self::L0b => 64 << 10,
            Self::L0c => 128 << 10,
            Self::Bt => 1 << 10,
            Self::Fb => 7 << 10,
        }
    }

    /// What addresses in the memory must be a multiple of (HARDWARE facts, section 1.2).
    pub(crate) const fn alignment(self) -> u64 {
        match self {
            Self::Gm => 1,
            Self::Ub | Self::L1 => 32,
            Self::L0a | Self::L0b => 512,
            Self::L0c | Self::Bt | Self::Fb => 64,
        }
    }

    /// The name that programmers know.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gm => "GM",
            Self::Ub => "UB",
            Self::L1 => "L1",
            Self::L0a => "L0A",
            Self::L0b => "L0B",
            Self::L0c => "L0C",
            Self::Bt => "BT",
            Self::Fb => "FB",
        }
    }
}

/// An address as instructions carry it: the memory in the top byte, the offset below.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address(pub u64);

impl Address {
    const SHIFT: u32 = 56;

    pub(crate) const fn new(space: Space, offset: u64) -> Self {
        Self((space as u64) << Self::SHIFT | offset)
    }

    /// The memory, or `None` for a code that no memory has.
    pub(crate) fn space(self) -> Option<Space> {
        Space::ALL.get((self.0 >> Self::SHIFT) as usize).copied()
    }

    /// The offset in the memory; in global memory the address.
    pub(crate) const fn offset(self) -> u64 {
        self.0 & ((1 << Self::SHIFT) - 1)
    }

    /// The address this many bytes further.
    pub(crate) const fn add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.space() {
            Some(Space::Gm) => write!(f, "GM {:#x}", self.offset()),
            Some(space) => write!(f, "{} +{:#x}", space.name(), self.offset()),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How an instruction uses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
    /// Reads and writes as one step (atomic copies).
    Atomic,
}

/// Bytes that an instruction uses: `count` runs of `length` bytes, `stride` bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub address: Address,
    pub used: Use,
    pub length: u64,
    pub count: u64,
    pub stride: u64,
}

impl Access {
    /// One run of bytes.
    pub(crate) const fn run(address: Address, used: Use, length: u64) -> Self {
        Self { address, used, length, count: 1, stride: 0 }
    }
}

/// An allocation of global memory that a launch can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// Address as programs know it.
    pub start: u64,
    pub length: u64,
    /// What to add to reach the bytes from this process.
    pub delta: u64,
}

/// The global memory that a launch can reach: the live allocations at its start, by address.
#[derive(Debug, Default)]
pub(crate) struct GlobalMemory {
    /// Sorted by start, disjoint.
    pub ranges: Vec<Range>,
    /// Kernels' scalar code works with addresses of the alias; those in this range mean the device address
    /// less `alias_delta`.
    pub alias_start: u64,
    pub alias_end: u64,
    pub alias_delta: u64,
}

impl GlobalMemory {
    /// The address that programs know, of one that may be of the alias.
    pub(crate) fn device_address(&self, address: u64) -> u64 {
        if (self.alias_start..self.alias_end).contains(&address) {
            address.wrapping_sub(self.alias_delta)
        } else {
            address
        }
    }

    /// The range that holds all of these bytes.
    pub(crate) fn find(&self, address: u64, length: u64) -> Option<Range> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let range = *self.ranges.get(after.checked_sub(1)?)?;
        (address.checked_add(length)? <= range.start + range.length).then_some(range)
    }
}

/// The memories of one core while a kernel runs on it.
///
/// The arenas belong to the thread of the core. Global memory is shared with the other cores as on the real
/// device: who does not synchronize gets what is there.
#[derive(Debug)]
pub(crate) struct CoreMemory {
    /// By space; null where the core has none.
    base: [*mut u8; 8],
    global: Arc<GlobalMemory>,
    /// The range that was found last.
    last: std::cell::Cell<Option<Range>>,
}

impl CoreMemory {
    /// # Safety
    ///
    /// A pointer of `base` that is not null must be to as many bytes as the space has, and to nothing else,
    /// as long as the value lives. The ranges of `global` must stay mapped as long.
    pub(crate) unsafe fn new(base: [*mut u8; 8], global: Arc<GlobalMemory>) -> Self {
        Self { base, global, last: std::cell::Cell::new(None) }
    }

    pub(crate) fn global(&self) -> &Arc<GlobalMemory> {
        &self.global
    }

    /// Where these bytes are in this process.
    ///
    /// Reads and writes of as many bytes through the pointer are within one allocation or one local memory.
    ///
    /// # Errors
    ///
    /// [`Fault::OutOfBounds`] if not all of them are in the memory, [`Fault::NoSuchMemory`] if the core has no such memory.
    pub(crate) fn at(&self, address: Address, length: u64) -> Result<*mut u8, Fault> {
        let space = address.space().ok_or(Fault::NoSuchMemory { address })?;
        let offset = address.offset();
        if space == Space::Gm {
            let device = self.global.device_address(offset);
            let range = match self.last.get() {
                Some(range)
                    if device >= range.start
                        && device
                            .checked_add(length)
                            .is_some_and(|end| end <= range.start + range.length) =>
                {
                    range
                }
                _ => {
                    let found = self.global.find(device, length);
                    let range = found.ok_or(Fault::OutOfBounds { address, length, size: 0 })?;
                    self.last.set(Some(range));
                    range
                }
            };
            return Ok(device.wrapping_add(range.delta) as usize as *mut u8);
        }
        let base = self.base[space as usize];
        if base.is_null() {
            return Err(Fault::NoSuchMemory { address });
        }
        let size = space.size() as u64;
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(Fault::OutOfBounds { address, length, size });
        }
        Ok(base.wrapping_add(offset as usize))
    }
}

/// What the scalar unit can read of the last instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The result of the last sum over a repeat, in the bits of its type.
    pub reduce_sum: u64,
    /// The value of the last maximum or minimum, its index in the upper half.
    pub reduce_max_min: u64,
    /// How many elements the last `GatherMask` kept.
    pub remaining_count: u64,
    /// Lengths of the four lists that the last merge used up, 16 bits each.
    pub merge_result: u64,
    pub compare_mask: [u64; 2],
}
