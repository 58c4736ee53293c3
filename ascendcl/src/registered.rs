//! Ordinary host memory that is page-locked for a while.
//!
//! Copies from and to page-locked memory are asynchronous for the library, but [`Stream::upload`](crate::Stream::upload)
//! and [`Stream::download`](crate::Stream::download) wait for every plain slice, whatever memory it is in. The
//! memory is owned, not borrowed: a registration that is forgotten leaks it, and nothing else can free it.

use std::ffi::c_void;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use crate::backend::BackendKind;
use crate::device::Device;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::page_box::PageBox;

/// Ordinary host memory that is page-locked and mapped for a device (`aclrtHostRegisterV2`, or `aclrtHostRegister`
/// before CANN 9.1).
///
/// Its contents are a slice, which [`Stream::upload`](crate::Stream::upload) reads and
/// [`Stream::download`](crate::Stream::download) writes without staging by the library. For copies that run while the
/// host goes on, use [`PinnedBuffer`](crate::PinnedBuffer).
///
/// ```
/// use ascendcl::{Backend, PageBox, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let stream = device.stream()?;
/// let weights = device.register(PageBox::from_slice(&[1.0f32, 2.0, 3.0])?)?;
/// let mut buffer = stream.alloc::<f32>(2)?;
/// stream.upload(&weights[1..], &mut buffer)?;
/// assert_eq!(stream.download_vec(&buffer)?, [2.0, 3.0]);
/// let weights: PageBox<f32> = weights.unregister()?;
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct RegisteredBuffer<T: Element> {
    memory: ManuallyDrop<PageBox<T>>,
    pages: NonNull<c_void>,
    mapped: *mut c_void,
    device: Device,
}

// SAFETY: both pointers are addresses that `self` never goes through; the memory is plain numbers that `self` owns. The
// library lets any thread unregister it whose context is current.
unsafe impl<T: Element> Send for RegisteredBuffer<T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for RegisteredBuffer<T> {}

impl Device {
    /// Page-locks host memory and maps it for the device (`aclrtHostRegisterV2` and `aclrtHostGetDevicePointer`, since
    /// 9.1; else `aclrtHostRegister`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, for which the memory is lost; [`Error::Backend`] if the host's kernel is Linux 5.10
    /// or older, where only memory that is pinned already may be registered (AscendCL docs: host memory management).
    pub fn register<T: Element>(&self, mut memory: PageBox<T>) -> Result<RegisteredBuffer<T>> {
        if self.runtime().backend() == BackendKind::Npu {
            check_kernel(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())?;
        }
        let acl = self.bind()?;
        let (pages, size) = memory.pages();
        let registered = |mapped| {
            let device = self.clone();
            RegisteredBuffer { memory: ManuallyDrop::new(memory), pages, mapped, device }
        };
        if !self.runtime().has_function("aclrtHostRegisterV2") {
            // SAFETY: whole pages, which `RegisteredBuffer` frees only when they are unregistered.
            let mapped = unsafe { acl.host_register(pages, size) }?;
            return Ok(registered(mapped));
        }
        // SAFETY: as above.
        unsafe { acl.host_register_v2(pages, size) }?;
        let mut registered = registered(ptr::null_mut());
        registered.mapped = acl.host_device_pointer(pages)?;
        Ok(registered)
    }
}

impl<T: Element> RegisteredBuffer<T> {
    /// The device for which it is registered.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The address on the device, for kernels; copies do not take it (AscendCL docs: host memory management).
    ///
    /// Nothing keeps a kernel that is queued with it in order with accesses to the slice, or the memory alive: whoever
    /// passes it on sees to both.
    pub fn as_device_ptr(&self) -> *mut c_void {
        self.mapped
    }

    /// Makes it ordinary memory again (`aclrtHostUnregister`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library. The memory is lost then, because the device may still reach it.
    pub fn unregister(self) -> Result<PageBox<T>> {
        let mut this = ManuallyDrop::new(self);
        let result = this.end();
        let Self { memory, device, .. } = &mut *this;
        // SAFETY: taken once, from what is not dropped.
        drop(unsafe { ptr::read(device) });
        result?;
        // SAFETY: as above.
        Ok(unsafe { ManuallyDrop::take(memory) })
    }

    fn end(&self) -> Result<()> {
        // SAFETY: registered when `self` was made. Copies of its slices were waited for while they were borrowed.
        unsafe { self.device.bind()?.host_unregister(self.pages) }
    }
}

impl<T: Element> Deref for RegisteredBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory
    }
}

impl<T: Element> DerefMut for RegisteredBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory
    }
}

impl<T: Element> Drop for RegisteredBuffer<T> {
    fn drop(&mut self) {
        match self.end() {
            // SAFETY: taken once, and `self` is not used afterwards.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.memory) },
            Err(error) => tracing::error!(?self, %error, "unregistering host memory, which is lost"),
        }
    }
}

/// Refuses kernels on which registering memory that is not pinned "leads to an exception".
fn check_kernel(release: &str) -> Result<()> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) > (5, 10) => Ok(()),
        _ => Err(Error::Backend {
            backend: "npu".into(),
            why: format!(
                "registering host memory needs a Linux kernel newer than 5.10, and this is {:?}; use pinned memory",
                release.trim()
            ),
        }),
    }
}

impl<T: Element> fmt::Debug for RegisteredBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisteredBuffer<{:?}>({} at {:p})", T::DATA_TYPE, self.len(), self.pages)
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::ffi::{CStr, c_void};
    use std::ptr::NonNull;

    use ascendcl_sys::Library;

    use super::check_kernel;
    use crate::backend::{BackendKind, Opened};
    use crate::device::Device;
    use crate::page_box::PageBox;
    use crate::pointer::MemoryLocation;
    use crate::raw::Acl;
    use crate::runtime::Runtime;

    /// The simulator as an older library: without the functions that CANN 9.1 brought.
    fn resolve_8_1(name: &CStr) -> Option<NonNull<c_void>> {
        let newer = [c"aclrtHostRegisterV2", c"aclrtHostGetDevicePointer"];
        if newer.contains(&name) { None } else { ascendcl_sim::resolve(name) }
    }

    #[test]
    fn an_older_library_registers_memory_too() {
        // SAFETY: the simulator's functions have the signatures of their names.
        let acl = Acl { functions: unsafe { Library::from_resolver("CANN 8.1", resolve_8_1) } };
        let initialised_here = acl.init().unwrap();
        let runtime = Runtime::of_library(Opened { acl, initialised_here }, BackendKind::Sim);
        let device = Device::open(runtime, 0).unwrap();
        let memory = device.register(PageBox::from_slice(&[1u8, 2, 3]).unwrap()).unwrap();
        let location = |address| device.pointer_attributes(address).unwrap().location;
        assert_eq!(location(memory.as_ptr().cast()), MemoryLocation::Host);
        assert!(!memory.as_device_ptr().is_null());
        let memory = memory.unregister().unwrap();
        assert_eq!(location(memory.as_ptr().cast()), MemoryLocation::Unregistered);
        assert_eq!(*memory, [1, 2, 3]);
    }

    #[test]
    fn old_kernels_are_refused() {
        for new in ["5.11.0", "5.15.0-97-generic\n", "6.1", "10.0.1"] {
            check_kernel(new).unwrap();
        }
        for old in ["5.10.0-60.18.0.50.oe2203.aarch64", "5.4.0", "4.19.90-vhulk", "", "5", "new"] {
            let error = check_kernel(old).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Unsupported, "{old}");
        }
    }
}
