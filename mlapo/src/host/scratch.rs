//! Memory that the calls of one kernel share, so that they allocate nothing.

use super::isa::Isa;
use super::plan::Plan;

/// Tokens that are computed at once; longer calls go in chunks, so scratch memory has a bound.
pub(super) const CHUNK: usize = 192;

/// How a chunk's tokens are cut into blocks of equal size (the last may be smaller).
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// Tokens in the chunk: at least one.
    pub(super) tokens: usize,
    /// Tokens in a block.
    pub(super) size: usize,
}

impl Blocks {
    pub(super) fn new(isa: Isa, tokens: usize) -> Self {
        let count = tokens.div_ceil(isa.block()).max(1);
        Self { tokens, size: tokens.div_ceil(count).max(1) }
    }

    /// First token and number of tokens of every block.
    pub(super) fn iter(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.tokens).step_by(self.size).map(move |start| (start, self.size.min(self.tokens - start)))
    }
}

/// Intermediate results of one chunk. Rows are tokens unless said.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    capacity: usize,
    /// One working row and its quantised form for each block.
    pub(super) rows: Vec<f32>,
    pub(super) codes: Vec<i8>,
    /// Operands and token scales of the down-projection.
    pub(super) down_words: Vec<u32>,
    pub(super) down_scales: Vec<f32>,
    /// The down-projection's outputs: latent, rotary key, query latent, and what fills up the last panel.
    pub(super) latents: Vec<f32>,
    /// Operands and token scales of the up-projection.
    pub(super) up_words: Vec<u32>,
    pub(super) up_scales: Vec<f32>,
    /// Rotations as f32.
    pub(super) cos: Vec<f32>,
    pub(super) sin: Vec<f32>,
    /// One working row of the keys.
    pub(super) key: Vec<f32>,
    /// For each head: its up-projected queries of one block, and two rotary rows.
    pub(super) heads: Vec<f32>,
}

impl Scratch {
    /// Makes room for calls of this many tokens.
    pub(super) fn reserve(&mut self, plan: &Plan, tokens: usize) {
        let tokens = tokens.min(CHUNK);
        if tokens <= self.capacity {
            return;
        }
        let rope = plan.config.qk_rope_head_dim;
        let blocks = tokens.div_ceil(plan.isa.block());
        self.rows.resize(blocks * plan.row_width(), 0.0);
        self.codes.resize(blocks * plan.row_width(), 0);
        self.down_words.resize(tokens * plan.down.words(), 0);
        self.down_scales.resize(tokens, 0.0);
        self.latents.resize(tokens * plan.latents_width(), 0.0);
        self.up_words.resize(tokens * plan.up.words(), 0);
        self.up_scales.resize(tokens, 0.0);
        self.cos.resize(tokens * rope, 0.0);
        self.sin.resize(tokens * rope, 0.0);
        self.key.resize(plan.config.kv_lora_rank.max(rope), 0.0);
        self.heads.resize(plan.config.num_heads * plan.head_scratch(), 0.0);
        self.capacity = tokens;
    }
}
