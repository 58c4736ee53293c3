//! Transdata: from rows to FRACTAL_NZ and back. Padding is zeros; on the way back it is cropped.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_FORMAT_FRACTAL_NZ, ACL_FORMAT_ND, ACL_INT8};

use super::shape::{dim, product, rank};
use super::table::{self, BF16, BF16_NZ, F16, F16_NZ, I8, I8_NZ};
use crate::arithmetic::nz::Nz;
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

pub(crate) const FRACTAL_NZ_TO_ND: i32 = 1;
pub(crate) const ND_TO_FRACTAL_NZ: i32 = 2;

/// `atb::infer::TransdataParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TransdataParam {
    pub transdata_type: i32,
    /// Rows and columns that are left of a FRACTAL_NZ matrix.
    pub out_crops: [i64; 2],
}

pub(crate) struct Transdata {
    param: TransdataParam,
}

fn round_up(value: i64, to: i64) -> i64 {
    value.saturating_add(to - 1) / to * to
}

impl Transdata {
    pub(crate) fn new(param: TransdataParam) -> Result<Self> {
        Ok(Self { param })
    }

    fn to_nz(&self) -> bool {
        self.param.transdata_type == ND_TO_FRACTAL_NZ
    }

    /// Crops take off less than a fractal.
    fn check_crops(&self, x: &TensorDesc) -> Result {
        let sizes = [dim(x, 2), dim(x, 1).saturating_mul(dim(x, 3))];
        for (crop, size) in self.param.out_crops.into_iter().zip(sizes) {
            let upper = round_up(size, 16);
            if crop > upper || crop <= upper - 16 {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "Transdata: outCrops are above {} and at most {upper} here, not {crop}",
                    upper - 16
                ));
            }
        }
        Ok(())
    }
}

/// Matrices of a tensor of 2 or 3 dimensions, their rows and columns.
fn matrices(shape: &[i64]) -> (i64, i64, i64) {
    match *shape {
        [rows, columns] => (1, rows, columns),
        [batches, rows, columns, ..] => (batches, rows, columns),
        _ => (0, 0, 0),
    }
}

impl Operator for Transdata {
    fn name(&self) -> &'static str {
        "TransdataOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let to_nz = [(&[F16][..], &[F16_NZ][..]), (&[I8], &[I8_NZ]), (&[BF16], &[BF16_NZ])];
        let to_nd = [(&[F16_NZ][..], &[F16][..]), (&[BF16_NZ], &[BF16])];
        table::check("Transdata", if self.to_nz() { &to_nz } else { &to_nd }, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let dims = rank(&inputs[0]);
        match self.param.transdata_type {
            ND_TO_FRACTAL_NZ if matches!(dims, 2 | 3) => Ok(()),
            FRACTAL_NZ_TO_ND if dims == 4 => self.check_crops(&inputs[0]),
            ND_TO_FRACTAL_NZ | FRACTAL_NZ_TO_ND => Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "Transdata: rows have 2 or 3 dimensions, fractals 4, not {dims}"
            )),
            other => Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Transdata: transdataType is FRACTAL_NZ_TO_ND (1) or ND_TO_FRACTAL_NZ (2), not {other}"
            )),
        }
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let x = &inputs[0];
        if self.to_nz() {
            let (batches, rows, columns) = matrices(&x.shape);
            let block = if x.dtype == ACL_INT8 { 32 } else { 16 };
            let shape = vec![batches, round_up(columns, block) / block, round_up(rows, 16), block];
            return Ok(vec![TensorDesc { dtype: x.dtype, format: ACL_FORMAT_FRACTAL_NZ, shape }]);
        }
        let [rows, columns] = self.param.out_crops;
        let shape = vec![dim(x, 0), rows, columns];
        Ok(vec![TensorDesc { dtype: x.dtype, format: ACL_FORMAT_ND, shape }])
    }

    fn check_outputs(&self, _: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let expected = if self.to_nz() { 4 } else { 3 };
        if rank(&outputs[0]) == expected {
            return Ok(());
        }
        Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_DIM,
            "Transdata: the output has {expected} dimensions, not {}",
            rank(&outputs[0])
        ))
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = &inputs[0];
        let size = element_size(x.desc.dtype).filter(|size| matches!(size, 1 | 2)).unwrap_or(2);
        let bytes = x.memory.read::<u8>(0, x.len() * size)?;
        let [rows, columns] = self.param.out_crops;
        let plain = if self.to_nz() { matrices(&x.desc.shape) } else { (dim(x.desc, 0), rows, columns) };
        let [batches, rows, columns] = [plain.0, plain.1, plain.2].map(|dim| product(&[dim]));
        let nz = match self.to_nz() {
            true => Nz::new(rows, size),
            false => Nz { rows: x.dim(2), block: x.dim(3) },
        };
        let fractals = if self.to_nz() { nz.len(columns) } else { product(&x.desc.shape[1..]) };
        let (from, to) = if self.to_nz() { (rows * columns, fractals) } else { (fractals, rows * columns) };
        let mut output = vec![0; batches * to * size];
        for batch in 0..batches {
            for row in 0..rows {
                for column in (0..columns).step_by(nz.block.max(1)) {
                    let (plain, fractal) = (row * columns + column, nz.position(row, column));
                    let (source, target) = if self.to_nz() { (plain, fractal) } else { (fractal, plain) };
                    let run = nz.block.min(columns - column) * size;
                    let (source, target) = ((batch * from + source) * size, (batch * to + target) * size);
                    output[target..target + run].copy_from_slice(&bytes[source..source + run]);
                }
            }
        }
        outputs[0].memory.write(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run, set_up};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT16};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
    };
    use proptest::prelude::*;

    fn transdata(transdata_type: i32, out_crops: [i64; 2]) -> Transdata {
        Transdata::new(TransdataParam { transdata_type, out_crops }).unwrap()
    }

    proptest! {
        #[test]
        fn fractals_are_where_the_formula_says(batches in 1i64..3, rows in 1i64..40, columns in 1i64..70, int8: bool) {
            let (dtype, size, block) = if int8 { (ACL_INT8, 1, 32) } else { (ACL_FLOAT16, 2, 16) };
            let bytes: Vec<u8> = (0..batches as usize * rows as usize * columns as usize * size).map(|i| (i % 251) as u8 + 1).collect();
            let x = Tensor::nd(dtype, &[batches, rows, columns], &bytes);
            let output = run(&transdata(ND_TO_FRACTAL_NZ, [0, 0]), &[x]).remove(0);
            let (r, c) = (rows as usize, columns as usize);
            let padded = r.div_ceil(16) * 16;
            prop_assert_eq!(&output.desc.shape, &[batches, (columns + block - 1) / block, padded as i64, block]);
            let stored = output.values::<u8>();
            let block = block as usize;
            let mut expected = vec![0u8; stored.len()];
            let matrix = c.div_ceil(block) * block * padded;
            for batch in 0..batches as usize {
                for row in 0..r {
                    for column in 0..c {
                        let to = batch * matrix + column / block * padded * block + row * block + column % block;
                        let from = (batch * r + row) * c + column;
                        expected[to * size..][..size].copy_from_slice(&bytes[from * size..][..size]);
                    }
                }
            }
            prop_assert_eq!(stored, expected);
            if !int8 {
                let back = run(&transdata(FRACTAL_NZ_TO_ND, [rows, columns]), &[output]);
                prop_assert_eq!(&back[0].desc.shape, &[batches, rows, columns]);
                prop_assert_eq!(back[0].values::<u8>(), bytes);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let nd = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
        let nz = |shape: &[i64]| TensorDesc::nz(ACL_BF16, shape);
        let (param, dim) = (ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM);
        for (operation, input, status) in [
            (transdata(ND_TO_FRACTAL_NZ, [0, 0]), nd(&[16]), dim),
            (transdata(ND_TO_FRACTAL_NZ, [0, 0]), nd(&[1, 1, 16, 16]), dim),
            (transdata(ND_TO_FRACTAL_NZ, [0, 0]), nz(&[16, 16]), ATB_ERROR_INVALID_TENSOR_INI_MATCH),
            (transdata(FRACTAL_NZ_TO_ND, [16, 16]), nz(&[1, 16, 16]), dim),
            (transdata(FRACTAL_NZ_TO_ND, [0, 16]), nz(&[1, 1, 16, 16]), param),
            (transdata(FRACTAL_NZ_TO_ND, [17, 16]), nz(&[1, 1, 16, 16]), param),
            (transdata(FRACTAL_NZ_TO_ND, [16, 16]), nz(&[1, 2, 16, 16]), param),
            (transdata(0, [16, 16]), nz(&[1, 1, 16, 16]), param),
        ] {
            assert_eq!(
                infer(&operation, std::slice::from_ref(&input)).unwrap_err().status,
                status,
                "{input:?}"
            );
        }
        let input = [nd(&[16, 16])];
        let operation = transdata(ND_TO_FRACTAL_NZ, [0, 0]);
        assert_eq!(set_up(&operation, &input, &[nz(&[16, 16])]).unwrap_err().status, dim);
        assert_eq!(set_up(&operation, &input, &[nz(&[1, 1, 16, 16])]), Ok(()));
    }
}
