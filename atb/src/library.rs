//! The library: a shim that was opened.

use std::fmt;

use ascendcl::{BackendKind, Runtime};
use once_cell::sync::OnceCell;

use crate::error::{Error, Result};
use crate::param::OpParam;
use crate::raw::{Atb, param::RawParam};

/// ATB as a runtime has it: the installed library behind the shim of `atb-sys` for a real NPU, the simulated one for the
/// simulated device.
///
/// It is opened once for each kind and stays open. Cheap to copy.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// use atb::Library;
/// let library = Library::of(&Runtime::with_backend(Backend::Sim)?)?;
/// assert!(!library.version()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Library {
    atb: &'static Atb,
}

impl Library {
    /// The library for a runtime.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if ATB or its shim cannot be loaded, with everything that was tried; [`Error::Device`] if the
    /// simulated one was left out of the build.
    pub fn of(runtime: &Runtime) -> Result<Self> {
        let atb = match runtime.backend() {
            BackendKind::Npu => installed()?,
            BackendKind::Sim => simulated()?,
        };
        Ok(Self { atb })
    }

    /// What the library calls its version (`GetAtbVersion`).
    ///
    /// # Errors
    /// [`Error::Atb`] from the library.
    pub fn version(&self) -> Result<String> {
        self.atb.version()
    }

    /// Which shim it is, for logs.
    pub fn name(&self) -> &str {
        self.atb.shim.name()
    }

    /// The defaults of the library's own parameter structure, which may differ from [`Default`] in another version.
    ///
    /// # Errors
    /// [`Error::Atb`] if the library does not have the operation, [`Error::Tensor`] if a value is unknown here.
    pub fn defaults<P: OpParam>(&self) -> Result<P> {
        P::Raw::defaults(self.atb).and_then(|raw| P::from_raw(&raw))
    }

    pub(crate) fn atb(&self) -> &'static Atb {
        self.atb
    }

    /// Refuses an object of another library.
    pub(crate) fn check_same(&self, what: &'static str, other: &Self) -> Result<()> {
        if std::ptr::eq(self.atb, other.atb) {
            return Ok(());
        }
        let (expected, got) = (format!("{self:?}"), format!("{other:?}"));
        Err(Error::Device(ascendcl::Error::Mismatch { what, expected, got }))
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Library").field(&self.name()).finish()
    }
}

fn installed() -> Result<&'static Atb> {
    static INSTALLED: OnceCell<Atb> = OnceCell::new();
    // Not kept if it fails: the environment may be mended.
    INSTALLED.get_or_try_init(|| Ok(Atb { shim: atb_sys::Shim::open()? }))
}

#[cfg(feature = "sim")]
fn simulated() -> Result<&'static Atb> {
    static SIMULATED: OnceCell<Atb> = OnceCell::new();
    SIMULATED.get_or_try_init(|| {
        // SAFETY: the simulator fills the table with functions that do what the header says.
        let shim = unsafe { atb_sys::Shim::from_table("the simulated ATB", atb_sim::functions()) }?;
        Ok(Atb { shim })
    })
}

#[cfg(not(feature = "sim"))]
fn simulated() -> Result<&'static Atb> {
    let why = "built without the feature `sim` of `atb`".to_owned();
    Err(Error::Device(ascendcl::Error::Backend { backend: "sim".into(), why }))
}
