//! The C functions, one file for each topic.
//!
//! A function is written once, inside [`abi!`]: `build.rs` finds it by its line `pub fn aclXxx(`, checks its
//! signature against the bindings, adds it to the table of [`resolve`], and makes a stub for every function
//! of the bindings that no file defines.
#![allow(non_snake_case, clippy::too_many_arguments)]

mod aclnn;
mod allocator;
mod cache;
mod callback;
mod cann;
mod channel;
mod context;
mod copy;
mod copy_desc;
mod data_buffer;
mod data_type;
mod device;
mod dump;
mod error;
mod event;
pub(crate) mod executor;
mod fill;
mod graph;
mod graph_build;
mod host_memory;
mod init;
mod ipc;
mod kernel;
mod kernel_args;
mod kernel_launch;
mod label;
#[cfg_attr(not(feature = "c-abi"), allow(dead_code, reason = "for programs that link the shared library"))]
mod launch_syntax;
mod limits;
mod managed;
mod mem_pool;
mod memory;
mod notify;
mod op_base;
mod overflow;
mod process;
mod profile;
mod queue;
mod random;
mod reduce;
mod shareable;
pub(crate) mod stream;
mod tensor_desc;
mod vmm;

use std::ffi::{CStr, c_char, c_void};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use ascendcl_sys::*;

use crate::error::{Result, misuse};
use crate::queue as queues;
use crate::report::Leak;

/// Defines C functions.
///
/// ```text
/// abi! {
///     /// Answers with a code: the body is a `Result`.
///     pub fn aclrtFree(dev_ptr: *mut c_void) { ... }
///
/// /// Answers with a value: the body is a `Result` of it, and the value after `else` stands for its errors.
/// pub fn aclrtGetSocName() -> *const c_char, else ptr::null(); { ... } }
/// ```
///
/// In the body each argument is what [`Argument`] makes of it: [`In`] and [`Out`] for pointers. A panic
/// becomes an error.
macro_rules! abi {
    () => {};
    (
        $(#[$attribute:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[cfg_attr(feature = "c-abi", unsafe(no_mangle))]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> ascendcl_sys::aclError {
            $(
                // SAFETY: The caller keeps the contract of the C function: its pointers are null or valid.
                let $argument = unsafe { $crate::abi::Argument::receive($argument, stringify!($argument)) };
            )*
            $crate::error::code_of(stringify!($name), || $body)
        }
        $crate::abi::abi! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $output:ty, else $failed:expr; $body:block
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[cfg_attr(feature = "c-abi", unsafe(no_mangle))]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $output {
            $(
                // SAFETY: The caller keeps the contract of the C function: its pointers are null or valid.
                let $argument = unsafe { $crate::abi::Argument::receive($argument, stringify!($argument)) };
            )*
            $crate::error::value_of(stringify!($name), $failed, || $body)
        }
        $crate::abi::abi! { $($rest)* }
    };
}

pub(crate) use abi;

/// What is alive of the objects that belong to the process, and not to a simulated machine.
pub(crate) fn alive() -> Vec<Leak> {
    [allocator::alive(), channel::alive(), queues::alive()].concat()
}

/// Ends these objects, at `aclFinalize`.
pub(crate) fn reset() {
    allocator::reset();
    channel::reset();
    queues::reset();
}

/// Makes an argument of a C function fit for safe code.
pub(crate) trait Argument: Sized {
    /// What the body of the function gets.
    type Safe;

    /// # Safety
    ///
    /// A pointer must be null or valid for what the C function does with it, for the time of the call.
    unsafe fn receive(self, name: &'static str) -> Self::Safe;
}

/// A pointer that a C function reads through, which may be null.
#[derive(Debug)]
pub(crate) struct In<T> {
    pointer: *mut T,
    name: &'static str,
}

/// A pointer that a C function may also write through.
#[derive(Debug)]
pub(crate) struct Out<T>(In<T>);

impl<T> Argument for *const T {
    type Safe = In<T>;

    unsafe fn receive(self, name: &'static str) -> In<T> {
        In { pointer: self.cast_mut(), name }
    }
}

impl<T> Argument for *mut T {
    type Safe = Out<T>;

    unsafe fn receive(self, name: &'static str) -> Out<T> {
        Out(In { pointer: self, name })
    }
}

impl<T> In<T> {
    pub(crate) fn is_null(&self) -> bool {
        self.pointer.is_null()
    }

    pub(crate) fn raw(&self) -> *mut T {
        self.pointer
    }

    /// The pointer, which must not be null.
    pub(crate) fn required(&self) -> Result<*mut T> {
        if self.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{} is null", self.name));
        }
        Ok(self.pointer)
    }

    /// The address, which must not be null; of memory that may be the device's.
    pub(crate) fn address(&self) -> Result<usize> {
        Ok(self.required()?.expose_provenance())
    }
}

impl<T: Copy> In<T> {
    pub(crate) fn get(&self) -> Result<T> {
        // SAFETY: Not null, hence valid for a read, by the contract of `Argument::receive`.
        Ok(unsafe { self.required()?.read() })
    }

    /// The elements of an array.
    pub(crate) fn to_vec(&self, length: usize) -> Result<Vec<T>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let start = self.required()?;
        // SAFETY: Not null, hence an array of that length, by the contract of `Argument::receive`.
        Ok((0..length).map(|index| unsafe { start.add(index).read() }).collect())
    }
}

impl In<c_char> {
    pub(crate) fn text(&self) -> Result<String> {
        // SAFETY: Not null, hence a C string, by the contract of `Argument::receive`.
        let text = unsafe { CStr::from_ptr(self.required()?) };
        match text.to_str() {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(misuse!(ACL_ERROR_INVALID_PARAM, "{} is not UTF-8", self.name)),
        }
    }
}

impl<T> Deref for Out<T> {
    type Target = In<T>;

    fn deref(&self) -> &In<T> {
        &self.0
    }
}

impl<T> Out<T> {
    pub(crate) fn set(&self, value: T) -> Result {
        // SAFETY: Not null, hence valid for a write, by the contract of `Argument::receive`.
        unsafe { self.required()?.write(value) };
        Ok(())
    }

    /// Writes the elements of an array that has room for them.
    pub(crate) fn set_all(&self, values: impl IntoIterator<Item = T>) -> Result {
        let start = self.required()?;
        for (index, value) in values.into_iter().enumerate() {
            // SAFETY: Not null, hence an array with room for the values, by the contract of
            // `Argument::receive`.
            unsafe { start.add(index).write(value) };
        }
        Ok(())
    }
}

/// Arguments that are what they are.
macro_rules! by_value {
    ($($type:ty),* $(,)?) => {$(
        impl Argument for $type {
            type Safe = Self;

            unsafe fn receive(self, _: &'static str) -> Self {
                self
            }
        }
    )*};
}

by_value!(bool, u8, u16, i32, u32, i64, u64, usize, f32, f64);
by_value!(
    aclrtArgsHandle,
    aclrtBinHandle,
    aclrtBinary,
    aclrtFuncAttribute,
    aclrtFuncHandle,
    aclrtParamHandle
);
by_value!(aclrtContext, aclrtEvent, aclrtNotify, aclrtStream, aclrtTaskGrp, aclmdlRI);
by_value!(aclmdlRICondHandle, aclrtLabel, aclrtLabelList, aclmdlRICondTaskParams);
by_value!(aclrtCallback, aclrtExceptionInfoCallback, aclrtStreamStateCallback);
by_value!(
    aclCannAttr,
    aclDeviceInfo,
    aclCANNPackageName,
    aclSysParamOpt,
    aclmdlRICaptureMode,
    aclmdlRICondHandleFlag,
    aclrtCallbackBlockType,
    aclrtCompareDataType,
    aclrtCondition,
    aclrtDevAttr,
    aclrtDevFeatureType,
    aclrtDevResLimitType,
    aclrtFloatOverflowMode,
    aclrtHostRegisterType,
    aclrtLastErrLevel,
    aclrtMemAttr,
    aclrtMemPool,
    aclrtMemPoolAttr,
    aclrtMemMallocPolicy,
    aclrtDrvMemHandle,
    aclrtIpcEventHandle,
    aclrtMemGranularityOptions,
    aclrtMemHandleType,
    aclrtMemSharedHandleType,
    aclrtMemcpyKind,
    aclrtStreamAttr,
    aclrtStreamConfigAttr,
    aclrtTsId,
);
by_value!(
    aclDataType,
    aclFormat,
    aclMemType,
    aclprofAicoreMetrics,
    aclprofConfigType,
    aclprofStepTag,
    aclrtAllocator,
    aclrtAllocatorAllocAdviseFunc,
    aclrtAllocatorAllocFunc,
    aclrtAllocatorDesc,
    aclrtAllocatorFreeFunc,
    aclrtAllocatorGetAddrFromBlockFunc,
    aclrtCmoType,
    aclrtReduceKind,
    acldumpType,
    Option<unsafe extern "C" fn(*const acldumpChunk, i32) -> i32>,
    acltdtTensorType,
    acltdtQueueAttrType,
    acltdtQueueRouteParamType,
    acltdtQueueRouteQueryInfoParamType,
);

/// The address of the function of a name.
pub(crate) fn resolve(name: &CStr) -> Option<NonNull<c_void>> {
    NonNull::new(table::address(name.to_bytes())?.cast_mut().cast())
}

/// What a function answers that is not simulated.
trait NotSupported {
    const ANSWER: Self;
}

impl NotSupported for aclError {
    const ANSWER: Self = ACL_ERROR_API_NOT_SUPPORT;
}

impl NotSupported for () {
    const ANSWER: Self = ();
}

impl<T> NotSupported for *mut T {
    const ANSWER: Self = ptr::null_mut();
}

impl<T> NotSupported for *const T {
    const ANSWER: Self = ptr::null();
}

macro_rules! answers {
    ($($type:ty: $answer:expr),* $(,)?) => {$(
        impl NotSupported for $type {
            const ANSWER: Self = $answer;
        }
    )*};
}

answers!(u16: 0, u32: 0, u64: 0, usize: 0, i64: 0, f32: 0.0);
answers!(
    aclDataType: ACL_DT_UNDEFINED,
    aclFormat: ACL_FORMAT_UNDEFINED,
    acltdtTensorType: ACL_TENSOR_DATA_UNDEFINED,
    aclrtAllocatorDesc: aclrtAllocatorDesc::null(),
    aclrtBinary: aclrtBinary::null(),
);

/// Defines functions that say that they do nothing.
macro_rules! unsupported {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {$(
        #[cfg_attr(feature = "c-abi", unsafe(no_mangle))]
        unsafe extern "C" fn $name($(_: $type),*) -> $output {
            not_supported(stringify!($name));
            <$output as NotSupported>::ANSWER
        }
    )*};
}

#[cold]
fn not_supported(function: &'static str) {
    let message = "the simulator does not simulate this function".to_owned();
    tracing::warn!(function, "{message}");
    crate::error::note(
        function,
        &crate::error::Error { code: ACL_ERROR_API_NOT_SUPPORT, message, misuse: false },
    );
}

mod table {
    use std::ffi::c_int;

    use super::*;

    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// The end of a wait of this many milliseconds; `None` for -1, for ever.
pub(crate) fn timeout(milliseconds: i32) -> Result<Option<Instant>> {
    match u64::try_from(milliseconds) {
        Ok(0) => Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "a timeout is -1 or a positive number of milliseconds, not 0"
        )),
        Ok(milliseconds) => Ok(Instant::now().checked_add(Duration::from_millis(milliseconds))),
        Err(_) if milliseconds == -1 => Ok(None),
        Err(_) => Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "a timeout is -1 or a positive number of milliseconds, not {milliseconds}"
        )),
    }
}
