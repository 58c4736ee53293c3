//! The operators that the simulator has itself, each in two phases: `aclnnAdd`, `aclnnMul` and `aclnnMatmul`.
//!
//! Their declarations are in `include/aclnnop`; [`crate::aclnn`] says what they compute.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::op_base::{INVALID, NULL_POINTER, SCALARS, TENSORS, given, not_null};
use super::stream::Scope;
use super::{Argument, In, Out, abi, executor as registry};
use crate::aclnn::{self, Layout, Number, Plan, Request};
use crate::dump;
use crate::error::{Error, Result, misuse};
use crate::executor::{self, Operand};
use crate::operator;

/// Something inside is missing: an executor that has ended, or is another operator's.
const INNER_NULL_POINTER: aclnnStatus = 561_103;
/// The runtime refuses the work.
const RUNTIME_ERROR: aclnnStatus = 361_001;

/// Memory of the device is given out in such pieces, and so is the workspace divided.
const WORKSPACE_ALIGNMENT: usize = 512;

impl Argument for i8 {
    type Safe = Self;

    unsafe fn receive(self, _: &'static str) -> Self {
        self
    }
}

abi! {
    pub fn aclnnAddGetWorkspaceSize(
        self_: *const aclTensor,
        other: *const aclTensor,
        alpha: *const aclScalar,
        out: *mut aclTensor,
        workspace_size: *mut u64,
        executor: *mut *mut aclOpExecutor,
    ) {
        let plan = |[a, b, out]: [Layout; 3]| {
            Plan::new("aclnnAdd", Request::Add(number(&alpha)?), [a, b], out).map_err(invalid)
        };
        not_null(&alpha)?;
        first_phase(&self_, &other, &out, &workspace_size, &executor, plan)
    }

    pub fn aclnnAdd(
        workspace: *mut c_void,
        workspace_size: u64,
        executor: *mut aclOpExecutor,
        stream: aclrtStream,
    ) {
        second_phase("aclnnAdd", &workspace, workspace_size, &executor, stream)
    }

    pub fn aclnnInplaceAddGetWorkspaceSize(
        self_ref: *const aclTensor,
        other: *const aclTensor,
        alpha: *const aclScalar,
        workspace_size: *mut u64,
        executor: *mut *mut aclOpExecutor,
    ) {
        let plan = |[a, b, out]: [Layout; 3]| {
            Plan::new("aclnnInplaceAdd", Request::Add(number(&alpha)?), [a, b], out).map_err(invalid)
        };
        not_null(&alpha)?;
        first_phase(&self_ref, &other, &self_ref, &workspace_size, &executor, plan)
    }

    pub fn aclnnInplaceAdd(
        workspace: *mut c_void,
        workspace_size: u64,
        executor: *mut aclOpExecutor,
        stream: aclrtStream,
    ) {
        second_phase("aclnnInplaceAdd", &workspace, workspace_size, &executor, stream)
    }

    pub fn aclnnMulGetWorkspaceSize(
        self_: *const aclTensor,
        other: *const aclTensor,
        out: *mut aclTensor,
        workspace_size: *mut u64,
        executor: *mut *mut aclOpExecutor,
    ) {
        let plan = |[a, b, out]: [Layout; 3]| {
            Plan::new("aclnnMul", Request::Mul, [a, b], out).map_err(invalid)
        };
        first_phase(&self_, &other, &out, &workspace_size, &executor, plan)
    }

    pub fn aclnnMul(
        workspace: *mut c_void,
        workspace_size: u64,
        executor: *mut aclOpExecutor,
        stream: aclrtStream,
    ) {
        second_phase("aclnnMul", &workspace, workspace_size, &executor, stream)
    }

    pub fn aclnnInplaceMulGetWorkspaceSize(
        self_ref: *mut aclTensor,
        other: *const aclTensor,
        workspace_size: *mut u64,
        executor: *mut *mut aclOpExecutor,
    ) {
        let plan = |[a, b, out]: [Layout; 3]| {
            Plan::new("aclnnInplaceMul", Request::Mul, [a, b], out).map_err(invalid)
        };
        first_phase(&self_ref, &other, &self_ref, &workspace_size, &executor, plan)
    }

    pub fn aclnnInplaceMul(
        workspace: *mut c_void,
        workspace_size: u64,
        executor: *mut aclOpExecutor,
        stream: aclrtStream,
    ) {
        second_phase("aclnnInplaceMul", &workspace, workspace_size, &executor, stream)
    }

    pub fn aclnnMatmulGetWorkspaceSize(
        self_: *const aclTensor,
        mat2: *const aclTensor,
        out: *mut aclTensor,
        cube_math_type: i8,
        workspace_size: *mut u64,
        executor: *mut *mut aclOpExecutor,
    ) {
        let plan = |[a, b, out]: [Layout; 3]| {
            Plan::new("aclnnMatmul", Request::Matmul { cube_math_type }, [a, b], out).map_err(invalid)
        };
        first_phase(&self_, &mat2, &out, &workspace_size, &executor, plan)
    }

    pub fn aclnnMatmul(
        workspace: *mut c_void,
        workspace_size: u64,
        executor: *mut aclOpExecutor,
        stream: aclrtStream,
    ) {
        second_phase("aclnnMatmul", &workspace, workspace_size, &executor, stream)
    }
}

fn invalid(message: String) -> Error {
    Error { code: INVALID, ..misuse!(ACL_ERROR_INVALID_PARAM, "{message}") }
}

fn first_phase(
    a: &In<aclTensor>,
    b: &In<aclTensor>,
    out: &In<aclTensor>,
    workspace_size: &Out<u64>,
    executor: &Out<*mut aclOpExecutor>,
    plan: impl FnOnce([Layout; 3]) -> Result<Plan>,
) -> Result {
    for tensor in [a, b, out] {
        not_null(tensor)?;
    }
    not_null(workspace_size)?;
    not_null(executor)?;
    let plan = plan([layout("self", a)?, layout("other", b)?, layout("out", out)?])?;
    let workspace = plan.workspace(WORKSPACE_ALIGNMENT);
    let operand = |tensor: &In<aclTensor>| Operand::Tensor(tensor.raw());
    let made = registry::make_with(&[operand(a), operand(b)], &[operand(out)], Some(Arc::new(plan)))
        .ok_or_else(|| invalid("a tensor was destroyed meanwhile".into()))?;
    executor.set(made)?;
    workspace_size.set(workspace as u64)
}

fn second_phase(
    name: &'static str,
    workspace: &In<c_void>,
    workspace_size: u64,
    executor: &In<aclOpExecutor>,
    stream: aclrtStream,
) -> Result {
    let executor = not_null(executor)?;
    let missing =
        |message: String| Error { code: INNER_NULL_POINTER, ..misuse!(ACL_ERROR_INVALID_PARAM, "{message}") };
    let plan = registry::plan(executor)
        .ok_or_else(|| missing("the executor has ended: it runs once, unless it is repeatable".into()))?;
    if plan.name != name {
        return Err(missing(format!("the executor is one of {}", plan.name)));
    }
    let needed = plan.workspace(WORKSPACE_ALIGNMENT);
    let workspace = match needed {
        0 => 0,
        _ if workspace.is_null() => {
            let message = format!("the workspace is null, and {needed} bytes are needed");
            return Err(Error { code: NULL_POINTER, ..invalid(message) });
        }
        _ if (workspace_size as usize) < needed => {
            return Err(invalid(format!("a workspace of {workspace_size} bytes, and {needed} are needed")));
        }
        _ => workspace.address()?,
    };
    let addresses = executor::run(executor).ok_or_else(|| missing("the executor has ended".into()))?;
    let mut memory = Vec::with_capacity(4);
    for (layout, addresses) in plan.layouts().into_iter().zip(&addresses) {
        let (start, length) = layout.bytes();
        let address = addresses.first().copied().unwrap_or(0);
        memory.push((address.wrapping_add(start), length));
    }
    // Nothing is written there, but it must be memory of the device when the work runs.
    memory.push((workspace, needed));
    queue(name, stream, &memory, plan).map_err(|error| {
        let name = error_name(error.code).unwrap_or("unknown code");
        Error {
            code: RUNTIME_ERROR,
            message: format!("the runtime refuses the work: {} ({name}, {})", error.message, error.code),
            ..error
        }
    })
}

/// Queues an operator, with what is dumped of it and what its overflow is told to.
fn queue(name: &'static str, stream: aclrtStream, memory: &[(usize, usize)], plan: Arc<Plan>) -> Result {
    let scope = Scope::enter()?;
    let stream = scope.stream(stream)?;
    dump::note(plan.operator(), || plan.describe());
    let wanted = dump::wanted();
    let views = plan.layouts().map(Layout::view);
    // Those of the stream that the work is queued on, also in a graph that another stream runs; later changes are for later work.
    let saturates = stream.saturates;
    let tells = saturates && stream.options.overflow_check.load(Ordering::Relaxed) != 0;
    let tag = stream.options.tag.load(Ordering::Relaxed);
    operator::queue(name, &scope, &stream, memory, move |stream, memory| {
        let (inputs, outputs) = views.split_at(2);
        let (input_memory, output_memory) = memory.split_at(inputs.len().min(memory.len()));
        let mut tensors = match &wanted {
            Some(wanted) => wanted.read(false, inputs.iter().zip(input_memory))?,
            None => Vec::new(),
        };
        let overflows = aclnn::run(&plan, memory, saturates)?;
        if overflows && tells {
            stream.device.overflowed.lock().insert(tag);
        }
        if let Some(wanted) = &wanted {
            tensors.extend(wanted.read(true, outputs.iter().zip(output_memory))?);
            wanted.hand_over(plan.operator(), name, overflows, stream, &tensors);
        }
        Ok(())
    })
}

/// What an operator must know of a tensor.
fn layout(name: &'static str, tensor: &In<aclTensor>) -> Result<Layout> {
    given(TENSORS.with(tensor.raw(), |tensor| {
        let storage: Option<i64> = match tensor.storage.as_slice() {
            [] => None,
            dimensions => dimensions.iter().try_fold(1, |product: i64, &size| product.checked_mul(size)),
        };
        Layout::new(
            name,
            tensor.data_type,
            tensor.format,
            &tensor.view,
            &tensor.strides,
            tensor.offset,
            storage,
        )
    }))?
    .map_err(invalid)
}

fn number(scalar: &In<aclScalar>) -> Result<Number> {
    given(SCALARS.with(scalar.raw(), |scalar| Number::read(scalar.data_type, &scalar.value)))?
        .map_err(invalid)
}
