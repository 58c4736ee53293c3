//! The roundings of one row or one value, in either order.

use super::Order;
use crate::config::{Config, Dtype};
use crate::numeric::{from_f32, half, round16, to_f32, to_int8, widen};

/// The arithmetic of a configuration: f32 throughout, rounded as the order says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arithmetic {
    dtype: Dtype,
    epsilon: f32,
    order: Order,
    /// Divide by static scales instead of multiplying by their reciprocals.
    divide: bool,
}

impl Arithmetic {
    pub(super) fn new(config: &Config, order: Order) -> Self {
        Self {
            dtype: config.dtype,
            epsilon: config.epsilon,
            order: if config.input_norm { order } else { Order::Kernel },
            divide: !config.input_norm,
        }
    }

    pub(super) fn widen(&self, bits: &[u16]) -> Vec<f32> {
        widen(bits, self.dtype)
    }

    /// `sqrt(mean(x^2) + epsilon)`.
    fn rms(&self, row: &[f32]) -> f32 {
        let sum: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        (sum as f32 / row.len() as f32 + self.epsilon).sqrt()
    }

    /// RMSNorm of a row before a projection: `x * (1 / rms) * gamma + beta`.
    pub(super) fn norm(&self, row: &[u16], gamma: &[f32], beta: &[f32]) -> Vec<f32> {
        let row = self.widen(row);
        let f = 1.0 / self.rms(&row);
        row.iter().zip(gamma).zip(beta).map(|((x, gamma), beta)| x * f * gamma + beta).collect()
    }

    /// RMSNorm of a key-value latent, left in f32; no shift.
    pub(super) fn norm_latent(&self, row: &[u16], gamma: &[f32]) -> Vec<f32> {
        let row = self.widen(row);
        let rms = self.rms(&row);
        let f = 1.0 / rms;
        let norm = |(x, gamma): (&f32, &f32)| match self.order {
            Order::Golden => f * x * gamma,
            Order::Kernel => x / rms * gamma,
        };
        row.iter().zip(gamma).map(norm).collect()
    }

    /// Quantises a row with a static scale and zero point.
    pub(super) fn quantize_per_tensor(&self, row: &[f32], scale: u16, offset: i8) -> Vec<i8> {
        let (scale, offset) = (to_f32(scale, self.dtype), f32::from(offset));
        let quantize = |y: &f32| match (self.order, self.divide) {
            (Order::Golden, _) => to_int8(y * (1.0 / scale) + offset),
            (Order::Kernel, false) => to_int8(half(y * (1.0 / scale) + offset)),
            (Order::Kernel, true) => to_int8(half(y / scale + offset)),
        };
        row.iter().map(quantize).collect()
    }

    /// Quantises a row by its largest magnitude; also gives the scale that undoes it.
    pub(super) fn quantize_per_token(&self, row: &[f32]) -> (Vec<i8>, f32) {
        match self.order {
            Order::Golden => {
                let row: Vec<f32> = row.iter().map(|y| half(*y)).collect();
                let scale = 127.0 / largest_magnitude(&row);
                // A zero row makes 0 * inf, which becomes 0, and the scale 1 / inf.
                (row.iter().map(|y| to_int8(y * scale)).collect(), 1.0 / scale)
            }
            Order::Kernel => {
                let scale = largest_magnitude(row) / 127.0;
                (row.iter().map(|y| to_int8(half(y * (1.0 / scale)))).collect(), scale)
            }
        }
    }

    /// De-quantises a product with its bias; the integer sum is exact.
    pub(super) fn dequantize(&self, sum: i64, descale: f32) -> u16 {
        from_f32(sum as f32 * descale, self.dtype)
    }

    /// De-quantises a product by the output's scale, then the token's.
    pub(super) fn dequantize_per_token(&self, product: i32, descale: f32, token_scale: f32) -> u16 {
        from_f32(product as f32 * descale * token_scale, self.dtype)
    }

    /// `x * cos + rot(x) * sin` with `rot(x) = [-x[half..], x[..half]]`.
    pub(super) fn rotate(&self, row: &[u16], cos: &[u16], sin: &[u16]) -> Vec<u16> {
        let (x, cos, sin) = (self.widen(row), self.widen(cos), self.widen(sin));
        let half = x.len() / 2;
        let rotate = |i: usize| {
            let rotated = if i < half { -x[i + half] } else { x[i - half] };
            let sum = match self.order {
                Order::Kernel => x[i] * cos[i] + rotated * sin[i],
                Order::Golden => round16(x[i] * cos[i], self.dtype) + round16(rotated * sin[i], self.dtype),
            };
            from_f32(sum, self.dtype)
        };
        (0..x.len()).map(rotate).collect()
    }

    /// Query of the int8 cache mode: multiplied by its head's scale.
    pub(super) fn query_to_int8(&self, x: f32, scale: f32) -> i8 {
        match (self.order, self.dtype) {
            // The goldens multiply in fp16 for fp16, but in f32 for bf16.
            (Order::Golden, Dtype::Bf16) => to_int8(x * scale),
            _ => to_int8(half(x * scale)),
        }
    }

    /// Latent of the int8 cache mode, from the f32 norm: divided by its scale.
    pub(super) fn latent_to_int8(&self, y: f32, scale: f32) -> i8 {
        match (self.order, self.divide) {
            (Order::Golden, _) => {
                let reciprocal = round16(1.0 / scale, self.dtype);
                to_int8(half(round16(y, self.dtype) * reciprocal))
            }
            (Order::Kernel, false) => to_int8(half(y * (1.0 / scale))),
            (Order::Kernel, true) => to_int8(half(y / scale)),
        }
    }
}

/// NaN when any value is NaN, so that a poisoned row stays visible in its scale.
fn largest_magnitude(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |largest, y| if y.abs() > largest || y.is_nan() { y.abs() } else { largest })
}
