//! The buffers of local memory that a kernel's allocator gave out and took back.

use crate::aicore::memory::Space;

#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    pub space: Space,
    pub start: u64,
    pub end: u64,
    /// Who gave it out, or took it back.
    pub record: u32,
    /// When it was taken back.
    since: u32,
}

impl Buffer {
    fn overlaps(&self, space: Space, start: u64, end: u64) -> bool {
        self.space == space && self.start < end && start < self.end
    }
}

/// All buffers of a core.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    live: Vec<Buffer>,
    free: Vec<Buffer>,
    /// Counts what was taken back. An instruction that was issued before may still run.
    now: u32,
}

impl Buffers {
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    /// Gives a buffer out; returns one that is in use and overlaps.
    pub(super) fn give(&mut self, space: Space, start: u64, end: u64, record: u32) -> Option<Buffer> {
        let other = self.live.iter().find(|buffer| buffer.overlaps(space, start, end)).copied();
        let mut free = Vec::new();
        for buffer in self.free.drain(..) {
            if !buffer.overlaps(space, start, end) {
                free.push(buffer);
                continue;
            }
            if buffer.start < start {
                free.push(Buffer { end: start, ..buffer });
            }
            if end < buffer.end {
                free.push(Buffer { start: end, ..buffer });
            }
        }
        self.free = free;
        self.live.push(Buffer { space, start, end, record, since: 0 });
        other
    }

    /// Takes back what lies in these bytes.
    pub(super) fn take(&mut self, space: Space, start: u64, end: u64, record: u32) {
        self.now += 1;
        let now = self.now;
        let (taken, live): (Vec<_>, Vec<_>) = self
            .live
            .drain(..)
            .partition(|buffer| buffer.space == space && start <= buffer.start && buffer.end <= end);
        self.live = live;
        for buffer in taken {
            let shared = self.live.iter().any(|other| other.overlaps(space, buffer.start, buffer.end));
            if !shared {
                self.free.push(Buffer { record, since: now, ..buffer });
            }
        }
    }

    /// A buffer that had been taken back when an instruction that uses these bytes was issued.
    pub(super) fn stale(&self, space: Space, start: u64, end: u64, issued: u32) -> Option<Buffer> {
        self.free.iter().find(|buffer| buffer.overlaps(space, start, end) && buffer.since <= issued).copied()
    }
}
