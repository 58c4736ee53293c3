//! A call of the operation, as tests make it.
#![allow(dead_code, reason = "no test file uses everything")]

use ascendcl::{Runtime, Stream};
use mlapo::call::Values;
use mlapo::{
    Backend, CacheMode, Config, Input, Mlapo, Output, PagedCache, SampleInputs, SlotMapping, Weights,
};

pub const MODES: [CacheMode; 4] =
    [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];

pub fn stream() -> Stream {
    Runtime::with_backend(ascendcl::Backend::Sim).unwrap().device(0).unwrap().stream().unwrap()
}

/// Everything that a call takes, and where it writes.
pub struct Call {
    pub operation: Mlapo,
    pub hidden: ascendcl::Tensor,
    pub cos: ascendcl::Tensor,
    pub sin: ascendcl::Tensor,
    pub slots: SlotMapping,
    pub cache: PagedCache,
    pub output: Output,
}

impl Call {
    pub fn new(stream: &Stream, config: &Config, backend: Backend, slots: &[i32], block_size: usize) -> Self {
        Self::with_weights(stream, config, &Weights::random(config, 4), backend, slots, block_size)
    }

    pub fn with_weights(
        stream: &Stream,
        config: &Config,
        weights: &Weights,
        backend: Backend,
        slots: &[i32],
        block_size: usize,
    ) -> Self {
        let tokens = slots.len();
        let sample = SampleInputs::random(config, tokens, 9);
        let rows =
            |values, width| Values::Half(values).upload(stream, config.dtype, &[tokens, width]).unwrap();
        let operation = Mlapo::new(stream, config.clone(), weights, backend).unwrap();
        let blocks = (slots.iter().copied().max().unwrap_or(0).max(0) as usize) / block_size + 2;
        Self {
            hidden: rows(sample.hidden, config.hidden_size),
            cos: rows(sample.cos, config.qk_rope_head_dim),
            sin: rows(sample.sin, config.qk_rope_head_dim),
            slots: SlotMapping::new(stream, slots).unwrap(),
            cache: PagedCache::new(stream, config, blocks, block_size).unwrap(),
            output: operation.output(stream, tokens).unwrap(),
            operation,
        }
    }

    pub fn forward(&mut self, stream: &Stream) {
        let Self { operation, hidden, cos, sin, slots, cache, output } = self;
        operation.forward(stream, &Input { hidden, cos, sin, slot_mapping: slots }, cache, output).unwrap();
    }

    /// All that a call writes: the query, then the whole caches.
    pub fn results(&self, stream: &Stream) -> Vec<Values> {
        let tensors = [
            Some(&self.output.q_out0),
            self.output.q_out1.as_ref(),
            Some(self.cache.kv_cache()),
            self.cache.kv_cache_rope(),
        ];
        tensors.into_iter().flatten().map(|tensor| Values::download(stream, tensor).unwrap()).collect()
    }
}

/// What a call with random weights writes.
pub fn results(config: &Config, backend: Backend, slots: &[i32], block_size: usize) -> Vec<Values> {
    results_with(config, &Weights::random(config, 4), backend, slots, block_size)
}

/// What a call writes.
pub fn results_with(
    config: &Config,
    weights: &Weights,
    backend: Backend,
    slots: &[i32],
    block_size: usize,
) -> Vec<Values> {
    let stream = stream();
    let mut call = Call::with_weights(&stream, config, weights, backend, slots, block_size);
    assert_eq!(call.operation.backend(), backend);
    call.forward(&stream);
    call.results(&stream)
}
