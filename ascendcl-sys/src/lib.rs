//! Raw FFI of AscendCL, the runtime interface of Ascend NPUs: every type, constant and function of CANN 8.1's
//! `acl/acl.h` and its companions (operator compiler, data channels and queues, profiling, dump, allocators,
//! matrix products, aclnn base), and what CANN 9.1 added to the parts that programs use most.
//!
//! This crate knows nothing but the C ABI. Safe code is in the crate `ascendcl`; write against that one
//! unless you miss a function there.
//!
//! # Layers
//!
//! 1. `include/`: C headers of our own. They declare the facts of the interface (names, types, values, order)
//!    and work for C and C++ programs, too.
//! 2. `bindings`: what bindgen makes of them, checked in, so that a build needs neither libclang nor a
//!    toolkit. Enumerations and handles are newtypes, never Rust enumerations: a newer library may return a
//!    newer value. Constants have their C names: `ACL_FLOAT16`, [`ACL_ERROR_RT_CONTEXT_NULL`].
//! 3. [`Library`]: one method for each function, found at run time when it is first called. [`FUNCTIONS`]
//!    lists them, with the version of CANN that brought each.
//!
//! ```
//! use std::ffi::{CStr, c_void};
//! use std::ptr::NonNull;
//!
//! use ascendcl_sys::{ACL_SUCCESS, Library, aclError, signature};
//!
//! // A device of our own. With a toolkit, `Library::open()?` takes its place.
//! extern "C" fn device_count(count: *mut u32) -> aclError {
//!     // SAFETY: The contract of aclrtGetDeviceCount: the pointer is valid for a write.
//!     unsafe { count.write(2) };
//!     ACL_SUCCESS
//! }
//! const DEVICE_COUNT: signature::aclrtGetDeviceCount = device_count;
//! fn table(name: &CStr) -> Option<NonNull<c_void>> {
//!     (name == c"aclrtGetDeviceCount").then(|| NonNull::new(DEVICE_COUNT as *mut c_void)).flatten()
//! }
//! // SAFETY: The table gives to the name a function of its signature.
//! let acl = unsafe { Library::from_resolver("an example", table) };
//!
//! let mut count = 0;
//! // SAFETY: The pointer is valid for a write.
//! assert_eq!(unsafe { acl.aclrtGetDeviceCount(&mut count) }?, ACL_SUCCESS);
//! assert_eq!(count, 2);
//!
//! // A function that is not there is an error when it is called, and not before.
//! // SAFETY: As above.
//! let missing = unsafe { acl.aclFinalizeReference(&mut 0) }.unwrap_err();
//! assert_eq!((missing.name, missing.since), ("aclFinalizeReference", "9.1"));
//! # Ok::<(), ascendcl_sys::MissingSymbol>(())
//! ```
//!
//! # Where libraries are looked for
//!
//! [`Library::open`] tries, in this order:
//!
//! 1. `ASCENDCL_LIBRARY`, a library or a directory of libraries; if it is set, nothing else is tried;
//! 2. `$ASCEND_HOME_PATH/lib64`, then `$ASCEND_TOOLKIT_HOME/lib64`, which the toolkit's `set_env.sh` sets;
//! 3. `/usr/local/Ascend/ascend-toolkit/latest/lib64`, `/usr/local/Ascend/latest/lib64`,
//!    `/usr/local/Ascend/cann/lib64`;
//! 4. the system's loader, by name.
//!
//! In the first place that has `libascendcl.so` or `libacl_rt.so` (CANN 9 moved the runtime there) both are
//! opened. The libraries of the other [groups](Group) are looked for in the same order when a function of
//! theirs is first called; a function that they lack is looked for in the runtime, too. Libraries are never
//! closed.
//!
//! If nothing is found, [`LoadError`] says what was tried and what to install:
//!
//! ```text
//! libascendcl.so or libacl_rt.so could not be loaded; tried:
//!   /usr/local/Ascend/ascend-toolkit/latest/lib64/libascendcl.so: cannot open shared object file: No such file or directory
//!   [...]
//!   libacl_rt.so: cannot open shared object file: No such file or directory
//! install the CANN toolkit and the driver and `source` the toolkit's set_env.sh, or set ASCENDCL_LIBRARY to the library or its directory
//! ```
//!
//! and if a library is older than a function, [`MissingSymbol`] names both:
//!
//! ```text
//! `aclrtStreamStop` is missing (first in CANN 9.1, libascendcl.so or libacl_rt.so): /opt/acl/libascendcl.so lacks it; install a CANN toolkit 9.1 or newer
//! ```
//!
//! # What is not here
//!
//! `aclAppLog` is in the headers but has no method: it is variadic, and a table of functions, such as a
//! simulated device is, cannot hold a variadic function in stable Rust. Image processing (`acl_dvpp.h`) and
//! feature retrieval (`acl_fv.h`) are not declared.
//!
//! # Features
//!
//! * `link`: links with the installed toolkit; [`Library`] then has a constructor `linked`.
//! * `cann-9`: links the functions of CANN 9, too; without it they are looked for in the process.
//! * `bindgen`: binds the headers of the toolkit in `ASCEND_HOME_PATH` (or one of the places above) instead
//!   of ours, and takes from ours what they lack. Needs libclang.

mod bindings;
mod error;
mod function;
mod handle;
mod loader;

pub use bindings::*;
pub use error::{Attempt, LoadError, MissingSymbol, Searched};
pub use function::{FunctionInfo, Group};
pub use loader::{Library, Resolve};

/// The symbolic name of an error code, as the headers spell it.
///
/// ```
/// use ascendcl_sys::{ACL_ERROR_RT_PARAM_INVALID, error_name};
///
/// assert_eq!(error_name(ACL_ERROR_RT_PARAM_INVALID), Some("ACL_ERROR_RT_PARAM_INVALID"));
/// assert_eq!(error_name(-1), None);
/// ```
pub fn error_name(code: aclError) -> Option<&'static str> {
    let index = ERROR_NAMES.binary_search_by_key(&code, |&(code, _)| code).ok()?;
    Some(ERROR_NAMES[index].1)
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
