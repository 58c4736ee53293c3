//! Device memory.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::block::Block;
use crate::device::Device;
use crate::dtype::Element;
use crate::error::{Error, Result, ShapeError};
use crate::pool::Place;
use crate::stream::Stream;

/// Device memory for `len` elements of type `T`.
///
/// It comes from the device's pool and goes back when it is dropped, also while streams still work on it: see the
/// [crate documentation](crate#ownership). Its contents are whatever was there before, until something is written.
pub struct DeviceBuffer<T: Element> {
    pub(crate) block: Arc<Block>,
    len: usize,
    element: PhantomData<T>,
}

/// A borrowed part of a [`DeviceBuffer`].
pub struct DeviceSlice<'a, T: Element> {
    pub(crate) block: &'a Arc<Block>,
    offset: usize,
    len: usize,
    element: PhantomData<&'a T>,
}

/// A mutably borrowed part of a [`DeviceBuffer`].
pub struct DeviceSliceMut<'a, T: Element> {
    pub(crate) block: &'a Arc<Block>,
    offset: usize,
    len: usize,
    element: PhantomData<&'a mut T>,
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
    /// pool's cache was freed; [`Error::Shape`] if the size does not fit the address space.
    pub fn alloc<T: Element>(&self, len: usize) -> Result<DeviceBuffer<T>> {
        let block =
            self.device().inner.pool(Place::Device).take(self.device(), &self.core, bytes::<T>(len)?)?;
        Ok(DeviceBuffer { block, len, element: PhantomData })
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

    /// A part of the buffer.
    ///
    /// # Errors
    /// [`Error::Shape`] if the range is not within the buffer.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<DeviceSlice<'_, T>> {
        let (offset, len) = resolve(range, self.len)?;
        Ok(DeviceSlice { block: &self.block, offset, len, element: PhantomData })
    }

    /// A part of the buffer, to write.
    ///
    /// # Errors
    /// [`Error::Shape`] if the range is not within the buffer.
    pub fn slice_mut(&mut self, range: impl RangeBounds<usize>) -> Result<DeviceSliceMut<'_, T>> {
        let (offset, len) = resolve(range, self.len)?;
        Ok(DeviceSliceMut { block: &self.block, offset, len, element: PhantomData })
    }

    /// The address on the device, for C interfaces.
    ///
    /// Nothing keeps work that is queued with it in order with other streams, or the memory alive: whoever passes it on
    /// sees to both.
    pub fn as_device_ptr(&self) -> *mut c_void {
        self.block.pointer.as_ptr()
    }
}

pub(crate) fn resolve(range: impl RangeBounds<usize>, len: usize) -> Result<(usize, usize)> {
    let start = match range.start_bound() {
        Bound::Included(&start) => Some(start),
        Bound::Excluded(&before) => before.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1),
        Bound::Excluded(&end) => Some(end),
        Bound::Unbounded => Some(len),
    };
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= len => Ok((start, end - start)),
        _ => {
            let got = format!("{:?} to {:?}", range.start_bound(), range.end_bound());
            Err(Error::from(ShapeError::new("range", format!("within 0..{len}"), got)))
        }
    }
}

impl<T: Element> DeviceSlice<'_, T> {
    /// Length in elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn address(&self) -> *mut c_void {
        self.block.pointer.as_ptr().wrapping_byte_add(self.offset * size_of::<T>())
    }
}

impl<T: Element> DeviceSliceMut<'_, T> {
    /// Length in elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn address(&self) -> *mut c_void {
        self.block.pointer.as_ptr().wrapping_byte_add(self.offset * size_of::<T>())
    }
}

impl<'a, T: Element> From<&'a DeviceBuffer<T>> for DeviceSlice<'a, T> {
    fn from(buffer: &'a DeviceBuffer<T>) -> Self {
        Self { block: &buffer.block, offset: 0, len: buffer.len, element: PhantomData }
    }
}

impl<'a, T: Element> From<&'a mut DeviceBuffer<T>> for DeviceSliceMut<'a, T> {
    fn from(buffer: &'a mut DeviceBuffer<T>) -> Self {
        Self { block: &buffer.block, offset: 0, len: buffer.len, element: PhantomData }
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

impl<T: Element> fmt::Debug for DeviceSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSlice<{:?}>({} at {:p})", T::DATA_TYPE, self.len, self.address())
    }
}

impl<T: Element> fmt::Debug for DeviceSliceMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSliceMut<{:?}>({} at {:p})", T::DATA_TYPE, self.len, self.address())
    }
}
