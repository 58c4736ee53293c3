//! Root mean square normalisation of a row, as ATB's kernels order it.
//!
//! The plain operation and the quantising one differ: the first divides by the root (`rms_norm.cpp`), the second multiplies
//! by its reciprocal (`rms_norm_quant.cpp`). The order in which the vector unit adds up a row is not published beyond
//! "64 values of a repeat, then the sums of the repeats"; [`sum`] adds pairs within those.

/// Values of f32 in a repeat of the vector unit.
const REPEAT: usize = 64;

/// The sum as the vector unit reduces: pairs, within 64 values at a time, then the same over the sums.
pub(crate) fn sum(mut values: Vec<f32>) -> f32 {
    while values.len() > 1 {
        values = values.chunks(REPEAT).map(sum_of_repeat).collect();
    }
    values.first().copied().unwrap_or(0.0)
}

fn sum_of_repeat(values: &[f32]) -> f32 {
    let mut lanes = [0.0; REPEAT];
    lanes[..values.len()].copy_from_slice(values);
    let mut width = REPEAT;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = lanes[2 * lane] + lanes[2 * lane + 1];
        }
    }
    lanes[0]
}

/// `sqrt(sum(x^2) * (1/n) + epsilon)`
pub(crate) fn root(row: &[f32], epsilon: f32) -> f32 {
    let mean = 1.0 / row.len() as f32;
    (sum(row.iter().map(|x| x * x).collect()) * mean + epsilon).sqrt()
}

/// `x / root * gamma`: `rms_norm.cpp`.
pub(crate) fn divided(row: &[f32], gamma: &[f32], epsilon: f32) -> Vec<f32> {
    let root = root(row, epsilon);
    row.iter().zip(gamma).map(|(x, gamma)| x / root * gamma).collect()
}

/// `x * (1 / sqrt(sum(x^2 * mean) + epsilon)) * gamma + beta`: `rms_norm_quant.cpp`, and `mla_preprocess`, whose `mean` is
/// a literal near `1/n`.
pub(crate) fn scaled(row: &[f32], gamma: &[f32], beta: &[f32], mean: f32, epsilon: f32) -> Vec<f32> {
    let squares = sum(row.iter().map(|x| x * x * mean).collect());
    let factor = 1.0 / (squares + epsilon).sqrt();
    row.iter().zip(gamma).zip(beta).map(|((x, gamma), beta)| x * factor * gamma + beta).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 % 101) as f32 - 50.0) / 16.0).collect()
    }

    #[test]
    fn sums_have_every_value_once() {
        for len in [0, 1, 2, 63, 64, 65, 4095, 4097, 7168] {
            let values: Vec<f32> = (0..len).map(|i| (i % 7) as f32).collect();
            let expected: usize = (0..len).map(|i| i % 7).sum();
            assert_eq!(sum(values), expected as f32, "{len} values");
        }
    }

    #[test]
    fn both_forms_are_the_formula() {
        for len in [16, 512, 1536] {
            let x = row(len);
            let gamma: Vec<f32> = (0..len).map(|i| 0.5 + (i % 13) as f32 / 16.0).collect();
            let beta: Vec<f32> = (0..len).map(|i| (i % 5) as f32 / 8.0 - 0.25).collect();
            let mean: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / len as f64;
            let root = (mean + 1e-3).sqrt();
            let plain = divided(&x, &gamma, 1e-3);
            let affine = scaled(&x, &gamma, &beta, 1.0 / len as f32, 1e-3);
            for i in 0..len {
                let expected = f64::from(x[i]) / root * f64::from(gamma[i]);
                assert!((f64::from(plain[i]) - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{i}");
                let expected = expected + f64::from(beta[i]);
                assert!((f64::from(affine[i]) - expected).abs() < 2e-6 * (1.0 + expected.abs()), "{i}");
            }
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        assert_eq!(divided(&[0.0; 16], &[1.0; 16], 1e-6), [0.0; 16]);
        assert_eq!(scaled(&[0.0; 16], &[1.0; 16], &[0.5; 16], 1.0 / 16.0, 1e-6), [0.5; 16]);
    }
}
