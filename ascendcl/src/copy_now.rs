//! Copies and fills by the host, without a stream.

use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use crate::block::Block;
use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::copy::{Pitch, check_len};
use crate::device::Device;
use crate::dtype::Element;
use crate::error::{Result, ShapeError};
use crate::raw::Acl;
use crate::raw::batch::{Copy, Direction};
use crate::raw::memory::CopyKind;
use crate::usage::Access;

/// The host's turn on a device's memory: nobody launches a graph, which could touch any of it, meanwhile.
struct Turn<'d> {
    device: &'d Device,
    acl: &'d Acl,
    _no_launches: RwLockReadGuard<'d, ()>,
}

impl Turn<'_> {
    /// Waits for the streams that the host's access to a borrowed block must follow; no others can come.
    fn touch(&self, block: &Arc<Block>, access: Access) -> Result<()> {
        self.device.check_same("memory", block.device())?;
        block.wait_on_host(access)
    }
}

/// Copies and fills that the host does at once.
///
/// The library's synchronous copies wait for no stream (AscendCL docs: memory copy), so these wait themselves for the
/// streams that work on the buffers, and for no other work. They take any host memory. No graph is launched on the
/// device meanwhile, so a host function on one of those streams must not wait for a launch.
///
/// While a stream of the device is being captured the library calls them unsafe, and they are refused with
/// [`Error::Capturing`](crate::Error::Capturing).
impl Device {
    /// Copies host values to the device at once (`aclrtMemcpy`).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let mut buffer = device.stream()?.alloc::<u32>(4)?;
    /// device.fill_words(&mut buffer, 9)?;
    /// device.upload(&[1, 2], buffer.slice_mut(1..3)?)?;
    /// let mut values = [0; 4];
    /// device.download(&buffer, &mut values)?;
    /// assert_eq!(values, [9, 1, 2, 9]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the lengths differ, [`Error::Mismatch`](crate::Error::Mismatch) for memory
    /// of another device, [`Error::Capturing`](crate::Error::Capturing) during a capture,
    /// [`Error::Acl`](crate::Error::Acl) from the library, also for earlier work that failed.
    pub fn upload<'d, T: Element>(&self, from: &[T], to: impl Into<DeviceSliceMut<'d, T>>) -> Result<()> {
        let to = to.into();
        check_len("upload: length of the destination", from.len(), to.len())?;
        let turn = self.host_turn("Device::upload")?;
        turn.touch(to.block, Access::Write)?;
        if from.is_empty() {
            return Ok(());
        }
        let (source, size) = (from.as_ptr().cast(), size_of_val(from));
        // SAFETY: both sides have `size` bytes, are borrowed, and no stream works on the destination.
        unsafe { turn.acl.memcpy(to.address(), source, size, CopyKind::HostToDevice) }
    }

    /// Copies device values to the host at once (`aclrtMemcpy`).
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn download<'d, T: Element>(&self, from: impl Into<DeviceSlice<'d, T>>, to: &mut [T]) -> Result<()> {
        let from = from.into();
        check_len("download: length of the destination", from.len(), to.len())?;
        let turn = self.host_turn("Device::download")?;
        turn.touch(from.block, Access::Read)?;
        if to.is_empty() {
            return Ok(());
        }
        let (target, size) = (to.as_mut_ptr().cast(), size_of_val(to));
        // SAFETY: both sides have `size` bytes, are borrowed, and no stream writes the source; any bit pattern is a valid
        // element.
        unsafe { turn.acl.memcpy(target, from.address(), size, CopyKind::DeviceToHost) }
    }

    /// Copies within the device at once (`aclrtMemcpy`).
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn copy<'s, 'd, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'s, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        check_len("copy: length of the destination", from.len(), to.len())?;
        let turn = self.host_turn("Device::copy")?;
        turn.touch(from.block, Access::Read)?;
        turn.touch(to.block, Access::Write)?;
        if from.is_empty() {
            return Ok(());
        }
        let size = from.len() * size_of::<T>();
        // SAFETY: both sides have `size` bytes, and do not overlap because one is mutably borrowed. No stream writes the
        // source or works on the destination.
        unsafe { turn.acl.memcpy(to.address(), from.address(), size, CopyKind::DeviceToDevice) }
    }

    /// Copies rows of host values to rows on the device at once (`aclrtMemcpy2d`); lengths and pitches are in elements.
    ///
    /// # Errors
    /// As [`upload`](Self::upload), and [`Error::Shape`](crate::Error::Shape) as
    /// [`Stream::upload_rows`](crate::Stream::upload_rows).
    pub fn upload_rows<'d, T: Element>(
        &self,
        from: &[T],
        to: impl Into<DeviceSliceMut<'d, T>>,
        pitch: Pitch,
    ) -> Result<()> {
        let to = to.into();
        pitch.check("rows of the source", pitch.from, from.len())?;
        pitch.check("rows of the destination", pitch.to, to.len())?;
        let turn = self.host_turn("Device::upload_rows")?;
        turn.touch(to.block, Access::Write)?;
        if pitch.width == 0 || pitch.rows == 0 {
            return Ok(());
        }
        let rectangle = pitch.rectangle(size_of::<T>());
        // SAFETY: all rows are within both sides, which are borrowed, and no stream works on the destination.
        unsafe { turn.acl.memcpy_2d(to.address(), from.as_ptr().cast(), rectangle, CopyKind::HostToDevice) }
    }

    /// Copies rows on the device to rows of host values at once (`aclrtMemcpy2d`); lengths and pitches are in elements.
    ///
    /// # Errors
    /// As [`upload_rows`](Self::upload_rows).
    pub fn download_rows<'d, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'d, T>>,
        to: &mut [T],
        pitch: Pitch,
    ) -> Result<()> {
        let from = from.into();
        pitch.check("rows of the source", pitch.from, from.len())?;
        pitch.check("rows of the destination", pitch.to, to.len())?;
        let turn = self.host_turn("Device::download_rows")?;
        turn.touch(from.block, Access::Read)?;
        if pitch.width == 0 || pitch.rows == 0 {
            return Ok(());
        }
        let rectangle = pitch.rectangle(size_of::<T>());
        // SAFETY: all rows are within both sides, which are borrowed, and no stream writes the source.
        unsafe {
            turn.acl.memcpy_2d(to.as_mut_ptr().cast(), from.address(), rectangle, CopyKind::DeviceToHost)
        }
    }

    /// Fills every byte at once (`aclrtMemset`).
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn fill_bytes<'d, T: Element>(&self, to: impl Into<DeviceSliceMut<'d, T>>, value: u8) -> Result<()> {
        let to = to.into();
        let turn = self.host_turn("Device::fill_bytes")?;
        turn.touch(to.block, Access::Write)?;
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: the destination has `len` elements, is mutably borrowed, and no stream works on it.
        unsafe { turn.acl.memset(to.address(), value, to.len() * size_of::<T>()) }
    }

    /// Fills every element with `value` at once (`aclrtMemsetD32`, since 9.1).
    ///
    /// # Errors
    /// As [`upload`](Self::upload), and [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1.
    pub fn fill_words<'d>(&self, to: impl Into<DeviceSliceMut<'d, u32>>, value: u32) -> Result<()> {
        let to = to.into();
        let turn = self.host_turn("Device::fill_words")?;
        turn.touch(to.block, Access::Write)?;
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: the destination has `len` words, is mutably borrowed, and no stream works on it.
        unsafe { turn.acl.memset_words(to.address(), value, to.len()) }
    }

    /// Copies many pieces of host values to the device in one call, at once (`aclrtMemcpyBatch`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let stream = device.stream()?;
    /// let (mut a, mut b) = (stream.alloc::<u8>(2)?, stream.alloc::<u8>(1)?);
    /// device.upload_batch([(&[1, 2][..], (&mut a).into()), (&[3], (&mut b).into())])?;
    /// assert_eq!(stream.download_vec(&a)?, [1, 2]);
    /// assert_eq!(stream.download_vec(&b)?, [3]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`upload`](Self::upload); if the lengths of a pair differ, nothing is copied.
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1.
    pub fn upload_batch<'h, 'd, T: Element>(
        &self,
        copies: impl IntoIterator<Item = (&'h [T], DeviceSliceMut<'d, T>)>,
    ) -> Result<()> {
        let call = "Device::upload_batch";
        let mut pairs = Vec::new();
        for (from, to) in copies {
            check_pair(call, pairs.len(), from.len(), to.len())?;
            let source = from.as_ptr().cast_mut().cast();
            pairs.push((to.block, Copy { to: to.address(), from: source, bytes: size_of_val(from) }));
        }
        self.copy_batch(call, &pairs, Access::Write, Direction::Upload)
    }

    /// Copies many pieces of device memory to the host in one call, at once (`aclrtMemcpyBatch`, since 9.1).
    ///
    /// # Errors
    /// As [`upload_batch`](Self::upload_batch).
    pub fn download_batch<'d, 'h, T: Element>(
        &self,
        copies: impl IntoIterator<Item = (DeviceSlice<'d, T>, &'h mut [T])>,
    ) -> Result<()> {
        let call = "Device::download_batch";
        let mut pairs = Vec::new();
        for (from, to) in copies {
            check_pair(call, pairs.len(), from.len(), to.len())?;
            let target = to.as_mut_ptr().cast();
            pairs.push((from.block, Copy { to: target, from: from.address(), bytes: size_of_val(to) }));
        }
        self.copy_batch(call, &pairs, Access::Read, Direction::Download)
    }

    /// Copies between host memory and borrowed blocks; the caller's slices stay borrowed by their lifetimes.
    fn copy_batch(
        &self,
        call: &'static str,
        pairs: &[(&Arc<Block>, Copy)],
        access: Access,
        direction: Direction,
    ) -> Result<()> {
        let turn = self.host_turn(call)?;
        for (block, _) in pairs {
            turn.touch(block, access)?;
        }
        // The library refuses copies of nothing.
        let copies: Vec<_> = pairs.iter().map(|(_, copy)| *copy).filter(|copy| copy.bytes > 0).collect();
        if copies.is_empty() {
            return Ok(());
        }
        let device = self.number()?;
        // SAFETY: the sides of each copy have the same size, and no two destinations overlap because each was mutably
        // borrowed. The blocks' streams were waited for.
        unsafe { turn.acl.memcpy_batch(&copies, direction, device) }
    }

    fn host_turn(&self, call: &'static str) -> Result<Turn<'_>> {
        let acl = self.bind()?;
        self.check_no_capture(call)?;
        // `read_recursive`, as for work on streams.
        Ok(Turn { device: self, acl, _no_launches: self.inner.order.read_recursive() })
    }
}

fn check_pair(call: &'static str, index: usize, from: usize, to: usize) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let expected = format!("{from} elements in copy {index}");
    Err(ShapeError::new(call, expected, format!("{to} elements")).into())
}
