//! Start, end, versions.

use std::ffi::c_char;

use ascendcl_sys::*;

use super::abi;
use crate::error::{Result, failure, misuse};
use crate::simulator;

/// The version of CANN whose interface is simulated.
const CANN: (i32, i32, i32) = (9, 1, 0);
const CANN_TEXT: &str = "9.1.0";

/// The version of the interface that the headers declare, as `aclrtGetVersion` counts.
const INTERFACE: (i32, i32, i32) = (1, 17, 0);

/// What counts as installed, by the names of the toolkit's folders with versions; driver and firmware have theirs.
const PACKAGES: [&str; 12] = [
    "asc-devkit",
    "compiler",
    "driver",
    "firmware",
    "ge-compiler",
    "ge-executor",
    "hccl",
    "hcomm",
    "opbase",
    "opp",
    "runtime",
    "toolkit",
];

abi! {
    /// [`crate::init_file`] says what the file is good for.
    pub fn aclInit(config_path: *const c_char) {
        let path = if config_path.is_null() { None } else { Some(config_path.text()?) };
        simulator::start(path.as_deref())
    }

    pub fn aclFinalize() {
        simulator::stop(false).map(drop)
    }

    pub fn aclFinalizeReference(ref_count: *mut u64) {
        let left = simulator::stop(true)?;
        if ref_count.is_null() { Ok(()) } else { ref_count.set(left) }
    }

    pub fn aclrtGetVersion(major_version: *mut i32, minor_version: *mut i32, patch_version: *mut i32) {
        major_version.set(INTERFACE.0)?;
        minor_version.set(INTERFACE.1)?;
        patch_version.set(INTERFACE.2)
    }

    /// Every package is of the simulator's version.
    pub fn aclsysGetCANNVersion(name: aclCANNPackageName, version: *mut aclCANNPackageVersion) {
        if name.0 > ACL_PKG_NAME_DRIVER.0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no package {}", name.0));
        }
        version.set(aclCANNPackageVersion {
            version: c_text(CANN_TEXT),
            majorVersion: c_text(&CANN.0.to_string()),
            minorVersion: c_text(&CANN.1.to_string()),
            releaseVersion: c_text(&CANN.2.to_string()),
            patchVersion: c_text(""),
            reserved: [0; _],
        })
    }

    pub fn aclsysGetVersionStr(pkg_name: *mut c_char, version_str: *mut c_char) {
        known_package(&pkg_name.text()?)?;
        version_str.set_all(CANN_TEXT.bytes().chain([0]).map(|byte| byte as c_char))
    }

    /// One number for major, minor and release: 9.1.0 is 90100000.
    pub fn aclsysGetVersionNum(pkg_name: *mut c_char, version_num: *mut i32) {
        known_package(&pkg_name.text()?)?;
        version_num.set((CANN.0 * 10000 + CANN.1 * 100 + CANN.2) * 1000)
    }
}

fn known_package(name: &str) -> Result {
    if !PACKAGES.contains(&name) {
        return Err(failure!(
            ACL_ERROR_INVALID_PARAM,
            "no package {name:?} is installed; there are {}",
            PACKAGES.join(", ")
        ));
    }
    Ok(())
}

/// A text in an array, cut to fit, with its terminator.
fn c_text<const LENGTH: usize>(text: &str) -> [c_char; LENGTH] {
    let mut array = [0; LENGTH];
    for (to, from) in array.iter_mut().zip(text.bytes()).take(LENGTH - 1) {
        *to = from as c_char;
    }
    array
}
