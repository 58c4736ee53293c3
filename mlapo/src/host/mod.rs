//! The operation on the host's processors, fast: packed weights, SIMD chosen at run time, all cores.
//!
//! Computes what [`reference`](crate::reference) computes in the device's order of rounding. Three passes over
//! packed weights make up a call (down-projection; then for each head up-projection and key absorption, together), and
//! decode is bound by reading them: a block of up to 12 tokens shares each pass, and further blocks find a panel of
//! weights in the cache.
//!
//! A result depends neither on the number of threads nor on the instruction set nor on the other tokens of the call:
//! integer sums are exact, and floating-point sums have a fixed order. (One exception for the instruction set: a
//! product of two bf16 numbers below 2^-126 is rounded before it is added where there is no fused multiply-add.)

mod columns;
mod divide;
mod form;
mod int8;
mod isa;
mod keys;
mod plan;
mod projection;
mod query;
mod rows;
mod scratch;
mod simd;
#[cfg(test)]
mod tests;
mod tile;

use std::fmt;

use crate::call::{self, Inputs, Outputs};
use crate::config::{CacheMode, Config};
use crate::error::Error;
use crate::weights::Weights;
use isa::Isa;
use plan::Plan;
use scratch::{CHUNK, Scratch};

/// One layer's operation, ready to run on the host.
pub struct HostKernel {
    plan: Plan,
    scratch: Scratch,
}

impl HostKernel {
    /// Checks the weights against the configuration and packs them for this processor, on the current rayon pool.
    ///
    /// The packed weights are a copy: int8 weights stay int8 and 16-bit ones 16-bit, so it is as large as `weights`.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first tensor that does not fit.
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, Error> {
        Self::with_isa(Isa::best(), config, weights)
    }

    fn with_isa(isa: Isa, config: &Config, weights: &Weights) -> Result<Self, Error> {
        Ok(Self { plan: Plan::new(isa, config, weights)?, scratch: Scratch::default() })
    }

    /// The configuration that the kernel was made for.
    pub fn config(&self) -> &Config {
        &self.plan.config
    }

    /// Allocates what calls of up to `tokens` tokens need, so that [`run`](Self::run) does not.
    ///
    /// Longer calls are computed in chunks, so the memory has a bound.
    pub fn reserve(&mut self, tokens: usize) {
        self.scratch.reserve(&self.plan, tokens);
    }

    /// Computes one call on the current rayon pool and returns when it is done.
    ///
    /// Allocates nothing once [`reserve`](Self::reserve) or an earlier call made room for as many tokens. (Called from
    /// a thread outside the pool, handing the work over costs rayon a small allocation every few dozen calls.)
    ///
    /// NaN and infinities go where the arithmetic takes them; a NaN quantises to 0.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first input or output that does not fit; nothing is written then.
    pub fn run(&mut self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), Error> {
        let Self { plan, scratch } = self;
        call::check(&plan.config, inputs, outputs)?;
        let tokens = inputs.tokens;
        scratch.reserve(plan, tokens);
        let combined = plan.config.cache_mode == CacheMode::Combined;
        // One hand-over to the pool for the whole call.
        rayon::scope(|_| {
            for start in (0..tokens).step_by(CHUNK) {
                let count = CHUNK.min(tokens - start);
                let part = |all: &'_ [u16]| {
                    let width = all.len() / tokens;
                    start * width..(start + count) * width
                };
                let part = Inputs {
                    tokens: count,
                    hidden: &inputs.hidden[part(inputs.hidden)],
                    cos: &inputs.cos[part(inputs.cos)],
                    sin: &inputs.sin[part(inputs.sin)],
                };
                let (queries, keys) = form::chunk(combined, outputs, tokens, start, count);
                plan.run(scratch, &part, queries, keys);
            }
        });
        Ok(())
    }
}

impl fmt::Debug for HostKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKernel")
            .field("config", &self.plan.config)
            .field("isa", &self.plan.isa)
            .finish_non_exhaustive()
    }
}
