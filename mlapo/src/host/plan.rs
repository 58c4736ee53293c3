//! Packed weights of one layer, and the parallel steps of a call over them.

use rayon::prelude::*;

use super::columns::ColumnsMut;
use super::divide::{Divide, in_pieces};
use super::form::{Form, FormColumns, FormRows};
use super::isa::{Isa, MAX_BLOCK};
use super::keys::Keys;
use super::projection::{QuantizedLinear, Staged};
use super::query::Heads;
use super::rows::{self, Rescale};
use super::scratch::{Blocks, Scratch};
use super::tile::WIDTH;
use crate::call::Inputs;
use crate::config::Config;
use crate::error::Error;
use crate::numeric::to_f32;
use crate::weights::Weights;

/// Scales of the int8 cache mode, as they are applied.
#[derive(Debug)]
pub(super) struct CacheQuant {
    /// Quantises the key latent.
    latent: Rescale,
    /// Factor of each head's query.
    pub(super) query: Vec<f32>,
}

/// Everything of a kernel that a call only reads.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) isa: Isa,
    pub(super) down: QuantizedLinear,
    pub(super) up: QuantizedLinear,
    pub(super) keys: Keys,
    kv_gamma: Vec<f32>,
    pub(super) cache: Option<CacheQuant>,
}

impl Plan {
    pub(super) fn new(isa: Isa, config: &Config, weights: &Weights) -> Result<Self, Error> {
        weights.check(config)?;
        let value = |bits: u16| to_f32(bits, config.dtype);
        let (nope, latent) = (config.qk_nope_head_dim, config.kv_lora_rank);
        let norm = weights.input_norm.as_ref();
        let (rows, head) = (config.down_rows(), config.qk_head_dim());
        Ok(Self {
            config: config.clone(),
            isa,
            down: QuantizedLinear::new(isa, config, norm, &weights.down, config.hidden_size, rows),
            up: QuantizedLinear::new(
                isa,
                config,
                Some(&weights.q_norm),
                &weights.up,
                config.q_lora_rank,
                head,
            ),
            keys: Keys::pack(isa, config.dtype, &weights.wuk, nope, latent),
            kv_gamma: weights.kv_gamma.iter().map(|b| value(*b)).collect(),
            cache: weights.cache_scales.as_ref().map(|scales| {
                let scale = value(scales.ctkv_scale);
                CacheQuant {
                    latent: if config.input_norm {
                        Rescale::Multiply(1.0 / scale)
                    } else {
                        Rescale::Divide(scale)
                    },
                    query: scales.q_nope_scale.iter().map(|b| value(*b)).collect(),
                }
            }),
        })
    }

    /// Width of a working row.
    pub(super) fn row_width(&self) -> usize {
        self.config.hidden_size.max(self.config.q_lora_rank)
    }

    /// Width of the down-projection's outputs in whole panels.
    pub(super) fn latents_width(&self) -> usize {
        self.down.panels() * WIDTH
    }

    /// Scratch values of one head.
    pub(super) fn head_scratch(&self) -> usize {
        self.config.qk_head_dim() * MAX_BLOCK + 2 * self.config.qk_rope_head_dim
    }

    /// Computes one chunk of tokens; `scratch` has room for them.
    pub(super) fn run(
        &self,
        scratch: &mut Scratch,
        inputs: &Inputs<'_>,
        queries: FormRows<'_>,
        keys: FormRows<'_>,
    ) {
        let n = inputs.tokens;
        let blocks = Blocks::new(self.isa, n);
        let c = &self.config;
        let cos = &mut scratch.cos[..n * c.qk_rope_head_dim];
        let sin = &mut scratch.sin[..n * c.qk_rope_head_dim];
        rows::widen(self.isa, c.dtype, inputs.cos, cos);
        rows::widen(self.isa, c.dtype, inputs.sin, sin);
        let (cos, sin) = (&*cos, &*sin);

        let down_words = &mut scratch.down_words[..n * self.down.words()];
        let down_scales = &mut scratch.down_scales[..n];
        let working = (&mut scratch.rows[..], &mut scratch.codes[..]);
        self.stage(&self.down, blocks, working, (down_words, down_scales), |token, row| {
            let hidden = &inputs.hidden[token * c.hidden_size..][..c.hidden_size];
            rows::widen(self.isa, c.dtype, hidden, row);
        });

        let width = self.latents_width();
        let latents = &mut scratch.latents[..n * width];
        let panels = Panels { first: 0, count: self.down.panels(), out: ColumnsMut::new(latents, width) };
        let staged = StagedBlocks { blocks, words: down_words, scales: down_scales };
        in_pieces(panels, &|panels| self.project_down(&staged, panels));
        let latents = &*latents;

        let up_words = &mut scratch.up_words[..n * self.up.words()];
        let up_scales = &mut scratch.up_scales[..n];
        let working = (&mut scratch.rows[..], &mut scratch.codes[..]);
        let first = c.kv_width();
        self.stage(&self.up, blocks, working, (up_words, up_scales), |token, row| {
            row.copy_from_slice(&latents[token * width + first..][..c.q_lora_rank]);
        });

        let heads = Heads {
            plan: self,
            first: 0,
            count: c.num_heads,
            out: FormColumns::new(queries, n),
            scratch: &mut scratch.heads,
        };
        let staged = StagedBlocks { blocks, words: up_words, scales: up_scales };
        let key = &mut scratch.key;
        rayon::join(
            || in_pieces(heads, &|heads| heads.compute(&staged, cos, sin)),
            || self.key_rows(latents, cos, sin, key, keys),
        );
    }

    /// Fills, normalises and quantises the rows of all blocks into a projection's operands and token scales.
    fn stage(
        &self,
        linear: &QuantizedLinear,
        blocks: Blocks,
        (rows, codes): (&mut [f32], &mut [i8]),
        (words, scales): (&mut [u32], &mut [f32]),
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let columns = linear.columns();
        let width = self.row_width();
        let block = (rows.par_chunks_mut(width), codes.par_chunks_mut(width));
        let staged = (words.par_chunks_mut(blocks.size * linear.words()), scales.par_chunks_mut(blocks.size));
        staged.into_par_iter().zip(block).enumerate().for_each(|(b, ((words, scales), (row, codes)))| {
            let (row, codes) = (&mut row[..columns], &mut codes[..columns]);
            let tokens = scales.len();
            for (t, scale) in scales.iter_mut().enumerate() {
                fill(b * blocks.size + t, row);
                *scale = linear.stage(row, codes, t, tokens, words);
            }
        });
    }

    fn project_down(&self, staged: &StagedBlocks<'_>, mut panels: Panels<'_>) {
        let mut tile = [[0.0; WIDTH]; MAX_BLOCK];
        for panel in 0..panels.count {
            for (start, staged) in staged.iter(self.down.words()) {
                self.down.tile(panels.first + panel, &staged, &mut tile);
                for (t, values) in tile.iter().enumerate().take(staged.tokens) {
                    panels.out.row(start + t, panel * WIDTH..(panel + 1) * WIDTH).copy_from_slice(values);
                }
            }
        }
    }

    /// RMSNorm of the key latents, rotation of the rotary keys, and their quantisation where the cache is int8.
    fn key_rows(&self, latents: &[f32], cos: &[f32], sin: &[f32], row: &mut [f32], mut out: FormRows<'_>) {
        let (latent, rope) = (self.config.kv_lora_rank, self.config.qk_rope_head_dim);
        let (isa, dtype) = (self.isa, self.config.dtype);
        let rotations = cos.chunks_exact(rope).zip(sin.chunks_exact(rope));
        for (t, (source, (cos, sin))) in latents.chunks_exact(self.latents_width()).zip(rotations).enumerate()
        {
            let values = &mut row[..latent];
            values.copy_from_slice(&source[..latent]);
            let rms = rows::rms(isa, values, self.config.epsilon);
            rows::norm_latent(isa, values, rms, &self.kv_gamma);
            let rotary = match &mut out {
                Form::Combined(out) => {
                    let (kept, rotary) = out[t * (latent + rope)..][..latent + rope].split_at_mut(latent);
                    rows::narrow(isa, dtype, values, kept);
                    rotary
                }
                Form::Split { latent: out, rope: rotary } => {
                    rows::narrow(isa, dtype, values, &mut out[t * latent..][..latent]);
                    &mut rotary[t * rope..][..rope]
                }
                Form::Int8 { latent: out, rope: rotary } => {
                    if let Some(cache) = &self.cache {
                        rows::quantize(isa, values, cache.latent, 0.0, &mut out[t * latent..][..latent]);
                    }
                    &mut rotary[t * rope..][..rope]
                }
            };
            let values = &mut row[..rope];
            rows::rotate(&source[latent..latent + rope], cos, sin, values);
            rows::narrow(isa, dtype, values, rotary);
        }
    }
}

/// Quantised operands of all blocks of a chunk.
#[derive(Debug)]
pub(super) struct StagedBlocks<'a> {
    blocks: Blocks,
    words: &'a [u32],
    scales: &'a [f32],
}

impl StagedBlocks<'_> {
    /// First token and operands of every block, for a projection with `words` words for a token.
    pub(super) fn iter(&self, words: usize) -> impl Iterator<Item = (usize, Staged<'_>)> {
        self.blocks.iter().map(move |(start, tokens)| {
            let words = &self.words[start * words..][..tokens * words];
            (start, Staged { tokens, words, scales: &self.scales[start..][..tokens] })
        })
    }
}

/// A range of the down-projection's panels, with its columns of the outputs.
struct Panels<'a> {
    first: usize,
    count: usize,
    out: ColumnsMut<'a, f32>,
}

impl Divide for Panels<'_> {
    fn units(&self) -> usize {
        self.count
    }

    fn halve(self) -> (Self, Self) {
        let count = self.count / 2;
        let (left, right) = self.out.split_at(count * WIDTH);
        (
            Self { first: self.first, count, out: left },
            Self { first: self.first + count, count: self.count - count, out: right },
        )
    }
}
