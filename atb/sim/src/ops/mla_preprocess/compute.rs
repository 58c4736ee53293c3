//! The arithmetic of MlaPreprocess, put together from that of the small operations, in the order of ATB's kernels
//! (`mla_preprocess_mix.cce` for fp16 with quantisation per tensor, `mla_preprocess_mix_bf16.cce` for everything else).
//!
//! * The hidden state is normalised and quantised in f32 ([`rms_norm::scaled`], [`quantize`]), so is the query latent.
//! * Products of int8 are exact; the bias is added in int32. The sum becomes f32, is multiplied by the scale of its column, then per
//!   token by the row's, and is rounded once. The cube cores dequantise fp16 per tensor themselves, with the scales that
//!   their output stage keeps ([`quantize::fixpipe_scale`]).
//! * The absorbed projection sums up in f32 and is rounded once, rotations likewise.
//! * The key latent is divided by its root, times `gamma2`. To int8 it goes from f32, times the reciprocal of `ctkvScale`; the
//!   query's int8 is the rounded query *times* `qNopeScale`.
//! * A token whose slot is exactly -1 writes no cache row. Any other slot that the cache does not have is a fault here; there it
//!   would be written somewhere.
//! * The kernel takes `ctkvScale` and `qNopeScale` as being of the input's type, whatever ATB's table says: their bits are read so.

#[cfg(test)]
mod tests;

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_BF16, ACL_FLOAT, ACL_FLOAT16, aclDataType};
use half::{bf16, f16};
use rayon::prelude::*;

use super::{CACHE_INT8_NZ, CACHE_KV, CACHE_NZ, Call, QUANT_PER_TOKEN};
use crate::arithmetic::matmul::Weight;
use crate::arithmetic::nz::Nz;
use crate::arithmetic::{quantize, rms_norm, rope, round};
use crate::tensor::Operand;

const LATENT: usize = 512;
const ROPE: usize = 64;
const QUERY_LATENT: usize = 1536;
const NOPE: usize = 128;
const HEAD: usize = NOPE + ROPE;
const DOWN: usize = LATENT + ROPE + QUERY_LATENT;

/// Positions of the inputs that belong to one projection.
struct Projection {
    gamma: usize,
    beta: usize,
    scale: usize,
    offset: usize,
    weight: usize,
    descale: usize,
    bias: usize,
}

const DOWN_PROJECTION: Projection =
    Projection { gamma: 1, beta: 2, scale: 3, offset: 4, weight: 5, descale: 6, bias: 7 };
const UP_PROJECTION: Projection =
    Projection { gamma: 8, beta: 9, scale: 10, offset: 11, weight: 12, descale: 13, bias: 14 };
const GAMMA2: usize = 15;
const COS: usize = 16;
const SIN: usize = 17;
const WUK: usize = 18;
const SLOTS: usize = 21;
const KEY_SCALE: usize = 22;
const QUERY_SCALE: usize = 23;

/// Computes a call, whose tensors passed ATB's checks.
pub(super) fn compute(call: &Call, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> Result<(), Fault> {
    let work = Work { call, inputs, dtype: inputs[0].desc.dtype };
    let down = work.project(&inputs[0].to_f32()?, &DOWN_PROJECTION, DOWN)?;
    let latent: Vec<f32> = down.chunks(DOWN).flat_map(|row| &row[LATENT + ROPE..]).copied().collect();
    let queries = work.project(&latent, &UP_PROJECTION, call.heads * HEAD)?;
    work.write_queries(&queries, outputs)?;
    work.write_cache(&down, outputs)
}

struct Work<'a> {
    call: &'a Call,
    inputs: &'a [Operand<'a>],
    /// Of the activations.
    dtype: aclDataType,
}

impl Work<'_> {
    fn floats(&self, input: usize, len: usize) -> Result<Vec<f32>, Fault> {
        let values = self.inputs[input].to_f32()?;
        self.expect(input, len, values.len())?;
        Ok(values)
    }

    fn expect(&self, input: usize, needed: usize, actual: usize) -> Result<(), Fault> {
        if actual >= needed {
            return Ok(());
        }
        Err(Fault::new(format!("MlaPreprocess: input {input} needs {needed} elements, but has {actual}")))
    }

    /// Normalises and quantises rows, and multiplies them with a weight: `n` columns of the activations' type.
    fn project(&self, rows: &[f32], at: &Projection, n: usize) -> Result<Vec<f32>, Fault> {
        let k = rows.len() / self.call.tokens.max(1);
        let (gamma, beta) = (self.floats(at.gamma, k)?, self.floats(at.beta, k)?);
        let mean = 1.0 / k as f32;
        let normal = rows
            .par_chunks(k.max(1))
            .map(|row| rms_norm::scaled(row, &gamma, &beta, mean, self.call.epsilon));
        let per_token = self.call.quant_mode == QUANT_PER_TOKEN;
        let (x, row_scales): (Vec<i8>, Vec<f32>) = if per_token {
            let (rows, scales): (Vec<_>, Vec<_>) = normal.map(|row| quantize::per_token(&row)).unzip();
            (rows.concat(), scales)
        } else {
            let reciprocal = 1.0 / self.floats(at.scale, 1)?[0];
            let offset = f32::from(self.inputs[at.offset].memory.read::<i8>(0, 1)?[0]);
            (normal.flat_map_iter(|row| quantize::per_tensor(&row, reciprocal, offset)).collect(), Vec::new())
        };
        let mut sums = self.product(&x, at.weight, k, n)?;
        if !per_token {
            let bias = self.inputs[at.bias].memory.read::<i32>(0, n)?;
            for row in sums.chunks_mut(n) {
                row.iter_mut().zip(&bias).for_each(|(sum, bias)| *sum = sum.wrapping_add(*bias));
            }
        }
        let scales = self.column_scales(at.descale, n)?;
        Ok(sums
            .par_chunks(n)
            .enumerate()
            .flat_map_iter(|(row, sums)| {
                let row_scale = row_scales.get(row).copied();
                sums.iter().zip(&scales).map(move |(sum, scale)| {
                    let value = *sum as f32 * scale;
                    round::stored_as(self.dtype, row_scale.map_or(value, |row_scale| value * row_scale))
                })
            })
            .collect())
    }

    /// The exact product with an int8 weight that is stored with `n` rows in FRACTAL_NZ.
    fn product(&self, x: &[i8], weight: usize, k: usize, n: usize) -> Result<Vec<i32>, Fault> {
        let nz = Nz::new(n, 1);
        let values = self.inputs[weight].memory.read::<i8>(0, nz.len(k))?;
        let weight = Weight { values: &values, k, n, transposed: true, nz: Some(nz) };
        Ok(weight.product(x, self.call.tokens))
    }

    fn column_scales(&self, input: usize, n: usize) -> Result<Vec<f32>, Fault> {
        if self.inputs[input].desc.dtype == ACL_FLOAT {
            return self.floats(input, n);
        }
        let words = self.inputs[input].memory.read::<u64>(0, n)?;
        Ok(words.into_iter().map(quantize::fixpipe_scale).collect())
    }

    fn write_queries(&self, queries: &[f32], outputs: &[Operand<'_>]) -> Result<(), Fault> {
        let Call { cache_mode, heads, .. } = *self.call;
        let nope = self.absorbed(queries)?;
        let rope = self.rotated(queries, heads, NOPE, HEAD)?;
        match cache_mode {
            CACHE_KV => {
                let both: Vec<f32> = nope
                    .chunks(LATENT)
                    .zip(rope.chunks(ROPE))
                    .flat_map(|(nope, rope)| nope.iter().chain(rope))
                    .copied()
                    .collect();
                return outputs[0].write_f32(0, &both);
            }
            CACHE_INT8_NZ => {
                let scales = self.scales(QUERY_SCALE, heads)?;
                let scale = |at: usize| scales[at / LATENT % heads.max(1)];
                let int8: Vec<i8> =
                    nope.iter().enumerate().map(|(at, value)| round::to_i8(value * scale(at))).collect();
                outputs[0].memory.write(0, &int8)?;
            }
            _ => outputs[0].write_f32(0, &nope)?,
        }
        outputs[2].write_f32(0, &rope)
    }

    /// Each head's part without position, times its weight `[128, 512]`: `[tokens, heads, 512]`.
    fn absorbed(&self, queries: &[f32]) -> Result<Vec<f32>, Fault> {
        let Call { tokens, heads, .. } = *self.call;
        let weight = &self.inputs[WUK];
        let nz = weight.desc.is_nz().then(|| Nz::new(NOPE, 2));
        let words = weight.memory.read::<u16>(0, heads * NOPE * LATENT)?;
        let products: Vec<Vec<f32>> = words
            .par_chunks(NOPE * LATENT)
            .enumerate()
            .map(|(head, words)| {
                let values: Vec<f32> = words.iter().map(|bits| widen(self.dtype, *bits)).collect();
                let weight = Weight { values: &values, k: NOPE, n: LATENT, transposed: false, nz };
                let x: Vec<f32> = queries
                    .chunks(heads * HEAD)
                    .flat_map(|token| &token[head * HEAD..][..NOPE])
                    .copied()
                    .collect();
                weight.product(&x, tokens)
            })
            .collect();
        let rows = (0..tokens)
            .flat_map(|token| products.iter().flat_map(move |product| &product[token * LATENT..][..LATENT]));
        Ok(rows.map(|value| round::stored_as(self.dtype, *value)).collect())
    }

    /// The rotary part of each token's `heads` vectors of `width`, which begins at `start`: `[tokens, heads, 64]`.
    fn rotated(&self, rows: &[f32], heads: usize, start: usize, width: usize) -> Result<Vec<f32>, Fault> {
        let len = self.call.tokens * ROPE;
        let (cos, sin) = (self.floats(COS, len)?, self.floats(SIN, len)?);
        let row_width = rows.len() / self.call.tokens.max(1);
        let angles = cos.chunks(ROPE).zip(sin.chunks(ROPE));
        let heads = rows.chunks(row_width.max(1)).zip(angles).flat_map(|(row, (cos, sin))| {
            (0..heads).flat_map(move |head| {
                rope::rotate(&row[head * width + start..][..ROPE], cos, sin, ROPE / 2, ACL_FLOAT)
            })
        });
        Ok(heads.map(|value| round::stored_as(self.dtype, value)).collect())
    }

    /// Scales as the kernel reads them: bits of the activations' type.
    fn scales(&self, input: usize, len: usize) -> Result<Vec<f32>, Fault> {
        let bits = self.inputs[input].memory.read::<u16>(0, len)?;
        Ok(bits.into_iter().map(|bits| widen(self.dtype, bits)).collect())
    }

    fn write_cache(&self, down: &[f32], outputs: &[Operand<'_>]) -> Result<(), Fault> {
        let Call { cache_mode, tokens, block_size, epsilon, .. } = *self.call;
        let gamma = self.floats(GAMMA2, LATENT)?;
        let rope = self.rotated(down, 1, LATENT, DOWN)?;
        let slots = self.inputs[SLOTS].memory.read::<i32>(0, tokens)?;
        let key_scale = match cache_mode {
            CACHE_INT8_NZ => 1.0 / self.scales(KEY_SCALE, 1)?[0],
            _ => 1.0,
        };
        let nz = [CACHE_INT8_NZ, CACHE_NZ].contains(&cache_mode);
        let size = if cache_mode == CACHE_INT8_NZ { 1 } else { 2 };
        let rope_start = if cache_mode == CACHE_KV { LATENT } else { 0 };
        let latents =
            Cache { operand: &outputs[1], block_size, width: LATENT + rope_start / LATENT * ROPE, size, nz };
        let ropes = match cache_mode {
            CACHE_KV => Cache { size: 2, ..latents },
            _ => Cache { operand: &outputs[3], block_size, width: ROPE, size: 2, nz },
        };
        for (token, slot) in slots.into_iter().enumerate() {
            if slot == -1 {
                continue;
            }
            let latent = rms_norm::divided(&down[token * DOWN..][..LATENT], &gamma, epsilon);
            let bytes = match cache_mode {
                CACHE_INT8_NZ => latent.iter().map(|value| round::to_i8(value * key_scale) as u8).collect(),
                _ => self.narrow(&latent),
            };
            latents.write(token, slot, 0, &bytes)?;
            ropes.write(token, slot, rope_start, &self.narrow(&rope[token * ROPE..][..ROPE]))?;
        }
        Ok(())
    }

    /// Values as they are stored, rounded to the activations' type.
    fn narrow(&self, values: &[f32]) -> Vec<u8> {
        let bits = values.iter().map(|value| match self.dtype {
            ACL_FLOAT16 => f16::from_f32(*value).to_bits(),
            _ => bf16::from_f32(*value).to_bits(),
        });
        bits.flat_map(u16::to_ne_bytes).collect()
    }
}

fn widen(dtype: aclDataType, bits: u16) -> f32 {
    match dtype {
        ACL_BF16 => bf16::from_bits(bits).to_f32(),
        _ => f16::from_bits(bits).to_f32(),
    }
}

/// A cache: rows of `width` elements, after each other or in blocks of FRACTAL_NZ.
#[derive(Clone, Copy)]
struct Cache<'a> {
    operand: &'a Operand<'a>,
    block_size: usize,
    width: usize,
    /// Bytes of an element.
    size: usize,
    nz: bool,
}

impl Cache<'_> {
    /// Writes elements of a slot's row from the column `start` on. Addresses have 64 bits.
    fn write(&self, token: usize, slot: i32, start: usize, bytes: &[u8]) -> Result<(), Fault> {
        let slots = self.operand.len() / self.width;
        let slot = usize::try_from(slot).ok().filter(|slot| *slot < slots).ok_or_else(|| {
            Fault::new(format!(
                "MlaPreprocess: token {token} has the slot {slot}, but the cache {slots} slots"
            ))
        })?;
        if !self.nz {
            return self.operand.memory.write((slot * self.width + start) * self.size, bytes);
        }
        let (block, row) = (slot / self.block_size, slot % self.block_size);
        let nz = Nz { rows: self.block_size, block: 32 / self.size };
        let block = block * self.block_size * self.width;
        for (index, piece) in bytes.chunks(32).enumerate() {
            let at = block + nz.position(row, start + index * nz.block);
            self.operand.memory.write(at * self.size, piece)?;
        }
        Ok(())
    }
}
