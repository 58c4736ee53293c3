//! ATB, the vendor's operator library, on the simulated device: the table of [`atb_sys`], filled in Rust.
//!
//! A program gets the table from [`functions`] and uses it as that of the shim over the installed library: contexts,
//! operations, graphs, `InferShape`, `Setup`, `Execute`. Device memory and streams are those of [`ascendcl_sim`]; kernels run
//! on the host's processors, in the order of their stream, and are captured into graphs of AscendCL with it.
//!
//! # What is simulated
//!
//! * **Operations** with the checks, the types and formats, and the order of rounding of ATB's published source: Activation,
//!   Concat, Elewise, Gather, Linear, MlaPreprocess, MultiLatentAttention, PagedAttention, ReshapeAndCache, RmsNorm, Rope,
//!   RopeQConcat, Slice, Softmax, Split, Transdata, Transpose. A mode that is not computed is refused with
//!   `ATB_SHIM_UNSUPPORTED`; it never succeeds.
//! * **Graphs**, also within graphs, with reshapes and chunks. Internal tensors share the workspace by the time that they are
//!   needed, at multiples of 512 bytes. Each node is a launch of its own. Nodes on other streams are not ordered by the library.
//! * **Contexts** with one or more execute streams. Each takes 96 MiB of device memory for tilings, as in ATB; hence a
//!   device must be set. The asynchronous copy of tilings is kept as a setting and does nothing.
//! * **Execute types**: one call may be prepared and launched apart. In graph launch mode shapes are fixed by the first call;
//!   the launch itself is as in the other mode.
//! * **C functions** of newer versions: `AtbMLAPreprocessGetWorkspaceSize` and `AtbMLAPreprocess`.
//!
//! # Order of checks, and codes
//!
//! As in ATB's source `operation_base.cpp`, whose codes are fewer than its headers have names for:
//!
//! | call | what is looked at, in order | code |
//! |---|---|---|
//! | `inferShape` | number of inputs | `INVALID_IN_TENSOR_NUM` |
//! | | each tensor: dimensions, then bytes | `INVALID_TENSOR_DIM`, `INVALID_TENSOR_SIZE` |
//! | | types and formats | `INVALID_TENSOR_INI_MATCH` |
//! | | the operation's own checks | the operation's |
//! | `setup` | context is null | `INVALID_PARAM` |
//! | | numbers of inputs and of outputs | `INVALID_IN_TENSOR_NUM` for both |
//! | | tensors, types and the operation's checks, with outputs | as above |
//! | | a graph's nodes: reshape, chunk, shapes | `GRAPH_NODE_RESHAPE_FUNC_FAIL`, `INVALID_PARAM`, the node's |
//! | `execute` | not set up, stream, other context | `INVALID_PARAM` |
//! | | parameter changed since | `OPERATION_NULL_RUNNER` |
//! | | workspace too small or null; numbers, sizes and memory of tensors | `INVALID_PARAM` |
//! | | memory that is not the device's, wrong stream | AscendCL's |
//!
//! # Where it is stricter than ATB
//!
//! * Contexts and operations are looked up: a stale or invented one is `INVALID_CONTEXT_ADDR` or `INVALID_OPERATION_ADDR`, as is
//!   an operation that a graph owns; null where ATB would dereference it is `ATB_SHIM_INVALID_ARGUMENT`.
//! * `execute` needs tensors of the types and shapes of the last `setup`; ATB compares bytes only.
//! * A reshape that changes the number of elements is `GRAPH_NODE_RESHAPE_FUNC_FAIL`, a chunk beyond the last is
//!   `INVALID_GRAPH_NODE_CHUNK`, and a node that would write beyond its tensor `INVALID_TENSOR_DIM`. ATB goes on.
//! * No operation is two nodes, and none is in two calls at a time.
//!
//! And where it is better: chunks of a graph's inputs begin where they should. ATB's published source cuts their length, but
//! starts them all at the first element. As in ATB, chunks do not count when a graph infers shapes from node to node. The
//! parameters of operations can be changed; of these operations, ATB's published source does not define that function.
//!
//! # MlaPreprocess
//!
//! All that ATB checks has ATB's code, and what it does not check is not checked here: shapes of the weights, of biases and of
//! the rotary cache, scales of cache mode 2, outputs of cache modes 2 and 3. ATB's table of types says fp16 for both scales of
//! cache mode 2 with per-token quantisation, so that bf16 tensors are refused there. Tokens and heads of number 0 are found by the
//! check of every tensor, with `INVALID_TENSOR_SIZE`. What the kernel finds out of bounds fails the stream, not the call.
//!
//! # Misuse
//!
//! Every refused call is in the [`report`], with what is alive. [`take_launches`] tells what was queued.
//!
//! # Configuration
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ATB_SIM_ACLNN` | whether the toolkit has the `aclnn` kernel of MlaPreprocess (hidden sizes other than 7168): `on` or `off` | `on` |
//!
//! ```
//! let functions = atb_sim::functions();
//! let mut bytes = 0;
//! let desc = atb_sys::atb_tensor_desc {
//!     dtype: ascendcl_sys::ACL_BF16.0,
//!     format: ascendcl_sys::ACL_FORMAT_ND.0,
//!     shape: atb_sys::atb_dims { dims: [2, 3, 0, 0, 0, 0, 0, 0], dimNum: 2 },
//! };
//! // SAFETY: The pointers are to variables.
//! let status = unsafe { (functions.getTensorSize.expect("no member is null"))(&desc, &mut bytes) };
//! assert_eq!((status, bytes), (atb_sys::ATB_NO_ERROR, 12));
//! ```

mod abi;
mod arithmetic;
mod context;
mod execution;
mod graph;
mod launch;
mod operation;
mod operator;
mod ops;
mod plan;
mod registry;
mod report;
mod tensor;
mod tensor_check;

pub use launch::{Launch, launches, record_launches, take_launches};
pub use report::{Leak, Misuse, Report, report};

/// The table of the C functions, of the version that [`atb_sys`] has.
pub fn functions() -> &'static atb_sys::atb_functions {
    &abi::FUNCTIONS
}
