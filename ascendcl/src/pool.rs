//! A caching allocator whose free list knows which streams still work on a block.
//!
//! The library's own free waits for nothing, and its malloc is slow. So blocks are kept: a buffer that is
//! dropped goes back to the pool at once, even while streams still work on it, together with the record of those
//! streams. A new buffer prefers a block that its stream may use without waiting.
//!
//! Sizes are rounded up to classes, four to each power of two, so a block is at most a quarter larger than asked
//! for. Small blocks are cut from slabs of 2 MiB, the size of a huge page, which is what the library rounds to anyway.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::block::Block;
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
    /// Free blocks by size.
    free: BTreeMap<usize, Vec<Free>>,
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

    /// A block of at least `bytes` bytes, preferably one that `stream` need not wait for.
    pub(crate) fn take(&self, device: &Device, stream: &Arc<StreamCore>, bytes: usize) -> Result<Arc<Block>> {
        let size = size_class(bytes)?;
        if let Some(free) = self.take_free(size, |usage| usage.is_ordered_on(stream)) {
            self.state.lock().statistics.hits += 1;
            return Ok(self.lend(device, size, free));
        }
        let acl = device.bind()?;
        match self.grow(acl, size) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                // Rather wait for another stream's block than fail, and rather free what is cached than fail.
                if let Some(free) = self.take_free(size, |_| true) {
                    return Ok(self.lend(device, size, free));
                }
                tracing::debug!(bytes, "out of {:?} memory: freeing what is cached", self.place);
                self.trim(acl)?;
                self.grow(acl, size)?;
            }
            Err(error) => return Err(error),
        }
        match self.take_free(size, |_| true) {
            Some(free) => Ok(self.lend(device, size, free)),
            // Another thread was quicker; it is the same as running out of memory.
            None => self.take(device, stream, bytes),
        }
    }

    fn take_free(&self, size: usize, fits: impl Fn(&Usage) -> bool) -> Option<Free> {
        let mut state = self.state.lock();
        let list = state.free.get_mut(&size)?;
        let index = list.iter().rposition(|free| fits(&free.usage))?;
        let free = list.swap_remove(index);
        state.lend(free.pointer, size);
        Some(free)
    }

    fn lend(&self, device: &Device, size: usize, free: Free) -> Arc<Block> {
        Arc::new(Block::new(device.clone(), self.place, free.pointer, size, free.usage))
    }

    /// Takes a block back.
    pub(crate) fn give(&self, pointer: NonNull<c_void>, size: usize, usage: Usage) {
        let mut state = self.state.lock();
        if let Some(slab) = state.slab_of(pointer) {
            slab.lent -= 1;
        }
        state.statistics.used_bytes -= size;
        state.free.entry(size).or_default().push(Free { pointer, usage });
    }

    /// Asks the library for a slab and cuts it into free blocks of `size`.
    fn grow(&self, acl: &Acl, size: usize) -> Result<()> {
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
        for index in (0..slab / size).rev() {
            // The lowest address comes last, so that it is taken first.
            let address = pointer.as_ptr().wrapping_byte_add(index * size);
            let Some(pointer) = NonNull::new(address) else { continue };
            list.push(Free { pointer, usage: Usage::default() });
        }
        Ok(())
    }

    /// Frees every slab of which no block is lent, after waiting for the streams that still work on it.
    pub(crate) fn trim(&self, acl: &Acl) -> Result<()> {
        // Waiting must not be done under the lock: host functions may drop buffers. So: take the idle slabs out of the
        // pool first.
        let (slabs, mut blocks) = self.state.lock().take_idle();
        let mut result = Ok(());
        for free in &mut blocks {
            result = result.and(free.usage.wait_on_host(Access::Write));
        }
        for slab in slabs {
            // SAFETY: the slab came from this library, is no longer in the pool, and no block of it is lent or in
            // use: every stream that touched one was waited for (or failed, and does nothing any more).
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

    fn take_idle(&mut self) -> (Vec<Slab>, Vec<Free>) {
        let idle: Vec<usize> =
            self.slabs.iter().filter(|(_, slab)| slab.lent == 0).map(|(&start, _)| start).collect();
        let slabs: Vec<Slab> = idle.iter().filter_map(|start| self.slabs.remove(start)).collect();
        self.statistics.reserved_bytes -= slabs.iter().map(|slab| slab.size).sum::<usize>();
        let mut blocks = Vec::new();
        for list in self.free.values_mut() {
            let (gone, kept) = std::mem::take(list).into_iter().partition(|free| {
                let address = free.pointer.as_ptr() as usize;
                self.slabs
                    .range(..=address)
                    .next_back()
                    .is_none_or(|(start, slab)| address - start >= slab.size)
            });
            let gone: Vec<Free> = gone;
            *list = kept;
            blocks.extend(gone);
        }
        (slabs, blocks)
    }
}

/// The class of a size: four to each power of two below a megabyte, then multiples of a huge page.
fn size_class(bytes: usize) -> Result<usize> {
    let class = if bytes <= SMALLEST {
        Some(SMALLEST)
    } else if bytes <= LARGEST_SHARED {
        // `bytes - 1` so that a power of two is its own class.
        let step = (1usize << (usize::BITS - 1 - (bytes - 1).leading_zeros())) / 4;
        bytes.checked_next_multiple_of(step.max(SMALLEST))
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
    fn classes_waste_at_most_a_quarter_and_fit_the_slab() {
        for bytes in (1..5000).chain([65_537, 100_000, 1 << 20]) {
            let class = size_class(bytes).unwrap();
            assert!(class >= bytes && class % SMALLEST == 0, "{bytes} -> {class}");
            assert!(class <= SMALLEST.max(bytes + bytes / 4 + SMALLEST), "{bytes} -> {class}");
            assert_eq!(size_class(class).unwrap(), class, "a class is its own class");
        }
        assert_eq!(size_class((1 << 20) + 1).unwrap(), 2 << 20);
        assert!(size_class(usize::MAX - 5).is_err());
    }
}
