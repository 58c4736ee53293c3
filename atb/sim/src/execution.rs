//! `Setup` and `Execute`: checks in ATB's order (ATB's source operation_base.cpp), and the kernels on their streams.

use std::cell::Cell;
use std::sync::Arc;

use ascendcl_sim::operator::{self, Memory};
use ascendcl_sys::error_name;
use atb_sys::{ATB_ERROR_INVALID_OPERATION_ADDR, atb_operation};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::abi::argument::Tensor;
use crate::context::Context;
use crate::launch::{self, Launch};
use crate::operation::{Body, Operation};
use crate::operator::{Refusal, Result, refuse};
use crate::plan::{Binding, Place, Plan, Step};
use crate::registry::Registry;
use crate::tensor::{Operand, TensorDesc};
use crate::tensor_check;

pub(crate) static OPERATIONS: Registry<atb_operation, LiveOperation> =
    Registry::new("operation", ATB_ERROR_INVALID_OPERATION_ADDR);

/// What `Execute` does, by ATB's `ExecuteType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecuteType {
    Normal,
    /// Checks and prepares only.
    PreLaunch,
    /// Launches what was prepared.
    Launch,
}

thread_local! {
    /// In ATB it is the thread's too, whichever context it was set through.
    static EXECUTE_TYPE: Cell<ExecuteType> = const { Cell::new(ExecuteType::Normal) };
}

pub(crate) fn execute_type() -> ExecuteType {
    EXECUTE_TYPE.get()
}

pub(crate) fn set_execute_type(kind: ExecuteType) {
    EXECUTE_TYPE.set(kind);
}

/// An operation in the program's hands.
pub(crate) struct LiveOperation {
    operation: RwLock<Arc<Operation>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    set_up: Option<SetUp>,
    /// In graph launch mode: whether it was executed, after which shapes are fixed.
    is_captured: bool,
    prepared: Option<Vec<Prepared>>,
}

/// What the last `Setup` saw.
struct SetUp {
    inputs: Vec<TensorDesc>,
    outputs: Vec<TensorDesc>,
    locations: Locations,
    context: Arc<Context>,
    /// None after the parameter was changed.
    plan: Option<Plan>,
}

/// Where a call's tensors are.
#[derive(Clone, Default)]
struct Locations {
    inputs: Vec<Location>,
    outputs: Vec<Location>,
}

#[derive(Clone, Default)]
struct Location {
    /// Zero for none.
    address: usize,
    /// A copy of what is in host memory.
    host: Option<Vec<u8>>,
}

/// A kernel with its memory.
#[derive(Clone)]
struct Prepared {
    step: Arc<Step>,
    /// Inputs, outputs, and the kernel's own part of the workspace; each with its bytes.
    memory: Vec<(usize, usize)>,
    host: Vec<Option<Vec<u8>>>,
}

/// The workspace of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workspace {
    pub address: usize,
    pub size: u64,
}

impl LiveOperation {
    pub(crate) fn new(operation: Operation) -> Self {
        Self { operation: RwLock::new(Arc::new(operation)), state: Mutex::default() }
    }

    pub(crate) fn operation(&self) -> Arc<Operation> {
        self.operation.read().clone()
    }

    /// `UpdateOperationParam`: the operation needs a new `Setup`.
    pub(crate) fn update(&self, new: Operation) -> Result {
        let mut state = self.state()?;
        let mut operation = self.operation.write();
        if matches!(operation.body, Body::Graph(_)) || operation.name() != new.name() {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "the parameter is one of {}, and the operation is {}",
                new.name(),
                operation.name()
            ));
        }
        new.set_stream_id(operation.stream_id());
        *operation = Arc::new(new);
        if let Some(set_up) = &mut state.set_up {
            set_up.plan = None;
        }
        Ok(())
    }

    /// `Setup`; answers the bytes of workspace.
    pub(crate) fn set_up(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        context: &Arc<Context>,
    ) -> Result<u64> {
        let mut state = self.state()?;
        let operation = self.operation();
        let descs = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.desc.clone()).collect::<Vec<_>>();
        let locations = Locations { inputs: locate(inputs), outputs: locate(outputs) };
        if context.settings().is_graph_launch
            && state.is_captured
            && let Some(SetUp { plan: Some(plan), inputs: old_in, outputs: old_out, locations: old, .. }) =
                &mut state.set_up
        {
            if *old_in != descs(inputs) || *old_out != descs(outputs) {
                return Err(refuse!(
                    ATB_ERROR_INVALID_TENSOR_DIM,
                    "shapes cannot change after the first call in graph launch mode"
                ));
            }
            *old = locations;
            return Ok(plan.workspace);
        }
        state.set_up = None;
        check_set_up(&operation, inputs, outputs)?;
        let (inputs, outputs) = (descs(inputs), descs(outputs));
        let plan = Plan::new(&operation, &inputs, &outputs)?;
        let workspace = plan.workspace;
        state.set_up = Some(SetUp { inputs, outputs, locations, context: context.clone(), plan: Some(plan) });
        Ok(workspace)
    }

    /// `Execute`. Without any tensor it is for those of `Setup`.
    pub(crate) fn execute(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        workspace: Workspace,
        context: &Arc<Context>,
    ) -> Result {
        let mut state = self.state()?;
        let operation = self.operation();
        if execute_type() != ExecuteType::Launch {
            let Some(set_up) = &state.set_up else {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "{} is not set up, or its last Setup failed",
                    operation.name()
                ));
            };
            let prepared = set_up.prepare(&operation, inputs, outputs, workspace, context)?;
            state.prepared = Some(prepared);
        }
        if execute_type() == ExecuteType::PreLaunch {
            return Ok(());
        }
        let Some(prepared) = &state.prepared else {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "{} was not prepared to launch", operation.name()));
        };
        prepared.iter().try_for_each(|prepared| prepared.launch(context))?;
        state.is_captured |= context.settings().is_graph_launch;
        Ok(())
    }

    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.state.try_lock().ok_or_else(|| {
            let name = self.operation().name().to_owned();
            refuse!(
                ATB_ERROR_INVALID_PARAM,
                "{name} is in another call, and operations are for one thread at a time"
            )
        })
    }
}

/// `SetupCheck`, but for the context, which ATB looks at before.
fn check_set_up(operation: &Operation, inputs: &[Tensor], outputs: &[Tensor]) -> Result {
    operation.check_input_num(inputs.len())?;
    operation.check_output_num(outputs.len())?;
    for (index, tensor) in inputs.iter().enumerate() {
        let is_left_out = tensor_check::is_empty(&tensor.desc) && tensor.has_no_memory() && tensor.size == 0;
        if !(is_left_out && operation.may_be_empty(index)) {
            tensor_check::check("input", index, &tensor.desc)?;
        }
    }
    for (index, tensor) in outputs.iter().enumerate() {
        tensor_check::check("output", index, &tensor.desc)?;
    }
    let Body::Single(operator) = &operation.body else { return Ok(()) };
    let inputs: Vec<TensorDesc> = inputs.iter().map(|tensor| tensor.desc.clone()).collect();
    let outputs: Vec<TensorDesc> = outputs.iter().map(|tensor| tensor.desc.clone()).collect();
    operator.check_types(&inputs, &outputs)?;
    operator.check_inputs(&inputs)?;
    operator.check_outputs(&inputs, &outputs)
}

impl SetUp {
    /// `ExecuteCheck`, and the memory of each kernel.
    fn prepare(
        &self,
        operation: &Operation,
        inputs: &[Tensor],
        outputs: &[Tensor],
        workspace: Workspace,
        context: &Arc<Context>,
    ) -> Result<Vec<Prepared>> {
        self.context.stream(operation.stream_id())?;
        if !Arc::ptr_eq(&self.context, context) {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the context is not that of the last Setup"));
        }
        let Some(plan) = &self.plan else {
            return Err(refuse!(
                ATB_ERROR_OPERATION_NULL_RUNNER,
                "{} was not set up after its parameter changed",
                operation.name()
            ));
        };
        if workspace.size < plan.workspace {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "a workspace of {} bytes; Setup asked for {}",
                workspace.size,
                plan.workspace
            ));
        }
        if plan.workspace != 0 && workspace.address == 0 {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the workspace is null"));
        }
        let locations = if inputs.is_empty() && outputs.is_empty() {
            self.locations.clone()
        } else {
            self.check_tensors("input", inputs, &self.inputs, |index| operation.may_be_empty(index))?;
            self.check_tensors("output", outputs, &self.outputs, |_| false)?;
            let copy = |tensors: &[Tensor]| tensors.iter().map(copy_host).collect::<Result<Vec<_>>>();
            Locations { inputs: copy(inputs)?, outputs: copy(outputs)? }
        };
        plan.steps.iter().map(|step| Prepared::new(step, &locations, workspace.address)).collect()
    }

    fn check_tensors(
        &self,
        what: &str,
        tensors: &[Tensor],
        descs: &[TensorDesc],
        may_be_empty: impl Fn(usize) -> bool,
    ) -> Result {
        if tensors.len() != descs.len() {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "{} tensors as {what}; Setup had {}",
                tensors.len(),
                descs.len()
            ));
        }
        for (index, (tensor, desc)) in tensors.iter().zip(descs).enumerate() {
            let bytes = tensor_check::byte_count(desc);
            if tensor.size != bytes {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "{what} {index} has a dataSize of {}, and was set up with {bytes} bytes",
                    tensor.size
                ));
            }
            // ATB does not look: it launches what it was set up for.
            if tensor.desc != *desc {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "{what} {index} was set up as {desc:?}, and is {:?} now",
                    tensor.desc
                ));
            }
            let is_left_out = tensor_check::is_empty(desc) && may_be_empty(index);
            if tensor.has_no_memory() && !is_left_out {
                return Err(refuse!(ATB_ERROR_INVALID_PARAM, "{what} {index} has no memory"));
            }
        }
        Ok(())
    }
}

/// Where tensors are at `Setup`. Host memory is for that call only.
fn locate(tensors: &[Tensor]) -> Vec<Location> {
    tensors.iter().map(|tensor| Location { address: tensor.address, host: None }).collect()
}

fn copy_host(tensor: &Tensor) -> Result<Location> {
    let host = if tensor.host.is_null() { None } else { Some(tensor.host.to_vec(tensor.size as usize)?) };
    Ok(Location { address: tensor.address, host })
}

impl Prepared {
    fn new(step: &Arc<Step>, locations: &Locations, workspace: usize) -> Result<Self> {
        let mut memory = Vec::new();
        let mut host = Vec::new();
        for Binding { desc, place } in step.inputs.iter().chain(&step.outputs) {
            let (location, offset) = match *place {
                Place::Input { index, offset } => (locations.inputs.get(index), offset),
                Place::Output { index, offset } => (locations.outputs.get(index), offset),
                Place::Workspace { offset } => {
                    let address = workspace.wrapping_add(offset as usize);
                    memory.push((address, tensor_check::byte_count(desc) as usize));
                    host.push(None);
                    continue;
                }
                Place::Internal { .. } => (None, 0),
            };
            let Some(location) = location else {
                return Err(refuse!(
                    ATB_ERROR_INTERNAL_ERROR,
                    "a tensor of {} has no place",
                    step.operator.name()
                ));
            };
            memory.push(match location.address {
                0 => (0, 0),
                address => (address.wrapping_add(offset as usize), tensor_check::byte_count(desc) as usize),
            });
            host.push(location.host.clone());
        }
        let (offset, bytes) = step.scratch;
        memory.push((workspace.wrapping_add(offset as usize), bytes as usize));
        Ok(Self { step: step.clone(), memory, host })
    }

    fn launch(&self, context: &Context) -> Result {
        let Self { step, memory, host } = self;
        let name = step.operator.name();
        let stream = context.stream(step.stream_id)?;
        let (kernel, host) = (step.clone(), host.clone());
        let run = move |memory: &[Memory]| {
            let bindings = kernel.inputs.iter().chain(&kernel.outputs);
            let operands: Vec<Operand<'_>> = bindings
                .zip(memory)
                .zip(&host)
                .map(|((binding, memory), host)| Operand {
                    desc: &binding.desc,
                    memory,
                    host: host.as_deref(),
                })
                .collect();
            let (inputs, outputs) = operands.split_at(kernel.inputs.len());
            kernel.operator.run(inputs, outputs)
        };
        operator::enqueue(name, stream, memory, run).map_err(|code| Refusal {
            status: code,
            message: format!(
                "{name} could not be queued: {} ({code}); AscendCL's message says more",
                error_name(code).unwrap_or("unknown code")
            ),
        })?;
        launch::record(|| {
            let descs = |bindings: &[Binding]| {
                bindings.iter().map(|binding| binding.desc.clone()).collect::<Vec<_>>()
            };
            let (inputs_bytes, outputs_bytes) =
                step.operator.bytes(&descs(&step.inputs), &descs(&step.outputs));
            Launch { name, inputs_bytes, outputs_bytes }
        });
        Ok(())
    }
}
