//! ATB's MlaPreprocess: the vendor's fused operator, in one launch.
//!
//! It has more limits than our kernel, which [`check`] and the call check before ATB is asked (operator contract, sections 1
//! and 2): what it would refuse with a code or, worse, not notice, is refused here by the name of the field or tensor.

mod raw;

use std::ops::Range;

use ascendcl::{Format, Stream, Tensor, TensorDesc, Workspace};
use atb::param::{CacheMode as AtbCacheMode, MlaPreprocess, MlaQuantMode};
use atb::{Operation, VariantPack, View, ViewMut};

use super::{Input, Output};
use crate::cache::PagedCache;
use crate::config::{CacheMode, Config, Dtype, QuantMode};
use crate::error::{ConfigError, Error, TensorError};
use crate::values::upload;
use crate::weights::{ActivationQuant, Norm, Projection, Weights};

/// Hidden size of ATB's own kernel; others go through aclnnMlaPreprocess.
const HIDDEN_SIZE: usize = 7168;
/// Hidden sizes that aclnnMlaPreprocess takes.
const ACLNN_HIDDEN_SIZES: Range<usize> = 2048..8193;
/// Epsilon of ATB's own kernel, whatever the parameter says.
const EPSILON: f32 = 1e-6;
/// The most tokens of one launch.
const TOKENS: usize = 1024;

pub(super) struct AtbBackend {
    operation: Operation<MlaPreprocess>,
    context: atb::Context,
    weights: DeviceWeights,
    workspace: Workspace,
}

/// Whether ATB takes a configuration; `others` says which backends do if it does not.
pub(super) fn check(config: &Config, others: impl Fn() -> &'static str) -> Result<(), ConfigError> {
    let refuse = |field, expected: String, got: String| {
        Err(ConfigError {
            field,
            expected: format!("{expected} for the backend atb ({} take it)", others()),
            got,
        })
    };
    let fixed = [
        ("q_lora_rank", config.q_lora_rank, 1536),
        ("kv_lora_rank", config.kv_lora_rank, 512),
        ("qk_rope_head_dim", config.qk_rope_head_dim, 64),
        ("qk_nope_head_dim", config.qk_nope_head_dim, 128),
    ];
    for (field, got, expected) in fixed {
        if got != expected {
            return refuse(field, expected.to_string(), got.to_string());
        }
    }
    if !config.input_norm {
        return refuse("input_norm", "true".into(), "false".into());
    }
    let own_kernel = config.hidden_size == HIDDEN_SIZE;
    if !own_kernel
        && (config.quant_mode == QuantMode::PerToken || !ACLNN_HIDDEN_SIZES.contains(&config.hidden_size))
    {
        let expected = match config.quant_mode {
            QuantMode::PerTensor => format!("{HIDDEN_SIZE}, or from 2048 to 8192"),
            QuantMode::PerToken => format!("{HIDDEN_SIZE} if quant_mode is PerToken"),
        };
        return refuse("hidden_size", expected, config.hidden_size.to_string());
    }
    if own_kernel && config.epsilon != EPSILON {
        return refuse(
            "epsilon",
            format!("{EPSILON}, which its kernel has built in,"),
            config.epsilon.to_string(),
        );
    }
    let int8_per_token =
        config.cache_mode == CacheMode::SplitNzInt8 && config.quant_mode == QuantMode::PerToken;
    if int8_per_token && config.dtype == Dtype::Bf16 {
        // Its table of types wants float16 scales there, which its kernel then reads as bfloat16.
        return refuse("quant_mode", "PerTensor for bf16 with an int8 cache".into(), "PerToken".into());
    }
    Ok(())
}

/// Whether ATB takes a cache of this block size.
fn check_block_size(config: &Config, block_size: usize) -> Result<(), TensorError> {
    let (fits, expected) = match config.cache_mode.is_nz() {
        true => (block_size == 128, "128"),
        false => (block_size <= 128 || block_size == 256, "from 1 to 128, or 256,"),
    };
    if fits {
        return Ok(());
    }
    Err(TensorError {
        tensor: "kv_cache",
        what: "block size",
        expected: format!("{expected} for the backend atb (kernel and host take it)"),
        got: block_size.to_string(),
    })
}

/// The parameter of the operator. What it has no use for keeps its default.
fn parameter(config: &Config) -> MlaPreprocess {
    MlaPreprocess {
        epsilon: config.epsilon,
        cache_mode: match config.cache_mode {
            CacheMode::Combined => AtbCacheMode::Kvcache,
            CacheMode::Split => AtbCacheMode::KropeCtkv,
            CacheMode::SplitNzInt8 => AtbCacheMode::Int8Nzcache,
            CacheMode::SplitNz => AtbCacheMode::Nzcache,
        },
        quant_mode: match config.quant_mode {
            QuantMode::PerTensor => MlaQuantMode::PerTensorQuantAsymm,
            QuantMode::PerToken => MlaQuantMode::PerTokenQuantSymm,
        },
        ..MlaPreprocess::default()
    }
}

/// The weights as the operator takes them; what a mode does not use is not there.
struct DeviceWeights {
    gamma0: Tensor,
    beta0: Tensor,
    down: DeviceProjection,
    gamma1: Tensor,
    beta1: Tensor,
    up: DeviceProjection,
    gamma2: Tensor,
    wuk: Tensor,
    ctkv_scale: Option<Tensor>,
    q_nope_scale: Option<Tensor>,
}

/// One projection with the quantisation of its input.
struct DeviceProjection {
    quant: Option<[Tensor; 2]>,
    weight: Tensor,
    descale: Tensor,
    bias: Option<Tensor>,
}

impl DeviceProjection {
    fn new(
        stream: &Stream,
        config: &Config,
        projection: &Projection,
        rows: usize,
        columns: usize,
    ) -> Result<Self, Error> {
        let Projection { weight, descale, input } = projection;
        let (quant, bias) = match input {
            ActivationQuant::PerTensor { scale, offset, bias } => (
                Some([
                    upload(stream, config.dtype.data_type(), &[1], bytemuck::bytes_of(scale))?,
                    stream.tensor_from(&[*offset], Format::Nd, &[1])?,
                ]),
                Some(stream.tensor_from(bias, Format::Nd, &[rows])?),
            ),
            ActivationQuant::PerToken => (None, None),
        };
        Ok(Self {
            quant,
            weight: stream.tensor_from(weight, Format::FractalNz, &[rows, columns])?,
            descale: descale_tensor(stream, config, descale)?,
            bias,
        })
    }
}

/// Scales of a projection's sums: floats, or in fp16 with static scales their bits as 64-bit words, for the cube cores' way
/// out, which drops the lower 13 of the 24 bits of the significand.
pub(super) fn descale_tensor(stream: &Stream, config: &Config, descale: &[f32]) -> Result<Tensor, Error> {
    Ok(if config.dtype == Dtype::Fp16 && config.quant_mode == QuantMode::PerTensor {
        let words: Vec<i64> = descale.iter().map(|scale| scale.to_bits().into()).collect();
        stream.tensor_from(&words, Format::Nd, &[descale.len()])?
    } else {
        stream.tensor_from(descale, Format::Nd, &[descale.len()])?
    })
}

impl DeviceWeights {
    fn new(stream: &Stream, config: &Config, weights: &Weights) -> Result<Self, Error> {
        let dtype = config.dtype.data_type();
        let halves =
            |shape: &[usize], values: &[u16]| upload(stream, dtype, shape, bytemuck::cast_slice(values));
        let row = |values: &[u16]| halves(&[values.len()], values);
        let Some(Norm { gamma, beta }) = &weights.input_norm else {
            return Err(TensorError::presence("gamma0", true, false).into());
        };
        let key_shape = [config.num_heads, config.qk_nope_head_dim, config.kv_lora_rank];
        let mut wuk = stream.tensor(TensorDesc::new(dtype, Format::FractalNz, &key_shape)?)?;
        stream.upload(bytemuck::cast_slice(&weights.wuk_nz(config)?), wuk.buffer_mut())?;
        let scales = weights.cache_scales.as_ref();
        Ok(Self {
            gamma0: row(gamma)?,
            beta0: row(beta)?,
            down: DeviceProjection::new(
                stream,
                config,
                &weights.down,
                config.down_rows(),
                config.hidden_size,
            )?,
            gamma1: row(&weights.q_norm.gamma)?,
            beta1: row(&weights.q_norm.beta)?,
            up: DeviceProjection::new(stream, config, &weights.up, config.up_rows(), config.q_lora_rank)?,
            gamma2: row(&weights.kv_gamma)?,
            wuk,
            ctkv_scale: scales.map(|scales| halves(&[1], &[scales.ctkv_scale])).transpose()?,
            q_nope_scale: scales.map(|scales| row(&scales.q_nope_scale)).transpose()?,
        })
    }

    fn of_projection<'a>(pack: VariantPack<'a>, projection: &'a DeviceProjection) -> VariantPack<'a> {
        let pack = given(pack, Some(&projection.weight));
        let pack = given(pack, Some(&projection.descale));
        given(pack, projection.bias.as_ref())
    }

    fn of_norm<'a>(
        pack: VariantPack<'a>,
        gamma: &'a Tensor,
        beta: &'a Tensor,
        projection: &'a DeviceProjection,
    ) -> VariantPack<'a> {
        let [scale, offset] = match &projection.quant {
            Some([scale, offset]) => [Some(scale), Some(offset)],
            None => [None, None],
        };
        [Some(gamma), Some(beta), scale, offset].into_iter().fold(pack, given)
    }
}

/// A whole tensor as the next input, or none.
fn given<'a>(pack: VariantPack<'a>, tensor: Option<&'a Tensor>) -> VariantPack<'a> {
    match tensor {
        Some(tensor) => pack.input(View::of(tensor)),
        None => pack.input_none(),
    }
}

impl AtbBackend {
    pub(super) fn new(stream: &Stream, config: &Config, weights: &Weights) -> Result<Self, Error> {
        weights.check(config)?;
        Ok(Self {
            operation: Operation::new(stream.device().runtime(), parameter(config))?,
            context: atb::Context::new(stream)?,
            weights: DeviceWeights::new(stream, config, weights)?,
            workspace: Workspace::default(),
        })
    }

    /// Queues one call whose arguments are checked: a launch for every 1024 tokens.
    pub(super) fn forward(
        &mut self,
        stream: &Stream,
        config: &Config,
        tokens: usize,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        check_block_size(config, cache.layout().block_size())?;
        for first in (0..tokens).step_by(TOKENS) {
            let rows = first..tokens.min(first + TOKENS);
            self.launch(stream, config, rows, input, cache, output)?;
        }
        Ok(())
    }
}

/// The 24 inputs in the operator's order, and its 2 or 4 outputs.
fn pack<'a>(
    config: &Config,
    weights: &'a DeviceWeights,
    rows: Range<usize>,
    input: &Input<'a>,
    cache: &'a mut PagedCache,
    output: &'a mut Output,
) -> Result<VariantPack<'a>, Error> {
    let format = if config.cache_mode.is_nz() { Format::FractalNz } else { Format::Nd };
    let of_rows = |tensor: &'a Tensor| View::of(tensor).slice(rows.clone());
    let pack = VariantPack::new().input(of_rows(input.hidden)?);
    let pack = DeviceWeights::of_norm(pack, &weights.gamma0, &weights.beta0, &weights.down);
    let pack = DeviceWeights::of_projection(pack, &weights.down);
    let pack = DeviceWeights::of_norm(pack, &weights.gamma1, &weights.beta1, &weights.up);
    let pack = DeviceWeights::of_projection(pack, &weights.up);
    let pack = given(pack, Some(&weights.gamma2)).input(of_rows(input.cos)?).input(of_rows(input.sin)?);
    let pack = given(pack, Some(&weights.wuk));
    let pack = pack.updated(ViewMut::of(&mut cache.latent.1).with_format(format)?);
    let pack = match &mut cache.rotary {
        Some((_, tensor)) => pack.updated(ViewMut::of(tensor).with_format(format)?),
        None => pack.input_none(),
    };
    let pack = pack.input(of_rows(input.slot_mapping.tensor())?);
    let pack = given(pack, weights.ctkv_scale.as_ref());
    let pack = given(pack, weights.q_nope_scale.as_ref());
    let pack = pack.output(ViewMut::of(&mut output.q_out0).slice(rows.clone())?).output_updated(KV_CACHE);
    Ok(match &mut output.q_out1 {
        Some(tensor) => pack.output(ViewMut::of(tensor).slice(rows)?).output_updated(KV_CACHE_ROPE),
        None => pack,
    })
}

/// Indices of the caches among the inputs.
const KV_CACHE: usize = 19;
const KV_CACHE_ROPE: usize = 20;

impl std::fmt::Debug for AtbBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AtbBackend")
            .field("context", &self.context)
            .field("workspace", &self.workspace.capacity())
            .finish_non_exhaustive()
    }
}
