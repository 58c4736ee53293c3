//! Kernel binaries, their functions and launches.

use std::ffi::{CStr, c_void};
use std::ptr;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;
use crate::kernel::KernelArg;

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

    /// Queues a kernel with arguments as its compiler lays them out (`aclrtKernelArgsInitByUserMem` to
    /// `aclrtLaunchKernelWithConfig`). The library copies the arguments before it returns.
    ///
    /// # Safety
    /// The function's binary is loaded, the arguments are what the kernel takes, and the stream is alive. `handle` and
    /// `list` have the sizes that [`kernel_args_sizes`](Self::kernel_args_sizes) says. What the kernel touches stays alive
    /// until it has run.
    pub(crate) unsafe fn launch_kernel(
        &self,
        function: sys::aclrtFuncHandle,
        blocks: u32,
        arguments: &mut [u8],
        (handle, list): (&mut [u64], &mut [u64]),
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let args = sys::aclrtArgsHandle(handle.as_mut_ptr().cast());
        let mut parameter = sys::aclrtParamHandle::null();
        // SAFETY: by contract: the memory has the sizes that the library asked for, and the arguments are borrowed for
        // the call, which copies them.
        unsafe {
            call!(
                self,
                aclrtKernelArgsInitByUserMem(
                    function,
                    args,
                    list.as_mut_ptr().cast::<c_void>(),
                    size_of_val(list)
                )
            )?;
            if !arguments.is_empty() {
                call!(
                    self,
                    aclrtKernelArgsAppend(
                        args,
                        arguments.as_mut_ptr().cast(),
                        arguments.len(),
                        &mut parameter
                    )
                )?;
            }
            call!(self, aclrtKernelArgsFinalize(args))?;
            call!(
                self,
                aclrtLaunchKernelWithConfig(function, blocks, stream, ptr::null_mut(), args, ptr::null_mut())
            )
        }
    }
}

/// The bytes of an argument.
pub(crate) fn argument_bytes<T: KernelArg>(value: &T) -> &[u8] {
    // SAFETY: all bytes of a `KernelArg` are initialized.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}
