//! Blocks of memory that buffers own.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::device::Device;
use crate::error::Result;
use crate::mem_pool::MemPoolCore;
use crate::pool::Place;
use crate::usage::{Access, Usage};

/// Where a block's memory goes when its last owner is gone.
pub(crate) enum Home {
    /// Back to the device's pool.
    Pool(Place),
    /// It is an allocation of its own.
    Dedicated(Place),
    /// Back to a pool of the library's.
    MemPool(Arc<MemPoolCore>),
    /// It was freed.
    Freed,
}

/// A block of device or pinned memory, most often on loan from its device's pool, and what streams do with it.
///
/// Buffers own blocks by `Arc`, and so does a captured graph. When the last owner goes, the block goes back to where it
/// came from together with its usage; whoever gets it next, or frees it, waits for the streams that still work on it.
pub(crate) struct Block {
    device: Device,
    home: Home,
    pub(crate) pointer: NonNull<c_void>,
    pub(crate) size: usize,
    usage: Mutex<Usage>,
}

// SAFETY: the pointer is an address that only queued work and the buffers' own methods go through; those keep Rust's
// rules by `&`/`&mut` and by the usage. All mutable state is behind the lock.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    pub(crate) fn new(
        device: Device,
        home: Home,
        pointer: NonNull<c_void>,
        size: usize,
        usage: Usage,
    ) -> Self {
        Self { device, home, pointer, size, usage: Mutex::new(usage) }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock()
    }

    /// Lets the host wait for the streams that its access must follow.
    ///
    /// More work of that kind may be queued while this waits only by those who may queue it: readers while the host reads.
    pub(crate) fn wait_on_host(&self, access: Access) -> Result<()> {
        self.device.bind()?;
        let waited_for = self.usage().clone();
        waited_for.wait_on_host(access)?;
        self.usage().forget(&waited_for, access);
        Ok(())
    }

    /// Frees an allocation of its own, after the streams that work on it and everything else on the device. Other memory
    /// goes back to its pool.
    pub(crate) fn free_now(mut self) -> Result<()> {
        let Home::Dedicated(place) = self.home else { return Ok(()) };
        self.device.check_no_capture("free_now")?;
        self.wait_on_host(Access::Write)?;
        let device = self.device.clone();
        let acl = device.bind()?;
        // Whether it succeeds or not: nobody frees it twice.
        self.home = Home::Freed;
        // SAFETY: the memory came from this library by itself, `self` is its last owner and does not free it again, and
        // the streams that touched it were waited for.
        unsafe {
            match place {
                Place::Device => acl.free_with_device_sync(self.pointer),
                Place::Pinned => acl.free_host_with_device_sync(self.pointer),
            }
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let usage = std::mem::take(self.usage.get_mut());
        match &self.home {
            Home::Pool(place) => self.device.inner.pool(*place).give(self.pointer, self.size, usage),
            Home::Dedicated(place) => self.device.inner.dedicated.give(*place, self.pointer, usage),
            Home::MemPool(pool) => pool.give(self.pointer, usage),
            Home::Freed => {}
        }
    }
}
