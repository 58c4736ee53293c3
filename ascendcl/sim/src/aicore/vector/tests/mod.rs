//! The vector unit against formulas of single elements, written from the documentation.

mod arena;
mod elementwise;
mod faults;
mod movement;
mod reduce;
mod sort;
mod types;
