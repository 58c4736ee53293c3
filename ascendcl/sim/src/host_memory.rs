//! Page-locked memory of the host: what the simulator allocated, and what programs registered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::error::{Result, failure, misuse};
use crate::memory::Page;
use crate::raw::HostBlock;

/// A range of page-locked memory.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub address: usize,
    pub size: usize,
    pub device: i32,
    origin: Origin,
    live: AtomicBool,
}

/// Where page-locked memory is from.
#[derive(Debug)]
enum Origin {
    /// `aclrtMallocHost`
    Allocated { _block: HostBlock },
    /// `aclrtHostRegister`: memory of the program's own.
    Registered,
    /// `aclrtMemAllocManaged`: memory of all devices, too.
    Managed { _block: HostBlock },
}

impl Pinned {
    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.origin, Origin::Registered)
    }

    pub(crate) fn is_managed(&self) -> bool {
        matches!(self.origin, Origin::Managed { .. })
    }
}

/// What `aclrtHostRegister` was called for: memory of the program's own, or a part of what the simulator allocated.
#[derive(Debug)]
struct Registration {
    size: usize,
    device: i32,
    /// Whether the cores of the device reach it.
    is_mapped: bool,
    memory: Arc<Pinned>,
}

/// How memory is registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registering {
    /// The cores of the device are to reach it.
    pub mapped: bool,
    /// It is to be page-locked, and is not yet.
    pub page_locked: bool,
}

/// A range of host memory that the cores of a device reach.
pub(crate) struct Mapped {
    pub address: usize,
    pub size: usize,
    /// Kept while it is used.
    _memory: Arc<Pinned>,
}

/// The page-locked ranges and the registrations, by address.
///
/// A block that is freed is taken off this list at once; its pages stay mapped until the last queued task
/// that names them is gone, so that such a task can be told off instead of crashing the process.
#[derive(Debug, Default)]
pub(crate) struct HostMemory {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    ranges: BTreeMap<usize, Arc<Pinned>>,
    registrations: BTreeMap<usize, Registration>,
}

impl HostMemory {
    pub(crate) fn allocate(&self, size: usize, device: i32) -> Result<usize> {
        let block = HostBlock::new(size).ok_or_else(|| {
            failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {size} bytes of memory")
        })?;
        Ok(self.insert(block.address(), size, device, Origin::Allocated { _block: block }))
    }

    /// Memory for the host and all devices, in whole huge pages.
    pub(crate) fn allocate_managed(&self, size: usize, device: i32) -> Result<usize> {
        let block = HostBlock::aligned(size, Page::Huge.bytes()).ok_or_else(|| {
            failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {size} bytes of memory")
        })?;
        Ok(self.insert(block.address(), size, device, Origin::Managed { _block: block }))
    }

    pub(crate) fn register(
        &self,
        address: usize,
        size: usize,
        device: i32,
        registering: Registering,
    ) -> Result {
        let mut state = self.state.write();
        let end = address.checked_add(size).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{size} bytes at {address:#x} are no range of memory")
        })?;
        if let Some((&start, other)) = state.registrations.range(..end).next_back()
            && start + other.size > address
        {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{size} bytes at {address:#x} overlap what is registered at {start:#x}"
            ));
        }
        let overlapped = state.ranges.range(..end).next_back();
        let memory = match overlapped.filter(|(start, range)| *start + range.size > address) {
            Some((&start, range)) => {
                if range.is_managed() || address < start || end > start + range.size {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "{size} bytes at {address:#x} overlap page-locked memory at {start:#x}"
                    ));
                }
                if registering.page_locked {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "{address:#x} was allocated by aclrtMallocHost, hence is page-locked, and ACL_HOST_REG_PINNED is for \
                         memory that is not"
                    ));
                }
                Arc::clone(range)
            }
            None => {
                let live = AtomicBool::new(true);
                let own = Arc::new(Pinned { address, size, device, origin: Origin::Registered, live });
                state.ranges.insert(address, Arc::clone(&own));
                own
            }
        };
        let registration = Registration { size, device, is_mapped: registering.mapped, memory };
        state.registrations.insert(address, registration);
        Ok(())
    }

    fn insert(&self, address: usize, size: usize, device: i32, origin: Origin) -> usize {
        let pinned = Pinned { address, size, device, origin, live: AtomicBool::new(true) };
        self.state.write().ranges.insert(address, Arc::new(pinned));
        address
    }

    /// Frees a block.
    pub(crate) fn free(&self, address: usize) -> Result {
        let mut state = self.state.write();
        let Some(pinned) = state.ranges.get(&address).cloned() else {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is not the start of page-locked memory; it was freed before or never allocated"
            ));
        };
        match pinned.origin {
            Origin::Managed { .. } => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was allocated by aclrtMemAllocManaged; aclrtFree frees it"
            )),
            Origin::Registered => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was registered, not allocated by aclrtMallocHost"
            )),
            Origin::Allocated { .. } => {
                let mut within = state.registrations.range(address..address + pinned.size);
                if let Some((start, _)) = within.next() {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "{start:#x} is still registered; aclrtHostUnregister comes first"
                    ));
                }
                state.remove(address);
                Ok(())
            }
        }
    }

    /// Ends a registration.
    pub(crate) fn unregister(&self, address: usize) -> Result {
        let mut state = self.state.write();
        let registration = state.registrations.remove(&address).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not the start of registered memory")
        })?;
        if registration.memory.is_registered() {
            state.remove(address);
        }
        Ok(())
    }

    /// Whether the cores of a device reach a range of host memory by a registration.
    pub(crate) fn is_mapped(&self, address: usize, length: usize, device: i32) -> bool {
        let state = self.state.read();
        state.registrations.range(..=address).next_back().is_some_and(|(start, registration)| {
            let end = address.checked_add(length);
            registration.is_mapped
                && registration.device == device
                && end.is_some_and(|end| end <= start + registration.size)
        })
    }

    /// What the cores of a device reach: what is registered for it, and managed memory.
    pub(crate) fn reachable(&self, device: i32) -> Vec<Mapped> {
        let state = self.state.read();
        let managed = state.ranges.values().filter(|pinned| pinned.is_managed()).map(|pinned| Mapped {
            address: pinned.address,
            size: pinned.size,
            _memory: Arc::clone(pinned),
        });
        let registered = state
            .registrations
            .iter()
            .filter(|(_, registration)| registration.is_mapped && registration.device == device)
            .map(|(&address, registration)| Mapped {
                address,
                size: registration.size,
                _memory: Arc::clone(&registration.memory),
            });
        managed.chain(registered).collect()
    }

    /// Frees managed memory; answers no if there is none at the address.
    pub(crate) fn free_managed(&self, address: usize) -> bool {
        let mut state = self.state.write();
        let is_managed = state.ranges.get(&address).is_some_and(|pinned| pinned.is_managed());
        if is_managed {
            state.remove(address);
        }
        is_managed
    }

    /// The range that an address is in.
    pub(crate) fn find(&self, address: usize) -> Option<Arc<Pinned>> {
        let state = self.state.read();
        let (_, pinned) = state.ranges.range(..=address).next_back()?;
        (address < pinned.address + pinned.size).then(|| Arc::clone(pinned))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Pinned>> {
        self.state.read().ranges.values().cloned().collect()
    }

    /// Frees everything that belongs to a device, and ends what is registered for it.
    pub(crate) fn clear(&self, device: i32) {
        let mut state = self.state.write();
        state.ranges.retain(|_, pinned| {
            let stays = pinned.device != device;
            if !stays {
                pinned.live.store(false, Ordering::Release);
            }
            stays
        });
        state
            .registrations
            .retain(|_, registration| registration.device != device && registration.memory.device != device);
    }
}

impl State {
    fn remove(&mut self, address: usize) {
        if let Some(pinned) = self.ranges.remove(&address) {
            pinned.live.store(false, Ordering::Release);
        }
    }
}
