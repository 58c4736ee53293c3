//! The flags between the pipes of one core.

use std::collections::{BTreeMap, VecDeque};

use super::clock::Clock;

/// Source pipe, destination pipe, event.
pub(super) type Flag = (usize, usize, u32);

/// A flag that was set and not taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// What the pipe knew, itself included.
    pub clock: Clock,
    /// Who set it.
    pub record: u32,
}

/// All flags of a core.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pending: BTreeMap<Flag, VecDeque<Pending>>,
}

impl Flags {
    /// Sets a flag; returns who had set it if it is still set.
    pub(super) fn set(&mut self, flag: Flag, pending: Pending) -> Option<u32> {
        let queue = self.pending.entry(flag).or_default();
        queue.push_back(pending);
        (queue.len() > 1).then(|| queue[queue.len() - 2].record)
    }

    /// Takes a flag.
    pub(super) fn take(&mut self, flag: Flag) -> Option<Pending> {
        self.pending.get_mut(&flag)?.pop_front()
    }

    /// Takes all that are left.
    pub(super) fn drain(&mut self) -> Vec<(Flag, Pending)> {
        let all = std::mem::take(&mut self.pending);
        all.into_iter().flat_map(|(flag, queue)| queue.into_iter().map(move |one| (flag, one))).collect()
    }
}
