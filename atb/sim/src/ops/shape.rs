//! Shapes as checks look at them; a dimension that is not there is 0.

use crate::tensor::{Operand, TensorDesc};

/// A dimension from the front.
pub(crate) fn dim(desc: &TensorDesc, index: usize) -> i64 {
    desc.shape.get(index).copied().unwrap_or(0)
}

/// A dimension from the back; 0 is the last one.
pub(crate) fn dim_from_end(desc: &TensorDesc, index: usize) -> i64 {
    desc.shape.iter().rev().nth(index).copied().unwrap_or(0)
}

/// How many dimensions there are.
pub(crate) fn rank(desc: &TensorDesc) -> usize {
    desc.shape.len()
}

/// A dimension that may count from the end, if there is such a one.
pub(crate) fn axis(desc: &TensorDesc, axis: i64) -> Option<usize> {
    let rank = rank(desc) as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}

/// The product of dimensions.
pub(crate) fn product(dims: &[i64]) -> usize {
    dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).product()
}

/// Length of the last dimension, and how many rows of it the tensor has.
pub(crate) fn rows_and_columns(operand: &Operand<'_>) -> (usize, usize) {
    match operand.desc.shape.split_last() {
        Some((columns, rows)) => (product(rows), product(std::slice::from_ref(columns))),
        None => (0, 0),
    }
}
