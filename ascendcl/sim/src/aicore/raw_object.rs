//! Loading a kernel object and reading its table: what needs `unsafe`.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::abi::{KernelEntry, Object, Parameter};
use super::launch;

/// A shared library, perhaps with the table of a kernel object.
#[derive(Debug)]
pub(crate) struct Library {
    loaded: libloading::Library,
    /// The system's loader knows a library by its path, so that the number in the path must stay taken.
    _file: File,
}

/// [`KernelEntry`] in Rust's types.
#[derive(Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub core_type: u8,
    pub kernel_type: u8,
    pub argument_bytes: usize,
    pub run: launch::Entry,
    pub parameters: Vec<Parameter>,
}

impl Library {
    /// Loads the bytes of a library, as a file without a name: so a file that is built anew meanwhile does not change
    /// what is loaded, and the same bytes can be loaded twice.
    pub(crate) fn load(bytes: &[u8]) -> io::Result<Self> {
        // SAFETY: The name is a C string.
        let file = unsafe { libc::memfd_create(c"ascend-kernel".as_ptr(), libc::MFD_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: The descriptor was opened above, and nothing else owns it.
        let mut file = File::from(unsafe { OwnedFd::from_raw_fd(file) });
        file.write_all(bytes)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // SAFETY: Loading runs the constructors of the program's own kernel object. That they do no harm is the
        // program's promise, as it is for the kernels.
        let library = unsafe { libloading::Library::new(path) }.map_err(io::Error::other)?;
        Ok(Self { loaded: library, _file: file })
    }

    fn object(&self) -> Option<&Object> {
        // SAFETY: The symbol, which only objects of `sim-cc` have, is an `Object`; it lives as long as the library.
        unsafe {
            self.loaded
                .get::<*const Object>(c"ascendc_model_object")
                .ok()?
                .try_as_raw_ptr()?
                .cast::<Object>()
                .as_ref()
        }
    }

    /// The version of the interface, if the library is a kernel object.
    pub(crate) fn version(&self) -> Option<u32> {
        self.object().map(|object| object.version)
    }

    /// The kernels of an object of this version of the interface.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        // SAFETY: `sim-cc` made the table, which lives as long as the library.
        self.object().map_or_else(Vec::new, |object| unsafe { entries(object) })
    }
}

/// The kernels of a table.
///
/// # Safety
/// It must be a table that `sim-cc` made, of this version of the interface.
pub(crate) unsafe fn entries(object: &Object) -> Vec<Entry> {
    (0..object.kernel_count as usize)
        .map(|index| {
            // SAFETY: The table has as many entries as it says, with names that are C strings and as many
            // parameters as they say, all of which live as long as the table.
            unsafe {
                let entry: &KernelEntry = &*object.kernels.add(index);
                let parameters = 0..entry.parameter_count as usize;
                Entry {
                    name: CStr::from_ptr(entry.name).to_string_lossy().into_owned(),
                    core_type: entry.core_type,
                    kernel_type: entry.kernel_type,
                    argument_bytes: entry.argument_bytes as usize,
                    run: entry.run,
                    parameters: parameters.map(|index| entry.parameters.add(index).read()).collect(),
                }
            }
        })
        .collect()
}
