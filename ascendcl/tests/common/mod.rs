//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test file uses everything")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::mpsc::{Sender, channel};

use ascendcl::{Backend, Device, Runtime, Stream};

/// The simulated device with the given number; each test file uses its own, so that injected faults stay apart.
///
/// Valgrind cannot map the memory of four real devices: there the environment makes it smaller.
pub fn device(id: i32) -> Device {
    let environment = ascendcl_sim::SimConfig::from_environment().unwrap();
    let _ = ascendcl_sim::configure(ascendcl_sim::SimConfig { devices: 4, ..environment });
    Runtime::with_backend(Backend::Sim).unwrap().device(id).unwrap()
}

/// Holds a stream's work up until it is dropped.
pub struct Gate {
    _open: Sender<()>,
}

impl Gate {
    /// Queues a host function that waits for the gate.
    pub fn close(stream: &Stream) -> Self {
        let (open, opened) = channel();
        stream.host_function(move || opened.recv().unwrap_or(())).unwrap();
        Self { _open: open }
    }
}
