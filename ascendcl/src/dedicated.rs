//! Buffers with an allocation of their own, for what the pools do not offer.
//!
//! Like other memory, it is not freed by a destructor, which must not wait: it is kept with its usage until the next
//! allocation of this kind finds it idle, or until the device's pools are trimmed.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::block::{Block, Home};
use crate::buffer::{DeviceBuffer, bytes};
use crate::dtype::Element;
use crate::error::{ErrorKind, Result};
use crate::pinned::PinnedBuffer;
use crate::pool::Place;
use crate::raw::Acl;
use crate::stream::Stream;
use crate::usage::{Access, Usage};

/// Memory whose owners are gone, and which is not freed yet.
#[derive(Default)]
pub(crate) struct Dedicated {
    retired: Mutex<Vec<Retired>>,
}

struct Retired {
    place: Place,
    pointer: NonNull<c_void>,
    usage: Usage,
}

// SAFETY: the pointer is an address; nothing is read or written through it here.
unsafe impl Send for Retired {}

/// Pages that memory is made of (`aclrtMemMallocPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PagePolicy {
    /// Beyond 1 MiB huge pages of 2 MiB, or pages of 4 KiB if there are none left (`ACL_MEM_MALLOC_HUGE_FIRST`).
    #[default]
    HugeFirst,
    /// Huge pages (`ACL_MEM_MALLOC_HUGE_ONLY`).
    Huge,
    /// Pages of 4 KiB (`ACL_MEM_MALLOC_NORMAL_ONLY`).
    Normal,
    /// Pages of 1 GiB (`ACL_MEM_MALLOC_HUGE1G_ONLY`).
    Gigantic,
}

/// The function that allocates device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Allocation {
    /// `aclrtMallocAlign32`: in multiples of 32 bytes, without the 32 more that `aclrtMalloc` adds.
    Align32,
    /// `aclrtMallocCached`.
    Cached,
    /// `aclrtMallocWithCfg`.
    Configured {
        /// Whether the memory is for copies between devices (the policies `ACL_MEM_MALLOC_…_P2P`).
        peer: bool,
        /// The module on whose behalf it is (`ACL_RT_MEM_ATTR_MODULE_ID`); the docs recommend 33, which is applications.
        module: u16,
    },
}

impl PagePolicy {
    fn code(self, peer: bool) -> sys::aclrtMemMallocPolicy {
        match (self, peer) {
            (Self::HugeFirst, false) => sys::ACL_MEM_MALLOC_HUGE_FIRST,
            (Self::Huge, false) => sys::ACL_MEM_MALLOC_HUGE_ONLY,
            (Self::Normal, false) => sys::ACL_MEM_MALLOC_NORMAL_ONLY,
            (Self::Gigantic, false) => sys::ACL_MEM_MALLOC_HUGE1G_ONLY,
            (Self::HugeFirst, true) => sys::ACL_MEM_MALLOC_HUGE_FIRST_P2P,
            (Self::Huge, true) => sys::ACL_MEM_MALLOC_HUGE_ONLY_P2P,
            (Self::Normal, true) => sys::ACL_MEM_MALLOC_NORMAL_ONLY_P2P,
            (Self::Gigantic, true) => sys::ACL_MEM_MALLOC_HUGE1G_ONLY_P2P,
        }
    }
}

impl Stream {
    /// Device memory for `len` elements in an allocation of its own, contents unspecified.
    ///
    /// A buffer like any other. When it is dropped, its memory is freed by and by, see
    /// [`free_now`](DeviceBuffer::free_now).
    ///
    /// ```
    /// use ascendcl::{Allocation, Backend, PagePolicy, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let peer = Allocation::Configured { peer: true, module: 33 };
    /// let mut buffer = stream.alloc_dedicated::<f32>(1 << 20, PagePolicy::Huge, peer)?;
    /// stream.fill_bytes(&mut buffer, 0)?;
    /// buffer.free_now()?;
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc); of the wrong pages there may be memory left.
    pub fn alloc_dedicated<T: Element>(
        &self,
        len: usize,
        pages: PagePolicy,
        how: Allocation,
    ) -> Result<DeviceBuffer<T>> {
        let block = self.dedicated(Place::Device, bytes::<T>(len)?, |acl, size| match how {
            Allocation::Align32 => acl.malloc_align32(size, pages.code(false)),
            Allocation::Cached => acl.malloc_cached(size, pages.code(false)),
            Allocation::Configured { peer, module } => acl.malloc_with_config(size, pages.code(peer), module),
        })?;
        Ok(DeviceBuffer::of_block(block, len))
    }

    /// Pinned host memory for `len` elements, all zero, in an allocation of its own on behalf of a module
    /// (`aclrtMallocHostWithCfg` with `ACL_RT_MEM_ATTR_MODULE_ID`; the docs recommend 33, which is applications).
    ///
    /// # Errors
    /// As [`alloc_pinned`](Self::alloc_pinned).
    pub fn alloc_pinned_dedicated<T: Element>(&self, len: usize, module: u16) -> Result<PinnedBuffer<T>> {
        let size = bytes::<T>(len)?;
        let block =
            self.dedicated(Place::Pinned, size, |acl, size| acl.malloc_host_with_config(size, module))?;
        PinnedBuffer::zeroed(block, len)
    }

    fn dedicated(
        &self,
        place: Place,
        bytes: usize,
        allocate: impl Fn(&Acl, usize) -> Result<NonNull<c_void>>,
    ) -> Result<Arc<Block>> {
        let device = self.device();
        let acl = device.bind()?;
        device.inner.dedicated.free(acl, Usage::is_idle)?;
        // The library refuses allocations of nothing.
        let size = bytes.max(1);
        let pointer = match allocate(acl, size) {
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                if let Err(error) = device.trim_pools() {
                    tracing::warn!(%error, "freeing cached memory");
                }
                allocate(acl, size)
            }
            result => result,
        }?;
        let home = Home::Dedicated(place);
        Ok(Arc::new(Block::new(device.clone(), home, pointer, size, Usage::default())))
    }
}

impl Dedicated {
    /// Keeps memory whose owner is gone.
    pub(crate) fn give(&self, place: Place, pointer: NonNull<c_void>, usage: Usage) {
        self.retired.lock().push(Retired { place, pointer, usage });
    }

    /// Frees everything, after waiting for the streams that work on it.
    pub(crate) fn trim(&self, acl: &Acl) -> Result<()> {
        self.free(acl, |_| true)
    }

    /// Frees what `now` says of; with a wait, if that is needed. The context must be bound.
    fn free(&self, acl: &Acl, now: impl Fn(&Usage) -> bool) -> Result<()> {
        // Waiting must not be done under the lock: host functions may drop buffers.
        let (free, keep) =
            std::mem::take(&mut *self.retired.lock()).into_iter().partition(|retired| now(&retired.usage));
        self.retired.lock().extend::<Vec<_>>(keep);
        let free: Vec<Retired> = free;
        let mut result = Ok(());
        for retired in free {
            if let Err(error) = retired.usage.wait_on_host(Access::Write) {
                // Nobody knows what still works on it.
                self.retired.lock().push(retired);
                result = result.and(Err(error));
                continue;
            }
            // SAFETY: the memory came from this library by itself, its owners are gone, and every stream that touched it
            // was waited for.
            let freed = unsafe {
                match retired.place {
                    Place::Device => acl.free(retired.pointer),
                    Place::Pinned => acl.free_host(retired.pointer),
                }
            };
            result = result.and(freed);
        }
        result
    }
}

impl<T: Element> DeviceBuffer<T> {
    /// Frees the memory of a [dedicated](Stream::alloc_dedicated) buffer now, after waiting for all work on the device,
    /// also for what C code queued with its address (`aclrtFreeWithDevSync`; before CANN 9.1 `aclrtSynchronizeDevice` and
    /// `aclrtFree`).
    ///
    /// Other memory goes back to its pool, as when the buffer is dropped, and so does memory that a graph owns, too, when that
    /// goes.
    ///
    /// # Errors
    /// [`Error::Capturing`](crate::Error::Capturing) while a stream of the device is being captured, and
    /// [`Error::Acl`](crate::Error::Acl) for work on the memory that failed; it is freed later then.
    /// [`Error::Acl`](crate::Error::Acl) from the library, for which the memory is lost.
    pub fn free_now(self) -> Result<()> {
        Arc::into_inner(self.block).map_or(Ok(()), Block::free_now)
    }

    /// Writes what caches hold of the buffer back to its memory, after waiting for the streams that write it
    /// (`aclrtMemFlush`).
    ///
    /// Devices of this generation keep their caches coherent, and need it not (AscendCL docs: device memory).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library, also for work that failed.
    pub fn flush_cache(&self) -> Result<()> {
        self.block.wait_on_host(Access::Read)?;
        let acl = self.device().bind()?;
        // SAFETY: the block has at least so many bytes.
        self.cached(|address, size| unsafe { acl.flush_cache(address, size) })
    }

    /// Makes caches forget what they hold of the buffer, after waiting for the streams that work on it
    /// (`aclrtMemInvalidate`). As for [`flush_cache`](Self::flush_cache), there is no need for it.
    ///
    /// # Errors
    /// As [`flush_cache`](Self::flush_cache).
    pub fn invalidate_cache(&mut self) -> Result<()> {
        self.block.wait_on_host(Access::Write)?;
        let acl = self.device().bind()?;
        // SAFETY: the block has at least so many bytes. Whatever they are, they are valid elements.
        self.cached(|address, size| unsafe { acl.invalidate_cache(address, size) })
    }

    fn cached(&self, call: impl FnOnce(*mut c_void, usize) -> Result<()>) -> Result<()> {
        match self.len() * size_of::<T>() {
            0 => Ok(()),
            size => call(self.as_device_ptr(), size),
        }
    }
}

impl<T: Element> PinnedBuffer<T> {
    /// As [`DeviceBuffer::free_now`], for a buffer of [`Stream::alloc_pinned_dedicated`] (`aclrtFreeHostWithDevSync`;
    /// before CANN 9.1 `aclrtSynchronizeDevice` and `aclrtFreeHost`).
    ///
    /// # Errors
    /// As [`DeviceBuffer::free_now`].
    pub fn free_now(self) -> Result<()> {
        Arc::into_inner(self.block).map_or(Ok(()), Block::free_now)
    }
}

#[cfg(all(test, feature = "sim"))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::ffi::{CStr, c_void};
    use std::ptr::NonNull;

    use ascendcl_sys::Library;

    use super::{Allocation, PagePolicy};
    use crate::backend::{BackendKind, Opened};
    use crate::device::Device;
    use crate::error::Error;
    use crate::raw::Acl;
    use crate::runtime::Runtime;

    /// The simulator as another library: without these functions.
    fn device_without(resolve: fn(&CStr) -> Option<NonNull<c_void>>) -> Device {
        // SAFETY: the simulator's functions have the signatures of their names.
        let acl = Acl { functions: unsafe { Library::from_resolver("another", resolve) } };
        let initialised_here = acl.init().unwrap();
        Device::open(Runtime::of_library(Opened { acl, initialised_here }, BackendKind::Sim), 0).unwrap()
    }

    fn resolve_8_1(name: &CStr) -> Option<NonNull<c_void>> {
        let newer = ascendcl_sys::FUNCTIONS.iter().filter(|function| function.since == "9.1");
        let is_newer = newer.map(|function| function.name.as_bytes()).any(|newer| newer == name.to_bytes());
        if is_newer { None } else { ascendcl_sim::resolve(name) }
    }

    fn resolve_later(name: &CStr) -> Option<NonNull<c_void>> {
        let gone = [c"aclrtMemcpyBatch", c"aclrtMemcpyBatchAsync"];
        if gone.contains(&name) { None } else { ascendcl_sim::resolve(name) }
    }

    fn missing<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
        match result {
            Err(Error::MissingSymbol(missing)) if missing.since == "9.1" => missing.name,
            other => panic!("not a missing symbol of CANN 9.1: {other:?}"),
        }
    }

    #[test]
    fn an_older_library_frees_its_memory_and_says_what_it_lacks() {
        let device = device_without(resolve_8_1);
        let stream = device.stream().unwrap();
        let mut buffer = stream.alloc_dedicated::<u32>(3, PagePolicy::Normal, Allocation::Align32).unwrap();
        device.upload(&[1, 2, 3], &mut buffer).unwrap();
        let mut host = stream.alloc_pinned_dedicated::<u32>(3, 33).unwrap();
        stream.download_pinned(&buffer, &mut host).unwrap();
        assert_eq!(host.as_slice().unwrap(), [1, 2, 3]);
        assert_eq!(missing(device.fill_words(&mut buffer, 1)), "aclrtMemsetD32");
        assert_eq!(
            missing(device.upload_batch([(&[1, 2, 3][..], (&mut buffer).into())])),
            "aclrtMemcpyBatch"
        );
        buffer.free_now().unwrap();
        host.free_now().unwrap();
        assert_eq!(missing(device.create_mem_pool(1 << 20)), "aclrtMemPoolCreate");
        let event = device.graph_event(crate::Side::Stream, crate::Side::Graph).unwrap();
        assert_eq!(missing(stream.record_graph_event(&event)), "aclrtRecordEventWithFlag");
    }

    #[test]
    fn batches_need_only_the_functions_that_a_later_library_has() {
        let device = device_without(resolve_later);
        let stream = device.stream().unwrap();
        let mut buffer = stream.alloc::<u8>(4).unwrap();
        let (left, right) = buffer.slice_mut(..).unwrap().split_at_mut(1).unwrap();
        device.upload_batch([(&[1u8][..], left), (&[2, 3, 4], right)]).unwrap();
        let mut host = stream.alloc_pinned::<u8>(4).unwrap();
        let (left, right) = host.slice_mut(..).unwrap().split_at_mut(2).unwrap();
        let parts = [(buffer.slice(2..).unwrap(), left), (buffer.slice(..2).unwrap(), right)];
        stream.download_batch(parts).unwrap();
        assert_eq!(host.as_slice().unwrap(), [3, 4, 1, 2]);
    }
}
