//! Graphs of operations.

use std::ffi::CString;
use std::fmt;

use ascendcl::Runtime;
use atb_sys::{atb_chunk, atb_reshape};

use crate::error::{Error, Result};
use crate::library::Library;
use crate::operation::{Operation, OperationCore, Trust};
use crate::param::{Param, SelfContained, sealed::Sealed};
use crate::raw::check_outside;
use crate::raw::graph::{Closures, InferShapeFn, RawGraph, RawNode, ReshapeFn};
use crate::tensor::TensorDesc;

/// A graph of operations, made by a [`GraphBuilder`], which is set up and executed as one operation
/// (`atb::GraphParam`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    name: String,
    inputs: usize,
    outputs: usize,
    nodes: usize,
    /// Inputs that nodes write in place.
    written: Vec<usize>,
}

impl Graph {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its nodes.
    pub fn node_num(&self) -> usize {
        self.nodes
    }

    /// Inputs that nodes write in place: in a pack they must be given by [`updated`](crate::VariantPack::updated).
    pub fn written_inputs(&self) -> &[usize] {
        &self.written
    }
}

impl Sealed for Graph {
    fn written(&self) -> Vec<usize> {
        self.written.clone()
    }
}

impl Param for Graph {}
impl SelfContained for Graph {}

/// A tensor of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorId(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Input(usize),
    Output(usize),
    Internal(usize),
}

/// Makes a [`Graph`].
///
/// Nodes are executed in the order in which they are added. Each input of a node is an input of the graph or was given by a
/// node before it; each output of the graph and each internal tensor is given by one node. Memory of internal tensors is part
/// of the graph's workspace.
///
/// ```
/// use ascendcl::{Backend, Runtime, Workspace};
/// use atb::param::{Concat, Split};
/// use atb::{Context, GraphBuilder, Operation, VariantPack, View, ViewMut};
///
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// let mut graph = GraphBuilder::new("Swap_halves", 1, 1);
/// let (x, y) = (graph.input(0), graph.output(0));
/// let (left, right) = (graph.internal(), graph.internal());
/// let split = Operation::new(&runtime, Split { split_dim: 0, ..Split::default() })?;
/// graph.node(split, &[x], &[left, right])?;
/// graph.node(Operation::new(&runtime, Concat { concat_dim: 0 })?, &[right, left], &[y])?;
/// let mut graph = graph.build(&runtime)?;
///
/// let stream = runtime.device(0)?.stream()?;
/// let half = |values: [f32; 4]| values.map(half::f16::from_f32);
/// let (x, mut y) = (stream.alloc_from(&half([1.0, 2.0, 3.0, 4.0]))?, stream.alloc_from(&half([0.0; 4]))?);
/// let pack = VariantPack::new()
///     .input(View::of(&x).with_shape(&[4, 1])?)
///     .output(ViewMut::of(&mut y).with_shape(&[4, 1])?);
/// graph.run(&mut Context::new(&stream)?, &stream, pack, &mut Workspace::default())?;
/// assert_eq!(stream.download_vec(&y)?, half([3.0, 4.0, 1.0, 2.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GraphBuilder {
    name: String,
    inputs: usize,
    outputs: usize,
    internals: usize,
    nodes: Vec<NodeParts>,
    infer_shape: Option<Box<InferShapeFn>>,
    /// The first mistake of a method that does not answer.
    error: Option<Error>,
}

struct NodeParts {
    operation: OperationCore,
    inputs: Vec<TensorId>,
    outputs: Vec<TensorId>,
    reshapes: Vec<Option<Box<ReshapeFn>>>,
    chunks: Vec<Option<(u32, u32)>>,
}

/// A node that was just added, to say more about its inputs.
pub struct Node<'a> {
    builder: &'a mut GraphBuilder,
    /// Its index.
    node: usize,
}

impl GraphBuilder {
    /// A graph of so many inputs and outputs, without a node yet. The name has letters, digits and underscores only.
    pub fn new(name: &str, inputs: usize, outputs: usize) -> Self {
        Self {
            name: name.to_owned(),
            inputs,
            outputs,
            internals: 0,
            nodes: Vec::new(),
            infer_shape: None,
            error: None,
        }
    }

    /// An input of the graph; whether there is one of this index is checked when a node takes it.
    pub fn input(&self, index: usize) -> TensorId {
        TensorId(Kind::Input(index))
    }

    /// An output of the graph; whether there is one of this index is checked when a node gives it.
    pub fn output(&self, index: usize) -> TensorId {
        TensorId(Kind::Output(index))
    }

    /// A new internal tensor.
    pub fn internal(&mut self) -> TensorId {
        self.internals += 1;
        TensorId(Kind::Internal(self.internals - 1))
    }

    /// Adds a node, which takes the operation over. An output may be one of the node's own inputs, which it then writes in
    /// place; those that the operation writes in place must be.
    ///
    /// # Errors
    /// [`Error::Graph`] for another number of tensors than the operation has, for a tensor that there is not, for an input that
    /// no node has given yet or an output that was given before, and for an operation that was set up: it belongs to a context.
    pub fn node<P: Param>(
        &mut self,
        operation: Operation<P>,
        inputs: &[TensorId],
        outputs: &[TensorId],
    ) -> Result<Node<'_>> {
        let (updates, written) = (operation.param().updates(), operation.param().written());
        let operation = operation.into_core();
        let node = format!("node {} ({})", self.nodes.len(), operation.name());
        if operation.is_set_up() {
            return Err(self.wrong(format_args!("{node} was set up by itself before")));
        }
        let (input_num, output_num) = operation.tensor_numbers()?;
        for (what, expected, got) in
            [("inputs", input_num, inputs.len()), ("outputs", output_num, outputs.len())]
        {
            if expected != got {
                return Err(self.wrong(format_args!("{node} has {expected} {what}, got {got}")));
            }
        }
        for id in inputs {
            if !self.is_there(*id) || !self.is_given(*id) {
                return Err(self.wrong(format_args!("{node} takes {id}, which nothing gives before it")));
            }
        }
        for (index, id) in outputs.iter().enumerate() {
            let in_place = inputs.contains(id);
            if !self.is_there(*id) || outputs[..index].contains(id) || (self.is_given(*id) && !in_place) {
                let why = format_args!("{node} gives {id}, which is not there or given before");
                return Err(self.wrong(why));
            }
        }
        for (output, input) in updates {
            if outputs.get(output) != inputs.get(input) {
                let why = format_args!(
                    "{node} writes its input {input} in place: its output {output} must be that"
                );
                return Err(self.wrong(why));
            }
        }
        if !written.is_empty() {
            let why = format_args!("{node} writes inputs in place that are no outputs, which a node cannot");
            return Err(self.wrong(why));
        }
        self.nodes.push(NodeParts {
            operation,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            reshapes: inputs.iter().map(|_| None).collect(),
            chunks: vec![None; inputs.len()],
        });
        let node = self.nodes.len() - 1;
        Ok(Node { builder: self, node })
    }

    /// Says what the outputs are for inputs of the given descriptions (`inferShapeFunc`); else it follows from the nodes.
    ///
    /// Nothing compares its answer with what the nodes write: executions of such a graph are `unsafe`. It must not call this crate, or is answered with [`Error::InClosure`].
    #[must_use]
    pub fn infer_shape(
        mut self,
        function: impl Fn(&[TensorDesc]) -> Vec<TensorDesc> + Send + Sync + 'static,
    ) -> Self {
        self.infer_shape = Some(Box::new(function));
        self
    }

    /// Makes the graph (`CreateOperation`).
    ///
    /// # Errors
    /// [`Error::Graph`] for a mistake of a node, for an output or an internal tensor that no node gives and for operations of
    /// another library; [`Error::Atb`] for what the library refuses, such as the name.
    pub fn build(mut self, runtime: &Runtime) -> Result<Operation<Graph>> {
        check_outside("CreateOperation")?;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let library = Library::of(runtime)?;
        let outputs = (0..self.outputs).map(|index| TensorId(Kind::Output(index)));
        let internals = (0..self.internals).map(|index| TensorId(Kind::Internal(index)));
        if let Some(id) = outputs.chain(internals).find(|id| !self.is_given(*id)) {
            return Err(self.wrong(format_args!("no node gives {id}")));
        }
        for node in &self.nodes {
            library.check_same("operation of a node", node.operation.library())?;
        }
        let name = CString::new(self.name.as_str()).map_err(|_| self.wrong("its name has a zero byte"))?;
        let written = |index: &usize| {
            let id = TensorId(Kind::Input(*index));
            self.nodes.iter().any(|node| node.outputs.contains(&id))
        };
        let graph = Graph {
            name: self.name.clone(),
            inputs: self.inputs,
            outputs: self.outputs,
            nodes: self.nodes.len(),
            written: (0..self.inputs).filter(written).collect(),
        };
        let chunked = self.nodes.iter().any(|node| node.chunks.iter().any(Option::is_some));
        // The library infers the outputs of chunked nodes as if they were not (ATB's source graph_operation.cpp).
        let nodes_infer = self.nodes.iter().all(|node| node.operation.trust().infers_sizes);
        let infers_sizes = (nodes_infer && !chunked) || self.infer_shape.is_some();
        let unchecked = chunked
            || self.infer_shape.is_some()
            || self.nodes.iter().any(|node| node.operation.trust().unchecked);

        let mut closures = Closures::default();
        let infer_shape = self.infer_shape.take().map(|function| closures.infer_shape(function));
        let number = |count: usize| u32::try_from(count).map_err(|_| self.wrong("too many tensors"));
        let mut raw = RawGraph {
            name: &name,
            inputs: number(self.inputs)?,
            outputs: number(self.outputs)?,
            internals: number(self.internals)?,
            nodes: Vec::with_capacity(self.nodes.len()),
        };
        let numbers = (raw.inputs, raw.outputs);
        for node in &mut self.nodes {
            raw.nodes.push(node.take_raw(numbers, &mut closures)?);
        }
        // SAFETY: the operations are the nodes' own until the graph has them. The closures go with the graph.
        let made = unsafe { library.atb().create_graph(&raw, infer_shape) };
        let operation = made.map_err(|error| error.about(&self.name))?;
        for node in &mut self.nodes {
            let (_, of_node) = node.operation.give_up();
            closures.nest(of_node);
        }
        let trust = Trust { unchecked, infers_sizes };
        // SAFETY: the graph was just made, for us.
        unsafe { Operation::of_raw(operation, graph, (runtime, library), closures, trust) }
    }

    fn is_there(&self, id: TensorId) -> bool {
        match id.0 {
            Kind::Input(index) => index < self.inputs,
            Kind::Output(index) => index < self.outputs,
            Kind::Internal(index) => index < self.internals,
        }
    }

    /// Whether a tensor has values after the nodes so far.
    fn is_given(&self, id: TensorId) -> bool {
        matches!(id.0, Kind::Input(_)) || self.nodes.iter().any(|node| node.outputs.contains(&id))
    }

    fn mistake(&mut self, why: impl ToString) {
        let error = self.wrong(why);
        self.error.get_or_insert(error);
    }

    fn wrong(&self, why: impl ToString) -> Error {
        Error::Graph { graph: self.name.clone(), why: why.to_string() }
    }
}

impl NodeParts {
    /// As C has it; the reshapes go to the closures.
    fn take_raw(&mut self, (inputs, outputs): (u32, u32), closures: &mut Closures) -> Result<RawNode> {
        // Numbers that passed `is_there` are below numbers that fit.
        let number = |id: &TensorId| match id.0 {
            Kind::Input(index) => index as u32,
            Kind::Output(index) => inputs + index as u32,
            Kind::Internal(index) => inputs + outputs + index as u32,
        };
        let none = || atb_reshape { function: None, data: std::ptr::null_mut() };
        let chunked = self.chunks.iter().any(Option::is_some);
        let chunk = |chunk: &Option<(u32, u32)>| {
            let (count, index) = chunk.unwrap_or((1, 0));
            atb_chunk { chunkNum: count, chunkIndex: index }
        };
        Ok(RawNode {
            operation: self.operation.raw()?,
            inputs: self.inputs.iter().map(number).collect(),
            outputs: self.outputs.iter().map(number).collect(),
            reshapes: self
                .reshapes
                .iter_mut()
                .map(|reshape| reshape.take().map_or_else(none, |reshape| closures.reshape(reshape)))
                .collect(),
            chunks: if chunked { self.chunks.iter().map(chunk).collect() } else { Vec::new() },
        })
    }
}

impl Node<'_> {
    /// Gives one of the node's inputs another shape of as many elements (`inTensorReshapeFuncs`), which the closure computes from
    /// the old one at each set-up. A mistake is reported by [`GraphBuilder::build`].
    ///
    /// The closure must not call this crate, or is answered with [`Error::InClosure`].
    pub fn reshape(self, input: usize, shape: impl Fn(&[i64]) -> Vec<i64> + Send + Sync + 'static) -> Self {
        match self.builder.nodes[self.node].reshapes.get_mut(input) {
            Some(place) => *place = Some(Box::new(shape)),
            None => self.builder.mistake(format_args!("node {} has no input {input} to reshape", self.node)),
        }
        self
    }

    /// Takes for one of the node's inputs only part `index` of `count` equal parts along the first dimension
    /// (`inTensorChunks`). Executions of such a graph are `unsafe`: the library infers its outputs as if there were no chunks,
    /// so that their sizes cannot be checked. A mistake is reported by [`GraphBuilder::build`].
    pub fn chunk(self, input: usize, count: u32, index: u32) -> Self {
        match self.builder.nodes[self.node].chunks.get_mut(input) {
            Some(place) if index < count => *place = Some((count, index)),
            _ => self
                .builder
                .mistake(format_args!("node {} has no chunk {index} of {count} of input {input}", self.node)),
        }
        self
    }
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Input(index) => write!(f, "input {index}"),
            Kind::Output(index) => write!(f, "output {index}"),
            Kind::Internal(index) => write!(f, "internal tensor {index}"),
        }
    }
}

impl fmt::Debug for GraphBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = |node: &NodeParts| format!("{:?} {:?} -> {:?}", node.operation, node.inputs, node.outputs);
        f.debug_struct("GraphBuilder")
            .field("name", &self.name)
            .field("nodes", &self.nodes.iter().map(node).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} of {})", self.node, self.builder.name)
    }
}
