//! Gather: elements of a dimension, chosen by indices. An index that the dimension does not have is a fault of the device.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_INT64, ACL_UINT32};

use super::shape::{dim, product, rank};
use super::table::{self, BF16, F16, F32, I32, I64, U32};
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// `atb::infer::GatherParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GatherParam {
    pub axis: i64,
    /// Leading dimensions that data and indices share.
    pub batch_dims: i64,
}

pub(crate) struct Gather {
    axis: usize,
    batch_dims: usize,
}

/// The most dimensions of a tensor.
const MAX_DIM: usize = 8;

impl Gather {
    pub(crate) fn new(param: GatherParam) -> Result<Self> {
        let GatherParam { axis, batch_dims } = param;
        match (usize::try_from(axis), usize::try_from(batch_dims)) {
            (Ok(axis), Ok(batch_dims)) if batch_dims <= axis => Ok(Self { axis, batch_dims }),
            _ => Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Gather: 0 <= batchDims <= axis does not hold of {batch_dims} and {axis}"
            )),
        }
    }

    /// The shape of the output, for inputs that passed the checks.
    fn shape(&self, x: &TensorDesc, indices: &TensorDesc) -> Vec<i64> {
        [&x.shape[..self.axis], &indices.shape[self.batch_dims..], &x.shape[self.axis + 1..]].concat()
    }
}

impl Operator for Gather {
    fn name(&self) -> &'static str {
        "GatherOperation"
    }

    fn input_num(&self) -> usize {
        2
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let kinds = [F16, BF16, I32, F32, U32, I64]
            .into_iter()
            .flat_map(|data| [I64, I32, U32].map(|index| ([data, index], [data])));
        let kinds: Vec<_> = kinds.collect();
        let table: Vec<table::Combination<'_>> =
            kinds.iter().map(|(takes, gives)| (&takes[..], &gives[..])).collect();
        table::check("Gather", &table, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let (x, indices) = (&inputs[0], &inputs[1]);
        if self.axis >= rank(x) || self.batch_dims > rank(indices) {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Gather: x, of {} dimensions, has no dimension {}, or the indices, of {}, have no {} of batches",
                rank(x),
                self.axis,
                rank(indices),
                self.batch_dims
            ));
        }
        if rank(x) + rank(indices) - 1 - self.batch_dims > MAX_DIM {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "Gather: the output would have {} dimensions, at most {MAX_DIM} are possible",
                rank(x) + rank(indices) - 1 - self.batch_dims
            ));
        }
        if x.shape[..self.batch_dims] != indices.shape[..self.batch_dims] {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "Gather: the first {} dimensions of {:?} and {:?} must agree",
                self.batch_dims,
                x.shape,
                indices.shape
            ));
        }
        Ok(())
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        Ok(vec![TensorDesc { shape: self.shape(&inputs[0], &inputs[1]), ..inputs[0].clone() }])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let shape = self.shape(&inputs[0], &inputs[1]);
        if rank(&outputs[0]) != shape.len() {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "Gather: the output has {} dimensions, not {}",
                shape.len(),
                rank(&outputs[0])
            ));
        }
        match shape.iter().enumerate().find(|(index, size)| dim(&outputs[0], *index) != **size) {
            Some((index, size)) => Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "Gather: dimension {index} of the output is {size}, not {}",
                dim(&outputs[0], index)
            )),
            None => Ok(()),
        }
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let (x, shape) = (&inputs[0], &inputs[0].desc.shape);
        let indices = indices(&inputs[1])?;
        let element = element_size(x.desc.dtype).unwrap_or(0);
        let bytes = x.memory.read::<u8>(0, x.len() * element)?;
        let run = product(&shape[self.axis + 1..]) * element;
        let size = product(&shape[self.axis..=self.axis]);
        let batches = product(&shape[..self.batch_dims]);
        let outer = product(&shape[self.batch_dims..self.axis]);
        let each = indices.len() / batches.max(1);
        let mut output = Vec::new();
        for batch in 0..batches {
            for outer_index in 0..outer {
                for index in &indices[batch * each..][..each] {
                    let index =
                        usize::try_from(*index).ok().filter(|index| *index < size).ok_or_else(|| {
                            Fault::new(format!(
                                "Gather: index {index} is beyond dimension {}, {size}",
                                self.axis
                            ))
                        })?;
                    let start = ((batch * outer + outer_index) * size + index) * run;
                    output.extend_from_slice(&bytes[start..start + run]);
                }
            }
        }
        outputs[0].memory.write(0, &output)
    }
}

fn indices(operand: &Operand<'_>) -> std::result::Result<Vec<i64>, Fault> {
    let len = operand.len();
    Ok(match operand.desc.dtype {
        ACL_INT64 => operand.memory.read(0, len)?,
        ACL_UINT32 => operand.memory.read::<u32>(0, len)?.into_iter().map(i64::from).collect(),
        _ => operand.memory.read::<i32>(0, len)?.into_iter().map(i64::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run, run_into, set_up};
    use ascendcl_sys::{ACL_FLOAT16, ACL_INT8, ACL_INT32};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ATB_ERROR_INVALID_TENSOR_INI_MATCH,
    };

    fn gather(axis: i64, batch_dims: i64) -> Gather {
        Gather::new(GatherParam { axis, batch_dims }).unwrap()
    }

    #[test]
    fn rows_are_chosen() {
        let x: Vec<u16> = (0..2 * 3 * 2).collect();
        let x = Tensor::nd(ACL_FLOAT16, &[2, 3, 2], &x);
        let indices = Tensor::nd(ACL_INT32, &[2, 2], &[2i32, 0, 1, 1]);
        let y = run(&gather(1, 0), &[x.clone(), indices.clone()]);
        assert_eq!(y[0].desc.shape, [2, 2, 2, 2]);
        assert_eq!(y[0].values::<u16>(), [4, 5, 0, 1, 2, 3, 2, 3, 10, 11, 6, 7, 8, 9, 8, 9]);
        let y = run(&gather(1, 1), &[x.clone(), indices]);
        assert_eq!(y[0].desc.shape, [2, 2, 2]);
        assert_eq!(y[0].values::<u16>(), [4, 5, 0, 1, 8, 9, 8, 9], "indices of the batch's own");
        for index in [3u32, u32::MAX] {
            let indices = Tensor::nd(ACL_UINT32, &[1], &[index]);
            let output = Tensor::blank(TensorDesc::nd(ACL_FLOAT16, &[2, 1, 2]));
            assert!(run_into(&gather(1, 0), &[x.clone(), indices], &[output]).is_err());
        }
    }

    #[test]
    fn what_is_refused() {
        for (axis, batch_dims) in [(-1, 0), (0, -1), (0, 1)] {
            let refused = Gather::new(GatherParam { axis, batch_dims });
            assert_eq!(refused.err().unwrap().status, ATB_ERROR_INVALID_PARAM);
        }
        let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
        let i32 = |shape: &[i64]| TensorDesc::nd(ACL_INT32, shape);
        for (operation, inputs, status) in [
            (gather(2, 0), [f16(&[2, 2]), i32(&[2])], ATB_ERROR_INVALID_PARAM),
            (gather(2, 2), [f16(&[2, 2, 2]), i32(&[2])], ATB_ERROR_INVALID_PARAM),
            (gather(0, 0), [f16(&[1; 5]), i32(&[1; 5])], ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (gather(1, 1), [f16(&[2, 2]), i32(&[3, 1])], ATB_ERROR_INVALID_TENSOR_DIM),
            (gather(0, 0), [TensorDesc::nd(ACL_INT8, &[2]), i32(&[2])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        ] {
            assert_eq!(infer(&operation, &inputs).unwrap_err().status, status, "{inputs:?}");
        }
        let inputs = [f16(&[4, 2]), i32(&[3])];
        for (output, status) in
            [(&[3][..], ATB_ERROR_INVALID_TENSOR_DIM_NUM), (&[4, 2], ATB_ERROR_INVALID_TENSOR_DIM)]
        {
            assert_eq!(set_up(&gather(0, 0), &inputs, &[f16(output)]).unwrap_err().status, status);
        }
    }
}
