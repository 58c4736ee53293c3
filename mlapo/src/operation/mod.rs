//! The operation as a user calls it: tensors on a device, work on a stream.

mod atb;
mod host;
mod kernel;
mod unfused;

use ascendcl::{DataType, Format, Stream, Tensor, TensorDesc};

use crate::backend::Backend;
use crate::cache::{PagedCache, check_desc};
use crate::config::{CacheMode, Config};
use crate::error::{Error, TensorError};
use crate::reference::check_slots;
use crate::slots::SlotMapping;
use crate::weights::Weights;
use atb::AtbBackend;
use host::HostBackend;
use kernel::KernelBackend;
use unfused::UnfusedBackend;
pub use unfused::{LaunchTraffic, fused_traffic, unfused_traffic};

/// One layer's operation, ready to be called.
///
/// ```
/// use mlapo::{Backend, CacheMode, Config, Input, Mlapo, PagedCache, SlotMapping, Weights};
/// use ascendcl::{Format, Runtime};
/// use half::bf16;
///
/// let stream = Runtime::new()?.device(0)?.stream()?;
/// let config = Config::deepseek_v3().hidden_size(256).num_heads(2).build()?;
/// let weights = Weights::random(&config, 1);
/// let mut operation = Mlapo::new(&stream, config.clone(), &weights, Backend::Auto)?;
///
/// let tokens = 3;
/// let hidden = stream.tensor_from(&vec![bf16::ONE; tokens * 256], Format::Nd, &[tokens, 256])?;
/// let cos = stream.tensor_from(&vec![bf16::ONE; tokens * 64], Format::Nd, &[tokens, 64])?;
/// let sin = stream.tensor_from(&vec![bf16::ZERO; tokens * 64], Format::Nd, &[tokens, 64])?;
/// let slots = SlotMapping::new(&stream, &[0, 1, -1])?; // the last token is not cached
/// let mut cache = PagedCache::new(&stream, &config, 4, 128)?;
/// let mut output = operation.output(&stream, tokens)?;
///
/// let input = Input { hidden: &hidden, cos: &cos, sin: &sin, slot_mapping: &slots };
/// operation.forward(&stream, &input, &mut cache, &mut output)?; // queued on the stream
/// let query = stream.tensor_to_vec::<bf16>(&output.q_out0)?; // waits for it
/// assert_eq!(query.len(), tokens * 2 * 512);
/// # Ok::<(), mlapo::Error>(())
/// ```
#[derive(Debug)]
pub struct Mlapo {
    config: Config,
    backend: Backend,
    implementation: Implementation,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each operation")]
enum Implementation {
    Kernel(KernelBackend),
    Atb(AtbBackend),
    Unfused(UnfusedBackend),
    Host(HostBackend),
}

/// Whether a backend takes a configuration.
pub(crate) fn check(backend: Backend, config: &Config) -> Result<(), Error> {
    match backend {
        Backend::Kernel => kernel::check(config),
        Backend::Atb => {
            let others = || match kernel::check(config) {
                Ok(()) => "kernel, unfused and host",
                Err(_) => "unfused and host",
            };
            Ok(atb::check(config, others)?)
        }
        Backend::Auto | Backend::Unfused(_) | Backend::Host | Backend::Reference(_) => Ok(()),
    }
}

/// Inputs of a call, on the operation's device.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Hidden state `[tokens, hidden_size]`, of the configuration's dtype, ND.
    pub hidden: &'a Tensor,
    /// Cosines `[tokens, qk_rope_head_dim]` in half layout (each half repeated), same dtype, ND.
    pub cos: &'a Tensor,
    /// Sines, like the cosines.
    pub sin: &'a Tensor,
    /// Slot of each token.
    pub slot_mapping: &'a SlotMapping,
}

/// The query that a call computes.
#[derive(Debug)]
pub struct Output {
    /// `[tokens, num_heads, kv_lora_rank + qk_rope_head_dim]` in [`CacheMode::Combined`], otherwise
    /// `[tokens, num_heads, kv_lora_rank]`; int8 in [`CacheMode::SplitNzInt8`], otherwise of the configuration's dtype.
    pub q_out0: Tensor,
    /// `[tokens, num_heads, qk_rope_head_dim]`; absent in [`CacheMode::Combined`].
    pub q_out1: Option<Tensor>,
}

impl Mlapo {
    /// Checks the weights against the configuration and prepares them for the backend, once, on the device of the stream.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first weight that does not fit, [`Error::Config`] with a dimension that the backend does
    /// not take, [`Error::NoKernel`] if the kernel was not built for the device, [`Error::Device`] if the kernel or the
    /// weights cannot be loaded.
    pub fn new(stream: &Stream, config: Config, weights: &Weights, backend: Backend) -> Result<Self, Error> {
        let backend = backend.resolve_on(stream.device().runtime().backend(), &config)?;
        let implementation = match backend {
            // FRACTAL_NZ comes to the cube cores in long runs.
            Backend::Kernel => Implementation::Kernel(KernelBackend::new(stream, &config, weights, true)?),
            Backend::Atb => {
                backend.check(&config)?;
                Implementation::Atb(AtbBackend::new(stream, &config, weights)?)
            }
            Backend::Unfused(launches) => {
                Implementation::Unfused(UnfusedBackend::new(stream, &config, weights, launches)?)
            }
            _ => Implementation::Host(HostBackend::new(&config, weights, backend)?),
        };
        Ok(Self { config, backend, implementation })
    }

    /// What the operation was asked to do.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The implementation that computes.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Output tensors for `tokens` tokens, contents unspecified.
    ///
    /// # Errors
    /// [`Error::Device`] from the allocation.
    pub fn output(&self, stream: &Stream, tokens: usize) -> Result<Output, Error> {
        let (q_out0, q_out1) = self.output_descs(tokens)?;
        Ok(Output {
            q_out0: stream.tensor(q_out0)?,
            q_out1: q_out1.map(|desc| stream.tensor(desc)).transpose()?,
        })
    }

    /// Queues one call on the stream: the query goes to `output`, the rows of latent and rotary key to their slots of
    /// `cache`. Any number of tokens; of several tokens with the same slot the last one is kept.
    ///
    /// Everything is checked first: when an error is returned for an input, nothing was queued.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first tensor whose dtype, format, rank or shape does not fit, [`Error::Slot`] with the
    /// first slot outside the cache, [`Error::Device`] for tensors of another device, from the stream, or during a capture
    /// unless the backend is the kernel (host code cannot be replayed, and ATB's context keeps what its launches need).
    /// [`Error::Atb`] for what ATB refuses.
    pub fn forward(
        &mut self,
        stream: &Stream,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        let tokens = self.check(stream, input, cache, output)?;
        if tokens == 0 {
            return Ok(());
        }
        match &mut self.implementation {
            Implementation::Kernel(kernel) => {
                kernel.forward(stream, &self.config, tokens, input, cache, output)
            }
            Implementation::Atb(atb) => {
                stream.check_not_capturing("Mlapo::forward")?;
                atb.forward(stream, &self.config, tokens, input, cache, output)
            }
            Implementation::Unfused(chain) => {
                stream.check_not_capturing("Mlapo::forward")?;
                chain.forward(stream, &self.config, tokens, input, cache, output)
            }
            Implementation::Host(host) => {
                stream.check_not_capturing("Mlapo::forward")?;
                host.forward(stream, &self.config, tokens, input, cache, output)
            }
        }
    }

    /// Descriptions of the outputs.
    fn output_descs(&self, tokens: usize) -> Result<(TensorDesc, Option<TensorDesc>), Error> {
        let Config { num_heads, kv_lora_rank, qk_rope_head_dim, cache_mode, dtype, .. } = self.config;
        let dtype = dtype.data_type();
        let desc = |dtype, width| TensorDesc::new(dtype, Format::Nd, &[tokens, num_heads, width]);
        Ok(match cache_mode {
            CacheMode::Combined => (desc(dtype, self.config.kv_width())?, None),
            CacheMode::SplitNzInt8 => {
                (desc(DataType::Int8, kv_lora_rank)?, Some(desc(dtype, qk_rope_head_dim)?))
            }
            CacheMode::Split | CacheMode::SplitNz => {
                (desc(dtype, kv_lora_rank)?, Some(desc(dtype, qk_rope_head_dim)?))
            }
        })
    }

    /// Checks everything that a call is given; answers with the number of tokens.
    fn check(
        &self,
        stream: &Stream,
        input: &Input<'_>,
        cache: &PagedCache,
        output: &Output,
    ) -> Result<usize, Error> {
        let config = &self.config;
        let dtype = config.dtype.data_type();
        // The hidden state says how many tokens there are; what is wrong with it is found below.
        let tokens = input.hidden.desc().shape().first().copied().unwrap_or(0);
        let nd = |width| TensorDesc::new(dtype, Format::Nd, &[tokens, width]);
        check_desc("input", &nd(config.hidden_size)?, input.hidden.desc())?;
        check_desc("cos", &nd(config.qk_rope_head_dim)?, input.cos.desc())?;
        check_desc("sin", &nd(config.qk_rope_head_dim)?, input.sin.desc())?;
        let slots = TensorDesc::new(DataType::Int32, Format::Nd, &[tokens])?;
        check_desc("slot_mapping", &slots, input.slot_mapping.tensor().desc())?;
        cache.check(config)?;
        check_slots(input.slot_mapping.slots(), cache.slots())?;
        let (q_out0, q_out1) = self.output_descs(tokens)?;
        check_desc("q_out0", &q_out0, output.q_out0.desc())?;
        match (&q_out1, &output.q_out1) {
            (Some(expected), Some(given)) => check_desc("q_out1", expected, given.desc())?,
            (None, None) => {}
            (expected, given) => {
                return Err(TensorError::presence("q_out1", expected.is_some(), given.is_some()).into());
            }
        }
        let tensors = [
            ("input", Some(input.hidden)),
            ("cos", Some(input.cos)),
            ("sin", Some(input.sin)),
            ("slot_mapping", Some(input.slot_mapping.tensor())),
            ("kv_cache", Some(cache.kv_cache())),
            ("kv_cache_rope", cache.kv_cache_rope()),
            ("q_out0", Some(&output.q_out0)),
            ("q_out1", output.q_out1.as_ref()),
        ];
        for (name, tensor) in tensors {
            let device = tensor.map(|tensor| tensor.buffer().device());
            if let Some(device) = device.filter(|device| *device != stream.device()) {
                return Err(TensorError {
                    tensor: name,
                    what: "device",
                    expected: format!("{:?}", stream.device()),
                    got: format!("{device:?}"),
                }
                .into());
            }
        }
        Ok(tokens)
    }
}
