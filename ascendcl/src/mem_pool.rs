//! The library's own pools of device memory, in the order of streams (SOMA).
//!
//! A buffer whose owners are gone is kept with its usage, like the blocks of this crate's own pool, until the next call on the
//! pool: then a stream frees it after the work that touches it. Destructors queue nothing.

use std::ffi::c_void;
use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::block::{Block, Home};
use crate::buffer::{DeviceBuffer, bytes};
use crate::device::Device;
use crate::dtype::Element;
use crate::error::{ErrorKind, Result};
use crate::raw::Acl;
use crate::stream::{Capture, Stream, StreamCore};
use crate::usage::{Access, Usage};

/// A pool of device memory of the library's own, which streams allocate from and free to in their order (`aclrtMemPool`,
/// since 9.1).
///
/// The library calls it experimental, and has it only on some products (AscendCL docs: stream-ordered memory allocation).
/// [`Stream::alloc`] does the same everywhere with this crate's caching pool, and is what to take where
/// [`Device::create_mem_pool`] answers with [`Error::MissingSymbol`](crate::Error::MissingSymbol) or
/// [`ErrorKind::Unsupported`]. What this one adds is memory that others who use the library's pools can have when it is free.
///
/// Cheap to clone. It is destroyed when its handles and buffers are gone, which waits for the work on them.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let stream = device.stream()?;
/// let pool = device.create_mem_pool(64 << 20)?;
/// let mut buffer = stream.alloc_in::<f32>(&pool, 1000)?;
/// stream.fill_bytes(&mut buffer, 0)?;
/// drop(buffer); // goes back after the fill, without a wait
/// let _other = stream.alloc_in::<f32>(&pool, 1000)?;
/// assert!(pool.statistics()?.used_bytes >= 4000);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct MemPool {
    core: Arc<MemPoolCore>,
}

pub(crate) struct MemPoolCore {
    device: Device,
    handle: sys::aclrtMemPool,
    retired: Mutex<Vec<Retired>>,
    /// Streams on which memory was freed.
    freed_on: Mutex<Vec<Arc<StreamCore>>>,
}

/// Memory whose owners are gone, and which is not freed yet.
struct Retired {
    pointer: NonNull<c_void>,
    usage: Usage,
}

// SAFETY: the pointer is an address; nothing is read or written through it here.
unsafe impl Send for Retired {}
// SAFETY: the library lets any thread use a pool whose context is current for it, which `Device::bind` ensures. All other
// state is behind locks.
unsafe impl Send for MemPoolCore {}
// SAFETY: as above.
unsafe impl Sync for MemPoolCore {}

/// When a stream gets memory of a pool that another stream has freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// When an event orders the streams (`ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES`).
    FollowEvents,
    /// When the memory happens to be free; the library does not promise that it works, and may answer with an error (`ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC`).
    Opportunistic,
    /// After a wait that the library adds (`ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES`).
    InternalDependencies,
}

/// What a pool of the library holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemPoolStatistics {
    /// Bytes that the pool has of the device (`ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT`).
    pub reserved_bytes: u64,
    /// The most that it was (`ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH`).
    pub peak_reserved_bytes: u64,
    /// Bytes in use (`ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT`).
    pub used_bytes: u64,
    /// The most that it was (`ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH`).
    pub peak_used_bytes: u64,
}

impl Device {
    /// Makes a pool of at most `max_bytes` bytes of the device's memory (`aclrtMemPoolCreate`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1, [`Error::Acl`](crate::Error::Acl) from the
    /// library.
    pub fn create_mem_pool(&self, max_bytes: usize) -> Result<MemPool> {
        let handle = self.bind()?.mem_pool_create(self.number()?, max_bytes)?;
        let (retired, freed_on) = (Mutex::default(), Mutex::default());
        Ok(MemPool { core: Arc::new(MemPoolCore { device: self.clone(), handle, retired, freed_on }) })
    }
}

impl Stream {
    /// Device memory of a pool for `len` elements, contents unspecified (`aclrtMemPoolMallocAsync`, since 9.1).
    ///
    /// A buffer like any other. When it is dropped, its memory goes back to the pool at the next call on the pool, in the
    /// order of the streams that use it (`aclrtMemPoolFreeAsync`).
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if the pool or the device has no more memory;
    /// [`Error::Shape`](crate::Error::Shape) if the size does not fit the address space,
    /// [`Error::Mismatch`](crate::Error::Mismatch) for a pool of another device,
    /// [`Error::Capturing`](crate::Error::Capturing) during a capture.
    pub fn alloc_in<T: Element>(&self, pool: &MemPool, len: usize) -> Result<DeviceBuffer<T>> {
        let core = &pool.core;
        self.device().check_same("memory pool", &core.device)?;
        let submission = self.submit("Stream::alloc_in", Capture::Refused)?;
        let (acl, handle) = (submission.acl, submission.handle);
        core.free_on(self, acl, handle, |usage| usage.is_ordered_on(&self.core) || usage.is_idle())?;
        // Also for an empty buffer.
        let size = bytes::<T>(len)?.max(1);
        // SAFETY: the pool is borrowed, and the submission's stream is alive.
        let allocate = || unsafe { acl.mem_pool_malloc(core.handle, size, handle) };
        let pointer = match allocate() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                // Rather wait for other streams' memory than fail.
                core.free_on(self, acl, handle, |_| true)?;
                allocate()
            }
            result => result,
        }?;
        // The memory is there for this stream's work; that of others has to wait for the stream.
        let mut usage = Usage::default();
        usage.touch(&self.core, Access::Write)?;
        let home = Home::MemPool(Arc::clone(core));
        let block = Block::new(self.device().clone(), home, pointer, size, usage);
        Ok(DeviceBuffer::of_block(Arc::new(block), len))
    }
}

impl MemPool {
    /// The device whose memory it is.
    pub fn device(&self) -> &Device {
        &self.core.device
    }

    /// What the pool holds (`aclrtMemPoolGetAttr`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn statistics(&self) -> Result<MemPoolStatistics> {
        Ok(MemPoolStatistics {
            reserved_bytes: self.bytes(sys::ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT)?,
            peak_reserved_bytes: self.bytes(sys::ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH)?,
            used_bytes: self.bytes(sys::ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT)?,
            peak_used_bytes: self.bytes(sys::ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH)?,
        })
    }

    /// Begins the peaks of the [`statistics`](Self::statistics) anew (`aclrtMemPoolSetAttr`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn reset_peaks(&self) -> Result<()> {
        self.set_bytes(sys::ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH, 0)?;
        self.set_bytes(sys::ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH, 0)
    }

    /// Free bytes that the pool keeps when a stream is waited for (`aclrtMemPoolGetAttr` with
    /// `ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD`); none by default.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn release_threshold(&self) -> Result<u64> {
        self.bytes(sys::ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD)
    }

    /// Sets what [`release_threshold`](Self::release_threshold) answers (`aclrtMemPoolSetAttr`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn set_release_threshold(&self, bytes: u64) -> Result<()> {
        self.set_bytes(sys::ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, bytes)
    }

    /// Whether streams get each other's memory in this way (`aclrtMemPoolGetAttr`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn reuses(&self, how: Reuse) -> Result<bool> {
        let acl = self.core.device.bind()?;
        // SAFETY: the pool is alive, and its switches are numbers of 32 bits.
        let on: u32 = unsafe { acl.mem_pool_attribute(self.core.handle, how.code()) }?;
        Ok(on != 0)
    }

    /// Lets streams get each other's memory in this way, or not (`aclrtMemPoolSetAttr`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn set_reuses(&self, how: Reuse, on: bool) -> Result<()> {
        let acl = self.core.device.bind()?;
        // SAFETY: as in `reuses`.
        unsafe { acl.set_mem_pool_attribute(self.core.handle, how.code(), u32::from(on)) }
    }

    /// Gives free memory back to the device until the pool has no more than `keep` bytes, or only such as are in use
    /// (`aclrtMemPoolTrimTo`), after waiting for the streams that have freed memory.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library, also for work that failed.
    pub fn trim_to(&self, keep: usize) -> Result<()> {
        let acl = self.core.device.bind()?;
        self.core.settle(acl, Usage::is_idle)?;
        // SAFETY: the pool is alive.
        unsafe { acl.mem_pool_trim(self.core.handle, keep) }
    }

    fn bytes(&self, attribute: sys::aclrtMemPoolAttr) -> Result<u64> {
        let acl = self.core.device.bind()?;
        // SAFETY: the pool is alive, and the attributes that count bytes are numbers of 64 bits.
        unsafe { acl.mem_pool_attribute(self.core.handle, attribute) }
    }

    fn set_bytes(&self, attribute: sys::aclrtMemPoolAttr, value: u64) -> Result<()> {
        let acl = self.core.device.bind()?;
        // SAFETY: as in `bytes`.
        unsafe { acl.set_mem_pool_attribute(self.core.handle, attribute, value) }
    }
}

impl Reuse {
    fn code(self) -> sys::aclrtMemPoolAttr {
        match self {
            Self::FollowEvents => sys::ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES,
            Self::Opportunistic => sys::ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC,
            Self::InternalDependencies => sys::ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES,
        }
    }
}

impl MemPoolCore {
    /// Keeps memory whose owners are gone.
    pub(crate) fn give(&self, pointer: NonNull<c_void>, usage: Usage) {
        self.retired.lock().push(Retired { pointer, usage });
    }

    /// Frees what `now` says of in the order of a stream, which waits for the others that use it.
    fn free_on(
        &self,
        stream: &Stream,
        acl: &Acl,
        handle: sys::aclrtStream,
        now: impl Fn(&Usage) -> bool,
    ) -> Result<()> {
        self.free(now, |retired| {
            retired.usage.touch(&stream.core, Access::Write)?;
            let mut freed_on = self.freed_on.lock();
            if !freed_on.iter().any(|other| Arc::ptr_eq(other, &stream.core)) {
                freed_on.retain(|other| !other.is_closed());
                freed_on.push(Arc::clone(&stream.core));
            }
            // SAFETY: the memory is this pool's, its owners are gone, and the stream does this after all work on it.
            unsafe { acl.mem_pool_free(retired.pointer, handle) }
        })
    }

    /// Frees what `now` says of, waiting for the work on it, and lets the host wait for everything that was freed.
    fn settle(&self, acl: &Acl, now: impl Fn(&Usage) -> bool) -> Result<()> {
        let default = sys::aclrtStream::null();
        self.free(now, |retired| {
            retired.usage.wait_on_host(Access::Write)?;
            // SAFETY: the memory is this pool's, its owners are gone, and the work on it is done.
            unsafe { acl.mem_pool_free(retired.pointer, default) }
        })?;
        let freed_on = self.freed_on.lock().clone();
        freed_on.iter().try_for_each(|stream| stream.synchronize())?;
        // SAFETY: null is the context's default stream, which is always alive.
        unsafe { acl.synchronize_stream(default) }
    }

    /// What cannot be freed is kept, so that nobody gets it.
    fn free(
        &self,
        now: impl Fn(&Usage) -> bool,
        mut free: impl FnMut(&mut Retired) -> Result<()>,
    ) -> Result<()> {
        // Not under the lock, because dropped buffers need it.
        let retired = mem::take(&mut *self.retired.lock());
        let mut result = Ok(());
        let mut keep = Vec::new();
        for mut retired in retired {
            if !now(&retired.usage) {
                keep.push(retired);
            } else if let Err(error) = free(&mut retired) {
                keep.push(retired);
                result = result.and(Err(error));
            }
        }
        self.retired.lock().append(&mut keep);
        result
    }

    fn close(&self) -> Result<()> {
        let acl = self.device.bind()?;
        // Rather leaked than destroyed while work may touch its memory.
        self.settle(acl, |_| true)?;
        // SAFETY: buffers hold the pool, so there are none. All its memory was freed, and the work before that is done.
        unsafe { acl.mem_pool_destroy(self.handle) }
    }
}

impl Drop for MemPoolCore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "destroying a memory pool");
        }
    }
}

impl fmt::Debug for MemPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemPool({:?} on {:?})", self.core.handle, self.core.device)
    }
}
