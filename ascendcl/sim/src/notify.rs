//! Notifies: marks that one stream sets and one wait takes down again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::device::Device;
use crate::error::Result;
use crate::handle::{Handle, Kind};
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;

/// A notify.
pub(crate) struct Notify {
    pub handle: Handle,
    pub id: u32,
    pub device: Arc<Device>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_set: bool,
    /// The tasks that wait for it, in order.
    waiting: VecDeque<Arc<Signal>>,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Notify {
    pub(crate) fn new(device: &Arc<Device>) -> Arc<Self> {
        Arc::new(Self {
            handle: Handle::new(Kind::Notify),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            state: Mutex::default(),
        })
    }

    /// Lets the first waiting task go on, or the next one that comes.
    pub(crate) fn record(&self) {
        let mut state = self.state.lock();
        match state.waiting.pop_front() {
            Some(signal) => signal.set(Outcome::Done(Instant::now())),
            None => state.is_set = true,
        }
    }

    /// Waits, on the worker of a stream, until it is set, and takes it down.
    pub(crate) fn wait(&self, stream: &Stream, timeout: Option<Duration>) -> Result {
        let signal = Arc::<Signal>::default();
        let mut state = self.state.lock();
        if std::mem::take(&mut state.is_set) {
            return Ok(());
        }
        state.waiting.push_back(Arc::clone(&signal));
        drop(state);
        stream.block_on(&signal, timeout).map(drop).inspect_err(|_| {
            self.state.lock().waiting.retain(|waiting| !Arc::ptr_eq(waiting, &signal));
        })
    }
}
