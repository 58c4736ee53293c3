//! Devices: who uses them, and what they are set to.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::context::Context;
use crate::memory::DeviceMemory;
use crate::soc::Soc;

/// The most streams that a device has at once (AscendCL docs: stream management, Atlas A2 and A3).
pub(crate) const MAX_STREAMS: usize = 1984;
/// The most events that a device has at once (AscendCL docs: event management, Atlas A2 and A3).
pub(crate) const MAX_EVENTS: usize = 65536;

/// The most notifies that a device has at once (AscendCL docs: notify management, Atlas A2 and A3).
pub(crate) const MAX_NOTIFIES: usize = 8192;

/// A device.
pub(crate) struct Device {
    pub id: i32,
    pub soc: &'static Soc,
    pub memory: DeviceMemory,
    pub state: Mutex<State>,
    /// Whether streams that are made from now on saturate (`ACL_RT_OVERFLOW_MODE_SATURATION`).
    pub saturates: AtomicBool,
    /// The groups of streams on which an operator overflowed.
    pub overflowed: Mutex<HashSet<u32>>,
    /// Held while a kernel runs: kernels take the cores in turns.
    pub cores: Mutex<()>,
    pub streams: Count,
    pub events: Count,
    pub notifies: Count,
}

/// What changes while a device is used.
pub(crate) struct State {
    /// How often it was set and not reset.
    pub references: u32,
    pub primary: Option<Arc<Context>>,
    /// The devices whose memory this one may touch.
    pub peers: HashSet<i32>,
    /// Cube and vector cores that work may use.
    pub cores: [u32; 2],
}

impl Device {
    pub(crate) fn new(id: i32, soc: &'static Soc, memory: usize) -> Self {
        Self {
            id,
            soc,
            memory: DeviceMemory::new(id, memory),
            state: Mutex::new(State {
                references: 0,
                primary: None,
                peers: HashSet::new(),
                cores: Self::all_cores(soc),
            }),
            saturates: AtomicBool::new(false),
            overflowed: Mutex::default(),
            cores: Mutex::default(),
            streams: Count::default(),
            events: Count::default(),
            notifies: Count::default(),
        }
    }

    pub(crate) fn all_cores(soc: &Soc) -> [u32; 2] {
        [soc.cube_cores, soc.vector_cores()]
    }
}

/// How many things of a kind a device has.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    /// Counts one more, unless there are `most` already.
    pub(crate) fn add(&self, most: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < most).then_some(n + 1)).is_ok()
    }

    pub(crate) fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
