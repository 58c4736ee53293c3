//! Pinned host memory: what asynchronous copies need.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::block::Block;
use crate::buffer::bytes;
use crate::dtype::Element;
use crate::error::Result;
use crate::pool::Place;
use crate::slice::slices;
use crate::stream::Stream;
use crate::usage::Access;

/// Pinned host memory for `len` elements (`aclrtMallocHost`).
///
/// Copies from and to it are truly asynchronous. Its contents are reached through [`as_slice`](Self::as_slice) and
/// [`as_mut_slice`](Self::as_mut_slice), which first wait for queued copies that they must not overtake.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let mut host = stream.alloc_pinned::<i32>(3)?;
/// host.as_mut_slice()?.copy_from_slice(&[7, 8, 9]);
/// let mut device = stream.alloc::<i32>(3)?;
/// stream.upload_pinned(&host, &mut device)?;   // returns at once
/// stream.download_pinned(&device, &mut host)?; // so does this
/// assert_eq!(host.as_slice()?, [7, 8, 9]);     // waits for both
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct PinnedBuffer<T: Element> {
    pub(crate) block: Arc<Block>,
    len: usize,
    element: PhantomData<T>,
}

slices! {
    /// A borrowed part of a [`PinnedBuffer`], to copy from.
    PinnedSlice,
    /// A mutably borrowed part of a [`PinnedBuffer`], to copy to.
    PinnedSliceMut,
    PinnedBuffer
}

impl Stream {
    /// Pinned host memory for `len` elements, all zero.
    ///
    /// It takes memory that was given back and that no stream works on any more, or new memory; only when several blocks of
    /// that size are still being worked on, it waits for the oldest.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory) if the host has no more pinned memory;
    /// [`Error::Shape`](crate::Error::Shape) if the size does not fit the address space.
    pub fn alloc_pinned<T: Element>(&self, len: usize) -> Result<PinnedBuffer<T>> {
        let size = bytes::<T>(len)?;
        let block = self.device().inner.pool(Place::Pinned).take(self.device(), &self.core, size)?;
        PinnedBuffer::zeroed(block, len)
    }
}

impl<T: Element> PinnedBuffer<T> {
    /// The buffer of a block of pinned memory that has room for `len` elements and that nobody else has.
    pub(crate) fn zeroed(block: Arc<Block>, len: usize) -> Result<Self> {
        let size = bytes::<T>(len)?;
        block.wait_on_host(Access::Write)?;
        // SAFETY: the block has at least `size` bytes of host memory, and nothing else touches them: it has just
        // been allocated or come from the pool, and the streams that worked on it were waited for. Written once, every byte is
        // initialised for good, as queued copies and host functions only ever write initialised bytes.
        unsafe { block.pointer.as_ptr().write_bytes(0, size) };
        Ok(Self { block, len, element: PhantomData })
    }

    /// Length in elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The contents, after waiting for queued work that writes them.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) if that work failed.
    pub fn as_slice(&self) -> Result<&[T]> {
        self.block.wait_on_host(Access::Read)?;
        // SAFETY: the block holds `len` initialised elements of a type for which any bit pattern is valid. It stands at
        // a multiple of 512 bytes from the start of an allocation that is aligned to 64 bytes, which is enough for
        // any element. Work that writes was waited for, and more cannot be queued
        // while `self` is borrowed.
        Ok(unsafe { std::slice::from_raw_parts(self.block.pointer.as_ptr().cast::<T>(), self.len) })
    }

    /// The contents, to write, after waiting for queued work that reads or writes them.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) if that work failed.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T]> {
        self.block.wait_on_host(Access::Write)?;
        // SAFETY: as in `as_slice`; no queued work touches the block, and none can be queued while `self` is
        // mutably borrowed.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.block.pointer.as_ptr().cast::<T>(), self.len) })
    }
}

impl<T: Element> fmt::Debug for PinnedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedBuffer<{:?}>({} at {:p})", T::DATA_TYPE, self.len, self.block.pointer)
    }
}
