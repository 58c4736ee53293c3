//! Explicit contexts.

use std::fmt;

use crate::device::{Device, End};
use crate::error::Result;
use crate::runtime::Runtime;

/// A context of a device besides its primary one (`aclrtCreateContext`).
///
/// Streams, events and memory belong to the context in which they were made, and those of different contexts are not mixed:
/// to this crate, the device as it is seen in another context is another [`Device`], with pools and locks of its
/// own. So a context is for parts of a program that share nothing, such as a library within it. Work of several
/// contexts runs side by side on the same cores and in the same memory.
///
/// The context ends (`aclrtDestroyContext`) when it and all that was made in it are gone, and keeps the device open until
/// then. A thread's current context (`aclrtSetCurrentContext`) is bound by each call that needs one.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let context = device.create_context()?;
/// let (inside, outside) = (context.device().stream()?, device.stream()?);
/// let buffer = inside.alloc_from(&[1u8, 2, 3])?;
/// assert_eq!(inside.download_vec(&buffer)?, [1, 2, 3]);
/// assert!(outside.download_vec(&buffer).is_err()); // of another context
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct Context {
    device: Device,
}

impl Device {
    /// Makes a context (`aclrtCreateContext`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library: a context needs one of the device's streams, or two.
    pub fn create_context(&self) -> Result<Context> {
        let handle = self.bind()?.create_context(self.id())?;
        let end = End::Destroy(self.clone());
        Ok(Context { device: Self::in_context(self.runtime().clone(), self.id(), handle, end) })
    }
}

impl Context {
    /// The device in this context: what is made by it, belongs to the context.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether this is the calling thread's current context (`aclrtGetCurrentContext`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library, also if the thread has no context yet.
    pub fn is_current(&self) -> Result<bool> {
        Ok(self.device.runtime().acl().current_context()? == self.device.inner.context)
    }
}

impl Runtime {
    /// The number of the device of the calling thread's current context (`aclrtGetDevice`); `None` if the thread
    /// has no context yet.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// assert_eq!(runtime.current_device()?, None);
    /// let _device = runtime.device(0)?;
    /// assert_eq!(runtime.current_device()?, Some(0));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn current_device(&self) -> Result<Option<i32>> {
        self.acl().current_device()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?} of {:?})", self.device.inner.context, self.device)
    }
}
