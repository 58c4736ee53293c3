//! ATB, the vendor's operator library, on the simulated device: the table of [`atb_sys`], filled in Rust.

mod abi;
mod arithmetic;
mod context;
mod execution;
mod graph;
mod launch;
mod operation;
mod operator;
mod ops;
mod plan;
mod registry;
mod report;
mod tensor;
mod tensor_check;

pub use launch::{Launch, launches, record_launches, take_launches};
pub use report::{Leak, Misuse, Report, report};

/// The table of the C functions, of the version that [`atb_sys`] has.
pub fn functions() -> &'static atb_sys::atb_functions {
    &abi::FUNCTIONS
}
