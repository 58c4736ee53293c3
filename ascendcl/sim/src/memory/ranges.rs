//! Which ranges of a device's memory are allocated, and which are free.

use std::collections::{BTreeMap, VecDeque};

use super::Allocation;
use crate::error::misuse;

/// As many freed ranges as are remembered to tell "freed" from "never allocated".
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// Allocations by offset.
    pub(super) live: BTreeMap<usize, Allocation>,
    /// Free ranges: length by offset, never adjacent.
    pub(super) free: BTreeMap<usize, usize>,
    pub(super) freed: VecDeque<Allocation>,
    pub(super) used: usize,
    pub(super) peak: usize,
}

impl Ranges {
    /// Takes the first free range that holds `length` bytes from a multiple of `alignment` on.
    pub(super) fn take(&mut self, length: usize, alignment: usize) -> Option<usize> {
        let (start, available, offset) = self.free.iter().find_map(|(&start, &available)| {
            let offset = start.next_multiple_of(alignment);
            (offset + length <= start + available).then_some((start, available, offset))
        })?;
        self.free.remove(&start);
        if offset > start {
            self.free.insert(start, offset - start);
        }
        let (end, limit) = (offset + length, start + available);
        if limit > end {
            self.free.insert(end, limit - end);
        }
        Some(offset)
    }

    pub(super) fn give_back(&mut self, mut offset: usize, mut length: usize) {
        if let Some((&before, &size)) = self.free.range(..offset).next_back()
            && before + size == offset
        {
            self.free.remove(&before);
            offset = before;
            length += size;
        }
        if let Some(size) = self.free.remove(&(offset + length)) {
            length += size;
        }
        self.free.insert(offset, length);
    }

    /// The live allocation that has this offset, the pages' unused rest included.
    pub(super) fn around(&self, offset: usize) -> Option<&Allocation> {
        let (_, allocation) = self.live.range(..=offset).next_back()?;
        (offset < allocation.offset + allocation.taken).then_some(allocation)
    }

    /// Why nothing can be done at an offset where no allocation starts, or where none is.
    pub(super) fn explain(&self, offset: usize, address: usize) -> crate::error::Error {
        if let Some(allocation) = self.around(offset) {
            let inside = offset - allocation.offset;
            return misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is {inside} bytes inside an allocation, not its start"
            );
        }
        let freed = self.freed.iter().rev().find(|f| (f.offset..f.offset + f.taken).contains(&offset));
        match freed {
            Some(freed) => misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was freed ({} bytes inside an allocation of {})",
                offset - freed.offset,
                freed.size
            ),
            None => misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} was never allocated"),
        }
    }

    /// Remembers a range that was freed.
    pub(super) fn remember(&mut self, freed: Allocation) {
        if self.freed.len() == REMEMBERED {
            self.freed.pop_front();
        }
        self.freed.push_back(freed);
    }
}
