//! Launches of kernels.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{In, abi, kernel, kernel_args};
use crate::error::{Result, failure, misuse};
use crate::exception::{self, Blamed};
use crate::kernel::{Function, Packed, Queued, options};
use crate::task::Task;
use crate::transfer::Place;

/// The most blocks of a launch (Ascend C docs: kernel functions).
const MAX_BLOCKS: u32 = 65535;

abi! {
    /// The arguments are in device memory, and are read when the kernel starts.
    pub fn aclrtLaunchKernel(
        func_handle: aclrtFuncHandle,
        num_blocks: u32,
        args_data: *const c_void,
        args_size: usize,
        stream: aclrtStream,
    ) {
        launch_on_device(func_handle, num_blocks, &args_data, args_size, stream)
    }

    pub fn aclrtLaunchKernelV2(
        func_handle: aclrtFuncHandle,
        num_blocks: u32,
        args_data: *const c_void,
        args_size: usize,
        cfg: *mut aclrtLaunchKernelCfg,
        stream: aclrtStream,
    ) {
        check_config(&cfg)?;
        launch_on_device(func_handle, num_blocks, &args_data, args_size, stream)
    }

    /// The list of arguments is copied, and may be changed afterwards.
    pub fn aclrtLaunchKernelWithConfig(
        func_handle: aclrtFuncHandle,
        num_blocks: u32,
        stream: aclrtStream,
        cfg: *mut aclrtLaunchKernelCfg,
        args_handle: aclrtArgsHandle,
        reserve: *mut c_void,
    ) {
        check_config(&cfg)?;
        if !reserve.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "reserve is not null"));
        }
        let function = kernel::function(func_handle.0)?;
        let arguments = kernel_args::pack(args_handle, &function)?;
        launch(function, num_blocks, arguments, stream)
    }

    /// The arguments are copied; each placeholder becomes the address of its part of the copy.
    pub fn aclrtLaunchKernelWithHostArgs(
        func_handle: aclrtFuncHandle,
        num_blocks: u32,
        stream: aclrtStream,
        cfg: *mut aclrtLaunchKernelCfg,
        host_args: *mut c_void,
        args_size: usize,
        place_holder_array: *mut aclrtPlaceHolderInfo,
        place_holder_num: usize,
    ) {
        check_config(&cfg)?;
        let function = kernel::function(func_handle.0)?;
        check_size(&function, args_size)?;
        if args_size == 0 {
            return launch(function, num_blocks, Packed::Host { bytes: Vec::new(), data: Vec::new() }, stream);
        }
        let mut bytes = kernel_args::host_bytes(&host_args, args_size)?;
        let mut data = Vec::new();
        let placeholders = place_holder_array.to_vec(place_holder_num)?;
        if !placeholders.is_empty() {
            let copy = kernel_args::copy_block(host_args.address()?, args_size)?;
            for aclrtPlaceHolderInfo { addrOffset, dataOffset } in placeholders {
                let (at, to) = (addrOffset as usize, dataOffset as usize);
                if at.saturating_add(8) > args_size || to >= args_size {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "a placeholder at {at} for data at {to} is not within {args_size} bytes of arguments"
                    ));
                }
                bytes[at..at + 8].copy_from_slice(&(copy.address() + to).to_ne_bytes());
            }
            data.push((copy, args_size));
        }
        launch(function, num_blocks, Packed::Host { bytes, data }, stream)
    }

    /// `func` is a function handle: the address of a function that the compiler of host code knows is nothing here.
    pub fn aclrtLaunchKernelWithArgsArray(
        func: *mut c_void,
        num_blocks: u32,
        stream: aclrtStream,
        cfg: *mut aclrtLaunchKernelCfg,
        args: *mut *mut c_void,
    ) {
        check_config(&cfg)?;
        let function = kernel::function(func.raw())?;
        let parameters = &function.found.parameters;
        let mut bytes = vec![0; function.found.kernel.argument_bytes];
        for (index, (parameter, value)) in parameters.iter().zip(args.to_vec(parameters.len())?).enumerate() {
            if value.is_null() {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the pointer to argument {index} is null"));
            }
            let length = parameter.size as usize;
            // SAFETY: Not null, hence a value of the parameter's type, by the contract of the C function.
            let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length) };
            bytes[parameter.offset as usize..][..length].copy_from_slice(value);
        }
        launch(function, num_blocks, Packed::Host { bytes, data: Vec::new() }, stream)
    }
}

fn check_size(function: &Function, size: usize) -> Result {
    let kernel = &function.found.kernel;
    if size < kernel.argument_bytes {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "kernel {} has {} bytes of arguments, and {size} came",
            kernel.name,
            kernel.argument_bytes
        ));
    }
    Ok(())
}

fn launch_on_device(
    func_handle: aclrtFuncHandle,
    num_blocks: u32,
    args_data: &In<c_void>,
    length: usize,
    stream: aclrtStream,
) -> Result {
    let function = kernel::function(func_handle.0)?;
    check_size(&function, length)?;
    if length == 0 {
        return launch(function, num_blocks, Packed::Host { bytes: Vec::new(), data: Vec::new() }, stream);
    }
    let scope = Scope::enter()?;
    let place = Place::find(&scope.simulator, &scope.context.device, args_data.address()?, length)?;
    if !place.is_device() {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "the arguments of kernel {} are in host memory, and must be in the device's",
            function.found.kernel.name
        ));
    }
    launch(function, num_blocks, Packed::Device { place, length }, stream)
}

pub(super) fn launch(
    function: Arc<Function>,
    block_num: u32,
    arguments: Packed,
    stream: aclrtStream,
) -> Result {
    let scope = Scope::enter()?;
    let stream = scope.stream(stream)?;
    let name = &function.found.kernel.name;
    if block_num == 0 || block_num > MAX_BLOCKS {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "kernel {name} is launched on {block_num} blocks, which is not within 1..={MAX_BLOCKS}"
        ));
    }
    if function.device != stream.device.id {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "kernel {name} was loaded on device {}, and stream {} is of device {}",
            function.device,
            stream.id,
            stream.device.id
        ));
    }
    let simulator = Arc::downgrade(&scope.simulator);
    let queued = Queued { function, block_num, arguments, options: options()?, simulator };
    let task = Task::operator("KERNEL", move |stream| {
        queued.run(&stream.device).inspect_err(|_| {
            let arguments = queued.arguments.bytes().unwrap_or_default();
            let function = queued.function.handle.get().copied().unwrap_or(0);
            exception::blame(Some(Blamed { function, arguments }));
        })
    });
    stream.submit(task).map(drop)
}

/// What a launch can be told and the model obeys, or need not obey.
fn check_config(config: &In<aclrtLaunchKernelCfg>) -> Result {
    if config.is_null() {
        return Ok(());
    }
    let config = config.get()?;
    if config.attrs.is_null() && config.numAttrs > 0 {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "the attributes are null, and there are {}",
            config.numAttrs
        ));
    }
    for index in 0..config.numAttrs {
        // SAFETY: The array is not null, hence has as many attributes as the program says.
        let attribute = unsafe { config.attrs.add(index).read() };
        match attribute.id {
            ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE
            | ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE
            | ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH
            | ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP
            | ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT
            | ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US
            | ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING => {}
            ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET | ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE => {
                // SAFETY: Both values are plain numbers of 32 bits at the start of the union.
                let value = unsafe { attribute.value.blockDimOffset };
                if value != 0 {
                    return Err(failure!(
                        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                        "the simulator has no launches with attribute {} of {value}",
                        attribute.id.0
                    ));
                }
            }
            _ => {
                return Err(misuse!(
                    ACL_ERROR_INVALID_PARAM,
                    "there is no launch attribute {}",
                    attribute.id.0
                ));
            }
        }
    }
    Ok(())
}
