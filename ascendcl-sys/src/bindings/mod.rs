//! The generated bindings: those that are checked in, or, with the feature `bindgen`, those of the toolkit
//! that is installed.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, missing_docs)]
#![allow(clippy::missing_safety_doc, clippy::too_many_arguments, clippy::useless_transmute)]

#[cfg(not(feature = "bindgen"))]
#[rustfmt::skip]
mod functions;
#[cfg(not(feature = "bindgen"))]
#[rustfmt::skip]
mod types;

#[cfg(feature = "bindgen")]
mod functions {
    include!(concat!(env!("OUT_DIR"), "/functions.rs"));
}
#[cfg(feature = "bindgen")]
mod types {
    include!(concat!(env!("OUT_DIR"), "/types.rs"));
}

pub(crate) use functions::Slots;
#[cfg(feature = "link")]
pub(crate) use functions::linked;
pub use functions::{FUNCTIONS, signature};
pub use types::*;
