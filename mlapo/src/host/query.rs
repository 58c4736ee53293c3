//! The query half of the operation, head by head: up-projection, rotation, absorption of the key up-projection.

use super::divide::Divide;
use super::form::{Form, FormColumns};
use super::isa::MAX_BLOCK;
use super::plan::{Plan, StagedBlocks};
use super::projection::Staged;
use super::rows::{self, Rescale};
use super::tile::WIDTH;

/// A range of heads, with its columns of the queries and its scratch memory.
pub(super) struct Heads<'a> {
    pub(super) plan: &'a Plan,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) out: FormColumns<'a>,
    pub(super) scratch: &'a mut [f32],
}

impl Divide for Heads<'_> {
    fn units(&self) -> usize {
        self.count
    }

    fn halve(self) -> (Self, Self) {
        let count = self.count / 2;
        let config = &self.plan.config;
        let (left, right) = self.out.split_at(count, config.kv_lora_rank, config.qk_rope_head_dim);
        let (scratch, rest) = self.scratch.split_at_mut(count * self.plan.head_scratch());
        (
            Self { plan: self.plan, first: self.first, count, out: left, scratch },
            Self {
                plan: self.plan,
                first: self.first + count,
                count: self.count - count,
                out: right,
                scratch: rest,
            },
        )
    }
}

impl Heads<'_> {
    /// Computes the queries of these heads for all blocks.
    pub(super) fn compute(mut self, staged: &StagedBlocks<'_>, cos: &[f32], sin: &[f32]) {
        let plan = self.plan;
        for (head, scratch) in self.scratch.chunks_exact_mut(plan.head_scratch()).enumerate().take(self.count)
        {
            let (up, rotary) = scratch.split_at_mut(plan.config.qk_head_dim() * MAX_BLOCK);
            for (start, block) in staged.iter(plan.up.words()) {
                let up = &mut up[..plan.config.qk_head_dim() * block.tokens];
                project_up(plan, self.first + head, &block, up);
                let (nope, rope) = up.split_at(plan.config.qk_nope_head_dim * block.tokens);
                let place = Place { head, start, tokens: block.tokens };
                rotate(plan, place, rope, rotary, (cos, sin), &mut self.out);
                absorb(plan, self.first + head, place, nope, &mut self.out);
            }
        }
    }
}

/// Where a block's results of one head go.
#[derive(Clone, Copy)]
struct Place {
    /// Position of the head in the range of columns.
    head: usize,
    /// First token.
    start: usize,
    tokens: usize,
}

/// One head's up-projection of a block: `up` is `[qk_head_dim][token]`, as the absorption wants its operands.
fn project_up(plan: &Plan, head: usize, block: &Staged<'_>, up: &mut [f32]) {
    let panels = plan.config.qk_head_dim().div_ceil(WIDTH);
    let mut tile = [[0.0; WIDTH]; MAX_BLOCK];
    for (p, rows) in up.chunks_mut(WIDTH * block.tokens).enumerate() {
        plan.up.tile(head * panels + p, block, &mut tile);
        for (r, row) in rows.chunks_exact_mut(block.tokens).enumerate() {
            for (value, values) in row.iter_mut().zip(&tile) {
                *value = values[r];
            }
        }
    }
}

/// Rotates the rotary part `[qk_rope_head_dim][token]` of a block into the output.
fn rotate(
    plan: &Plan,
    place: Place,
    rope: &[f32],
    rows: &mut [f32],
    (cos, sin): (&[f32], &[f32]),
    out: &mut FormColumns<'_>,
) {
    let (latent, width) = (plan.config.kv_lora_rank, plan.config.qk_rope_head_dim);
    let (x, rotated) = rows.split_at_mut(width);
    for t in 0..place.tokens {
        for (x, values) in x.iter_mut().zip(rope.chunks_exact(place.tokens)) {
            *x = values[t];
        }
        let token = place.start + t;
        let [cos, sin] = [cos, sin].map(|all| &all[token * width..][..width]);
        rows::rotate(x, cos, sin, rotated);
        let row = match out {
            Form::Combined(out) => {
                let first = place.head * (latent + width) + latent;
                out.row(token, first..first + width)
            }
            Form::Split { rope, .. } | Form::Int8 { rope, .. } => {
                rope.row(token, place.head * width..(place.head + 1) * width)
            }
        };
        rows::narrow(plan.isa, plan.config.dtype, rotated, row);
    }
}

/// Multiplies the other part `[qk_nope_head_dim][token]` of a block by the head's keys into the output.
fn absorb(plan: &Plan, head: usize, place: Place, nope: &[f32], out: &mut FormColumns<'_>) {
    let (isa, dtype) = (plan.isa, plan.config.dtype);
    let (latent, rope) = (plan.config.kv_lora_rank, plan.config.qk_rope_head_dim);
    let mut tile = [[0.0; WIDTH]; MAX_BLOCK];
    for panel in 0..plan.keys.panels() {
        plan.keys.tile(head, panel, nope, place.tokens, &mut tile);
        let columns = |head_width: usize| {
            let first = place.head * head_width + panel * WIDTH;
            first..first + WIDTH
        };
        for (t, values) in tile.iter_mut().enumerate().take(place.tokens) {
            let token = place.start + t;
            match out {
                Form::Combined(out) => {
                    rows::narrow(isa, dtype, values, out.row(token, columns(latent + rope)));
                }
                Form::Split { latent: out, .. } => {
                    rows::narrow(isa, dtype, values, out.row(token, columns(latent)));
                }
                Form::Int8 { latent: out, .. } => {
                    rows::round(isa, dtype, values);
                    if let Some(cache) = &plan.cache {
                        let rescale = Rescale::Multiply(cache.query[head]);
                        rows::quantize(isa, values, rescale, 0.0, out.row(token, columns(latent)));
                    }
                }
            }
        }
    }
}
