//! Facts and settings of devices.

use ascendcl_sys as sys;

use super::system::MemoryInfo;
use super::{Acl, call};
use crate::error::{Error, Result};

/// How many components [`Acl::memory_usage`] asks for at first.
const COMPONENTS: usize = 32;

impl Acl {
    /// `aclrtGetRunMode`.
    pub(crate) fn run_mode(&self) -> Result<sys::aclrtRunMode> {
        let mut mode = sys::ACL_HOST;
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtGetRunMode(&mut mode)) }?;
        Ok(mode)
    }

    /// `aclrtGetDeviceUtilizationRate`.
    pub(crate) fn utilization(&self, device: i32) -> Result<sys::aclrtUtilizationInfo> {
        let mut info = sys::aclrtUtilizationInfo {
            cubeUtilization: -1,
            vectorUtilization: -1,
            aicpuUtilization: -1,
            memoryUtilization: -1,
            utilizationExtend: std::ptr::null_mut(),
        };
        // SAFETY: a valid out-pointer; its extension is documented as reserved, and null.
        unsafe { call!(self, aclrtGetDeviceUtilizationRate(device, &mut info)) }?;
        Ok(info)
    }

    /// `aclrtQueryDeviceStatus`.
    pub(crate) fn device_status(&self, device: i32) -> Result<sys::aclrtDeviceStatus> {
        let mut status = sys::ACL_RT_DEVICE_STATUS_END;
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtQueryDeviceStatus(device, &mut status)) }?;
        Ok(status)
    }

    /// `aclrtGetDeviceInfo` (since 9.1).
    pub(crate) fn device_attribute(&self, device: u32, attribute: sys::aclrtDevAttr) -> Result<i64> {
        let mut value = 0;
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtGetDeviceInfo(device, attribute, &mut value)) }?;
        Ok(value)
    }

    /// `aclrtGetDeviceCapability` (since 9.1).
    pub(crate) fn device_feature(&self, device: i32, feature: sys::aclrtDevFeatureType) -> Result<i32> {
        let mut value = 0;
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtGetDeviceCapability(device, feature, &mut value)) }?;
        Ok(value)
    }

    /// `aclrtDeviceGetUuid` (since 9.1).
    pub(crate) fn device_uuid(&self, device: i32) -> Result<[u8; 16]> {
        let mut uuid = sys::aclrtUuid { bytes: [0; 16] };
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtDeviceGetUuid(device, &mut uuid)) }?;
        Ok(uuid.bytes.map(|byte| byte.to_ne_bytes()[0]))
    }

    /// `aclrtSynchronizeDeviceWithTimeout` of the current context's device, in milliseconds.
    pub(crate) fn synchronize_device_with_timeout(&self, timeout: i32) -> Result<()> {
        // SAFETY: takes a number; without a current context it answers with an error.
        unsafe { call!(self, aclrtSynchronizeDeviceWithTimeout(timeout)) }
    }

    /// `aclrtGetMemInfo` of one kind of the current device's memory.
    pub(crate) fn memory_info_of(&self, kind: sys::aclrtMemAttr) -> Result<MemoryInfo> {
        let mut info = MemoryInfo { free: 0, total: 0 };
        // SAFETY: valid out-pointers.
        unsafe { call!(self, aclrtGetMemInfo(kind, &mut info.free, &mut info.total)) }?;
        Ok(info)
    }

    /// `aclrtGetMemUsageInfo` (since 9.1), of all components.
    pub(crate) fn memory_usage(&self, device: i32) -> Result<Vec<sys::aclrtMemUsageInfo>> {
        let empty = sys::aclrtMemUsageInfo { name: [0; 32], curMemSize: 0, memPeakSize: 0, reserved: [0; 8] };
        let mut components = vec![empty; COMPONENTS];
        loop {
            let (asked, mut got) = (components.len(), 0);
            // SAFETY: room for `asked` components, and a valid out-pointer.
            unsafe { call!(self, aclrtGetMemUsageInfo(device, components.as_mut_ptr(), asked, &mut got)) }?;
            if got < asked {
                components.truncate(got);
                return Ok(components);
            }
            // There may be more than asked for.
            components.resize(2 * asked, empty);
        }
    }

    /// `aclrtDeviceCanAccessPeer`.
    pub(crate) fn can_access_peer(&self, device: i32, peer: i32) -> Result<bool> {
        let mut can = 0;
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtDeviceCanAccessPeer(&mut can, device, peer)) }?;
        Ok(can == 1)
    }

    /// `aclrtDeviceEnablePeerAccess` for the current context's device.
    pub(crate) fn enable_peer_access(&self, peer: i32) -> Result<()> {
        // SAFETY: takes numbers; the flags are documented as reserved, and 0.
        unsafe { call!(self, aclrtDeviceEnablePeerAccess(peer, 0)) }
    }

    /// `aclrtDeviceDisablePeerAccess` for the current context's device. Work that loses its access fails.
    pub(crate) fn disable_peer_access(&self, peer: i32) -> Result<()> {
        // SAFETY: takes a number; an impossible one is answered with an error.
        unsafe { call!(self, aclrtDeviceDisablePeerAccess(peer)) }
    }

    /// `aclrtGetDeviceResLimit` (since 9.1).
    pub(crate) fn device_limit(&self, device: i32, limit: sys::aclrtDevResLimitType) -> Result<u32> {
        let mut value = 0;
        // SAFETY: a valid out-pointer; the other arguments are numbers.
        unsafe { call!(self, aclrtGetDeviceResLimit(device, limit, &mut value)) }?;
        Ok(value)
    }

    /// `aclrtSetDeviceResLimit` (since 9.1).
    pub(crate) fn set_device_limit(
        &self,
        device: i32,
        limit: sys::aclrtDevResLimitType,
        value: u32,
    ) -> Result<()> {
        // SAFETY: takes numbers; an impossible one is answered with an error.
        unsafe { call!(self, aclrtSetDeviceResLimit(device, limit, value)) }
    }

    /// `aclrtResetDeviceResLimit` (since 9.1).
    pub(crate) fn reset_device_limits(&self, device: i32) -> Result<()> {
        // SAFETY: takes a number; an impossible one is answered with an error.
        unsafe { call!(self, aclrtResetDeviceResLimit(device)) }
    }

    /// `aclrtGetDeviceSatMode` of the current context's device.
    pub(crate) fn overflow_mode(&self) -> Result<sys::aclrtFloatOverflowMode> {
        let mut mode = sys::ACL_RT_OVERFLOW_MODE_UNDEF;
        // SAFETY: a valid out-pointer.
        unsafe { call!(self, aclrtGetDeviceSatMode(&mut mode)) }?;
        Ok(mode)
    }

    /// `aclrtSetDeviceSatMode` of the current context's device.
    pub(crate) fn set_overflow_mode(&self, mode: sys::aclrtFloatOverflowMode) -> Result<()> {
        // SAFETY: takes a number; an impossible one is answered with an error.
        unsafe { call!(self, aclrtSetDeviceSatMode(mode)) }
    }

    /// `aclrtCtxGetSysParamOpt` of the current context.
    pub(crate) fn context_parameter(&self, parameter: sys::aclSysParamOpt) -> Result<Option<i64>> {
        let mut value = 0;
        // SAFETY: a valid out-pointer.
        set_or_none(unsafe { call!(self, aclrtCtxGetSysParamOpt(parameter, &mut value)) })
            .map(|set| set.map(|()| value))
    }

    /// `aclrtCtxSetSysParamOpt` of the current context.
    pub(crate) fn set_context_parameter(&self, parameter: sys::aclSysParamOpt, value: i64) -> Result<()> {
        // SAFETY: takes numbers; an impossible one is answered with an error.
        unsafe { call!(self, aclrtCtxSetSysParamOpt(parameter, value)) }
    }

    /// `aclrtGetSysParamOpt`.
    pub(crate) fn process_parameter(&self, parameter: sys::aclSysParamOpt) -> Result<Option<i64>> {
        let mut value = 0;
        // SAFETY: a valid out-pointer.
        set_or_none(unsafe { call!(self, aclrtGetSysParamOpt(parameter, &mut value)) })
            .map(|set| set.map(|()| value))
    }

    /// `aclrtSetSysParamOpt`.
    pub(crate) fn set_process_parameter(&self, parameter: sys::aclSysParamOpt, value: i64) -> Result<()> {
        // SAFETY: takes numbers; an impossible one is answered with an error.
        unsafe { call!(self, aclrtSetSysParamOpt(parameter, value)) }
    }
}

/// A parameter that nobody has set is an answer, not a failure.
fn set_or_none(result: Result<()>) -> Result<Option<()>> {
    match result {
        Ok(()) => Ok(Some(())),
        Err(Error::Acl(error)) if error.code == sys::ACL_ERROR_RT_SYSPARAMOPT_NOT_SET => Ok(None),
        Err(error) => Err(error),
    }
}
