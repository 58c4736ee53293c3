//! What the fuzz targets do: one function of bytes for each, which panics at what must not be.
//!
//! `mlapo/fuzz` hands them what cargo-fuzz makes up; `tests/fuzzing.rs` a bounded number of cases on stable Rust.
// Not every target uses everything, and a target may panic: that is how it reports.
#![allow(dead_code, clippy::unwrap_used)]

pub mod allocations;
pub mod checkpoint_reader;
pub mod fixture_reader;
pub mod format_conversion;
pub mod input;
pub mod tiling;
pub mod tiling_check;
