//! Split: a tensor cut into two or three along a dimension.

use ascendcl_sim::operator::Fault;

use super::shape::{axis, dim, product};
use super::table::{self, BF16, F16, I64};
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// `atb::infer::SplitParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SplitParam {
    pub split_dim: i32,
    pub split_num: i32,
    /// Sizes of the parts, or nothing for equal ones.
    pub split_sizes: Vec<i32>,
}

pub(crate) struct Split {
    param: SplitParam,
    parts: usize,
}

fn wrong_param(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_PARAM, "Split: {what}")
}

impl Split {
    pub(crate) fn new(param: SplitParam) -> Result<Self> {
        match param.split_num {
            parts @ 2..=3 => Ok(Self { parts: parts as usize, param }),
            other => Err(wrong_param(format!("splitNum is 2 or 3, not {other}"))),
        }
    }

    /// The dimension, and the sizes of the parts in it.
    fn parts(&self, x: &TensorDesc) -> Result<(usize, Vec<i64>)> {
        let sizes = &self.param.split_sizes;
        let axis = axis(x, self.param.split_dim.into())
            .ok_or_else(|| wrong_param(format!("x has no dimension {}", self.param.split_dim)))?;
        let whole = dim(x, axis);
        if sizes.is_empty() {
            if whole % self.parts as i64 != 0 {
                return Err(refuse!(
                    ATB_ERROR_INVALID_TENSOR_DIM,
                    "Split: {} parts are no divisor of dimension {axis}, {whole}",
                    self.parts
                ));
            }
            return Ok((axis, vec![whole / self.parts as i64; self.parts]));
        }
        if self.param.split_dim < 0 {
            return Err(wrong_param("with splitSizes, splitDim does not count from the end"));
        }
        if sizes.len() != self.parts {
            return Err(wrong_param(format!(
                "splitNum is {}, but there are {} splitSizes",
                self.parts,
                sizes.len()
            )));
        }
        if let Some(size) = sizes.iter().find(|size| **size < 1) {
            return Err(wrong_param(format!("splitSizes has {size}")));
        }
        let sizes: Vec<i64> = sizes.iter().map(|size| i64::from(*size)).collect();
        if sizes.iter().sum::<i64>() != whole {
            return Err(wrong_param(format!(
                "splitSizes {sizes:?} do not add up to dimension {axis}, {whole}"
            )));
        }
        Ok((axis, sizes))
    }
}

impl Operator for Split {
    fn name(&self) -> &'static str {
        "SplitOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        self.parts
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let two = [(&[F16][..], &[F16; 2][..]), (&[I64], &[I64; 2]), (&[BF16], &[BF16; 2])];
        let three = [(&[F16][..], &[F16; 3][..]), (&[BF16], &[BF16; 3])];
        table::check("Split", if self.parts == 2 { &two } else { &three }, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.parts(&inputs[0]).map(drop)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let (axis, sizes) = self.parts(&inputs[0])?;
        let part = |size| {
            let mut part = inputs[0].clone();
            part.shape[axis] = size;
            part
        };
        Ok(sizes.into_iter().map(part).collect())
    }

    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = &inputs[0];
        let (axis, sizes) = self.parts(x.desc).map_err(|refusal| Fault::new(refusal.message))?;
        let element = element_size(x.desc.dtype).unwrap_or(0);
        let bytes = x.memory.read::<u8>(0, x.len() * element)?;
        let inner = product(&x.desc.shape[axis + 1..]) * element;
        let run = product(&x.desc.shape[axis..=axis]) * inner;
        let mut start = 0;
        for (size, output) in sizes.iter().zip(outputs) {
            let length = product(&[*size]) * inner;
            let part: Vec<u8> =
                bytes.chunks(run.max(1)).flat_map(|run| &run[start..start + length]).copied().collect();
            output.memory.write(0, &part)?;
            start += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::concat::{Concat, ConcatParam};
    use crate::ops::harness::{Tensor, infer, run};
    use ascendcl_sys::{ACL_FLOAT16, ACL_INT8, ACL_INT64};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
    };
    use proptest::prelude::*;

    fn split(split_dim: i32, split_num: i32, sizes: &[i32]) -> Split {
        Split::new(SplitParam { split_dim, split_num, split_sizes: sizes.to_vec() }).unwrap()
    }

    #[test]
    fn columns_are_dealt_out() {
        let x: Vec<u16> = (0..2 * 6).collect();
        let x = Tensor::nd(ACL_FLOAT16, &[2, 6], &x);
        let parts = run(&split(1, 3, &[1, 3, 2]), std::slice::from_ref(&x));
        assert_eq!(parts[0].values::<u16>(), [0, 6]);
        assert_eq!(parts[1].values::<u16>(), [1, 2, 3, 7, 8, 9]);
        assert_eq!(parts[2].values::<u16>(), [4, 5, 10, 11]);
        assert_eq!(parts[1].desc.shape, [2, 3]);
        let parts = run(&split(-2, 2, &[]), &[x]);
        assert_eq!(parts[1].values::<u16>(), [6, 7, 8, 9, 10, 11], "equal parts, a dimension from the end");
    }

    #[test]
    fn what_is_refused() {
        for split_num in [-1, 0, 1, 4] {
            let refused = Split::new(SplitParam { split_dim: 0, split_num, split_sizes: vec![] });
            assert_eq!(refused.err().unwrap().status, ATB_ERROR_INVALID_PARAM);
        }
        let x = [TensorDesc::nd(ACL_FLOAT16, &[4, 6])];
        for (operation, status) in [
            (split(2, 2, &[]), ATB_ERROR_INVALID_PARAM),
            (split(-3, 2, &[]), ATB_ERROR_INVALID_PARAM),
            (split(0, 3, &[]), ATB_ERROR_INVALID_TENSOR_DIM),
            (split(-1, 2, &[3, 3]), ATB_ERROR_INVALID_PARAM),
            (split(1, 2, &[2, 2, 2]), ATB_ERROR_INVALID_PARAM),
            (split(1, 2, &[0, 6]), ATB_ERROR_INVALID_PARAM),
            (split(1, 2, &[3, 4]), ATB_ERROR_INVALID_PARAM),
        ] {
            assert_eq!(infer(&operation, &x).unwrap_err().status, status, "{:?}", operation.param);
        }
        let types = |dtype, parts| split(0, parts, &[]).check_types(&[TensorDesc::nd(dtype, &[6])], &[]);
        assert_eq!(types(ACL_INT64, 2), Ok(()));
        for (dtype, parts) in [(ACL_INT64, 3), (ACL_INT8, 2)] {
            assert_eq!(types(dtype, parts).unwrap_err().status, ATB_ERROR_INVALID_TENSOR_INI_MATCH);
        }
    }

    proptest! {
        #[test]
        fn concat_puts_together_what_split_took_apart(
            dims in proptest::collection::vec(1i64..5, 1..5), axis: prop::sample::Index, cut: prop::sample::Index,
        ) {
            let mut dims = dims;
            let axis = axis.index(dims.len());
            dims[axis] += 1;
            let cut = cut.index(dims[axis] as usize - 1) as i32 + 1;
            let values: Vec<u16> = (0..product(&dims) as u16).collect();
            let operation = split(axis as i32, 2, &[cut, dims[axis] as i32 - cut]);
            let parts = run(&operation, &[Tensor::nd(ACL_FLOAT16, &dims, &values)]);
            let whole = run(&Concat::new(ConcatParam { concat_dim: axis as i32 }).unwrap(), &parts);
            prop_assert_eq!(&whole[0].desc.shape, &dims);
            prop_assert_eq!(whole[0].values::<u16>(), values);
        }
    }
}
