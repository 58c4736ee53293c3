//! Graphs: operations whose tensors go from one to the next (ATB's source graph_operation.cpp).

use std::sync::Arc;

use ascendcl_sys::{ACL_DT_UNDEFINED, ACL_FORMAT_UNDEFINED};
use atb_sys::atb_status;

use crate::operation::Operation;
use crate::operator::{Refusal, Result, refuse};
use crate::tensor::TensorDesc;
use crate::tensor_check;

/// As many tensors as ATB's small vectors hold.
pub(crate) const MAX_TENSORS: usize = 256;
const MAX_NODES: usize = 1024;
const MAX_NAME: usize = 128;

/// A function of the program that gives a tensor another shape of equally many elements.
pub(crate) type Reshape = Arc<dyn Fn(&[i64]) -> std::result::Result<Vec<i64>, atb_status> + Send + Sync>;

/// A function of the program that infers the outputs of a graph.
pub(crate) type InferShape =
    Arc<dyn Fn(&[TensorDesc], usize) -> std::result::Result<Vec<TensorDesc>, atb_status> + Send + Sync>;

/// One of equal parts of a tensor, along its first dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub number: u32,
    pub index: u32,
}

pub(crate) struct Node {
    pub operation: Arc<Operation>,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    /// Empty, or one for each input.
    pub reshapes: Vec<Option<Reshape>>,
    /// Empty, or one for each input.
    pub chunks: Vec<Chunk>,
}

impl Node {
    /// Gives an input the shape that the node wants.
    pub(crate) fn reshape(&self, node: usize, input: usize, desc: &mut TensorDesc) -> Result {
        let Some(Some(reshape)) = self.reshapes.get(input) else { return Ok(()) };
        let fail = |message| {
            Err(refuse!(
                ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL,
                "node {node}, reshape of input {input}: {message}"
            ))
        };
        let shape = match reshape(&desc.shape) {
            Ok(shape) => shape,
            Err(status) => return fail(format!("the function answers {status} for {:?}", desc.shape)),
        };
        let new = TensorDesc { shape, ..desc.clone() };
        if tensor_check::element_count(&new) != tensor_check::element_count(desc) {
            return fail(format!("{:?} has not as many elements as {:?}", new.shape, desc.shape));
        }
        *desc = new;
        Ok(())
    }

    /// Cuts out the part of an input that the node wants. `whole` is the input's shape before it was reshaped. Answers the
    /// bytes before the part.
    pub(crate) fn chunk(
        &self,
        node: usize,
        input: usize,
        whole: &[i64],
        desc: &mut TensorDesc,
    ) -> Result<u64> {
        let Some(&Chunk { number, index }) = self.chunks.get(input) else { return Ok(0) };
        let place = format!("node {node}, chunk of input {input}");
        if number == 0 {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "{place}: there cannot be 0 chunks"));
        }
        let Some(first) = desc.shape.first_mut() else { return Ok(0) };
        if whole.first().is_some_and(|dim| dim % i64::from(number) != 0) {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "{place}: {whole:?} has no {number} equal parts"));
        }
        // These two are not checked by ATB, whose nodes would then work on other memory.
        if *first % i64::from(number) != 0 {
            return Err(refuse!(
                ATB_ERROR_INVALID_GRAPH_NODE_CHUNK,
                "{place}: {:?}, as it was reshaped, has no {number} equal parts",
                desc.shape
            ));
        }
        if index >= number {
            return Err(refuse!(
                ATB_ERROR_INVALID_GRAPH_NODE_CHUNK,
                "{place}: there is no chunk {index} of {number}"
            ));
        }
        *first /= i64::from(number);
        Ok(tensor_check::byte_count(desc).saturating_mul(u64::from(index)))
    }
}

/// Numbers of a graph's tensors, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub inputs: u32,
    pub outputs: u32,
    pub internals: u32,
}

impl Counts {
    fn total(self) -> usize {
        self.inputs as usize + self.outputs as usize + self.internals as usize
    }
}

pub(crate) struct Graph {
    name: String,
    counts: Counts,
    nodes: Vec<Node>,
    infer_shape: Option<InferShape>,
}

/// Checks what must be right before nodes are looked at.
pub(crate) fn check_limits(name: &str, counts: Counts, nodes: usize) -> Result {
    if name.len() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(refuse!(
            ATB_ERROR_INVALID_GRAPH,
            "the name {name:?} is not made of at most {MAX_NAME} letters, digits and underscores"
        ));
    }
    if [counts.inputs, counts.outputs, counts.internals].iter().any(|&count| count as usize > MAX_TENSORS) {
        return Err(refuse!(
            ATB_ERROR_INVALID_GRAPH,
            "more than {MAX_TENSORS} tensors of one kind: {counts:?}"
        ));
    }
    if nodes > MAX_NODES {
        return Err(refuse!(ATB_ERROR_INVALID_GRAPH, "{nodes} nodes are more than {MAX_NODES}"));
    }
    Ok(())
}

impl Graph {
    /// A graph, if each tensor is written before it is read and all are written.
    pub(crate) fn new(
        name: String,
        counts: Counts,
        nodes: Vec<Node>,
        infer_shape: Option<InferShape>,
    ) -> Result<Self> {
        check_limits(&name, counts, nodes.len())?;
        let mut written = vec![false; counts.total()];
        written[..counts.inputs as usize].fill(true);
        for (index, node) in nodes.iter().enumerate() {
            check_node(index, node, &mut written)?;
        }
        if let Some(id) = written.iter().position(|written| !written) {
            return Err(refuse!(ATB_ERROR_INVALID_GRAPH, "no node writes tensor {id}"));
        }
        let name = if name.is_empty() { "GraphOperation".to_owned() } else { name };
        Ok(Self { name, counts, nodes, infer_shape })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn input_num(&self) -> usize {
        self.counts.inputs as usize
    }

    pub(crate) fn output_num(&self) -> usize {
        self.counts.outputs as usize
    }

    pub(crate) fn tensor_num(&self) -> usize {
        self.counts.total()
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether one of the nodes that take the input takes it left out.
    pub(crate) fn may_be_empty(&self, input: usize) -> bool {
        self.nodes.iter().any(|node| {
            let mut ids = node.inputs.iter().enumerate();
            ids.any(|(index, &id)| id as usize == input && node.operation.may_be_empty(index))
        })
    }

    /// `InferShapeImpl`: by the program's function, else from node to node. As in ATB, chunks do not count here.
    pub(crate) fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        match &self.infer_shape {
            Some(infer) => self.infer_by(infer, inputs),
            None => self.infer_by_nodes(inputs),
        }
    }

    fn infer_by(&self, infer: &InferShape, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let outputs = match infer(inputs, self.output_num()) {
            Ok(outputs) => outputs,
            // The function has codes of ATB; negative ones are the shim's, for one that threw.
            Err(status) if status > 0 => {
                return Err(Refusal {
                    status,
                    message: format!("{}: the function for shapes answers {status}", self.name),
                });
            }
            Err(status) => {
                return Err(refuse!(
                    ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL,
                    "{}: the function for shapes failed ({status})",
                    self.name
                ));
            }
        };
        let incomplete = |desc: &TensorDesc| {
            desc.is_none() || desc.dtype == ACL_DT_UNDEFINED || desc.format == ACL_FORMAT_UNDEFINED
        };
        match outputs.iter().position(incomplete) {
            Some(index) => Err(refuse!(
                ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL,
                "{}: the function for shapes leaves output {index} incomplete: {:?}",
                self.name,
                outputs[index]
            )),
            None => Ok(outputs),
        }
    }

    fn infer_by_nodes(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let mut tensors = inputs.to_vec();
        tensors.resize(self.tensor_num(), TensorDesc::none());
        for (index, node) in self.nodes.iter().enumerate() {
            let mut descs: Vec<TensorDesc> =
                node.inputs.iter().map(|id| tensors[*id as usize].clone()).collect();
            for (input, desc) in descs.iter_mut().enumerate() {
                node.reshape(index, input, desc)?;
            }
            let outputs = infer_node(index, node, &descs)?;
            for (id, desc) in node.outputs.iter().zip(outputs) {
                tensors[*id as usize] = desc;
            }
        }
        Ok(tensors[self.input_num()..][..self.output_num()].to_vec())
    }
}

/// The shapes of a node's outputs.
pub(crate) fn infer_node(index: usize, node: &Node, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
    let name = node.operation.name();
    let outputs = node.operation.infer_shape(inputs).map_err(|refusal| Refusal {
        message: format!("node {index}, {name}: {}", refusal.message),
        ..refusal
    })?;
    if outputs.len() != node.outputs.len() {
        return Err(refuse!(
            ATB_ERROR_INVALID_PARAM,
            "node {index}, {name}: {} outputs are inferred",
            outputs.len()
        ));
    }
    Ok(outputs)
}

fn check_node(index: usize, node: &Node, written: &mut [bool]) -> Result {
    let fail =
        |message| Err(refuse!(ATB_ERROR_INVALID_GRAPH, "node {index}, {}: {message}", node.operation.name()));
    let expected = (node.operation.input_num(), node.operation.output_num());
    let given = (node.inputs.len(), node.outputs.len());
    if expected != given {
        return fail(format!("(inputs, outputs) are {given:?}, {expected:?} are expected"));
    }
    let total = written.len();
    for id in &node.inputs {
        match written.get(*id as usize) {
            Some(true) => {}
            Some(false) => return fail(format!("no node before it writes its input, tensor {id}")),
            None => return fail(format!("input {id} is none of the graph's {total} tensors")),
        }
    }
    for id in &node.outputs {
        match written.get_mut(*id as usize) {
            Some(written) => *written = true,
            None => return fail(format!("output {id} is none of the graph's {total} tensors")),
        }
    }
    Ok(())
}
