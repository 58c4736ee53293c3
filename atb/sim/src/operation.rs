//! An operation or a graph of them, with what ATB's `OperationBase` checks for both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::graph::Graph;
use crate::operator::{Operator, Result, refuse};
use crate::tensor::TensorDesc;
use crate::tensor_check;

/// `atb::Operation`, without the state of a call.
pub(crate) struct Operation {
    pub body: Body,
    /// Which of the context's streams it runs on.
    stream_id: AtomicU32,
}

pub(crate) enum Body {
    Single(Arc<dyn Operator>),
    Graph(Graph),
}

impl Operation {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, stream_id: AtomicU32::new(0) }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.body {
            Body::Single(operator) => operator.name(),
            Body::Graph(graph) => graph.name(),
        }
    }

    pub(crate) fn input_num(&self) -> usize {
        match &self.body {
            Body::Single(operator) => operator.input_num(),
            Body::Graph(graph) => graph.input_num(),
        }
    }

    pub(crate) fn output_num(&self) -> usize {
        match &self.body {
            Body::Single(operator) => operator.output_num(),
            Body::Graph(graph) => graph.output_num(),
        }
    }

    pub(crate) fn may_be_empty(&self, input: usize) -> bool {
        match &self.body {
            Body::Single(operator) => operator.may_be_empty(input),
            Body::Graph(graph) => graph.may_be_empty(input),
        }
    }

    pub(crate) fn stream_id(&self) -> u32 {
        self.stream_id.load(Ordering::Relaxed)
    }

    /// Sets the stream, and in a graph that of each node that was not given another one.
    pub(crate) fn set_stream_id(&self, id: u32) {
        self.stream_id.store(id, Ordering::Relaxed);
        if let Body::Graph(graph) = &self.body {
            let nodes = graph.nodes().iter().map(|node| &node.operation);
            nodes
                .filter(|operation| operation.stream_id() == 0)
                .for_each(|operation| operation.set_stream_id(id));
        }
    }

    /// `InferShape`.
    pub(crate) fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        self.check_input_num(inputs.len())?;
        for (index, desc) in inputs.iter().enumerate() {
            if !(self.may_be_empty(index) && tensor_check::is_empty(desc)) {
                tensor_check::check("input", index, desc)?;
            }
        }
        match &self.body {
            Body::Single(operator) => {
                operator.check_types(inputs, &[])?;
                operator.check_inputs(inputs)?;
                operator.infer_shape(inputs)
            }
            Body::Graph(graph) => graph.infer_shape(inputs),
        }
    }

    pub(crate) fn check_input_num(&self, number: usize) -> Result {
        let expected = self.input_num();
        if number == expected {
            return Ok(());
        }
        let name = self.name();
        Err(refuse!(ATB_ERROR_INVALID_IN_TENSOR_NUM, "{name} has {expected} inputs, and {number} are given"))
    }

    /// ATB has the code of inputs for this, too.
    pub(crate) fn check_output_num(&self, number: usize) -> Result {
        let expected = self.output_num();
        if number == expected {
            return Ok(());
        }
        let name = self.name();
        Err(refuse!(ATB_ERROR_INVALID_IN_TENSOR_NUM, "{name} has {expected} outputs, and {number} are given"))
    }
}
