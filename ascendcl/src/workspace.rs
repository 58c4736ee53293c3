//! Scratch memory that grows with its users.

use crate::buffer::{DeviceBuffer, DeviceSliceMut};
use crate::error::Result;
use crate::stream::Stream;

/// Device scratch memory that is kept between calls and grows when one needs more.
///
/// ```
/// use ascendcl::{Backend, Runtime, Workspace};
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let mut workspace = Workspace::default();
/// assert_eq!(workspace.reserve(&stream, 1000)?.len(), 1000);
/// assert!(workspace.capacity() >= 1000);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Workspace {
    buffer: Option<DeviceBuffer<u8>>,
}

impl Workspace {
    /// Bytes that are there without growing.
    pub fn capacity(&self) -> usize {
        self.buffer.as_ref().map_or(0, DeviceBuffer::len)
    }

    /// `bytes` bytes of scratch memory, contents unspecified. The old memory goes back to the pool, which lets
    /// work that still uses it finish.
    ///
    /// # Errors
    /// As [`Stream::alloc`].
    pub fn reserve(&mut self, stream: &Stream, bytes: usize) -> Result<DeviceSliceMut<'_, u8>> {
        let buffer = match self.buffer.take() {
            Some(buffer)
                if buffer.len() >= bytes
                    && stream.device().check_same("workspace", buffer.device()).is_ok() =>
            {
                buffer
            }
            _ => stream.alloc(bytes)?,
        };
        self.buffer.insert(buffer).slice_mut(..bytes)
    }
}
