//! Quantisation of weights and of activations, as a post-training quantiser does it.

use crate::Dtype;
use crate::checkpoint::prepare::{from_half, to_half};

/// Quantises one output channel symmetrically: `scale = max|w| / 127`, `q = rint(w / scale)`; returns the scale.
/// An all-zero channel has scale 1.
pub(super) fn quantize_channel(weights: &[f32], quantized: &mut [i8]) -> f32 {
    let largest = weights.iter().fold(0f32, |largest, w| largest.max(w.abs()));
    let scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
    for (q, w) in quantized.iter_mut().zip(weights) {
        *q = (w / scale).round_ties_even().clamp(-127.0, 127.0) as i8;
    }
    scale
}

/// Scale and zero point of an activation, such that `q = rint(x / scale + offset)` covers what was observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct InputQuant {
    /// The scale's bits in the activations' type.
    pub bits: u16,
    /// Its value.
    pub scale: f32,
    pub offset: i8,
}

impl InputQuant {
    /// The asymmetric min-max rule. The range includes zero, so that zero has an exact representation; the scale
    /// is the next value of the activations' type that is not smaller, so that nothing observed saturates but by
    /// rounding of the zero point.
    pub fn of_range(observed: impl Iterator<Item = f32>, dtype: Dtype) -> Self {
        let (low, high) = observed.fold((0f32, 0f32), |(low, high), x| (low.min(x), high.max(x)));
        // A floor for inputs that are all zero: any scale will do, but it must not vanish in float16.
        let wanted = ((high - low) / 255.0).max(1e-4);
        let nearest = to_half(wanted, dtype);
        let bits = if from_half(nearest, dtype) < wanted { nearest + 1 } else { nearest };
        let scale = from_half(bits, dtype);
        let offset = (-128.0 - low / scale).round_ties_even().clamp(-128.0, 127.0) as i8;
        Self { bits, scale, offset }
    }

    /// The bias that takes the zero point out of the integer product; a projection has no other bias.
    pub fn bias(self, weights: &[i8]) -> i32 {
        -i32::from(self.offset) * weights.iter().map(|w| i32::from(*w)).sum::<i32>()
    }
}

/// RMSNorm in f32: `x / sqrt(mean(x^2) + epsilon) * gamma`.
pub(super) fn rms_norm(x: &[f32], gamma: &[f32], epsilon: f32) -> Vec<f32> {
    let factor = 1.0 / (dot(x, x) / x.len() as f32 + epsilon).sqrt();
    x.iter().zip(gamma).map(|(x, gamma)| x * factor * gamma).collect()
}

/// Inner product in a fixed order of eight partial sums.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a_lanes, a_rest) = a.as_chunks::<8>();
    let (b_lanes, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The integer computation stands for the float one: the error is at most half a step of each weight
        /// times its activation, and half a step of each activation times its weight.
        #[test]
        fn the_integer_product_approximates_the_float_product(
            rows in prop::collection::vec((-3f32..3.0, -0.1f32..0.1), 1..200),
            skew in -2f32..2.0,
            bf16 in any::<bool>(),
        ) {
            let dtype = if bf16 { Dtype::Bf16 } else { Dtype::Fp16 };
            let (x, w): (Vec<_>, Vec<_>) = rows.iter().map(|(x, w)| (x + skew, *w)).unzip();
            let mut weights = vec![0i8; w.len()];
            let weight_scale = quantize_channel(&w, &mut weights);
            let input = InputQuant::of_range(x.iter().copied(), dtype);
            let deq_scale = input.scale * weight_scale;

            let steps = x.iter().map(|x| f64::from(*x) / f64::from(input.scale) + f64::from(input.offset));
            let quantized: Vec<i64> = steps.map(|q| q.round_ties_even() as i64).collect();
            // The zero point is rounded, so an end of the range can be half a step outside.
            prop_assert!(quantized.iter().all(|q| (-129..=128).contains(q)));
            let acc: i64 = quantized.iter().zip(&weights).map(|(x, w)| x * i64::from(*w)).sum();
            let got = (acc + i64::from(input.bias(&weights))) as f64 * f64::from(deq_scale);

            let float: f64 = x.iter().zip(&w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            let half = |scale: f32| f64::from(scale) * 0.5 * (1.0 + 1e-5);
            let bound: f64 = x.iter().zip(&w).map(|(x, w)| {
                let x_size = f64::from(x.abs()) + half(input.scale);
                x_size * half(weight_scale) + f64::from(w.abs()) * half(input.scale)
            }).sum::<f64>() * (1.0 + 1e-5) + 1e-9;
            prop_assert!((got - float).abs() <= bound, "{got} {float} {bound}");
        }

        /// The largest weight of a channel uses the whole range.
        #[test]
        fn a_channel_uses_the_whole_range(w in prop::collection::vec(-10f32..10.0, 1..50)) {
            prop_assume!(w.iter().any(|w| w.abs() > 1e-6));
            let mut q = vec![0; w.len()];
            quantize_channel(&w, &mut q);
            prop_assert_eq!(q.iter().map(|q| q.unsigned_abs()).max(), Some(127));
        }
    }

    #[test]
    fn degenerate_channels_and_ranges_have_usable_scales() {
        assert_eq!(quantize_channel(&[0.0; 4], &mut [1; 4]), 1.0);
        let input = InputQuant::of_range([0.0; 4].into_iter(), Dtype::Fp16);
        assert!(input.scale > 0.0 && input.offset == -128, "{input:?}");
    }
}
