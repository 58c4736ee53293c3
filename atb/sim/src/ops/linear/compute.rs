//! The products.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::ACL_FLOAT;
use rayon::prelude::*;

use super::Linear;
use crate::arithmetic::matmul::{Element, Weight};
use crate::arithmetic::nz::Nz;
use crate::arithmetic::quantize;
use crate::tensor::{Operand, element_size};

/// How a call breaks down into matrices: `weights` times `rows` rows of `x`.
struct Plan {
    /// Matrices of `x`.
    batches: usize,
    /// Matrices of the weight: one for each of `x`, or one for all.
    weights: usize,
    m: usize,
    k: usize,
    n: usize,
    /// Dimensions of the stored weight.
    rows: usize,
    columns: usize,
    nz: Option<Nz>,
}

fn size(dim: i64) -> usize {
    usize::try_from(dim).unwrap_or(0)
}

impl Linear {
    fn plan(&self, x: &Operand<'_>, weight: &Operand<'_>) -> Result<Plan, Fault> {
        let (rows, columns) = Self::weight_shape(weight.desc);
        let bytes = element_size(weight.desc.dtype).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| Fault::new("Linear: the weight has no type"))?;
        Ok(Plan {
            batches: size(self.batch(x.desc)),
            weights: size(Self::weight_batch(weight.desc)).max(1),
            m: size(self.m(x.desc)),
            k: size(self.k(x.desc)),
            n: size(self.n(weight.desc)),
            rows: size(rows),
            columns: size(columns),
            nz: weight.desc.is_nz().then(|| Nz::new(size(rows), bytes)),
        })
    }

    /// The products of all matrices, in the order of the output.
    fn products<T: Element>(&self, plan: &Plan, x: &[T], weight: &[T]) -> Result<Vec<T::Sum>, Fault> {
        let Plan { batches, weights, m, k, n, .. } = *plan;
        let len = plan.nz.map_or(plan.rows * plan.columns, |nz| nz.len(plan.columns));
        if weight.len() < weights * len || x.len() != batches * m * k {
            return Err(Fault::new(format!(
                "Linear: {weights} weights of {len} elements and {batches} matrices of {m} x {k} are more than the tensors have"
            )));
        }
        let mut output = vec![T::Sum::default(); batches * m * n];
        for batch in 0..batches {
            let matrix: Vec<T> = (0..m * k)
                .map(|i| {
                    let (row, column) = (i / k, i % k);
                    x[if self.is_ein_sum() {
                        (row * batches + batch) * k + column
                    } else if self.param.transpose_a {
                        (batch * k + column) * m + row
                    } else {
                        (batch * m + row) * k + column
                    }]
                })
                .collect();
            let values = &weight[if weights == 1 { 0 } else { batch * len }..][..len];
            let weight = Weight { values, k, n, transposed: self.param.transpose_b, nz: plan.nz };
            for (row, product) in weight.product(&matrix, m).chunks(n.max(1)).enumerate() {
                let at = if self.is_ein_sum() { row * batches + batch } else { batch * m + row };
                output[at * n..][..n].copy_from_slice(product);
            }
        }
        Ok(output)
    }

    pub(super) fn compute(&self, inputs: &[Operand<'_>], output: &Operand<'_>) -> Result<(), Fault> {
        let plan = self.plan(&inputs[0], &inputs[1])?;
        match self.out_data_type() {
            None => self.compute_floats(&plan, inputs, output),
            Some(_) => self.compute_int8(&plan, inputs, output),
        }
    }

    fn compute_floats(&self, plan: &Plan, inputs: &[Operand<'_>], output: &Operand<'_>) -> Result<(), Fault> {
        let mut sums = self.products(plan, &inputs[0].to_f32()?, &inputs[1].to_f32()?)?;
        if let Some(added) = inputs.get(2) {
            let added = added.to_f32()?;
            if self.param.has_bias {
                add_columns(plan, &added, &mut sums, |sum, bias| *sum += bias)?;
            } else {
                sums.iter_mut().zip(added).for_each(|(sum, accumulated)| *sum += accumulated);
            }
        }
        output.write_f32(0, &sums)
    }

    fn compute_int8(&self, plan: &Plan, inputs: &[Operand<'_>], output: &Operand<'_>) -> Result<(), Fault> {
        let x = inputs[0].memory.read::<i8>(0, inputs[0].len())?;
        let weight = inputs[1].memory.read::<i8>(0, inputs[1].len())?;
        let mut sums = self.products(plan, &x, &weight)?;
        if self.param.has_bias {
            let bias = inputs[2].memory.read::<i32>(0, inputs[2].len())?;
            add_columns(plan, &bias, &mut sums, |sum, bias| *sum = sum.wrapping_add(bias))?;
        }
        let scales = scales(&inputs[if self.param.has_bias { 3 } else { 2 }])?;
        let mut values: Vec<f32> = sums.into_par_iter().map(|sum| sum as f32).collect();
        add_columns(plan, &scales, &mut values, |value, scale| *value *= scale)?;
        if self.is_per_token() {
            let rows = inputs[3].to_f32()?;
            let rows = rows.iter().cycle();
            values
                .chunks_mut(plan.n.max(1))
                .zip(rows)
                .for_each(|(row, scale)| row.iter_mut().for_each(|value| *value *= scale));
        }
        output.write_f32(0, &values)
    }
}

/// Changes each element of the output by the element of a vector that belongs to its column.
fn add_columns<T: Copy, S>(
    plan: &Plan,
    vector: &[T],
    output: &mut [S],
    change: impl Fn(&mut S, T),
) -> Result<(), Fault> {
    let Plan { weights, m, n, .. } = *plan;
    if vector.len() != weights * n {
        return Err(Fault::new(format!(
            "Linear: {weights} vectors of {n} are not {} elements",
            vector.len()
        )));
    }
    for (row, values) in output.chunks_mut(n.max(1)).enumerate() {
        let batch = if weights == 1 { 0 } else { row / m.max(1) };
        values.iter_mut().zip(&vector[batch * n..][..n]).for_each(|(value, by)| change(value, *by));
    }
    Ok(())
}

/// The scales of the columns: f32, or what the fixpipe makes of 64-bit words.
fn scales(operand: &Operand<'_>) -> Result<Vec<f32>, Fault> {
    if operand.desc.dtype == ACL_FLOAT {
        return operand.to_f32();
    }
    let words = operand.memory.read::<u64>(0, operand.len())?;
    Ok(words.into_iter().map(quantize::fixpipe_scale).collect())
}
