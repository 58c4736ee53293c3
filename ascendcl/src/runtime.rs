//! The runtime: one initialised library.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::backend::{Backend, BackendKind, Opened, open_npu, open_sim};
use crate::device::{Device, DeviceInner};
use crate::error::{Error, Result};
use crate::raw::Acl;

/// The libraries that this process has initialised: a library is initialised once, whoever asks.
static OPEN: Mutex<Vec<Arc<RuntimeInner>>> = Mutex::new(Vec::new());

/// An initialised AscendCL library (`aclInit`), real or simulated.
///
/// Cheap to clone. The library stays initialised until [`finalize`](Self::finalize) is called: never from a
/// destructor, because at a program's end other libraries' destructors may still need it (AscendCL docs:
/// initialisation and deinitialisation).
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// assert!(runtime.device_count()? >= 1);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<RuntimeInner>,
}

pub(crate) struct RuntimeInner {
    pub(crate) acl: Arc<Acl>,
    kind: BackendKind,
    /// Whether the library is ours to finalise.
    initialised_here: bool,
    /// Whether the library has `aclrtLaunchHostFunc` (since 9.1).
    pub(crate) runs_host_functions: bool,
    /// Devices that are open, so that opening one again gives the same one with the same memory pool.
    pub(crate) devices: Mutex<HashMap<i32, Weak<DeviceInner>>>,
}

impl Runtime {
    /// The runtime that `ASCENDCL_BACKEND` asks for (`auto`, `npu` or `sim`; `auto` if it is not set).
    ///
    /// # Errors
    /// As [`with_backend`](Self::with_backend).
    pub fn new() -> Result<Self> {
        Self::with_backend(Backend::from_env()?)
    }

    /// The runtime of a backend, initialised now or before (`aclInit`).
    ///
    /// # Errors
    /// [`Error::Load`] if the library cannot be loaded (with everything that was tried), [`Error::Backend`] if there
    /// is no device or the simulator was left out of the build, [`Error::Acl`] from `aclInit`.
    pub fn with_backend(backend: Backend) -> Result<Self> {
        let mut open = OPEN.lock();
        let found = |kind| open.iter().find(|runtime| runtime.kind == kind).cloned();
        let (opened, kind) = match backend {
            Backend::Npu => match found(BackendKind::Npu) {
                Some(inner) => return Ok(Self { inner }),
                None => (open_npu()?, BackendKind::Npu),
            },
            Backend::Sim => match found(BackendKind::Sim) {
                Some(inner) => return Ok(Self { inner }),
                None => (open_sim()?, BackendKind::Sim),
            },
            Backend::Auto => match found(BackendKind::Npu) {
                Some(inner) => return Ok(Self { inner }),
                None => match open_npu() {
                    Ok(opened) => (opened, BackendKind::Npu),
                    Err(npu) => {
                        tracing::info!("no real NPU, taking the simulated device: {npu}");
                        match found(BackendKind::Sim) {
                            Some(inner) => return Ok(Self { inner }),
                            None => (open_sim()?, BackendKind::Sim),
                        }
                    }
                },
            },
        };
        let runtime = Self::of_library(opened, kind);
        open.push(Arc::clone(&runtime.inner));
        tracing::info!("{runtime:?}");
        Ok(runtime)
    }

    /// A runtime of a library that is initialised.
    pub(crate) fn of_library(opened: Opened, kind: BackendKind) -> Self {
        let Opened { acl, initialised_here } = opened;
        let runs_host_functions = acl.functions.is_available("aclrtLaunchHostFunc");
        let devices = Mutex::default();
        let acl = Arc::new(acl);
        Self { inner: Arc::new(RuntimeInner { acl, kind, initialised_here, runs_host_functions, devices }) }
    }

    /// Whether this is a real NPU or the simulated device.
    pub fn backend(&self) -> BackendKind {
        self.inner.kind
    }

    /// Version of the AscendCL interface: major, minor, patch (`aclrtGetVersion`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn version(&self) -> Result<[i32; 3]> {
        self.acl().version()
    }

    /// How many devices there are (`aclrtGetDeviceCount`).
    ///
    /// # Errors
    /// [`Error::Acl`] from the library.
    pub fn device_count(&self) -> Result<u32> {
        self.acl().device_count()
    }

    /// Whether the loaded library has a function, by its C name: for what newer versions brought.
    pub fn has_function(&self, name: &str) -> bool {
        self.acl().functions.is_available(name)
    }

    /// Opens a device (`aclrtSetDevice`), or gives it once more if it is open.
    ///
    /// # Errors
    /// [`Error::Acl`] if there is no such device.
    pub fn device(&self, id: i32) -> Result<Device> {
        let mut devices = self.inner.devices.lock();
        if let Some(inner) = devices.get(&id).and_then(Weak::upgrade) {
            return Ok(Device { inner });
        }
        let device = Device::open(self.clone(), id)?;
        devices.insert(id, Arc::downgrade(&device.inner));
        Ok(device)
    }

    /// Ends the library's use in this process (`aclFinalize`), unless something else initialised it before us.
    ///
    /// # Errors
    /// [`Error::InUse`] if another handle to this runtime is alive, such as a device, stream or buffer;
    /// [`Error::Acl`] from the library.
    pub fn finalize(self) -> Result<()> {
        self.end(|runtime| {
            if !runtime.initialised_here {
                return Ok(());
            }
            // SAFETY: everything that calls the library holds a handle to this runtime, and there is none.
            unsafe { runtime.acl.finalize() }
        })
    }

    /// Gives back this runtime's use of the library (`aclFinalizeReference`, since 9.1), which goes on for others in the
    /// process that have initialised it, and ends when nobody is left. Answers how many are left.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// assert_eq!(Runtime::with_backend(Backend::Sim)?.finalize_reference()?, 0);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`finalize`](Self::finalize), and [`Error::MissingSymbol`] before CANN 9.1.
    pub fn finalize_reference(self) -> Result<u64> {
        // SAFETY: as in `finalize`. The library counted this runtime's `aclInit`, also if it was not the first.
        self.end(|runtime| unsafe { runtime.acl.finalize_reference() })
    }

    fn end<R>(self, end: impl FnOnce(&RuntimeInner) -> Result<R>) -> Result<R> {
        let mut open = OPEN.lock();
        // One handle is `self`, one is in `OPEN`; nobody can make a new one while `OPEN` is locked, except from
        // a third handle, which would be counted.
        let handles = Arc::strong_count(&self.inner).saturating_sub(2);
        if handles > 0 {
            return Err(Error::InUse { handles });
        }
        // What other threads did with the handles that they have dropped is done.
        fence(Ordering::Acquire);
        let ended = end(&self.inner);
        // A function that is not there has ended nothing.
        if !matches!(ended, Err(Error::MissingSymbol(_))) {
            open.retain(|runtime| !Arc::ptr_eq(runtime, &self.inner));
        }
        ended
    }

    pub(crate) fn acl(&self) -> &Arc<Acl> {
        &self.inner.acl
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("backend", &self.inner.kind)
            .field("library", &self.acl().functions)
            .finish_non_exhaustive()
    }
}
