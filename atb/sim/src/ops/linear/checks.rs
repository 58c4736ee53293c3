//! The shapes that products take, in the order in which ATB looks at them.

use super::Linear;
use crate::operator::{Refusal, Result, refuse};
use crate::ops::shape::{dim, dim_from_end, rank};
use crate::tensor::TensorDesc;

/// Rows of a fractal.
const FRACTAL_ROWS: i64 = 16;

fn wrong_rank(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM_NUM, "Linear: {what}")
}

fn wrong_dim(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "Linear: {what}")
}

/// `actual` must be `expected`.
fn equal(what: &str, actual: i64, expected: i64) -> Result {
    if actual == expected {
        Ok(())
    } else {
        Err(wrong_dim(format!("{what} must be {expected}, not {actual}")))
    }
}

/// The first of three dimensions, 1 of fewer; that of weights of one fractal layout too.
fn batch(desc: &TensorDesc) -> i64 {
    match rank(desc) {
        2 => 1,
        3 | 4 => dim(desc, 0),
        _ => 0,
    }
}

/// That of a vector for each matrix: `[n]` or `[batch, n]`.
fn vector_batch(desc: &TensorDesc) -> i64 {
    if rank(desc) == 1 { 1 } else { dim(desc, 0) }
}

impl Linear {
    /// Batches of `x`, and of what has its shape.
    pub(super) fn batch(&self, desc: &TensorDesc) -> i64 {
        match (self.is_ein_sum(), rank(desc)) {
            (true, 3) => dim(desc, 1),
            (true, _) => 0,
            (false, _) => batch(desc),
        }
    }

    pub(super) fn m(&self, x: &TensorDesc) -> i64 {
        if self.is_ein_sum() {
            return dim(x, 0);
        }
        dim_from_end(x, if self.param.transpose_a { 0 } else { 1 })
    }

    pub(super) fn k(&self, x: &TensorDesc) -> i64 {
        dim_from_end(x, if self.param.transpose_a { 1 } else { 0 })
    }

    /// Rows and columns of the stored weight, with those of the fractals.
    pub(super) fn weight_shape(weight: &TensorDesc) -> (i64, i64) {
        match rank(weight) {
            4 => (dim(weight, 2), dim(weight, 1).saturating_mul(dim(weight, 3))),
            _ => (dim_from_end(weight, 1), dim_from_end(weight, 0)),
        }
    }

    pub(super) fn n(&self, weight: &TensorDesc) -> i64 {
        let (rows, columns) = Self::weight_shape(weight);
        if self.param.transpose_b { rows } else { columns }
    }

    pub(super) fn weight_k(&self, weight: &TensorDesc) -> i64 {
        let (rows, columns) = Self::weight_shape(weight);
        if self.param.transpose_b { columns } else { rows }
    }

    pub(super) fn weight_batch(weight: &TensorDesc) -> i64 {
        batch(weight)
    }

    pub(super) fn check_shapes(&self, inputs: &[TensorDesc]) -> Result {
        let (x, weight, rest) = (&inputs[0], &inputs[1], &inputs[2..]);
        self.check_ranks(x, weight)?;
        self.check_batches(x, weight)?;
        equal("k of the weight", self.weight_k(weight), self.k(x))?;
        let Some(_) = self.out_data_type() else {
            check_fractals(weight, 16)?;
            return match rest {
                [bias] if self.param.has_bias => self.check_bias(bias, weight),
                [accumulator] => self.check_accumulator(accumulator, x, weight),
                _ => Ok(()),
            };
        };
        check_fractals(weight, 32)?;
        match rest {
            [bias, scale] if self.param.has_bias => {
                self.check_bias(bias, weight)?;
                self.check_scale(scale, weight)
            }
            [scale, row_scale] => self.check_row_scales(scale, row_scale, x, weight),
            [scale] => self.check_scale(scale, weight),
            _ => Ok(()),
        }
    }

    fn check_ranks(&self, x: &TensorDesc, weight: &TensorDesc) -> Result {
        if !matches!(rank(x), 2 | 3) {
            return Err(wrong_rank(format!("x has 2 or 3 dimensions, not {}", rank(x))));
        }
        let allowed: &[usize] = match (self.is_ein_sum(), weight.is_nz()) {
            (true, false) => &[3],
            (true, true) => &[4],
            (false, false) => &[2, 3],
            (false, true) => &[2, 3, 4],
        };
        if !allowed.contains(&rank(weight)) {
            return Err(wrong_rank(format!(
                "this weight has as many dimensions as one of {allowed:?}, not {}",
                rank(weight)
            )));
        }
        if rank(x) == 2 && rank(weight) == 3 {
            return Err(wrong_rank("a weight of 3 dimensions needs an x of 3"));
        }
        if self.is_per_token() && rank(x) == 3 && rank(weight) == 2 {
            return Err(wrong_rank("with quantMode PER_TOKEN, an x of 3 dimensions needs a weight of 3"));
        }
        Ok(())
    }

    fn check_batches(&self, x: &TensorDesc, weight: &TensorDesc) -> Result {
        let (batch, weight_batch) = (self.batch(x), Self::weight_batch(weight));
        let one_weight_for_all = weight_batch == 1 && rank(weight) != 3 && !self.param.transpose_a;
        if batch == weight_batch || one_weight_for_all {
            return Ok(());
        }
        Err(wrong_dim(format!("x has {batch} batches, the weight {weight_batch}")))
    }

    fn check_bias(&self, bias: &TensorDesc, weight: &TensorDesc) -> Result {
        if !matches!(rank(bias), 1 | 2) {
            return Err(wrong_rank(format!("the bias has 1 or 2 dimensions, not {}", rank(bias))));
        }
        equal("batches of the bias", vector_batch(bias), Self::weight_batch(weight))?;
        equal("n of the bias", dim_from_end(bias, 0), self.n(weight))
    }

    fn check_accumulator(&self, accumulator: &TensorDesc, x: &TensorDesc, weight: &TensorDesc) -> Result {
        if rank(accumulator) != rank(x) {
            return Err(wrong_rank("the accumulator must have as many dimensions as x"));
        }
        equal("batches of the accumulator", self.batch(accumulator), self.batch(x))?;
        equal("m of the accumulator", dim_from_end(accumulator, 1), self.m(x))?;
        equal("n of the accumulator", dim_from_end(accumulator, 0), self.n(weight))
    }

    fn check_scale(&self, scale: &TensorDesc, weight: &TensorDesc) -> Result {
        if !matches!(rank(scale), 1 | 2) {
            return Err(wrong_rank(format!("deqScale has 1 or 2 dimensions, not {}", rank(scale))));
        }
        equal("batches of deqScale", vector_batch(scale), Self::weight_batch(weight))?;
        equal("n of deqScale", dim_from_end(scale, 0), self.n(weight))
    }

    fn check_row_scales(
        &self,
        scale: &TensorDesc,
        row_scale: &TensorDesc,
        x: &TensorDesc,
        weight: &TensorDesc,
    ) -> Result {
        if rank(scale) != 1 || rank(row_scale) != 1 {
            return Err(wrong_rank("deqScale and perTokendeqScale have 1 dimension"));
        }
        equal("n of deqScale", dim(scale, 0), self.n(weight))?;
        equal("m of perTokendeqScale", dim(row_scale, 0), self.m(x))
    }

    pub(super) fn check_output(&self, inputs: &[TensorDesc], output: &TensorDesc) -> Result {
        let x = &inputs[0];
        if rank(output) != rank(x) {
            return Err(wrong_rank(format!(
                "the output has {} dimensions as x, not {}",
                rank(x),
                rank(output)
            )));
        }
        equal("batches of the output", self.batch(output), self.batch(x))?;
        let m = if self.is_ein_sum() { dim(output, 0) } else { dim_from_end(output, 1) };
        equal("m of the output", m, self.m(x))?;
        equal("n of the output", dim_from_end(output, 0), self.n(&inputs[1]))
    }
}

fn check_fractals(weight: &TensorDesc, block: i64) -> Result {
    if rank(weight) != 4 {
        return Ok(());
    }
    if dim(weight, 2) % FRACTAL_ROWS != 0 {
        return Err(wrong_dim(format!(
            "dimension 2 of the weight must be a multiple of 16, not {}",
            dim(weight, 2)
        )));
    }
    equal("dimension 3 of the weight", dim(weight, 3), block)
}
