//! Which library answers: a real one, or the simulated device.

use std::fmt;
use std::str::FromStr;

use ascendcl_sys as sys;

use crate::error::{Error, Result};
use crate::raw::Acl;

/// The environment variable that chooses the backend.
pub const BACKEND_VARIABLE: &str = "ASCENDCL_BACKEND";

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A real NPU if the library loads and has a device, else the simulator; the log says which and why.
    #[default]
    Auto,
    /// A real NPU, or an error.
    Npu,
    /// The simulated device.
    Sim,
}

impl Backend {
    /// What `ASCENDCL_BACKEND` says: `auto` (also if it is not set), `npu` or `sim`.
    ///
    /// # Errors
    /// [`Error::Backend`] for another word.
    pub fn from_env() -> Result<Self> {
        match std::env::var_os(BACKEND_VARIABLE) {
            None => Ok(Self::Auto),
            Some(word) => word.to_string_lossy().parse(),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Npu => "npu",
            Self::Sim => "sim",
        })
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "auto" => Ok(Self::Auto),
            "npu" => Ok(Self::Npu),
            "sim" => Ok(Self::Sim),
            other => Err(Error::Backend {
                backend: other.to_owned(),
                why: format!("unknown; {BACKEND_VARIABLE} takes auto, npu or sim"),
            }),
        }
    }
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// The installed library, driving a real device.
    Npu,
    /// The simulated device.
    Sim,
}

/// A library that is initialised.
pub(crate) struct Opened {
    pub(crate) acl: Acl,
    /// Whether it is ours to finalise.
    pub(crate) initialised_here: bool,
}

/// Loads and initialises the installed library; fails also if it has no device.
pub(crate) fn open_npu() -> Result<Opened> {
    #[cfg(feature = "link")]
    let functions = sys::Library::linked();
    #[cfg(not(feature = "link"))]
    let functions = sys::Library::open()?;
    let acl = Acl { functions };
    let initialised_here = acl.init()?;
    match acl.device_count()? {
        0 => Err(Error::Backend {
            backend: "npu".into(),
            why: format!(
                "{:?} loads but sees no device; check the driver with `npu-smi info`",
                acl.functions
            ),
        }),
        _ => Ok(Opened { acl, initialised_here }),
    }
}

/// Takes and initialises the simulated device.
#[cfg(feature = "sim")]
pub(crate) fn open_sim() -> Result<Opened> {
    // SAFETY: the simulator's table is built from functions whose signatures are those of the bindings.
    let functions = unsafe { sys::Library::from_resolver("the simulated device", ascendcl_sim::resolve) };
    let acl = Acl { functions };
    let initialised_here = acl.init()?;
    Ok(Opened { acl, initialised_here })
}

/// Without the feature `sim` there is none.
#[cfg(not(feature = "sim"))]
pub(crate) fn open_sim() -> Result<Opened> {
    Err(Error::Backend { backend: "sim".into(), why: "built without the feature `sim` of `ascendcl`".into() })
}
