//! What is remembered of a memory: for each byte the accesses that a later one could conflict with.
//!
//! Neighbouring bytes with the same history are one segment, so a memory that is used in rows costs as much as
//! it has rows.

use std::collections::BTreeMap;

use crate::aicore::memory::Use;

/// A remembered access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Core times the number of pipes, plus pipe.
    pub lane: u32,
    /// The number of the instruction in its pipe.
    pub number: u32,
    /// Instruction and line, in the table of the launch.
    pub record: u32,
    pub used: Use,
    /// An instruction with a unit flag.
    pub unit: bool,
}

/// Whether two uses of the same byte need an order.
pub(super) fn conflict(one: Use, other: Use) -> bool {
    !matches!((one, other), (Use::Read, Use::Read) | (Use::Atomic, Use::Atomic))
}

#[derive(Clone, Debug)]
struct Segment {
    end: u64,
    entries: Vec<Entry>,
}

/// The history of a memory.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// By start; disjoint.
    segments: BTreeMap<u64, Segment>,
}

impl Shadow {
    /// Adds an access to `start..end`. `ordered` is asked for each remembered access that conflicts, with the
    /// bytes, whether it is before the new one; `unwritten` is told of bytes that nothing wrote.
    pub(super) fn add(
        &mut self,
        start: u64,
        end: u64,
        new: Entry,
        ordered: &mut dyn FnMut(&Entry, u64, u64) -> bool,
        unwritten: &mut dyn FnMut(u64, u64),
    ) {
        if start >= end {
            return;
        }
        self.split(start);
        self.split(end);
        let mut gaps = Vec::new();
        let mut at = start;
        for (&from, segment) in self.segments.range_mut(start..end) {
            if at < from {
                gaps.push((at, from));
            }
            at = segment.end;
            let mut written = false;
            segment.entries.retain(|old| {
                written |= old.used != Use::Read;
                if old.lane == new.lane && old.number == new.number {
                    return old.used != new.used && new.used != Use::Write;
                }
                let before = conflict(old.used, new.used) && ordered(old, from, segment.end);
                let replaced = old.lane == new.lane && old.used == new.used;
                !(replaced || (before && new.used == Use::Write))
            });
            if !written {
                unwritten(from, segment.end);
            }
            segment.entries.push(new);
            // One order for equal sets, so that neighbours can be told to be equal.
            segment.entries.sort_unstable_by_key(|entry| (entry.lane, entry.used as u8, entry.number));
        }
        if at < end {
            gaps.push((at, end));
        }
        for (from, to) in gaps {
            unwritten(from, to);
            self.segments.insert(from, Segment { end: to, entries: vec![new] });
        }
        self.merge(start, end);
    }

    /// Makes a segment start here if one goes across.
    fn split(&mut self, at: u64) {
        if let Some((_, segment)) = self.segments.range_mut(..at).next_back()
            && segment.end > at
        {
            let rest = segment.clone();
            segment.end = at;
            self.segments.insert(at, rest);
        }
    }

    /// Joins neighbours of the same history, from the one before `start` to the one after `end`.
    fn merge(&mut self, start: u64, end: u64) {
        let Some(mut left) = self.segments.range(..=start).next_back().map(|(&from, _)| from) else { return };
        if left == start
            && let Some((&before, _)) = self.segments.range(..start).next_back()
        {
            left = before;
        }
        while left < end
            && let Some((&right, next)) = self.segments.range(left + 1..=end).next()
        {
            let Some(segment) = self.segments.get(&left) else { return };
            if segment.end == right && segment.entries == next.entries {
                let to = next.end;
                self.segments.remove(&right);
                if let Some(segment) = self.segments.get_mut(&left) {
                    segment.end = to;
                }
            } else {
                left = right;
            }
        }
    }
}
