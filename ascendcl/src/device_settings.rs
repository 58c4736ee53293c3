//! Settings of devices: limits, the overflow mode, system parameters, and access to other devices.

use std::sync::Arc;

use ascendcl_sys as sys;

use crate::device::Device;
use crate::device_info::unknown;
use crate::error::{Error, Result};
use crate::runtime::Runtime;

/// A resource of which a process may use less than there is (`aclrtDevResLimitType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Number of cube cores.
    CubeCores,
    /// Number of vector cores.
    VectorCores,
}

/// What becomes of floating-point results that are too large (`aclrtFloatOverflowMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverflowMode {
    /// The largest number of the type.
    Saturation,
    /// Infinity or NaN, as in IEEE 754.
    InfNan,
}

/// A parameter of how operators work (`aclSysParamOpt`).
///
/// Early start of kernels (`ACL_OPT_ENABLE_KERNEL_EARLY_START`) is left out: memory is safe because a stream does its
/// work in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SystemParameter {
    /// Deterministic computation: 0 off, 1 on; CANN 9 has further levels (`ACL_OPT_DETERMINISTIC`).
    Deterministic,
    /// Kernels that check their memory accesses: 0 off, 1 on (`ACL_OPT_ENABLE_DEBUG_KERNEL`).
    DebugKernel,
    /// Results that do not depend on the place of the data: 0 off, 1 on (`ACL_OPT_STRONG_CONSISTENCY`).
    StrongConsistency,
}

impl Limit {
    fn code(self) -> sys::aclrtDevResLimitType {
        match self {
            Self::CubeCores => sys::ACL_RT_DEV_RES_CUBE_CORE,
            Self::VectorCores => sys::ACL_RT_DEV_RES_VECTOR_CORE,
        }
    }
}

impl SystemParameter {
    fn code(self) -> sys::aclSysParamOpt {
        match self {
            Self::Deterministic => sys::ACL_OPT_DETERMINISTIC,
            Self::DebugKernel => sys::ACL_OPT_ENABLE_DEBUG_KERNEL,
            Self::StrongConsistency => sys::ACL_OPT_STRONG_CONSISTENCY,
        }
    }
}

impl Runtime {
    /// The process's value of a parameter, `None` if it was never set (`aclrtGetSysParamOpt`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn system_parameter(&self, parameter: SystemParameter) -> Result<Option<i64>> {
        self.acl().process_parameter(parameter.code())
    }

    /// Sets a parameter for the process (`aclrtSetSysParamOpt`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, also for a value that the parameter does not have.
    pub fn set_system_parameter(&self, parameter: SystemParameter, value: i64) -> Result<()> {
        self.acl().set_process_parameter(parameter.code(), value)
    }
}

impl Device {
    /// The value of a parameter in the device's context, `None` if it was never set there (`aclrtCtxGetSysParamOpt`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn system_parameter(&self, parameter: SystemParameter) -> Result<Option<i64>> {
        self.bind()?.context_parameter(parameter.code())
    }

    /// Sets a parameter in the device's context, which is shared by everything on this device in the process
    /// (`aclrtCtxSetSysParamOpt`).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime, SystemParameter};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// device.set_system_parameter(SystemParameter::Deterministic, 1)?;
    /// assert_eq!(device.system_parameter(SystemParameter::Deterministic)?, Some(1));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, also for a value that the parameter does not have.
    pub fn set_system_parameter(&self, parameter: SystemParameter, value: i64) -> Result<()> {
        self.bind()?.set_context_parameter(parameter.code(), value)
    }

    /// How much of a resource this process may use; without a limit, what there is (`aclrtGetDeviceResLimit`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn limit(&self, limit: Limit) -> Result<u32> {
        self.bind()?.device_limit(self.id(), limit.code())
    }

    /// Limits what work that this process queues from now on may use (`aclrtSetDeviceResLimit`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, Limit, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let all = device.limit(Limit::CubeCores)?;
    /// device.set_limit(Limit::CubeCores, all / 2)?;
    /// assert_eq!(device.limit(Limit::CubeCores)?, all / 2);
    /// device.reset_limits()?;
    /// assert_eq!(device.limit(Limit::CubeCores)?, all);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library, also for none or more than there is.
    pub fn set_limit(&self, limit: Limit, value: u32) -> Result<()> {
        self.bind()?.set_device_limit(self.id(), limit.code(), value)
    }

    /// Lifts all limits (`aclrtResetDeviceResLimit`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn reset_limits(&self) -> Result<()> {
        self.bind()?.reset_device_limits(self.id())
    }

    /// What becomes of floating-point results that are too large (`aclrtGetDeviceSatMode`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, [`Error::Shape`] for a mode that this crate does not know.
    pub fn overflow_mode(&self) -> Result<OverflowMode> {
        match self.bind()?.overflow_mode()? {
            sys::ACL_RT_OVERFLOW_MODE_SATURATION => Ok(OverflowMode::Saturation),
            sys::ACL_RT_OVERFLOW_MODE_INFNAN => Ok(OverflowMode::InfNan),
            other => Err(unknown("overflow mode", "saturation or Inf/NaN", other.0)),
        }
    }

    /// Sets the overflow mode of streams that are made from now on (`aclrtSetDeviceSatMode`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, also for a mode that the device does not have.
    pub fn set_overflow_mode(&self, mode: OverflowMode) -> Result<()> {
        self.bind()?.set_overflow_mode(match mode {
            OverflowMode::Saturation => sys::ACL_RT_OVERFLOW_MODE_SATURATION,
            OverflowMode::InfNan => sys::ACL_RT_OVERFLOW_MODE_INFNAN,
        })
    }

    /// Whether work of this device could touch the memory of another one (`aclrtDeviceCanAccessPeer`).
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a device of another runtime, [`Error::Acl`] from the library, also for the device itself.
    pub fn can_access_peer(&self, peer: &Device) -> Result<bool> {
        self.check_same_runtime(peer)?;
        self.bind()?.can_access_peer(self.id(), peer.id())
    }

    /// Lets work of this device touch the memory of another one, but not the other way round
    /// (`aclrtDeviceEnablePeerAccess`).
    ///
    /// # Errors
    /// As [`can_access_peer`](Self::can_access_peer).
    pub fn enable_peer_access(&self, peer: &Device) -> Result<()> {
        self.check_same_runtime(peer)?;
        self.bind()?.enable_peer_access(peer.id())
    }

    /// Ends what [`enable_peer_access`](Self::enable_peer_access) began (`aclrtDeviceDisablePeerAccess`).
    ///
    /// # Errors
    /// As [`can_access_peer`](Self::can_access_peer), and [`Error::Acl`] if there was no access.
    pub fn disable_peer_access(&self, peer: &Device) -> Result<()> {
        self.check_same_runtime(peer)?;
        self.bind()?.disable_peer_access(peer.id())
    }

    fn check_same_runtime(&self, peer: &Device) -> Result<()> {
        if Arc::ptr_eq(self.runtime().acl(), peer.runtime().acl()) {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: "the peer device",
            expected: format!("{:?}", self.runtime()),
            got: format!("{:?}", peer.runtime()),
        })
    }
}
