//! What `Setup` makes of an operation: the kernels to launch, and where in the workspace their tensors are.
//!
//! A graph becomes a flat list of its leaves, those of graphs within it included. Internal tensors that are not needed at the
//! same time share memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::{Graph, infer_node};
use crate::operation::{Body, Operation};
use crate::operator::{Operator, Result, refuse};
use crate::tensor::TensorDesc;
use crate::tensor_check;

/// Everything in a workspace starts at a multiple of this.
const ALIGNMENT: u64 = 512;

pub(crate) struct Plan {
    pub steps: Vec<Arc<Step>>,
    /// Bytes.
    pub workspace: u64,
}

/// One kernel.
pub(crate) struct Step {
    pub operator: Arc<dyn Operator>,
    pub inputs: Vec<Binding>,
    pub outputs: Vec<Binding>,
    /// Where in the workspace the kernel's own part starts, and its bytes.
    pub scratch: (u64, u64),
    pub stream_id: u32,
}

/// A tensor of a kernel.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub desc: TensorDesc,
    pub place: Place,
}

/// Where a tensor is; offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Input {
        index: usize,
        offset: u64,
    },
    Output {
        index: usize,
        offset: u64,
    },
    /// An internal tensor, by its number while the plan is made.
    Internal {
        number: usize,
        offset: u64,
    },
    Workspace {
        offset: u64,
    },
}

impl Place {
    fn at(self, bytes: u64) -> Self {
        match self {
            Self::Input { index, offset } => Self::Input { index, offset: offset + bytes },
            Self::Output { index, offset } => Self::Output { index, offset: offset + bytes },
            Self::Internal { number, offset } => Self::Internal { number, offset: offset + bytes },
            Self::Workspace { offset } => Self::Workspace { offset: offset + bytes },
        }
    }
}

impl Plan {
    /// A plan for a call with these tensors.
    pub(crate) fn new(operation: &Operation, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result<Self> {
        let bind = |place: fn(usize) -> Place| {
            move |(index, desc): (usize, &TensorDesc)| Binding { desc: desc.clone(), place: place(index) }
        };
        let inputs = inputs.iter().enumerate().map(bind(|index| Place::Input { index, offset: 0 })).collect();
        let outputs =
            outputs.iter().enumerate().map(bind(|index| Place::Output { index, offset: 0 })).collect();
        let mut draft = Draft::default();
        draft.add(operation, operation.stream_id(), inputs, outputs)?;
        Ok(draft.finish())
    }
}

#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    internals: Vec<Internal>,
}

/// An internal tensor, and the first and the last step that need it.
#[derive(Debug)]
struct Internal {
    bytes: u64,
    first: usize,
    last: usize,
}

/// A tensor of a graph while its nodes are gone through.
#[derive(Clone)]
struct Slot {
    binding: Binding,
    /// Bytes that are there.
    capacity: u64,
}

impl Slot {
    fn new(binding: Binding) -> Self {
        let capacity = tensor_check::byte_count(&binding.desc);
        Self { binding, capacity }
    }
}

impl Draft {
    fn add(
        &mut self,
        operation: &Operation,
        stream_id: u32,
        inputs: Vec<Binding>,
        outputs: Vec<Binding>,
    ) -> Result {
        match &operation.body {
            Body::Single(operator) => self.add_step(operator, stream_id, inputs, outputs),
            Body::Graph(graph) => self.add_graph(graph, inputs, outputs)?,
        }
        Ok(())
    }

    fn add_step(
        &mut self,
        operator: &Arc<dyn Operator>,
        stream_id: u32,
        inputs: Vec<Binding>,
        outputs: Vec<Binding>,
    ) {
        let step = self.steps.len();
        for binding in inputs.iter().chain(&outputs) {
            if let Place::Internal { number, .. } = binding.place {
                let internal = &mut self.internals[number];
                internal.last = internal.last.max(step);
                internal.first = internal.first.min(step);
                if stream_id != 0 {
                    // Streams run side by side: what is used on another one is nobody else's at any time.
                    (internal.first, internal.last) = (0, usize::MAX);
                }
            }
        }
        let descs: Vec<TensorDesc> = inputs.iter().map(|binding| binding.desc.clone()).collect();
        let scratch = (0, operator.workspace_size(&descs));
        self.steps.push(Step { operator: operator.clone(), inputs, outputs, scratch, stream_id });
    }

    fn add_graph(&mut self, graph: &Graph, inputs: Vec<Binding>, outputs: Vec<Binding>) -> Result {
        let mut slots: Vec<Option<Slot>> =
            inputs.into_iter().chain(outputs).map(|binding| Some(Slot::new(binding))).collect();
        slots.resize(graph.tensor_num(), None);
        for (index, node) in graph.nodes().iter().enumerate() {
            let inputs = (node.inputs.iter().enumerate())
                .map(|(input, id)| {
                    // There is one: the graph was checked when it was made.
                    let slot = slots[*id as usize].as_ref().ok_or_else(|| {
                        refuse!(ATB_ERROR_INVALID_GRAPH, "node {index}: nothing has written tensor {id}")
                    })?;
                    let Binding { mut desc, place } = slot.binding.clone();
                    node.reshape(index, input, &mut desc)?;
                    let offset = node.chunk(index, input, &slot.binding.desc.shape, &mut desc)?;
                    Ok(Binding { desc, place: place.at(offset) })
                })
                .collect::<Result<Vec<Binding>>>()?;
            let descs: Vec<TensorDesc> = inputs.iter().map(|binding| binding.desc.clone()).collect();
            let inferred = infer_node(index, node, &descs)?;
            let outputs = (node.outputs.iter().zip(inferred))
                .map(|(id, desc)| self.output(index, *id, &mut slots[*id as usize], desc))
                .collect::<Result<Vec<Binding>>>()?;
            self.add(&node.operation, node.operation.stream_id(), inputs, outputs)?;
        }
        Ok(())
    }

    /// Where a node writes: a new internal tensor, or one that there is already.
    fn output(&mut self, node: usize, id: u32, slot: &mut Option<Slot>, desc: TensorDesc) -> Result<Binding> {
        let bytes = tensor_check::byte_count(&desc);
        let Some(slot) = slot else {
            let place = Place::Internal { number: self.internals.len(), offset: 0 };
            self.internals.push(Internal { bytes, first: usize::MAX, last: 0 });
            let binding = Binding { desc, place };
            *slot = Some(Slot::new(binding.clone()));
            return Ok(binding);
        };
        // ATB does not check this; its node would write beyond the tensor.
        if bytes > slot.capacity {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "node {node} writes {:?}, {bytes} bytes, to tensor {id}, which is {:?} and has {}",
                desc.shape,
                slot.binding.desc.shape,
                slot.capacity
            ));
        }
        slot.binding.desc = desc;
        Ok(slot.binding.clone())
    }

    fn finish(mut self) -> Plan {
        // The kernels of a stream use one part by turns.
        let mut parts: BTreeMap<u32, u64> = BTreeMap::new();
        for step in &self.steps {
            let part = parts.entry(step.stream_id).or_default();
            *part = (*part).max(align(step.scratch.1));
        }
        let mut start = 0;
        for part in parts.values_mut() {
            start += std::mem::replace(part, start);
        }
        let (offsets, end) = share(&self.internals, start);
        let resolve = |binding: &mut Binding| {
            if let Place::Internal { number, offset } = binding.place {
                binding.place = Place::Workspace { offset: offsets[number] + offset };
            }
        };
        for step in &mut self.steps {
            step.scratch.0 = parts.get(&step.stream_id).copied().unwrap_or(0);
            step.inputs.iter_mut().chain(&mut step.outputs).for_each(resolve);
        }
        Plan { steps: self.steps.into_iter().map(Arc::new).collect(), workspace: end }
    }
}

fn align(bytes: u64) -> u64 {
    bytes.saturating_add(ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT
}

/// Offsets from `start` on at which tensors that live at the same time are apart, and the end of the last: each is put into
/// the first gap that it fits.
fn share(internals: &[Internal], start: u64) -> (Vec<u64>, u64) {
    let mut placed: Vec<(u64, u64, &Internal)> = Vec::new();
    let mut end = start;
    let offsets = internals
        .iter()
        .map(|internal| {
            let size = align(internal.bytes);
            let mut offset = start;
            // In the order of their offsets.
            for (from, to, other) in &placed {
                let both_live = internal.first <= other.last && other.first <= internal.last;
                if both_live && *from < offset.saturating_add(size) {
                    offset = offset.max(*to);
                }
            }
            let at = placed.partition_point(|(from, ..)| *from <= offset);
            placed.insert(at, (offset, offset.saturating_add(size), internal));
            end = end.max(offset.saturating_add(size));
            offset
        })
        .collect();
    (offsets, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internal(bytes: u64, first: usize, last: usize) -> Internal {
        Internal { bytes, first, last }
    }

    #[test]
    fn tensors_share_memory_when_their_lives_do_not_meet() {
        // 0 and 1 meet in step 1, 1 and 2 in step 2; 0 and 2 never.
        let (offsets, end) = share(&[internal(600, 0, 1), internal(512, 1, 2), internal(1024, 2, 3)], 512);
        assert_eq!(offsets, [512, 512 + 1024, 512]);
        assert_eq!(end, 512 + 1024 + 512);
    }

    #[test]
    fn a_gap_that_is_too_small_is_passed_over() {
        let internals = [internal(512, 0, 0), internal(512, 0, 9), internal(1024, 1, 9)];
        assert_eq!(share(&internals, 0).0, [0, 512, 1024]);
    }
}
