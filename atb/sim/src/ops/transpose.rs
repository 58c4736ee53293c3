//! Transpose: the dimensions of a tensor in another order.

use ascendcl_sim::operator::Fault;

use super::shape::{product, rank};
use super::table::{self, BF16, F16, I8, I32, I64};
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// `atb::infer::TransposeParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TransposeParam {
    /// The input's dimension that each dimension of the output is.
    pub perm: Vec<i32>,
}

pub(crate) struct Transpose {
    param: TransposeParam,
}

impl Transpose {
    pub(crate) fn new(param: TransposeParam) -> Result<Self> {
        Ok(Self { param })
    }

    /// `perm`, if it has each dimension once.
    fn permutation(&self, x: &TensorDesc) -> Result<Vec<usize>> {
        let perm = &self.param.perm;
        let wrong = || {
            refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Transpose: perm has each of the {} dimensions of the input once, which {perm:?} has not",
                rank(x)
            )
        };
        let mut seen = vec![false; rank(x)];
        let mut dims = Vec::new();
        for dim in perm {
            let dim = usize::try_from(*dim).map_err(|_| wrong())?;
            match seen.get_mut(dim) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(wrong()),
            }
            dims.push(dim);
        }
        if dims.is_empty() || dims.len() != rank(x) { Err(wrong()) } else { Ok(dims) }
    }
}

impl Operator for Transpose {
    fn name(&self) -> &'static str {
        "TransposeOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let table = [F16, I64, BF16, I8, I32].map(|kind| [kind]);
        let table: Vec<table::Combination<'_>> = table.iter().map(|kind| (&kind[..], &kind[..])).collect();
        table::check("Transpose", &table, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.permutation(&inputs[0]).map(drop)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let shape = self.permutation(&inputs[0])?.into_iter().map(|dim| inputs[0].shape[dim]).collect();
        Ok(vec![TensorDesc { shape, ..inputs[0].clone() }])
    }

    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = &inputs[0];
        let perm = self.permutation(x.desc).map_err(|refusal| Fault::new(refusal.message))?;
        let element = element_size(x.desc.dtype).unwrap_or(0);
        let bytes = x.memory.read::<u8>(0, x.len() * element)?;
        // What follows the dimensions that move stays together.
        let still = perm.iter().enumerate().rev().take_while(|(index, dim)| index == *dim).count();
        let moving = perm.len() - still;
        let run = product(&x.desc.shape[moving..]) * element;
        let strides: Vec<usize> =
            perm[..moving].iter().map(|dim| product(&x.desc.shape[dim + 1..]) * element).collect();
        let sizes: Vec<usize> = perm[..moving].iter().map(|dim| product(&[x.desc.shape[*dim]])).collect();
        let mut output = Vec::with_capacity(bytes.len());
        let mut place = vec![0; moving];
        while output.len() < bytes.len() {
            let from: usize = place.iter().zip(&strides).map(|(index, stride)| index * stride).sum();
            output.extend_from_slice(&bytes[from..][..run]);
            for (index, size) in place.iter_mut().zip(&sizes).rev() {
                *index += 1;
                if *index < *size {
                    break;
                }
                *index = 0;
            }
        }
        outputs[0].memory.write(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run};
    use ascendcl_sys::{ACL_FLOAT, ACL_FLOAT16, ACL_INT64};
    use atb_sys::{ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_INI_MATCH};
    use proptest::prelude::*;

    fn transpose(perm: &[i32]) -> Transpose {
        Transpose::new(TransposeParam { perm: perm.to_vec() }).unwrap()
    }

    #[test]
    fn rows_become_columns() {
        let x = Tensor::nd(ACL_INT64, &[2, 3], &[1i64, 2, 3, 4, 5, 6]);
        let output = run(&transpose(&[1, 0]), &[x]);
        assert_eq!(output[0].desc.shape, [3, 2]);
        assert_eq!(output[0].values::<i64>(), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn what_is_refused() {
        let x = [TensorDesc::nd(ACL_FLOAT16, &[2, 3])];
        for perm in [&[][..], &[0], &[0, 0], &[0, 2], &[-1, 0], &[0, 1, 2]] {
            assert_eq!(infer(&transpose(perm), &x).unwrap_err().status, ATB_ERROR_INVALID_PARAM, "{perm:?}");
        }
        let x = [TensorDesc::nd(ACL_FLOAT, &[2, 3])];
        assert_eq!(infer(&transpose(&[1, 0]), &x).unwrap_err().status, ATB_ERROR_INVALID_TENSOR_INI_MATCH);
    }

    proptest! {
        #[test]
        fn elements_are_where_their_indices_say(
            dims in proptest::collection::vec(1i64..5, 1..5), seed in any::<u64>(),
        ) {
            let mut perm: Vec<i32> = (0..dims.len() as i32).collect();
            for i in (1..perm.len()).rev() {
                perm.swap(i, (seed >> (8 * i)) as usize % (i + 1));
            }
            let values: Vec<u16> = (0..product(&dims) as u16).collect();
            let output = run(&transpose(&perm), &[Tensor::nd(ACL_FLOAT16, &dims, &values)]);
            let shape = &output[0].desc.shape;
            let output = output[0].values::<u16>();
            for (position, value) in output.iter().enumerate() {
                // The element's index in the output, dimension by dimension, names its index in the input.
                let mut rest = position;
                let mut from = vec![0; dims.len()];
                for (dim, size) in shape.iter().enumerate().rev() {
                    from[perm[dim] as usize] = rest % *size as usize;
                    rest /= *size as usize;
                }
                let from = from.iter().zip(&dims).fold(0, |at, (index, size)| at * *size as usize + index);
                prop_assert_eq!(*value, values[from]);
            }
        }
    }
}
