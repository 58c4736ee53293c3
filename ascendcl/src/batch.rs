//! Many copies in one call.

use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::copy::Side;
use crate::dtype::Element;
use crate::error::{Result, ShapeError};
use crate::pinned::{PinnedSlice, PinnedSliceMut};
use crate::raw::batch::{Copy, Direction};
use crate::stream::{Capture, Stream};
use crate::usage::Access;

impl Stream {
    /// Queues copies from pinned memory to the device in one call (`aclrtMemcpyBatchAsync`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let mut host = stream.alloc_pinned::<u8>(5)?;
    /// host.as_mut_slice()?.copy_from_slice(&[1, 2, 3, 4, 5]);
    /// let (mut a, mut b) = (stream.alloc::<u8>(2)?, stream.alloc::<u8>(3)?);
    /// stream.upload_batch([(host.slice(..2)?, a.slice_mut(..)?), (host.slice(2..)?, b.slice_mut(..)?)])?;
    /// assert_eq!(stream.download_vec(&a)?, [1, 2]);
    /// assert_eq!(stream.download_vec(&b)?, [3, 4, 5]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the lengths of a pair differ; then nothing is copied.
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1,
    /// [`Error::Capturing`](crate::Error::Capturing) during a capture, [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn upload_batch<'h, 'd, T: Element>(
        &self,
        copies: impl IntoIterator<Item = (PinnedSlice<'h, T>, DeviceSliceMut<'d, T>)>,
    ) -> Result<()> {
        let sides = |(from, to): (PinnedSlice<'h, T>, DeviceSliceMut<'d, T>)| {
            ((from.block, from.address(), from.len()), (to.block, to.address(), to.len()))
        };
        // The slices stay borrowed by their lifetimes.
        let copies: Vec<_> = copies.into_iter().map(sides).collect();
        self.copy_batch::<T>("Stream::upload_batch", &copies, Direction::Upload)
    }

    /// Queues copies from the device to pinned memory in one call (`aclrtMemcpyBatchAsync`, since 9.1).
    ///
    /// # Errors
    /// As [`upload_batch`](Self::upload_batch).
    pub fn download_batch<'d, 'h, T: Element>(
        &self,
        copies: impl IntoIterator<Item = (DeviceSlice<'d, T>, PinnedSliceMut<'h, T>)>,
    ) -> Result<()> {
        let sides = |(from, to): (DeviceSlice<'d, T>, PinnedSliceMut<'h, T>)| {
            ((from.block, from.address(), from.len()), (to.block, to.address(), to.len()))
        };
        let copies: Vec<_> = copies.into_iter().map(sides).collect();
        self.copy_batch::<T>("Stream::download_batch", &copies, Direction::Download)
    }

    /// Copies between pairs of sides that are borrowed, to read and to write.
    fn copy_batch<T: Element>(
        &self,
        call: &'static str,
        pairs: &[(Side<'_>, Side<'_>)],
        direction: Direction,
    ) -> Result<()> {
        let submission = self.submit(call, Capture::Refused)?;
        for (index, ((_, _, from), (_, _, to))) in pairs.iter().enumerate() {
            if from != to {
                let expected = format!("{from} elements in copy {index}");
                return Err(ShapeError::new(call, expected, format!("{to} elements")).into());
            }
        }
        let mut copies = Vec::with_capacity(pairs.len());
        for &((source, from, len), (target, to, _)) in pairs {
            submission.touch(source, Access::Read)?;
            submission.touch(target, Access::Write)?;
            // The library refuses copies of nothing.
            if len > 0 {
                copies.push(Copy { to, from, bytes: len * size_of::<T>() });
            }
        }
        if copies.is_empty() {
            return Ok(());
        }
        let device = self.device().number()?;
        // SAFETY: the sides of each copy have the same number of elements, and no two destinations overlap because each was
        // mutably borrowed. All blocks know that this stream works on them: none is freed nor handed out before, and the
        // host's accesses wait.
        unsafe { submission.acl.memcpy_batch_async(&copies, direction, device, submission.handle) }
    }
}
