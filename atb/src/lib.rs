//! Safe Rust for ATB, Ascend's operator library.
//!
//! Operations are made from typed parameters ([`param`]), set up with tensors of [`ascendcl`] in a [`Context`], and
//! executed on its streams; several can be one [`Graph`]. The installed library is reached through the shim of [`sys`], which is
//! loaded at run time; on the simulated device of `ascendcl`, the same program runs on simulated operations (feature `sim`, on
//! by default).
//!
//! ```
//! use ascendcl::{Backend, Format, Runtime, Workspace};
//! use atb::param::{NormParam, RmsNorm};
//! use atb::{Context, Operation, VariantPack};
//!
//! let runtime = Runtime::with_backend(Backend::Sim)?; // or Runtime::new(): ASCENDCL_BACKEND=auto|npu|sim
//! let stream = runtime.device(0)?.stream()?;
//! let mut context = Context::new(&stream)?;
//! let mut norm = Operation::new(&runtime, RmsNorm::norm(NormParam::default()))?;
//!
//! let half = |value: f32| half::f16::from_f32(value);
//! let x = stream.tensor_from(&[half(3.0); 32], Format::Nd, &[2, 16])?;
//! let gamma = stream.tensor_from(&[half(0.5); 16], Format::Nd, &[16])?;
//! let mut y = stream.tensor(x.desc().clone())?;
//! let pack = VariantPack::new().input(&x).input(&gamma).output(&mut y);
//! norm.run(&mut context, &stream, pack, &mut Workspace::default())?;
//! assert_eq!(stream.tensor_to_vec::<half::f16>(&y)?, [half(0.5); 32]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Ownership
//!
//! No safe function of this crate can cause undefined behaviour. It rests on what [`ascendcl`] promises about memory, streams
//! and devices; the argument for what this crate adds, in the order in which things could go wrong:
//!
//! * **Tensors that are not there.** ATB trusts address and size of a tensor. They come from a [`View`], which describes no
//!   more bytes than the memory has that it borrows. Outputs must be at least as large as the library infers from the inputs,
//!   which [`Operation::setup`] compares, because not every operation does so itself.
//! * **Tensors that are written behind one's back.** A [`VariantPack`] borrows: `&` to read, `&mut` to write. An output that
//!   is an input, which the operation writes in place, is borrowed once, mutably ([`VariantPack::updated`]), and operations that
//!   do so refuse other packs. What is queued is remembered by the memory's usage, as for all work of `ascendcl`.
//! * **An execution with another set-up's tensors.** ATB checks only sizes. Here a [`Prepared`] holds operation, context and pack
//!   from the set-up on, so that nothing else is set up until it is gone.
//! * **Addresses that come from data.** Slots, block tables, indices and lengths are in device memory and cannot be checked by
//!   the host when work is queued; on a device, one that is out of range faults or overwrites other memory. Operations that have
//!   such inputs ([`OpParam::ADDRESSES`]), and graphs with one of them, are executed by `unsafe` functions only, whose contract
//!   says what data are good. The same holds for graphs whose outputs' sizes nobody can infer, and for an operation whose own
//!   checks of shapes are known to have gaps.
//! * **Tiling that is overwritten.** A context has one memory for the tiling of all its operations. Whoever queues an execution
//!   writes the context's token, a buffer that stands for this memory, so that streams follow one another; the host waits when it
//!   is about to lap the rings of blocks in which tiling is kept; and captures are refused, because a replay would find other
//!   tiling.
//! * **Destruction.** A context is destroyed when it and the operations that were set up in it are gone, as these give memory
//!   back to it; an operation stays with the context of its first set-up. Both wait for their tokens' work before. What cannot be
//!   waited for is leaked.
//! * **Closures of graphs** live as long as the graph, are `Send + Sync + 'static`, never unwind into C++ ([`Error::ClosurePanicked`]),
//!   and cannot call this crate ([`Error::InClosure`]): the library's set-up is not reentrant. Shapes that they answer with are
//!   checked before the library sees them.
//! * **Threads.** The library promises nothing about threads that share a context or an operation. Both are `Send` and not
//!   `Sync`; where an operation that is dropped on another thread reaches into its context, a lock orders the two.
//! * **Graph launch mode** captures streams behind `ascendcl`'s back: it is switched on by an `unsafe` function,
//!   [`Context::set_launch_mode`].
//! * **Trust.** The table of the shim does what its header says, which for the installed library includes ATB itself: that an
//!   operation whose set-up succeeds touches nothing but its tensors, its workspace and its context's memory.

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

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
