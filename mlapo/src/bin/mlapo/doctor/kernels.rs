//! Which of the fused kernels that are embedded in this program fits the devices.

use mlapo_kernel::{DeviceBinary, binary_for, device_binaries};
use serde_json::{Value, json};

use super::probe::Devices;

/// The kernel that the operation would load on a device, or why there is none, with the remedy.
pub struct Choice {
    pub device: i32,
    pub soc: String,
    pub kernel: Result<&'static DeviceBinary, String>,
}

/// The choice for each device that opens.
pub fn choices(npu: &Devices) -> Vec<Choice> {
    let opened = npu.found.iter().filter_map(|device| Some((device.id, device.properties.as_ref().ok()?)));
    let choice = |(device, properties): (i32, &super::probe::Properties)| Choice {
        device,
        soc: properties.soc.clone(),
        kernel: binary_for(&properties.soc, npu.runtime.as_deref()).map_err(|error| error.to_string()),
    };
    opened.map(choice).collect()
}

pub fn as_json(npu: &Devices) -> Value {
    let embedded = |binary: &DeviceBinary| {
        json!({
            "arch": binary.arch,
            "toolkit": binary.toolkit_version,
            "runtime": binary.runtime_version,
            "socs": binary.socs,
        })
    };
    let choice = |choice: &Choice| match &choice.kernel {
        Ok(binary) => json!({ "device": choice.device, "soc": choice.soc, "kernel": binary.to_string() }),
        Err(error) => json!({ "device": choice.device, "soc": choice.soc, "kernel": null, "error": error }),
    };
    json!({
        "embedded": device_binaries().iter().map(embedded).collect::<Vec<_>>(),
        "devices": choices(npu).iter().map(choice).collect::<Vec<_>>(),
    })
}
