//! Copies and fills on a stream.

use std::ffi::c_void;
use std::sync::Arc;

use crate::block::Block;
use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::dtype::Element;
use crate::error::{Result, ShapeError};
use crate::pinned::{PinnedSlice, PinnedSliceMut};
use crate::raw::memory::{CopyKind, Rectangle};
use crate::stream::{Capture, Stream, Submission};
use crate::usage::Access;

/// The geometry of a copy of rows, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pitch {
    /// Elements of a row that are copied.
    pub width: usize,
    /// Rows.
    pub rows: usize,
    /// From the start of a source row to the next one's.
    pub from: usize,
    /// From the start of a destination row to the next one's.
    pub to: usize,
}

impl Stream {
    /// Copies host values to the device, in the stream's order, and waits until that is done
    /// (`aclrtMemcpyAsync`, `aclrtSynchronizeStream`).
    ///
    /// The library itself waits if the values are in pageable memory; for work that goes on meanwhile use
    /// [`upload_pinned`](Self::upload_pinned).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the lengths differ, [`Error::Capturing`](crate::Error::Capturing) during
    /// a capture, [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn upload<'d, T: Element>(&self, from: &[T], to: impl Into<DeviceSliceMut<'d, T>>) -> Result<()> {
        let to = to.into();
        let submission = self.submit("Stream::upload", Capture::Refused)?;
        check_len("upload: length of the destination", from.len(), to.len())?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: both sides have `len` elements, and `from` stays borrowed until the stream is synchronised below.
        unsafe {
            submission.copy(to.address(), from.as_ptr().cast(), size_of_val(from), CopyKind::HostToDevice)
        }?;
        submission.synchronize()
    }

    /// Copies device values to the host and waits for them, and so for all work queued before.
    ///
    /// # Errors
    /// As [`upload`](Self::upload), and for earlier work that failed.
    pub fn download<'d, T: Element>(&self, from: impl Into<DeviceSlice<'d, T>>, to: &mut [T]) -> Result<()> {
        let from = from.into();
        let submission = self.submit("Stream::download", Capture::Refused)?;
        check_len("download: length of the destination", from.len(), to.len())?;
        submission.touch(from.block, Access::Read)?;
        // SAFETY: both sides have `len` elements; `to` stays mutably borrowed until the stream is synchronised below,
        // and any bit pattern is a valid element.
        unsafe {
            submission.copy(to.as_mut_ptr().cast(), from.address(), size_of_val(to), CopyKind::DeviceToHost)
        }?;
        submission.synchronize()
    }

    /// Copies device values into a new vector and waits for them.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub fn download_vec<'d, T: Element + Default>(
        &self,
        from: impl Into<DeviceSlice<'d, T>>,
    ) -> Result<Vec<T>> {
        let from = from.into();
        let mut values = vec![T::default(); from.len()];
        self.download(from, &mut values)?;
        Ok(values)
    }

    /// Queues a copy from pinned memory to the device (`aclrtMemcpyAsync`).
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn upload_pinned<'h, 'd, T: Element>(
        &self,
        from: impl Into<PinnedSlice<'h, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        let submission = self.submit("Stream::upload_pinned", Capture::Refused)?;
        check_len("upload_pinned: length of the destination", from.len(), to.len())?;
        submission.touch(from.block, Access::Read)?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: both sides have `len` elements. Both blocks know that this stream works on them: neither is freed
        // nor handed out before, and the host's accesses to `from` wait.
        unsafe {
            submission.copy(to.address(), from.address(), to.len() * size_of::<T>(), CopyKind::HostToDevice)
        }
    }

    /// Queues a copy from the device to pinned memory (`aclrtMemcpyAsync`).
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn download_pinned<'d, 'h, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'d, T>>,
        to: impl Into<PinnedSliceMut<'h, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        let submission = self.submit("Stream::download_pinned", Capture::Refused)?;
        check_len("download_pinned: length of the destination", from.len(), to.len())?;
        submission.touch(from.block, Access::Read)?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: as in `upload_pinned`, the other way round.
        unsafe {
            submission.copy(to.address(), from.address(), from.len() * size_of::<T>(), CopyKind::DeviceToHost)
        }
    }

    /// Queues a copy within the device (`aclrtMemcpyAsync`).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the lengths differ, [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn copy<'s, 'd, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'s, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        check_len("copy: length of the destination", from.len(), to.len())?;
        let submission = self.submit("Stream::copy", Capture::Allowed)?;
        submission.touch(from.block, Access::Read)?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: both sides have `len` elements, and do not overlap because one is mutably borrowed. Both blocks know
        // that this stream works on them, or a graph being captured owns them.
        unsafe {
            submission.copy(
                to.address(),
                from.address(),
                from.len() * size_of::<T>(),
                CopyKind::DeviceToDevice,
            )
        }
    }

    /// Queues a copy of rows from pinned memory to rows on the device (`aclrtMemcpy2dAsync`).
    ///
    /// Lengths, rows and pitches are in elements: row `r` goes from `from[r * pitch.from ..]` to
    /// `to[r * pitch.to ..]`, `pitch.width` elements each.
    ///
    /// ```
    /// use ascendcl::{Backend, Pitch, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let mut rows = stream.alloc_pinned::<u16>(6)?;
    /// rows.as_mut_slice()?.copy_from_slice(&[1, 2, 3, 4, 5, 6]);
    /// let mut device = stream.alloc_from(&[0u16; 8])?;
    /// stream.upload_rows(rows.slice(2..)?, &mut device, Pitch { width: 2, rows: 2, from: 2, to: 5 })?;
    /// assert_eq!(stream.download_vec(&device)?, [3, 4, 0, 0, 0, 5, 6, 0]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if a row is outside either side or the pitch is smaller than the width,
    /// [`Error::Capturing`](crate::Error::Capturing) during a capture, [`Error::Acl`](crate::Error::Acl) from the
    /// library, which has limits (5 MB of width, 5 Mi rows).
    pub fn upload_rows<'h, 'd, T: Element>(
        &self,
        from: impl Into<PinnedSlice<'h, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
        pitch: Pitch,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        let submission = self.submit("Stream::upload_rows", Capture::Refused)?;
        let (source, target) = ((from.block, from.address(), from.len()), (to.block, to.address(), to.len()));
        submission.copy_rows::<T>(source, target, pitch, CopyKind::HostToDevice)
    }

    /// Queues a copy of rows from the device to rows of pinned memory (`aclrtMemcpy2dAsync`).
    ///
    /// # Errors
    /// As [`upload_rows`](Self::upload_rows).
    pub fn download_rows<'d, 'h, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'d, T>>,
        to: impl Into<PinnedSliceMut<'h, T>>,
        pitch: Pitch,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        let submission = self.submit("Stream::download_rows", Capture::Refused)?;
        let (source, target) = ((from.block, from.address(), from.len()), (to.block, to.address(), to.len()));
        submission.copy_rows::<T>(source, target, pitch, CopyKind::DeviceToHost)
    }

    /// Queues a copy of rows within the device (`aclrtMemcpy2dAsync`).
    ///
    /// # Errors
    /// As [`upload_rows`](Self::upload_rows), but possible during a capture.
    pub fn copy_rows<'s, 'd, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'s, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
        pitch: Pitch,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        let submission = self.submit("Stream::copy_rows", Capture::Allowed)?;
        let (source, target) = ((from.block, from.address(), from.len()), (to.block, to.address(), to.len()));
        submission.copy_rows::<T>(source, target, pitch, CopyKind::DeviceToDevice)
    }

    /// Queues a fill of every byte (`aclrtMemsetAsync`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn fill_bytes<'d, T: Element>(&self, to: impl Into<DeviceSliceMut<'d, T>>, value: u8) -> Result<()> {
        let to = to.into();
        if to.is_empty() {
            return Ok(());
        }
        let submission = self.submit("Stream::fill_bytes", Capture::Allowed)?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: the destination has `len` elements, and its block knows that this stream works on it, or a graph being
        // captured owns it.
        unsafe {
            submission.acl.memset_async(to.address(), value, to.len() * size_of::<T>(), submission.handle)
        }
    }
}

/// A borrowed side of a copy: its block, where it starts, and its length in elements.
pub(crate) type Side<'b> = (&'b Arc<Block>, *mut c_void, usize);

impl Submission<'_> {
    /// Copies rows between two sides that are borrowed, to read and to write.
    fn copy_rows<T: Element>(
        &self,
        (from, source, source_len): Side<'_>,
        (to, target, target_len): Side<'_>,
        pitch: Pitch,
        kind: CopyKind,
    ) -> Result<()> {
        pitch.check("rows of the source", pitch.from, source_len)?;
        pitch.check("rows of the destination", pitch.to, target_len)?;
        if pitch.width == 0 || pitch.rows == 0 {
            return Ok(());
        }
        self.touch(from, Access::Read)?;
        self.touch(to, Access::Write)?;
        let rectangle = pitch.rectangle(size_of::<T>());
        // SAFETY: all rows are within both sides, which do not overlap because one is mutably borrowed. Both blocks know
        // that this stream works on them, or a graph being captured owns them.
        unsafe { self.acl.memcpy_2d_async(target, source, rectangle, kind, self.handle) }
    }

    /// # Safety
    /// As [`memcpy_async`](crate::raw::Acl::memcpy_async).
    unsafe fn copy(&self, to: *mut c_void, from: *const c_void, bytes: usize, kind: CopyKind) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise; the stream is alive.
        unsafe { self.acl.memcpy_async(to, from, bytes, kind, self.handle) }
    }
}

impl Pitch {
    /// In bytes, for rows that [`check`](Self::check) found within both sides. The pitch of a single row means nothing,
    /// and may be anything.
    pub(crate) fn rectangle(&self, size: usize) -> Rectangle {
        let pitch = |pitch| if self.rows == 1 { self.width * size } else { pitch * size };
        Rectangle {
            width: self.width * size,
            height: self.rows,
            dst_pitch: pitch(self.to),
            src_pitch: pitch(self.from),
        }
    }

    pub(crate) fn check(&self, what: &'static str, pitch: usize, len: usize) -> Result<()> {
        let end =
            (self.rows.saturating_sub(1)).checked_mul(pitch).and_then(|start| start.checked_add(self.width));
        let fits =
            self.width == 0 || self.rows == 0 || (pitch >= self.width && end.is_some_and(|end| end <= len));
        if fits {
            return Ok(());
        }
        let expected = format!("rows of a pitch of at least the width, within {len} elements");
        Err(ShapeError::new(what, expected, format!("pitch {pitch}, {self:?}")).into())
    }
}

/// Refuses sides of different lengths, in elements.
pub(crate) fn check_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(ShapeError::new(what, format!("{expected} elements"), format!("{got} elements")).into())
}
