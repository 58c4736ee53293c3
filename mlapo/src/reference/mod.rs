//! The operation written to be read beside its specification, and the oracle for every fast implementation.
//!
//! One stage after the other over whole tensors, exact integer products, sums of squares and 16-bit products in f64.
//! The stages follow the golden specification, section 4; where its two orders of rounding part, [`Order`] decides.

mod arithmetic;
mod cache_write;

use rayon::prelude::*;

use self::arithmetic::Arithmetic;
pub use self::cache_write::{check_slots, write_rows};
use crate::call::{self, Elements, Inputs, Outputs};
use crate::config::Config;
use crate::error::Error;
use crate::numeric::{from_f32, to_f32};
use crate::weights::{ActivationQuant, Norm, Projection, Weights};

/// In which order values are rounded.
///
/// The two are told apart by one step of an int8 value here and there, which the later stages spread. A configuration
/// without `input_norm` has one order only: the device's, dividing by scales where the fused kernel multiplies by their
/// reciprocals (golden specification, section 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The device's order (golden specification, section 7): quantisers round to fp16, saturate and round to an
    /// integer; rotary embeddings round once.
    #[default]
    Kernel,
    /// The order of the public CPU goldens (golden specification, section 4).
    Golden,
}

/// Results of the inner stages, one row for each token, by their names in the golden specification, section 6.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intermediates {
    /// Quantised hidden state `[tokens, hidden_size]`.
    pub rms0_q: Vec<i8>,
    /// Its scale for each token; `None` per tensor.
    pub rms0_scale: Option<Vec<f32>>,
    /// Result of the down-projection `[tokens, down_rows]`.
    pub mm0_out: Vec<u16>,
    /// Quantised query latent `[tokens, q_lora_rank]`.
    pub rms1_q: Vec<i8>,
    /// Its scale for each token; `None` per tensor.
    pub rms1_scale: Option<Vec<f32>>,
    /// Result of the up-projection `[tokens, up_rows]`.
    pub mm1_out: Vec<u16>,
    /// Absorbed query `[tokens, heads, kv_lora_rank]` before it is quantised; `None` outside the int8 cache mode.
    pub q_nope_prequant: Option<Vec<u16>>,
    /// Normalised latent `[tokens, kv_lora_rank]` rounded to 16 bits; `None` outside the int8 cache mode.
    pub k_nope_prequant: Option<Vec<u16>>,
}

/// Computes one call.
///
/// An all-zero row quantises to zeros with scale 0 per token; infinities and NaN go through the formulas, and a NaN that
/// reaches an int8 value becomes 0.
///
/// # Errors
/// [`Error::Tensor`] when weights, inputs or outputs do not fit the configuration; nothing is written then.
pub fn run(
    config: &Config,
    weights: &Weights,
    inputs: &Inputs<'_>,
    outputs: &mut Outputs<'_>,
    order: Order,
    intermediates: Option<&mut Intermediates>,
) -> Result<(), Error> {
    weights.check(config)?;
    call::check(config, inputs, outputs)?;
    let arithmetic = Arithmetic::new(config, order);
    let (latent, rope) = (config.kv_lora_rank, config.qk_rope_head_dim);

    let (rms0_q, rms0_scale) = norm_quant(
        &arithmetic,
        inputs.hidden,
        config.hidden_size,
        weights.input_norm.as_ref(),
        &weights.down,
    );
    let mm0_out = project(&arithmetic, &rms0_q, rms0_scale.as_deref(), &weights.down, config.hidden_size);

    let down_rows = config.down_rows();
    let k_latent = columns(&mm0_out, down_rows, 0, latent);
    let k_rotary = columns(&mm0_out, down_rows, latent, rope);
    let q_latent = columns(&mm0_out, down_rows, latent + rope, config.q_lora_rank);

    let (rms1_q, rms1_scale) =
        norm_quant(&arithmetic, &q_latent, config.q_lora_rank, Some(&weights.q_norm), &weights.up);
    let mm1_out = project(&arithmetic, &rms1_q, rms1_scale.as_deref(), &weights.up, config.q_lora_rank);

    let q_absorbed = absorb(config, &mm1_out, &weights.wuk);
    let q_rotary = columns(&mm1_out, config.qk_head_dim(), config.qk_nope_head_dim, rope);
    let q_rotated = rotate(&arithmetic, &q_rotary, inputs, config.num_heads, rope);
    let k_rotated = rotate(&arithmetic, &k_rotary, inputs, 1, rope);
    let k_normed = norm_latent(&arithmetic, &k_latent, &weights.kv_gamma);
    let k_normed16: Vec<u16> = k_normed.iter().map(|y| from_f32(*y, config.dtype)).collect();

    let scales = weights.cache_scales.as_ref();
    let q_int8 = scales.map(|scales| quantize_query(&arithmetic, config, &q_absorbed, &scales.q_nope_scale));
    let k_int8 = scales.map(|scales| {
        let scale = to_f32(scales.ctkv_scale, config.dtype);
        k_normed.iter().map(|y| arithmetic.latent_to_int8(*y, scale)).collect::<Vec<i8>>()
    });
    store(&mut outputs.q_out0, outputs.q_out1.as_deref_mut(), &q_absorbed, q_int8, &q_rotated, config);
    store(&mut outputs.kv_rows0, outputs.kv_rows1.as_deref_mut(), &k_normed16, k_int8, &k_rotated, config);

    if let Some(intermediates) = intermediates {
        *intermediates = Intermediates {
            rms0_q,
            rms0_scale,
            mm0_out,
            rms1_q,
            rms1_scale,
            mm1_out,
            q_nope_prequant: scales.is_some().then_some(q_absorbed),
            k_nope_prequant: scales.is_some().then_some(k_normed16),
        };
    }
    Ok(())
}

/// Stages 1 and 3: normalises rows of `width` (when there is a norm) and quantises them for the projection.
fn norm_quant(
    arithmetic: &Arithmetic,
    rows: &[u16],
    width: usize,
    norm: Option<&Norm>,
    projection: &Projection,
) -> (Vec<i8>, Option<Vec<f32>>) {
    let norm = norm.map(|norm| (arithmetic.widen(&norm.gamma), arithmetic.widen(&norm.beta)));
    let rows = rows.chunks_exact(width).map(|row| match &norm {
        Some((gamma, beta)) => arithmetic.norm(row, gamma, beta),
        None => arithmetic.widen(row),
    });
    match projection.input {
        ActivationQuant::PerTensor { scale, offset, .. } => {
            (rows.flat_map(|y| arithmetic.quantize_per_tensor(&y, scale, offset)).collect(), None)
        }
        ActivationQuant::PerToken => {
            let (values, scales): (Vec<_>, _) = rows.map(|y| arithmetic.quantize_per_token(&y)).unzip();
            (values.concat(), Some(scales))
        }
    }
}

/// Stages 2 and 4: the exact integer product of quantised rows with a projection, de-quantised to 16 bits.
fn project(
    arithmetic: &Arithmetic,
    rows: &[i8],
    token_scales: Option<&[f32]>,
    projection: &Projection,
    width: usize,
) -> Vec<u16> {
    let outputs = projection.descale.len();
    let mut result = vec![0; rows.len() / width * outputs];
    result.par_iter_mut().enumerate().for_each(|(i, out)| {
        let (token, output) = (i / outputs, i % outputs);
        let row = &rows[token * width..][..width];
        let weight = &projection.weight[output * width..][..width];
        let descale = projection.descale[output];
        let product = dot(row, weight);
        *out = match (&projection.input, token_scales) {
            (ActivationQuant::PerTensor { bias, .. }, _) => {
                arithmetic.dequantize(i64::from(product) + i64::from(bias[output]), descale)
            }
            (ActivationQuant::PerToken, scales) => {
                let token_scale = scales.map_or(1.0, |scales| scales[token]);
                arithmetic.dequantize_per_token(product, descale, token_scale)
            }
        };
    });
    result
}

/// Exact: a configuration's widths keep the sum below 2^31.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// Stage 5: each head's nope part times its key up-projection, `[tokens, heads, kv_lora_rank]`.
fn absorb(config: &Config, heads: &[u16], wuk: &[u16]) -> Vec<u16> {
    let (nope, latent, dtype) = (config.qk_nope_head_dim, config.kv_lora_rank, config.dtype);
    let head_count = heads.len() / config.qk_head_dim();
    let mut result = vec![0; head_count * latent];
    result.par_chunks_exact_mut(latent).enumerate().for_each(|(i, out)| {
        let query = &heads[i * config.qk_head_dim()..][..nope];
        let wuk = &wuk[i % config.num_heads * nope * latent..][..nope * latent];
        let mut sums = vec![0f64; latent];
        for (q, row) in query.iter().zip(wuk.chunks_exact(latent)) {
            let q = f64::from(to_f32(*q, dtype));
            for (sum, w) in sums.iter_mut().zip(row) {
                *sum += q * f64::from(to_f32(*w, dtype));
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = from_f32(sum as f32, dtype);
        }
    });
    result
}

/// Stage 6: rotates `heads` rows of each token by the token's angles.
fn rotate(arithmetic: &Arithmetic, rows: &[u16], inputs: &Inputs<'_>, heads: usize, rope: usize) -> Vec<u16> {
    let rotated = rows.chunks_exact(rope).enumerate().flat_map(|(i, row)| {
        let token = i / heads;
        arithmetic.rotate(row, &inputs.cos[token * rope..][..rope], &inputs.sin[token * rope..][..rope])
    });
    rotated.collect()
}

/// Stage 7: RMSNorm of the key-value latent in f32; no shift.
fn norm_latent(arithmetic: &Arithmetic, latents: &[u16], gamma: &[u16]) -> Vec<f32> {
    let gamma = arithmetic.widen(gamma);
    latents.chunks_exact(gamma.len()).flat_map(|row| arithmetic.norm_latent(row, &gamma)).collect()
}

/// Stage 8, query: one scale for each head.
fn quantize_query(arithmetic: &Arithmetic, config: &Config, query: &[u16], scales: &[u16]) -> Vec<i8> {
    let scales = arithmetic.widen(scales);
    let heads = query.chunks_exact(config.kv_lora_rank).zip(scales.iter().cycle());
    let values = heads.flat_map(|(row, scale)| {
        row.iter().map(|x| arithmetic.query_to_int8(to_f32(*x, config.dtype), *scale))
    });
    values.collect()
}

/// The columns `start .. start + count` of rows of `width`.
fn columns(rows: &[u16], width: usize, start: usize, count: usize) -> Vec<u16> {
    rows.chunks_exact(width).flat_map(|row| &row[start..start + count]).copied().collect()
}

/// Writes one result in the form of the cache mode: int8 or 16-bit, the rotary part apart or at each row's end.
fn store(
    first: &mut Elements<'_>,
    second: Option<&mut [u16]>,
    values: &[u16],
    quantized: Option<Vec<i8>>,
    rotated: &[u16],
    config: &Config,
) {
    let (latent, rope) = (config.kv_lora_rank, config.qk_rope_head_dim);
    match (first, second) {
        (Elements::Half(first), None) => {
            let parts = values.chunks_exact(latent).zip(rotated.chunks_exact(rope));
            for (row, (values, rotated)) in first.chunks_exact_mut(latent + rope).zip(parts) {
                row[..latent].copy_from_slice(values);
                row[latent..].copy_from_slice(rotated);
            }
        }
        (first, second) => {
            match (first, quantized) {
                (Elements::Half(first), _) => first.copy_from_slice(values),
                (Elements::Int8(first), quantized) => first.copy_from_slice(&quantized.unwrap_or_default()),
            }
            if let Some(second) = second {
                second.copy_from_slice(rotated);
            }
        }
    }
}
