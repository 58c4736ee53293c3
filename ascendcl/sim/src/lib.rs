//! A simulated Ascend device behind the AscendCL C ABI.
//!
//! Programs reach it as they reach the real library: through functions with the names and signatures of the
//! AscendCL headers. In Rust these are the table [`resolve`]; for C and C++ the crate is also built as a
//! shared library (`libascendcl_sim.so`), which answers under whatever name a program links, such as
//! `libascendcl.so`, `libacl_rt.so` and `libnnopbase.so`.
//!
//! # What is simulated
//!
//! What a program sees of the device, and the AI cores that run its kernels.
//!
//! * **Devices** with the facts of their model (cores, caches, memory). Contexts are per thread, a device is
//!   counted as it is set and reset, memory of another device needs peer access.
//! * **Device memory** of the real size, taken from the host only where it is written. Allocation is by first
//!   fit over pages of 4 KiB, 2 MiB or 1 GiB as the policies say, so that fragmentation is real. A program
//!   cannot touch the addresses that it gets: they are mapped without access, and reading one faults as on a
//!   real machine.
//! * **Virtual memory**: physical memory is taken page by page, from wherever pages are free, and mapped at reserved
//!   addresses; what is mapped side by side is adjacent for copies and kernels. Each mapping is open to the device that
//!   the memory was made for, and to those, or the host, that `aclrtMemSetAccess` names. Physical memory that was freed
//!   lives until its last mapping ends, in this process or another one.
//! * **Sharing with other processes** of the same user on the same machine: memory of `aclrtMalloc` by a key, physical
//!   memory by a shareable handle, notifies and events. All see the same bytes and marks. The system tells who
//!   imports, so that lists of allowed processes hold. A process that ends, or takes its memory back, fails the work of
//!   those that still use it; nothing is left behind in the file system. A wait for another process notices within a
//!   millisecond; a wait for the record of a process that died fails.
//! * **Managed memory** is one copy that the host and all devices reach: nothing moves, and nothing counts as device
//!   memory.
//! * **Streams** are threads: work runs in order within a stream and alongside the host and other streams.
//!   A stream's thread starts with its first task.
//! * **Events** take the time of a monotonic clock; a wait keeps the record that it saw, and an event that
//!   was never recorded is complete.
//! * **Copies** of page-locked memory are asynchronous, copies of pageable memory block, synchronous copies
//!   wait for no stream; freeing waits for nothing.
//! * **Memory pools** of streams (SOMA) lend memory that the stream has freed itself, that is free, or that another
//!   stream will have freed, for which the stream waits then. Orders by events are not followed.
//! * **Callbacks** and **host functions** by threads of the program or of the runtime. Functions that are told of
//!   streams run in the thread that makes or ends the stream.
//! * **Graphs** that are captured and replayed. Such a graph runs its tasks one by one, in the order of their capture.
//!   The tasks of a group, which are calls of operators, can be replaced. Condition tasks choose between branches or
//!   repeat one; a condition with a default has it at the start of each run, and a value without a branch runs nothing.
//! * **Graphs that are built by hand** from persistent streams, which run alongside each other, each in a thread.
//!   Labels, switches and activations steer between them. A stream that is activated while it runs runs once more
//!   afterwards. A run is over when every stream has come to rest, and has failed if none has come by the end of the
//!   graph; a task that fails ends it. Copies of pageable memory touch it when the graph runs.
//! * **Random numbers** by Philox4x32-10, the same for the same seed and counter on any host. Which number a word
//!   becomes is not documented and hence not that of the device; module `random` of the source says what it is here.
//!
//! * **AI cores** that execute kernels instruction by instruction: [`kernel`] says at which level. Kernels are
//!   Ascend C, built by `cargo xtask sim-cc` against the headers of this crate; see `docs/ai-cores.md`.
//!
//! What is not simulated returns `ACL_ERROR_API_NOT_SUPPORT` and writes its name to the log; it never
//! succeeds.
//!
//! # Misuse
//!
//! A broken rule has the code that the AscendCL documentation gives it, a message for `aclGetRecentErrMsg`,
//! and a place in the [`report`]: calls without `aclInit` or without a context, handles that are stale,
//! invented or of another kind, streams of another context, memory freed twice or in the middle, copies out
//! of bounds or of the wrong kind, memory freed while a queued task still needs it (`ACL_ERROR_RT_SYS_DMA` at
//! the next synchronization), calls that are unsafe while work is being captured. Where the documentation
//! leaves a choice the simulator is the strict one:
//!
//! * every call on a device needs a context in its thread, and a stream must be of that context;
//! * an access beyond the size that was asked for is out of bounds, even if the pages have room;
//! * a kind of copy that does not match the pointers is refused, and so is a copy of no bytes.
//!
//! `aclrtResetDevice` and `aclFinalize` write what was leaked to the log (`tracing`) and to the report.
//!
//! # Configuration
//!
//! `aclInit` reads it from [`configure`], else from the environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ASCENDCL_SIM_DEVICES` | how many devices there are, 0 to 64 | 1 |
//! | `ASCENDCL_SIM_SOC` | their model, by the name that `aclrtGetSocName` tells | `Ascend910B3` |
//! | `ASCENDCL_SIM_MEMORY` | memory of each, in GiB up to 1024, or in bytes | that of the model, less 1/32 |
//! | `ASCENDCL_SIM_FAULT` | faults to inject, see [`fault`] | none |
//! | `ASCENDCL_SIM_LEVEL` | how kernels run: `run` or `check`, see [`kernel`] | `run` |
//! | `ASCENDCL_SIM_AUTO_SYNC` | whether the compiler inserts barriers: `on` or `off` | `on` |
//! | `ASCENDCL_SIM_THREADS` | host threads that run cores | 0: all |
//!
//! ```
//! use ascendcl_sys::{ACL_SUCCESS, Library};
//!
//! ascendcl_sim::configure(ascendcl_sim::SimConfig { devices: 2, ..Default::default() })?;
//! // SAFETY: The simulator's functions have the signatures of the bindings.
//! let acl = unsafe { Library::from_resolver("the simulated device", ascendcl_sim::resolve) };
//! let mut count = 0;
//! // SAFETY: The pointers are null or of variables.
//! unsafe {
//!     assert_eq!(acl.aclInit(std::ptr::null())?, ACL_SUCCESS);
//!     assert_eq!(acl.aclrtGetDeviceCount(&mut count)?, ACL_SUCCESS);
//!     assert_eq!(acl.aclFinalize()?, ACL_SUCCESS);
//! }
//! assert_eq!(count, 2);
//! assert!(ascendcl_sim::report().is_clean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abi;
mod aclnn;
mod aicore;
mod callback;
mod capture;
mod channel;
mod condition;
mod config;
mod context;
mod device;
mod dump;
mod error;
mod event;
mod exception;
pub mod executor;
pub mod fault;
mod graph;
mod graph_build;
mod graph_run;
mod handle;
mod host_memory;
mod init_file;
pub mod kernel;
mod label;
mod mapping;
mod mem_pool;
mod memory;
mod notify;
mod object;
pub mod operator;
mod passing;
mod persistent;
mod physical;
pub mod profile;
mod queue;
mod random;
mod raw;
mod report;
mod shared_marks;
mod sharing;
mod signal;
mod simulator;
mod soc;
mod stream;
mod stream_state;
mod task;
mod transfer;
mod virtual_memory;

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

pub use config::{ConfigError, SimConfig};
pub use report::{Leak, Misuse, Report, Resource, report};

/// The address of the simulator's function of this name: the table that
/// [`Library::from_resolver`](ascendcl_sys::Library::from_resolver) wants.
///
/// Every function of the bindings has an answer. Those that the simulator does not simulate yet return
/// `ACL_ERROR_API_NOT_SUPPORT` (or null, or zero) and write their name to the log.
pub fn resolve(name: &CStr) -> Option<NonNull<c_void>> {
    abi::resolve(name)
}

/// Says what `aclInit` is to simulate, in place of the environment.
///
/// # Errors
///
/// [`ConfigError`] if the configuration is not possible, or if the simulator runs already.
pub fn configure(config: SimConfig) -> Result<(), ConfigError> {
    simulator::configure(config)
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
