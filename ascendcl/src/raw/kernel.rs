//! Kernel binaries, their functions and launches.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Error, Result, ShapeError};
use crate::kernel::KernelArg;
use crate::launch::{Engine, LaunchConfig, ScheduleMode};

impl Acl {
    /// `aclrtBinaryLoadFromFile`
    pub(crate) fn load_binary(&self, path: &CStr) -> Result<sys::aclrtBinHandle> {
        let mut binary = sys::aclrtBinHandle::null();
        // SAFETY: a C string, no options, and a valid out-pointer.
        unsafe { call!(self, aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary)) }?;
        Ok(binary)
    }

    /// `aclrtBinaryLoadFromData`
    pub(crate) fn load_binary_data(&self, bytes: &[u8]) -> Result<sys::aclrtBinHandle> {
        let mut binary = sys::aclrtBinHandle::null();
        // SAFETY: the bytes live for the call; no options, and a valid out-pointer.
        unsafe {
            call!(self, aclrtBinaryLoadFromData(bytes.as_ptr().cast(), bytes.len(), ptr::null(), &mut binary))
        }?;
        Ok(binary)
    }

    /// `aclrtBinaryUnLoad`
    ///
    /// # Safety
    /// The binary is loaded, nothing uses it later, and no kernel of it runs or is queued.
    pub(crate) unsafe fn unload_binary(&self, binary: sys::aclrtBinHandle) -> Result<()> {
        // SAFETY: by contract.
        unsafe { call!(self, aclrtBinaryUnLoad(binary)) }
    }

    /// `aclrtBinaryGetFunction`
    ///
    /// # Safety
    /// The binary is loaded.
    pub(crate) unsafe fn binary_function(
        &self,
        binary: sys::aclrtBinHandle,
        name: &CStr,
    ) -> Result<sys::aclrtFuncHandle> {
        let mut function = sys::aclrtFuncHandle::null();
        // SAFETY: by contract, with a C string and a valid out-pointer.
        unsafe { call!(self, aclrtBinaryGetFunction(binary, name.as_ptr(), &mut function)) }?;
        Ok(function)
    }

    /// `aclrtKernelArgsGetHandleMemSize` and `aclrtKernelArgsGetMemSize`: the bytes of a handle, and of a list with as many
    /// bytes of arguments.
    ///
    /// # Safety
    /// The function's binary is loaded.
    pub(crate) unsafe fn kernel_args_sizes(
        &self,
        function: sys::aclrtFuncHandle,
        bytes: usize,
    ) -> Result<(usize, usize)> {
        let (mut handle, mut list) = (0, 0);
        // SAFETY: by contract, with valid out-pointers.
        unsafe { call!(self, aclrtKernelArgsGetHandleMemSize(function, &mut handle)) }?;
        // SAFETY: as above.
        unsafe { call!(self, aclrtKernelArgsGetMemSize(function, bytes, &mut list)) }?;
        Ok((handle, list))
    }

    /// Makes a list of arguments as the kernel's compiler lays them out (`aclrtKernelArgsInitByUserMem` to
    /// `aclrtKernelArgsFinalize`): the parameter that all of them are, null without any.
    ///
    /// # Safety
    /// The function's binary is loaded. `handle` and `list` have the sizes that
    /// [`kernel_args_sizes`](Self::kernel_args_sizes) says, and live as long as the list is used.
    pub(crate) unsafe fn kernel_args_in(
        &self,
        function: sys::aclrtFuncHandle,
        arguments: &mut [u8],
        (handle, list): (&mut [u64], &mut [u64]),
    ) -> Result<sys::aclrtParamHandle> {
        let args = sys::aclrtArgsHandle(handle.as_mut_ptr().cast());
        let mut parameter = sys::aclrtParamHandle::null();
        let (memory, room) = (list.as_mut_ptr().cast::<c_void>(), size_of_val(list));
        // SAFETY: by contract: the memory has the sizes that the library asked for, and the arguments are borrowed for
        // the call, which copies them.
        unsafe {
            call!(self, aclrtKernelArgsInitByUserMem(function, args, memory, room))?;
            if !arguments.is_empty() {
                let (first, length) = (arguments.as_mut_ptr().cast(), arguments.len());
                call!(self, aclrtKernelArgsAppend(args, first, length, &mut parameter))?;
            }
            call!(self, aclrtKernelArgsFinalize(args))?;
        }
        Ok(parameter)
    }

    /// `aclrtKernelArgsParaUpdate`, `aclrtKernelArgsFinalize`
    ///
    /// # Safety
    /// The list is alive, and the parameter is one of it, of as many bytes.
    pub(crate) unsafe fn kernel_args_update(
        &self,
        args: sys::aclrtArgsHandle,
        parameter: sys::aclrtParamHandle,
        value: &mut [u8],
    ) -> Result<()> {
        // SAFETY: by contract; the value is borrowed for the call, which copies it.
        unsafe {
            call!(self, aclrtKernelArgsParaUpdate(args, parameter, value.as_mut_ptr().cast(), value.len()))?;
            call!(self, aclrtKernelArgsFinalize(args))
        }
    }

    /// `aclrtLaunchKernelWithConfig`. The library copies the arguments before it returns.
    ///
    /// # Safety
    /// The function's binary is loaded, the list is alive and what the kernel takes, and the stream is alive. What the kernel
    /// touches stays alive until it has run.
    pub(crate) unsafe fn launch_kernel(
        &self,
        function: sys::aclrtFuncHandle,
        blocks: u32,
        args: sys::aclrtArgsHandle,
        config: &LaunchConfig,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // SAFETY: by contract, with a configuration that lives for the call.
        with_config(config, |config| unsafe {
            call!(self, aclrtLaunchKernelWithConfig(function, blocks, stream, config, args, ptr::null_mut()))
        })
    }

    /// Queues a kernel with arguments of which some are the addresses of data: `aclrtLaunchKernelWithHostArgs` (since 9.1);
    /// before, a list with placeholders. The library copies arguments and data before it returns.
    ///
    /// # Safety
    /// As [`launch_kernel`](Self::launch_kernel); `data` says the offset of each address, a multiple of 8, in ascending
    /// order, with 8 bytes for it within `arguments`.
    pub(crate) unsafe fn launch_kernel_data(
        &self,
        function: sys::aclrtFuncHandle,
        blocks: u32,
        arguments: &mut [u8],
        data: &[(usize, Vec<u8>)],
        config: &LaunchConfig,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // Numbers of 8 bytes, for their alignment.
        let mut block = vec![0u64; arguments.len().div_ceil(8)];
        let mut holders = Vec::with_capacity(data.len());
        for (offset, values) in data {
            let at = |offset: usize| {
                u32::try_from(offset)
                    .map_err(|_| ShapeError::new("arguments of a kernel", "less than 4 GiB", offset))
            };
            holders.push(sys::aclrtPlaceHolderInfo {
                addrOffset: at(*offset)?,
                dataOffset: at(size_of_val(block.as_slice()))?,
            });
            let words = values.chunks(8).map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_ne_bytes(word)
            });
            block.extend(words);
        }
        for (word, chunk) in block.iter_mut().zip(arguments.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(bytes);
        }
        let (first, length) = (block.as_mut_ptr().cast::<c_void>(), size_of_val(block.as_slice()));
        let (holder, count) = (holders.as_mut_ptr(), holders.len());
        // SAFETY: by contract; block and placeholders live for the call, which copies them.
        let launched = with_config(config, |config| unsafe {
            call!(
                self,
                aclrtLaunchKernelWithHostArgs(function, blocks, stream, config, first, length, holder, count)
            )
        });
        let Err(Error::MissingSymbol(_)) = launched else { return launched };
        // SAFETY: by contract.
        let args = unsafe { self.kernel_args_with_data(function, arguments, data) }?;
        // SAFETY: by contract; the list is the one that this thread made last.
        unsafe { self.launch_kernel(function, blocks, args, config, stream) }
    }

    /// `aclrtKernelArgsInit` to `aclrtKernelArgsFinalize`. The list is the thread's: it ends with the next one.
    ///
    /// # Safety
    /// As [`launch_kernel_data`](Self::launch_kernel_data).
    unsafe fn kernel_args_with_data(
        &self,
        function: sys::aclrtFuncHandle,
        arguments: &mut [u8],
        data: &[(usize, Vec<u8>)],
    ) -> Result<sys::aclrtArgsHandle> {
        let mut args = sys::aclrtArgsHandle::null();
        let mut parameter = sys::aclrtParamHandle::null();
        let mut holders = Vec::with_capacity(data.len());
        let mut done = 0;
        // SAFETY: by contract, with valid out-pointers; the list is used by this thread only, and before it makes
        // another. Arguments are borrowed for the calls, which copy them.
        unsafe {
            call!(self, aclrtKernelArgsInit(function, &mut args))?;
            for (offset, _) in data {
                if *offset > done {
                    let values = &mut arguments[done..*offset];
                    let (first, length) = (values.as_mut_ptr().cast(), values.len());
                    call!(self, aclrtKernelArgsAppend(args, first, length, &mut parameter))?;
                }
                let mut holder = sys::aclrtParamHandle::null();
                call!(self, aclrtKernelArgsAppendPlaceHolder(args, &mut holder))?;
                holders.push(holder);
                done = offset + 8;
            }
            if arguments.len() > done {
                let values = &mut arguments[done..];
                let (first, length) = (values.as_mut_ptr().cast(), values.len());
                call!(self, aclrtKernelArgsAppend(args, first, length, &mut parameter))?;
            }
        }
        for (holder, (_, values)) in holders.into_iter().zip(data) {
            let mut buffer = ptr::null_mut();
            // SAFETY: as above, with a placeholder of the list.
            unsafe {
                call!(self, aclrtKernelArgsGetPlaceHolderBuffer(args, holder, values.len(), &mut buffer))
            }?;
            let Some(buffer) = NonNull::new(buffer.cast::<u8>()) else {
                return Err(ShapeError::new("buffer of a placeholder", "an address", "null").into());
            };
            // SAFETY: the library gave memory for as many bytes, which is nobody else's.
            unsafe { buffer.copy_from_nonoverlapping(NonNull::from(values.as_slice()).cast(), values.len()) };
        }
        // SAFETY: as above.
        unsafe { call!(self, aclrtKernelArgsFinalize(args)) }?;
        Ok(args)
    }

    /// `aclrtLaunchKernelWithArgsArray`. The library copies the arguments before it returns.
    ///
    /// # Safety
    /// As [`launch_kernel`](Self::launch_kernel); `array` holds the address of each argument of the kernel.
    pub(crate) unsafe fn launch_kernel_array(
        &self,
        function: sys::aclrtFuncHandle,
        blocks: u32,
        array: &mut [*mut c_void],
        config: &LaunchConfig,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let first = array.as_mut_ptr();
        // SAFETY: by contract, with a configuration that lives for the call; a function handle may stand for a function.
        with_config(config, |config| unsafe {
            call!(self, aclrtLaunchKernelWithArgsArray(function.0, blocks, stream, config, first))
        })
    }

    /// `aclrtLaunchKernel`, or `aclrtLaunchKernelV2` (since 9.1) if there are options.
    ///
    /// # Safety
    /// As [`launch_kernel`](Self::launch_kernel); address and length are those of the kernel's arguments in device memory.
    pub(crate) unsafe fn launch_kernel_device(
        &self,
        function: sys::aclrtFuncHandle,
        blocks: u32,
        (address, length): (*const c_void, usize),
        config: &LaunchConfig,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        // SAFETY: by contract, with a configuration that lives for the call.
        with_config(config, |config| unsafe {
            if config.is_null() {
                call!(self, aclrtLaunchKernel(function, blocks, address, length, stream))
            } else {
                call!(self, aclrtLaunchKernelV2(function, blocks, address, length, config, stream))
            }
        })
    }

    /// `aclrtGetFunctionName`
    ///
    /// # Safety
    /// The function's binary is loaded.
    pub(crate) unsafe fn function_name(&self, function: sys::aclrtFuncHandle) -> Result<String> {
        let mut name = vec![0u8; 4096];
        // SAFETY: by contract, with room for as many bytes as are said.
        unsafe { call!(self, aclrtGetFunctionName(function, name.len() as u32, name.as_mut_ptr().cast())) }?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        Ok(String::from_utf8_lossy(&name[..end]).into_owned())
    }

    /// `aclrtGetFunctionAddr`: on cube cores and on vector cores, 0 for none.
    ///
    /// # Safety
    /// The function's binary is loaded.
    pub(crate) unsafe fn function_addresses(&self, function: sys::aclrtFuncHandle) -> Result<[usize; 2]> {
        let (mut cube, mut vector) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: by contract, with valid out-pointers.
        unsafe { call!(self, aclrtGetFunctionAddr(function, &mut cube, &mut vector)) }?;
        Ok([cube.addr(), vector.addr()])
    }

    /// `aclrtGetFunctionAttribute`
    ///
    /// # Safety
    /// The function's binary is loaded.
    pub(crate) unsafe fn function_attribute(
        &self,
        function: sys::aclrtFuncHandle,
        attribute: sys::aclrtFuncAttribute,
    ) -> Result<i64> {
        let mut value = 0;
        // SAFETY: by contract, with a valid out-pointer.
        unsafe { call!(self, aclrtGetFunctionAttribute(function, attribute, &mut value)) }?;
        Ok(value)
    }

    /// `aclrtBinaryGetFunctionByEntry`
    ///
    /// # Safety
    /// The binary is loaded.
    pub(crate) unsafe fn binary_function_by_entry(
        &self,
        binary: sys::aclrtBinHandle,
        entry: u64,
    ) -> Result<sys::aclrtFuncHandle> {
        let mut function = sys::aclrtFuncHandle::null();
        // SAFETY: by contract, with a valid out-pointer.
        unsafe { call!(self, aclrtBinaryGetFunctionByEntry(binary, entry, &mut function)) }?;
        Ok(function)
    }

    /// `aclrtCreateBinary`
    ///
    /// # Safety
    /// The bytes stay where they are until [`destroy_binary`](Self::destroy_binary).
    pub(crate) unsafe fn create_binary(&self, bytes: &[u8]) -> Result<sys::aclrtBinary> {
        // SAFETY: by contract.
        let binary = unsafe { self.functions.aclrtCreateBinary(bytes.as_ptr().cast(), bytes.len()) }?;
        if binary.is_null() {
            // A handle is all that the function answers.
            self.check("aclrtCreateBinary", Ok(sys::ACL_ERROR_INVALID_PARAM))?;
        }
        Ok(binary)
    }

    /// `aclrtBinaryLoad`
    ///
    /// # Safety
    /// The binary was created and not destroyed.
    pub(crate) unsafe fn load_created_binary(&self, binary: sys::aclrtBinary) -> Result<sys::aclrtBinHandle> {
        let mut handle = sys::aclrtBinHandle::null();
        // SAFETY: by contract, with a valid out-pointer.
        unsafe { call!(self, aclrtBinaryLoad(binary, &mut handle)) }?;
        Ok(handle)
    }

    /// `aclrtDestroyBinary`
    ///
    /// # Safety
    /// The binary was created and not destroyed, and what was loaded of it is unloaded.
    pub(crate) unsafe fn destroy_binary(&self, binary: sys::aclrtBinary) -> Result<()> {
        // SAFETY: by contract.
        unsafe { call!(self, aclrtDestroyBinary(binary)) }
    }
}

/// Calls with the options as C has them; null if there are none.
fn with_config<R>(config: &LaunchConfig, call: impl FnOnce(*mut sys::aclrtLaunchKernelCfg) -> R) -> R {
    let mut attributes = attributes(config);
    if attributes.is_empty() {
        return call(ptr::null_mut());
    }
    let mut config = sys::aclrtLaunchKernelCfg { attrs: attributes.as_mut_ptr(), numAttrs: attributes.len() };
    call(&mut config)
}

fn attributes(config: &LaunchConfig) -> Vec<sys::aclrtLaunchKernelAttr> {
    type Value = sys::aclrtLaunchKernelAttrValue;
    let mut attributes = Vec::new();
    let mut add = |id, set: &dyn Fn(&mut Value)| {
        // What a value does not fill is reserved, and zero.
        let mut value = Value { rsv: [0; 4] };
        set(&mut value);
        attributes.push(sys::aclrtLaunchKernelAttr { id, value });
    };
    if let Some(mode) = config.schedule {
        let mode = u8::from(mode == ScheduleMode::Batch);
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE, &|value| value.schemMode = mode);
    }
    if let Some(bytes) = config.dynamic_buffer {
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE, &|value| value.dynUBufSize = bytes);
    }
    if let Some(engine) = config.engine {
        let engine = match engine {
            Engine::AiCore => sys::ACL_RT_ENGINE_TYPE_AIC,
            Engine::VectorCore => sys::ACL_RT_ENGINE_TYPE_AIV,
        };
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE, &|value| value.engineType = engine);
    }
    if let Some(offset) = config.block_offset {
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET, &|value| value.blockDimOffset = offset);
    }
    if let Some(allowed) = config.prefetch {
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH, &|value| {
            value.isBlockTaskPrefetch = u8::from(!allowed);
        });
    }
    if let Some(dump) = config.dump {
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP, &|value| value.isDataDump = u8::from(dump));
    }
    if let Some(timeout) = config.timeout {
        let seconds = if timeout == Duration::MAX { Some(0) } else { whole_seconds(timeout) };
        if let Some(seconds) = seconds {
            add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT, &|value| value.timeout = seconds);
        } else {
            let micros = u64::try_from(timeout.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
            let micros =
                sys::aclrtTimeoutUs { timeoutLow: micros as u32, timeoutHigh: (micros >> 32) as u32 };
            add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US, &|value| value.timeoutUs = micros);
        }
    }
    if let Some(enabled) = config.profiling {
        add(sys::ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING, &|value| {
            value.enableProfiling = u8::from(enabled);
        });
    }
    attributes
}

/// A limit in seconds as the library takes it; 0 would be none.
fn whole_seconds(timeout: Duration) -> Option<u16> {
    let seconds = u16::try_from(timeout.as_secs()).ok().filter(|seconds| *seconds > 0)?;
    (timeout.subsec_nanos() == 0).then_some(seconds)
}

/// The bytes of some values.
pub(crate) fn elements<T: KernelArg>(values: &[T]) -> &[u8] {
    // SAFETY: all bytes of a `KernelArg` are initialized.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of an argument.
pub(crate) fn argument_bytes<T: KernelArg>(value: &T) -> &[u8] {
    // SAFETY: all bytes of a `KernelArg` are initialized.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the attributes with the first two words of their values.
    fn words(config: &LaunchConfig) -> Vec<(u32, [u32; 2])> {
        let word = |attribute: sys::aclrtLaunchKernelAttr| {
            // SAFETY: `attributes` initializes all four words.
            let [first, second, rest @ ..] = unsafe { attribute.value.rsv };
            assert_eq!(rest, [0; 2]);
            (attribute.id.0, [first, second])
        };
        attributes(config).into_iter().map(word).collect()
    }

    /// Numbers and meanings as the AscendCL docs have them (aclrtLaunchKernelAttrId, aclrtLaunchKernelAttrValue).
    #[test]
    fn options_are_the_attributes_of_the_documents() {
        let config = LaunchConfig::new();
        assert_eq!(words(&config), []);
        let config = config.schedule(ScheduleMode::Batch).dynamic_buffer(1 << 20).engine(Engine::VectorCore);
        let config = config.block_offset(70_000).prefetch(false).dump(true).profiling(true);
        let one = [1, 0];
        let expected =
            [(1, one), (2, [1 << 20, 0]), (3, one), (4, [70_000, 0]), (5, one), (6, one), (9, one)];
        assert_eq!(words(&config), expected);
        let config = LaunchConfig::new().schedule(ScheduleMode::Normal).engine(Engine::AiCore).prefetch(true);
        assert_eq!(words(&config), [(1, [0; 2]), (3, [0; 2]), (5, [0; 2])]);

        let timeout = |timeout| words(&LaunchConfig::new().timeout(timeout))[0];
        assert_eq!(timeout(Duration::from_secs(65_535)), (7, [65_535, 0]));
        assert_eq!(timeout(Duration::MAX), (7, [0, 0]));
        assert_eq!(timeout(Duration::ZERO), (8, [1, 0]));
        assert_eq!(timeout(Duration::from_nanos(1001)), (8, [2, 0]));
        // 65536000000 is 15 * 2^32 + 1111490560.
        assert_eq!(timeout(Duration::from_secs(65_536)), (8, [1_111_490_560, 15]));
        assert_eq!(timeout(Duration::from_secs(u64::MAX)), (8, [u32::MAX; 2]));
    }
}
