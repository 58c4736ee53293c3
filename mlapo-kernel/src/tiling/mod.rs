//! How a launch cuts its work.

mod definition;
mod plan;
#[cfg(test)]
mod tests;

pub use definition::{Product, Tiling, tiling_header};
pub use plan::{Shape, TilingError};
