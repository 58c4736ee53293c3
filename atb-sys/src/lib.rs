//! Raw FFI of ATB, Ascend's C++ operator library (Ascend Transformer Boost), through a C shim of our own.
//!
//! ATB has classes, templates and containers, which Rust cannot call. A *shim* turns them into the table of C functions
//! [`atb_functions`], which `include/atb_shim.h` declares and documents. This crate has the shim's C++ (`shim/`), compiles it
//! where ATB is installed, and finds it at run time. It knows nothing but this C ABI; safe code is in the crate `ascend-atb`.
//!
//! # Layers
//!
//! 1. `include/`: the C headers. Names, types and fields are those of ATB's classes.
//! 2. `shim/`: C++17 that fills the table. It compiles against the headers of CANN 8.1 and newer: what a version lacks is found
//!    out from its headers, and refused with [`ATB_SHIM_UNSUPPORTED`] when it is called or set. Exceptions become
//!    [`ATB_SHIM_EXCEPTION`] with their text.
//! 3. `bindings`: what bindgen makes of the headers, checked in (`cargo xtask bindgen`).
//! 4. [`Shim`]: the table, from a file or from a program that has one of its own, as the simulated device does.
//!
//! # How a shim is made
//!
//! * By the build of this crate, if `ATB_HOME_PATH` is set, as ATB's `set_env.sh` does. It may also name the directory above,
//!   which has `cxx_abi_0` and `cxx_abi_1`: then there is a shim for each. Headers of AscendCL are those in
//!   `$ASCEND_HOME_PATH/include`, else those of `ascendcl-sys`. Without ATB the build needs no C++ compiler.
//! * By `cargo xtask atb-shim`, for a program that was built elsewhere.
//!
//! The shim is a shared library, so that one program runs with and without ATB, and with a toolkit of either C++ ABI.
//!
//! # Where a shim is looked for
//!
//! [`Shim::open`] tries, in this order:
//!
//! 1. `ATB_SHIM_LIBRARY`, a shim or a directory of shims; if it is set, nothing else is tried;
//! 2. the shims that were compiled with this crate;
//! 3. beside the running program;
//! 4. the system's loader, by the name `libatb_shim.so`.
//!
//! A directory may have `libatb_shim.so`, `cxx_abi_1/libatb_shim.so` and `cxx_abi_0/libatb_shim.so`. The first that can be loaded
//! is taken: a shim for another C++ ABI than that of the installed `libatb.so` cannot. `libatb.so` itself is found by the
//! system's loader (`LD_LIBRARY_PATH`), then where it was when the shim was compiled. Nothing is ever closed.
//!
//! If there is none, [`LoadError`] says what was tried and what to do:
//!
//! ```
//! let error = atb_sys::Shim::open_at("/opt/shims/libatb_shim.so").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "no shim over ATB could be loaded; tried:
//!   /opt/shims/libatb_shim.so: cannot open shared object file: No such file or directory
//! install the CANN toolkit and its NNAL package, `source` the toolkit's and ATB's set_env.sh, and build this program \
//! again there (ATB_HOME_PATH is then set); or make libatb_shim.so with `cargo xtask atb-shim` and put it beside this \
//! program, or set ATB_SHIM_LIBRARY to it"
//! );
//! ```

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    clippy::pub_underscore_fields,
    reason = "the interface is C's; `include/atb_shim.h` documents it"
)]
#[rustfmt::skip] // as bindgen writes it
mod bindings;
mod error;
mod loader;
mod status;

pub use bindings::*;
pub use error::{Attempt, LoadError};
pub use loader::Shim;
pub use status::error_name;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
