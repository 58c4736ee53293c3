//! What the loader says when something is not there.

use std::fmt;
use std::path::PathBuf;

/// A function could not be called, because no library provides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSymbol {
    /// The function.
    pub name: &'static str,
    /// The first version of CANN that is known to have it.
    pub since: &'static str,
    /// The files that it is looked for in.
    pub files: &'static [&'static str],
    /// Where it was looked for.
    pub searched: Box<Searched>,
}

/// Where a function was looked for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Searched {
    /// These libraries are loaded, and do not have it.
    Files(Vec<PathBuf>),
    /// The library that should have it could not be loaded.
    NotLoaded(LoadError),
    /// The provider of this name does not have it.
    Provider(&'static str),
}

impl std::error::Error for MissingSymbol {}

impl fmt::Display for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, since, files, searched } = self;
        write!(f, "`{name}` is missing (first in CANN {since}, {}): ", files.join(" or "))?;
        match &**searched {
            Searched::Files(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, path.display())?;
                }
                write!(f, " {} it; install a CANN toolkit {since} or newer", lack(paths.len()))
            }
            Searched::NotLoaded(error) => error.fmt(f),
            Searched::Provider(provider) => write!(f, "{provider} lacks it"),
        }
    }
}

fn lack(count: usize) -> &'static str {
    if count == 1 { "lacks" } else { "lack" }
}

/// A library could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The files that were looked for, any of which would do.
    pub files: &'static [&'static str],
    /// Everything that was tried, in order.
    pub tried: Vec<Attempt>,
}

/// One attempt to load a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub error: String,
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} could not be loaded; tried:", self.files.join(" or "))?;
        for Attempt { path, error } in &self.tried {
            writeln!(f, "  {}: {error}", path.display())?;
        }
        write!(
            f,
            "install the CANN toolkit and the driver and `source` the toolkit's set_env.sh, \
             or set ASCENDCL_LIBRARY to the library or its directory"
        )
    }
}
