//! Blocks of memory that buffers own.

use std::ffi::c_void;
use std::ptr::NonNull;

use parking_lot::{Mutex, MutexGuard};

use crate::device::Device;
use crate::error::Result;
use crate::pool::Place;
use crate::usage::{Access, Usage};

/// A block of device or pinned memory on loan from its device's pool, and what streams do with it.
///
/// Buffers own blocks by `Arc`, and so does a captured graph. When the last owner goes, the block goes back to the
/// pool together with its usage; whoever gets it next waits for the streams that still work on it.
pub(crate) struct Block {
    device: Device,
    pub(crate) place: Place,
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
        place: Place,
        pointer: NonNull<c_void>,
        size: usize,
        usage: Usage,
    ) -> Self {
        Self { device, place, pointer, size, usage: Mutex::new(usage) }
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
}

impl Drop for Block {
    fn drop(&mut self) {
        let usage = std::mem::take(self.usage.get_mut());
        self.device.inner.pool(self.place).give(self.pointer, self.size, usage);
    }
}
