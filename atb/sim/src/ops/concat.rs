//! Concat: two tensors after each other along a dimension.

use ascendcl_sim::operator::Fault;

use super::shape::{axis, product, rank};
use super::table::{self, BF16, F16};
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// `atb::infer::ConcatParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConcatParam {
    pub concat_dim: i32,
}

pub(crate) struct Concat {
    param: ConcatParam,
}

impl Concat {
    pub(crate) fn new(param: ConcatParam) -> Result<Self> {
        Ok(Self { param })
    }

    fn axis(&self, inputs: &[TensorDesc]) -> Result<usize> {
        axis(&inputs[0], self.param.concat_dim.into()).filter(|axis| *axis < rank(&inputs[1])).ok_or_else(
            || {
                refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "Concat: the inputs, of {} and {} dimensions, have no dimension {}",
                    rank(&inputs[0]),
                    rank(&inputs[1]),
                    self.param.concat_dim
                )
            },
        )
    }
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "ConcatOperation"
    }

    fn input_num(&self) -> usize {
        2
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("Concat", &[(&[F16; 2], &[F16]), (&[BF16; 2], &[BF16])], inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let axis = self.axis(inputs)?;
        let (first, second) = (&inputs[0].shape, &inputs[1].shape);
        let agree = first.len() == second.len()
            && first.iter().zip(second).enumerate().all(|(index, (a, b))| index == axis || a == b);
        if agree {
            return Ok(());
        }
        Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_DIM,
            "Concat: shapes differ only in dimension {axis}, but there are {first:?} and {second:?}"
        ))
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let axis = self.axis(inputs)?;
        let mut output = inputs[0].clone();
        output.shape[axis] = output.shape[axis].saturating_add(inputs[1].shape[axis]);
        Ok(vec![output])
    }

    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let descs: Vec<TensorDesc> = inputs.iter().map(|input| input.desc.clone()).collect();
        let axis = self.axis(&descs).map_err(|refusal| Fault::new(refusal.message))?;
        let mut output = Vec::new();
        let mut parts = Vec::new();
        for input in inputs {
            let element = element_size(input.desc.dtype).unwrap_or(0);
            let bytes = input.memory.read::<u8>(0, input.len() * element)?;
            parts.push((bytes, product(&input.desc.shape[axis..]) * element));
        }
        for row in 0..product(&inputs[0].desc.shape[..axis]) {
            for (bytes, run) in &parts {
                output.extend_from_slice(&bytes[row * run..][..*run]);
            }
        }
        outputs[0].memory.write(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT16};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
    };

    fn concat(concat_dim: i32) -> Concat {
        Concat::new(ConcatParam { concat_dim }).unwrap()
    }

    #[test]
    fn rows_interleave_when_columns_grow() {
        let a = Tensor::nd(ACL_FLOAT16, &[2, 2], &[1u16, 2, 3, 4]);
        let b = Tensor::nd(ACL_FLOAT16, &[2, 1], &[5u16, 6]);
        let output = run(&concat(-1), &[a.clone(), b]);
        assert_eq!(output[0].desc.shape, [2, 3]);
        assert_eq!(output[0].values::<u16>(), [1, 2, 5, 3, 4, 6]);
        let output = run(&concat(0), &[a.clone(), a]);
        assert_eq!(output[0].values::<u16>(), [1, 2, 3, 4, 1, 2, 3, 4]);
    }

    #[test]
    fn what_is_refused() {
        let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
        for (dim, shapes, status) in [
            (2, [f16(&[2, 2]), f16(&[2, 2])], ATB_ERROR_INVALID_PARAM),
            (-3, [f16(&[2, 2]), f16(&[2, 2])], ATB_ERROR_INVALID_PARAM),
            (1, [f16(&[2, 2]), f16(&[2])], ATB_ERROR_INVALID_PARAM),
            (1, [f16(&[2, 2]), f16(&[3, 2])], ATB_ERROR_INVALID_TENSOR_DIM),
            (0, [f16(&[2, 2]), f16(&[2])], ATB_ERROR_INVALID_TENSOR_DIM),
            (0, [f16(&[2]), TensorDesc::nd(ACL_BF16, &[2])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        ] {
            assert_eq!(infer(&concat(dim), &shapes).unwrap_err().status, status, "{dim} {shapes:?}");
        }
    }
}
