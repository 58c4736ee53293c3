//! Calls of the operation, and how their results are judged.

use std::sync::Arc;

use ascendcl::{Stream, Tensor};
use mlapo::call::Values;
use mlapo::fixture::{Yardstick, compare_values};
use mlapo::reference::Order;
use mlapo::{
    Backend, CacheMode, Config, Dtype, Error, Input, Mlapo, Output, PagedCache, QuantMode, SampleInputs,
    SlotMapping, Weights,
};

use crate::suite::Failure;

pub const CACHE_MODES: [CacheMode; 4] =
    [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];
pub const QUANT_MODES: [QuantMode; 2] = [QuantMode::PerTensor, QuantMode::PerToken];
pub const DTYPES: [Dtype; 2] = [Dtype::Bf16, Dtype::Fp16];

/// Rows of a cache block: what every implementation takes in every mode.
const BLOCK_SIZE: usize = 128;
/// Seed of weights.
pub const WEIGHTS: u64 = 1;
/// Seed of the weights with which [`Spoiler`] computes.
const OTHER_WEIGHTS: u64 = 2;
/// What an output is filled with before a call: not a number in either 16-bit type. Memory that is not filled may have the
/// right results of an earlier call, because the pool hands out the block that was given back last.
const UNWRITTEN: u8 = 0xff;

type Forward =
    dyn Fn(&mut Mlapo, &Stream, &Input<'_>, &mut PagedCache, &mut Output) -> Result<(), Error> + Send + Sync;

/// How a call of what is under test is queued: by [`Mlapo::forward`], unless a test of the suite plants something else.
#[derive(Clone)]
pub struct Launch(Arc<Forward>);

impl Default for Launch {
    fn default() -> Self {
        Self(Arc::new(Mlapo::forward))
    }
}

#[cfg(test)]
impl Launch {
    pub fn planted(
        forward: impl Fn(&mut Mlapo, &Stream, &Input<'_>, &mut PagedCache, &mut Output) -> Result<(), Error>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(forward))
    }
}

/// What a call writes, by tensor.
pub type Results = Vec<(&'static str, Values)>;

/// Everything that a call takes besides the operation, and where it writes.
pub struct Tensors {
    hidden: Tensor,
    cos: Tensor,
    sin: Tensor,
    slots: SlotMapping,
    cache: PagedCache,
    output: Output,
}

impl Tensors {
    /// Random inputs for the tokens that `slots` has a place for.
    pub fn new(stream: &Stream, operation: &Mlapo, slots: &[i32]) -> Result<Self, Error> {
        let (config, tokens) = (operation.config(), slots.len());
        let sample = SampleInputs::random(config, tokens, tokens as u64);
        let rows = |values, width| Values::Half(values).upload(stream, config.dtype, &[tokens, width]);
        let mut output = operation.output(stream, tokens)?;
        clear(stream, &mut output)?;
        let last = slots.iter().copied().max().unwrap_or(0).max(0) as usize;
        Ok(Self {
            hidden: rows(sample.hidden, config.hidden_size)?,
            cos: rows(sample.cos, config.qk_rope_head_dim)?,
            sin: rows(sample.sin, config.qk_rope_head_dim)?,
            slots: SlotMapping::new(stream, slots)?,
            // One block stays empty, so that a stray write has somewhere to be seen.
            cache: PagedCache::new(stream, config, last / BLOCK_SIZE + 2, BLOCK_SIZE)?,
            output,
        })
    }

    /// Queues a call.
    pub fn forward(&mut self, stream: &Stream, operation: &mut Mlapo, launch: &Launch) -> Result<(), Error> {
        let Self { hidden, cos, sin, slots, cache, output } = self;
        launch.0(operation, stream, &Input { hidden, cos, sin, slot_mapping: slots }, cache, output)
    }

    /// Whether every element of the query was written, when it is there: in the 16-bit types none is what it was filled with.
    pub fn are_written(&self, stream: &Stream) -> Result<bool, Error> {
        let unwritten = u16::from_ne_bytes([UNWRITTEN; 2]);
        for tensor in [Some(&self.output.q_out0), self.output.q_out1.as_ref()].into_iter().flatten() {
            if matches!(Values::download(stream, tensor)?, Values::Half(values) if values.contains(&unwritten))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The query and the whole caches, when they are there.
    pub fn results(&self, stream: &Stream) -> Result<Results, Error> {
        let tensors = [
            ("q_out0", Some(&self.output.q_out0)),
            ("q_out1", self.output.q_out1.as_ref()),
            ("kv_cache", Some(self.cache.kv_cache())),
            ("kv_cache_rope", self.cache.kv_cache_rope()),
        ];
        let there = tensors.into_iter().filter_map(|(name, tensor)| Some((name, tensor?)));
        there.map(|(name, tensor)| Ok((name, Values::download(stream, tensor)?))).collect()
    }
}

/// Leaves nothing of an earlier call in an output.
fn clear(stream: &Stream, output: &mut Output) -> Result<(), Error> {
    for tensor in [Some(&mut output.q_out0), output.q_out1.as_mut()].into_iter().flatten() {
        stream.fill_bytes(tensor.buffer_mut(), UNWRITTEN)?;
    }
    Ok(())
}

/// Overwrites what a call has written, so that the next one has to write it again.
pub struct Spoiler(Mlapo);

impl Spoiler {
    pub fn new(stream: &Stream, config: &Config) -> Result<Self, Error> {
        let weights = Weights::random(config, OTHER_WEIGHTS);
        Mlapo::new(stream, config.clone(), &weights, Backend::Host).map(Self)
    }

    /// Queues it: other rows where the rows of the cache are, computed on the host from other weights, and no query.
    pub fn spoil(&mut self, stream: &Stream, tensors: &mut Tensors) -> Result<(), Error> {
        tensors.forward(stream, &mut self.0, &Launch::default())?;
        clear(stream, &mut tensors.output)
    }
}

/// What one call writes.
pub fn compute(
    stream: &Stream,
    config: &Config,
    backend: Backend,
    slots: &[i32],
    launch: &Launch,
) -> Result<Results, Error> {
    let mut operation = Mlapo::new(stream, config.clone(), &Weights::random(config, WEIGHTS), backend)?;
    let mut tensors = Tensors::new(stream, &operation, slots)?;
    tensors.forward(stream, &mut operation, launch)?;
    tensors.results(stream)
}

/// Slots for tokens: with one that is skipped, from the third token on, in an order that is not that of the tokens.
pub fn slots(tokens: usize) -> Vec<i32> {
    let slot = |token: usize| if token == 1 { -1 } else { (tokens - token) as i32 * 3 };
    (0..tokens).map(slot).collect()
}

/// What the reference computes: in the device's order of rounding, and how far the goldens' order is from it.
pub struct Expected {
    results: Results,
    yardsticks: Vec<Yardstick>,
}

impl Expected {
    pub fn new(stream: &Stream, config: &Config, slots: &[i32]) -> Result<Self, Error> {
        let [kernel, golden] = [Order::Kernel, Order::Golden]
            .map(|order| compute(stream, config, Backend::Reference(order), slots, &Launch::default()));
        let (results, golden) = (kernel?, golden?);
        let pairs = golden.iter().zip(&results);
        let yardsticks = pairs.map(|((_, a), (_, b))| Yardstick::between(a, b, config.dtype)).collect();
        Ok(Self { results, yardsticks })
    }

    /// Judges what was computed by the reference.
    pub fn judge(&self, config: &Config, computed: &Results) -> Result<String, Failure> {
        self.compare(config, &self.results, computed)
    }

    /// Judges results by each other: the largest differences, or what does not agree.
    pub fn compare(&self, config: &Config, first: &Results, second: &Results) -> Result<String, Failure> {
        if first.len() != self.results.len() || second.len() != first.len() {
            return Err(format!(
                "{} and {} tensors instead of {}",
                first.len(),
                second.len(),
                self.results.len()
            )
            .into());
        }
        let mut notes = Vec::new();
        let mut wrong = Vec::new();
        for (((name, a), (_, b)), yardstick) in first.iter().zip(second).zip(&self.yardsticks) {
            let report = compare_values(name, a, b, config.dtype, *yardstick);
            notes.push(format!("{name} {:.2e}", report.max_error));
            if !report.pass {
                let (largest, differ) = (report.max_error, 100.0 * report.mismatch);
                wrong.push(format!(
                    "{name}: largest difference {largest:e}, {differ:.3} % differ; {}",
                    report.detail
                ));
            }
        }
        if wrong.is_empty() {
            Ok(format!("largest differences: {}", notes.join(", ")))
        } else {
            Err(wrong.join("\n").into())
        }
    }
}
