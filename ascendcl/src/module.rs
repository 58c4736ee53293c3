//! Loaded kernel binaries.

use std::ffi::CString;
use std::fmt;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use ascendcl_sys as sys;

use crate::device::Device;
use crate::error::{Error, Result, ShapeError};
use crate::kernel::Kernel;

/// A binary with kernels, loaded on a device (`aclrtBinaryLoadFromFile`).
///
/// For a real device the binary is what the Ascend C compiler makes; for the simulated one it is what `sim-cc` makes of
/// the same source. Cheap to clone; the binary is unloaded when the last handle to it and to its kernels goes, after the
/// device has done its work.
///
/// ```no_run
/// // Not run: the kernel has to be compiled first (`cargo xtask sim-cc add.cpp -o add.so`).
/// use ascendcl::{KernelArgs, Module, Runtime};
/// let device = Runtime::new()?.device(0)?;
/// let stream = device.stream()?;
/// let (x, mut y) = (stream.alloc_from(&[1.0f32; 1024])?, stream.alloc::<f32>(1024)?);
/// let kernel = Module::load(&device, "add.so")?.kernel("add_custom")?;
/// let arguments = KernelArgs::new().read(&x).write(&mut y).value(1024u32);
/// // SAFETY: the kernel reads 1024 numbers of its first argument and writes as many to its second.
/// unsafe { kernel.launch(&stream, 8, arguments) }?;
/// stream.synchronize()?;
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct Module {
    pub(crate) inner: Arc<ModuleInner>,
}

pub(crate) struct ModuleInner {
    pub(crate) device: Device,
    binary: sys::aclrtBinHandle,
    /// What the binary was loaded from, and its bytes, which the library may go on reading.
    created: Option<(sys::aclrtBinary, Box<[u8]>)>,
}

// SAFETY: the handle may be used by any thread whose context is that of the device, which `Device::bind` sees to; it is
// used read-only until the last owner drops it.
unsafe impl Send for ModuleInner {}
// SAFETY: as above.
unsafe impl Sync for ModuleInner {}

impl Module {
    /// Loads a binary from a file.
    ///
    /// # Errors
    /// [`Error::Acl`] if the file cannot be read or is no binary for the device.
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // The library wants an absolute path; a file that is not there is for it to tell.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = CString::new(absolute.as_os_str().as_bytes())
            .map_err(|_| ShapeError::new("path of a kernel binary", "without null bytes", path.display()))?;
        let binary = device.bind()?.load_binary(&text)?;
        Ok(Self { inner: Arc::new(ModuleInner { device: device.clone(), binary, created: None }) })
    }

    /// Loads a binary from memory (`aclrtBinaryLoadFromData`, since 9.1; before, by a temporary file).
    ///
    /// # Errors
    /// [`Error::Acl`] if it is no binary for the device, [`Error::Shape`] if no temporary file can be written.
    pub fn from_bytes(device: &Device, bytes: &[u8]) -> Result<Self> {
        let binary = match device.bind()?.load_binary_data(bytes) {
            Err(Error::MissingSymbol(_)) => {
                return with_temporary_file(bytes, |path| Self::load(device, path));
            }
            loaded => loaded?,
        };
        Ok(Self { inner: Arc::new(ModuleInner { device: device.clone(), binary, created: None }) })
    }

    /// Loads a binary from memory by the functions that go with launches whose arguments are in device memory
    /// ([`Kernel::launch_on_device_args`]): `aclrtCreateBinary` and `aclrtBinaryLoad`.
    ///
    /// # Errors
    /// [`Error::Acl`] if it is no binary for the device; [`Error::Shape`] for a program that runs on the device itself,
    /// where the bytes would have to be in device memory.
    pub fn from_bytes_plain(device: &Device, bytes: &[u8]) -> Result<Self> {
        let acl = device.bind()?;
        if acl.run_mode()? != sys::ACL_HOST {
            return Err(ShapeError::new("run mode", "the host's", "the device's").into());
        }
        let bytes: Box<[u8]> = bytes.into();
        // SAFETY: the bytes move with the result, behind their box, and are dropped after the binary is destroyed.
        let created = unsafe { acl.create_binary(&bytes) }?;
        // SAFETY: just created.
        let loaded = unsafe { acl.load_created_binary(created) };
        let binary = loaded.inspect_err(|_| {
            // SAFETY: created, and nothing was loaded of it.
            if let Err(error) = unsafe { acl.destroy_binary(created) } {
                tracing::error!(device = device.id(), %error, "destroying a kernel binary");
            }
        })?;
        Ok(Self {
            inner: Arc::new(ModuleInner { device: device.clone(), binary, created: Some((created, bytes)) }),
        })
    }

    /// The kernel of an entry, such as the tiling key of an operator (`aclrtBinaryGetFunctionByEntry`). Its
    /// [`name`](Kernel::name) here is "entry" and the number.
    ///
    /// The newest AscendCL docs call the function reserved: real libraries may refuse it.
    ///
    /// # Errors
    /// [`Error::Acl`] if there is none.
    pub fn kernel_by_entry(&self, entry: u64) -> Result<Kernel> {
        let acl = self.inner.device.bind()?;
        // SAFETY: the binary is loaded as long as `self` lives.
        let function = unsafe { acl.binary_function_by_entry(self.inner.binary, entry) }?;
        Ok(Kernel::new(self, &format!("entry {entry}"), function))
    }

    /// The kernel of a name (`aclrtBinaryGetFunction`).
    ///
    /// # Errors
    /// [`Error::Acl`] if there is none.
    pub fn kernel(&self, name: &str) -> Result<Kernel> {
        let text = CString::new(name)
            .map_err(|_| ShapeError::new("name of a kernel", "without null bytes", format!("{name:?}")))?;
        let acl = self.inner.device.bind()?;
        // SAFETY: the binary is loaded as long as `self` lives.
        let function = unsafe { acl.binary_function(self.inner.binary, &text) }?;
        Ok(Kernel::new(self, name, function))
    }

    /// The device that it is loaded on.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        let unload = || {
            let acl = self.device.bind()?;
            // Kernels may be queued, also by graphs, whose streams wait for them before they end.
            acl.synchronize_device()?;
            // SAFETY: the last handle goes, and the device has done its work.
            unsafe { acl.unload_binary(self.binary) }?;
            match &self.created {
                // SAFETY: what was loaded of it is unloaded.
                Some((created, _)) => unsafe { acl.destroy_binary(*created) },
                None => Ok(()),
            }
        };
        if let Err(error) = unload() {
            // What may still be read is kept.
            std::mem::forget(self.created.take());
            tracing::error!(device = self.device.id(), %error, "unloading a kernel binary");
        }
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({:p} on {:?})", self.inner.binary.0, self.inner.device)
    }
}

/// A file of a name that nobody else has, for the time of a call.
fn with_temporary_file<R>(bytes: &[u8], load: impl FnOnce(&Path) -> Result<R>) -> Result<R> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ascendcl-kernel-{}-{number}.o", std::process::id()));
    let written = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(bytes));
    let result = match written {
        Ok(()) => load(&path),
        Err(error) => {
            Err(ShapeError::new("temporary file", format!("{} to be writable", path.display()), error).into())
        }
    };
    let _ = std::fs::remove_file(&path);
    result
}
