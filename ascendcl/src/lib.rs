//! Safe Rust for the Ascend NPU.
//!
//! A thin layer over AscendCL, the vendor's C runtime, in which ownership says what is alive: [`Runtime`], [`Device`],
//! [`Stream`], [`Event`], [`DeviceBuffer`], [`PinnedBuffer`], [`RegisteredBuffer`], [`Tensor`], [`Workspace`], [`Graph`],
//! and the operands of the vendor's two-phase operators, [`Operators`]. The installed library is loaded at run time; without one, the same program runs on a simulated device (feature `sim`, on by default).
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
//!   host has waited for their usage; if that wait fails, they are kept. Forgetting a buffer leaks it and nothing else.
//!   Memory that is no pool's ([`Stream::alloc_dedicated`]) or of a pool of the library's ([`MemPool`]) is kept in the same
//!   way until the next call that can wait for its usage, or let a stream wait for it, and free it then.
//! * **Two streams on one buffer.** Work borrows: `&` to read, `&mut` to write. A borrow ends when the work is queued,
//!   not when it is done, so the usage remembers it: before a stream touches a block, it waits (on the device) for the
//!   other streams that wrote it, and before it writes, also for those that read it. Because queueing needs the borrow, no
//!   two threads can queue conflicting work on one block at once; graphs, which need none, are launched while
//!   nobody else queues anything on the device. With a single stream nothing is recorded and nothing waits.
//! * **Host memory in copies.** Plain slices: [`Stream::upload`] and [`Stream::download`] wait for the copy before their
//!   borrow ends, whatever memory the slice is in. Pinned memory: its contents are reached only through
//!   [`PinnedBuffer::as_slice`] and [`as_mut_slice`](PinnedBuffer::as_mut_slice), which wait for the usage first; while the
//!   slice is borrowed, conflicting work cannot be queued. Copies and fills without a stream ([`Device::upload`] and its like)
//!   wait for the usage of the device's memory in the same way, and keep graphs out meanwhile.
//! * **Host functions** own what they capture (`Send + 'static`), run once, and never unwind into C. Those that work on pinned
//!   buffers own the blocks and are ordered like any other work. Calls of this crate are refused in them, also
//!   those of destructors, which leak instead.
//! * **Graphs** own every block that their work touches, and each launch is ordered on all of them. During a capture,
//!   host memory, host functions and events are refused on its stream, because a replay would use them when their borrow is long
//!   over, or draw other streams into the graph unseen. No work slips into a capture between being
//!   recorded and being queued: a lock separates the beginning and end of captures from queueing on that stream. A
//!   [`GraphEvent`] is the one kind of event that a capture takes: it draws no stream in, orders no memory, and the
//!   graph owns it. An update of a graph's tasks records like a capture, so the graph owns the new memory, too.
//! * **Contexts.** An explicit [`Context`] is another [`Device`] to everything here, with streams, events, pools and locks of
//!   its own that are not mixed with others; it holds the device from which it was made.
//! * **Streams and devices.** A stream holds its device, a buffer, an event and a graph theirs; the device is reset when
//!   all are gone. Dropping a stream or a graph waits for its work. A usage that names a dropped stream has nothing to wait
//!   for; one that could not be destroyed stays in the usages, whose waits go on asking the library.
//! * **Registered memory** is owned by its [`RegisteredBuffer`], copies of its slices are waited for like any other
//!   slice's, and it is freed only when the library has let it go.
//! * **Threads.** The library's current context is a thread's; every call binds the device's context first. All handle
//!   types are `Send` and `Sync`, except [`ProfilingRange`], which the profiler keeps by thread, and the operands that
//!   [`Operators`] makes.
//! * **Uninitialised memory.** Element types are plain numbers ([`Element`]), for which any bit pattern is valid. Pinned
//!   memory is zeroed when it is allocated.
//! * **Errors.** A call that fails before its work is queued leaves at most a longer usage or a wait behind. When the library
//!   reports that waiting failed for a copy of a plain slice, a copy from a peer or the execution of a graph, or that a
//!   copy without a stream failed, the device has given that work up; this is the one thing taken from it on trust.

#![warn(missing_debug_implementations)]

mod backend;
mod batch;
mod block;
mod buffer;
mod capture;
mod context;
mod copy;
mod copy_now;
mod data_type;
mod dedicated;
mod device;
mod device_info;
mod device_settings;
mod dtype;
mod error;
mod event;
mod event_time;
mod exception;
mod fill;
mod format;
mod graph;
mod graph_control;
mod graph_event;
mod host_function;
mod interop;
mod kernel;
mod launch;
mod launch_prepared;
mod mem_pool;
mod module;
mod operator;
mod page_box;
mod peer;
mod pinned;
mod pointer;
mod pool;
mod profiling;
mod raw;
mod raw_bytes;
mod registered;
mod runtime;
mod slice;
mod stream;
mod stream_control;
mod tensor;
mod tracked_event;
mod usage;
mod version;
mod workspace;

pub use backend::{BACKEND_VARIABLE, Backend, BackendKind};
pub use buffer::{DeviceBuffer, DeviceSlice, DeviceSliceMut};
pub use capture::{CaptureMode, TaskGroup};
pub use context::Context;
pub use copy::Pitch;
pub use dedicated::{Allocation, PagePolicy};
pub use device::{Device, DeviceProperties, MemoryInfo};
pub use device_info::{
    DeviceAttribute, DeviceFeature, DeviceStatus, MemoryKind, MemoryUsage, RunMode, Utilization,
};
pub use device_settings::{Limit, OverflowMode, SystemParameter};
pub use dtype::{DataType, Element, Format};
pub use error::{AclError, Error, ErrorKind, Result, ShapeError};
pub use event::Event;
pub use exception::TaskException;
pub use format::{FractalNz, nd_to_nz, nz_to_nd};
pub use graph::Graph;
pub use graph_event::{GraphEvent, Side};
pub use interop::Touch;
pub use kernel::{Kernel, KernelAddresses, KernelArg, KernelArgs, KernelCores};
pub use launch::{Engine, LaunchConfig, ScheduleMode};
pub use launch_prepared::PreparedLaunch;
pub use mem_pool::{MemPool, MemPoolStatistics, Reuse};
pub use module::Module;
pub use operator::{
    BoolArray, Executor, FloatArray, IntArray, OpScalar, OpTensor, OperandIndex, Operators, ScalarList,
    TensorList, TensorView,
};
pub use page_box::PageBox;
pub use pinned::{PinnedBuffer, PinnedSlice, PinnedSliceMut};
pub use pointer::{MemoryLocation, PointerAttributes};
pub use pool::PoolStatistics;
pub use profiling::ProfilingRange;
pub use registered::RegisteredBuffer;
pub use runtime::Runtime;
pub use stream::{Stream, StreamOptions};
pub use stream_control::{CaptureStatus, FailureMode};
pub use tensor::{Tensor, TensorDesc};
pub use tracked_event::TrackedEvent;
pub use version::{Package, PackageVersion};
pub use workspace::Workspace;

/// The raw interface that this crate is built on.
pub use ascendcl_sys as sys;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
