//! The chain as one graph of ATB's, which keeps what the operators hand on to each other in its workspace.

use ascendcl::{Runtime, Stream, Workspace};
use atb::{Graph, GraphBuilder, Operation, TensorId};

use super::chain::{Chain, Dim, Use, Value, sizes};
use super::operator::Visitor;
use super::raw::Launch;
use super::{Tensors, pack};
use crate::error::Error;

pub(super) struct GraphLaunch {
    operation: Operation<Graph>,
    inputs: Vec<Use>,
    outputs: Vec<Use>,
}

impl GraphLaunch {
    pub(super) fn new(runtime: &Runtime, chain: &Chain) -> Result<Self, Error> {
        let inputs = first_of_each(chain.steps.iter().flat_map(|step| &step.inputs));
        // What is written in place is an input of the graph, and no output.
        let made = chain.steps.iter().flat_map(|step| &step.outputs);
        let outputs = first_of_each(made.filter(|made| inputs.iter().all(|input| input.value != made.value)));

        let mut graph = GraphBuilder::new("UnfusedMlaPreprocess", inputs.len(), outputs.len());
        let between: Vec<TensorId> = chain.between.iter().map(|_| graph.internal()).collect();
        for step in &chain.steps {
            let position = |uses: &[Use], value| uses.iter().position(|known| known.value == value);
            let ids = |uses: &[Use]| -> Vec<TensorId> {
                let id = |taken: &Use| match taken.value {
                    Value::Between(index) => between.get(index).copied(),
                    value => position(&inputs, value)
                        .map(|index| graph.input(index))
                        .or_else(|| position(&outputs, value).map(|index| graph.output(index))),
                };
                uses.iter().filter_map(id).collect()
            };
            let (taken, made) = (ids(&step.inputs), ids(&step.outputs));
            let mut node = step.param.create(runtime)?.add_to(&mut graph, &taken, &made)?;
            for (index, taken) in step.inputs.iter().enumerate().filter(|(_, taken)| taken.reshaped) {
                let shape = taken.shape.clone();
                node = node.reshape(index, move |old: &[i64]| reshaped(&shape, old));
            }
        }
        Ok(Self { operation: graph.build(runtime)?, inputs, outputs })
    }

    pub(super) fn run(
        &mut self,
        stream: &Stream,
        context: &mut atb::Context,
        workspace: &mut Workspace,
        tensors: &mut Tensors<'_>,
    ) -> Result<(), Error> {
        let packed = pack(tensors, &self.inputs, &self.outputs, &[], Vec::new())?;
        Launch { stream, context, workspace, pack: packed }.visit(&mut self.operation)
    }
}

/// The tensors that come from outside, once each.
fn first_of_each<'a>(uses: impl Iterator<Item = &'a Use>) -> Vec<Use> {
    let mut found: Vec<Use> = Vec::new();
    for taken in uses.filter(|taken| !matches!(taken.value, Value::Between(_))) {
        if found.iter().all(|known| known.value != taken.value) {
            found.push(taken.clone());
        }
    }
    found
}

/// The new shape of a tensor whose first dimension is the tokens.
fn reshaped(shape: &[Dim], old: &[i64]) -> Vec<i64> {
    let tokens = old.first().map_or(0, |tokens| usize::try_from(*tokens).unwrap_or(0));
    sizes(shape, tokens).into_iter().map(|size| i64::try_from(size).unwrap_or(i64::MAX)).collect()
}
