//! Pools of device memory that streams allocate from and free to in their order.
//!
//! A stream may have memory again at once that it has freed itself, because its own order keeps the uses apart. Memory
//! that another stream has freed is taken when it has done so, or, if the pool adds dependencies, after a wait for
//! that. Orders by events are not followed: the memory is free when the stream has done its work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::device::Device;
use crate::error::{Result, failure, misuse};
use crate::handle::{Handle, Kind};
use crate::memory::Page;
use crate::signal::Signal;
use crate::stream::Stream;
use crate::task::Task;

/// What `aclrtMalloc` adds, too.
const PADDING: usize = 32;
/// From this size on, memory is made of huge pages.
const HUGE_FROM: usize = 1 << 20;

/// A pool.
pub(crate) struct MemPool {
    pub handle: Handle,
    pub id: u32,
    pub device: Arc<Device>,
    /// The most that it takes of the device.
    limit: usize,
    state: Mutex<State>,
}

struct State {
    /// Everything that it has of the device, by address.
    blocks: BTreeMap<usize, Block>,
    switches: Switches,
    /// Free bytes that are kept when a stream is waited for.
    threshold: u64,
    peak_reserved: u64,
    peak_used: u64,
}

/// How streams get each other's memory.
#[derive(Clone, Copy)]
pub(crate) struct Switches {
    pub follow_events: bool,
    pub opportunistic: bool,
    pub internal_dependencies: bool,
}

struct Block {
    taken: usize,
    /// The stream that freed it, and when it has done so; `None` while the program has it.
    freed: Option<(i32, Arc<Signal>)>,
}

impl Block {
    fn is_free(&self) -> bool {
        self.freed.as_ref().is_some_and(|(_, signal)| signal.outcome().is_some())
    }
}

impl State {
    fn reserved(&self) -> u64 {
        self.blocks.values().map(|block| block.taken as u64).sum()
    }

    fn used(&self) -> u64 {
        self.blocks.values().filter(|block| block.freed.is_none()).map(|block| block.taken as u64).sum()
    }
}

/// What a pool counts.
pub(crate) struct Counters {
    pub reserved: u64,
    pub peak_reserved: u64,
    pub used: u64,
    pub peak_used: u64,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl MemPool {
    pub(crate) fn new(device: &Arc<Device>, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            handle: Handle::new(Kind::MemPool),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            limit,
            state: Mutex::new(State {
                blocks: BTreeMap::new(),
                switches: Switches { follow_events: true, opportunistic: true, internal_dependencies: true },
                threshold: 0,
                peak_reserved: 0,
                peak_used: 0,
            }),
        })
    }

    /// Memory for the work of a stream from now on.
    pub(crate) fn allocate(&self, size: usize, stream: &Arc<Stream>) -> Result<usize> {
        let mut state = self.state.lock();
        let address = match self.reuse(&mut state, size, stream)? {
            Some(address) => address,
            None => self.grow(&mut state, size)?,
        };
        state.peak_used = state.peak_used.max(state.used());
        Ok(address)
    }

    /// The smallest free block that is large enough and that the stream may have.
    fn reuse(&self, state: &mut State, size: usize, stream: &Arc<Stream>) -> Result<Option<usize>> {
        let needed = size.saturating_add(PADDING);
        let Switches { opportunistic, internal_dependencies, .. } = state.switches;
        let fits = |block: &Block| match &block.freed {
            Some((by, signal)) => {
                block.taken >= needed
                    && (*by == stream.id
                        || internal_dependencies
                        || opportunistic && signal.outcome().is_some())
            }
            None => false,
        };
        let found = state.blocks.iter().filter(|(_, block)| fits(block)).min_by_key(|(_, b)| b.taken);
        let Some(address) = found.map(|(&address, _)| address) else { return Ok(None) };
        let Some(block) = state.blocks.get_mut(&address) else { return Ok(None) };
        if let Some((by, signal)) = &block.freed
            && *by != stream.id
            && signal.outcome().is_none()
        {
            let signal = Arc::clone(signal);
            stream.submit(Task::other("MEM_POOL_WAIT", move |stream| {
                stream.block_on(&signal, None).map(drop)
            }))?;
        }
        block.freed = None;
        self.device.memory.lend(address, Some(size));
        Ok(Some(address))
    }

    fn grow(&self, state: &mut State, size: usize) -> Result<usize> {
        let page = if size > HUGE_FROM { Page::Huge } else { Page::Normal };
        let (address, taken) = self.device.memory.allocate_pooled(size, PADDING, page)?;
        let reserved = state.reserved() + taken as u64;
        if reserved > self.limit as u64 {
            self.device.memory.free_pooled(address)?;
            return Err(failure!(
                ACL_ERROR_RT_MEMORY_ALLOCATION,
                "{size} bytes are too many for memory pool {}, which has {} of {}",
                self.id,
                state.reserved(),
                self.limit
            ));
        }
        state.blocks.insert(address, Block { taken, freed: None });
        state.peak_reserved = state.peak_reserved.max(reserved);
        Ok(address)
    }

    /// Whether the pool has an address.
    pub(crate) fn has(&self, address: usize) -> bool {
        self.state.lock().blocks.contains_key(&address)
    }

    /// Takes memory back, after what the stream has to do now.
    pub(crate) fn free(&self, address: usize, stream: &Arc<Stream>) -> Result {
        let mut state = self.state.lock();
        let block = state.blocks.get_mut(&address).filter(|block| block.freed.is_none());
        let block = block.ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} was freed to memory pool {}", self.id)
        })?;
        let signal = Arc::<Signal>::default();
        stream.submit(Task::Record(Arc::clone(&signal)))?;
        block.freed = Some((stream.id, signal));
        self.device.memory.lend(address, None);
        Ok(())
    }

    /// Gives free memory back to the device until no more than `keep` bytes are left, or none is free.
    pub(crate) fn trim(&self, keep: u64) -> Result {
        let mut state = self.state.lock();
        let free: Vec<usize> =
            state.blocks.iter().filter(|(_, block)| block.is_free()).map(|(&address, _)| address).collect();
        for address in free {
            if state.reserved() <= keep {
                break;
            }
            self.device.memory.free_pooled(address)?;
            state.blocks.remove(&address);
        }
        Ok(())
    }

    /// Gives free memory beyond the threshold back, as a wait for a stream does.
    pub(crate) fn release(&self) -> Result {
        let threshold = {
            let state = self.state.lock();
            state.used().saturating_add(state.threshold)
        };
        self.trim(threshold)
    }

    /// Gives everything back. It must be free, and the work before that be done.
    pub(crate) fn close(&self) -> Result {
        let state = self.state.lock();
        let used = state.blocks.values().filter(|block| !block.is_free()).count();
        drop(state);
        if used > 0 {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{used} allocations of memory pool {} are in use",
                self.id
            ));
        }
        self.trim(0)
    }

    pub(crate) fn counters(&self) -> Counters {
        let state = self.state.lock();
        Counters {
            reserved: state.reserved(),
            peak_reserved: state.peak_reserved,
            used: state.used(),
            peak_used: state.peak_used,
        }
    }

    pub(crate) fn reset_peak_reserved(&self) {
        let mut state = self.state.lock();
        state.peak_reserved = state.reserved();
    }

    pub(crate) fn reset_peak_used(&self) {
        let mut state = self.state.lock();
        state.peak_used = state.used();
    }

    pub(crate) fn threshold(&self) -> u64 {
        self.state.lock().threshold
    }

    pub(crate) fn set_threshold(&self, bytes: u64) {
        self.state.lock().threshold = bytes;
    }

    pub(crate) fn switches(&self) -> Switches {
        self.state.lock().switches
    }

    pub(crate) fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.state.lock().switches);
    }
}
