//! Executors of operators; see [`crate::executor`] for where they come from.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use ascendcl_sys::*;

use super::op_base::{INVALID, TENSOR_LISTS, TENSORS, given, not_null};
use super::stream::Scope;
use super::{Out, abi};
use crate::aclnn::Plan;
use crate::dump;
use crate::error::{Error, Result, misuse};
use crate::executor::Operand;
use crate::object::Objects;
use crate::operator;
use crate::task::Task;

struct Executor {
    inputs: usize,
    /// Inputs, and then outputs.
    operands: Vec<(Handle, Vec<usize>)>,
    is_repeatable: bool,
    /// What an operator of the simulator's own does.
    plan: Option<Arc<Plan>>,
}

/// The number that stands for a tensor or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    Tensor(usize),
    List(usize),
}

static EXECUTORS: Objects<aclOpExecutor, Executor> = Objects::new("executor");

/// Of which operands an index counts.
#[derive(Clone, Copy)]
enum Count {
    Inputs,
    Outputs,
    All,
}

abi! {
    pub fn aclSetAclOpExecutorRepeatable(executor: *mut aclOpExecutor) {
        given(EXECUTORS.with(executor.raw(), |executor| executor.is_repeatable = true))
    }

    pub fn aclDestroyAclOpExecutor(executor: *mut aclOpExecutor) {
        given(EXECUTORS.remove(executor.raw())).map(drop)
    }

    pub fn aclSetInputTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::Inputs, index, &tensor, &addr)
    }

    pub fn AclSetInputTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::Inputs, index, &tensor, &addr)
    }

    pub fn aclSetOutputTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::Outputs, index, &tensor, &addr)
    }

    pub fn AclSetOutputTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::Outputs, index, &tensor, &addr)
    }

    pub fn aclSetTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::All, index, &tensor, &addr)
    }

    pub fn AclSetTensorAddr(
        executor: *mut aclOpExecutor,
        index: usize,
        tensor: *mut aclTensor,
        addr: *mut c_void,
    ) {
        set_tensor(&executor, Count::All, index, &tensor, &addr)
    }

    pub fn aclSetDynamicInputTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::Inputs, [ir_index, relative_index], &tensors, &addr)
    }

    pub fn AclSetDynamicInputTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::Inputs, [ir_index, relative_index], &tensors, &addr)
    }

    pub fn aclSetDynamicOutputTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::Outputs, [ir_index, relative_index], &tensors, &addr)
    }

    pub fn AclSetDynamicOutputTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::Outputs, [ir_index, relative_index], &tensors, &addr)
    }

    pub fn aclSetDynamicTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::All, [ir_index, relative_index], &tensors, &addr)
    }

    pub fn AclSetDynamicTensorAddr(
        executor: *mut aclOpExecutor,
        ir_index: usize,
        relative_index: usize,
        tensors: *mut aclTensorList,
        addr: *mut c_void,
    ) {
        set_member(&executor, Count::All, [ir_index, relative_index], &tensors, &addr)
    }

    /// Dumps the tensors as they are when the stream comes to it, if a configuration asks for dumps of operators.
    pub fn aclDumpOpTensors(
        op_type: *const c_char,
        op_name: *const c_char,
        tensors: *mut *mut aclTensor,
        input_tensor_num: usize,
        output_tensor_num: usize,
        stream: aclrtStream,
    ) {
        let (operator, call) = (given(op_type.text())?, given(op_name.text())?);
        let count = input_tensor_num
            .checked_add(output_tensor_num)
            .ok_or_else(|| invalid("more tensors than any memory".into()))?;
        let wanted = dump::wanted();
        let (mut views, mut memory) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for tensor in given(tensors.to_vec(count))? {
            let found = given(TENSORS.with(tensor, |tensor| tensor.view_in_memory()))?;
            if wanted.is_some() {
                let (view, range) = found.map_err(invalid)?;
                views.push(view);
                memory.push(range);
            }
        }
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let Some(wanted) = wanted else { return stream.submit(Task::Order("DUMP")).map(drop) };
        operator::queue("DUMP", &scope, &stream, &memory, move |stream, memory| {
            let (inputs, outputs) = views.split_at(input_tensor_num.min(views.len()));
            let (input_memory, output_memory) = memory.split_at(inputs.len().min(memory.len()));
            let mut read = wanted.read(false, inputs.iter().zip(input_memory))?;
            read.extend(wanted.read(true, outputs.iter().zip(output_memory))?);
            wanted.hand_over(&operator, &call, true, stream, &read);
            Ok(())
        })
    }
}

/// Makes an executor; see [`crate::executor::make`].
pub(crate) fn make(inputs: &[Operand], outputs: &[Operand]) -> Option<*mut aclOpExecutor> {
    make_with(inputs, outputs, None)
}

/// As [`make`], for an operator of the simulator's own.
pub(super) fn make_with(
    inputs: &[Operand],
    outputs: &[Operand],
    plan: Option<Arc<Plan>>,
) -> Option<*mut aclOpExecutor> {
    let operand = |operand: &Operand| {
        let address = |tensor| TENSORS.with(tensor, |tensor| tensor.address).ok();
        match *operand {
            Operand::Tensor(tensor) => Some((Handle::Tensor(tensor.addr()), vec![address(tensor)?])),
            Operand::List(list) => {
                let members = TENSOR_LISTS.with(list, |members| members.clone()).ok()?;
                let address = |&member: &usize| match member {
                    // One that is left out.
                    0 => Some(0),
                    _ => address(std::ptr::without_provenance(member)),
                };
                let addresses = members.iter().map(address).collect::<Option<_>>()?;
                Some((Handle::List(list.addr()), addresses))
            }
        }
    };
    let operands = inputs.iter().chain(outputs).map(operand).collect::<Option<_>>()?;
    Some(EXECUTORS.add(Executor { inputs: inputs.len(), operands, is_repeatable: false, plan }))
}

/// The plan of an executor; `None` if it is not alive, or another library's.
pub(super) fn plan(executor: *mut aclOpExecutor) -> Option<Arc<Plan>> {
    EXECUTORS.with(executor, |executor| executor.plan.clone()).ok()?
}

/// Where the operands are; see [`crate::executor::run`].
pub(crate) fn run(executor: *mut aclOpExecutor) -> Option<Vec<Vec<usize>>> {
    let found = EXECUTORS.get(executor).ok()?;
    let found = found.lock();
    if !found.is_repeatable {
        EXECUTORS.remove(executor).ok()?;
    }
    Some(found.operands.iter().map(|(_, addresses)| addresses.clone()).collect())
}

fn set_tensor(
    executor: &Out<aclOpExecutor>,
    count: Count,
    index: usize,
    tensor: &Out<aclTensor>,
    address: &Out<c_void>,
) -> Result {
    let handle = Handle::Tensor(not_null(tensor)?.addr());
    set(executor, count, [index, 0], handle, address)
}

fn set_member(
    executor: &Out<aclOpExecutor>,
    count: Count,
    indices: [usize; 2],
    list: &Out<aclTensorList>,
    address: &Out<c_void>,
) -> Result {
    let handle = Handle::List(not_null(list)?.addr());
    set(executor, count, indices, handle, address)
}

fn set(
    executor: &Out<aclOpExecutor>,
    count: Count,
    [index, member]: [usize; 2],
    handle: Handle,
    address: &Out<c_void>,
) -> Result {
    let address = not_null(address)?.expose_provenance();
    given(EXECUTORS.with(executor.raw(), |executor| {
        let (inputs, outputs) = executor.operands.split_at_mut(executor.inputs);
        let operand = match count {
            Count::Inputs => inputs.get_mut(index),
            Count::Outputs => outputs.get_mut(index),
            Count::All => executor.operands.get_mut(index),
        };
        let Some((found, addresses)) = operand else {
            return Err(invalid(format!("the executor has no operand {index} there")));
        };
        if *found != handle {
            return Err(invalid(format!("operand {index} of the executor is another one")));
        }
        match addresses.get_mut(member) {
            Some(old) => *old = address,
            None => return Err(invalid(format!("operand {index} has no member {member}"))),
        }
        Ok(())
    }))?
}

fn invalid(message: String) -> Error {
    Error { code: INVALID, ..misuse!(ACL_ERROR_INVALID_PARAM, "{message}") }
}
