//! The kernel as it was built for real devices.

mod soc;
#[cfg(test)]
mod tests;

use std::fmt;

pub use soc::{ARCH, SOCS};

/// A kernel for real devices that is part of this program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceBinary {
    /// NPU architecture, as the compiler calls it: [`ARCH`].
    pub arch: &'static str,
    /// The SoCs that it is for, as `aclrtGetSocName` calls them.
    pub socs: &'static [&'static str],
    /// Release of the toolkit that built it, such as `8.1.RC1`.
    pub toolkit_version: &'static str,
    /// Version of that toolkit's runtime, as `aclsysGetCANNVersion` tells it; older toolkits count their packages otherwise
    /// than their releases (`7.7.0.1.238` belongs to `8.1.RC1`).
    pub runtime_version: &'static str,
    /// What the library loads (`aclrtBinaryLoadFromData`).
    pub bytes: &'static [u8],
    /// SHA-256 of the source that it was built from.
    pub source_hash: &'static str,
}

impl fmt::Display for DeviceBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arch, toolkit_version, runtime_version, .. } = self;
        write!(f, "{arch} by CANN {toolkit_version} (runtime {runtime_version})")
    }
}

impl fmt::Debug for DeviceBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBinary({self}, {} bytes)", self.bytes.len())
    }
}

/// Why this program has no kernel for a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoBinary {
    /// The kernel's source is not for such a device.
    #[error("the kernel is for NPU architecture {ARCH} ({}), not for {soc}", SOCS.join(", "))]
    UnsupportedSoc {
        /// The device.
        soc: String,
    },
    /// The kernel was not built for the device when this program was built.
    #[error(
        "no kernel for {soc} is embedded in this program (embedded: {}); on a machine with the CANN toolkit {}",
        list(.embedded), remedy(soc)
    )]
    NotBuilt {
        /// The device.
        soc: String,
        /// The kernels that are there.
        embedded: Vec<DeviceBinary>,
    },
    /// All kernels for the device were built by newer toolkits than the one that is to load them.
    #[error(
        "every kernel for {soc} that is embedded in this program was built by a newer toolkit (embedded: {}) than the \
         installed runtime {installed}; with the installed toolkit {}",
        list(.embedded), remedy(soc)
    )]
    NewerToolkit {
        /// The device.
        soc: String,
        /// Version of the installed runtime.
        installed: String,
        /// The kernels that are there.
        embedded: Vec<DeviceBinary>,
    },
}

/// What embeds a kernel, for a program in this workspace and for one that has the crate from elsewhere.
fn remedy(soc: &str) -> String {
    format!(
        "run `cargo xtask build-kernels --soc {soc}` in the workspace of mlapo-kernel {}, then build the program again; if \
         the program is not of that workspace, add `--out DIR` to the command, and build the program with \
         MLAPO_KERNEL_ARTIFACTS=DIR",
        env!("CARGO_PKG_VERSION")
    )
}

fn list(binaries: &[DeviceBinary]) -> String {
    if binaries.is_empty() {
        return "none".to_owned();
    }
    binaries.iter().map(DeviceBinary::to_string).collect::<Vec<_>>().join(", ")
}

/// Written by the build script: what fits the source in `artifacts/`, or in the folder that is named in its place.
static BINARIES: &[DeviceBinary] = include!(concat!(env!("OUT_DIR"), "/device_binaries.rs"));

/// Every kernel for real devices that is part of this program; none unless `cargo xtask build-kernels` was run before it
/// was built. The crate says [how](crate#kernels-for-real-devices).
pub fn device_binaries() -> &'static [DeviceBinary] {
    BINARIES
}

/// The kernel for a SoC, which is named as by `aclrtGetSocName`, and an installed runtime, whose version is as
/// `aclsysGetCANNVersion` tells it.
///
/// A toolkit's libraries load what older toolkits built. Of several kernels the one of the newest toolkit that is not newer
/// than the installed runtime is taken; if that version is not known or cannot be compared ([`is_comparable`]), the one of
/// the oldest toolkit.
///
/// # Errors
/// [`NoBinary`] if the kernel's source is not for the SoC, it was not built for it, or only by newer toolkits; the message
/// says what is embedded and how to build what is missing.
pub fn binary_for(soc: &str, runtime_version: Option<&str>) -> Result<&'static DeviceBinary, NoBinary> {
    select(BINARIES, soc, runtime_version)
}

/// Whether a version of a runtime has the numbers by which [`binary_for`] compares it.
pub fn is_comparable(runtime_version: &str) -> bool {
    version(runtime_version).is_some()
}

fn select<'a>(
    binaries: &'a [DeviceBinary],
    soc: &str,
    runtime_version: Option<&str>,
) -> Result<&'a DeviceBinary, NoBinary> {
    let (soc_name, embedded) = (soc.to_owned(), binaries.to_vec());
    if !SOCS.contains(&soc) {
        return Err(NoBinary::UnsupportedSoc { soc: soc_name });
    }
    let of_soc = || binaries.iter().filter(|binary| binary.socs.contains(&soc));
    let Some(oldest) = of_soc().min_by_key(|binary| version(binary.runtime_version)) else {
        return Err(NoBinary::NotBuilt { soc: soc_name, embedded });
    };
    let Some((text, installed)) = runtime_version.and_then(|text| Some((text, version(text)?))) else {
        return Ok(oldest);
    };
    of_soc()
        .filter(|binary| version(binary.runtime_version) <= Some(installed))
        .max_by_key(|binary| version(binary.runtime_version))
        .ok_or_else(|| NoBinary::NewerToolkit { soc: soc_name, installed: text.to_owned(), embedded })
}

/// Major and minor version; what follows them does not decide what can be loaded. A text without them is older than all.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
