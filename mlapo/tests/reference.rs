//! The reference on small configurations, against values worked out by hand, and on inputs without sense.

use half::{bf16, f16};
use mlapo::call::{Inputs, Outputs, Values};
use mlapo::reference::{Intermediates, Order, run};
use mlapo::{
    ActivationQuant, CacheMode, CacheScales, Config, ConfigBuilder, Dtype, Error, Norm, Projection,
    QuantMode, Weights,
};
use proptest::prelude::*;

const MODES: [CacheMode; 4] =
    [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];

/// A configuration whose widths are as small as they may be.
fn small() -> ConfigBuilder {
    Config::builder()
        .hidden_size(32)
        .q_lora_rank(32)
        .kv_lora_rank(32)
        .qk_rope_head_dim(16)
        .qk_nope_head_dim(16)
        .num_heads(1)
}

fn bits(value: f32, dtype: Dtype) -> u16 {
    match dtype {
        Dtype::Fp16 => f16::from_f32(value).to_bits(),
        Dtype::Bf16 => bf16::from_f32(value).to_bits(),
    }
}

/// Weights whose every element comes from a function of the tensor's name and the element's index.
fn weights(config: &Config, half: impl Fn(&str, usize) -> u16, int8: impl Fn(usize) -> i8) -> Weights {
    let vector = |name: &str, len: usize| (0..len).map(|i| half(name, i)).collect::<Vec<u16>>();
    let projection = |number: u8, rows: usize, columns: usize| Projection {
        weight: (0..rows * columns).map(&int8).collect(),
        descale: vec![0.001; rows],
        input: match config.quant_mode {
            QuantMode::PerTensor => ActivationQuant::PerTensor {
                scale: half(&format!("quant_scale{number}"), 0),
                offset: 0,
                bias: vec![i32::MAX; rows],
            },
            QuantMode::PerToken => ActivationQuant::PerToken,
        },
    };
    Weights {
        input_norm: config.input_norm.then(|| Norm {
            gamma: vector("gamma0", config.hidden_size),
            beta: vector("beta0", config.hidden_size),
        }),
        down: projection(0, config.down_rows(), config.hidden_size),
        q_norm: Norm {
            gamma: vector("gamma1", config.q_lora_rank),
            beta: vector("beta1", config.q_lora_rank),
        },
        up: projection(1, config.up_rows(), config.q_lora_rank),
        kv_gamma: vector("gamma2", config.kv_lora_rank),
        wuk: vector("wuk", config.num_heads * config.qk_nope_head_dim * config.kv_lora_rank),
        cache_scales: (config.cache_mode == CacheMode::SplitNzInt8).then(|| CacheScales {
            ctkv_scale: half("ctkv_scale", 0),
            q_nope_scale: vector("q_nope_scale", config.num_heads),
        }),
    }
}

/// What [`run`] gives: intermediates, query, rotary query, cache rows, rotary cache rows.
type Results = (Intermediates, Values, Option<Vec<u16>>, Values, Option<Vec<u16>>);

fn compute(
    config: &Config,
    weights: &Weights,
    hidden: &[u16],
    angles: (&[u16], &[u16]),
    order: Order,
) -> Result<Results, Error> {
    let tokens = hidden.len() / config.hidden_size;
    let apart = config.cache_mode != CacheMode::Combined;
    let width = if apart { config.kv_lora_rank } else { config.kv_width() };
    let rope = config.qk_rope_head_dim;
    let mut q_out0 = Values::zeros(config.cache_mode, tokens * config.num_heads * width);
    let mut q_out1 = apart.then(|| vec![0; tokens * config.num_heads * rope]);
    let mut kv_rows0 = Values::zeros(config.cache_mode, tokens * width);
    let mut kv_rows1 = apart.then(|| vec![0; tokens * rope]);
    let mut outputs = Outputs {
        q_out0: q_out0.elements(),
        q_out1: q_out1.as_deref_mut(),
        kv_rows0: kv_rows0.elements(),
        kv_rows1: kv_rows1.as_deref_mut(),
    };
    let mut intermediates = Intermediates::default();
    let inputs = Inputs { tokens, hidden, cos: angles.0, sin: angles.1 };
    run(config, weights, &inputs, &mut outputs, order, Some(&mut intermediates))?;
    Ok((intermediates, q_out0, q_out1, kv_rows0, kv_rows1))
}

/// Gamma 1, beta 0, activation scale 1/64 and everything else 1.
fn plain(config: &Config) -> Weights {
    let half = |name: &str, _| match name {
        "beta0" | "beta1" => 0,
        "quant_scale0" | "quant_scale1" => bits(1.0 / 64.0, config.dtype),
        _ => bits(1.0, config.dtype),
    };
    weights(config, half, |_| 1)
}

/// A row of ones normalises to `1 / sqrt(1 + epsilon)`: a half for an epsilon of 3.
#[test]
fn epsilon_is_honored() {
    for order in [Order::Kernel, Order::Golden] {
        for (epsilon, expected) in [(1e-6, 64), (3.0, 32), (15.0, 16)] {
            let config = small().epsilon(epsilon).build().unwrap();
            let one = [bits(1.0, config.dtype); 32];
            let angles = [0; 16];
            let (stages, ..) = compute(&config, &plain(&config), &one, (&angles, &angles), order).unwrap();
            assert!(stages.rms0_q.iter().all(|q| *q == expected), "{epsilon} {:?}", stages.rms0_q);
        }
    }
}

/// The norm of the latent, too: its row is constant, so it normalises to `v / sqrt(v^2 + epsilon)`.
#[test]
fn epsilon_is_honored_in_the_latent() {
    let config = small().epsilon(3.0).quant_mode(QuantMode::PerToken).build().unwrap();
    let mut weights = plain(&config);
    // A row of ones normalises to 1/2 and quantises to 127 with scale 1/254: 32 products of 127 * 1 are 16 * descale.
    weights.down.descale.fill(1.0 / 8.0);
    let row = [bits(1.0, config.dtype); 32];
    let angles = [0; 16];
    let (stages, _, _, rows, _) =
        compute(&config, &weights, &row, (&angles, &angles), Order::Kernel).unwrap();
    let latent = bf16::from_bits(stages.mm0_out[0]).to_f32();
    let expected = bf16::from_f32(latent / (latent * latent + 3.0).sqrt());
    assert!((latent - 2.0).abs() < 0.01, "{latent}");
    assert_eq!(rows, Values::Half(vec![expected.to_bits(); 32]));
}

#[test]
fn a_zero_row_quantizes_to_zeros_with_scale_zero() {
    for (order, dtype, input_norm) in [
        (Order::Kernel, Dtype::Bf16, true),
        (Order::Kernel, Dtype::Fp16, false),
        (Order::Golden, Dtype::Bf16, true),
        (Order::Golden, Dtype::Fp16, false),
    ] {
        for mode in MODES {
            let config = small()
                .quant_mode(QuantMode::PerToken)
                .cache_mode(mode)
                .dtype(dtype)
                .input_norm(input_norm)
                .build()
                .unwrap();
            let mut hidden = [bits(1.0, dtype); 64];
            hidden[..32].fill(0);
            let angles = [bits(1.0, dtype); 32];
            let (stages, q0, q1, k0, k1) =
                compute(&config, &plain(&config), &hidden, (&angles, &angles), order).unwrap();
            assert!(
                stages.rms0_q[..32].iter().all(|q| *q == 0) && stages.rms0_q[32..].iter().all(|q| *q == 127)
            );
            let (scale0, scale1) = (stages.rms0_scale.unwrap(), stages.rms1_scale.unwrap());
            assert_eq!((scale0[0], scale1[0]), (0.0, 0.0));
            assert!(scale0[1] > 0.0 && scale1[1] > 0.0);
            // A token of zeros leaves zeros everywhere, and its neighbor is not touched by it.
            for values in [q0, k0] {
                match values {
                    Values::Half(v) => {
                        assert!(v[..v.len() / 2].iter().all(|x| x & 0x7fff == 0) && v[v.len() / 2] != 0)
                    }
                    Values::Int8(v) => {
                        assert!(v[..v.len() / 2].iter().all(|x| *x == 0) && v[v.len() / 2] != 0)
                    }
                }
            }
            for values in [q1, k1].into_iter().flatten() {
                assert!(values[..16].iter().all(|x| x & 0x7fff == 0));
            }
        }
    }
}

/// Rounding to fp16 first takes 63.489 to 63.5 and then to 64; the goldens round once, to 63.
#[test]
fn the_device_rounds_twice() {
    for (order, expected) in [(Order::Kernel, 64), (Order::Golden, 63)] {
        let config = small().dtype(Dtype::Fp16).epsilon(0.0).build().unwrap();
        let mut weights = plain(&config);
        // Every element normalises to 1; shifted and divided by 1/64 it is 63.46875 + 0.02.
        let norm = weights.input_norm.as_mut().unwrap();
        norm.gamma.fill(bits(63.46875 / 64.0, Dtype::Fp16));
        norm.beta.fill(bits(0.02 / 64.0, Dtype::Fp16));
        let one = [bits(1.0, Dtype::Fp16); 32];
        let (stages, ..) = compute(&config, &weights, &one, (&[0; 16], &[0; 16]), order).unwrap();
        assert!(stages.rms0_q.iter().all(|q| *q == expected), "{order:?} {:?}", stages.rms0_q);
    }
}

/// No tokens, no output, no error.
#[test]
fn an_empty_batch() {
    let config = small().build().unwrap();
    let (stages, q0, ..) = compute(&config, &plain(&config), &[], (&[], &[]), Order::Kernel).unwrap();
    assert!(stages.rms0_q.is_empty() && q0 == Values::Half(Vec::new()));
}

/// Weights for another configuration are refused by the tensor's name, and nothing is written.
#[test]
fn what_does_not_fit_is_refused() {
    let config = small().build().unwrap();
    let row = [bits(1.0, config.dtype); 32];
    let refused = |change: fn(&mut Weights), tensor: &str| {
        let mut weights = plain(&config);
        change(&mut weights);
        let error = compute(&config, &weights, &row, (&[0; 16], &[0; 16]), Order::Kernel).unwrap_err();
        assert!(matches!(&error, Error::Tensor(e) if e.tensor == tensor), "{error}");
    };
    refused(|w| w.input_norm = None, "gamma0");
    refused(|w| w.down.weight.truncate(1), "wdqkv");
    refused(|w| w.up.descale.truncate(1), "descale1");
    refused(|w| w.up.input = ActivationQuant::PerToken, "wuq");
    refused(|w| w.wuk.truncate(1), "wuk");
    let error = compute(&config, &plain(&config), &row, (&[0; 15], &[0; 16]), Order::Kernel).unwrap_err();
    assert!(matches!(&error, Error::Tensor(e) if e.tensor == "cos"), "{error}");
}

proptest! {
    /// Any bit patterns, infinities and NaN among them, in any mode.
    #[test]
    fn no_input_panics(
        seed: u64, mode in 0usize..4, per_token: bool, fp16: bool, input_norm: bool, golden: bool,
        tokens in 1usize..4, heads in 1usize..4,
    ) {
        let config = small()
            .cache_mode(MODES[mode])
            .quant_mode(if per_token { QuantMode::PerToken } else { QuantMode::PerTensor })
            .dtype(if fp16 { Dtype::Fp16 } else { Dtype::Bf16 })
            .input_norm(input_norm)
            .num_heads(heads)
            .build()
            .unwrap();
        let noise = |salt: &str, i: usize| {
            let salt = salt.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            ((salt ^ i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16
        };
        let weights = weights(&config, noise, |i| noise("w", i) as i8);
        let vector = |salt: &str, len: usize| (0..len).map(|i| noise(salt, i)).collect::<Vec<u16>>();
        let hidden = vector("x", tokens * 32);
        let (cos, sin) = (vector("cos", tokens * 16), vector("sin", tokens * 16));
        let order = if golden { Order::Golden } else { Order::Kernel };
        prop_assert!(compute(&config, &weights, &hidden, (&cos, &sin), order).is_ok());
    }
}
