//! Slice: a part of a tensor, from an offset on in each dimension.

use ascendcl_sim::operator::Fault;

use super::shape::{dim, product, rank};
use super::table::{self, BF16, BOOL, F16, F32, I8, I32, U32};
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// `atb::infer::SliceParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SliceParam {
    /// Negative ones count from the end.
    pub offsets: Vec<i64>,
    /// -1 is all that follows.
    pub size: Vec<i64>,
}

pub(crate) struct Slice {
    param: SliceParam,
}

fn wrong(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_PARAM, "Slice: {what}")
}

impl Slice {
    pub(crate) fn new(param: SliceParam) -> Result<Self> {
        Ok(Self { param })
    }

    /// Offset and size in each dimension.
    fn parts(&self, x: &TensorDesc) -> Result<Vec<(i64, i64)>> {
        let SliceParam { offsets, size } = &self.param;
        if size.len() != offsets.len() {
            return Err(wrong(format!("there are {} offsets, but {} sizes", offsets.len(), size.len())));
        }
        if size.len() != rank(x) {
            return Err(wrong(format!("there are {} sizes for {} dimensions", size.len(), rank(x))));
        }
        let part = |(index, (offset, size)): (usize, (&i64, &i64))| {
            let whole = dim(x, index);
            let start = if *offset < 0 { offset.saturating_add(whole) } else { *offset };
            let size = if *size == -1 { whole.saturating_sub(start) } else { *size };
            let fits = start >= 0 && size >= -1 && start.checked_add(size).is_some_and(|end| end <= whole);
            if fits && size >= 0 {
                return Ok((start, size));
            }
            Err(wrong(format!("dimension {index}, {whole}, has no {size} elements from {offset} on")))
        };
        offsets.iter().zip(size).enumerate().map(part).collect()
    }
}

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "SliceOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let table = [F16, F32, I8, BOOL, I32, U32, BF16].map(|kind| [kind]);
        let table: Vec<table::Combination<'_>> = table.iter().map(|kind| (&kind[..], &kind[..])).collect();
        table::check("Slice", &table, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.parts(&inputs[0]).map(drop)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let shape = self.parts(&inputs[0])?.into_iter().map(|(_, size)| size).collect();
        Ok(vec![TensorDesc { shape, ..inputs[0].clone() }])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        for (index, (_, size)) in self.parts(&inputs[0])?.into_iter().enumerate() {
            if dim(&outputs[0], index) != size {
                return Err(refuse!(
                    ATB_ERROR_INVALID_TENSOR_DIM,
                    "Slice: dimension {index} of the output is {size}, not {}",
                    dim(&outputs[0], index)
                ));
            }
        }
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = &inputs[0];
        let parts = self.parts(x.desc).map_err(|refusal| Fault::new(refusal.message))?;
        let element = element_size(x.desc.dtype).unwrap_or(0);
        let bytes = x.memory.read::<u8>(0, x.len() * element)?;
        // Dimension by dimension from the front, the starts of what is kept.
        let mut starts = vec![0];
        let mut run = element;
        for (index, (offset, size)) in parts.iter().enumerate() {
            let stride = product(&x.desc.shape[index + 1..]) * element;
            let (offset, size) = (product(&[*offset]), product(&[*size]));
            if index + 1 == parts.len() {
                run = size * element;
                starts.iter_mut().for_each(|start| *start += offset * stride);
            } else {
                starts = starts
                    .iter()
                    .flat_map(|start| (0..size).map(move |index| start + (offset + index) * stride))
                    .collect();
            }
        }
        let output: Vec<u8> =
            starts.into_iter().flat_map(|start| &bytes[start..start + run]).copied().collect();
        outputs[0].memory.write(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run, set_up};
    use ascendcl_sys::{ACL_FLOAT16, ACL_INT64};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
    };

    fn slice(offsets: &[i64], size: &[i64]) -> Slice {
        Slice::new(SliceParam { offsets: offsets.to_vec(), size: size.to_vec() }).unwrap()
    }

    #[test]
    fn parts_are_cut_out() {
        let x: Vec<u16> = (0..2 * 3 * 4).collect();
        let x = Tensor::nd(ACL_FLOAT16, &[2, 3, 4], &x);
        let y = run(&slice(&[1, 0, 2], &[1, 2, 2]), std::slice::from_ref(&x));
        assert_eq!(y[0].desc.shape, [1, 2, 2]);
        assert_eq!(y[0].values::<u16>(), [14, 15, 18, 19]);
        let y = run(&slice(&[0, -1, 1], &[-1, -1, -1]), &[x]);
        assert_eq!(y[0].values::<u16>(), [9, 10, 11, 21, 22, 23]);
    }

    #[test]
    fn what_is_refused() {
        let x = [TensorDesc::nd(ACL_FLOAT16, &[2, 3])];
        for operation in [
            slice(&[0], &[1, 1]),
            slice(&[0], &[1]),
            slice(&[-3, 0], &[1, 1]),
            slice(&[0, 0], &[-2, 1]),
            slice(&[0, 2], &[1, 2]),
            slice(&[0, 4], &[1, -1]),
            slice(&[1, 1], &[i64::MAX, 1]),
        ] {
            assert_eq!(
                infer(&operation, &x).unwrap_err().status,
                ATB_ERROR_INVALID_PARAM,
                "{:?}",
                operation.param
            );
        }
        let output = [TensorDesc::nd(ACL_FLOAT16, &[1, 3])];
        let refused = set_up(&slice(&[0, 0], &[1, 2]), &x, &output).unwrap_err();
        assert_eq!(refused.status, ATB_ERROR_INVALID_TENSOR_DIM);
        let x = [TensorDesc::nd(ACL_INT64, &[2, 3])];
        assert_eq!(
            infer(&slice(&[0, 0], &[1, 1]), &x).unwrap_err().status,
            ATB_ERROR_INVALID_TENSOR_INI_MATCH
        );
    }
}
