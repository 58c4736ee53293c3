//! The host's processors behind the same stream interface as a kernel.
//!
//! A call is: copies of the inputs to pinned memory, a host function that computes, copies of the results to the
//! outputs and to the slots of the cache; all queued on the stream, which keeps them in order.

use std::sync::Arc;

use ascendcl::{PinnedBuffer, PinnedSlice, Pitch, Stream, Tensor};
use parking_lot::Mutex;

use super::{Input, Output};
use crate::backend::Backend;
use crate::cache::PagedCache;
use crate::call::{Elements, Inputs, Outputs};
use crate::config::{CacheMode, Config};
use crate::error::Error;
use crate::host::HostKernel;
use crate::layout::CacheLayout;
use crate::reference::{self, Order};
use crate::slots::SlotMapping;
use crate::weights::Weights;

/// Bytes of a 16-bit value.
const HALF: usize = 2;

pub(super) struct HostBackend {
    compute: Arc<Mutex<Compute>>,
    staging: Option<Staging>,
}

/// What runs in the host function.
enum Compute {
    Fast(Box<HostKernel>),
    Reference { config: Config, weights: Box<Weights>, order: Order },
}

/// Pinned memory for one call's inputs and results.
struct Staging {
    /// Tokens that fit.
    tokens: usize,
    hidden: PinnedBuffer<u8>,
    cos: PinnedBuffer<u8>,
    sin: PinnedBuffer<u8>,
    q_out0: PinnedBuffer<u8>,
    q_out1: PinnedBuffer<u8>,
    kv_rows0: PinnedBuffer<u8>,
    kv_rows1: PinnedBuffer<u8>,
}

/// Bytes of one token in each of the staging buffers.
#[derive(Clone, Copy)]
struct Widths {
    hidden: usize,
    rope: usize,
    q_out0: usize,
    q_out1: usize,
    kv_rows0: usize,
    kv_rows1: usize,
}

impl Widths {
    fn new(config: &Config) -> Self {
        let (latent, rope) = (config.kv_lora_rank, HALF * config.qk_rope_head_dim);
        let (first, second) = match config.cache_mode {
            CacheMode::Combined => (HALF * config.kv_width(), 0),
            CacheMode::SplitNzInt8 => (latent, rope),
            CacheMode::Split | CacheMode::SplitNz => (HALF * latent, rope),
        };
        Self {
            hidden: HALF * config.hidden_size,
            rope,
            q_out0: config.num_heads * first,
            q_out1: config.num_heads * second,
            kv_rows0: first,
            kv_rows1: second,
        }
    }
}

impl Staging {
    fn new(stream: &Stream, widths: &Widths, tokens: usize) -> Result<Self, Error> {
        let buffer = |width: usize| Ok::<_, Error>(stream.alloc_pinned::<u8>(width.saturating_mul(tokens))?);
        Ok(Self {
            tokens,
            hidden: buffer(widths.hidden)?,
            cos: buffer(widths.rope)?,
            sin: buffer(widths.rope)?,
            q_out0: buffer(widths.q_out0)?,
            q_out1: buffer(widths.q_out1)?,
            kv_rows0: buffer(widths.kv_rows0)?,
            kv_rows1: buffer(widths.kv_rows1)?,
        })
    }
}

impl HostBackend {
    pub(super) fn new(config: &Config, weights: &Weights, backend: Backend) -> Result<Self, Error> {
        let compute = match backend {
            Backend::Reference(order) => {
                weights.check(config)?;
                Compute::Reference { config: config.clone(), weights: Box::new(weights.clone()), order }
            }
            _ => Compute::Fast(Box::new(HostKernel::new(config, weights)?)),
        };
        Ok(Self { compute: Arc::new(Mutex::new(compute)), staging: None })
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
        let widths = Widths::new(config);
        let staging = match self.staging.take() {
            // Pinned memory knows which streams work on it, so calls on several streams take turns.
            Some(staging) if staging.tokens >= tokens => self.staging.insert(staging),
            _ => self.staging.insert(Staging::new(stream, &widths, tokens)?),
        };
        let Staging { hidden, cos, sin, q_out0, q_out1, kv_rows0, kv_rows1, .. } = staging;
        stream.download_pinned(input.hidden.buffer(), hidden.slice_mut(..tokens * widths.hidden)?)?;
        stream.download_pinned(input.cos.buffer(), cos.slice_mut(..tokens * widths.rope)?)?;
        stream.download_pinned(input.sin.buffer(), sin.slice_mut(..tokens * widths.rope)?)?;

        let compute = Arc::clone(&self.compute);
        stream.host_function_on([hidden, cos, sin, q_out0, q_out1, kv_rows0, kv_rows1], move |buffers| {
            compute.lock().run(tokens, &widths, buffers);
        })?;

        stream.upload_pinned(q_out0.slice(..tokens * widths.q_out0)?, output.q_out0.buffer_mut())?;
        if let Some(tensor) = &mut output.q_out1 {
            stream.upload_pinned(q_out1.slice(..tokens * widths.q_out1)?, tensor.buffer_mut())?;
        }
        let (layout, tensor) = &mut cache.latent;
        scatter(stream, kv_rows0, widths.kv_rows0, input.slot_mapping, layout, tensor)?;
        if let Some((layout, tensor)) = &mut cache.rotary {
            scatter(stream, kv_rows1, widths.kv_rows1, input.slot_mapping, layout, tensor)?;
        }
        Ok(())
    }
}

/// Queues copies of token rows to their slots: whole runs of slots in ND, the pieces of a row in FRACTAL_NZ.
fn scatter(
    stream: &Stream,
    rows: &PinnedBuffer<u8>,
    row_bytes: usize,
    slots: &SlotMapping,
    layout: &CacheLayout,
    tensor: &mut Tensor,
) -> Result<(), Error> {
    let size = tensor.desc().dtype().size();
    let pieces = layout.width() / layout.run_len();
    let source = |token: usize, len: usize| -> Result<PinnedSlice<'_, u8>, Error> {
        Ok(rows.slice(token * row_bytes..(token + len) * row_bytes)?)
    };
    for (token, slot, len) in slots.runs() {
        if pieces == 1 {
            let start = layout.offset(slot, 0) * size;
            let to = tensor.buffer_mut().slice_mut(start..start + len * row_bytes)?;
            stream.upload_pinned(source(token, len)?, to)?;
            continue;
        }
        for index in 0..len {
            let start = layout.offset(slot + index, 0) * size;
            let width = layout.run_len() * size;
            let pitch = Pitch { width, rows: pieces, from: width, to: layout.block_size() * width };
            let to = tensor.buffer_mut().slice_mut(start..)?;
            stream.upload_rows(source(token + index, 1)?, to, pitch)?;
        }
    }
    Ok(())
}

impl Compute {
    /// Runs on a stream's host thread.
    fn run(&mut self, tokens: usize, widths: &Widths, buffers: [&mut [u8]; 7]) {
        let [hidden, cos, sin, q_out0, q_out1, kv_rows0, kv_rows1] = buffers;
        let inputs = Inputs {
            tokens,
            hidden: halves(&hidden[..tokens * widths.hidden]),
            cos: halves(&cos[..tokens * widths.rope]),
            sin: halves(&sin[..tokens * widths.rope]),
        };
        let config = match self {
            Self::Fast(kernel) => kernel.config(),
            Self::Reference { config, .. } => config,
        };
        let int8 = config.cache_mode == CacheMode::SplitNzInt8;
        let elements = |bytes| match int8 {
            true => Elements::Int8(bytemuck::cast_slice_mut(bytes)),
            false => Elements::Half(bytemuck::cast_slice_mut(bytes)),
        };
        let split = config.cache_mode != CacheMode::Combined;
        let mut outputs = Outputs {
            q_out0: elements(&mut q_out0[..tokens * widths.q_out0]),
            q_out1: split.then(|| bytemuck::cast_slice_mut(&mut q_out1[..tokens * widths.q_out1])),
            kv_rows0: elements(&mut kv_rows0[..tokens * widths.kv_rows0]),
            kv_rows1: split.then(|| bytemuck::cast_slice_mut(&mut kv_rows1[..tokens * widths.kv_rows1])),
        };
        let result = match self {
            Self::Fast(kernel) => kernel.run(&inputs, &mut outputs),
            Self::Reference { config, weights, order } => {
                reference::run(config, weights, &inputs, &mut outputs, *order, None)
            }
        };
        if let Err(error) = result {
            // Everything was checked before the call was queued, so this is a fault of ours; the stream reports it to
            // whoever waits for the results.
            panic!("the host backend refused a call that was checked: {error}");
        }
    }
}

/// Pinned memory is aligned to 64 bytes, so the cast cannot fail.
fn halves(bytes: &[u8]) -> &[u16] {
    bytemuck::cast_slice(bytes)
}

impl std::fmt::Debug for HostBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tokens = self.staging.as_ref().map_or(0, |staging| staging.tokens);
        f.debug_struct("HostBackend").field("staged_tokens", &tokens).finish_non_exhaustive()
    }
}
