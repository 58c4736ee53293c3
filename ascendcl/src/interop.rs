//! The way to what this crate does not wrap: the C functions themselves, and work of others on our streams and memory.

use std::sync::Arc;

use ascendcl_sys as sys;

use crate::block::Block;
use crate::buffer::{DeviceBuffer, DeviceSlice, DeviceSliceMut};
use crate::device::Device;
use crate::dtype::Element;
use crate::error::Result;
use crate::event::Event;
use crate::runtime::Runtime;
use crate::stream::{Capture, Stream};
use crate::usage::Access;

/// Device memory that work touches, and how.
pub struct Touch<'a> {
    block: &'a Arc<Block>,
    access: Access,
}

impl<T: Element> DeviceBuffer<T> {
    /// That work reads the buffer, for [`Stream::enqueue`].
    pub fn read(&self) -> Touch<'_> {
        Touch { block: &self.block, access: Access::Read }
    }

    /// That work writes the buffer, for [`Stream::enqueue`].
    pub fn write(&mut self) -> Touch<'_> {
        Touch { block: &self.block, access: Access::Write }
    }
}

impl<'a, T: Element> DeviceSlice<'a, T> {
    /// That work reads the slice, for [`Stream::enqueue`].
    pub fn read(self) -> Touch<'a> {
        Touch { block: self.block, access: Access::Read }
    }

    /// The address on the device, for C interfaces; what [`DeviceBuffer::as_device_ptr`] says holds here, too.
    pub fn as_device_ptr(&self) -> *const std::ffi::c_void {
        self.address()
    }
}

impl<'a, T: Element> DeviceSliceMut<'a, T> {
    /// That work writes the slice, for [`Stream::enqueue`].
    pub fn write(self) -> Touch<'a> {
        Touch { block: self.block, access: Access::Write }
    }

    /// The address on the device, for C interfaces; what [`DeviceBuffer::as_device_ptr`] says holds here, too.
    pub fn as_device_ptr(&self) -> *mut std::ffi::c_void {
        self.address()
    }
}

impl Runtime {
    /// Every C function of the library by its name, for what this crate does not wrap. Codes become errors by
    /// [`check`](Self::check).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let mut count = 0;
    /// // SAFETY: a valid out-pointer.
    /// let result = unsafe { runtime.functions().aclrtGetDeviceCount(&mut count) };
    /// runtime.check("aclrtGetDeviceCount", result)?;
    /// assert_eq!(count, runtime.device_count()?);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    pub fn functions(&self) -> &sys::Library {
        &self.acl().functions
    }

    /// Turns what a C function answered into a result, with the library's own message.
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) if there is no such function,
    /// [`Error::Acl`](crate::Error::Acl) for a code other than success.
    pub fn check(
        &self,
        call: &'static str,
        result: std::result::Result<sys::aclError, sys::MissingSymbol>,
    ) -> Result<()> {
        self.acl().check(call, result)
    }
}

impl Device {
    /// Makes the device's context the calling thread's current one (`aclrtSetCurrentContext`), for calls by
    /// [`Runtime::functions`].
    ///
    /// # Errors
    /// [`Error::InHostFunction`](crate::Error::InHostFunction) in a host function, [`Error::Acl`](crate::Error::Acl)
    /// from the library.
    pub fn make_current(&self) -> Result<()> {
        self.bind().map(drop)
    }
}

impl Event {
    /// The C handle, which is alive as long as the event.
    pub fn as_raw(&self) -> sys::aclrtEvent {
        self.handle()
    }
}

impl Stream {
    /// Lets `queue` queue work of its own on the stream, in order with all other work on the memory that it touches.
    ///
    /// The device's context is current for `queue`. It gets the C handle, which is alive until the stream is dropped. During a
    /// capture the graph takes the memory.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let stream = runtime.device(0)?.stream()?;
    /// let mut buffer = stream.alloc::<u8>(16)?;
    /// let address = buffer.as_device_ptr();
    /// // SAFETY: the work writes the 16 bytes of the buffer and nothing else.
    /// unsafe {
    ///     stream.enqueue(&[buffer.write()], |stream| {
    ///         let result = runtime.functions().aclrtMemsetAsync(address, 16, 7, 16, stream);
    ///         runtime.check("aclrtMemsetAsync", result)
    ///     })
    /// }?;
    /// assert_eq!(stream.download_vec(&buffer)?, [7; 16]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// What `queue` answers; [`Error::Mismatch`](crate::Error::Mismatch) for memory of another device,
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    ///
    /// # Safety
    /// The queued work touches device memory of this crate only as `memory` says, and host memory only while nothing else
    /// may; on another stream nothing is queued. `queue` does not wait for the device, begin or end a capture, or destroy the
    /// stream.
    pub unsafe fn enqueue<R>(
        &self,
        memory: &[Touch<'_>],
        queue: impl FnOnce(sys::aclrtStream) -> Result<R>,
    ) -> Result<R> {
        let submission = self.submit("Stream::enqueue", Capture::Allowed)?;
        for touch in memory {
            submission.touch(touch.block, touch.access)?;
        }
        queue(submission.handle)
    }
}

impl std::fmt::Debug for Touch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Touch({:?} of {} bytes at {:p})", self.access, self.block.size, self.block.pointer)
    }
}
