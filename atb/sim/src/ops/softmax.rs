//! Softmax over neighbouring dimensions.
//!
//! The largest value is taken off, exponentials and their sum are f32, and the quotient is rounded once.

use ascendcl_sim::operator::Fault;
use rayon::prelude::*;

use super::shape::{axis, product, rank};
use super::table::{self, BF16, F16, F32};
use crate::arithmetic::rms_norm::sum;
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// `atb::infer::SoftmaxParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SoftmaxParam {
    pub axes: Vec<i64>,
}

pub(crate) struct Softmax {
    param: SoftmaxParam,
}

impl Softmax {
    pub(crate) fn new(param: SoftmaxParam) -> Result<Self> {
        Ok(Self { param })
    }

    /// The first dimension, and the one after the last.
    fn range(&self, x: &TensorDesc) -> Result<(usize, usize)> {
        let axes = &self.param.axes;
        let wrong = |what: &str| {
            refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Softmax: axes {what}, which {axes:?} do not of {} dimensions",
                rank(x)
            )
        };
        let (Some(first), Some(last)) = (axes.first(), axes.last()) else {
            return Err(wrong("name a dimension"));
        };
        if axes.windows(2).any(|pair| pair[0].checked_add(1) != Some(pair[1]) || pair[1] == 0) {
            return Err(wrong("follow each other"));
        }
        if axes.iter().any(|dim| *dim < -1) {
            return Err(wrong("are -1 or more"));
        }
        match (axis(x, *first), axis(x, *last)) {
            (Some(first), Some(last)) => Ok((first, last + 1)),
            _ => Err(wrong("exist")),
        }
    }
}

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "SoftmaxOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("Softmax", &[(&[F16], &[F16]), (&[F32], &[F32]), (&[BF16], &[BF16])], inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.range(&inputs[0]).map(drop)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        Ok(vec![inputs[0].clone()])
    }

    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = &inputs[0];
        let (first, end) = self.range(x.desc).map_err(|refusal| Fault::new(refusal.message))?;
        let inner = product(&x.desc.shape[end..]);
        let size = product(&x.desc.shape[first..end]);
        let mut values = x.to_f32()?;
        values.par_chunks_mut((size * inner).max(1)).for_each(|block| {
            for start in 0..inner {
                let row: Vec<f32> = block[start..].iter().step_by(inner).copied().collect();
                let weights = softmax(&row);
                block[start..]
                    .iter_mut()
                    .step_by(inner)
                    .zip(weights)
                    .for_each(|(value, weight)| *value = weight);
            }
        });
        outputs[0].write_f32(0, &values)
    }
}

/// The softmax of a row.
fn softmax(row: &[f32]) -> Vec<f32> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = row.iter().map(|x| f64::from(x - largest).exp() as f32).collect();
    let total = sum(powers.clone());
    powers.into_iter().map(|power| power / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, noise, run};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT, ACL_FLOAT16, ACL_INT8};
    use atb_sys::{ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_INI_MATCH};

    fn over(axes: &[i64]) -> Softmax {
        Softmax::new(SoftmaxParam { axes: axes.to_vec() }).unwrap()
    }

    #[test]
    fn each_group_is_the_formula() {
        for (dtype, step) in [(ACL_FLOAT, 1e-6), (ACL_FLOAT16, 5e-4), (ACL_BF16, 4e-3)] {
            let x = Tensor::floats(dtype, &[2, 3, 4, 5], &noise(1, 120, 30.0));
            for (axes, group) in [
                (&[-1][..], (|at: usize| at / 5) as fn(usize) -> usize),
                (&[1], |at| at / 60 * 20 + at % 20),
                (&[1, 2], |at| at / 60 * 5 + at % 5),
                (&[0, 1, 2, 3], |_| 0),
            ] {
                let y = run(&over(axes), std::slice::from_ref(&x))[0].to_f32();
                let x = x.to_f32();
                for (at, actual) in y.into_iter().enumerate() {
                    let members = (0..120).filter(|other| group(*other) == group(at));
                    let total: f64 = members.map(|other| f64::from(x[other] - x[at]).exp()).sum();
                    let expected = 1.0 / total;
                    assert!((f64::from(actual) - expected).abs() <= step * expected + 1e-7, "{axes:?} {at}");
                }
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let x = [TensorDesc::nd(ACL_FLOAT16, &[2, 3])];
        for axes in [&[][..], &[2], &[-2], &[0, 0], &[1, 0], &[-1, 0], &[1, 2]] {
            assert_eq!(infer(&over(axes), &x).unwrap_err().status, ATB_ERROR_INVALID_PARAM, "{axes:?}");
        }
        let x = [TensorDesc::nd(ACL_INT8, &[2, 3])];
        assert_eq!(infer(&over(&[-1]), &x).unwrap_err().status, ATB_ERROR_INVALID_TENSOR_INI_MATCH);
    }
}
