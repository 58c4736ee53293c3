//! Time limits of tasks, and the cores that work may use.

use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::abi;
use super::device::usable;
use super::stream::Scope;
use crate::device::Device;
use crate::error::{Result, misuse};
use crate::simulator;

abi! {
    pub fn aclrtSetOpWaitTimeout(timeout: u32) {
        simulator::get()?.settings.wait_timeout.store(timeout, Ordering::Relaxed);
        Ok(())
    }

    /// No operator and no kernel is held to it: it is a limit of the device's time, which is not simulated.
    pub fn aclrtSetOpExecuteTimeOut(_timeout: u32) {
        simulator::get().map(drop)
    }

    /// As `aclrtSetOpExecuteTimeOut`.
    pub fn aclrtSetOpExecuteTimeOutWithMs(_timeout: u32) {
        simulator::get().map(drop)
    }

    pub fn aclrtSetDeviceResLimit(device_id: i32, type_: aclrtDevResLimitType, value: u32) {
        let simulator = simulator::get()?;
        let device = usable(&simulator, device_id)?;
        let index = core_kind(type_)?;
        let most = Device::all_cores(device.soc)[index];
        if value == 0 || value > most {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{value} cores of 1 to {most}"));
        }
        device.state.lock().cores[index] = value;
        Ok(())
    }

    pub fn aclrtGetDeviceResLimit(device_id: i32, type_: aclrtDevResLimitType, value: *mut u32) {
        let simulator = simulator::get()?;
        let cores = usable(&simulator, device_id)?.state.lock().cores;
        value.set(cores[core_kind(type_)?])
    }

    /// What the device is limited to: streams have no limits of their own here.
    pub fn aclrtGetResInCurrentThread(type_: aclrtDevResLimitType, value: *mut u32) {
        let scope = Scope::enter()?;
        let cores = scope.context.device.state.lock().cores;
        value.set(cores[core_kind(type_)?])
    }

    pub fn aclrtResetDeviceResLimit(device_id: i32) {
        let simulator = simulator::get()?;
        let device = usable(&simulator, device_id)?;
        device.state.lock().cores = Device::all_cores(device.soc);
        Ok(())
    }
}

fn core_kind(kind: aclrtDevResLimitType) -> Result<usize> {
    match kind {
        ACL_RT_DEV_RES_CUBE_CORE => Ok(0),
        ACL_RT_DEV_RES_VECTOR_CORE => Ok(1),
        _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no kind of core {}", kind.0)),
    }
}
