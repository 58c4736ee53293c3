//! Safe Rust for ATB, Ascend's operator library.

#![warn(missing_debug_implementations)]

mod context;
mod error;
mod graph;
mod library;
mod operation;
mod pack;
pub mod param;
mod prepared;
mod raw;
mod tensor;
mod view;

pub use ascendcl::{DataType, Format};

pub use context::{Context, LaunchMode};
pub use error::{AclError, AtbError, Error, Result, TensorError};
pub use graph::{Graph, GraphBuilder, Node, TensorId};
pub use library::Library;
pub use operation::Operation;
pub use pack::VariantPack;
pub use param::{OpParam, Param, SelfContained};
pub use prepared::Prepared;
pub use tensor::TensorDesc;
pub use view::{View, ViewMut};

/// The raw interface that this crate is built on.
pub use atb_sys as sys;
