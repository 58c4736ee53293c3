//! Finds a shim at run time.

use std::error::Error as _;
use std::ffi::{OsString, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::bindings::{ATB_SHIM_VERSION, atb_functions};
use crate::error::{Attempt, LoadError};

// What the build script made, or why it did not: `BUILT` and `NOT_BUILT`.
include!(concat!(env!("OUT_DIR"), "/shims.rs"));

/// The name of a shim's file.
pub(crate) const FILE: &str = "libatb_shim.so";

/// A shim: ATB behind the table of functions that `include/atb_shim.h` declares.
#[derive(Clone)]
pub struct Shim {
    name: &'static str,
    path: Option<PathBuf>,
    table: &'static atb_functions,
}

impl Shim {
    /// Loads the shim over the installed ATB; see the [crate documentation](crate) for where it is looked for.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if there is none that can be loaded, with everything that was tried.
    pub fn open() -> Result<Self, LoadError> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let program = std::env::current_exe().ok();
        Self::first(&places(variable, program.as_deref(), BUILT, NOT_BUILT))
    }

    /// Loads the shim at `path`, which is a file or a directory of files.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if it cannot be loaded.
    pub fn open_at(path: impl Into<PathBuf>) -> Result<Self, LoadError> {
        Self::first(&at(path.into()))
    }

    /// The shim that is the table `table`, as a simulated device has one. `name` says what it is in messages.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the table says that it has another version than [`ATB_SHIM_VERSION`].
    ///
    /// # Safety
    ///
    /// If its version is [`ATB_SHIM_VERSION`], the functions of the table must do what `include/atb_shim.h` says of them, and
    /// none may be missing.
    pub unsafe fn from_table(name: &'static str, table: &'static atb_functions) -> Result<Self, LoadError> {
        match check_version(table) {
            Ok(()) => Ok(Self { name, path: None, table }),
            Err(reason) => Err(LoadError { tried: vec![Attempt { place: name.to_owned(), reason }] }),
        }
    }

    /// The functions.
    pub fn functions(&self) -> &'static atb_functions {
        self.table
    }

    /// What it is: the name of its table, or `ATB`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file, if it was loaded from one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The first that can be loaded.
    fn first(places: &[Place]) -> Result<Self, LoadError> {
        let mut tried = Vec::new();
        for place in places {
            match place {
                Place::File(path) => match load(path) {
                    Ok(table) => return Ok(Self { name: "ATB", path: Some(path.clone()), table }),
                    Err(reason) => tried.push(Attempt { place: path.display().to_string(), reason }),
                },
                Place::Nothing(reason) => {
                    tried.push(Attempt {
                        place: "the shim of this program".to_owned(),
                        reason: (*reason).to_owned(),
                    });
                }
            }
        }
        Err(LoadError { tried })
    }
}

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} ({})", self.name, path.display()),
            None => f.write_str(self.name),
        }
    }
}

/// Where a shim may be.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A file; without a directory, it is found by the system's loader.
    File(PathBuf),
    /// A shim that was not compiled, and why.
    Nothing(&'static str),
}

/// The documented search order.
fn places(
    variable: impl Fn(&str) -> Option<OsString>,
    program: Option<&Path>,
    built: &[&str],
    not_built: &[&'static str],
) -> Vec<Place> {
    if let Some(path) = variable("ATB_SHIM_LIBRARY") {
        return at(path.into());
    }
    let compiled = built.iter().map(|path| Place::File(path.into()));
    let missing = not_built.iter().map(|reason| Place::Nothing(reason));
    let beside = program.and_then(Path::parent).map(in_directory).unwrap_or_default();
    compiled.chain(missing).chain(beside).chain([Place::File(FILE.into())]).collect()
}

/// What a path stands for that a user named.
fn at(path: PathBuf) -> Vec<Place> {
    if path.is_dir() { in_directory(&path) } else { vec![Place::File(path)] }
}

/// The shims of a directory: one, or one for each C++ ABI, of which the one that does not fit cannot be loaded.
fn in_directory(directory: &Path) -> Vec<Place> {
    ["", "cxx_abi_1", "cxx_abi_0"].map(|abi| Place::File(directory.join(abi).join(FILE))).into()
}

/// Loads one file, for ever: ATB starts threads and keeps what it was given.
fn load(path: &Path) -> Result<&'static atb_functions, String> {
    // Every symbol is needed now: a shim for the other C++ ABI, or for a newer ATB, then fails here, and not in a call.
    // SAFETY: Loading runs the initialisers of the shim and of ATB. They are those that the user installed or named, whose
    // initialisers may run at any time.
    let library =
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| reason(&error, path))?;
    let library = ManuallyDrop::new(library);
    let table = {
        // SAFETY: This is the type that the header declares for the symbol, which all versions of it have.
        let functions = unsafe {
            library.get::<unsafe extern "C" fn(u32) -> *const atb_functions>(b"atb_shim_functions")
        }
        .map_err(|_| "it is not a shim over ATB: there is no symbol `atb_shim_functions`".to_owned())?;
        // SAFETY: The function takes any number.
        unsafe { functions(ATB_SHIM_VERSION) }
    };
    // SAFETY: The function answers with null or with a table of this version that lives for ever, as the library does.
    let table = unsafe { table.as_ref() }.ok_or_else(|| {
        format!("it does not have version {ATB_SHIM_VERSION} of the interface, which this program needs")
    })?;
    check_version(table)?;
    check_abi(table, &library)?;
    Ok(table)
}

fn check_version(table: &atb_functions) -> Result<(), String> {
    if table.version == ATB_SHIM_VERSION {
        return Ok(());
    }
    Err(format!(
        "it has version {} of the interface, and this program needs version {ATB_SHIM_VERSION}",
        table.version
    ))
}

/// Whether the shim and the ATB that was loaded with it have the same C++ ABI.
fn check_abi(table: &atb_functions, library: &Library) -> Result<(), String> {
    let names = ["_ZN3atb5Utils13GetAtbVersionEv", "_ZN3atb5Utils13GetAtbVersionB5cxx11Ev"];
    // SAFETY: A symbol's value is an address, and any address is a valid raw pointer. It is not used.
    let exports = names.map(|name| unsafe { library.get::<*const c_void>(name.as_bytes()) }.is_ok());
    match (table.cxx11Abi, exports) {
        (0, [false, true]) | (1, [true, false]) => Err(format!(
            "it was compiled for the C++ ABI {} (_GLIBCXX_USE_CXX11_ABI), and the loaded libatb.so has the other one",
            table.cxx11Abi
        )),
        _ => Ok(()),
    }
}

/// What the system's loader said, without the path that it said it of.
fn reason(error: &libloading::Error, path: &Path) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let text = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
    if text.contains("_ZN3atb5Utils13GetAtbVersion") {
        return format!("{text} (the C++ ABI of the installed libatb.so is another than the shim's)");
    }
    if text.starts_with("lib") && text.contains("cannot open shared object file") {
        return format!("{text} (`source` the toolkit's and ATB's set_env.sh)");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(named: Option<&str>, built: &[&str], not_built: &[&'static str]) -> Vec<String> {
        let variable = |name: &str| named.filter(|_| name == "ATB_SHIM_LIBRARY").map(OsString::from);
        let places = places(variable, Some(Path::new("/opt/app/bin/app")), built, not_built);
        places
            .into_iter()
            .map(|place| match place {
                Place::File(path) => path.to_string_lossy().into_owned(),
                Place::Nothing(reason) => format!("({reason})"),
            })
            .collect()
    }

    #[test]
    fn the_search_order_is_the_documented_one() {
        assert_eq!(
            candidates(None, &["/out/cxx_abi_1/libatb_shim.so"], &["the other one did not compile"]),
            [
                "/out/cxx_abi_1/libatb_shim.so",
                "(the other one did not compile)",
                "/opt/app/bin/libatb_shim.so",
                "/opt/app/bin/cxx_abi_1/libatb_shim.so",
                "/opt/app/bin/cxx_abi_0/libatb_shim.so",
                "libatb_shim.so",
            ]
        );
    }

    #[test]
    fn a_named_shim_is_the_only_one_that_is_tried() {
        assert_eq!(candidates(Some("/some/shim.so"), &["/out/libatb_shim.so"], &[]), ["/some/shim.so"]);
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().to_str().unwrap();
        assert_eq!(
            candidates(Some(named), &[], &["no"]),
            ["", "/cxx_abi_1", "/cxx_abi_0"].map(|abi| format!("{named}{abi}/libatb_shim.so"))
        );
    }
}
