//! A caching allocator whose free list knows which streams still work on a block.
//!
//! The library's own free waits for nothing, and its malloc is slow. So blocks are kept: a buffer that is
//! dropped goes back to the pool at once, even while streams still work on it, together with the record of those
//! streams. A new buffer prefers a block that its stream may use without waiting.
//!
//! Sizes are rounded up to classes, four to each power of two, so a block is at most a quarter larger than asked
//! for. Small blocks are cut from slabs of 2 MiB, the size of a huge page, which is what the library rounds to anyway.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::block::{Block, Home};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result, ShapeError};
use crate::raw::Acl;
use crate::stream::StreamCore;
use crate::usage::{Access, Usage};

/// Smallest block, and every block's alignment: full speed wants 512-byte alignment.
const SMALLEST: usize = 512;
/// Slabs, and the granularity of large blocks.
const HUGE_PAGE: usize = 2 << 20;
/// Larger blocks have a slab for themselves.
const LARGEST_SHARED: usize = 1 << 20;
/// What follows each block of a shared slab unused: the library asks for it of whoever cuts its allocations up,
/// because the hardware may read past the end (AscendCL docs: device memory allocation, constraints).
const TAIL: usize = 32;
/// Pinned blocks of one size that are allocated while others of that size are still in use by streams, before the host
/// rather waits for one.
const MOST_IN_FLIGHT: usize = 8;

/// Where a pool's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Device,
    Pinned,
}

/// What a pool holds and how well it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// Bytes of the blocks that buffers own now.
    pub used_bytes: usize,
    /// The most that it was.
    pub peak_used_bytes: usize,
    /// Bytes taken from the library.
    pub reserved_bytes: usize,
    /// Allocations served from the cache without waiting for another stream.
    pub hits: u64,
    /// Requests to the library for more memory.
    pub misses: u64,
}

pub(crate) struct Pool {
    place: Place,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Free blocks by size, each list in the order in which they were given back.
    free: BTreeMap<usize, VecDeque<Free>>,
    /// What was taken from the library, by address.
    slabs: BTreeMap<usize, Slab>,
    statistics: PoolStatistics,
}

struct Free {
    pointer: NonNull<c_void>,
    usage: Usage,
}

struct Slab {
    pointer: NonNull<c_void>,
    size: usize,
    /// Blocks of it that are not free.
    lent: usize,
}

// SAFETY: the pointers are addresses; nothing is read or written through them here.
unsafe impl Send for State {}

impl Pool {
    pub(crate) fn device() -> Self {
        Self { place: Place::Device, state: Mutex::default() }
    }

    pub(crate) fn pinned() -> Self {
        Self { place: Place::Pinned, state: Mutex::default() }
    }

    pub(crate) fn statistics(&self) -> PoolStatistics {
        self.state.lock().statistics
    }

    /// A block of at least `bytes` bytes.
    ///
    /// Of device memory, preferably one that `stream` may use without waiting for another; of pinned memory, one that
    /// the host may touch.
    pub(crate) fn take(&self, device: &Device, stream: &Arc<StreamCore>, bytes: usize) -> Result<Arc<Block>> {
        let size = size_class(bytes)?;
        let acl = device.bind()?;
        let fits = |usage: &Usage| match self.place {
            Place::Device => usage.is_ordered_on(stream),
            Place::Pinned => usage.is_idle(),
        };
        if let Some(free) = self.take_free(size, fits) {
            self.state.lock().statistics.hits += 1;
            return Ok(self.lend(device, size, free));
        }
        if self.place == Place::Pinned && self.free_blocks(size) >= MOST_IN_FLIGHT {
            // The oldest is done first.
            if let Some(free) = self.take_free(size, |_| true) {
                return Ok(self.lend(device, size, free));
            }
        }
        let free = match self.grow(acl, size) {
            Ok(free) => free,
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                // Rather wait for another stream's block than fail, and rather free what is cached than fail.
                if let Some(free) = self.take_free(size, |_| true) {
                    return Ok(self.lend(device, size, free));
                }
                tracing::debug!(bytes, "out of {:?} memory: freeing what is cached", self.place);
                if let Err(error) = self.trim(acl).and(device.inner.dedicated.trim(acl)) {
                    tracing::warn!(%error, "freeing cached memory");
                }
                self.grow(acl, size)?
            }
            Err(error) => return Err(error),
        };
        Ok(self.lend(device, size, free))
    }

    fn free_blocks(&self, size: usize) -> usize {
        self.state.lock().free.get(&size).map_or(0, VecDeque::len)
    }

    /// Takes a block that fits: of device memory the one given back last, of pinned memory the one that has been free for
    /// the longest time.
    fn take_free(&self, size: usize, fits: impl Fn(&Usage) -> bool) -> Option<Free> {
        let mut state = self.state.lock();
        let list = state.free.get_mut(&size)?;
        let fits = |free: &Free| fits(&free.usage);
        let index = match self.place {
            Place::Device => list.iter().rposition(fits),
            Place::Pinned => list.iter().position(fits),
        }?;
        let free = list.remove(index)?;
        state.lend(free.pointer, size);
        Some(free)
    }

    fn lend(&self, device: &Device, size: usize, free: Free) -> Arc<Block> {
        Arc::new(Block::new(device.clone(), Home::Pool(self.place), free.pointer, size, free.usage))
    }

    /// Takes a block back.
    pub(crate) fn give(&self, pointer: NonNull<c_void>, size: usize, usage: Usage) {
        let mut state = self.state.lock();
        if let Some(slab) = state.slab_of(pointer) {
            slab.lent -= 1;
        }
        state.statistics.used_bytes -= size;
        state.free.entry(size).or_default().push_back(Free { pointer, usage });
    }

    /// Asks the library for a slab, cuts it into blocks of `size`, and lends the first of them.
    fn grow(&self, acl: &Acl, size: usize) -> Result<Free> {
        let slab = if size <= LARGEST_SHARED { HUGE_PAGE } else { size };
        let pointer = match self.place {
            Place::Device => acl.malloc(slab),
            Place::Pinned => acl.malloc_host(slab),
        }?;
        let mut state = self.state.lock();
        state.statistics.misses += 1;
        state.statistics.reserved_bytes += slab;
        state.slabs.insert(pointer.as_ptr() as usize, Slab { pointer, size: slab, lent: 0 });
        let list = state.free.entry(size).or_default();
        for index in 1..slab / size {
            let address = pointer.as_ptr().wrapping_byte_add(index * size);
            list.extend(NonNull::new(address).map(|pointer| Free { pointer, usage: Usage::default() }));
        }
        state.lend(pointer, size);
        Ok(Free { pointer, usage: Usage::default() })
    }

    /// Frees every slab of which no block is lent, after waiting for the streams that still work on it.
    pub(crate) fn trim(&self, acl: &Acl) -> Result<()> {
        // Waiting must not be done under the lock: host functions may drop buffers. So: take the idle slabs out of the
        // pool first.
        let idle = self.state.lock().take_idle();
        let mut result = Ok(());
        for (slab, blocks) in idle {
            let waited = blocks.iter().try_for_each(|(_, free)| free.usage.wait_on_host(Access::Write));
            if let Err(error) = waited {
                // Nobody knows what still works on it.
                self.state.lock().put_back(slab, blocks);
                result = result.and(Err(error));
                continue;
            }
            // SAFETY: the slab came from this library, is no longer in the pool, no block of it is lent, and every
            // stream that touched one was waited for.
            let freed = unsafe {
                match self.place {
                    Place::Device => acl.free(slab.pointer),
                    Place::Pinned => acl.free_host(slab.pointer),
                }
            };
            result = result.and(freed);
        }
        result
    }
}

impl State {
    fn slab_of(&mut self, pointer: NonNull<c_void>) -> Option<&mut Slab> {
        let address = pointer.as_ptr() as usize;
        let (start, slab) = self.slabs.range_mut(..=address).next_back()?;
        (address - start < slab.size).then_some(slab)
    }

    fn lend(&mut self, pointer: NonNull<c_void>, size: usize) {
        if let Some(slab) = self.slab_of(pointer) {
            slab.lent += 1;
        }
        let statistics = &mut self.statistics;
        statistics.used_bytes += size;
        statistics.peak_used_bytes = statistics.peak_used_bytes.max(statistics.used_bytes);
    }

    /// Takes the slabs of which nothing is lent, each with its blocks and their sizes.
    fn take_idle(&mut self) -> Vec<(Slab, Vec<(usize, Free)>)> {
        let mut idle: BTreeMap<usize, (Slab, Vec<(usize, Free)>)> = BTreeMap::new();
        let starts: Vec<usize> =
            self.slabs.iter().filter(|(_, s)| s.lent == 0).map(|(start, _)| *start).collect();
        for start in starts {
            if let Some(slab) = self.slabs.remove(&start) {
                self.statistics.reserved_bytes -= slab.size;
                idle.insert(start, (slab, Vec::new()));
            }
        }
        for (size, list) in &mut self.free {
            for free in std::mem::take(list) {
                let address = free.pointer.as_ptr() as usize;
                match idle.range_mut(..=address).next_back() {
                    Some((start, (slab, blocks))) if address - start < slab.size => {
                        blocks.push((*size, free))
                    }
                    _ => list.push_back(free),
                }
            }
        }
        idle.into_values().collect()
    }

    fn put_back(&mut self, slab: Slab, blocks: Vec<(usize, Free)>) {
        self.statistics.reserved_bytes += slab.size;
        self.slabs.insert(slab.pointer.as_ptr() as usize, slab);
        for (size, free) in blocks {
            self.free.entry(size).or_default().push_back(free);
        }
    }
}

/// The size of a block for so many bytes: with its tail, four sizes to each power of two up to a megabyte; beyond,
/// multiples of a huge page.
fn size_class(bytes: usize) -> Result<usize> {
    let with_tail = bytes.saturating_add(TAIL);
    let class = if with_tail <= SMALLEST {
        Some(SMALLEST)
    } else if with_tail <= LARGEST_SHARED {
        // `- 1` so that a power of two is its own class.
        let step = (1usize << (usize::BITS - 1 - (with_tail - 1).leading_zeros())) / 4;
        with_tail.checked_next_multiple_of(step.max(SMALLEST))
    } else {
        bytes.checked_next_multiple_of(HUGE_PAGE)
    };
    class
        .filter(|class| isize::try_from(*class).is_ok())
        .ok_or_else(|| Error::from(ShapeError::new("buffer size", "less than half the address space", bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter_and_leave_the_tail() {
        for bytes in (1..5000).chain([65_537, 100_000, (1 << 20) - 32]) {
            let class = size_class(bytes).unwrap();
            assert!(class >= bytes + 32 && class.is_multiple_of(512), "{bytes} -> {class}");
            assert!(class <= bytes + bytes / 4 + 1024, "{bytes} -> {class}");
            assert!(size_class(bytes + 1).unwrap() >= class);
        }
        assert_eq!(size_class((1 << 20) - 31).unwrap(), 2 << 20);
        assert_eq!(size_class(2 << 20).unwrap(), 2 << 20);
        assert!(size_class(usize::MAX - 5).is_err());
    }
}
