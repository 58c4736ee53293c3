//! `aclnnMatmul`.

use half::f16;

use super::Type;
use super::layout::{Elements, Layout, Values, broadcast_shape, broadcast_strides, offsets};

/// The most dimensions of a factor (AscendCL docs: aclnnMatmul).
const MAX_DIMENSIONS: usize = 6;

#[derive(Debug)]
pub(super) struct Matmul {
    pub common: Type,
    precision: Precision,
    batch: Vec<usize>,
    m: usize,
    k: usize,
    n: usize,
}

/// What the factors are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Keep,
    Hf32,
    Fp16,
}

impl Matmul {
    pub(super) fn new(cube_math_type: i8, [a, b]: &[Layout; 2], out: &Layout) -> Result<Self, String> {
        for tensor in [a, b, out] {
            if !tensor.data_type.is_float() {
                return Err(format!("{tensor}: a matrix is FLOAT, FLOAT16 or BFLOAT16"));
            }
        }
        for tensor in [a, b] {
            if tensor.shape.is_empty() || tensor.shape.len() > MAX_DIMENSIONS {
                return Err(format!("{tensor}: a factor has 1 to {MAX_DIMENSIONS} dimensions"));
            }
        }
        if a.data_type != b.data_type && [a, b].iter().any(|tensor| tensor.data_type == Type::Bf16) {
            return Err(format!("{a} and {b}: BFLOAT16 is multiplied with BFLOAT16 only"));
        }
        let common = a.data_type.common(b.data_type);
        let vectors = a.shape.len() == 1 && b.shape.len() == 1;
        let precision = match (cube_math_type, common) {
            (0..=3, _) if vectors => Precision::Keep,
            (0, _) => Precision::Keep,
            (1 | 3, Type::F32) => Precision::Hf32,
            (1, _) => Precision::Keep,
            (2, Type::F32 | Type::F16) => Precision::Fp16,
            (2 | 3, other) => return Err(format!("cubeMathType {cube_math_type} is not for {other}")),
            _ => return Err(format!("cubeMathType is {cube_math_type}, and must be 0, 1, 2 or 3")),
        };
        let ([batch_a, m, k], [batch_b, rows, n]) = (factor(a, true), factor(b, false));
        if k.size != rows.size {
            return Err(format!("{a} has {} columns, and {b} has {} rows", k.size, rows.size));
        }
        let batch = broadcast_shape(&a.shape[..batch_a.size], &b.shape[..batch_b.size])
            .ok_or_else(|| format!("the leading dimensions of {a} and {b} cannot be broadcast"))?;
        let mut expected = batch.clone();
        expected.extend((a.shape.len() > 1).then_some(m.size));
        expected.extend((b.shape.len() > 1).then_some(n.size));
        if out.shape != expected && !(vectors && out.shape == [1]) {
            return Err(format!("{out} must have the shape {expected:?}, as the product of {a} and {b}"));
        }
        Ok(Self { common, precision, batch, m: m.size, k: k.size, n: n.size })
    }

    /// The result, in order.
    pub(super) fn run(&self, a: &Elements<'_>, b: &Elements<'_>) -> Values {
        let ([batch_a, m, k], [batch_b, rows, n]) = (factor(a.layout, true), factor(b.layout, false));
        let starts = |layout: &Layout, count: usize| {
            let (shape, strides) = (&layout.shape[..count], &layout.strides[..count]);
            offsets(&self.batch, &broadcast_strides(shape, strides, self.batch.len())).collect::<Vec<_>>()
        };
        let (a_starts, b_starts) = (starts(a.layout, batch_a.size), starts(b.layout, batch_b.size));
        let mut result = Vec::with_capacity(a_starts.len() * self.m * self.n);
        for (&a_start, &b_start) in a_starts.iter().zip(&b_starts) {
            let a = self.matrix(&a.values, a_start, [m, k]);
            let b = self.matrix(&b.values, b_start, [rows, n]);
            self.multiply(&a, &b, &mut result);
        }
        Values::Float(result)
    }

    /// A matrix row by row, as the cube takes it.
    fn matrix(&self, values: &Values, start: usize, [rows, columns]: [Axis; 2]) -> Vec<f32> {
        let round = |value: f32| match self.precision {
            Precision::Keep => value,
            Precision::Hf32 => hf32(value),
            Precision::Fp16 => f16::from_f32(value).to_f32(),
        };
        let row = |row: usize| start + row * rows.stride;
        (0..rows.size)
            .flat_map(|index| (0..columns.size).map(move |column| row(index) + column * columns.stride))
            .map(|at| round(values.float(at)))
            .collect()
    }

    fn multiply(&self, a: &[f32], b: &[f32], result: &mut Vec<f32>) {
        // Products of shorter factors are exact, so that rounding their sum is the one rounding.
        let exact = self.common != Type::F32 || self.precision != Precision::Keep;
        for row in 0..self.m {
            let start = result.len();
            result.resize(start + self.n, 0.0);
            let sums = &mut result[start..];
            for (index, &x) in a[row * self.k..][..self.k].iter().enumerate() {
                let column = &b[index * self.n..][..self.n];
                if exact {
                    sums.iter_mut().zip(column).for_each(|(sum, &y)| *sum += x * y);
                } else {
                    sums.iter_mut().zip(column).for_each(|(sum, &y)| *sum = x.mul_add(y, *sum));
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    stride: usize,
}

/// How many dimensions of a factor are of the batch, its rows, and its columns.
fn factor(layout: &Layout, is_left: bool) -> [Axis; 3] {
    let axis = |index: usize| Axis { size: layout.shape[index], stride: layout.strides[index] };
    let alone = Axis { size: 1, stride: 0 };
    let count = |size: usize| Axis { size, stride: 0 };
    match layout.shape.len() {
        1 if is_left => [count(0), alone, axis(0)],
        1 => [count(0), axis(0), alone],
        rank => [count(rank - 2), axis(rank - 2), axis(rank - 1)],
    }
}

/// The nearest number with 11 bits of fraction, the even one if two are.
fn hf32(value: f32) -> f32 {
    if !value.is_finite() {
        return value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7ff + (bits >> 12 & 1)) & !0xfff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hf32_has_eleven_bits_of_fraction() {
        assert_eq!(hf32(1.0 + 2f32.powi(-11)), 1.0 + 2f32.powi(-11));
        // Ties go to the even neighbour.
        assert_eq!(hf32(1.0 + 2f32.powi(-12)), 1.0);
        assert_eq!(hf32(1.0 + 3.0 * 2f32.powi(-12)), 1.0 + 2f32.powi(-10));
        assert_eq!(hf32(-1.0 - 2f32.powi(-12) - 2f32.powi(-20)), -1.0 - 2f32.powi(-11));
        assert_eq!(hf32(f32::NEG_INFINITY), f32::NEG_INFINITY);
    }
}
