//! The process as other processes name it.

use super::abi;
use crate::simulator;

abi! {
    /// The process's own number: there is no container between the program and the simulated device.
    pub fn aclrtDeviceGetBareTgid(pid: *mut i32) {
        simulator::get()?;
        pid.set(std::process::id().cast_signed())
    }
}
