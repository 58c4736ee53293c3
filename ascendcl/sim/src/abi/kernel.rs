//! Kernel objects and their functions.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::fs;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{In, abi, kernel_args};
use crate::aicore::abi::KernelType;
use crate::aicore::object::{Object, ObjectKernel};
use crate::error::{Result, failure, misuse};
use crate::kernel::Function;
use crate::object::Objects;

/// A loaded object.
struct Binary {
    object: Arc<Object>,
    /// The handles of its functions, by name.
    functions: BTreeMap<String, usize>,
}

/// The bytes of an object.
static DATA: Objects<c_void, Vec<u8>> = Objects::new("kernel binary");
static BINARIES: Objects<c_void, Binary> = Objects::new("handle of a loaded kernel binary");
static FUNCTIONS: Objects<c_void, Arc<Function>> = Objects::new("kernel function");

/// The function of a handle.
pub(super) fn function(handle: *mut c_void) -> Result<Arc<Function>> {
    FUNCTIONS.with(handle, |function| Arc::clone(function))
}

abi! {
    /// The path must be absolute (AscendCL docs: kernel loading).
    pub fn aclrtBinaryLoadFromFile(
        bin_path: *const c_char,
        options: *mut aclrtBinaryLoadOptions,
        bin_handle: *mut aclrtBinHandle,
    ) {
        let path = bin_path.text()?;
        bin_handle.required()?;
        check_options(&options)?;
        Scope::enter()?;
        let bytes = fs::read(&path)
            .map_err(|error| misuse!(ACL_ERROR_INVALID_FILE, "{path} cannot be read: {error}"))?;
        bin_handle.set(load(&bytes, &path)?)
    }

    pub fn aclrtBinaryLoadFromData(
        data: *const c_void,
        length: usize,
        options: *const aclrtBinaryLoadOptions,
        bin_handle: *mut aclrtBinHandle,
    ) {
        bin_handle.required()?;
        check_options(&options)?;
        Scope::enter()?;
        bin_handle.set(load(&bytes(&data, length)?, "the kernel binary")?)
    }

    /// Copies the data.
    pub fn aclrtCreateBinary(data: *const c_void, data_len: usize) -> aclrtBinary, else aclrtBinary::null(); {
        Ok(aclrtBinary(DATA.add(bytes(&data, data_len)?)))
    }

    pub fn aclrtDestroyBinary(binary: aclrtBinary) {
        DATA.remove(binary.0).map(drop)
    }

    pub fn aclrtBinaryLoad(binary: aclrtBinary, bin_handle: *mut aclrtBinHandle) {
        bin_handle.required()?;
        Scope::enter()?;
        let data = DATA.get(binary.0)?;
        let data = data.lock();
        bin_handle.set(load(&data, "the kernel binary")?)
    }

    /// Launches that are queued keep the code.
    pub fn aclrtBinaryUnLoad(bin_handle: aclrtBinHandle) {
        let binary = BINARIES.remove(bin_handle.0)?;
        for &function in binary.lock().functions.values() {
            let handle = std::ptr::without_provenance_mut::<c_void>(function);
            kernel_args::forget(&self::function(handle)?);
            FUNCTIONS.remove(handle)?;
        }
        Ok(())
    }

    /// The function belongs to the device of the thread's context.
    pub fn aclrtBinaryGetFunction(
        bin_handle: aclrtBinHandle,
        kernel_name: *const c_char,
        func_handle: *mut aclrtFuncHandle,
    ) {
        func_handle.required()?;
        let name = kernel_name.text()?;
        func_handle.set(get_function(bin_handle, |object| object.find(&name))?)
    }

    /// Finds the kernel whose name ends in `_` and the number, as those of operators with tiling keys do.
    pub fn aclrtBinaryGetFunctionByEntry(
        bin_handle: aclrtBinHandle,
        func_entry: u64,
        func_handle: *mut aclrtFuncHandle,
    ) {
        func_handle.required()?;
        let ending = format!("_{func_entry}");
        let find = |object: &'_ Object| -> Result<ObjectKernel> {
            let mut kernels = object.kernels.iter().filter(|found| found.kernel.name.ends_with(&ending));
            match (kernels.next(), kernels.next()) {
                (Some(found), None) => Ok(found.clone()),
                _ => Err(failure!(
                    ACL_ERROR_RT_KERNEL_LOOKUP,
                    "the object has no single kernel whose name ends in {ending:?}; it has {}",
                    object.names().join(", ")
                )),
            }
        };
        let name = BINARIES.with(bin_handle.0, |binary| find(&binary.object))??.kernel.name;
        func_handle.set(get_function(bin_handle, |object| object.find(&name))?)
    }

    /// The name is cut to what there is room for, terminator included.
    pub fn aclrtGetFunctionName(func_handle: aclrtFuncHandle, max_len: u32, name: *mut c_char) {
        let function = function(func_handle.0)?;
        name.required()?;
        let room = (max_len as usize)
            .checked_sub(1)
            .ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "the length of the name is 0"))?;
        let bytes = function.found.kernel.name.bytes().take(room).chain([0]);
        name.set_all(bytes.map(|byte| byte as c_char))
    }

    /// The addresses tell functions apart; there is nothing at them that a program could use.
    pub fn aclrtGetFunctionAddr(
        func_handle: aclrtFuncHandle,
        aic_addr: *mut *mut c_void,
        aiv_addr: *mut *mut c_void,
    ) {
        let function = function(func_handle.0)?;
        let kernel = &function.found.kernel;
        let address = |entry: Option<_>| entry.map_or(std::ptr::null_mut(), |entry: crate::aicore::launch::Entry| {
            std::ptr::without_provenance_mut(entry as *const () as usize)
        });
        aic_addr.required()?;
        aiv_addr.set(address(kernel.vector))?;
        aic_addr.set(address(kernel.cube))
    }

    pub fn aclrtGetFunctionAttribute(
        func_handle: aclrtFuncHandle,
        attr_type: aclrtFuncAttribute,
        attr_value: *mut i64,
    ) {
        let function = function(func_handle.0)?;
        let kernel_type = function.found.kernel.kernel_type;
        attr_value.set(match attr_type {
            // aclrtKernelType: cube core 1, vector core 2, both 3.
            ACL_FUNC_ATTR_KERNEL_TYPE => match kernel_type {
                KernelType::AicOnly => 1,
                KernelType::AivOnly => 2,
                _ => 3,
            },
            // Vector cores in the lower 16 bits, cube cores in the next.
            ACL_FUNC_ATTR_KERNEL_RATIO => match kernel_type {
                KernelType::AivOnly | KernelType::MixAiv10 => 1,
                KernelType::AicOnly | KernelType::MixAic10 => 1 << 16,
                KernelType::MixAic11 => 1 << 16 | 1,
                KernelType::MixAic12 => 1 << 16 | 2,
            },
            // A launch takes all the cores it needs at once.
            ACL_FUNC_ATTR_KERNEL_SCHED_MODE => 1,
            aclrtFuncAttribute(other) => {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no function attribute {other}"));
            }
        })
    }
}

fn load(bytes: &[u8], what: &str) -> Result<aclrtBinHandle> {
    let object = Object::load(bytes, what)?;
    Ok(aclrtBinHandle(BINARIES.add(Binary { object, functions: BTreeMap::new() })))
}

fn get_function(
    handle: aclrtBinHandle,
    find: impl for<'a> FnOnce(&'a Object) -> Result<&'a ObjectKernel>,
) -> Result<aclrtFuncHandle> {
    let device = Scope::enter()?.context.device.id;
    BINARIES.with(handle.0, |binary| {
        let found = find(&binary.object)?.clone();
        let name = found.kernel.name.clone();
        let object = &binary.object;
        let function = *binary.functions.entry(name).or_insert_with(|| {
            let function = Arc::new(Function::new(Arc::clone(object), found, device));
            let handle = FUNCTIONS.add(Arc::clone(&function)).addr();
            *function.handle.get_or_init(|| handle)
        });
        Ok(aclrtFuncHandle(std::ptr::without_provenance_mut(function)))
    })?
}

fn bytes(data: &In<c_void>, length: usize) -> Result<Vec<u8>> {
    if length == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the kernel binary has 0 bytes"));
    }
    let start = data.required()?.cast::<u8>();
    // SAFETY: Not null, hence host memory of that length, by the contract of the C function.
    Ok(unsafe { std::slice::from_raw_parts(start, length) }.to_vec())
}

/// Options say when and for which cores the real library loads; an object of the model is loaded at once.
fn check_options(options: &In<aclrtBinaryLoadOptions>) -> Result {
    if options.is_null() {
        return Ok(());
    }
    let options = options.get()?;
    for index in 0..options.numOpt {
        if options.options.is_null() {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the options are null, and there are {}",
                options.numOpt
            ));
        }
        // SAFETY: The array is not null, hence has as many options as the program says.
        let kind = unsafe { options.options.add(index).read() }.type_;
        match kind {
            ACL_RT_BINARY_LOAD_OPT_LAZY_LOAD | ACL_RT_BINARY_LOAD_OPT_MAGIC => {}
            ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE => {
                return Err(failure!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "the simulator has no AI CPU kernels"
                ));
            }
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no load option {}", kind.0)),
        }
    }
    Ok(())
}
