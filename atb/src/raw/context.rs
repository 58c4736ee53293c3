//! Contexts.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use atb_sys::atb_context;

use super::{Atb, call};
use crate::error::{Error, Result};

impl Atb {
    /// `CreateContext`. The device's context is the thread's current one.
    pub(crate) fn create_context(&self) -> Result<NonNull<atb_context>> {
        let mut context = ptr::null_mut();
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, "CreateContext": createContext(&mut context)) }?;
        NonNull::new(context).ok_or_else(|| null("CreateContext"))
    }

    /// `DestroyContext`.
    ///
    /// # Safety
    /// The context is alive, nobody uses it afterwards, no operation that was set up in it is left, and the device has done
    /// the work of its operations.
    pub(crate) unsafe fn destroy_context(&self, context: NonNull<atb_context>) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { call!(self, "DestroyContext": destroyContext(context.as_ptr())) }
    }

    /// `Context::SetExecuteStream`.
    ///
    /// # Safety
    /// The context is alive and nobody else uses it now; the stream lives until another one is set or no operation is
    /// executed in the context any more.
    pub(crate) unsafe fn set_execute_stream(
        &self,
        context: NonNull<atb_context>,
        stream: *mut c_void,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { call!(self, "SetExecuteStream": setExecuteStream(context.as_ptr(), stream)) }
    }

    /// `Context::SetAsyncTilingCopyStatus`.
    ///
    /// # Safety
    /// The context is alive, nobody else uses it now, and the device has done the work of its operations.
    pub(crate) unsafe fn set_async_tiling_copy(
        &self,
        context: NonNull<atb_context>,
        enable: bool,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { call!(self, "SetAsyncTilingCopyStatus": setAsyncTilingCopyStatus(context.as_ptr(), enable)) }
    }

    /// `Context::SetLaunchMode`, newer than 8.1.
    ///
    /// # Safety
    /// The context is alive and nobody else uses it now.
    pub(crate) unsafe fn set_launch_mode(&self, context: NonNull<atb_context>, mode: i32) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { call!(self, "SetLaunchMode": setLaunchMode(context.as_ptr(), mode)) }
    }
}

/// A success that gave nothing.
pub(super) fn null(call: &'static str) -> Error {
    Error::of_code(call, atb_sys::ATB_SHIM_INVALID_ARGUMENT, "it answered success and a null pointer".into())
}
