//! The errors of the calling thread, and of tasks.

use std::ffi::c_char;
use std::ptr;

use ascendcl_sys::*;

use super::{In, abi};
use crate::error::{self, Result, misuse};
use crate::exception::{self, ExceptionInfo};

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

    pub fn aclrtGetErrorCodeFromExceptionInfo(info: *const aclrtExceptionInfo) -> u32, else u32::MAX; {
        Ok(exception_info(&info)?.code)
    }
}

fn exception_info(info: &In<aclrtExceptionInfo>) -> Result<ExceptionInfo> {
    if info.is_null() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "info is null"));
    }
    // SAFETY: A program gets such a pointer from `exception::notify` alone, where it points to this type, for
    // the time of the callback.
    Ok(unsafe { info.raw().cast::<ExceptionInfo>().read() })
}
