//! RopeQConcat: queries are rotated by halves, and another tensor is appended to each of their heads.
//!
//! The rotation is computed in f32 and rounded once (ATB's `RopeFp16.h` of `rope_q_concat`). The rotated part comes first.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::ACL_FLOAT;
use rayon::prelude::*;

use super::shape::{dim, rank};
use super::table::{self, BF16, F16};
use crate::arithmetic::rope::rotate;
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// Inputs: queries `[tokens, heads * width]`, cosines and sines `[tokens, width]`, what is appended `[tokens, heads, more]`.
const Q: usize = 0;
const COS: usize = 1;
const SIN: usize = 2;
const MORE: usize = 3;

/// Bytes of the unified buffer that the kernel may fill.
const UNIFIED_BUFFER: i64 = 196_352;

/// `atb::infer::RopeQConcatParam`, which has no field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RopeQConcatParam;

pub(crate) struct RopeQConcat;

impl RopeQConcat {
    pub(crate) fn new(_: RopeQConcatParam) -> Result<Self> {
        Ok(Self)
    }
}

impl Operator for RopeQConcat {
    fn name(&self) -> &'static str {
        "RopeQConcatOperation"
    }

    fn input_num(&self) -> usize {
        4
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("RopeQConcat", &[(&[F16; 4], &[F16]), (&[BF16; 4], &[BF16])], inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let wrong = |what: String| Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "RopeQConcat: {what}"));
        let ranks: Vec<usize> = inputs.iter().map(rank).collect();
        if ranks != [2, 2, 2, 3] {
            return wrong(format!("the inputs have 2, 2, 2 and 3 dimensions, not {ranks:?}"));
        }
        let tokens: Vec<i64> = inputs.iter().map(|input| dim(input, 0)).collect();
        if tokens.iter().any(|number| *number != tokens[0]) {
            return wrong(format!("all inputs have as many tokens, not {tokens:?}"));
        }
        let (width, heads, more) = (dim(&inputs[COS], 1), dim(&inputs[MORE], 1), dim(&inputs[MORE], 2));
        if width != dim(&inputs[SIN], 1) {
            return wrong(format!("cos is {width} wide, sin {}", dim(&inputs[SIN], 1)));
        }
        if width > 64 || width % 16 != 0 {
            return wrong(format!("the width of cos is a multiple of 16 up to 64, not {width}"));
        }
        // ATB divides, so what is left over would be ignored; this library does not compute that.
        if heads == 0 || heads.checked_mul(width) != Some(dim(&inputs[Q], 1)) {
            return wrong(format!("queries are {heads} heads of {width} wide, not {}", dim(&inputs[Q], 1)));
        }
        if more % 16 != 0 {
            return wrong(format!("what is appended has a multiple of 16 columns, not {more}"));
        }
        if (width * (3 * 6 + 8)).saturating_add(more.saturating_mul(2)) >= UNIFIED_BUFFER {
            return wrong(format!("{more} appended columns do not fit into the unified buffer"));
        }
        if inputs.iter().any(|input| input.shape.contains(&0)) {
            return wrong("no dimension is 0".to_owned());
        }
        Ok(())
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let mut output = inputs[MORE].clone();
        if let Some(columns) = output.shape.get_mut(2) {
            *columns = columns.saturating_add(dim(&inputs[COS], 1));
        }
        Ok(vec![output])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let output = &outputs[0];
        let wrong = |what: String| Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "RopeQConcat: {what}"));
        if rank(output) != 3 {
            return wrong(format!("the output has 3 dimensions, not {}", rank(output)));
        }
        if dim(output, 0) != dim(&inputs[Q], 0) {
            return wrong(format!("the output has {} tokens, not {}", dim(&inputs[Q], 0), dim(output, 0)));
        }
        let columns = dim(&inputs[COS], 1).saturating_add(dim(&inputs[MORE], 2));
        if dim(output, 2) != columns {
            return wrong(format!("the output has {columns} columns, not {}", dim(output, 2)));
        }
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let (width, heads, more) = (inputs[COS].dim(1), inputs[MORE].dim(1), inputs[MORE].dim(2));
        let (q, cos, sin) = (inputs[Q].to_f32()?, inputs[COS].to_f32()?, inputs[SIN].to_f32()?);
        let appended = inputs[MORE].to_f32()?;
        let output: Vec<f32> = (0..inputs[Q].dim(0) * heads)
            .into_par_iter()
            .flat_map_iter(|head| {
                let at = head / heads * width..(head / heads + 1) * width;
                let x = &q[head * width..][..width];
                let turned = rotate(x, &cos[at.clone()], &sin[at], width / 2, ACL_FLOAT);
                turned.into_iter().chain(appended[head * more..][..more].iter().copied())
            })
            .collect();
        outputs[0].write_f32(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, noise, run, set_up};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT16};
    use atb_sys::{ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH};
    use half::bf16;

    #[test]
    fn heads_are_rotated_and_extended() {
        let inputs = [
            Tensor::floats(ACL_BF16, &[3, 2 * 32], &noise(1, 3 * 64, 3.0)),
            Tensor::floats(ACL_BF16, &[3, 32], &noise(2, 3 * 32, 1.0)),
            Tensor::floats(ACL_BF16, &[3, 32], &noise(3, 3 * 32, 1.0)),
            Tensor::floats(ACL_BF16, &[3, 2, 16], &noise(4, 3 * 32, 9.0)),
        ];
        let output = run(&RopeQConcat, &inputs);
        assert_eq!(output[0].desc.shape, [3, 2, 48]);
        let [q, cos, sin, more] = inputs.each_ref().map(Tensor::to_f32);
        for (at, actual) in output[0].to_f32().into_iter().enumerate() {
            let (token, head, i) = (at / 96, at / 48, at % 48);
            let expected = if i >= 32 {
                more[head * 16 + i - 32]
            } else {
                let (x, angle) = (&q[head * 32..][..32], token * 32 + i);
                let other = if i < 16 { -x[i + 16] } else { x[i - 16] };
                bf16::from_f32(x[i] * cos[angle] + other * sin[angle]).to_f32()
            };
            assert_eq!(actual, expected, "element {at}");
        }
    }

    #[test]
    fn what_is_refused() {
        let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
        let good = [f16(&[4, 128]), f16(&[4, 64]), f16(&[4, 64]), f16(&[4, 2, 512])];
        let output = infer(&RopeQConcat, &good).unwrap();
        assert_eq!(output[0].shape, [4, 2, 576]);
        let wide = |width| [f16(&[4, 2 * width]), f16(&[4, width]), f16(&[4, width]), f16(&[4, 2, 512])];
        let with = |index: usize, shape: &[i64]| {
            let mut inputs = good.clone();
            inputs[index] = f16(shape);
            inputs
        };
        for inputs in [
            with(0, &[4, 2, 64]),
            with(3, &[4, 512]),
            with(1, &[5, 64]),
            with(2, &[4, 32]),
            wide(128),
            wide(8),
            with(3, &[4, 3, 512]),
            with(3, &[4, 2, 8]),
            with(3, &[4, 2, 98_176]),
            with(3, &[4, 0, 512]),
        ] {
            assert_eq!(
                infer(&RopeQConcat, &inputs).unwrap_err().status,
                ATB_ERROR_INVALID_TENSOR_DIM,
                "{inputs:?}"
            );
        }
        for shape in [&[4, 1152][..], &[5, 2, 576], &[4, 2, 512]] {
            let refused = set_up(&RopeQConcat, &good, &[f16(shape)]).unwrap_err();
            assert_eq!(refused.status, ATB_ERROR_INVALID_TENSOR_DIM);
        }
        let mixed = [good[0].clone(), good[1].clone(), TensorDesc::nd(ACL_BF16, &[4, 64]), good[3].clone()];
        assert_eq!(infer(&RopeQConcat, &mixed).unwrap_err().status, ATB_ERROR_INVALID_TENSOR_INI_MATCH);
    }
}
