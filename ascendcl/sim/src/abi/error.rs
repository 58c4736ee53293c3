//! The errors of the calling thread, and of tasks.

use std::ffi::{c_char, c_void};
use std::ptr;

use ascendcl_sys::*;

use super::{In, abi};
use crate::error::{self, Result, failure, misuse};
use crate::exception::{self, ExceptionInfo, FailedKernel};
use crate::{fault, simulator};

abi! {
    /// Asking is no call that can fail, so the error stays as it is.
    pub fn aclrtPeekAtLastError(_level: aclrtLastErrLevel) -> aclError, else ACL_ERROR_INTERNAL_ERROR; {
        Ok(error::last())
    }

    pub fn aclrtGetLastError(_level: aclrtLastErrLevel) -> aclError, else ACL_ERROR_INTERNAL_ERROR; {
        Ok(error::take_last())
    }

    /// Takes the thread's messages; the text is valid until the thread asks again.
    pub fn aclGetRecentErrMsg() -> *const c_char, else ptr::null(); {
        Ok(error::recent_message())
    }

    pub fn aclrtSetExceptionInfoCallback(callback: aclrtExceptionInfoCallback) {
        exception::set_callback(callback);
        Ok(())
    }

    pub fn aclrtGetTaskIdFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.task)
    }

    pub fn aclrtGetStreamIdFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.stream)
    }

    pub fn aclrtGetThreadIdFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.thread)
    }

    pub fn aclrtGetDeviceIdFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.device)
    }

    /// The arguments of the kernel that failed are in device memory, for the time of the callback.
    pub fn aclrtGetArgsFromExceptionInfo(
        info: *const aclrtExceptionInfo,
        dev_args_ptr: *mut *mut c_void,
        dev_args_len: *mut u32,
    ) {
        dev_args_ptr.required()?;
        dev_args_len.required()?;
        let kernel = failed_kernel(&info)?;
        dev_args_ptr.set(ptr::with_exposed_provenance_mut(kernel.arguments))?;
        dev_args_len.set(kernel.length)
    }

    pub fn aclrtGetFuncHandleFromExceptionInfo(info: *const aclrtExceptionInfo, func: *mut aclrtFuncHandle) {
        func.required()?;
        func.set(aclrtFuncHandle(ptr::without_provenance_mut(failed_kernel(&info)?.function)))
    }

    /// The only fault of a device that the simulator has is that it is lost, which has no details.
    pub fn aclrtGetErrorVerbose(device_id: i32, error_info: *mut aclrtErrorInfo) {
        error_info.required()?;
        let device = simulator::get()?.device(device_id)?.id;
        let error = if fault::is_lost(device) { ACL_RT_ERROR_OTHERS } else { ACL_RT_NO_ERROR };
        // SAFETY: The type is made of plain numbers and pointers, for which all bits may be zero.
        let mut info: aclrtErrorInfo = unsafe { std::mem::zeroed() };
        info.errorType = error;
        error_info.set(info)
    }

    pub fn aclrtGetErrorCodeFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.code)
    }
}

fn failed_kernel(info: &In<aclrtExceptionInfo>) -> Result<FailedKernel> {
    exception_info(info)?.kernel.ok_or_else(|| {
        failure!(
            ACL_ERROR_INVALID_PARAM,
            "the task that failed is no kernel, and has neither function nor arguments"
        )
    })
}

fn exception_info(info: &In<aclrtExceptionInfo>) -> Result<ExceptionInfo> {
    if info.is_null() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "info is null"));
    }
    // SAFETY: A program gets such a pointer from `exception::notify` alone, where it points to this type, for
    // the time of the callback.
    Ok(unsafe { info.raw().cast::<ExceptionInfo>().read() })
}
