//! A call of the operation as a program makes it: tensors on the device, a cache, outputs.

use ascendcl::{Stream, Tensor};
use mlapo::call::Values;
use mlapo::{Backend, Config, Input, Mlapo, PagedCache, SampleInputs, SlotMapping, Weights};

use crate::failure::Failure;

/// Inputs on the device.
pub struct Inputs {
    pub hidden: Tensor,
    pub cos: Tensor,
    pub sin: Tensor,
    pub slots: SlotMapping,
}

impl Inputs {
    /// Uploads a sample; token `i` goes to slot `i`.
    pub fn upload(stream: &Stream, config: &Config, sample: SampleInputs) -> Result<Self, Failure> {
        let tokens = sample.tokens;
        let rows = |values, width| Values::Half(values).upload(stream, config.dtype, &[tokens, width]);
        let slots: Vec<i32> = (0..).take(tokens).collect();
        Ok(Self {
            hidden: rows(sample.hidden, config.hidden_size)?,
            cos: rows(sample.cos, config.qk_rope_head_dim)?,
            sin: rows(sample.sin, config.qk_rope_head_dim)?,
            slots: SlotMapping::new(stream, &slots)?,
        })
    }

    fn as_input(&self) -> Input<'_> {
        Input { hidden: &self.hidden, cos: &self.cos, sin: &self.sin, slot_mapping: &self.slots }
    }
}

/// An operation with what it writes to.
pub struct Call {
    pub operation: Mlapo,
    cache: PagedCache,
    output: mlapo::Output,
}

impl Call {
    /// An operation, a cache for `tokens` tokens and outputs.
    pub fn new(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        backend: Backend,
        tokens: usize,
        block_size: usize,
    ) -> Result<Self, Failure> {
        let operation = Mlapo::new(stream, config.clone(), weights, backend)?;
        // One block stays empty, so that a stray write has somewhere to be seen.
        let blocks = tokens.div_ceil(block_size) + 1;
        let cache = PagedCache::new(stream, config, blocks, block_size)?;
        let output = operation.output(stream, tokens)?;
        Ok(Self { operation, cache, output })
    }

    /// Queues a call.
    pub fn forward(&mut self, stream: &Stream, inputs: &Inputs) -> Result<(), Failure> {
        Ok(self.operation.forward(stream, &inputs.as_input(), &mut self.cache, &mut self.output)?)
    }

    /// The tensors that it writes, by name.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let results = [
            ("q_out0", Some(&self.output.q_out0)),
            ("q_out1", self.output.q_out1.as_ref()),
            ("kv_cache", Some(self.cache.kv_cache())),
            ("kv_cache_rope", self.cache.kv_cache_rope()),
        ];
        results.into_iter().filter_map(|(name, tensor)| Some((name, tensor?)))
    }
}
