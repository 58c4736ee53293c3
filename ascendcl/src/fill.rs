//! Fills with words.

use crate::buffer::DeviceSliceMut;
use crate::error::Result;
use crate::stream::{Capture, Stream};
use crate::usage::Access;

impl Stream {
    /// Queues a fill of every element with `value` (`aclrtMemsetD32Async`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let mut buffer = stream.alloc_from(&[0u32; 3])?;
    /// stream.fill_words(buffer.slice_mut(1..)?, 0x0102_0304)?;
    /// assert_eq!(stream.download_vec(&buffer)?, [0, 0x0102_0304, 0x0102_0304]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1, [`Error::Acl`](crate::Error::Acl) from the
    /// library.
    pub fn fill_words<'d>(&self, to: impl Into<DeviceSliceMut<'d, u32>>, value: u32) -> Result<()> {
        let to = to.into();
        if to.is_empty() {
            return Ok(());
        }
        let submission = self.submit("Stream::fill_words", Capture::Allowed)?;
        submission.touch(to.block, Access::Write)?;
        // SAFETY: the destination has `len` words, and its block knows that this stream works on it, or a graph being
        // captured owns it.
        unsafe { submission.acl.memset_words_async(to.address(), value, to.len(), submission.handle) }
    }
}
