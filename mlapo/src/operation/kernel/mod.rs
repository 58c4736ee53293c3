//! The fused kernel: one launch on the AI cores.

mod binary;
mod raw;

use ascendcl::{DeviceBuffer, Kernel, Module, Stream, Workspace};
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
    prepared: Prepared,
    weights: DeviceWeights,
    workspace: Workspace,
}

/// What of the weights is in the tiling.
#[derive(Clone, Copy)]
struct Prepared {
    /// Scale and zero point of the hidden state and of the query latent.
    quant: [(f32, i8); 2],
    /// Scale of an int8 latent in the cache.
    ctkv_scale: f32,
    /// Whether the key up-projection is FRACTAL_NZ.
    wuk_nz: bool,
    /// Whether the cube cores' way out keeps every dequantization scale as it is.
    short_scales: bool,
}

/// The weights as the kernel reads them; what a mode does not use is not there.
struct DeviceWeights {
    gamma0: Option<DeviceBuffer<u16>>,
    beta0: Option<DeviceBuffer<u16>>,
    /// FRACTAL_NZ, like `wuq`.
    wdqkv: DeviceBuffer<i8>,
    /// Floats, or 64-bit words with their bits where the cube cores dequantize; like `descale1`.
    descale0: DeviceBuffer<u8>,
    bias0: Option<DeviceBuffer<i32>>,
    gamma1: DeviceBuffer<u16>,
    beta1: DeviceBuffer<u16>,
    wuq: DeviceBuffer<i8>,
    descale1: DeviceBuffer<u8>,
    bias1: Option<DeviceBuffer<i32>>,
    gamma2: DeviceBuffer<u16>,
    wuk: DeviceBuffer<u16>,
    q_nope_scale: Option<DeviceBuffer<f32>>,
}

/// Whether the kernel takes a configuration.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let prepared = Prepared { quant: [(1.0, 0); 2], ctkv_scale: 1.0, wuk_nz: true, short_scales: true };
    Tiling::plan(&shape(config, 1, 1, &prepared), 1).map_err(not_for_the_kernel)?;
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

fn shape(config: &Config, tokens: usize, block_size: usize, prepared: &Prepared) -> Shape {
    let Prepared { quant, ctkv_scale, wuk_nz, short_scales } = *prepared;
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
        short_scales,
        block_size,
        epsilon: config.epsilon,
        quant,
        ctkv_scale,
    }
}

/// Whether the scales are among those that the way out of the cube cores keeps: it drops the lower 13 bits.
fn are_short(scales: &[f32]) -> bool {
    scales.iter().all(|scale| scale.to_bits() & 0x1fff == 0)
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
        let cube_cores = device.properties()?.ai_cores;
        let kernel = Module::from_bytes(device, binary::object(device)?)?.kernel(mlapo_kernel::KERNEL)?;
        let quant = [&weights.down, &weights.up].map(|projection| match projection.input {
            ActivationQuant::PerTensor { scale, offset, .. } => (to_f32(scale, config.dtype), offset),
            ActivationQuant::PerToken => (1.0, 0),
        });
        let prepared = Prepared {
            quant,
            ctkv_scale: weights
                .cache_scales
                .as_ref()
                .map_or(1.0, |scales| to_f32(scales.ctkv_scale, config.dtype)),
            wuk_nz,
            short_scales: [&weights.down, &weights.up]
                .iter()
                .all(|projection| are_short(&projection.descale)),
        };
        let tiling = Tiling::plan(&shape(config, 1, 1, &prepared), cube_cores).map_err(not_for_the_kernel)?;
        let words = tiling.fused_dequant != 0;
        Ok(Self {
            kernel,
            cube_cores,
            prepared,
            weights: DeviceWeights::new(stream, config, weights, wuk_nz, words)?,
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
}

impl DeviceWeights {
    fn new(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        wuk_nz: bool,
        words: bool,
    ) -> Result<Self, Error> {
        let norm = |part: fn(&Norm) -> &Vec<u16>| {
            weights.input_norm.as_ref().map(|norm| stream.alloc_from(part(norm))).transpose()
        };
        let bias = |projection: &Projection| match &projection.input {
            ActivationQuant::PerTensor { bias, .. } => stream.alloc_from(bias).map(Some),
            ActivationQuant::PerToken => Ok(None),
        };
        let descale = |projection: &Projection| {
            if words {
                let words: Vec<u64> = projection.descale.iter().map(|scale| scale.to_bits().into()).collect();
                stream.alloc_from(bytemuck::cast_slice::<u64, u8>(&words))
            } else {
                stream.alloc_from(bytemuck::cast_slice::<f32, u8>(&projection.descale))
            }
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
            descale0: descale(&weights.down)?,
            bias0: bias(&weights.down)?,
            gamma1: stream.alloc_from(&weights.q_norm.gamma)?,
            beta1: stream.alloc_from(&weights.q_norm.beta)?,
            wuq: stream.alloc_from(&wuq)?,
            descale1: descale(&weights.up)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::call::Values;
    use crate::operation::{Implementation, Mlapo};
    use crate::sample::SampleInputs;
    use crate::slots::SlotMapping;

    #[test]
    fn the_storage_of_the_key_up_projection_does_not_matter() {
        let runtime = ascendcl::Runtime::with_backend(ascendcl::Backend::Sim).unwrap();
        let stream = runtime.device(0).unwrap().stream().unwrap();
        for dtype in [Dtype::Bf16, Dtype::Fp16] {
            let config =
                Config::builder().hidden_size(256).q_lora_rank(64).num_heads(3).dtype(dtype).build().unwrap();
            let weights = Weights::random(&config, 1);
            let sample = SampleInputs::random(&config, 5, 2);
            let rows = |values: &[u16], width| {
                Values::Half(values.to_vec()).upload(&stream, dtype, &[5, width]).unwrap()
            };
            let (hidden, cos, sin) =
                (rows(&sample.hidden, 256), rows(&sample.cos, 64), rows(&sample.sin, 64));
            let slots = SlotMapping::new(&stream, &[4, 3, 2, 1, 0]).unwrap();
            let query = |wuk_nz| {
                let kernel = KernelBackend::new(&stream, &config, &weights, wuk_nz).unwrap();
                let mut operation = Mlapo {
                    config: config.clone(),
                    backend: Backend::Kernel,
                    implementation: Implementation::Kernel(kernel),
                };
                let mut cache = PagedCache::new(&stream, &config, 1, 5).unwrap();
                let mut output = operation.output(&stream, 5).unwrap();
                let input = Input { hidden: &hidden, cos: &cos, sin: &sin, slot_mapping: &slots };
                operation.forward(&stream, &input, &mut cache, &mut output).unwrap();
                Values::download(&stream, &output.q_out0).unwrap()
            };
            assert!(query(true) == query(false));
        }
    }

    #[test]
    fn short_scales_of_fp16_are_for_the_cube_cores() {
        let runtime = ascendcl::Runtime::with_backend(ascendcl::Backend::Sim).unwrap();
        let stream = runtime.device(0).unwrap().stream().unwrap();
        let bytes_of_a_scale = |dtype, short| {
            let config =
                Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).dtype(dtype).build().unwrap();
            let mut weights = Weights::random(&config, 1);
            if short {
                weights.down.descale.fill(0.25);
                weights.up.descale.fill(0.5);
            } else {
                weights.up.descale[3] = f32::from_bits(0.5f32.to_bits() + 1);
            }
            let kernel = KernelBackend::new(&stream, &config, &weights, true).unwrap();
            kernel.weights.descale0.len() / config.down_rows()
        };
        assert_eq!(bytes_of_a_scale(Dtype::Fp16, true), 8);
        assert_eq!(bytes_of_a_scale(Dtype::Fp16, false), 4);
        assert_eq!(bytes_of_a_scale(Dtype::Bf16, true), 4);
    }

    #[test]
    fn what_the_kernel_does_not_take_is_refused_or_left_to_the_host() {
        let config = Config::builder().hidden_size(64).qk_rope_head_dim(256).num_heads(1).build().unwrap();
        let message = check(&config).unwrap_err().to_string();
        assert!(message.contains("qk_rope_head_dim") && message.contains("host"), "{message}");
        assert_eq!(Backend::Auto.resolve(&config), Backend::Host);
        let config = Config::builder().build().unwrap();
        assert_eq!(Backend::Auto.resolve(&config), Backend::Kernel);
    }
}
