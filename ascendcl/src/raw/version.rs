//! Versions of the installed software, and the calling thread's last error.

use std::ffi::{CStr, c_char};

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

impl Acl {
    /// `aclsysGetCANNVersion`.
    pub(crate) fn package_version(
        &self,
        package: sys::aclCANNPackageName,
    ) -> Result<sys::aclCANNPackageVersion> {
        let mut version = sys::aclCANNPackageVersion {
            version: [0; 128],
            majorVersion: [0; 64],
            minorVersion: [0; 64],
            releaseVersion: [0; 64],
            patchVersion: [0; 64],
            reserved: [0; 128],
        };
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclsysGetCANNVersion(package, &mut version)) }?;
        Ok(version)
    }

    /// `aclsysGetVersionStr` (since 9.1).
    pub(crate) fn version_text(&self, package: &CStr) -> Result<String> {
        let mut text: [c_char; sys::ACL_PKG_VERSION_MAX_SIZE as usize] = [0; _];
        // SAFETY: the name is a C string that is only read, and the answer has room for the documented length.
        unsafe { call!(self, aclsysGetVersionStr(package.as_ptr().cast_mut(), text.as_mut_ptr())) }?;
        Ok(c_text(&text))
    }

    /// `aclsysGetVersionNum` (since 9.1).
    pub(crate) fn version_number(&self, package: &CStr) -> Result<i32> {
        let mut number = 0;
        // SAFETY: the name is a C string that is only read, and the out-pointer is valid.
        unsafe { call!(self, aclsysGetVersionNum(package.as_ptr().cast_mut(), &mut number)) }?;
        Ok(number)
    }

    /// `aclrtPeekAtLastError` of this thread.
    pub(crate) fn peek_at_last_error(&self) -> Result<sys::aclError> {
        // SAFETY: takes a number.
        Ok(unsafe { self.functions.aclrtPeekAtLastError(sys::ACL_RT_THREAD_LEVEL) }?)
    }

    /// `aclrtGetLastError` of this thread.
    pub(crate) fn take_last_error(&self) -> Result<sys::aclError> {
        // SAFETY: takes a number.
        Ok(unsafe { self.functions.aclrtGetLastError(sys::ACL_RT_THREAD_LEVEL) }?)
    }
}

/// The text of an array that a C string may fill entirely.
pub(crate) fn c_text(array: &[c_char]) -> String {
    let bytes: Vec<u8> =
        array.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
