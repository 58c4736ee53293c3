//! Kernel objects: shared libraries that `sim-cc` makes of Ascend C sources.

use std::sync::Arc;

use super::abi::{CoreType, KernelType, Object as Table, Parameter, VERSION};
use super::launch::Kernel;
use super::raw_object::{Entry, Library, entries};
use crate::error::{Result, failure, misuse};

/// A kernel object that is loaded. Its code stays as long as this lives.
#[derive(Debug)]
pub(crate) struct Object {
    pub kernels: Vec<ObjectKernel>,
    /// The code's, unless it is the program's own.
    _library: Option<Library>,
}

/// A kernel of an object, with the layout of its arguments.
#[derive(Clone, Debug)]
pub(crate) struct ObjectKernel {
    pub kernel: Kernel,
    pub parameters: Vec<Parameter>,
}

const HOW_TO_BUILD: &str =
    "build an object for the simulated device with `cargo xtask sim-cc SOURCE -o OUT.so`";

impl Object {
    /// Loads the bytes of an object. `what` names them in errors.
    pub(crate) fn load(bytes: &[u8], what: &str) -> Result<Arc<Self>> {
        check_elf(bytes, what)?;
        let library = Library::load(bytes)
            .map_err(|error| misuse!(ACL_ERROR_INVALID_FILE, "{what} cannot be loaded: {error}"))?;
        let Some(version) = library.version() else {
            return Err(misuse!(
                ACL_ERROR_INVALID_FILE,
                "{what} is a shared library without kernels; {HOW_TO_BUILD}"
            ));
        };
        if version != VERSION {
            return Err(misuse!(
                ACL_ERROR_INVALID_FILE,
                "{what} was built for version {version} of the model, which is now {VERSION}; {HOW_TO_BUILD} again"
            ));
        }
        let kernels = kernels(library.entries(), what)?;
        Ok(Arc::new(Self { kernels, _library: Some(library) }))
    }

    /// The kernels in a file of the program itself.
    ///
    /// # Safety
    /// The table must be one that `sim-cc` made, and stay.
    #[cfg_attr(
        not(feature = "c-abi"),
        allow(dead_code, reason = "for programs that link the shared library")
    )]
    pub(crate) unsafe fn of_program(table: &Table) -> Result<Arc<Self>> {
        let version = table.version;
        if version != VERSION {
            return Err(misuse!(
                ACL_ERROR_INVALID_FILE,
                "the program's kernels were built for version {version} of the model, which is now {VERSION}; build the \
                 program again with this version's sim-cc"
            ));
        }
        // SAFETY: By the contract of this function, and the version was just compared.
        let kernels = kernels(unsafe { entries(table) }, "the program")?;
        Ok(Arc::new(Self { kernels, _library: None }))
    }

    /// The kernel of a name.
    pub(crate) fn find(&self, name: &str) -> Result<&ObjectKernel> {
        self.kernels.iter().find(|found| found.kernel.name == name).ok_or_else(|| {
            failure!(
                ACL_ERROR_RT_KERNEL_LOOKUP,
                "the object has no kernel {name:?}; it has {}",
                self.names().join(", ")
            )
        })
    }

    /// The names of the kernels.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.kernels.iter().map(|found| found.kernel.name.as_str()).collect()
    }
}

fn kernels(entries: Vec<Entry>, what: &str) -> Result<Vec<ObjectKernel>> {
    let mut kernels: Vec<ObjectKernel> = Vec::new();
    for entry in entries {
        add(&mut kernels, entry)
            .map_err(|why| misuse!(ACL_ERROR_INVALID_FILE, "{what} is damaged: {why}; {HOW_TO_BUILD}"))?;
    }
    Ok(kernels)
}

/// Adds the code for one kind of core to the kernel of its name.
fn add(kernels: &mut Vec<ObjectKernel>, entry: Entry) -> std::result::Result<(), String> {
    let Entry { name, core_type, kernel_type, argument_bytes, run, parameters } = entry;
    let kernel_type = KernelType::of(kernel_type)
        .ok_or_else(|| format!("kernel {name} has the unknown type {kernel_type}"))?;
    let index = match kernels.iter().position(|found| found.kernel.name == name) {
        Some(index) if kernels[index].parameters != parameters => {
            return Err(format!("kernel {name} has other arguments on cube cores than on vector cores"));
        }
        Some(index) => index,
        None => {
            let kernel = Kernel { name: name.clone(), kernel_type, cube: None, vector: None, argument_bytes };
            kernels.push(ObjectKernel { kernel, parameters });
            kernels.len() - 1
        }
    };
    let kernel = &mut kernels[index].kernel;
    let place = match CoreType::of(core_type) {
        Some(CoreType::Aic) => &mut kernel.cube,
        Some(CoreType::Aiv) => &mut kernel.vector,
        None => return Err(format!("kernel {name} is for the unknown kind of core {core_type}")),
    };
    match place.replace(run) {
        None => Ok(()),
        Some(_) => Err(format!("kernel {name} is there twice")),
    }
}

/// The machine of the host in the header of an ELF file.
const HOST_MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
/// A shared library in the header of an ELF file.
const SHARED_LIBRARY: u16 = 3;

fn check_elf(bytes: &[u8], what: &str) -> Result {
    let field = |at: usize| Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let (Some(b"\x7fELF"), Some(kind), Some(machine)) = (bytes.get(..4), field(16), field(18)) else {
        return Err(misuse!(
            ACL_ERROR_INVALID_FILE,
            "{what} is no ELF file, hence no kernel object; {HOW_TO_BUILD}"
        ));
    };
    if machine != HOST_MACHINE {
        return Err(misuse!(
            ACL_ERROR_INVALID_FILE,
            "{what} is for ELF machine {machine:#x}, perhaps a real device; the simulated device runs code for the \
             host ({HOST_MACHINE:#x}): {HOW_TO_BUILD}"
        ));
    }
    if kind != SHARED_LIBRARY {
        return Err(misuse!(
            ACL_ERROR_INVALID_FILE,
            "{what} is an ELF file for the host, but no shared library (type {kind}); {HOW_TO_BUILD}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_called_by_its_name() {
        let message = |bytes: &[u8]| Object::load(bytes, "x.o").unwrap_err().message;
        assert!(message(b"").contains("x.o is no ELF file"));
        let mut header = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x29\x10";
        let device = message(&header);
        assert!(device.contains("ELF machine 0x1029") && device.contains("cargo xtask sim-cc"), "{device}");
        header[16] = 1;
        header[18..20].copy_from_slice(&HOST_MACHINE.to_le_bytes());
        assert!(message(&header).contains("no shared library"));
        header[16] = 3;
        assert!(message(&header).contains("cannot be loaded"));
    }
}
