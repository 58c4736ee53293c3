//! Kernels and the arguments that they are launched with.

use std::fmt;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::interop::Touch;
use crate::module::Module;
use crate::raw::kernel::argument_bytes;
use crate::stream::Stream;

/// A function of a [`Module`] that runs on the device's AI cores.
///
/// May be launched from any thread. It keeps its module loaded.
pub struct Kernel {
    name: String,
    module: Module,
    function: sys::aclrtFuncHandle,
    /// Memory that a launch builds its list of arguments in, kept for the next one.
    scratch: Mutex<Scratch>,
}

#[derive(Default)]
struct Scratch {
    /// Bytes of arguments that the memory is for; `None` before the first launch.
    bytes: Option<usize>,
    handle: Vec<u64>,
    list: Vec<u64>,
}

// SAFETY: the handle may be used by any thread whose context is that of the device, which launches see to; the binary that
// it belongs to stays loaded with the module.
unsafe impl Send for Kernel {}
// SAFETY: as above; the scratch memory is behind a lock.
unsafe impl Sync for Kernel {}

/// A type that kernels take by value.
///
/// # Safety
/// A value consists of initialized bytes only (no padding), all of which mean the same in C: `#[repr(C)]` structs whose
/// fields are kernel arguments, without gaps. Addresses of the device are `u64`.
pub unsafe trait KernelArg: Copy + 'static {}

macro_rules! kernel_args {
    ($($type:ty),* $(,)?) => {$(
        // SAFETY: a plain number, as in C.
        unsafe impl KernelArg for $type {}
    )*};
}

kernel_args!(i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, half::f16, half::bf16);

// SAFETY: elements that follow each other without gaps.
unsafe impl<T: KernelArg, const N: usize> KernelArg for [T; N] {}

/// The arguments of a launch, in the order of the kernel's parameters.
///
/// They are laid out as the device's compiler does it: each aligned as in C, but to 4 bytes at least.
#[derive(Default)]
pub struct KernelArgs<'a> {
    bytes: Vec<u8>,
    memory: Vec<Touch<'a>>,
}

impl<'a> KernelArgs<'a> {
    /// No arguments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the address of device memory that the kernel reads.
    #[must_use]
    pub fn read<T: Element>(mut self, memory: impl Into<DeviceSlice<'a, T>>) -> Self {
        let memory = memory.into();
        self.push(&memory.as_device_ptr().addr().to_ne_bytes(), 8);
        self.memory.push(memory.read());
        self
    }

    /// Adds the address of device memory that the kernel writes, and perhaps reads.
    #[must_use]
    pub fn write<T: Element>(mut self, memory: impl Into<DeviceSliceMut<'a, T>>) -> Self {
        let memory = memory.into();
        self.push(&memory.as_device_ptr().addr().to_ne_bytes(), 8);
        self.memory.push(memory.write());
        self
    }

    /// Adds an address that this crate knows nothing of; 0 is null. Whoever launches sees to the memory and the order of
    /// work on it.
    #[must_use]
    pub fn address(self, address: u64) -> Self {
        self.value(address)
    }

    /// Says that the kernel touches memory which it reaches in another way, such as through a table of addresses.
    #[must_use]
    pub fn touches(mut self, memory: Touch<'a>) -> Self {
        self.memory.push(memory);
        self
    }

    /// Adds a number or a struct.
    #[must_use]
    pub fn value<T: KernelArg>(mut self, value: T) -> Self {
        self.push(argument_bytes(&value), align_of::<T>());
        self
    }

    /// The packed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn push(&mut self, bytes: &[u8], alignment: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment.max(4)), 0);
        self.bytes.extend_from_slice(bytes);
    }
}

impl Kernel {
    pub(crate) fn new(module: &Module, name: &str, function: sys::aclrtFuncHandle) -> Self {
        Self { name: name.to_owned(), module: module.clone(), function, scratch: Mutex::default() }
    }

    /// The name by which it was found.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The module that it belongs to.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Queues the kernel on `blocks` blocks (`aclrtLaunchKernelWithConfig`).
    ///
    /// Memory that is given as a buffer or slice stays alive until the kernel has run, and other streams' work on it is
    /// ordered with it. During a capture the graph takes that memory, but not the module: keep it as long as the graph.
    ///
    /// # Errors
    /// [`Error::Acl`] for arguments that do not fit the kernel, with its name; [`Error::Mismatch`] for memory or a stream of
    /// another device. What goes wrong in the kernel is told when the stream is waited for.
    ///
    /// # Safety
    /// The arguments are what the kernel takes, and with them it touches only memory that was given to be read or written
    /// so, within its bounds, or memory that the caller keeps alive and in order by other means. A graph that captures the
    /// launch is not launched when the module is gone.
    pub unsafe fn launch(&self, stream: &Stream, blocks: u32, arguments: KernelArgs<'_>) -> Result<()> {
        self.module.device().check_same("stream", stream.device())?;
        let KernelArgs { mut bytes, memory } = arguments;
        let acl = Arc::clone(self.module.device().bind()?);
        let mut scratch = self.scratch.lock();
        let scratch = &mut *scratch;
        let launch = |handle: sys::aclrtStream| {
            if scratch.bytes != Some(bytes.len()) {
                // SAFETY: the module keeps the binary loaded.
                let (for_handle, for_list) = unsafe { acl.kernel_args_sizes(self.function, bytes.len()) }?;
                scratch.handle.resize(for_handle.div_ceil(8), 0);
                scratch.list.resize(for_list.div_ceil(8), 0);
                scratch.bytes = Some(bytes.len());
            }
            let lists = (scratch.handle.as_mut_slice(), scratch.list.as_mut_slice());
            // SAFETY: the module keeps the binary loaded, the lists have the sizes that the library said, and the stream
            // is alive; the rest is the caller's promise.
            unsafe { acl.launch_kernel(self.function, blocks, &mut bytes, lists, handle) }
        };
        // SAFETY: the work touches what the arguments say, by the caller's promise, and waits for nothing.
        unsafe { stream.enqueue(&memory, launch) }.map_err(|error| self.about(error))
    }

    /// Names the kernel in the library's message.
    fn about(&self, error: Error) -> Error {
        match error {
            Error::Acl(mut error) => {
                let message = error.message.take().unwrap_or_else(|| "no message".to_owned());
                error.message = Some(format!("kernel {}: {message}", self.name));
                Error::Acl(error)
            }
            error => error,
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({} of {:?})", self.name, self.module)
    }
}

impl fmt::Debug for KernelArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KernelArgs({} bytes, {:?})", self.bytes.len(), self.memory)
    }
}
