//! Devices.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ascendcl_sys as sys;
use parking_lot::{Mutex, RwLock};

use crate::error::{Error, Result, ShapeError};
use crate::host_function::is_inside;
use crate::pool::{Place, Pool, PoolStatistics};
use crate::raw::Acl;
use crate::raw::host_function::Pump;
pub use crate::raw::system::MemoryInfo;
use crate::runtime::Runtime;

/// An open device with its primary context (`aclrtSetDevice`).
///
/// Cheap to clone; the device is reset (`aclrtResetDevice`) when the last handle goes, and streams, events and
/// buffers hold one. Every call binds the context to the calling thread, so all of them may be used from any thread.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
/// let properties = device.properties()?;
/// assert!(properties.soc_name.starts_with("Ascend910"));
/// assert_eq!(properties.vector_cores, 2 * properties.ai_cores);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct Device {
    pub(crate) inner: Arc<DeviceInner>,
}

pub(crate) struct DeviceInner {
    runtime: Runtime,
    id: i32,
    context: sys::aclrtContext,
    device_memory: Pool,
    pinned_memory: Pool,
    /// Held for reading from the moment when the order of some work is settled until it is queued, and for writing by
    /// launches and executions of graphs, which touch memory without borrowing it.
    pub(crate) order: RwLock<()>,
    /// Runs host functions where the library has no thread for them.
    pump: Mutex<Option<Arc<Pump>>>,
}

// SAFETY: contexts and events are handles that the library lets any thread use, one call at a time or several; the
// context must only be bound to the thread first, which `Device::bind` does. Mutable state is behind locks.
unsafe impl Send for DeviceInner {}
// SAFETY: as above.
unsafe impl Sync for DeviceInner {}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceProperties {
    /// Name of the chip, such as `Ascend910B3` (`aclrtGetSocName`).
    pub soc_name: String,
    /// Cube cores (`ACL_DEVICE_INFO_AI_CORE_NUM`).
    pub ai_cores: usize,
    /// Vector cores (`ACL_DEVICE_INFO_VECTOR_CORE_NUM`).
    pub vector_cores: usize,
    /// Bytes of the L2 cache (`ACL_DEVICE_INFO_L2_SIZE`).
    pub l2_bytes: usize,
    /// Bytes of device memory (`aclrtGetMemInfo`).
    pub memory_bytes: usize,
}

impl Device {
    pub(crate) fn open(runtime: Runtime, id: i32) -> Result<Self> {
        let acl = runtime.acl();
        acl.set_device(id)?;
        let context = match acl.current_context() {
            Ok(context) => context,
            Err(error) => {
                // SAFETY: nothing was made in the context yet.
                unsafe { acl.reset_device(id) }?;
                return Err(error);
            }
        };
        let inner = DeviceInner {
            runtime,
            id,
            context,
            device_memory: Pool::device(),
            pinned_memory: Pool::pinned(),
            order: RwLock::default(),
            pump: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The device's number.
    pub fn id(&self) -> i32 {
        self.inner.id
    }

    /// The runtime that it belongs to.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// What the device is.
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn properties(&self) -> Result<DeviceProperties> {
        let acl = self.bind()?;
        let not = |what, expected, got: &dyn ToString| {
            Error::from(ShapeError::new(what, expected, got.to_string()))
        };
        let id = u32::try_from(self.inner.id).map_err(|_| not("device", "not negative", &self.inner.id))?;
        let count = |info| {
            let value = acl.device_capability(id, info)?;
            usize::try_from(value)
                .map_err(|_| not("aclGetDeviceCapability", "a number that is not negative", &value))
        };
        let soc_name = acl.soc_name()?;
        Ok(DeviceProperties {
            soc_name: soc_name.ok_or_else(|| not("aclrtGetSocName", "a name", &"null"))?,
            ai_cores: count(sys::ACL_DEVICE_INFO_AI_CORE_NUM)?,
            vector_cores: count(sys::ACL_DEVICE_INFO_VECTOR_CORE_NUM)?,
            l2_bytes: count(sys::ACL_DEVICE_INFO_L2_SIZE)?,
            memory_bytes: acl.memory_info()?.total,
        })
    }

    /// Free and total device memory, in bytes (`aclrtGetMemInfo`). Memory cached by the pool counts as used.
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn memory_info(&self) -> Result<MemoryInfo> {
        self.bind()?.memory_info()
    }

    /// The priorities that a stream can have, from the greatest, which is the lowest number, to the least
    /// (`aclrtDeviceGetStreamPriorityRange`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the library.
    pub fn stream_priority_range(&self) -> Result<RangeInclusive<u32>> {
        let (least, greatest) = self.bind()?.stream_priority_range()?;
        let number = |priority: i32| {
            u32::try_from(priority).map_err(|_| ShapeError::new("stream priority", "not negative", priority))
        };
        Ok(number(greatest)?..=number(least)?)
    }

    /// Waits until all work on the device is done (`aclrtSynchronizeDevice`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library, also for work that failed.
    pub fn synchronize(&self) -> Result<()> {
        self.bind()?.synchronize_device()
    }

    /// What the pool of device memory holds.
    pub fn pool_statistics(&self) -> PoolStatistics {
        self.inner.device_memory.statistics()
    }

    /// What the pool of pinned host memory holds.
    pub fn pinned_pool_statistics(&self) -> PoolStatistics {
        self.inner.pinned_memory.statistics()
    }

    /// Gives cached memory that nothing uses back to the device and the host, after waiting for the work that last
    /// touched it.
    ///
    /// # Errors
    /// [`Error::Acl`] if that work failed or the memory cannot be freed.
    pub fn trim_pools(&self) -> Result<()> {
        let acl = self.bind()?;
        self.inner.device_memory.trim(acl)?;
        self.inner.pinned_memory.trim(acl)
    }

    /// Makes the device's context the calling thread's current one.
    pub(crate) fn bind(&self) -> Result<&Arc<Acl>> {
        self.inner.bind()
    }

    /// The thread that runs callbacks, started when it is first needed.
    pub(crate) fn pump(&self) -> Result<Arc<Pump>> {
        let mut pump = self.inner.pump.lock();
        if let Some(pump) = &*pump {
            return Ok(Arc::clone(pump));
        }
        // SAFETY: the context is alive until `DeviceInner` resets the device, which drops the pump first; streams
        // that hold it hold the device too.
        let started =
            Arc::new(unsafe { Pump::start(Arc::clone(self.inner.runtime.acl()), self.inner.context) }?);
        *pump = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Whether `other` is the same device, for objects that must not be mixed.
    pub(crate) fn check_same(&self, what: &'static str, other: &Device) -> Result<()> {
        if self == other {
            return Ok(());
        }
        Err(Error::Mismatch { what, expected: format!("{self:?}"), got: format!("{other:?}") })
    }
}

impl DeviceInner {
    pub(crate) fn pool(&self, place: Place) -> &Pool {
        match place {
            Place::Device => &self.device_memory,
            Place::Pinned => &self.pinned_memory,
        }
    }

    pub(crate) fn bind(&self) -> Result<&Arc<Acl>> {
        if is_inside() {
            return Err(Error::InHostFunction);
        }
        let acl = self.runtime.acl();
        // SAFETY: the context is the primary one of a device that is set until `self` is dropped.
        unsafe { acl.set_current_context(self.context) }?;
        Ok(acl)
    }

    fn close(&mut self) -> Result<()> {
        *self.pump.get_mut() = None;
        let acl = Arc::clone(self.bind()?);
        // Streams are gone (they hold the device), and each was synchronised when it went.
        self.device_memory.trim(&acl)?;
        self.pinned_memory.trim(&acl)?;
        // SAFETY: every stream, event and buffer of the context held `self`, so none is left.
        unsafe { acl.reset_device(self.id) }
    }
}

impl Drop for DeviceInner {
    fn drop(&mut self) {
        let runtime = self.runtime.clone();
        // A thread that opens the device meanwhile waits until it is closed. In a host function nothing is closed.
        let _opening = (!is_inside()).then(|| runtime.inner.devices.lock());
        if let Err(error) = self.close() {
            tracing::error!(device = self.id, %error, "closing the device");
        }
    }
}

/// Two handles are equal when they are of the same open device.
impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({} of {:?})", self.inner.id, self.inner.runtime.backend())
    }
}
