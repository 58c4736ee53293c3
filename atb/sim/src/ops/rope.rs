//! Rope: rotary position embedding of queries and keys.
//!
//! A row is a token; its heads have the width of `cos` and `sin` and share their token's row of them. `rotaryCoeff` says what
//! is rotated against what: 2 the halves of a head, 4 the halves of each half, the head's width its neighbours. With
//! `cosFormat` 1 the rows of `cos` and `sin` are positions, which start anew for each sequence of `seqlen`; with 0 they are tokens.
//!
//! What is rounded where (ATB's `rope_tiling.cpp` chooses the kernel): fp16 with fp16 `cos` computes in fp16, so both products
//! and their sum are rounded (`rotary_pos_emb_fp16.h`); fp16 with f32 `cos`, and bf16, compute in f32 and round once
//! (`rotary_pos_emb_fp32.h`, `rotary_pos_emb_bf16.h`).

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_FLOAT, ACL_FLOAT16, aclDataType};
use rayon::prelude::*;

use super::shape::{dim, product, rank};
use super::table::{self, BF16, Combination, F16, F32, I32, Kind, U32};
use crate::arithmetic::rope::rotate;
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// Inputs: queries, keys, cosines, sines, lengths of sequences.
const Q: usize = 0;
const K: usize = 1;
const COS: usize = 2;
const SIN: usize = 3;
const SEQLEN: usize = 4;

/// `atb::infer::RopeParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RopeParam {
    pub rotary_coeff: i32,
    pub cos_format: i32,
}

pub(crate) struct Rope {
    param: RopeParam,
}

/// The width of a token: `[tokens, width]` or `[batch, sequence, heads, width of a head]`.
fn width(desc: &TensorDesc) -> i64 {
    if rank(desc) == 4 { dim(desc, 2).saturating_mul(dim(desc, 3)) } else { dim(desc, 1) }
}

fn tokens(desc: &TensorDesc) -> i64 {
    if rank(desc) == 4 { dim(desc, 0).saturating_mul(dim(desc, 1)) } else { dim(desc, 0) }
}

impl Rope {
    pub(crate) fn new(param: RopeParam) -> Result<Self> {
        Ok(Self { param })
    }

    fn check_shapes(&self, inputs: &[TensorDesc]) -> Result {
        let (q, k, cos, sin) = (&inputs[Q], &inputs[K], &inputs[COS], &inputs[SIN]);
        let wrong_dim = |what: String| Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "Rope: {what}"));
        let wrong_size = |what: String| Err(refuse!(ATB_ERROR_INVALID_TENSOR_SIZE, "Rope: {what}"));
        let ranks: Vec<usize> = inputs.iter().map(rank).collect();
        if !matches!(ranks[..], [2 | 4, 2 | 4, 2, 2, 1]) {
            return wrong_dim(format!(
                "q and k have 2 or 4 dimensions, cos and sin 2, seqlen 1, not {ranks:?}"
            ));
        }
        if tokens(q) != tokens(k) {
            return wrong_size(format!("q has {} tokens, k {}", tokens(q), tokens(k)));
        }
        if ![dim(cos, 1), dim(sin, 1)].iter().all(|width| (16..=4096).contains(width)) {
            return wrong_dim(format!(
                "cos and sin are 16 to 4096 wide, not {} and {}",
                dim(cos, 1),
                dim(sin, 1)
            ));
        }
        if cos.shape != sin.shape {
            return wrong_size(format!(
                "cos and sin have one shape, not {:?} and {:?}",
                cos.shape, sin.shape
            ));
        }
        let (q_width, k_width, head) = (width(q), width(k), dim(cos, 1));
        if k_width == 0 {
            return wrong_size("keys have no width".to_owned());
        }
        if q_width % k_width != 0 {
            return wrong_size(format!(
                "the width of keys, {k_width}, must divide that of queries, {q_width}"
            ));
        }
        if k_width % head != 0 {
            return wrong_dim(format!("the width of cos, {head}, must divide that of keys, {k_width}"));
        }
        Ok(())
    }

    fn check_param(&self, cos: &TensorDesc) -> Result {
        let head = dim(cos, 1);
        let coeff = i64::from(self.param.rotary_coeff);
        if coeff != 2 && coeff != 4 && coeff != head {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Rope: rotaryCoeff is 2, 4 or the head's width {head}, not {coeff}"
            ));
        }
        if head % coeff != 0 {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Rope: rotaryCoeff {coeff} must divide the width of cos, {head}"
            ));
        }
        if !matches!(self.param.cos_format, 0 | 1) {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Rope: cosFormat is 0 or 1, not {}",
                self.param.cos_format
            ));
        }
        Ok(())
    }

    /// The row of `cos` and `sin` for each token.
    fn rows(&self, tokens: usize, seqlen: &Operand<'_>) -> std::result::Result<Vec<usize>, Fault> {
        if self.param.cos_format == 0 {
            return Ok((0..tokens).collect());
        }
        let lengths = seqlen.memory.read::<u32>(0, seqlen.len())?;
        let rows: Vec<usize> = lengths
            .iter()
            .flat_map(|length| 0..(*length as usize).min(tokens + 1))
            .take(tokens + 1)
            .collect();
        if rows.len() == tokens {
            return Ok(rows);
        }
        Err(Fault::new(format!("Rope: the lengths of sequences do not add up to {tokens} tokens")))
    }
}

/// Both products and the sum are rounded only in the kernel that has nothing but fp16.
fn rounded_as(x: aclDataType, cos: aclDataType) -> aclDataType {
    if x == ACL_FLOAT16 && cos == ACL_FLOAT16 { ACL_FLOAT16 } else { ACL_FLOAT }
}

impl Operator for Rope {
    fn name(&self) -> &'static str {
        "RopeOperation"
    }

    fn input_num(&self) -> usize {
        5
    }

    fn output_num(&self) -> usize {
        2
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        const fn takes(x: Kind, cos: Kind, seqlen: Kind) -> [Kind; 5] {
            [x, x, cos, cos, seqlen]
        }
        const TABLE: &[Combination<'static>] = &[
            (&takes(F16, F16, I32), &[F16; 2]),
            (&takes(F16, F16, U32), &[F16; 2]),
            (&takes(F16, F32, I32), &[F16; 2]),
            (&takes(F16, F32, U32), &[F16; 2]),
            (&takes(BF16, BF16, I32), &[BF16; 2]),
            (&takes(BF16, BF16, U32), &[BF16; 2]),
        ];
        table::check("Rope", TABLE, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.check_shapes(inputs)?;
        self.check_param(&inputs[COS])
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        Ok(inputs[..2].to_vec())
    }

    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let head = inputs[COS].dim(1);
        let tokens = product(&[tokens(inputs[Q].desc)]);
        let rows = self.rows(tokens, &inputs[SEQLEN])?;
        if let Some(row) = rows.iter().max()
            && *row >= inputs[COS].dim(0)
        {
            return Err(Fault::new(format!(
                "Rope: cos has {} rows, but row {row} is needed",
                inputs[COS].dim(0)
            )));
        }
        if !head.is_multiple_of(2) {
            return Err(Fault::new(format!("Rope: a head of {head} elements has no pairs")));
        }
        let (cos, sin) = (inputs[COS].to_f32()?, inputs[SIN].to_f32()?);
        let stride = head / product(&[self.param.rotary_coeff.into()]).max(1);
        for (input, output) in inputs.iter().zip(outputs).take(2) {
            let dtype = rounded_as(input.desc.dtype, inputs[COS].desc.dtype);
            let x = input.to_f32()?;
            let turned: Vec<f32> = x
                .par_chunks((x.len() / tokens.max(1)).max(1))
                .zip(&rows)
                .flat_map_iter(|(token, row)| {
                    let at = row * head..(row + 1) * head;
                    let (cos, sin) = (&cos[at.clone()], &sin[at]);
                    token.chunks(head).flat_map(move |x| rotate(x, cos, sin, stride, dtype))
                })
                .collect();
            output.write_f32(0, &turned)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, noise, rounded, run};
    use ascendcl_sys::{ACL_BF16, ACL_INT32};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        ATB_ERROR_INVALID_TENSOR_SIZE,
    };
    use half::{bf16, f16};

    fn rope(rotary_coeff: i32, cos_format: i32) -> Rope {
        Rope::new(RopeParam { rotary_coeff, cos_format }).unwrap()
    }

    /// The partner of element `i` of a head and its sign, from the definitions of the three forms.
    fn partner(i: usize, head: usize, coeff: usize) -> (usize, f64) {
        let chunk = if coeff == head { 2 } else { head / (coeff / 2) };
        let (base, i) = (i / chunk * chunk, i % chunk);
        if i < chunk / 2 { (base + i + chunk / 2, -1.0) } else { (base + i - chunk / 2, 1.0) }
    }

    fn tensors(x: aclDataType, cos: aclDataType, tokens: i64, rows: i64, lengths: &[i32]) -> Vec<Tensor> {
        let len = |shape: &[i64]| product(shape);
        vec![
            Tensor::floats(x, &[tokens, 1, 3, 64], &noise(1, len(&[tokens, 192]), 4.0)),
            Tensor::floats(x, &[tokens, 64], &noise(2, len(&[tokens, 64]), 4.0)),
            Tensor::floats(cos, &[rows, 32], &noise(3, len(&[rows, 32]), 1.0)),
            Tensor::floats(cos, &[rows, 32], &noise(4, len(&[rows, 32]), 1.0)),
            Tensor::nd(ACL_INT32, &[lengths.len() as i64], lengths),
        ]
    }

    #[test]
    fn every_form_is_the_definition() {
        for (coeff, x, cos) in [
            (2, ACL_BF16, ACL_BF16),
            (4, ACL_BF16, ACL_BF16),
            (32, ACL_BF16, ACL_BF16),
            (2, ACL_FLOAT16, ACL_FLOAT),
            (2, ACL_FLOAT16, ACL_FLOAT16),
        ] {
            let inputs = tensors(x, cos, 5, 5, &[5]);
            let outputs = run(&rope(coeff, 0), &inputs);
            let (cosines, sines) = (inputs[2].to_f32(), inputs[3].to_f32());
            for (input, output) in inputs.iter().zip(&outputs) {
                assert_eq!(input.desc, output.desc);
                let values = input.to_f32();
                let width = values.len() / 5;
                for (at, actual) in output.to_f32().into_iter().enumerate() {
                    let (token, i) = (at / width, at % 32);
                    let (other, sign) = partner(i, 32, coeff as usize);
                    let (c, s) = (cosines[token * 32 + i], sines[token * 32 + i]);
                    let y = values[at - i + other];
                    let expected = if x == ACL_FLOAT16 && cos == ACL_FLOAT16 {
                        let round = |value: f64| f16::from_f64(value).to_f64();
                        let product = round(f64::from(values[at]) * f64::from(c));
                        round(product + round(sign * f64::from(y) * f64::from(s))) as f32
                    } else {
                        let sum = values[at] * c + sign as f32 * y * s;
                        if x == ACL_BF16 { bf16::from_f32(sum).to_f32() } else { f16::from_f32(sum).to_f32() }
                    };
                    assert_eq!(actual, expected, "element {at}, rotaryCoeff {coeff}");
                }
            }
        }
    }

    #[test]
    fn positions_start_anew_for_each_sequence() {
        let inputs = tensors(ACL_BF16, ACL_BF16, 6, 3, &[1, 3, 2]);
        let inputs: Vec<Tensor> = vec![
            inputs[1].clone(),
            inputs[1].clone(),
            inputs[2].clone(),
            inputs[3].clone(),
            inputs[4].clone(),
        ];
        let by_position = run(&rope(2, 1), &inputs);
        let expand = |tensor: &Tensor| {
            let rows = tensor.to_f32();
            let rows: Vec<f32> =
                [0, 0, 1, 2, 0, 1].iter().flat_map(|row| rows[row * 32..][..32].to_vec()).collect();
            Tensor::floats(ACL_BF16, &[6, 32], &rows)
        };
        let by_token =
            [inputs[0].clone(), inputs[1].clone(), expand(&inputs[2]), expand(&inputs[3]), inputs[4].clone()];
        assert_eq!(by_position[0].to_f32(), run(&rope(2, 0), &by_token)[0].to_f32());
        assert_eq!(rounded(ACL_BF16, &by_position[0].to_f32()), by_position[0].to_f32());
    }

    #[test]
    fn rows_that_are_not_there_are_a_fault() {
        for (rows, lengths, format) in [(3, &[4][..], 0), (3, &[4], 1), (9, &[3, 2], 1), (9, &[1, 2], 1)] {
            let inputs = tensors(ACL_BF16, ACL_BF16, 4, rows, lengths);
            let inputs: Vec<Tensor> = [1, 1, 2, 3, 4].map(|i: usize| inputs[i].clone()).to_vec();
            let outputs = [inputs[0].clone(), inputs[1].clone()];
            assert!(crate::ops::harness::run_into(&rope(2, format), &inputs, &outputs).is_err());
        }
    }

    #[test]
    fn what_is_refused() {
        let bf16 = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
        let good = [
            bf16(&[4, 128]),
            bf16(&[4, 64]),
            bf16(&[4, 64]),
            bf16(&[4, 64]),
            TensorDesc::nd(ACL_INT32, &[1]),
        ];
        assert_eq!(infer(&rope(2, 0), &good).unwrap(), good[..2]);
        let with = |index: usize, desc: TensorDesc| {
            let mut inputs = good.clone();
            inputs[index] = desc;
            inputs
        };
        let both = |shape: &[i64]| {
            let mut inputs = with(2, bf16(shape));
            inputs[3] = bf16(shape);
            inputs
        };
        for (inputs, status) in [
            (with(0, bf16(&[4, 1, 128])), ATB_ERROR_INVALID_TENSOR_DIM),
            (with(4, TensorDesc::nd(ACL_INT32, &[1, 1])), ATB_ERROR_INVALID_TENSOR_DIM),
            (with(1, bf16(&[5, 64])), ATB_ERROR_INVALID_TENSOR_SIZE),
            (both(&[4, 8]), ATB_ERROR_INVALID_TENSOR_DIM),
            (both(&[4, 8192]), ATB_ERROR_INVALID_TENSOR_DIM),
            (with(3, bf16(&[5, 64])), ATB_ERROR_INVALID_TENSOR_SIZE),
            (with(1, bf16(&[4, 96])), ATB_ERROR_INVALID_TENSOR_SIZE),
            (both(&[4, 48]), ATB_ERROR_INVALID_TENSOR_DIM),
            (with(1, TensorDesc::nd(ACL_FLOAT16, &[4, 64])), ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        ] {
            assert_eq!(infer(&rope(2, 0), &inputs).unwrap_err().status, status, "{inputs:?}");
        }
        for (coeff, format) in [(0, 0), (3, 0), (-2, 0), (2, 2)] {
            assert_eq!(infer(&rope(coeff, format), &good).unwrap_err().status, ATB_ERROR_INVALID_PARAM);
        }
    }
}
