//! The fused MLAPO operation.

mod backend;
mod cache;
pub mod call;
pub mod checkpoint;
mod config;
mod error;
pub mod fixture;
pub mod host;
pub mod layout;
mod numeric;
mod operation;
mod random;
pub mod reference;
mod sample;
mod slots;
mod values;
mod weights;

pub use backend::Backend;
pub use cache::PagedCache;
pub use config::{CacheMode, Config, ConfigBuilder, Dtype, QuantMode};
pub use error::{ConfigError, Error, TensorError};
pub use operation::{Input, Mlapo, Output};
pub use sample::SampleInputs;
pub use slots::SlotMapping;
pub use weights::{ActivationQuant, CacheScales, Norm, Projection, Weights};
