//! Devices: choosing one, and its facts.

use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::{abi, timeout};
use crate::context;
use crate::device::Device;
use crate::error::{Result, failure, misuse};
use crate::fault;
use crate::simulator::{self, Simulator};

/// Vector cores have this much unified buffer, less what the toolkit keeps (HARDWARE facts, section 1.2).
const UNIFIED_BUFFER: i64 = 192 << 10;
/// The number of AI CPUs that an Atlas A2 leaves to programs.
const AI_CPUS: i64 = 6;
/// The architecture of Atlas A2 and A3 (HARDWARE facts).
const NPU_ARCHITECTURE: i64 = 2201;
/// Streams have priorities from 0, the highest, to this.
const LEAST_PRIORITY: i32 = 7;

abi! {
    pub fn aclrtGetDeviceCount(count: *mut u32) {
        count.set(simulator::get()?.machine.devices)
    }

    pub fn aclrtSetDevice(device_id: i32) {
        let simulator = simulator::get()?;
        simulator.use_device(usable(&simulator, device_id)?).map(drop)
    }

    /// The last reset waits for the work of the device, then takes everything on it away and reports what was
    /// left.
    pub fn aclrtResetDevice(device_id: i32) {
        reset(device_id, false)
    }

    pub fn aclrtResetDeviceForce(device_id: i32) {
        reset(device_id, true)
    }

    pub fn aclrtGetDevice(device_id: *mut i32) {
        simulator::get()?;
        device_id.set(context::current()?.device.id)
    }

    /// The simulator's programs are those of a host.
    pub fn aclrtGetRunMode(run_mode: *mut aclrtRunMode) {
        simulator::get()?;
        run_mode.set(ACL_HOST)
    }

    /// There is one task scheduler, so that the choice has no effect, as documented for such devices.
    pub fn aclrtSetTsDevice(ts_id: aclrtTsId) {
        simulator::get()?;
        context::current()?;
        if ts_id.0 >= ACL_TS_ID_RESERVED.0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no task scheduler {}", ts_id.0));
        }
        Ok(())
    }

    pub fn aclrtSynchronizeDevice() {
        synchronize(-1)
    }

    pub fn aclrtSynchronizeDeviceWithTimeout(timeout: i32) {
        synchronize(timeout)
    }

    pub fn aclrtGetSocName() -> *const c_char, else ptr::null(); {
        let machine = simulator::get()?.machine;
        if machine.devices == 0 {
            return Err(failure!(ACL_ERROR_RT_NO_DEVICE, "there is no device that could have a name"));
        }
        Ok(machine.soc.c_name.as_ptr())
    }

    /// Zeros: the cores are functional, and nothing measures them; -1 is documented for what cannot be told.
    pub fn aclrtGetDeviceUtilizationRate(device_id: i32, utilization_info: *mut aclrtUtilizationInfo) {
        let simulator = simulator::get()?;
        usable(&simulator, device_id)?;
        utilization_info.set(aclrtUtilizationInfo {
            cubeUtilization: 0,
            vectorUtilization: 0,
            aicpuUtilization: 0,
            memoryUtilization: -1,
            utilizationExtend: ptr::null_mut(),
        })
    }

    pub fn aclrtQueryDeviceStatus(device_id: i32, device_status: *mut aclrtDeviceStatus) {
        let simulator = simulator::get()?;
        let device = simulator.device(device_id)?;
        let is_lost = fault::is_lost(device.id);
        device_status.set(if is_lost { ACL_RT_DEVICE_STATUS_ABNORMAL } else { ACL_RT_DEVICE_STATUS_NORMAL })
    }

    pub fn aclGetDeviceCapability(device_id: u32, device_info: aclDeviceInfo, value: *mut i64) {
        let simulator = simulator::get()?;
        let device = usable(&simulator, signed(device_id)?)?;
        value.set(match device_info {
            ACL_DEVICE_INFO_AI_CORE_NUM => device.soc.cube_cores.into(),
            ACL_DEVICE_INFO_VECTOR_CORE_NUM => device.soc.vector_cores().into(),
            ACL_DEVICE_INFO_L2_SIZE => device.soc.l2_bytes.cast_signed(),
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no device info {}", device_info.0)),
        })
    }

    pub fn aclrtGetDeviceInfo(device_id: u32, attr: aclrtDevAttr, value: *mut i64) {
        let simulator = simulator::get()?;
        let device = usable(&simulator, signed(device_id)?)?;
        value.set(match attr {
            ACL_DEV_ATTR_AICPU_CORE_NUM => AI_CPUS,
            ACL_DEV_ATTR_AICORE_CORE_NUM | ACL_DEV_ATTR_CUBE_CORE_NUM => device.soc.cube_cores.into(),
            ACL_DEV_ATTR_VECTOR_CORE_NUM => device.soc.vector_cores().into(),
            ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE => UNIFIED_BUFFER,
            ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE => simulator.machine.memory.cast_signed(),
            ACL_DEV_ATTR_L2_CACHE_SIZE => device.soc.l2_bytes.cast_signed(),
            ACL_DEV_ATTR_PHY_CHIP_ID => device.id.into(),
            ACL_DEV_ATTR_HD_CONNECT_TYPE => ACL_HOST_DEVICE_CONNECT_TYPE_PCIE.into(),
            ACL_DEV_ATTR_IS_VIRTUAL => 0,
            // Cores do not run many threads by one instruction, and 0 is documented for that.
            aclrtDevAttr(threads)
                if (ACL_DEV_ATTR_WARP_SIZE.0..=ACL_DEV_ATTR_MAX_BLOCK_DIM_Z.0).contains(&threads) =>
            {
                0
            }
            ACL_DEV_ATTR_NPU_ARCH => NPU_ARCHITECTURE,
            _ => {
                return Err(failure!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "the simulator has no device attribute {}",
                    attr.0
                ));
            }
        })
    }

    pub fn aclrtGetDeviceCapability(device_id: i32, dev_feature_type: aclrtDevFeatureType, value: *mut i32) {
        let simulator = simulator::get()?;
        usable(&simulator, device_id)?;
        match dev_feature_type {
            ACL_FEATURE_TSCPU_TASK_UPDATE_SUPPORT_AIC_AIV | ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV => {
                value.set(ACL_DEV_FEATURE_NOT_SUPPORT.cast_signed())
            }
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no device feature {}", dev_feature_type.0)),
        }
    }

    pub fn aclrtDeviceGetStreamPriorityRange(least_priority: *mut i32, greatest_priority: *mut i32) {
        simulator::get()?;
        context::current()?;
        least_priority.set(LEAST_PRIORITY)?;
        greatest_priority.set(0)
    }

    /// The number of the device, after a prefix that no real device has.
    pub fn aclrtDeviceGetUuid(device_id: i32, uuid: *mut aclrtUuid) {
        let simulator = simulator::get()?;
        let device = usable(&simulator, device_id)?;
        let mut bytes = *b"simulated\0\0\0\0\0\0\0";
        bytes[12..].copy_from_slice(&device.id.to_be_bytes());
        uuid.set(aclrtUuid { bytes: bytes.map(|byte| byte as c_char) })
    }

    pub fn aclrtDeviceCanAccessPeer(can_access_peer: *mut i32, device_id: i32, peer_device_id: i32) {
        let simulator = simulator::get()?;
        let (device, peer) = (usable(&simulator, device_id)?, usable(&simulator, peer_device_id)?);
        different(device.id, peer.id)?;
        can_access_peer.set(1)
    }

    /// Lets work of the current device touch the memory of another one. It is not mutual.
    pub fn aclrtDeviceEnablePeerAccess(peer_device_id: i32, flags: u32) {
        let simulator = simulator::get()?;
        let device = &context::current()?.device;
        let peer = usable(&simulator, peer_device_id)?;
        different(device.id, peer.id)?;
        if flags != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flags is {flags}, not 0"));
        }
        device.state.lock().peers.insert(peer.id);
        Ok(())
    }

    pub fn aclrtDeviceDisablePeerAccess(peer_device_id: i32) {
        let simulator = simulator::get()?;
        let device = &context::current()?.device;
        let peer = usable(&simulator, peer_device_id)?;
        different(device.id, peer.id)?;
        if !device.state.lock().peers.remove(&peer.id) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "device {} had no access to device {}",
                device.id,
                peer.id
            ));
        }
        Ok(())
    }

    /// For streams that are made afterwards.
    pub fn aclrtSetDeviceSatMode(mode: aclrtFloatOverflowMode) {
        simulator::get()?;
        let saturates = match mode {
            ACL_RT_OVERFLOW_MODE_SATURATION => true,
            ACL_RT_OVERFLOW_MODE_INFNAN => false,
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no overflow mode {}", mode.0)),
        };
        context::current()?.device.saturates.store(saturates, Ordering::Relaxed);
        Ok(())
    }

    pub fn aclrtGetDeviceSatMode(mode: *mut aclrtFloatOverflowMode) {
        simulator::get()?;
        let saturates = context::current()?.device.saturates.load(Ordering::Relaxed);
        mode.set(if saturates { ACL_RT_OVERFLOW_MODE_SATURATION } else { ACL_RT_OVERFLOW_MODE_INFNAN })
    }
}

/// A device that is there and not lost.
pub(super) fn usable(simulator: &Simulator, id: i32) -> Result<&Arc<Device>> {
    let device = simulator.device(id)?;
    fault::check_not_lost(device.id)?;
    Ok(device)
}

fn signed(id: u32) -> Result<i32> {
    i32::try_from(id).map_err(|_| misuse!(ACL_ERROR_RT_INVALID_DEVICEID, "there is no device {id}"))
}

fn different(device: i32, peer: i32) -> Result {
    if device == peer {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "device {device} is no peer of itself"));
    }
    Ok(())
}

fn reset(id: i32, force: bool) -> Result {
    let simulator = simulator::get()?;
    let device = simulator.device(id)?;
    let mut state = device.state.lock();
    match state.references {
        0 => {
            return Err(misuse!(
                ACL_ERROR_RT_CONTEXT_NULL,
                "device {id} is not in use: it was not set, or was reset as often as set"
            ));
        }
        1 => {}
        _ if force => {}
        _ => {
            state.references -= 1;
            return Ok(());
        }
    }
    drop(state);
    simulator.release(device, true);
    Ok(())
}

fn synchronize(milliseconds: i32) -> Result {
    let simulator = simulator::get()?;
    let device = context::current()?.device.id;
    let deadline = timeout(milliseconds)?;
    let mut result = Ok(());
    for stream in simulator.streams_of(device) {
        // Every stream is waited for; the first error is reported.
        result = result.and(stream.synchronize(deadline));
    }
    result
}
