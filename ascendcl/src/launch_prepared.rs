//! Launches whose list of arguments is kept and changed in between.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ascendcl_sys as sys;

use crate::error::{Result, ShapeError};
use crate::interop::Touch;
use crate::kernel::{Kernel, KernelArg, KernelArgs, about};
use crate::launch::LaunchConfig;
use crate::module::Module;
use crate::raw::kernel::argument_bytes;
use crate::stream::Stream;

/// A kernel with a list of arguments that stays from launch to launch ([`Kernel::prepare`]).
///
/// The list borrows no memory, so that buffers can be used between launches; each launch says what it touches. It keeps the
/// kernel's module loaded.
pub struct PreparedLaunch {
    name: String,
    module: Module,
    function: sys::aclrtFuncHandle,
    bytes: Vec<u8>,
    /// Where each argument is in the bytes.
    arguments: Vec<Range<usize>>,
    /// Whether the library's list is behind the bytes.
    changed: bool,
    parameter: sys::aclrtParamHandle,
    /// The library's, as long as the list lives.
    handle: Vec<u64>,
    /// The library's, as [`handle`](Self::handle).
    _list: Vec<u64>,
}

// SAFETY: the handles may be used by any thread whose context is that of the device, which launches see to; the memory
// behind them is owned, and the module keeps the function.
unsafe impl Send for PreparedLaunch {}
// SAFETY: what `&self` offers does not use the handles.
unsafe impl Sync for PreparedLaunch {}

impl Kernel {
    /// Makes a list of arguments for many launches (`aclrtKernelArgsInitByUserMem` to `aclrtKernelArgsFinalize`).
    ///
    /// The list takes the values and addresses of `arguments`, not the memory behind them.
    ///
    /// The lists of `aclrtKernelArgsInit` would not do: each is the calling thread's, and ends with the next one.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for arguments with [`data`](KernelArgs::data) or none at all, [`Error::Acl`](crate::Error::Acl) for arguments that do
    /// not fit the kernel, with its name.
    pub fn prepare(&self, arguments: KernelArgs<'_>) -> Result<PreparedLaunch> {
        let KernelArgs { mut bytes, arguments, data, .. } = arguments;
        if bytes.is_empty() || !data.is_empty() {
            let got = if bytes.is_empty() { "none" } else { "data" };
            return Err(ShapeError::new("arguments to prepare", "values and addresses", got).into());
        }
        let acl = self.module().device().bind()?;
        // SAFETY: the module keeps the binary loaded.
        let (for_handle, for_list) = unsafe { acl.kernel_args_sizes(self.function(), bytes.len()) }
            .map_err(|error| about(self.name(), error))?;
        let mut handle = vec![0; for_handle.div_ceil(8)];
        let mut list = vec![0; for_list.div_ceil(8)];
        let lists = (handle.as_mut_slice(), list.as_mut_slice());
        // SAFETY: as above; the lists have the sizes that the library said, and live in the result.
        let parameter = unsafe { acl.kernel_args_in(self.function(), &mut bytes, lists) }
            .map_err(|error| about(self.name(), error))?;
        Ok(PreparedLaunch {
            name: self.name().to_owned(),
            module: self.module().clone(),
            function: self.function(),
            bytes,
            arguments,
            changed: false,
            parameter,
            handle,
            _list: list,
        })
    }
}

impl PreparedLaunch {
    /// Gives an argument another value for later launches; addresses are `u64`.
    ///
    /// `index` counts what was added to the [`KernelArgs`], from 0.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if there is no such argument, or it has another size.
    pub fn update<T: KernelArg>(&mut self, index: usize, value: T) -> Result<()> {
        let count = self.arguments.len();
        let range = self.arguments.get(index).cloned();
        let range =
            range.ok_or_else(|| ShapeError::new("index of an argument", format!("below {count}"), index))?;
        let value = argument_bytes(&value);
        if value.len() != range.len() {
            let expected = format!("{} bytes for argument {index}", range.len());
            return Err(
                ShapeError::new("updated argument", expected, format!("{} bytes", value.len())).into()
            );
        }
        self.bytes[range].copy_from_slice(value);
        self.changed = true;
        Ok(())
    }

    /// Queues the kernel with the arguments as they are now (`aclrtKernelArgsParaUpdate` if one has changed,
    /// `aclrtLaunchKernelWithConfig`). Later updates do not concern this launch.
    ///
    /// `memory` is what the kernel touches. It is kept alive and in order as by [`Kernel::launch`].
    ///
    /// # Errors
    /// As [`Kernel::launch_with`].
    ///
    /// # Safety
    /// As [`Kernel::launch`], where `memory` takes the place of the buffers among the arguments.
    pub unsafe fn launch<'a>(
        &mut self,
        stream: &Stream,
        blocks: u32,
        memory: impl IntoIterator<Item = Touch<'a>>,
        config: &LaunchConfig,
    ) -> Result<()> {
        self.module.device().check_same("stream", stream.device())?;
        let memory: Vec<_> = memory.into_iter().collect();
        let acl = Arc::clone(self.module.device().bind()?);
        let Self { name, function, bytes, changed, parameter, handle, .. } = self;
        let launch = |stream: sys::aclrtStream| {
            let args = sys::aclrtArgsHandle(handle.as_mut_ptr().cast());
            if *changed {
                // SAFETY: list and parameter are what `prepare` made, whose memory and function are alive.
                unsafe { acl.kernel_args_update(args, *parameter, bytes) }?;
                *changed = false;
            }
            // SAFETY: as above, and the stream is alive; the rest is the caller's promise.
            unsafe { acl.launch_kernel(*function, blocks, args, config, stream) }
        };
        // SAFETY: the work touches what the arguments say, by the caller's promise, and waits for nothing.
        unsafe { stream.enqueue(&memory, launch) }.map_err(|error| about(name, error))
    }
}

impl fmt::Debug for PreparedLaunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedLaunch({} of {:?}, {} arguments)", self.name, self.module, self.arguments.len())
    }
}
