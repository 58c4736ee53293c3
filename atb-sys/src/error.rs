//! What the loader says when there is no shim.

use std::fmt;

/// No shim could be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Everything that was tried, in order.
    pub tried: Vec<Attempt>,
}

/// One attempt to load a shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The file, or what stands for it.
    pub place: String,
    /// Why it would not do.
    pub reason: String,
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no shim over ATB could be loaded; tried:")?;
        for Attempt { place, reason } in &self.tried {
            writeln!(f, "  {place}: {reason}")?;
        }
        write!(
            f,
            "install the CANN toolkit and its NNAL package, `source` the toolkit's and ATB's set_env.sh, and build this \
             program again there (ATB_HOME_PATH is then set); or make {} with `cargo xtask atb-shim` and put it beside \
             this program, or set ATB_SHIM_LIBRARY to it",
            crate::loader::FILE
        )
    }
}
