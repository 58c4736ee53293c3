//! Weights to try the operation with, without a checkpoint.

use rayon::prelude::*;

use super::{ActivationQuant, CacheScales, Norm, Projection, Weights};
use crate::config::{CacheMode, Config, Dtype, QuantMode};
use crate::numeric::from_f32;
use crate::random::Sequence;

/// Standard deviation of the int8 weights.
const WEIGHT_SD: f32 = 36.0;
/// Standard deviation of the quantised activations per tensor: with a scale of 1/20 and rows of standard deviation 1.
const ACTIVATION_SD: f32 = 20.0;

impl Weights {
    /// Random weights for a configuration: equal seeds give equal weights on every machine.
    ///
    /// Distributions are such that every stage's results have a standard deviation near 1, as in a trained model, so
    /// that quantisers are neither idle nor saturated.
    ///
    /// ```
    /// use mlapo::{Config, Weights};
    /// let config = Config::deepseek_v3().hidden_size(64).num_heads(1).build()?;
    /// assert_eq!(Weights::random(&config, 7), Weights::random(&config, 7));
    /// Weights::random(&config, 7).check(&config)?;
    /// # Ok::<(), mlapo::Error>(())
    /// ```
    pub fn random(config: &Config, seed: u64) -> Self {
        let source = |purpose| Sequence::new(seed).fork(purpose);
        let (dtype, mode) = (config.dtype, config.quant_mode);
        let absorbed = 1.0 / (config.qk_nope_head_dim as f32).sqrt();
        let wuk_len = config.num_heads * config.qk_nope_head_dim * config.kv_lora_rank;
        Self {
            input_norm: config.input_norm.then(|| norm(source(0), config.hidden_size, dtype)),
            down: projection(source(1), config.down_rows(), config.hidden_size, mode, dtype),
            q_norm: norm(source(2), config.q_lora_rank, dtype),
            up: projection(source(3), config.up_rows(), config.q_lora_rank, mode, dtype),
            kv_gamma: norm(source(4), config.kv_lora_rank, dtype).gamma,
            wuk: halves(source(5), wuk_len, dtype, |source, i| absorbed * source.normal(i)),
            cache_scales: (config.cache_mode == CacheMode::SplitNzInt8).then(|| CacheScales {
                ctkv_scale: from_f32(1.0 / ACTIVATION_SD, dtype),
                q_nope_scale: halves(source(6), config.num_heads, dtype, |source, i| {
                    15.0 + 10.0 * source.uniform(i)
                }),
            }),
        }
    }
}

fn norm(source: Sequence, width: usize, dtype: Dtype) -> Norm {
    Norm {
        gamma: halves(source.fork(0), width, dtype, |source, i| 0.5 + source.uniform(i)),
        beta: halves(source.fork(1), width, dtype, |source, i| 0.1 * source.normal(i)),
    }
}

fn projection(source: Sequence, rows: usize, columns: usize, mode: QuantMode, dtype: Dtype) -> Projection {
    let (weights, scales, biases) = (source.fork(0), source.fork(1), source.fork(2));
    // A sum of `columns` products of these deviations, scaled back to 1; per token the token's scale undoes the
    // activation's share.
    let sum_sd = WEIGHT_SD * (columns as f32).sqrt();
    let (descale, input) = match mode {
        QuantMode::PerTensor => {
            let bias_sd = 0.1 * ACTIVATION_SD * sum_sd;
            let bias = (0..rows as u64).map(|i| (bias_sd * biases.normal(i)) as i32).collect();
            let input =
                ActivationQuant::PerTensor { scale: from_f32(1.0 / ACTIVATION_SD, dtype), offset: 3, bias };
            (1.0 / (ACTIVATION_SD * sum_sd), input)
        }
        QuantMode::PerToken => (1.0 / sum_sd, ActivationQuant::PerToken),
    };
    Projection {
        weight: generate(weights, rows * columns, |source, i| (WEIGHT_SD * source.normal(i)) as i8),
        descale: (0..rows as u64).map(|i| descale * (0.75 + 0.5 * scales.uniform(i))).collect(),
        input,
    }
}

fn halves(
    source: Sequence,
    len: usize,
    dtype: Dtype,
    value: impl Fn(Sequence, u64) -> f32 + Sync,
) -> Vec<u16> {
    generate(source, len, |source, i| from_f32(value(source, i), dtype))
}

fn generate<T: Send>(source: Sequence, len: usize, value: impl Fn(Sequence, u64) -> T + Sync) -> Vec<T> {
    (0..len as u64).into_par_iter().map(|i| value(source, i)).collect()
}
