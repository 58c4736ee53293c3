//! Which of the kernel's embedded objects a device loads.

use ascendcl::{BackendKind, Device, Package};
use mlapo_kernel::{SIMULATOR_OBJECT, binary_for};

use crate::error::Error;

/// The object for a device: what was built for the simulated one, or for the SoC and the runtime of a real one. Nothing
/// takes the place of an object that is not there.
pub(super) fn object(device: &Device) -> Result<&'static [u8], Error> {
    let runtime = device.runtime();
    match runtime.backend() {
        BackendKind::Sim => Ok(SIMULATOR_OBJECT),
        BackendKind::Npu => {
            let soc = device.properties()?.soc_name;
            // Not known if ASCEND_HOME_PATH is not set (AscendCL docs: aclsysGetCANNVersion); then any object may be tried.
            let version = runtime
                .package_version(Package::Runtime)
                .inspect_err(|error| tracing::debug!(%error, "the version of the installed runtime"))
                .ok();
            let binary = binary_for(&soc, version.as_ref().map(|version| version.full.as_str()))?;
            tracing::info!(soc, ?binary, "kernel for the device");
            Ok(binary.bytes)
        }
    }
}
