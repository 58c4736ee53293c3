//! Lists of arguments for kernels.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use ascendcl_sys::*;
use parking_lot::Mutex;

use super::{In, abi, kernel};
use crate::error::{Error, Result, failure, misuse};
use crate::kernel::{Function, Packed};
use crate::raw::{self, HostBlock};

/// The most parameters of a list (AscendCL docs: kernel loading and execution).
const MAX_PARAMETERS: usize = 128;
/// What a list in the program's memory takes: the list itself is the simulator's.
const HANDLE_BYTES: usize = 64;

/// A list of arguments.
struct Arguments {
    function: Arc<Function>,
    bytes: Vec<u8>,
    /// What was appended, by the order of it.
    appended: Vec<Appended>,
    /// How many of the kernel's parameters have their value.
    filled: usize,
    /// Bytes that the program's memory has room for.
    room: usize,
    is_final: bool,
}

/// A parameter, or several at once.
struct Appended {
    offset: usize,
    length: usize,
    /// What a placeholder points to, once the program asked for it.
    data: Option<(Arc<HostBlock>, usize)>,
    is_placeholder: bool,
}

// Numbers that are no addresses of the program's memory, which lists by handle share the map with.
const TAG: usize = 0x61 << (usize::BITS - 8);
static NEXT: AtomicUsize = AtomicUsize::new(1);
thread_local! {
    /// The handle of the thread's own list.
    static OWN_LIST: usize = TAG | NEXT.fetch_add(1, Ordering::Relaxed) << 4;
}
static LISTS: LazyLock<Mutex<HashMap<usize, Arguments>>> = LazyLock::new(Mutex::default);

abi! {
    pub fn aclrtKernelArgsGetHandleMemSize(func_handle: aclrtFuncHandle, mem_size: *mut usize) {
        kernel::function(func_handle.0)?;
        mem_size.set(HANDLE_BYTES)
    }

    pub fn aclrtKernelArgsGetMemSize(
        func_handle: aclrtFuncHandle,
        user_args_size: usize,
        actual_args_size: *mut usize,
    ) {
        kernel::function(func_handle.0)?;
        let size = user_args_size.checked_next_multiple_of(8);
        actual_args_size.set(size.ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "the arguments are too large"))?)
    }

    /// The list is the thread's, and ends with the next one or when its binary is unloaded. The documents say no end of it;
    /// programs launch a list before they make the next, and no function would give it back.
    pub fn aclrtKernelArgsInit(func_handle: aclrtFuncHandle, args_handle: *mut aclrtArgsHandle) {
        args_handle.required()?;
        let function = kernel::function(func_handle.0)?;
        let number = OWN_LIST.with(|number| *number);
        LISTS.lock().insert(number, Arguments::new(function, usize::MAX));
        args_handle.set(aclrtArgsHandle(ptr::without_provenance_mut(number)))
    }

    /// The handle is the program's memory, and may be initialized anew.
    pub fn aclrtKernelArgsInitByUserMem(
        func_handle: aclrtFuncHandle,
        args_handle: aclrtArgsHandle,
        user_host_mem: *mut c_void,
        actual_args_size: usize,
    ) {
        let function = kernel::function(func_handle.0)?;
        if args_handle.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the memory for the handle is null"));
        }
        if actual_args_size > 0 {
            user_host_mem.required()?;
        }
        LISTS.lock().insert(args_handle.0.addr(), Arguments::new(function, actual_args_size));
        Ok(())
    }

    /// A value is that of the next parameter, or of several as the kernel's compiler lays them out.
    pub fn aclrtKernelArgsAppend(
        args_handle: aclrtArgsHandle,
        param: *mut c_void,
        param_size: usize,
        param_handle: *mut aclrtParamHandle,
    ) {
        let value = host_bytes(&param, param_size)?;
        let number = with(args_handle, |list| list.append(&value, false))?;
        param_handle.set(handle(number))
    }

    pub fn aclrtKernelArgsAppendPlaceHolder(args_handle: aclrtArgsHandle, param_handle: *mut aclrtParamHandle) {
        let number = with(args_handle, |list| list.append(&[0; 8], true))?;
        param_handle.set(handle(number))
    }

    /// The memory lives as long as the list. Each launch takes a copy of it to the device.
    pub fn aclrtKernelArgsGetPlaceHolderBuffer(
        args_handle: aclrtArgsHandle,
        param_handle: aclrtParamHandle,
        data_size: usize,
        buffer_addr: *mut *mut c_void,
    ) {
        buffer_addr.required()?;
        let address = with(args_handle, |list| list.placeholder(param_handle, data_size))?;
        buffer_addr.set(ptr::with_exposed_provenance_mut(address))
    }

    pub fn aclrtKernelArgsParaUpdate(
        args_handle: aclrtArgsHandle,
        param_handle: aclrtParamHandle,
        param: *mut c_void,
        param_size: usize,
    ) {
        let value = host_bytes(&param, param_size)?;
        with(args_handle, |list| list.update(param_handle, &value))
    }

    pub fn aclrtKernelArgsFinalize(args_handle: aclrtArgsHandle) {
        with(args_handle, |list| {
            let parameters = list.function.found.parameters.len();
            if list.filled != parameters {
                return Err(list.wrong(format!("{} of {parameters} arguments were appended", list.filled)));
            }
            list.is_final = true;
            Ok(())
        })
    }
}

/// What a launch of a function takes from a list.
pub(super) fn pack(handle: aclrtArgsHandle, function: &Arc<Function>) -> Result<Packed> {
    with(handle, |list| {
        if !Arc::ptr_eq(&list.function, function) {
            let wanted = &function.found.kernel.name;
            return Err(list.wrong(format!("the list of arguments is used for kernel {wanted}")));
        }
        if !list.is_final {
            return Err(list.wrong("aclrtKernelArgsFinalize was not called after the last change".to_owned()));
        }
        let mut bytes = list.bytes.clone();
        let mut data = Vec::new();
        for appended in list.appended.iter().filter(|appended| appended.is_placeholder) {
            let Some((block, length)) = &appended.data else {
                return Err(list.wrong("a placeholder has no buffer".to_owned()));
            };
            let copy = copy_block(block.address(), *length)?;
            bytes[appended.offset..][..8].copy_from_slice(&copy.address().to_ne_bytes());
            data.push((copy, *length));
        }
        Ok(Packed::Host { bytes, data })
    })
}

/// A copy of host memory for one launch.
pub(super) fn copy_block(from: usize, length: usize) -> Result<Arc<HostBlock>> {
    let block = HostBlock::new(length).ok_or_else(|| {
        failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {length} bytes for arguments")
    })?;
    // SAFETY: The block was just allocated for as many bytes; the source is a block of a list, or memory that the
    // program lends to the call.
    unsafe { raw::copy(block.address(), from, length) };
    Ok(Arc::new(block))
}

/// Ends the lists of a function.
pub(super) fn forget(function: &Arc<Function>) {
    LISTS.lock().retain(|_, list| !Arc::ptr_eq(&list.function, function));
}

fn with<R>(handle: aclrtArgsHandle, body: impl FnOnce(&mut Arguments) -> Result<R>) -> Result<R> {
    let mut lists = LISTS.lock();
    let list = lists.get_mut(&handle.0.addr()).ok_or_else(|| {
        misuse!(ACL_ERROR_RT_INVALID_HANDLE, "{:#x} is no list of kernel arguments", handle.0.addr())
    })?;
    body(list)
}

fn handle(number: usize) -> aclrtParamHandle {
    aclrtParamHandle(ptr::without_provenance_mut(TAG | (number + 1)))
}

/// The bytes of a value that the program lends to the call.
pub(super) fn host_bytes(value: &In<c_void>, size: usize) -> Result<Vec<u8>> {
    if size == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the argument has 0 bytes"));
    }
    let start = value.required()?.cast::<u8>();
    // SAFETY: Not null, hence host memory of that length, by the contract of the C function.
    Ok(unsafe { std::slice::from_raw_parts(start, size) }.to_vec())
}

impl Arguments {
    fn new(function: Arc<Function>, room: usize) -> Self {
        let bytes = vec![0; function.found.kernel.argument_bytes];
        Self { function, bytes, appended: Vec::new(), filled: 0, room, is_final: false }
    }

    fn wrong(&self, what: String) -> Error {
        misuse!(ACL_ERROR_RT_PARAM_INVALID, "kernel {}: {what}", self.function.found.kernel.name)
    }

    fn append(&mut self, value: &[u8], is_placeholder: bool) -> Result<usize> {
        let parameters = &self.function.found.parameters;
        if self.appended.len() == MAX_PARAMETERS {
            return Err(self.wrong(format!("a list has at most {MAX_PARAMETERS} arguments")));
        }
        if self.appended.iter().any(|appended| appended.data.is_some()) {
            return Err(
                self.wrong("arguments are appended before the buffers of placeholders are asked for".into())
            );
        }
        let Some(first) = parameters.get(self.filled) else {
            return Err(self.wrong(format!("it has {} parameters, and one more was appended", self.filled)));
        };
        let offset = first.offset as usize;
        let end = offset.saturating_add(value.len());
        let last =
            parameters[self.filled..].iter().position(|last| (last.offset + last.size) as usize == end);
        let Some(last) = last else {
            return Err(self.wrong(format!(
                "parameter {} has {} bytes, and {} were appended",
                self.filled,
                first.size,
                value.len()
            )));
        };
        if end > self.room {
            return Err(self.wrong(format!("the program's memory has {} bytes for arguments", self.room)));
        }
        self.bytes[offset..end].copy_from_slice(value);
        self.filled += last + 1;
        self.is_final = false;
        self.appended.push(Appended { offset, length: value.len(), data: None, is_placeholder });
        Ok(self.appended.len() - 1)
    }

    fn find(&mut self, handle: aclrtParamHandle, is_placeholder: bool) -> Result<usize> {
        let index = handle.0.addr().wrapping_sub(TAG + 1);
        match self.appended.get(index) {
            Some(appended) if appended.is_placeholder == is_placeholder => Ok(index),
            Some(_) if is_placeholder => Err(self.wrong(format!("argument {index} is no placeholder"))),
            Some(_) => Err(self.wrong(format!("argument {index} is a placeholder"))),
            None => Err(self.wrong(format!("{:#x} is no argument of the list", handle.0.addr()))),
        }
    }

    fn placeholder(&mut self, handle: aclrtParamHandle, size: usize) -> Result<usize> {
        let index = self.find(handle, true)?;
        if size == 0 {
            return Err(self.wrong("the buffer of a placeholder has 0 bytes".to_owned()));
        }
        let block = HostBlock::new(size).ok_or_else(|| {
            failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {size} bytes for a placeholder")
        })?;
        // SAFETY: The block was just allocated for as many bytes.
        unsafe { raw::fill(block.address(), 0, size) };
        let address = block.address();
        self.appended[index].data = Some((Arc::new(block), size));
        Ok(address)
    }

    fn update(&mut self, handle: aclrtParamHandle, value: &[u8]) -> Result {
        let index = self.find(handle, false)?;
        let Appended { offset, length, .. } = self.appended[index];
        if value.len() != length {
            return Err(self.wrong(format!("argument {index} has {length} bytes, and {} came", value.len())));
        }
        self.bytes[offset..offset + length].copy_from_slice(value);
        self.is_final = false;
        Ok(())
    }
}
