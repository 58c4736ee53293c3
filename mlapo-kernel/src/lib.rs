//! The fused MLAPO kernel: Ascend C source, its tiling, its built artefacts.
//!
//! * `kernel/` holds the source, one for all modes: `mlapo.cpp` and a header for each part. It is written against the
//!   documented Ascend C interface and compiles for the device (NPU architecture 2201) and for the simulator's model of
//!   the AI cores.
//! * [`Tiling`] is what a launch passes by value: how the work of one shape is cut for one SoC, a pure function
//!   ([`Tiling::plan`]).
//! * [`SIMULATOR_OBJECT`] is the kernel built for the model.
//! * [`binary_for`] is the kernel built for a real device, if there is one.
//!
//! # Kernels for real devices
//!
//! `cargo xtask build-kernels`, a task of this crate's workspace, builds the kernel with an installed CANN toolkit into
//! `artifacts/`, and the next build of this crate embeds it. A program that has the crate from a registry embeds it from a
//! folder of its own: `cargo xtask build-kernels --out DIR` in a checkout of the same version, then `cargo build` of the program
//! with the environment variable `MLAPO_KERNEL_ARTIFACTS` set to that folder's absolute path. If it is set and nothing in the
//! folder fits this crate's source, the build fails and says why.

#![forbid(unsafe_code)]

mod device;
mod tiling;

pub use device::{ARCH, DeviceBinary, NoBinary, SOCS, binary_for, device_binaries, is_comparable};
pub use tiling::{Product, Shape, Tiling, TilingError, tiling_header};

/// The kernel's name in its objects.
pub const KERNEL: &str = "mlapo";

/// The kernel for the simulated device: an object that its `aclrtBinaryLoadFromData` takes.
pub const SIMULATOR_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mlapo.so"));

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
