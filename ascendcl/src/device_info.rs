//! Facts about devices beyond their [properties](crate::DeviceProperties).

use std::time::Duration;

use ascendcl_sys as sys;

use crate::device::{Device, MemoryInfo};
use crate::error::{Error, Result, ShapeError};
use crate::raw::version::c_text;
use crate::runtime::Runtime;
use crate::stream::milliseconds;

/// Where the program runs (`aclrtRunMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunMode {
    /// On a host, with the device at the other end of a bus (`ACL_HOST`).
    Host,
    /// On the device's own processors (`ACL_DEVICE`).
    Device,
}

/// Whether a device works (`aclrtDeviceStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceStatus {
    /// It can be used (`ACL_RT_DEVICE_STATUS_NORMAL`).
    Normal,
    /// It cannot (`ACL_RT_DEVICE_STATUS_ABNORMAL`).
    Abnormal,
}

/// How busy a device is, in percent; `None` where the device cannot tell (`aclrtUtilizationInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Utilization {
    /// Cube cores.
    pub cube: Option<u32>,
    /// Vector cores.
    pub vector: Option<u32>,
    /// AI CPUs.
    pub ai_cpu: Option<u32>,
    /// Device memory.
    pub memory: Option<u32>,
}

/// What [`Device::attribute`] can tell (`aclrtDevAttr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceAttribute {
    /// Number of AI CPUs.
    AiCpus,
    /// Number of AI Cores.
    AiCores,
    /// Number of cube cores.
    CubeCores,
    /// Number of vector cores.
    VectorCores,
    /// Bytes of unified buffer of a vector core.
    UnifiedBufferBytes,
    /// Bytes of device memory.
    MemoryBytes,
    /// Bytes of the L2 cache.
    L2Bytes,
    /// Number of the chip in the machine.
    PhysicalChip,
    /// Number of the system whose processors share memory.
    Smp,
    /// Number of the device in its super pod.
    SuperPodDevice,
    /// Number of the server in its super pod.
    SuperPodServer,
    /// Number of the super pod.
    SuperPod,
    /// Whether the device is a part of a divided one: 1, or 0.
    IsVirtual,
    /// Architecture, such as 2201 for Atlas A2.
    Architecture,
}

/// What a device may or may not support (`aclrtDevFeatureType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceFeature {
    /// Tasks of AI Cores in a graph can be changed (`ACL_FEATURE_TSCPU_TASK_UPDATE_SUPPORT_AIC_AIV`).
    TaskUpdate,
    /// Memory queues' events cross devices (`ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV`).
    QueueEventsAcrossDevices,
}

/// Device memory by the size of its pages and by its use (`aclrtMemAttr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryKind {
    /// Normal pages (`ACL_HBM_MEM_NORMAL`).
    Normal,
    /// Huge pages of 2 MiB (`ACL_HBM_MEM_HUGE`).
    Huge,
    /// Pages of 1 GiB (`ACL_HBM_MEM_HUGE1G`).
    Gigantic,
    /// Normal pages for copies between devices (`ACL_HBM_MEM_P2P_NORMAL`).
    PeerNormal,
    /// Huge pages for copies between devices (`ACL_HBM_MEM_P2P_HUGE`).
    PeerHuge,
    /// Pages of 1 GiB for copies between devices (`ACL_HBM_MEM_P2P_HUGE1G`).
    PeerGigantic,
}

/// What a component of the software uses of a device's memory (`aclrtMemUsageInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// The component.
    pub component: String,
    /// Bytes in use.
    pub current_bytes: u64,
    /// The most that it was.
    pub peak_bytes: u64,
}

impl Runtime {
    /// Whether the program runs on a host or on the device itself (`aclrtGetRunMode`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, [`Error::Shape`] for a mode that this crate does not know.
    pub fn run_mode(&self) -> Result<RunMode> {
        match self.acl().run_mode()? {
            sys::ACL_HOST => Ok(RunMode::Host),
            sys::ACL_DEVICE => Ok(RunMode::Device),
            other => Err(unknown("run mode", "ACL_HOST or ACL_DEVICE", other.0)),
        }
    }
}

impl Device {
    /// How busy the device is (`aclrtGetDeviceUtilizationRate`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn utilization(&self) -> Result<Utilization> {
        let info = self.bind()?.utilization(self.id())?;
        // A negative rate is documented for what cannot be told.
        let rate = |value: i32| u32::try_from(value).ok();
        Ok(Utilization {
            cube: rate(info.cubeUtilization),
            vector: rate(info.vectorUtilization),
            ai_cpu: rate(info.aicpuUtilization),
            memory: rate(info.memoryUtilization),
        })
    }

    /// Whether the device works (`aclrtQueryDeviceStatus`).
    ///
    /// ```
    /// use ascendcl::{Backend, DeviceStatus, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// assert_eq!(device.status()?, DeviceStatus::Normal);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, [`Error::Shape`] for a status that this crate does not know.
    pub fn status(&self) -> Result<DeviceStatus> {
        match self.bind()?.device_status(self.id())? {
            sys::ACL_RT_DEVICE_STATUS_NORMAL => Ok(DeviceStatus::Normal),
            sys::ACL_RT_DEVICE_STATUS_ABNORMAL => Ok(DeviceStatus::Abnormal),
            other => Err(unknown("device status", "normal or abnormal", other.0)),
        }
    }

    /// A fact about the device (`aclrtGetDeviceInfo`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, DeviceAttribute, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let cores = device.attribute(DeviceAttribute::VectorCores)?;
    /// assert_eq!(usize::try_from(cores), Ok(device.properties()?.vector_cores));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library, also for an attribute that the device
    /// does not have ([`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)).
    pub fn attribute(&self, attribute: DeviceAttribute) -> Result<i64> {
        let acl = self.bind()?;
        acl.device_attribute(self.id().cast_unsigned(), attribute.code())
    }

    /// Whether the device supports something (`aclrtGetDeviceCapability`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn supports(&self, feature: DeviceFeature) -> Result<bool> {
        let feature = match feature {
            DeviceFeature::TaskUpdate => sys::ACL_FEATURE_TSCPU_TASK_UPDATE_SUPPORT_AIC_AIV,
            DeviceFeature::QueueEventsAcrossDevices => sys::ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV,
        };
        let answer = self.bind()?.device_feature(self.id(), feature)?;
        Ok(answer.cast_unsigned() == sys::ACL_DEV_FEATURE_SUPPORT)
    }

    /// What tells the device from all others in the world (`aclrtDeviceGetUuid`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn uuid(&self) -> Result<[u8; 16]> {
        self.bind()?.device_uuid(self.id())
    }

    /// Free and total memory of one kind, in bytes (`aclrtGetMemInfo`); zero for a kind that the device does not have.
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn memory_info_of(&self, kind: MemoryKind) -> Result<MemoryInfo> {
        let kind = match kind {
            MemoryKind::Normal => sys::ACL_HBM_MEM_NORMAL,
            MemoryKind::Huge => sys::ACL_HBM_MEM_HUGE,
            MemoryKind::Gigantic => sys::ACL_HBM_MEM_HUGE1G,
            MemoryKind::PeerNormal => sys::ACL_HBM_MEM_P2P_NORMAL,
            MemoryKind::PeerHuge => sys::ACL_HBM_MEM_P2P_HUGE,
            MemoryKind::PeerGigantic => sys::ACL_HBM_MEM_P2P_HUGE1G,
        };
        self.bind()?.memory_info_of(kind)
    }

    /// What each component of the software uses of the device's memory (`aclrtGetMemUsageInfo`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn memory_usage(&self) -> Result<Vec<MemoryUsage>> {
        let components = self.bind()?.memory_usage(self.id())?;
        let usage = |info: &sys::aclrtMemUsageInfo| MemoryUsage {
            component: c_text(&info.name),
            current_bytes: info.curMemSize,
            peak_bytes: info.memPeakSize,
        };
        Ok(components.iter().map(usage).collect())
    }

    /// Waits until all work on the device is done, but no longer than `timeout`, rounded up to whole milliseconds
    /// (`aclrtSynchronizeDeviceWithTimeout`).
    ///
    /// # Errors
    /// As [`synchronize`](Self::synchronize), and a time-out ([`ErrorKind::Timeout`](crate::ErrorKind::Timeout)).
    pub fn synchronize_timeout(&self, timeout: Duration) -> Result<()> {
        self.bind()?.synchronize_device_with_timeout(milliseconds(timeout))
    }
}

impl DeviceAttribute {
    fn code(self) -> sys::aclrtDevAttr {
        match self {
            Self::AiCpus => sys::ACL_DEV_ATTR_AICPU_CORE_NUM,
            Self::AiCores => sys::ACL_DEV_ATTR_AICORE_CORE_NUM,
            Self::CubeCores => sys::ACL_DEV_ATTR_CUBE_CORE_NUM,
            Self::VectorCores => sys::ACL_DEV_ATTR_VECTOR_CORE_NUM,
            Self::UnifiedBufferBytes => sys::ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE,
            Self::MemoryBytes => sys::ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE,
            Self::L2Bytes => sys::ACL_DEV_ATTR_L2_CACHE_SIZE,
            Self::PhysicalChip => sys::ACL_DEV_ATTR_PHY_CHIP_ID,
            Self::Smp => sys::ACL_DEV_ATTR_SMP_ID,
            Self::SuperPodDevice => sys::ACL_DEV_ATTR_SUPER_POD_DEVICE_ID,
            Self::SuperPodServer => sys::ACL_DEV_ATTR_SUPER_POD_SERVER_ID,
            Self::SuperPod => sys::ACL_DEV_ATTR_SUPER_POD_ID,
            Self::IsVirtual => sys::ACL_DEV_ATTR_IS_VIRTUAL,
            Self::Architecture => sys::ACL_DEV_ATTR_NPU_ARCH,
        }
    }
}

/// An answer of the library that is none of the documented ones.
pub(crate) fn unknown(what: &'static str, expected: &str, got: impl ToString) -> Error {
    ShapeError::new(what, expected, got).into()
}
