//! Inputs to try the operation with, without a model.

use rayon::prelude::*;

use crate::call::Inputs;
use crate::config::{Config, Dtype};
use crate::numeric::from_f32;
use crate::random::Sequence;

/// Base of the rotary angles in DeepSeek-V3's configuration (`rope_theta`).
const ROPE_THETA: f64 = 10_000.0;

/// Inputs of one call, made up from a seed: a nearly normal hidden state of standard deviation 1, and the rotary
/// angles of the positions `0..tokens`.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleInputs {
    /// Rows in every tensor below.
    pub tokens: usize,
    /// `[tokens, hidden_size]`.
    pub hidden: Vec<u16>,
    /// `[tokens, qk_rope_head_dim]`, half layout.
    pub cos: Vec<u16>,
    /// `[tokens, qk_rope_head_dim]`, half layout.
    pub sin: Vec<u16>,
}

impl SampleInputs {
    /// Inputs for a configuration; equal seeds give equal inputs.
    pub fn random(config: &Config, tokens: usize, seed: u64) -> Self {
        let source = Sequence::new(seed).fork(100);
        let hidden = (0..tokens * config.hidden_size).into_par_iter();
        Self {
            tokens,
            hidden: hidden.map(|i| from_f32(source.normal(i as u64), config.dtype)).collect(),
            cos: rotary(tokens, config.qk_rope_head_dim, config.dtype, f64::cos),
            sin: rotary(tokens, config.qk_rope_head_dim, config.dtype, f64::sin),
        }
    }

    /// As an implementation takes them.
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { tokens: self.tokens, hidden: &self.hidden, cos: &self.cos, sin: &self.sin }
    }
}

/// Component `i` and `i + rope / 2` of a row turn by the same angle, `position * theta^(-2 i / rope)`.
fn rotary(tokens: usize, rope: usize, dtype: Dtype, function: fn(f64) -> f64) -> Vec<u16> {
    let value = |i: usize| {
        let (position, pair) = (i / rope, i % rope % (rope / 2));
        let angle = position as f64 * ROPE_THETA.powf(-2.0 * pair as f64 / rope as f64);
        from_f32(function(angle) as f32, dtype)
    };
    (0..tokens * rope).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::to_f32;

    #[test]
    fn rotations_are_rotations_in_half_layout() {
        let config = Config::builder().hidden_size(64).build().unwrap();
        let sample = SampleInputs::random(&config, 5, 1);
        assert_eq!(sample, SampleInputs::random(&config, 5, 1));
        assert_ne!(sample.hidden, SampleInputs::random(&config, 5, 2).hidden);
        assert!(sample.cos[..64].iter().all(|c| to_f32(*c, Dtype::Bf16) == 1.0));
        for (cos, sin) in sample.cos.chunks(64).zip(sample.sin.chunks(64)) {
            assert_eq!((&cos[..32], &sin[..32]), (&cos[32..], &sin[32..]));
            for (c, s) in cos.iter().zip(sin) {
                let (c, s) = (to_f32(*c, Dtype::Bf16), to_f32(*s, Dtype::Bf16));
                assert!((c * c + s * s - 1.0).abs() < 0.01);
            }
        }
        // The first pair turns by one radian for each position.
        assert!((to_f32(sample.sin[3 * 64], Dtype::Bf16) - 3f32.sin()).abs() < 0.001);
    }
}
