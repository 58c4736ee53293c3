//! ATB, the vendor's operator library, on the simulated device: the table of [`atb_sys`], filled in Rust.

mod operator;
mod ops;
mod tensor;
