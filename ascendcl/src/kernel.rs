//! Kernels and the arguments that they are launched with.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::Mutex;

use crate::buffer::{DeviceSlice, DeviceSliceMut};
use crate::dtype::Element;
use crate::error::{Error, Result, ShapeError};
use crate::interop::Touch;
use crate::launch::{LaunchConfig, ScheduleMode};
use crate::module::Module;
use crate::raw::kernel::{argument_bytes, elements};
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
    pub(crate) bytes: Vec<u8>,
    /// Where each argument is in the bytes.
    pub(crate) arguments: Vec<Range<usize>>,
    /// What travels with the arguments, and where its address goes in the bytes.
    pub(crate) data: Vec<(usize, Vec<u8>)>,
    memory: Vec<Touch<'a>>,
}

/// Where the code of a kernel is on the device, by the cores that run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelAddresses {
    /// On cube cores, or on the AI cores of devices that have one kind.
    pub cube: Option<u64>,
    /// On vector cores.
    pub vector: Option<u64>,
}

/// The cores that a kernel runs on (`aclrtKernelType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelCores {
    /// AI cores that are not divided.
    AiCore,
    /// Cube cores.
    Cube,
    /// Vector cores.
    Vector,
    /// Cube and vector cores together.
    Mix,
    /// The device's general processors.
    AiCpu,
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

    /// Adds the address of a copy of some values, which travels to the device with the arguments and is gone when the kernel
    /// has run. For small tables, up to 2 KiB or so (AscendCL docs: kernel loading and execution); it is aligned to 8
    /// bytes. Without values the address is null.
    #[must_use]
    pub fn data<T: KernelArg>(mut self, values: &[T]) -> Self {
        self.push(&[0; 8], 8);
        if size_of_val(values) > 0 {
            self.data.push((self.bytes.len() - 8, elements(values).to_vec()));
        }
        self
    }

    /// The packed bytes, with 0 for the addresses of [`data`](Self::data).
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn push(&mut self, bytes: &[u8], alignment: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment.max(4)), 0);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.arguments.push(start..self.bytes.len());
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

    pub(crate) fn function(&self) -> sys::aclrtFuncHandle {
        self.function
    }

    /// The name that the library has for it, up to 4095 bytes of it (`aclrtGetFunctionName`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before 9.1, [`Error::Acl`] from the library.
    pub fn function_name(&self) -> Result<String> {
        // SAFETY: the module keeps the binary loaded.
        unsafe { self.module.device().bind()?.function_name(self.function) }
            .map_err(|error| about(&self.name, error))
    }

    /// Where its code is on the device (`aclrtGetFunctionAddr`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn addresses(&self) -> Result<KernelAddresses> {
        // SAFETY: the module keeps the binary loaded.
        let found = unsafe { self.module.device().bind()?.function_addresses(self.function) };
        let [cube, vector] = found.map_err(|error| about(&self.name, error))?;
        let address = |address: usize| (address != 0).then_some(address as u64);
        Ok(KernelAddresses { cube: address(cube), vector: address(vector) })
    }

    /// The cores that it runs on (`aclrtGetFunctionAttribute`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before 9.1, [`Error::Acl`] from the library, [`Error::Shape`] for cores that this crate
    /// does not know.
    pub fn cores(&self) -> Result<KernelCores> {
        Ok(match self.attribute(sys::ACL_FUNC_ATTR_KERNEL_TYPE)? {
            0 => KernelCores::AiCore,
            1 => KernelCores::Cube,
            2 => KernelCores::Vector,
            3 => KernelCores::Mix,
            100 => KernelCores::AiCpu,
            other => return Err(ShapeError::new("type of a kernel", "0 to 3, or 100", other).into()),
        })
    }

    /// How many cube cores, and how many vector cores, run a block together (`aclrtGetFunctionAttribute`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before 9.1, [`Error::Acl`] from the library.
    pub fn cube_and_vector_cores(&self) -> Result<(u16, u16)> {
        let ratio = self.attribute(sys::ACL_FUNC_ATTR_KERNEL_RATIO)?;
        // Vector cores in the lower 16 bits, cube cores in the next (AscendCL docs: aclrtFuncAttribute).
        Ok(((ratio >> 16) as u16, ratio as u16))
    }

    /// When its blocks start, if a launch says nothing else (`aclrtGetFunctionAttribute`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before 9.1, [`Error::Acl`] from the library, [`Error::Shape`] for a mode that this crate
    /// does not know.
    pub fn schedule_mode(&self) -> Result<ScheduleMode> {
        Ok(match self.attribute(sys::ACL_FUNC_ATTR_KERNEL_SCHED_MODE)? {
            0 => ScheduleMode::Normal,
            1 => ScheduleMode::Batch,
            other => return Err(ShapeError::new("schedule mode of a kernel", "0 or 1", other).into()),
        })
    }

    fn attribute(&self, attribute: sys::aclrtFuncAttribute) -> Result<i64> {
        // SAFETY: the module keeps the binary loaded.
        unsafe { self.module.device().bind()?.function_attribute(self.function, attribute) }
            .map_err(|error| about(&self.name, error))
    }

    /// Queues the kernel on `blocks` blocks (`aclrtLaunchKernelWithConfig`).
    ///
    /// Memory that is given as a buffer or slice stays alive until the kernel has run, and other streams' work on it is
    /// ordered with it. During a capture the graph takes that memory, but not the module: keep it as long as the graph.
    ///
    /// Arguments with [`data`](KernelArgs::data) go by `aclrtLaunchKernelWithHostArgs` (since 9.1); before, by a list with
    /// placeholders (`aclrtKernelArgsInit`, `aclrtKernelArgsAppendPlaceHolder`).
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
        // SAFETY: the caller's promise.
        unsafe { self.launch_with(stream, blocks, arguments, &LaunchConfig::default()) }
    }

    /// [`launch`](Self::launch) with options.
    ///
    /// # Errors
    /// As [`launch`](Self::launch); [`Error::Acl`] for options that the library or device does not have.
    ///
    /// # Safety
    /// As [`launch`](Self::launch).
    pub unsafe fn launch_with(
        &self,
        stream: &Stream,
        blocks: u32,
        arguments: KernelArgs<'_>,
        config: &LaunchConfig,
    ) -> Result<()> {
        let KernelArgs { mut bytes, data, memory, .. } = arguments;
        let acl = Arc::clone(self.module.device().bind()?);
        let mut scratch = self.scratch.lock();
        let scratch = &mut *scratch;
        let launch = |handle: sys::aclrtStream| {
            if !data.is_empty() {
                // SAFETY: the module keeps the binary loaded, and the stream is alive; the rest is the caller's promise.
                return unsafe {
                    acl.launch_kernel_data(self.function, blocks, &mut bytes, &data, config, handle)
                };
            }
            if scratch.bytes != Some(bytes.len()) {
                // SAFETY: the module keeps the binary loaded.
                let (for_handle, for_list) = unsafe { acl.kernel_args_sizes(self.function, bytes.len()) }?;
                scratch.handle.resize(for_handle.div_ceil(8), 0);
                scratch.list.resize(for_list.div_ceil(8), 0);
                scratch.bytes = Some(bytes.len());
            }
            let lists = (scratch.handle.as_mut_slice(), scratch.list.as_mut_slice());
            let args = sys::aclrtArgsHandle(lists.0.as_mut_ptr().cast());
            // SAFETY: the module keeps the binary loaded, the lists have the sizes that the library said, and the stream
            // is alive; the rest is the caller's promise.
            unsafe {
                acl.kernel_args_in(self.function, &mut bytes, lists)?;
                acl.launch_kernel(self.function, blocks, args, config, handle)
            }
        };
        // SAFETY: the caller's promise.
        unsafe { self.enqueue(stream, &memory, launch) }
    }

    /// [`launch_with`](Self::launch_with), where the library itself lays the arguments out, by what the binary says of the
    /// kernel's parameters (`aclrtLaunchKernelWithArgsArray`, since 9.1).
    ///
    /// # Errors
    /// As [`launch_with`](Self::launch_with); [`Error::MissingSymbol`] before 9.1, [`Error::Shape`] for arguments with
    /// [`data`](KernelArgs::data).
    ///
    /// # Safety
    /// As [`launch`](Self::launch); the arguments are as many as the kernel's parameters, with their sizes.
    pub unsafe fn launch_each(
        &self,
        stream: &Stream,
        blocks: u32,
        arguments: KernelArgs<'_>,
        config: &LaunchConfig,
    ) -> Result<()> {
        let KernelArgs { mut bytes, arguments, data, memory } = arguments;
        if !data.is_empty() {
            return Err(ShapeError::new("arguments of an array", "values and addresses", "data").into());
        }
        let acl = Arc::clone(self.module.device().bind()?);
        let launch = |handle: sys::aclrtStream| {
            let first = bytes.as_mut_ptr();
            let mut array: Vec<_> =
                arguments.iter().map(|range| first.wrapping_add(range.start).cast()).collect();
            // SAFETY: the module keeps the binary loaded, and the stream is alive; the rest is the caller's promise.
            unsafe { acl.launch_kernel_array(self.function, blocks, &mut array, config, handle) }
        };
        // SAFETY: the caller's promise.
        unsafe { self.enqueue(stream, &memory, launch) }
    }

    /// Queues the kernel with arguments that are in device memory, as [`KernelArgs::as_bytes`] has them, and are read when
    /// it starts (`aclrtLaunchKernel`; with options `aclrtLaunchKernelV2`, since 9.1). Earlier work of the stream may write
    /// them.
    ///
    /// `memory` is what the kernel touches. It is kept alive and in order as by [`launch`](Self::launch), and the arguments
    /// with it.
    ///
    /// # Errors
    /// As [`launch_with`](Self::launch_with); [`Error::MissingSymbol`] before 9.1 if there are options.
    ///
    /// # Safety
    /// As [`launch`](Self::launch), where `memory` takes the place of the buffers among the arguments.
    pub unsafe fn launch_on_device_args<'a>(
        &self,
        stream: &Stream,
        blocks: u32,
        arguments: impl Into<DeviceSlice<'a, u8>>,
        memory: impl IntoIterator<Item = Touch<'a>>,
        config: &LaunchConfig,
    ) -> Result<()> {
        let arguments = arguments.into();
        let (address, length) = (arguments.as_device_ptr(), arguments.len());
        let memory: Vec<_> = memory.into_iter().chain([arguments.read()]).collect();
        let acl = Arc::clone(self.module.device().bind()?);
        let launch = |handle: sys::aclrtStream| {
            // SAFETY: the module keeps the binary loaded, the stream is alive, and so are the arguments until the kernel
            // has run; the rest is the caller's promise.
            unsafe { acl.launch_kernel_device(self.function, blocks, (address, length), config, handle) }
        };
        // SAFETY: the caller's promise.
        unsafe { self.enqueue(stream, &memory, launch) }
    }

    /// # Safety
    /// As [`launch`](Self::launch), where `memory` takes the place of the buffers among the arguments; `launch` queues the
    /// kernel and nothing else.
    unsafe fn enqueue(
        &self,
        stream: &Stream,
        memory: &[Touch<'_>],
        launch: impl FnOnce(sys::aclrtStream) -> Result<()>,
    ) -> Result<()> {
        self.module.device().check_same("stream", stream.device())?;
        // SAFETY: the work touches what the arguments say, by the caller's promise, and waits for nothing.
        unsafe { stream.enqueue(memory, launch) }.map_err(|error| about(&self.name, error))
    }
}

/// Names the kernel in the library's message.
pub(crate) fn about(name: &str, error: Error) -> Error {
    match error {
        Error::Acl(mut error) => {
            let message = error.message.take().unwrap_or_else(|| "no message".to_owned());
            error.message = Some(format!("kernel {name}: {message}"));
            Error::Acl(error)
        }
        error => error,
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
