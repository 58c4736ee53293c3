//! The memory of a device: which ranges are allocated, and which ranges a task may touch.

mod ranges;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use ranges::Ranges;

use crate::error::{Result, failure, misuse};
use crate::mapping::{DeviceMapping, SharedFile};
use crate::virtual_memory::{Accessor, Checked, VirtualMemory};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// The size of the pages that an allocation is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// 4 KiB.
    Normal,
    /// 2 MiB.
    Huge,
    /// 1 GiB.
    Gigantic,
}

impl Page {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Normal => 4 * KIB,
            Self::Huge => 2 * MIB,
            Self::Gigantic => GIB,
        }
    }
}

/// A range that the program has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    /// Not used twice, so that a range that was freed and given out again is told apart.
    pub id: u64,
    pub offset: usize,
    /// What the program asked for.
    pub size: usize,
    /// What it takes, in whole pages.
    taken: usize,
    pub page: Page,
    holder: Holder,
}

/// Who has an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Program,
    /// A memory pool, which has lent it to the program, or not.
    Pool {
        lent: bool,
    },
}

impl Allocation {
    /// Whether it is a memory pool's.
    pub(crate) fn is_pooled(&self) -> bool {
        self.holder != Holder::Program
    }
}

/// A range that a task will touch, of an allocation or of virtual memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub offset: usize,
    length: usize,
    /// The device whose memory it is.
    pub home: i32,
    /// Whether another process shares it by a key.
    pub by_key: bool,
    found: Found,
}

/// How to tell that a range is still what it was.
#[derive(Clone, Copy, Debug)]
enum Found {
    Allocation {
        id: u64,
        start: usize,
    },
    /// The last mapping there.
    Mapped {
        last: u64,
    },
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number that was not used before, for an allocation or a mapping.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// There are so many times more virtual addresses than there is memory.
const VIRTUAL_SPACE: usize = 8;

/// The memory of one device, of the size of the real one, taken from the host only where it is written.
///
/// Behind the addresses of the memory are those that programs reserve and map.
#[derive(Debug)]
pub(crate) struct DeviceMemory {
    id: i32,
    size: usize,
    mapping: OnceLock<DeviceMapping>,
    ranges: Mutex<Ranges>,
    pub virtual_memory: VirtualMemory,
}

impl DeviceMemory {
    pub(crate) fn new(id: i32, size: usize) -> Self {
        let ranges = Ranges { free: BTreeMap::from([(0, size)]), ..Ranges::default() };
        let start = size.next_multiple_of(GIB);
        let end = start.saturating_add(size.saturating_mul(VIRTUAL_SPACE).max(4 * GIB).next_multiple_of(GIB));
        Self {
            id,
            size,
            mapping: OnceLock::new(),
            ranges: Mutex::new(ranges),
            virtual_memory: VirtualMemory::new(start, end),
        }
    }

    pub(crate) fn mapping(&self) -> Result<&DeviceMapping> {
        if let Some(mapping) = self.mapping.get() {
            return Ok(mapping);
        }
        let mapping = DeviceMapping::new(self.virtual_memory.end()).map_err(|error| {
            failure!(
                ACL_ERROR_RT_MEMORY_ALLOCATION,
                "the host cannot map {} bytes of device memory ({error}); ASCENDCL_SIM_MEMORY makes it smaller",
                self.size
            )
        })?;
        Ok(self.mapping.get_or_init(|| mapping))
    }

    /// Allocates by first fit; the address is that of a page, hence aligned to 64 and 512 bytes as
    /// documented.
    pub(crate) fn allocate(&self, size: usize, padding: usize, page: Page) -> Result<usize> {
        Ok(self.allocate_for(Holder::Program, size, padding, page)?.0)
    }

    /// Allocates for a memory pool that lends it at once. Answers also how much it takes.
    pub(crate) fn allocate_pooled(&self, size: usize, padding: usize, page: Page) -> Result<(usize, usize)> {
        self.allocate_for(Holder::Pool { lent: true }, size, padding, page)
    }

    fn allocate_for(
        &self,
        holder: Holder,
        size: usize,
        padding: usize,
        page: Page,
    ) -> Result<(usize, usize)> {
        let mapping = self.mapping()?;
        let taken = size
            .checked_next_multiple_of(32)
            .and_then(|bytes| bytes.checked_add(padding))
            .and_then(|bytes| bytes.checked_next_multiple_of(page.bytes()))
            .filter(|&taken| taken <= self.size)
            .ok_or_else(|| self.exhausted(size))?;
        let mut ranges = self.ranges.lock();
        let offset = ranges.take(taken, page.bytes()).ok_or_else(|| self.exhausted(size))?;
        let id = next_id();
        ranges.live.insert(offset, Allocation { id, offset, size, taken, page, holder });
        ranges.used += taken;
        ranges.peak = ranges.peak.max(ranges.used);
        Ok((mapping.address(offset), taken))
    }

    /// A memory pool lends an allocation of its own for so many bytes, or has it back.
    pub(crate) fn lend(&self, address: usize, size: Option<usize>) {
        let Some(offset) = self.offset(address) else { return };
        if let Some(allocation) = self.ranges.lock().live.get_mut(&offset) {
            allocation.holder = Holder::Pool { lent: size.is_some() };
            allocation.size = size.unwrap_or(allocation.size);
        }
    }

    fn exhausted(&self, size: usize) -> crate::error::Error {
        failure!(
            ACL_ERROR_RT_MEMORY_ALLOCATION,
            "no {size} contiguous bytes are left of the device's {}",
            self.size
        )
    }

    /// Takes `count` pages for physical memory, from wherever they are free.
    pub(crate) fn take_pages(&self, count: usize, page: Page) -> Result<Vec<usize>> {
        let size = count.saturating_mul(page.bytes());
        if size > self.size {
            return Err(self.exhausted(size));
        }
        let mut ranges = self.ranges.lock();
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let Some(offset) = ranges.take(page.bytes(), page.bytes()) else {
                for offset in taken {
                    ranges.give_back(offset, page.bytes());
                }
                return Err(failure!(
                    ACL_ERROR_RT_MEMORY_ALLOCATION,
                    "no {count} pages of {} bytes are left of the device's {} bytes",
                    page.bytes(),
                    self.size
                ));
            };
            taken.push(offset);
        }
        ranges.used += size;
        ranges.peak = ranges.peak.max(ranges.used);
        Ok(taken)
    }

    /// Gives such pages back.
    pub(crate) fn give_pages(&self, pages: &[usize], page: Page) {
        let mut ranges = self.ranges.lock();
        for &offset in pages {
            ranges.give_back(offset, page.bytes());
        }
        ranges.used -= pages.len() * page.bytes();
    }

    /// Frees the allocation that starts at an address, at once and whatever still uses it.
    pub(crate) fn free(&self, address: usize) -> Result {
        let offset = self.offset(address);
        if offset.and_then(|offset| self.allocation_at(offset)).is_some_and(|found| found.is_pooled()) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is memory of a memory pool; aclrtMemPoolFreeAsync frees it"
            ));
        }
        self.free_pooled(address)
    }

    /// As [`Self::free`], for any memory.
    pub(crate) fn free_pooled(&self, address: usize) -> Result {
        let mapping = self.mapping()?;
        let offset = mapping.offset(address).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not an address of this device's memory")
        })?;
        let mut ranges = self.ranges.lock();
        let allocation = ranges.live.remove(&offset).ok_or_else(|| ranges.explain(offset, address))?;
        if let Err(error) = mapping.discard(offset, allocation.taken) {
            tracing::warn!("freed device memory stays with the process: {error}");
        }
        ranges.used -= allocation.taken;
        ranges.give_back(offset, allocation.taken);
        ranges.remember(allocation);
        Ok(())
    }

    /// Frees everything, and answers what that was.
    pub(crate) fn clear(&self) -> Vec<(usize, Allocation)> {
        let leaks = self.allocations();
        for (address, _) in &leaks {
            // Another thread may have freed it just now.
            let _ = self.free_pooled(*address);
        }
        if let Some(mapping) = self.mapping.get() {
            self.virtual_memory.clear(mapping);
        }
        leaks
    }

    /// The live allocations and their addresses.
    pub(crate) fn allocations(&self) -> Vec<(usize, Allocation)> {
        let Some(mapping) = self.mapping.get() else { return Vec::new() };
        self.ranges.lock().live.values().map(|live| (mapping.address(live.offset), *live)).collect()
    }

    /// Where kernels reach the live allocations: for each its address, its size, and what to add to its address.
    pub(crate) fn reachable(&self) -> Vec<(usize, usize, usize)> {
        let delta = self.delta();
        self.allocations().into_iter().map(|(address, live)| (address, live.size, delta)).collect()
    }

    /// As [`Self::reachable`], of what is mapped at its virtual addresses and that a device has access to.
    pub(crate) fn reachable_virtual(&self, accessor: &Accessor<'_>) -> Vec<(usize, usize, usize)> {
        let Some(mapping) = self.mapping.get() else { return Vec::new() };
        let runs = self.virtual_memory.reachable(accessor);
        runs.into_iter().map(|(offset, length)| (mapping.address(offset), length, self.delta())).collect()
    }

    fn delta(&self) -> usize {
        self.mapping.get().map_or(0, |mapping| mapping.alias(0).wrapping_sub(mapping.address(0)))
    }

    /// Where the alias of the memory starts and ends, and how far it is from the addresses that programs know.
    pub(crate) fn alias(&self) -> Option<(usize, usize, usize)> {
        let mapping = self.mapping.get()?;
        let start = mapping.alias(0);
        Some((start, start + self.virtual_memory.end(), self.delta()))
    }

    /// The program's address for an offset.
    pub(crate) fn address(&self, offset: usize) -> Result<usize> {
        Ok(self.mapping()?.address(offset))
    }

    /// The file that the memory is in, for another process to map a part of it.
    pub(crate) fn file(&self) -> Result<&Arc<SharedFile>> {
        Ok(self.mapping()?.file())
    }

    /// The offset of an address of this device, allocated or not, if it is one of its virtual addresses.
    pub(crate) fn virtual_offset(&self, address: usize) -> Option<usize> {
        self.offset(address).filter(|&offset| self.virtual_memory.has(offset))
    }

    /// The offset of an address of this device, allocated or not.
    pub(crate) fn offset(&self, address: usize) -> Option<usize> {
        self.mapping.get()?.offset(address)
    }

    /// The allocation that an offset is in.
    pub(crate) fn allocation_at(&self, offset: usize) -> Option<Allocation> {
        self.ranges.lock().around(offset).copied()
    }

    /// The range of `length` bytes at `address`, if it is within one allocation, or mapped for `accessor`.
    pub(crate) fn span(&self, address: usize, length: usize, accessor: &Accessor<'_>) -> Result<Span> {
        let offset = self.offset(address).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not an address of this device's memory")
        })?;
        if self.virtual_memory.has(offset) {
            let Checked { home, last, by_key } =
                self.virtual_memory.check(offset, length, address, accessor)?;
            return Ok(Span { offset, length, home, by_key, found: Found::Mapped { last } });
        }
        let ranges = self.ranges.lock();
        let Some(allocation) = ranges.around(offset) else { return Err(ranges.explain(offset, address)) };
        if allocation.holder == (Holder::Pool { lent: false }) {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} was freed to its memory pool"));
        }
        let left = allocation.size.saturating_sub(offset - allocation.offset);
        if length > left {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{length} bytes at {address:#x} are out of bounds: {left} are left of an allocation of {}",
                allocation.size
            ));
        }
        let found = Found::Allocation { id: allocation.id, start: allocation.offset };
        Ok(Span { offset, length, home: self.id, by_key: false, found })
    }

    /// Where the simulator reaches a span, or what became of its memory.
    pub(crate) fn reach(&self, span: &Span) -> std::result::Result<usize, &'static str> {
        match span.found {
            Found::Allocation { id, start } => {
                let ranges = self.ranges.lock();
                if ranges.live.get(&start).is_none_or(|live| live.id != id) {
                    return Err("freed");
                }
            }
            Found::Mapped { last } => self.virtual_memory.recheck(span.offset, span.length, last)?,
        }
        self.mapping.get().map(|mapping| mapping.alias(span.offset)).ok_or("freed")
    }

    /// Free and usable bytes, counted in pages of this size.
    pub(crate) fn available(&self, page: Page) -> (usize, usize) {
        let whole = |bytes: usize| bytes / page.bytes() * page.bytes();
        let ranges = self.ranges.lock();
        let free = match page {
            Page::Normal => self.size - ranges.used,
            _ => ranges
                .free
                .iter()
                .map(|(&start, &length)| {
                    let aligned = start.next_multiple_of(page.bytes());
                    whole((start + length).saturating_sub(aligned))
                })
                .sum(),
        };
        (free, whole(self.size))
    }

    /// Bytes in use now, and at most so far.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let ranges = self.ranges.lock();
        (ranges.used, ranges.peak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_fit_leaves_holes_and_merges_them() {
        let memory = DeviceMemory::new(0, 8 * MIB);
        let blocks: Vec<usize> =
            (0..4).map(|_| memory.allocate(2 * MIB - 32, 32, Page::Huge).unwrap()).collect();
        assert_eq!(memory.available(Page::Normal), (0, 8 * MIB));
        assert!(memory.allocate(1, 32, Page::Normal).is_err());
        memory.free(blocks[0]).unwrap();
        memory.free(blocks[2]).unwrap();
        // 4 MiB are free, but not in one piece.
        assert!(memory.allocate(3 * MIB, 32, Page::Huge).is_err());
        memory.free(blocks[1]).unwrap();
        assert_eq!(memory.allocate(3 * MIB, 32, Page::Huge).unwrap(), blocks[0]);
    }

    #[test]
    fn a_normal_page_breaks_a_huge_one() {
        let memory = DeviceMemory::new(0, 4 * MIB);
        let small = memory.allocate(100, 32, Page::Normal).unwrap();
        assert_eq!(memory.available(Page::Normal).0, 4 * MIB - 4 * KIB);
        assert_eq!(memory.available(Page::Huge), (2 * MIB, 4 * MIB));
        assert_eq!(small % 512, 0);
    }

    #[test]
    fn a_reused_range_is_another_allocation() {
        let memory = DeviceMemory::new(0, 4 * MIB);
        let first = memory.allocate(64, 32, Page::Normal).unwrap();
        let span = memory.span(first, 64, &Accessor::alone(0)).unwrap();
        assert!(memory.reach(&span).is_ok());
        memory.free(first).unwrap();
        assert!(memory.reach(&span).is_err());
        assert_eq!(memory.allocate(64, 32, Page::Normal).unwrap(), first);
        assert!(memory.reach(&span).is_err());
    }
}
