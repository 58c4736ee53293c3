//! Which of the kernel's embedded objects a device loads.

use ascendcl::{BackendKind, Device, Package};
use mlapo_kernel::{SIMULATOR_OBJECT, binary_for, is_comparable};

use crate::error::Error;

/// The object for a device: what was built for the simulated one, or for the SoC and the runtime of a real one. Nothing
/// takes the place of an object that is not there.
pub(super) fn object(device: &Device) -> Result<&'static [u8], Error> {
    let runtime = device.runtime();
    match runtime.backend() {
        BackendKind::Sim => Ok(SIMULATOR_OBJECT),
        BackendKind::Npu => {
            let soc = device.properties()?.soc_name;
            // Not known if ASCEND_HOME_PATH is not set (AscendCL docs: aclsysGetCANNVersion).
            let installed = runtime.package_version(Package::Runtime).map(|version| version.full);
            let version = installed.as_deref().ok().filter(|version| is_comparable(version));
            let binary = binary_for(&soc, version)?;
            match version {
                Some(version) => tracing::info!(soc, version, ?binary, "kernel for the device"),
                None => tracing::warn!(
                    soc,
                    ?binary,
                    ?installed,
                    "the version of the installed runtime is not known, so the kernel of the oldest toolkit is taken; \
                     `source` the toolkit's set_env.sh, which sets ASCEND_HOME_PATH"
                ),
            }
            Ok(binary.bytes)
        }
    }
}
