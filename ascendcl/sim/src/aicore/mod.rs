//! The AI cores of the simulated device: a model of the instructions of NPU architecture 2201 (dav-c220).
//!
//! A kernel object is a shared library that a host C++ compiler made of Ascend C source and the headers in
//! `include/`. Each call of the Ascend C interface becomes one instruction ([`abi`]), which the core that the
//! kernel runs on executes.

pub(crate) mod abi;
mod arena;
mod calls;
pub(crate) mod check;
mod core;
mod cross;
pub(crate) mod fault;
mod flags;
pub(crate) mod instruction;
pub(crate) mod launch;
mod layout;
mod matrix;
pub(crate) mod memory;
mod number;
pub(crate) mod object;
mod raw_object;
mod schedule;
#[cfg(test)]
mod testing;
pub(crate) mod trace;
mod transfer;
mod vector;
