//! What operations queued, for those who count kernels and bytes.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// A kernel that an operation queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The operation's name, as `GetName` answers it.
    pub name: &'static str,
    /// Bytes of device memory that the call reads: its inputs, and of a cache only what it reads of it.
    pub inputs_bytes: u64,
    /// Bytes of device memory that the call writes: its outputs, and of a cache only the rows that it writes.
    pub outputs_bytes: u64,
}

/// How many launches are kept; further ones are only counted.
const MAX_KEPT: usize = 1 << 16;

struct Recorded {
    count: u64,
    kept: Vec<Launch>,
}

static ON: AtomicBool = AtomicBool::new(false);
static RECORDED: Mutex<Recorded> = Mutex::new(Recorded { count: 0, kept: Vec::new() });

/// Switches the record of launches on or off, for the whole process; it is off at first.
pub fn record_launches(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// How many kernels were queued while the record was on, since the last [`take_launches`].
pub fn launches() -> u64 {
    RECORDED.lock().count
}

/// The launches since the last call of this, in order; the first 65 536 are kept. The record begins anew.
pub fn take_launches() -> Vec<Launch> {
    let mut recorded = RECORDED.lock();
    recorded.count = 0;
    std::mem::take(&mut recorded.kept)
}

pub(crate) fn record(launch: impl FnOnce() -> Launch) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let mut recorded = RECORDED.lock();
    recorded.count += 1;
    if recorded.kept.len() < MAX_KEPT {
        recorded.kept.push(launch());
    }
}
