//! The chain of small operators that the fused operation replaces: the baseline.

mod chain;
mod graph;
mod operator;
mod raw;
mod single;
mod traffic;
mod weights;

use ascendcl::{Format, Stream, Tensor, Workspace};
use atb::{VariantPack, View, ViewMut};

use self::chain::{Chain, Use, Value, sizes};
use self::graph::GraphLaunch;
use self::single::SingleLaunches;
pub use self::traffic::{LaunchTraffic, fused_traffic, unfused_traffic};
use self::weights::DeviceWeights;
use super::{Input, Output};
use crate::backend::Launches;
use crate::cache::PagedCache;
use crate::config::Config;
use crate::error::{Error, TensorError};
use crate::weights::Weights;

pub(super) struct UnfusedBackend {
    form: Form,
    weights: DeviceWeights,
    /// A one for each token: the length of its sequence, as RoPE takes it.
    lengths: Tensor,
    context: atb::Context,
    workspace: Workspace,
}

enum Form {
    Graph(GraphLaunch),
    Single(SingleLaunches),
}

/// Rows of a FRACTAL_NZ block that ATB's cache writer takes.
const NZ_BLOCK_MULTIPLE: usize = 16;

impl UnfusedBackend {
    pub(super) fn new(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        launches: Launches,
    ) -> Result<Self, Error> {
        weights.check(config)?;
        let chain = Chain::of(config);
        let weights = DeviceWeights::new(stream, config, weights, &chain)?;
        let runtime = stream.device().runtime();
        Ok(Self {
            weights,
            lengths: stream.tensor_from::<i32>(&[], Format::Nd, &[0])?,
            context: atb::Context::new(stream)?,
            workspace: Workspace::default(),
            form: match launches {
                Launches::Graph => Form::Graph(GraphLaunch::new(runtime, &chain)?),
                Launches::Single => Form::Single(SingleLaunches::new(runtime, chain)?),
            },
        })
    }

    /// Queues one call whose arguments are checked.
    pub(super) fn forward(
        &mut self,
        stream: &Stream,
        config: &Config,
        tokens: usize,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        let block_size = cache.layout().block_size();
        if config.cache_mode.is_nz() && !block_size.is_multiple_of(NZ_BLOCK_MULTIPLE) {
            return Err(TensorError {
                tensor: "kv_cache",
                what: "block size",
                expected: format!(
                    "a multiple of {NZ_BLOCK_MULTIPLE} for the backend unfused (kernel and host take it)"
                ),
                got: block_size.to_string(),
            }
            .into());
        }
        if self.lengths.desc().len() < tokens {
            self.lengths = stream.tensor_from(&vec![1i32; tokens], Format::Nd, &[tokens])?;
        }
        let Self { form, weights, lengths, context, workspace } = self;
        let format = if config.cache_mode.is_nz() { Format::FractalNz } else { Format::Nd };
        let mut tensors = Tensors { input, weights, lengths, cache, output, format, tokens };
        match form {
            Form::Graph(graph) => graph.run(stream, context, workspace, &mut tensors),
            Form::Single(single) => single.run(stream, context, workspace, &mut tensors),
        }
    }
}

/// The tensors of a call that are not the chain's own.
struct Tensors<'a> {
    input: &'a Input<'a>,
    weights: &'a DeviceWeights,
    lengths: &'a Tensor,
    cache: &'a mut PagedCache,
    output: &'a mut Output,
    /// How the caches are stored.
    format: Format,
    tokens: usize,
}

/// A tensor in the shape in which a launch takes it.
fn view<'a>(tensor: &'a Tensor, taken: &Use, tokens: usize) -> Result<View<'a>, Error> {
    Ok(View::of(tensor).with_shape(&sizes(&taken.shape, tokens))?)
}

/// The variant pack of a launch, or of the graph of all of them: `inputs` in their order, and `outputs`. Caches are inputs that
/// are outputs, too. Of what the chain makes, `between` has the tensors that are read, and `made` those that are written.
fn pack<'a>(
    tensors: &'a mut Tensors<'_>,
    inputs: &[Use],
    outputs: &[Use],
    between: &'a [Option<Tensor>],
    mut made: Vec<&'a mut Tensor>,
) -> Result<VariantPack<'a>, Error> {
    let Tensors { input, weights, lengths, cache, output, format, tokens } = tensors;
    let (format, tokens) = (*format, *tokens);
    let latent = Some(&mut cache.latent.1);
    let rotary = cache.rotary.as_mut().map(|(_, tensor)| tensor);
    let mut caches = [latent, rotary];
    let mut queries = [Some(&mut output.q_out0), output.q_out1.as_mut()];
    let mut pack = VariantPack::new();
    for taken in inputs {
        let tensor = match taken.value {
            Value::Hidden => Some(input.hidden),
            Value::Cos => Some(input.cos),
            Value::Sin => Some(input.sin),
            Value::Slots => Some(input.slot_mapping.tensor()),
            Value::Lengths => Some(*lengths),
            Value::Weight(weight) => Some(weights.get(weight)?),
            Value::Between(index) => between.get(index).and_then(Option::as_ref),
            Value::KvCache | Value::KvCacheRope => {
                let cache = caches[usize::from(taken.value == Value::KvCacheRope)].take();
                let cache = cache.ok_or_else(|| absent(taken.value))?;
                pack = pack.updated(ViewMut::of(cache).with_format(format)?);
                continue;
            }
            Value::Query | Value::QueryRope => None,
        };
        pack = pack.input(view(tensor.ok_or_else(|| absent(taken.value))?, taken, tokens)?);
    }
    made.reverse();
    for written in outputs {
        let tensor = match written.value {
            Value::KvCache | Value::KvCacheRope => {
                let index = inputs.iter().position(|taken| taken.value == written.value);
                pack = pack.output_updated(index.ok_or_else(|| absent(written.value))?);
                continue;
            }
            Value::Query => queries[0].take(),
            Value::QueryRope => queries[1].take(),
            _ => made.pop(),
        };
        let tensor = tensor.ok_or_else(|| absent(written.value))?;
        pack = pack.output(ViewMut::of(tensor).with_shape(&sizes(&written.shape, tokens))?);
    }
    Ok(pack)
}

/// The chain takes a tensor that the call does not have; the call's check comes before.
fn absent(value: Value) -> Error {
    let tensor = match value {
        Value::Weight(weight) => weights::name(weight),
        Value::KvCache => "kv_cache",
        Value::KvCacheRope => "kv_cache_rope",
        Value::Query => "q_out0",
        Value::QueryRope => "q_out1",
        Value::Hidden => "input",
        Value::Cos => "cos",
        Value::Sin => "sin",
        Value::Slots => "slot_mapping",
        Value::Lengths | Value::Between(_) => "intermediate",
    };
    TensorError::presence(tensor, true, false).into()
}

impl std::fmt::Debug for UnfusedBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let launches = match self.form {
            Form::Graph(_) => Launches::Graph,
            Form::Single(_) => Launches::Single,
        };
        f.debug_struct("UnfusedBackend")
            .field("launches", &launches)
            .field("workspace", &self.workspace.capacity())
            .finish_non_exhaustive()
    }
}
