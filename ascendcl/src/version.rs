//! Versions of the installed software, and the calling thread's last error.

use std::ffi::CString;

use ascendcl_sys as sys;

use crate::error::{AclError, Error, Result, ShapeError};
use crate::raw::version::c_text;
use crate::runtime::Runtime;

/// A part of the installed software (`aclCANNPackageName`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Package {
    /// CANN as a whole.
    Cann,
    /// The runtime.
    Runtime,
    /// The graph compiler.
    Compiler,
    /// Collective communication.
    Hccl,
    /// The development tools.
    Toolkit,
    /// The operators.
    Opp,
    /// The operators' kernels.
    OppKernel,
    /// The driver.
    Driver,
}

/// A version of a part of the software (`aclCANNPackageVersion`); a part that the package does not state is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PackageVersion {
    /// All of it, as the package spells it.
    pub full: String,
    /// The major version.
    pub major: String,
    /// The minor version.
    pub minor: String,
    /// The release, such as `0` or `RC1`.
    pub release: String,
    /// The patch.
    pub patch: String,
}

impl Runtime {
    /// The version of a part of the installed software (`aclsysGetCANNVersion`).
    ///
    /// ```
    /// use ascendcl::{Backend, Package, Runtime};
    /// let version = Runtime::with_backend(Backend::Sim)?.package_version(Package::Cann)?;
    /// assert!(version.full.starts_with(&version.major));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, also if the package is not installed.
    pub fn package_version(&self, package: Package) -> Result<PackageVersion> {
        let version = self.acl().package_version(match package {
            Package::Cann => sys::ACL_PKG_NAME_CANN,
            Package::Runtime => sys::ACL_PKG_NAME_RUNTIME,
            Package::Compiler => sys::ACL_PKG_NAME_COMPILER,
            Package::Hccl => sys::ACL_PKG_NAME_HCCL,
            Package::Toolkit => sys::ACL_PKG_NAME_TOOLKIT,
            Package::Opp => sys::ACL_PKG_NAME_OPP,
            Package::OppKernel => sys::ACL_PKG_NAME_OPP_KERNEL,
            Package::Driver => sys::ACL_PKG_NAME_DRIVER,
        })?;
        Ok(PackageVersion {
            full: c_text(&version.version),
            major: c_text(&version.majorVersion),
            minor: c_text(&version.minorVersion),
            release: c_text(&version.releaseVersion),
            patch: c_text(&version.patchVersion),
        })
    }

    /// The version of an installed package as text, by the name of its directory under `share/info`, or `driver` or
    /// `firmware` (`aclsysGetVersionStr`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Shape`] for a name with a zero byte, [`Error::Acl`] from the
    /// library, also if there is no such package.
    pub fn package_version_text(&self, package: &str) -> Result<String> {
        self.acl().version_text(&c_name(package)?)
    }

    /// The version of an installed package as a number that grows with the version
    /// (`aclsysGetVersionNum`, since 9.1); for names see [`package_version_text`](Self::package_version_text).
    ///
    /// # Errors
    /// As [`package_version_text`](Self::package_version_text).
    pub fn package_version_number(&self, package: &str) -> Result<i32> {
        self.acl().version_number(&c_name(package)?)
    }

    /// The error of the last call that failed on this thread, also outside this crate, which stays as it is
    /// (`aclrtPeekAtLastError`). The library does not tell which call that was.
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] if the library does not have the function.
    pub fn peek_last_error(&self) -> Result<Option<AclError>> {
        Ok(last_error("aclrtPeekAtLastError", self.acl().peek_at_last_error()?))
    }

    /// As [`peek_last_error`](Self::peek_last_error), and forgets the error (`aclrtGetLastError`).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] if the library does not have the function.
    pub fn take_last_error(&self) -> Result<Option<AclError>> {
        Ok(last_error("aclrtGetLastError", self.acl().take_last_error()?))
    }
}

fn last_error(call: &'static str, code: sys::aclError) -> Option<AclError> {
    (code != sys::ACL_SUCCESS).then_some(AclError { call, code, message: None })
}

fn c_name(package: &str) -> Result<CString> {
    CString::new(package)
        .map_err(|_| Error::from(ShapeError::new("package name", "text without zero bytes", package)))
}
