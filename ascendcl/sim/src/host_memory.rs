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

/// The page-locked ranges by address.
///
/// A block that is freed is taken off this list at once; its pages stay mapped until the last queued task
/// that names them is gone, so that such a task can be told off instead of crashing the process.
#[derive(Debug, Default)]
pub(crate) struct HostMemory {
    ranges: RwLock<BTreeMap<usize, Arc<Pinned>>>,
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

    pub(crate) fn register(&self, address: usize, size: usize, device: i32) -> Result {
        let mut ranges = self.ranges.write();
        let end = address.checked_add(size).ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{size} bytes at {address:#x} are no range of memory")
        })?;
        if let Some((&start, range)) = ranges.range(..end).next_back()
            && start + range.size > address
        {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{size} bytes at {address:#x} overlap page-locked memory at {start:#x}"
            ));
        }
        let live = AtomicBool::new(true);
        ranges.insert(address, Arc::new(Pinned { address, size, device, origin: Origin::Registered, live }));
        Ok(())
    }

    fn insert(&self, address: usize, size: usize, device: i32, origin: Origin) -> usize {
        let pinned = Pinned { address, size, device, origin, live: AtomicBool::new(true) };
        self.ranges.write().insert(address, Arc::new(pinned));
        address
    }

    /// Frees a block, or ends a registration.
    pub(crate) fn remove(&self, address: usize, registered: bool) -> Result {
        let mut ranges = self.ranges.write();
        match ranges.get(&address) {
            Some(pinned) if pinned.is_managed() => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was allocated by aclrtMemAllocManaged; aclrtFree frees it"
            )),
            Some(pinned) if pinned.is_registered() == registered => {
                pinned.live.store(false, Ordering::Release);
                ranges.remove(&address);
                Ok(())
            }
            Some(_) if registered => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was allocated by aclrtMallocHost, not registered"
            )),
            Some(_) => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} was registered, not allocated by aclrtMallocHost"
            )),
            None => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is not the start of page-locked memory; it was freed before or never allocated"
            )),
        }
    }

    /// Frees managed memory; answers no if there is none at the address.
    pub(crate) fn free_managed(&self, address: usize) -> bool {
        let mut ranges = self.ranges.write();
        let Some(pinned) = ranges.get(&address).filter(|pinned| pinned.is_managed()) else { return false };
        pinned.live.store(false, Ordering::Release);
        ranges.remove(&address);
        true
    }

    /// The managed memory.
    pub(crate) fn managed(&self) -> Vec<Arc<Pinned>> {
        self.ranges.read().values().filter(|pinned| pinned.is_managed()).cloned().collect()
    }

    /// The range that an address is in.
    pub(crate) fn find(&self, address: usize) -> Option<Arc<Pinned>> {
        let ranges = self.ranges.read();
        let (_, pinned) = ranges.range(..=address).next_back()?;
        (address < pinned.address + pinned.size).then(|| Arc::clone(pinned))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Pinned>> {
        self.ranges.read().values().cloned().collect()
    }

    /// Frees everything that belongs to a device.
    pub(crate) fn clear(&self, device: i32) {
        self.ranges.write().retain(|_, pinned| {
            let stays = pinned.device != device;
            pinned.live.store(stays, Ordering::Release);
            stays
        });
    }
}
