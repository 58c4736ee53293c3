//! Attention of one query over the keys and values of its sequence.

use ascendcl_sys::aclDataType;

use super::rms_norm::sum;
use super::round::stored_as;

/// `softmax(query . keys * scale) . values`, not yet rounded.
///
/// Scores, exponentials and their sum are f32; the exponentials are rounded to `dtype` for the product with the values, whose sum is
/// f32, and the division comes last. ATB's kernels (`mla.cce`, `paged_attention_decoder_nd_common.cce`) do this for a block of keys
/// at a time and rescale what they have when the maximum grows; here the maximum is that of the whole sequence.
pub(crate) fn attend(
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    value_width: usize,
    scale: f32,
    dtype: aclDataType,
) -> Vec<f32> {
    let scores: Vec<f32> = keys
        .chunks_exact(query.len().max(1))
        .map(|key| query.iter().zip(key).fold(0.0, |sum, (q, k)| sum + q * k) * scale)
        .collect();
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total = sum(weights.clone());
    let mut output = vec![0.0; value_width];
    for (weight, value) in weights.iter().zip(values.chunks_exact(value_width.max(1))) {
        let weight = stored_as(dtype, *weight);
        output.iter_mut().zip(value).for_each(|(output, value)| *output += weight * value);
    }
    output.into_iter().map(|value| value / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ascendcl_sys::ACL_FLOAT;

    #[test]
    fn equal_keys_average_and_a_large_one_wins() {
        let values = [1.0, 10.0, 3.0, 30.0];
        let even = attend(&[2.0], &[1.0, 1.0], &values, 2, 1.0, ACL_FLOAT);
        assert_eq!(even, [2.0, 20.0]);
        let one = attend(&[2.0], &[1.0, 100.0], &values, 2, 1.0, ACL_FLOAT);
        assert_eq!(one, [3.0, 30.0]);
    }

    #[test]
    fn the_scale_is_the_temperature() {
        let ln3 = 3f32.ln();
        let output = attend(&[ln3], &[0.0, 2.0], &[4.0, 8.0], 1, 0.5, ACL_FLOAT);
        assert!((output[0] - (4.0 + 3.0 * 8.0) / 4.0).abs() < 1e-5, "{output:?}");
    }
}
