//! The steps from a checkpoint's tensors to the operator's, each a function of plain slices.
//!
//! Notation: `R` moves the rotary outputs of a projection from the checkpoint's interleaved order (component
//! pairs side by side) to the operator's half layout (all even components, then all odd ones). It has to be applied
//! alike to everything that has one value or row for each output: weight, de-quantisation scale and bias. So
//! [`down`] and [`up`] take any of them; `columns` is 1 for a vector.
//!
//! Source: OPERATOR contract, section 4, transforms 1 to 6.

use std::ops::Range;

use half::{bf16, f16};

use crate::Dtype;
use crate::error::TensorError;

/// `R` as an order of rows: the even ones of `0..rope`, then the odd ones.
pub fn half_layout(rope: usize) -> impl Iterator<Item = usize> + Clone {
    (0..rope).step_by(2).chain((1..rope).step_by(2))
}

/// `trans_rope_weight`: applies `R` to the last `rope` rows of `[rows, columns]` and leaves the rest.
///
/// # Errors
/// [`TensorError`] if `values` is not a whole number of rows, or has fewer than `rope`.
pub fn trans_rope_weight<T: Copy>(values: &[T], columns: usize, rope: usize) -> Result<Vec<T>, TensorError> {
    let rows = values.len().checked_div(columns).unwrap_or(0);
    check("rotary rows", rows * columns, values.len())?;
    let fixed = rows.checked_sub(rope).ok_or_else(|| TensorError {
        tensor: "rotary rows",
        what: "shape",
        expected: format!("at least {rope} rows"),
        got: format!("{rows} rows"),
    })?;
    let mut prepared = Vec::with_capacity(values.len());
    prepared.extend_from_slice(&values[..fixed * columns]);
    for row in half_layout(rope) {
        prepared.extend_from_slice(&values[(fixed + row) * columns..][..columns]);
    }
    Ok(prepared)
}

/// Joins the two down-projections to the operator's one, whose outputs are latent, rotary key (`R` applied) and
/// query latent.
///
/// `kv_a` is `[kv_lora + rope, columns]`, `q_a` is `[q_lora, columns]`; the result has the rows of both.
///
/// # Errors
/// [`TensorError`] if one of them is not a whole number of rows, or `kv_a` has fewer than `rope`.
pub fn down<T: Copy>(kv_a: &[T], q_a: &[T], columns: usize, rope: usize) -> Result<Vec<T>, TensorError> {
    let rows = q_a.len().checked_div(columns).unwrap_or(0);
    check("q_a_proj", rows * columns, q_a.len())?;
    let mut joined = trans_rope_weight(kv_a, columns, rope)?;
    joined.extend_from_slice(q_a);
    Ok(joined)
}

/// Takes some heads of the query's up-projection and applies `R` to each.
///
/// `q_b` is `[heads of the model, nope + rope, columns]`; the result `[heads.len(), nope + rope, columns]`.
///
/// # Errors
/// [`TensorError`] if `q_b` is not a whole number of heads, or has not all of `heads`.
pub fn up<T: Copy>(
    q_b: &[T],
    columns: usize,
    heads: Range<usize>,
    nope: usize,
    rope: usize,
) -> Result<Vec<T>, TensorError> {
    let size = nope.saturating_add(rope).saturating_mul(columns);
    let all = head_count("q_b_proj", q_b.len(), size, &heads)?;
    let mut prepared = Vec::with_capacity(heads.len() * size);
    for head in q_b[..all * size].chunks_exact(size.max(1)).take(heads.end).skip(heads.start) {
        prepared.extend_from_slice(&head[..nope * columns]);
        for row in half_layout(rope) {
            prepared.extend_from_slice(&head[(nope + row) * columns..][..columns]);
        }
    }
    Ok(prepared)
}

/// Takes the key half of some heads of `kv_b_proj`: `wuk`.
///
/// `kv_b` is `[heads of the model, nope + v, kv_lora]`; the result `[heads.len(), nope, kv_lora]`, ND. The published
/// preparation transposes the stored matrix, splits it and transposes it back; no element moves within a row.
///
/// # Errors
/// [`TensorError`] if `kv_b` is not a whole number of heads, or has not all of `heads`.
pub fn key_up<T: Copy>(
    kv_b: &[T],
    kv_lora: usize,
    heads: Range<usize>,
    nope: usize,
    v: usize,
) -> Result<Vec<T>, TensorError> {
    let size = nope.saturating_add(v).saturating_mul(kv_lora);
    let all = head_count("kv_b_proj", kv_b.len(), size, &heads)?;
    let mut wuk = Vec::with_capacity(heads.len() * nope * kv_lora);
    for head in kv_b[..all * size].chunks_exact(size.max(1)).take(heads.end).skip(heads.start) {
        wuk.extend_from_slice(&head[..nope * kv_lora]);
    }
    Ok(wuk)
}

/// The f32 in an int64 `deq_scale` word of a float16 checkpoint.
///
/// The f32 pattern is in the low 32 bits. The high ones are zero; or hold bit 46 alone, the mark that the quantised
/// matmul's parameter word carries (such words also have the low 13 bits of the pattern cleared); or repeat the
/// sign of a negative scale. `None` for any other word and for a pattern that is not finite.
pub fn descale(word: i64) -> Option<f32> {
    const MARK: i32 = 1 << (46 - 32);
    let scale = f32::from_bits(word as u32);
    let high = (word >> 32) as i32;
    let known = high == 0 || high == MARK || (high == -1 && scale.is_sign_negative());
    (known && scale.is_finite()).then_some(scale)
}

/// A value as the bits of a 16-bit float, rounded to nearest even.
pub fn to_half(value: f32, dtype: Dtype) -> u16 {
    match dtype {
        Dtype::Fp16 => f16::from_f32(value).to_bits(),
        Dtype::Bf16 => bf16::from_f32(value).to_bits(),
    }
}

/// The value of a 16-bit float's bits.
pub fn from_half(bits: u16, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::Fp16 => f16::from_bits(bits).to_f32(),
        Dtype::Bf16 => bf16::from_bits(bits).to_f32(),
    }
}

fn check(tensor: &'static str, expected: usize, got: usize) -> Result<(), TensorError> {
    TensorError::check_len(tensor, expected, got)
}

/// Heads in a tensor of `len` elements, `size` each; all of `wanted` must be among them.
fn head_count(
    tensor: &'static str,
    len: usize,
    size: usize,
    wanted: &Range<usize>,
) -> Result<usize, TensorError> {
    let heads = len.checked_div(size).unwrap_or(0);
    check(tensor, heads * size, len)?;
    if wanted.start <= wanted.end && wanted.end <= heads {
        return Ok(heads);
    }
    Err(TensorError {
        tensor,
        what: "heads",
        expected: format!("{} to {}", wanted.start, wanted.end),
        got: format!("{heads} heads"),
    })
}
