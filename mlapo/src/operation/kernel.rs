//! The fused kernel: one launch on the AI cores.

use ascendcl::{
    DeviceAttribute, DeviceBuffer, DeviceSlice, Element, Kernel, KernelArg, KernelArgs, Module, Stream,
    Workspace,
};
use mlapo_kernel::{Shape, Tiling, TilingError};

use super::{Input, Output};
use crate::cache::PagedCache;
use crate::config::{Config, Dtype, QuantMode};
use crate::error::{ConfigError, Error};
use crate::numeric::to_f32;
use crate::weights::{ActivationQuant, Norm, Projection, Weights};

pub(super) struct KernelBackend {
    kernel: Kernel,
    cube_cores: usize,
    /// Scale and zero point of the hidden state and of the query latent, and the scale of an int8 latent.
    quant: [(f32, i8); 2],
    ctkv_scale: f32,
    /// Whether the key up-projection is FRACTAL_NZ.
    wuk_nz: bool,
    weights: DeviceWeights,
    workspace: Workspace,
}

/// The weights as the kernel reads them; what a mode does not use is not there.
struct DeviceWeights {
    gamma0: Option<DeviceBuffer<u16>>,
    beta0: Option<DeviceBuffer<u16>>,
    /// FRACTAL_NZ, like `wuq`.
    wdqkv: DeviceBuffer<i8>,
    descale0: DeviceBuffer<f32>,
    bias0: Option<DeviceBuffer<i32>>,
    gamma1: DeviceBuffer<u16>,
    beta1: DeviceBuffer<u16>,
    wuq: DeviceBuffer<i8>,
    descale1: DeviceBuffer<f32>,
    bias1: Option<DeviceBuffer<i32>>,
    gamma2: DeviceBuffer<u16>,
    wuk: DeviceBuffer<u16>,
    q_nope_scale: Option<DeviceBuffer<f32>>,
}

/// [`Tiling`] as an argument of a launch.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct TilingArg(Tiling);

// SAFETY: `Tiling` is `bytemuck::Pod`, so it has no padding, and the kernel's header declares the same structure.
unsafe impl KernelArg for TilingArg {}

/// Whether the kernel takes a configuration.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let shape = shape(config, 1, 1, [(1.0, 0); 2], 1.0, true);
    Tiling::plan(&shape, 1).map_err(not_for_the_kernel)?;
    Ok(())
}

fn not_for_the_kernel(error: TilingError) -> Error {
    let TilingError { field, expected, got } = error;
    ConfigError {
        field,
        expected: format!("{expected} for the backend kernel (host takes it)"),
        got: got.to_string(),
    }
    .into()
}

fn shape(
    config: &Config,
    tokens: usize,
    block_size: usize,
    quant: [(f32, i8); 2],
    ctkv_scale: f32,
    wuk_nz: bool,
) -> Shape {
    Shape {
        tokens,
        hidden_size: config.hidden_size,
        q_lora_rank: config.q_lora_rank,
        kv_lora_rank: config.kv_lora_rank,
        qk_rope_head_dim: config.qk_rope_head_dim,
        qk_nope_head_dim: config.qk_nope_head_dim,
        num_heads: config.num_heads,
        bf16: config.dtype == Dtype::Bf16,
        cache_mode: config.cache_mode.number(),
        per_token: config.quant_mode == QuantMode::PerToken,
        input_norm: config.input_norm,
        wuk_nz,
        block_size,
        epsilon: config.epsilon,
        quant,
        ctkv_scale,
    }
}

impl KernelBackend {
    /// Loads the kernel and the weights on the stream's device. The key up-projection is kept in FRACTAL_NZ or in ND.
    pub(super) fn new(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        wuk_nz: bool,
    ) -> Result<Self, Error> {
        weights.check(config)?;
        check(config)?;
        let device = stream.device();
        let cube_cores = device.attribute(DeviceAttribute::CubeCores)?;
        let kernel =
            Module::from_bytes(device, mlapo_kernel::SIMULATOR_OBJECT)?.kernel(mlapo_kernel::KERNEL)?;
        let quant = [&weights.down, &weights.up].map(|projection| match projection.input {
            ActivationQuant::PerTensor { scale, offset, .. } => (to_f32(scale, config.dtype), offset),
            ActivationQuant::PerToken => (1.0, 0),
        });
        let scales = weights.cache_scales.as_ref();
        Ok(Self {
            kernel,
            cube_cores: usize::try_from(cube_cores).unwrap_or(0),
            quant,
            ctkv_scale: scales.map_or(1.0, |scales| to_f32(scales.ctkv_scale, config.dtype)),
            wuk_nz,
            weights: DeviceWeights::new(stream, config, weights, wuk_nz)?,
            workspace: Workspace::default(),
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
        let mut first = 0;
        while first < tokens {
            let count = (tokens - first).min(Tiling::LARGEST_TOKENS);
            self.launch(stream, config, first, count, input, cache, output)?;
            first += count;
        }
        Ok(())
    }

    /// One launch: the token rows `first .. first + count`.
    #[expect(clippy::too_many_arguments, reason = "a call's arguments, and which rows of them")]
    fn launch(
        &mut self,
        stream: &Stream,
        config: &Config,
        first: usize,
        count: usize,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        let block_size = cache.layout().block_size();
        let shape = shape(config, count, block_size, self.quant, self.ctkv_scale, self.wuk_nz);
        let tiling = Tiling::plan(&shape, self.cube_cores).map_err(not_for_the_kernel)?;
        let workspace = self.workspace.reserve(stream, tiling.workspace_bytes as usize)?;
        let weights = &self.weights;
        // Each token has as many bytes of a tensor as all tokens have, divided by their number.
        let rows = |tensor: &ascendcl::Tensor| {
            let row = tensor.buffer().len() / input.slot_mapping.slots().len().max(1);
            first * row..(first + count) * row
        };
        let q_out0 = rows(&output.q_out0);
        let q_out1 = output.q_out1.as_ref().map(&rows);
        let slots = input.slot_mapping.tensor();
        let arguments = KernelArgs::new()
            .read(input.hidden.buffer().slice(rows(input.hidden))?)
            .optional(weights.gamma0.as_ref())
            .optional(weights.beta0.as_ref())
            .read(&weights.wdqkv)
            .read(&weights.descale0)
            .optional(weights.bias0.as_ref())
            .read(&weights.gamma1)
            .read(&weights.beta1)
            .read(&weights.wuq)
            .read(&weights.descale1)
            .optional(weights.bias1.as_ref())
            .read(&weights.gamma2)
            .read(input.cos.buffer().slice(rows(input.cos))?)
            .read(input.sin.buffer().slice(rows(input.sin))?)
            .read(&weights.wuk)
            .optional(weights.q_nope_scale.as_ref())
            .read(slots.buffer().slice(rows(slots))?)
            .write(cache.latent.1.buffer_mut());
        let arguments = match &mut cache.rotary {
            Some((_, tensor)) => arguments.write(tensor.buffer_mut()),
            None => arguments.address(0),
        };
        let arguments = arguments.write(output.q_out0.buffer_mut().slice_mut(q_out0)?);
        let arguments = match (&mut output.q_out1, q_out1) {
            (Some(tensor), Some(range)) => arguments.write(tensor.buffer_mut().slice_mut(range)?),
            _ => arguments.address(0),
        };
        let arguments = arguments.write(workspace).value(TilingArg(tiling));
        // SAFETY: the arguments are the kernel's, in its order. Every tensor has the shape of the configuration, which
        // was checked, and the tiling is of the same shape, so the kernel stays within them; slots are within the cache.
        unsafe { self.kernel.launch(stream, tiling.blocks, arguments) }?;
        Ok(())
    }
}

/// Arguments that a mode may lack.
trait Optional<'a> {
    /// The address of memory that is read, or null.
    fn optional<T: Element, M: Into<DeviceSlice<'a, T>>>(self, memory: Option<M>) -> Self;
}

impl<'a> Optional<'a> for KernelArgs<'a> {
    fn optional<T: Element, M: Into<DeviceSlice<'a, T>>>(self, memory: Option<M>) -> Self {
        match memory {
            Some(memory) => self.read(memory),
            None => self.address(0),
        }
    }
}

impl DeviceWeights {
    fn new(stream: &Stream, config: &Config, weights: &Weights, wuk_nz: bool) -> Result<Self, Error> {
        let norm = |part: fn(&Norm) -> &Vec<u16>| {
            weights.input_norm.as_ref().map(|norm| stream.alloc_from(part(norm))).transpose()
        };
        let bias = |projection: &Projection| match &projection.input {
            ActivationQuant::PerTensor { bias, .. } => stream.alloc_from(bias).map(Some),
            ActivationQuant::PerToken => Ok(None),
        };
        let nz = |name, projection: &Projection, rows, columns| {
            ascendcl::nd_to_nz(&projection.weight, 1, rows, columns)
                .map_err(|error| Error::from(crate::error::TensorError::shape(name, error)))
        };
        let wdqkv = nz("wdqkv", &weights.down, config.down_rows(), config.hidden_size)?;
        let wuq = nz("wuq", &weights.up, config.up_rows(), config.q_lora_rank)?;
        let wuk = if wuk_nz {
            stream.alloc_from(&weights.wuk_nz(config)?)?
        } else {
            stream.alloc_from(&weights.wuk)?
        };
        let q_nope_scale = weights.cache_scales.as_ref().map(|scales| {
            let scales: Vec<f32> =
                scales.q_nope_scale.iter().map(|bits| to_f32(*bits, config.dtype)).collect();
            stream.alloc_from(&scales)
        });
        Ok(Self {
            gamma0: norm(|norm| &norm.gamma)?,
            beta0: norm(|norm| &norm.beta)?,
            wdqkv: stream.alloc_from(&wdqkv)?,
            descale0: stream.alloc_from(&weights.down.descale)?,
            bias0: bias(&weights.down)?,
            gamma1: stream.alloc_from(&weights.q_norm.gamma)?,
            beta1: stream.alloc_from(&weights.q_norm.beta)?,
            wuq: stream.alloc_from(&wuq)?,
            descale1: stream.alloc_from(&weights.up.descale)?,
            bias1: bias(&weights.up)?,
            gamma2: stream.alloc_from(&weights.kv_gamma)?,
            wuk,
            q_nope_scale: q_nope_scale.transpose()?,
        })
    }
}

impl std::fmt::Debug for KernelBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelBackend")
            .field("kernel", &self.kernel)
            .field("cube_cores", &self.cube_cores)
            .field("workspace", &self.workspace.capacity())
            .finish_non_exhaustive()
    }
}
