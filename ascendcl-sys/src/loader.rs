//! Finds the functions of AscendCL at run time, one by one and no sooner than they are called.

use std::error::Error as _;
use std::ffi::{CStr, CString, OsString, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use once_cell::sync::OnceCell;

use crate::bindings::{FUNCTIONS, Slots};
use crate::error::{Attempt, LoadError, MissingSymbol, Searched};
use crate::function::{FunctionInfo, Group};

/// Answers with the address of the function of a name, as `dlsym` does.
pub type Resolve = fn(&CStr) -> Option<NonNull<c_void>>;

/// AscendCL, wherever its functions come from: installed libraries, a table within this program, or the
/// linker.
///
/// Each function is a method. It is looked up when it is first called, and only it: a library that lacks
/// other functions is as good as any. The libraries are opened as late, and never closed, because they start
/// threads.
pub struct Library {
    source: Source,
    pub(crate) slots: Slots,
}

enum Source {
    Files(Box<Files>),
    Resolver { name: &'static str, resolve: Resolve },
}

impl Library {
    /// Opens the installed runtime library; see the [crate documentation](crate) for where it is looked for.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if there is none that can be loaded, with everything that was tried.
    pub fn open() -> Result<Self, LoadError> {
        Self::opened(Files::new(default_places()))
    }

    /// Opens the runtime library at `path`, which is a directory of libraries or one library.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if it cannot be loaded.
    pub fn open_at(path: impl Into<PathBuf>) -> Result<Self, LoadError> {
        Self::opened(Files::new(vec![Place::at(path.into())]))
    }

    /// As [`Self::open`], but looks for nothing yet: if there is no library, the first call says so.
    pub fn lazy() -> Self {
        Self::from_source(Source::Files(Box::new(Files::new(default_places()))))
    }

    /// The functions that `resolve` knows, as a simulated device has them. `name` says what it is in
    /// messages.
    ///
    /// # Safety
    ///
    /// An address that `resolve` returns must be that of a function of the type that
    /// [`signature`](crate::signature) has for that name, and must stay valid for the rest of the program.
    pub unsafe fn from_resolver(name: &'static str, resolve: Resolve) -> Self {
        Self::from_source(Source::Resolver { name, resolve })
    }

    /// The functions that this program is linked with. Those of CANN 9 are looked for in the process, unless
    /// the feature `cann-9` links them too.
    #[cfg(feature = "link")]
    pub fn linked() -> Self {
        fn resolve(name: &CStr) -> Option<NonNull<c_void>> {
            name.to_str().ok().and_then(crate::bindings::linked).or_else(|| {
                let process = libloading::os::unix::Library::this();
                // SAFETY: A symbol's value is an address, and any address is a valid raw pointer.
                let symbol = unsafe { process.get::<*mut c_void>(name) }.ok()?;
                NonNull::new(*symbol)
            })
        }
        Self::from_source(Source::Resolver { name: "the linked CANN toolkit", resolve })
    }

    /// Whether there is a function of this name. May open the library that should have it.
    pub fn is_available(&self, name: &str) -> bool {
        FUNCTIONS.iter().find(|function| function.name == name).is_some_and(|f| self.resolve(f).is_ok())
    }

    /// The runtime library, if it is a file and open.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Files(files) => files.opened(Group::Runtime).next().map(|opened| &*opened.path),
            Source::Resolver { .. } => None,
        }
    }

    fn from_source(source: Source) -> Self {
        Self { source, slots: Slots::default() }
    }

    fn opened(files: Files) -> Result<Self, LoadError> {
        files.group(Group::Runtime)?;
        Ok(Self::from_source(Source::Files(Box::new(files))))
    }

    /// The address of a function.
    pub(crate) fn resolve(&self, function: &FunctionInfo) -> Result<NonNull<c_void>, MissingSymbol> {
        let missing = |searched| MissingSymbol {
            name: function.name,
            since: function.since,
            files: function.group.files(),
            searched: Box::new(searched),
        };
        match &self.source {
            Source::Files(files) => files.resolve(function).map_err(missing),
            Source::Resolver { name, resolve } => CString::new(function.name)
                .ok()
                .and_then(|symbol| resolve(&symbol))
                .ok_or_else(|| missing(Searched::Provider(name))),
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Files(files) => {
                let opened = Group::ALL.into_iter().flat_map(|group| files.opened(group));
                f.debug_set().entries(opened.map(|opened| &opened.path)).finish()
            }
            Source::Resolver { name, .. } => f.write_str(name),
        }
    }
}

/// Where libraries are looked for.
enum Place {
    Directory(PathBuf),
    /// One library of the runtime; the others are beside it.
    File(PathBuf),
    /// Wherever the system's loader looks for a name.
    System,
}

impl Place {
    fn at(path: PathBuf) -> Self {
        if path.is_dir() { Self::Directory(path) } else { Self::File(path) }
    }

    /// What to open for a group.
    fn candidates(&self, group: Group) -> Vec<PathBuf> {
        let names = group.files().iter();
        match self {
            Self::Directory(directory) => names.map(|name| directory.join(name)).collect(),
            Self::File(file) if group == Group::Runtime => vec![file.clone()],
            Self::File(file) => names.map(|name| file.with_file_name(name)).collect(),
            Self::System => names.map(PathBuf::from).collect(),
        }
    }
}

/// The documented search order.
fn default_places() -> Vec<Place> {
    places(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
}

fn places(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Place> {
    if let Some(path) = variable("ASCENDCL_LIBRARY") {
        return vec![Place::at(path.into())];
    }
    let homes = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"].into_iter().filter_map(variable);
    let defaults =
        ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/latest", "/usr/local/Ascend/cann"];
    homes
        .chain(defaults.into_iter().map(OsString::from))
        .map(|home| Place::Directory(Path::new(&home).join("lib64")))
        .chain([Place::System])
        .collect()
}

/// Libraries that are opened when they are first needed.
struct Files {
    places: Vec<Place>,
    groups: [OnceCell<Result<Vec<Opened>, LoadError>>; Group::ALL.len()],
}

struct Opened {
    path: PathBuf,
    handle: ManuallyDrop<libloading::Library>,
}

impl Files {
    fn new(places: Vec<Place>) -> Self {
        Self { places, groups: Default::default() }
    }

    /// The libraries of a group, from the first place that has any.
    fn group(&self, group: Group) -> Result<&[Opened], LoadError> {
        let opened = self.groups[group as usize].get_or_init(|| {
            let mut tried = Vec::new();
            for place in &self.places {
                let mut opened = Vec::new();
                for path in place.candidates(group) {
                    // SAFETY: Loading runs the library's initialisers. It is the one that the user installed
                    // or named as AscendCL, whose initialisers may run at any time.
                    match unsafe { libloading::Library::new(&path) } {
                        Ok(handle) => opened.push(Opened { path, handle: ManuallyDrop::new(handle) }),
                        Err(error) => tried.push(Attempt { error: reason(&error, &path), path }),
                    }
                }
                if !opened.is_empty() {
                    return Ok(opened);
                }
            }
            Err(LoadError { files: group.files(), tried })
        });
        opened.as_deref().map_err(LoadError::clone)
    }

    /// Looks in the function's own libraries and then in the runtime's, which some versions and the simulated
    /// device put everything into.
    fn resolve(&self, function: &FunctionInfo) -> Result<NonNull<c_void>, Searched> {
        let own = self.group(function.group);
        let runtime = if function.group == Group::Runtime { Ok(&[][..]) } else { self.group(Group::Runtime) };
        let mut searched = Vec::new();
        for opened in [&own, &runtime].into_iter().flatten().copied().flatten() {
            // SAFETY: A symbol's value is an address, and any address is a valid raw pointer.
            if let Ok(symbol) = unsafe { opened.handle.get::<*mut c_void>(function.name) }
                && let Some(address) = NonNull::new(*symbol)
            {
                return Ok(address);
            }
            searched.push(opened.path.clone());
        }
        Err(own.err().map_or(Searched::Files(searched), Searched::NotLoaded))
    }

    /// What is open of a group.
    fn opened(&self, group: Group) -> impl Iterator<Item = &Opened> {
        self.groups[group as usize].get().into_iter().flatten().flatten()
    }
}

/// What the system's loader said, without the path that it said it of.
fn reason(error: &libloading::Error, path: &Path) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime_candidates(environment: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        let candidates = places(variable).into_iter().flat_map(|place| place.candidates(Group::Runtime));
        candidates.map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_search_order_is_the_documented_one() {
        assert_eq!(
            runtime_candidates(&[("ASCEND_TOOLKIT_HOME", "/t"), ("ASCEND_HOME_PATH", "/h")]),
            [
                "/h/lib64/libascendcl.so",
                "/h/lib64/libacl_rt.so",
                "/t/lib64/libascendcl.so",
                "/t/lib64/libacl_rt.so",
                "/usr/local/Ascend/ascend-toolkit/latest/lib64/libascendcl.so",
                "/usr/local/Ascend/ascend-toolkit/latest/lib64/libacl_rt.so",
                "/usr/local/Ascend/latest/lib64/libascendcl.so",
                "/usr/local/Ascend/latest/lib64/libacl_rt.so",
                "/usr/local/Ascend/cann/lib64/libascendcl.so",
                "/usr/local/Ascend/cann/lib64/libacl_rt.so",
                "libascendcl.so",
                "libacl_rt.so",
            ]
        );
    }

    #[test]
    fn a_named_library_is_the_only_one_that_is_tried() {
        let named = [("ASCENDCL_LIBRARY", "/some/libacl.so"), ("ASCEND_HOME_PATH", "/h")];
        assert_eq!(runtime_candidates(&named), ["/some/libacl.so"]);
    }
}
