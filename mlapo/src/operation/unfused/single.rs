//! The chain as launches of its operators one by one.

use ascendcl::{Format, Runtime, Stream, Tensor, TensorDesc, Workspace};

use super::chain::{Between, Chain, Step, Value, sizes};
use super::operator::Operator;
use super::raw::Launch;
use super::{Tensors, pack};
use crate::error::Error;

pub(super) struct SingleLaunches {
    steps: Vec<(Step, Operator)>,
    between: Vec<Between>,
    /// What the launches hand on to each other, for a number of tokens.
    tensors: (usize, Vec<Option<Tensor>>),
}

impl SingleLaunches {
    pub(super) fn new(runtime: &Runtime, chain: Chain) -> Result<Self, Error> {
        let Chain { steps, between } = chain;
        let created = steps.into_iter().map(|step| {
            let operator = step.param.create(runtime)?;
            Ok((step, operator))
        });
        Ok(Self { steps: created.collect::<Result<_, Error>>()?, between, tensors: (0, Vec::new()) })
    }

    pub(super) fn run(
        &mut self,
        stream: &Stream,
        context: &mut atb::Context,
        workspace: &mut Workspace,
        tensors: &mut Tensors<'_>,
    ) -> Result<(), Error> {
        if self.tensors.0 != tensors.tokens || self.tensors.1.iter().any(Option::is_none) {
            let tensor = |between: &Between| -> Result<_, Error> {
                let shape = sizes(&between.shape, tensors.tokens);
                Ok(Some(stream.tensor(TensorDesc::new(between.dtype, Format::Nd, &shape)?)?))
            };
            self.tensors = (tensors.tokens, self.between.iter().map(tensor).collect::<Result<_, _>>()?);
        }
        let between = &mut self.tensors.1;
        for (step, operator) in &mut self.steps {
            let indices = step.outputs.iter().filter_map(|output| match output.value {
                Value::Between(index) => Some(index),
                _ => None,
            });
            let mut made: Vec<(usize, Tensor)> =
                indices.filter_map(|index| Some((index, between.get_mut(index)?.take()?))).collect();
            let written = made.iter_mut().map(|(_, tensor)| tensor).collect();
            let packed = pack(tensors, &step.inputs, &step.outputs, between, written)?;
            operator.visit(Launch { stream, context, workspace, pack: packed })?;
            for (index, tensor) in made {
                between[index] = Some(tensor);
            }
        }
        Ok(())
    }
}
