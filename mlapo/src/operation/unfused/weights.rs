//! The weights as the small operators take them.

use ascendcl::{Format, Stream, Tensor};

use super::chain::{Chain, Use, Value, Weight, sizes};
use crate::config::{Config, Dtype, QuantMode};
use crate::error::{Error, TensorError};
use crate::numeric::{from_f32, to_f32};
use crate::operation::atb::descale_tensor;
use crate::values::upload;
use crate::weights::{ActivationQuant, CacheScales, Norm, Projection, Weights};

/// The weights that a chain takes, on the device.
pub(super) struct DeviceWeights {
    tensors: Vec<(Weight, Tensor)>,
}

impl DeviceWeights {
    pub(super) fn new(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        chain: &Chain,
    ) -> Result<Self, Error> {
        let mut tensors: Vec<(Weight, Tensor)> = Vec::new();
        for input in chain.steps.iter().flat_map(|step| &step.inputs) {
            let Use { value: Value::Weight(weight), shape, .. } = input else { continue };
            if tensors.iter().all(|(known, _)| known != weight) {
                let shape: Vec<usize> = sizes(shape, 0);
                tensors.push((*weight, tensor(stream, config, weights, *weight, &shape)?));
            }
        }
        Ok(Self { tensors })
    }

    pub(super) fn get(&self, weight: Weight) -> Result<&Tensor, Error> {
        let found = self.tensors.iter().find(|(known, _)| *known == weight);
        found.map(|(_, tensor)| tensor).ok_or_else(|| absent(weight))
    }
}

/// The name of a weight in the operator's contract.
pub(super) const fn name(weight: Weight) -> &'static str {
    match weight {
        Weight::Gamma0 => "gamma0",
        Weight::Beta0 => "beta0",
        Weight::QuantScale0 => "quant_scale0",
        Weight::QuantOffset0 => "quant_offset0",
        Weight::Wdqkv => "wdqkv",
        Weight::Bias0 => "bias0",
        Weight::DeScale0 => "descale0",
        Weight::Gamma1 => "gamma1",
        Weight::Beta1 => "beta1",
        Weight::QuantScale1 => "quant_scale1",
        Weight::QuantOffset1 => "quant_offset1",
        Weight::Wuq => "wuq",
        Weight::Bias1 => "bias1",
        Weight::DeScale1 => "descale1",
        Weight::Wuk => "wuk",
        Weight::Gamma2 => "gamma2",
        Weight::CtkvScale | Weight::CtkvOffset => "ctkv_scale",
        Weight::QNopeScale | Weight::QNopeOffset => "q_nope_scale",
    }
}

fn absent(weight: Weight) -> Error {
    TensorError::presence(name(weight), true, false).into()
}

/// A weight in the shape in which the chain takes it.
fn tensor(
    stream: &Stream,
    config: &Config,
    weights: &Weights,
    weight: Weight,
    shape: &[usize],
) -> Result<Tensor, Error> {
    let dtype = config.dtype.data_type();
    let halves = |values: &[u16]| upload(stream, dtype, shape, bytemuck::cast_slice(values));
    let len: usize = shape.iter().product();
    // Where the norm quantises by token, it works in fp16.
    let norm = |norm: &Norm, part: fn(&Norm) -> &Vec<u16>| match config.quant_mode {
        QuantMode::PerToken => {
            let values: Vec<u16> =
                part(norm).iter().map(|bits| from_f32(to_f32(*bits, config.dtype), Dtype::Fp16)).collect();
            upload(stream, Dtype::Fp16.data_type(), shape, bytemuck::cast_slice(&values))
        }
        QuantMode::PerTensor => halves(part(norm)),
    };
    let input_norm = || weights.input_norm.as_ref().ok_or_else(|| absent(weight));
    let scales = || weights.cache_scales.as_ref().ok_or_else(|| absent(weight));
    let quant = |projection: &Projection| match &projection.input {
        // Repeated, where there is no norm and each column has its own.
        ActivationQuant::PerTensor { scale, .. } => halves(&vec![*scale; len]),
        ActivationQuant::PerToken => Err(absent(weight)),
    };
    let offset = |projection: &Projection| match &projection.input {
        ActivationQuant::PerTensor { offset, .. } => {
            Ok(stream.tensor_from(&vec![*offset; len], Format::Nd, shape)?)
        }
        ActivationQuant::PerToken => Err(absent(weight)),
    };
    let bias = |projection: &Projection| match &projection.input {
        ActivationQuant::PerTensor { bias, .. } => Ok(stream.tensor_from(bias, Format::Nd, shape)?),
        ActivationQuant::PerToken => Err(absent(weight)),
    };
    match weight {
        Weight::Gamma0 => norm(input_norm()?, |norm| &norm.gamma),
        Weight::Beta0 => norm(input_norm()?, |norm| &norm.beta),
        Weight::QuantScale0 => quant(&weights.down),
        Weight::QuantOffset0 => offset(&weights.down),
        Weight::Wdqkv => Ok(stream.tensor_from(&weights.down.weight, Format::Nd, shape)?),
        Weight::Bias0 => bias(&weights.down),
        Weight::DeScale0 => descale_tensor(stream, config, &weights.down.descale),
        Weight::Gamma1 => norm(&weights.q_norm, |norm| &norm.gamma),
        Weight::Beta1 => norm(&weights.q_norm, |norm| &norm.beta),
        Weight::QuantScale1 => quant(&weights.up),
        Weight::QuantOffset1 => offset(&weights.up),
        Weight::Wuq => Ok(stream.tensor_from(&weights.up.weight, Format::Nd, shape)?),
        Weight::Bias1 => bias(&weights.up),
        Weight::DeScale1 => descale_tensor(stream, config, &weights.up.descale),
        Weight::Wuk => halves(&weights.wuk),
        Weight::Gamma2 => halves(&weights.kv_gamma),
        Weight::CtkvScale => halves(&vec![scales()?.ctkv_scale; len]),
        Weight::QNopeScale => halves(&reciprocals(scales()?, config)),
        Weight::CtkvOffset | Weight::QNopeOffset => {
            Ok(stream.tensor_from(&vec![0i8; len], Format::Nd, shape)?)
        }
    }
}

/// What the query is divided by, for each of its columns: the published operator multiplies by its scale.
fn reciprocals(scales: &CacheScales, config: &Config) -> Vec<u16> {
    let reciprocal = |bits: &u16| from_f32(1.0 / to_f32(*bits, config.dtype), config.dtype);
    let of_heads = scales.q_nope_scale.iter().map(reciprocal);
    of_heads.flat_map(|bits| std::iter::repeat_n(bits, config.kv_lora_rank)).collect()
}
