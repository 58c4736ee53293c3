//! Buffers with a model of what they hold, and work that is done to both.

use std::sync::atomic::{AtomicU64, Ordering};

use ascendcl::{DeviceBuffer, PinnedBuffer, Stream};

/// What the devices are made to do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every tenth copy within a device is not queued.
    LosesCopies,
    /// Every tenth launch of a graph is not queued.
    LosesLaunches,
}

impl Fault {
    /// Whether to lose this one, of those that `counter` counts.
    pub fn loses(self, kind: Fault, counter: &AtomicU64) -> bool {
        self == kind && counter.fetch_add(1, Ordering::Relaxed) % 10 == 9
    }
}

/// Device memory and what it should hold.
pub struct Memory {
    pub buffer: DeviceBuffer<u8>,
    pub model: Vec<u8>,
    /// Which buffer this is of those that had this place.
    pub generation: u64,
}

/// Pinned host memory and what it should hold.
pub struct Pinned {
    pub buffer: PinnedBuffer<u8>,
    pub model: Vec<u8>,
}

/// Work within a device, which a graph may hold: on the first or the second of two buffers.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Fills a range of the first buffer.
    Fill { at: usize, len: usize, value: u8 },
    /// Copies from the first buffer to the second.
    Copy { from: usize, to: usize, len: usize },
}

impl Step {
    pub fn queue(self, stream: &Stream, first: &mut Memory, second: &mut Memory) -> ascendcl::Result<()> {
        match self {
            Self::Fill { at, len, value } => stream.fill_bytes(first.buffer.slice_mut(at..at + len)?, value),
            Self::Copy { from, to, len } => {
                stream.copy(first.buffer.slice(from..from + len)?, second.buffer.slice_mut(to..to + len)?)
            }
        }
    }

    pub fn model(self, first: &mut Memory, second: &mut Memory) {
        match self {
            Self::Fill { at, len, value } => first.model[at..at + len].fill(value),
            Self::Copy { from, to, len } => {
                second.model[to..to + len].copy_from_slice(&first.model[from..from + len]);
            }
        }
    }
}

/// The first byte that is not as it should be.
pub fn compare(what: &str, got: &[u8], model: &[u8]) -> Result<(), String> {
    match got.iter().zip(model).position(|(a, b)| a != b) {
        None if got.len() == model.len() => Ok(()),
        None => Err(format!("{what} differs from the model in length: {} and {}", got.len(), model.len())),
        Some(at) => Err(format!("{what} differs from the model at byte {at}: {} and {}", got[at], model[at])),
    }
}
