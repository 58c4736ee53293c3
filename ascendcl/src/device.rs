//! Devices.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ascendcl_sys as sys;
use parking_lot::{Mutex, RwLock};

use crate::dedicated::Dedicated;
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
    pub(crate) context: sys::aclrtContext,
    end: End,
    device_memory: Pool,
    pinned_memory: Pool,
    pub(crate) dedicated: Dedicated,
    /// Streams that are being captured.
    captures: AtomicUsize,
    /// Held for reading from the moment when the order of some work is settled until it is queued, and for writing by
    /// launches and executions of graphs, which touch memory without borrowing it.
    pub(crate) order: RwLock<()>,
    /// Runs host functions where the library has no thread for them.
    pump: Mutex<Option<Arc<Pump>>>,
}

/// What ends a context.
pub(crate) enum End {
    /// `aclrtResetDevice`, for the primary one.
    Reset,
    /// `aclrtResetDeviceForce`, for the primary one.
    ResetForce,
    /// `aclrtDestroyContext`, for one that was made explicitly; the device stays open until then.
    Destroy(Device),
    /// It has ended.
    Ended,
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
        Ok(Self::in_context(runtime, id, context, End::Reset))
    }

    /// The device as it is seen in a context, which ends with it.
    pub(crate) fn in_context(runtime: Runtime, id: i32, context: sys::aclrtContext, end: End) -> Self {
        let inner = DeviceInner {
            runtime,
            id,
            context,
            end,
            device_memory: Pool::device(),
            pinned_memory: Pool::pinned(),
            dedicated: Dedicated::default(),
            captures: AtomicUsize::new(0),
            order: RwLock::default(),
            pump: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The device's number.
    pub fn id(&self) -> i32 {
        self.inner.id
    }

    /// The device's number, for functions that take no negative one.
    pub(crate) fn number(&self) -> Result<u32> {
        let id = self.inner.id;
        u32::try_from(id).map_err(|_| ShapeError::new("device", "not negative", id).into())
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
        let id = self.number()?;
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
        self.inner.trim(acl)
    }

    /// Closes the device by `aclrtResetDeviceForce`, which takes it from everybody in the process at once, however often it
    /// was set; dropping the last handle gives back only this runtime's reference (`aclrtResetDevice`).
    ///
    /// # Errors
    /// [`Error::InUse`] if something else holds the device, such as a stream, a buffer or a context, and
    /// [`Error::Mismatch`] for the device of a [`Context`](crate::Context): the handle is dropped then.
    /// [`Error::Acl`] from the library, also for work that failed.
    ///
    /// # Safety
    /// Nothing else in the process uses the device's primary context, its streams or its memory afterwards, such as a C or C++
    /// library that has set the device itself.
    pub unsafe fn reset_force(self) -> Result<()> {
        if is_inside() {
            return Err(Error::InHostFunction);
        }
        let runtime = self.runtime().clone();
        // Nobody opens the device, or gets another handle from the runtime, meanwhile.
        let opening = runtime.inner.devices.lock();
        let handles = Arc::strong_count(&self.inner) - 1;
        if matches!(self.inner.end, End::Destroy(_)) {
            let (expected, got) = ("one with its primary context".into(), "an explicit context".into());
            drop(opening);
            return Err(Error::Mismatch { what: "device", expected, got });
        }
        let Some(mut inner) = Arc::into_inner(self.inner) else {
            drop(opening);
            return Err(Error::InUse { handles });
        };
        inner.end = End::ResetForce;
        let result = inner.close();
        inner.end = End::Ended;
        drop(opening);
        result
    }

    /// Counts a stream that begins to be captured.
    pub(crate) fn capture_begins(&self) {
        self.inner.captures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a stream that is captured no more.
    pub(crate) fn capture_ends(&self) {
        self.inner.captures.fetch_sub(1, Ordering::Relaxed);
    }

    /// Refuses what the library calls unsafe while streams are being captured.
    pub(crate) fn check_no_capture(&self, call: &'static str) -> Result<()> {
        match self.inner.captures.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Error::Capturing { call }),
        }
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
        // SAFETY: the context lives until `self` is dropped: the primary one because the device is set until then.
        unsafe { acl.set_current_context(self.context) }?;
        Ok(acl)
    }

    fn close(&mut self) -> Result<()> {
        if let End::Ended = self.end {
            return Ok(());
        }
        *self.pump.get_mut() = None;
        let acl = Arc::clone(self.bind()?);
        // Streams are gone (they hold the device), and each was synchronised when it went.
        self.trim(&acl)?;
        match &self.end {
            // SAFETY: every stream, event and buffer of the context held `self`, so none is left.
            End::Reset => unsafe { acl.reset_device(self.id) },
            // SAFETY: as above; whoever asked for it promises the same for the rest of the process.
            End::ResetForce => unsafe { acl.reset_device_force(self.id) },
            End::Destroy(device) => {
                // So that this thread's current context is one that lives.
                device.bind()?;
                // SAFETY: as above.
                unsafe { acl.destroy_context(self.context) }
            }
            End::Ended => Ok(()),
        }
    }

    /// Gives what nothing uses back to the library.
    fn trim(&self, acl: &Acl) -> Result<()> {
        self.device_memory.trim(acl)?;
        self.pinned_memory.trim(acl)?;
        self.dedicated.trim(acl)
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
