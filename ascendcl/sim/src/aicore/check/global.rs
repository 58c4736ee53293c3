//! The history of global memory, which all cores share.

use parking_lot::Mutex;

use super::shadow::{Entry, Shadow};

const SHARDS: usize = 64;
/// Bytes of neighbouring addresses that are in one shard.
const CHUNK: u64 = 1 << 20;

/// Shadows by address, each with a lock, so that cores that work on different memory do not wait for each other.
#[derive(Debug)]
pub(super) struct GlobalShadow {
    shards: Vec<Mutex<Shadow>>,
}

impl GlobalShadow {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// As [`Shadow::add`]. What the host or an earlier launch wrote is not known here, so no byte is told to be
    /// unwritten.
    pub(super) fn add(
        &self,
        start: u64,
        end: u64,
        new: Entry,
        ordered: &mut dyn FnMut(&Entry, u64, u64) -> bool,
    ) {
        let mut from = start;
        while from < end {
            let to = end.min((from / CHUNK + 1).saturating_mul(CHUNK));
            let shard = &self.shards[(from / CHUNK) as usize % SHARDS];
            shard.lock().add(from, to, new, ordered, &mut |_, _| {});
            from = to;
        }
    }
}
