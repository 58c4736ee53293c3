//! MLAPO: the fused operation that a DeepSeek-style model runs before every attention.
//!
//! From the hidden state of some tokens it computes their query in the compressed space and writes their row of the paged
//! cache: RMSNorm and quantise, int8 down-projection, RMSNorm and quantise, int8 up-projection, key absorption, RoPE,
//! RMSNorm of the latent, cache write. What each step computes is in [`mod@reference`], in the operator's order.
//!
//! * [`Config`]: the model's dimensions and the operation's modes, checked as a whole.
//! * [`Weights`]: one layer's weights, random or [from a checkpoint](checkpoint).
//! * [`Mlapo`]: the operation; [`Mlapo::forward`] queues a call on an [`ascendcl::Stream`].
//! * [`PagedCache`] and [`SlotMapping`]: where the rows go.
//! * [`Backend`]: which implementation computes: our kernel, the vendor's operator, the small operators that both replace, [`host`], or
//!   [`mod@reference`], plain.
//! * [`fixture`]: golden vectors, and how a result is judged.
//!
//! The program `mlapo` does the same from the command line.

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
pub mod traffic;
mod values;
mod weights;

pub use backend::{Backend, Launches};
pub use cache::PagedCache;
pub use config::{CacheMode, Config, ConfigBuilder, Dtype, QuantMode};
pub use error::{ConfigError, Error, TensorError};
pub use operation::{Input, Mlapo, Output};
pub use sample::SampleInputs;
pub use slots::SlotMapping;
pub use weights::{ActivationQuant, CacheScales, Norm, Projection, Weights};

/// The examples of the workspace's README and of this crate's are tests.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../../README.md")]
    struct Workspace;
    #[doc = include_str!("../README.md")]
    struct Package;
}
