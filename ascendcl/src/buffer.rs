//! Device memory.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::block::Block;
use crate::device::Device;
use crate::dtype::Element;
use crate::error::{Result, ShapeError};
use crate::pool::Place;
use crate::slice::slices;
use crate::stream::Stream;
use crate::usage::Access;

/// Device memory for `len` elements of type `T`.
///
/// It comes from the device's pool and goes back when it is dropped, also while streams still work on it: see the
/// [crate documentation](crate#ownership). Its contents are whatever was there before, until something is written.
pub struct DeviceBuffer<T: Element> {
    pub(crate) block: Arc<Block>,
    len: usize,
    element: PhantomData<T>,
}

slices! {
    /// A borrowed part of a [`DeviceBuffer`].
    DeviceSlice,
    /// A mutably borrowed part of a [`DeviceBuffer`].
    DeviceSliceMut,
    DeviceBuffer
}

impl Stream {
    /// Device memory for `len` elements, its contents unspecified. No element is no error: the buffer is empty.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let mut buffer = stream.alloc::<f32>(1 << 20)?;
    /// stream.fill_bytes(&mut buffer, 0)?;
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory) if the device has no more memory even after the
    /// pool's cache was freed; [`Error::Shape`](crate::Error::Shape) if the size does not fit the address space.
    pub fn alloc<T: Element>(&self, len: usize) -> Result<DeviceBuffer<T>> {
        let block =
            self.device().inner.pool(Place::Device).take(self.device(), &self.core, bytes::<T>(len)?)?;
        Ok(DeviceBuffer::of_block(block, len))
    }

    /// Device memory that holds a copy of `values`.
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc) and [`upload`](Self::upload).
    pub fn alloc_from<T: Element>(&self, values: &[T]) -> Result<DeviceBuffer<T>> {
        let mut buffer = self.alloc(values.len())?;
        self.upload(values, &mut buffer)?;
        Ok(buffer)
    }
}

/// The size of `len` elements.
pub(crate) fn bytes<T: Element>(len: usize) -> Result<usize> {
    len.checked_mul(size_of::<T>())
        .ok_or_else(|| ShapeError::new("buffer length", "a size that fits the address space", len).into())
}

impl<T: Element> DeviceBuffer<T> {
    /// The buffer of a block of device memory that has room for `len` elements.
    pub(crate) fn of_block(block: Arc<Block>, len: usize) -> Self {
        Self { block, len, element: PhantomData }
    }

    /// Length in elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device whose memory it is.
    pub fn device(&self) -> &Device {
        self.block.device()
    }

    /// Waits until all queued work that touches the buffer is done, of whatever stream.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let mut buffer = stream.alloc::<u8>(1 << 20)?;
    /// stream.fill_bytes(&mut buffer, 7)?;
    /// buffer.synchronize()?;
    /// assert!(stream.is_idle()?);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) for work that failed,
    /// [`Error::InHostFunction`](crate::Error::InHostFunction) in a host function.
    pub fn synchronize(&self) -> Result<()> {
        self.block.wait_on_host(Access::Write)
    }

    /// The address on the device, for C interfaces.
    ///
    /// Nothing keeps work that is queued with it in order with other streams, or the memory alive: whoever passes it on
    /// sees to both.
    pub fn as_device_ptr(&self) -> *mut c_void {
        self.block.pointer.as_ptr()
    }
}

impl<T: Element> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DeviceBuffer<{:?}>({} at {:p} on {:?})",
            T::DATA_TYPE,
            self.len,
            self.as_device_ptr(),
            self.device()
        )
    }
}
