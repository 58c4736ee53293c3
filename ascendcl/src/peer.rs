//! Copies from the memory of another device.

use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::copy::check_len;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::raw::memory::CopyKind;
use crate::stream::{Capture, Stream};
use crate::usage::Access;

impl Stream {
    /// Copies from another device's memory to this one's, in the stream's order, and waits until that is done
    /// (`aclrtMemcpyAsync`, `aclrtSynchronizeStream`).
    ///
    /// This device needs [access](crate::Device::enable_peer_access) to the other one. The host waits for what the
    /// other device has yet to write to the source; meanwhile no graph is launched there, so a host function on either
    /// device's stream must not wait for a launch.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// if runtime.device_count()? > 1 {
    ///     let (here, there) = (runtime.device(0)?.stream()?, runtime.device(1)?.stream()?);
    ///     here.device().enable_peer_access(there.device())?;
    ///     let from = there.alloc_from(&[1u16, 2, 3])?;
    ///     let mut to = here.alloc::<u16>(3)?;
    ///     here.copy_from_peer(&from, &mut to)?;
    ///     assert_eq!(here.download_vec(&to)?, [1, 2, 3]);
    /// }
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths differ; [`Error::Mismatch`] if the source is of another runtime or of a device
    /// that this one cannot access, or the destination of another device; [`Error::Capturing`] during a capture;
    /// [`Error::Acl`] from the library, also without access, for a source on the same device, and for earlier work that
    /// failed.
    pub fn copy_from_peer<'s, 'd, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'s, T>>,
        to: impl Into<DeviceSliceMut<'d, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        check_len("copy_from_peer: length of the destination", from.len(), to.len())?;
        let peer = from.block.device();
        if !self.device().can_access_peer(peer)? {
            return Err(Error::Mismatch {
                what: "copy_from_peer: the source",
                expected: format!("a device that {:?} can access", self.device()),
                got: format!("{peer:?}"),
            });
        }
        // Events do not reach across devices, so the source's order is kept by the host: its writers are done
        // before the copy is queued, and the copy is done before the source's borrow ends. Graphs need no borrow
        // and are kept out by the lock.
        let _no_launches = peer.inner.order.read_recursive();
        from.block.wait_on_host(Access::Read)?;
        let submission = self.submit("Stream::copy_from_peer", Capture::Refused)?;
        submission.touch(to.block, Access::Write)?;
        if from.is_empty() {
            return Ok(());
        }
        let bytes = from.len() * size_of::<T>();
        // SAFETY: both sides have `len` elements. The destination's block knows that this stream works on it; the source
        // stays borrowed, and is not written, until the stream is synchronised below.
        unsafe {
            submission.acl.memcpy_async(
                to.address(),
                from.address(),
                bytes,
                CopyKind::DeviceToDevice,
                submission.handle,
            )
        }?;
        submission.synchronize()
    }
}
