//! Raw FFI of ATB, the vendor's C++ operator library, through a C shim of our own.

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    clippy::pub_underscore_fields,
    reason = "the interface is C's; `include/atb_shim.h` documents it"
)]
mod bindings;

pub use bindings::*;
