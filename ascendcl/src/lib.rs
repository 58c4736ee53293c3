//! Safe Rust for the Ascend NPU.
//!
//! A thin layer over AscendCL, the vendor's C runtime, in which ownership says what is alive: [`Runtime`], [`Device`],
//! [`Stream`], [`Event`], [`DeviceBuffer`], [`PinnedBuffer`], [`Tensor`], [`Workspace`], [`Graph`]. The installed library is
//! loaded at run time; without one, the same program runs on a simulated device (feature `sim`, on by default).
//!
//! ```
//! use ascendcl::Runtime;
//!
//! let runtime = Runtime::new()?; // ASCENDCL_BACKEND=auto|npu|sim
//! let device = runtime.device(0)?;
//! let stream = device.stream()?;
//! let mut buffer = stream.alloc_from(&[1.0f32, 2.0, 3.0])?;
//! assert_eq!(stream.download_vec(&buffer)?, [1.0, 2.0, 3.0]);
//! # Ok::<(), ascendcl::Error>(())
//! ```
//!
//! # Ownership
//!
//! No safe function of this crate can cause undefined behaviour, whatever it is given. The argument, in the order in which
//! things could go wrong (the library's side of each is in the AscendCL API reference):
//!
//! * **Memory that is freed while a stream works on it.** `aclrtFree` waits for nothing. So a buffer's memory is never freed
//!   by its destructor: it goes back to the device's pool together with the list of streams whose work touches it (its
//!   *usage*), also when work is queued. Whoever gets the block next inherits the usage, so its first access waits for those
//!   streams, unless it is on the same stream, whose order suffices. Blocks are given back to the library only after the
//!   host has waited for their usage. Forgetting a buffer leaks it and nothing else.
//! * **Two streams on one buffer.** Work borrows: `&` to read, `&mut` to write. A borrow ends when the work is queued,
//!   not when it is done, so the usage remembers it: before a stream touches a block, it waits (on the device) for the
//!   other streams that wrote it, and before it writes, also for those that read it. Because queueing needs the borrow, no
//!   two threads can queue conflicting work on one block at once. With a single stream nothing is recorded and nothing
//!   waits.
//! * **Host memory in asynchronous copies.** Plain slices: the library reads pageable memory before
//!   `aclrtMemcpyAsync` returns, and a download synchronises before its borrow ends. Pinned memory: its contents are reached only
//!   through [`PinnedBuffer::as_slice`] and [`as_mut_slice`](PinnedBuffer::as_mut_slice), which wait for the usage
//!   first; while the slice is borrowed, conflicting work cannot be queued.
//! * **Host functions** own what they capture (`Send + 'static`), run once, and never unwind into C. Those that work on pinned
//!   buffers own the blocks and are ordered like any other work.
//! * **Graphs** own every block that their work touches, and each launch is ordered on all of them. During a capture,
//!   host memory, host functions and events are refused, because a replay would use them when their borrow is long over,
//!   or draw other streams into the graph unseen. No work slips into a capture between being
//!   recorded and being queued: a lock separates the beginning and end of captures from queueing on that stream.
//! * **Streams and devices.** A stream holds its device, a buffer, an event and a graph theirs; the device is reset when
//!   all are gone. Dropping a stream waits for its work, and a usage that names a dropped stream has nothing to wait for.
//!   Events are recorded anew rather than destroyed, because a queued wait may refer to them.
//! * **Threads.** The library's current context is a thread's; every call binds the device's context first. All handle
//!   types are `Send` and `Sync`, except [`ProfilingRange`], which the profiler keeps by thread.
//! * **Uninitialised memory.** Element types are plain numbers ([`Element`]), for which any bit pattern is valid. Pinned
//!   memory is zeroed when it is allocated.
//! * **Errors.** A call that fails has queued nothing; its usage may have grown, which only makes somebody wait. If
//!   waiting itself fails, the device has given the work up.

#![warn(missing_debug_implementations)]

mod backend;
mod block;
mod buffer;
mod copy;
mod device;
mod dtype;
mod error;
mod event;
mod format;
mod graph;
mod host_function;
mod pinned;
mod pool;
mod profiling;
mod raw;
mod raw_bytes;
mod runtime;
mod slice;
mod stream;
mod tensor;
mod usage;
mod workspace;

pub use backend::{BACKEND_VARIABLE, Backend, BackendKind};
pub use buffer::{DeviceBuffer, DeviceSlice, DeviceSliceMut};
pub use copy::Pitch;
pub use device::{Device, DeviceProperties, MemoryInfo};
pub use dtype::{DataType, Element, Format};
pub use error::{AclError, Error, ErrorKind, Result, ShapeError};
pub use event::Event;
pub use format::{FractalNz, nd_to_nz, nz_to_nd};
pub use graph::Graph;
pub use pinned::{PinnedBuffer, PinnedSlice, PinnedSliceMut};
pub use pool::PoolStatistics;
pub use profiling::ProfilingRange;
pub use runtime::Runtime;
pub use stream::{Stream, StreamOptions};
pub use tensor::{Tensor, TensorDesc};
pub use workspace::Workspace;

/// The raw interface that this crate is built on.
pub use ascendcl_sys as sys;
