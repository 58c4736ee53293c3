//! The fused kernel on the simulated AI cores: against the reference for every mode and odd shapes, whatever the number
//! of host threads, through a graph.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod call;

use ascendcl_sim::kernel::{Level, Options};
use call::{Call, MODES, results, results_with, stream};
use half::{bf16, f16};
use mlapo::call::Values;
use mlapo::fixture::{Fixture, Problem, compute_on_stream};
use mlapo::{Backend, CacheMode, Config, ConfigBuilder, Dtype, QuantMode, Weights};
use parking_lot::{Mutex, MutexGuard};
use proptest::prelude::*;

/// How all launches of the process run, while a test holds it; the others run as usual or the same way.
struct Configured(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Configured {
    fn turn() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock())
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        ascendcl_sim::kernel::configure(Options::default());
    }
}

/// The kernel against the reference: int8 values differ by one at most, others by rounding, or by what an int8 value
/// that was rounded the other way does to a row.
fn agrees(config: &Config, slots: &[i32], block_size: usize) {
    agrees_with(config, &Weights::random(config, 4), slots, block_size);
}

fn agrees_with(config: &Config, weights: &Weights, slots: &[i32], block_size: usize) {
    let kernel = results_with(config, weights, Backend::Kernel, slots, block_size);
    let reference = Backend::Reference(Default::default());
    let reference = results_with(config, weights, reference, slots, block_size);
    for (index, (kernel, reference)) in kernel.iter().zip(&reference).enumerate() {
        match (kernel, reference) {
            (Values::Int8(kernel), Values::Int8(reference)) => {
                let largest =
                    kernel.iter().zip(reference).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
                assert!(largest <= Some(1), "result {index} of {config:?}: int8 differs by {largest:?}");
            }
            (Values::Half(kernel), Values::Half(reference)) => {
                let value = |bits: &u16| match config.dtype {
                    Dtype::Bf16 => bf16::from_bits(*bits).to_f32(),
                    Dtype::Fp16 => f16::from_bits(*bits).to_f32(),
                };
                let scale = reference.iter().map(|bits| value(bits).abs()).fold(0.0, f32::max);
                let largest = kernel
                    .iter()
                    .zip(reference)
                    .map(|(a, b)| (value(a) - value(b)).abs())
                    .fold(0.0, |a: f32, b| if b.is_nan() { f32::INFINITY } else { a.max(b) });
                assert!(largest <= 0.01 * scale, "result {index} of {config:?}: {largest} of {scale}");
            }
            _ => panic!("result {index}: the types differ"),
        }
    }
}

/// Small, with the proportions of the published models.
fn small() -> ConfigBuilder {
    Config::builder()
        .hidden_size(512)
        .q_lora_rank(192)
        .kv_lora_rank(64)
        .qk_rope_head_dim(32)
        .qk_nope_head_dim(64)
}

fn in_order(tokens: i32) -> Vec<i32> {
    (0..tokens).collect()
}

#[test]
fn every_mode_agrees_with_the_reference() {
    for cache_mode in MODES {
        for quant_mode in [QuantMode::PerTensor, QuantMode::PerToken] {
            for dtype in [Dtype::Bf16, Dtype::Fp16] {
                for input_norm in [true, false] {
                    let config = small()
                        .num_heads(5)
                        .cache_mode(cache_mode)
                        .quant_mode(quant_mode)
                        .dtype(dtype)
                        .input_norm(input_norm)
                        .build()
                        .unwrap();
                    agrees(&config, &[7, -1, 0, 30, -5], 8);
                }
            }
        }
    }
}

/// Scales as the device's own tools make them: with 11 bits of mantissa.
fn short_scales(config: &Config) -> Weights {
    let mut weights = Weights::random(config, 4);
    for scale in weights.down.descale.iter_mut().chain(&mut weights.up.descale) {
        *scale = f32::from_bits(scale.to_bits() & !0x1fff);
    }
    weights
}

#[test]
fn the_cube_cores_dequantize_fp16_where_the_scales_allow_it() {
    for cache_mode in MODES {
        for (tokens, heads) in [(1, 3), (5, 21), (130, 2)] {
            let config = small().num_heads(heads).cache_mode(cache_mode).dtype(Dtype::Fp16).build().unwrap();
            agrees_with(&config, &short_scales(&config), &in_order(tokens), 128);
        }
    }
}

#[test]
fn odd_numbers_of_tokens_and_heads() {
    for (tokens, heads) in [(1, 1), (1, 33), (2, 18), (15, 3), (16, 1), (17, 77), (41, 2), (130, 1), (257, 2)]
    {
        let config = small().num_heads(heads).build().unwrap();
        agrees(&config, &in_order(tokens), 128);
    }
}

#[test]
fn deepseek_v3_of_a_tensor_parallel_rank() {
    let config = Config::deepseek_v3().num_heads(8).build().unwrap();
    agrees(&config, &in_order(3), 128);
}

#[test]
fn rows_longer_than_the_buffer_of_a_vector_core() {
    let config = small().hidden_size(9216).q_lora_rank(2080).quant_mode(QuantMode::PerToken).build().unwrap();
    agrees(&config, &in_order(2), 16);
}

#[test]
fn more_tokens_than_a_launch_takes() {
    let config = Config::builder()
        .hidden_size(32)
        .q_lora_rank(32)
        .kv_lora_rank(32)
        .qk_rope_head_dim(16)
        .qk_nope_head_dim(16)
        .num_heads(1)
        .build()
        .unwrap();
    agrees(&config, &in_order(4100), 128);
}

#[test]
fn of_equal_slots_the_last_token_wins() {
    agrees(&small().num_heads(1).build().unwrap(), &[3, 3, 1, 3, 1], 4);
}

#[test]
fn results_do_not_depend_on_the_threads_of_the_host() {
    let _turn = Configured::turn();
    let config = small().num_heads(6).cache_mode(CacheMode::SplitNzInt8).build().unwrap();
    let run = |threads| {
        ascendcl_sim::kernel::configure(Options { threads, ..Options::default() });
        results(&config, Backend::Kernel, &in_order(9), 16)
    };
    let one = run(1);
    assert!(run(2) == one && run(8) == one && run(0) == one);
}

#[test]
fn a_graph_replays_the_kernel() {
    let stream = stream();
    let config = small().num_heads(2).build().unwrap();
    let mut call = Call::new(&stream, &config, Backend::Kernel, &[1, 0], 4);
    call.forward(&stream);
    let expected = call.results(&stream);
    let mut replayed = Call::new(&stream, &config, Backend::Kernel, &[1, 0], 4);
    let graph = stream.capture(|stream| {
        replayed.forward(stream);
        Ok(())
    });
    graph.unwrap().launch(&stream).unwrap();
    stream.synchronize().unwrap();
    assert!(replayed.results(&stream) == expected);
}

#[test]
fn the_sanitizer_finds_nothing() {
    let _turn = Configured::turn();
    ascendcl_sim::kernel::configure(Options { level: Level::Check, auto_sync: false, ..Options::default() });
    ascendcl_sim::kernel::take_reports();
    for cache_mode in MODES {
        for quant_mode in [QuantMode::PerTensor, QuantMode::PerToken] {
            for dtype in [Dtype::Bf16, Dtype::Fp16] {
                let config = small().num_heads(3).cache_mode(cache_mode).quant_mode(quant_mode).dtype(dtype);
                let config = config.build().unwrap();
                results(&config, Backend::Kernel, &[3, -1, 17], 8);
                results_with(&config, &short_scales(&config), Backend::Kernel, &[3, -1, 17], 8);
            }
        }
    }
    let findings: Vec<String> = ascendcl_sim::kernel::take_reports()
        .iter()
        .flat_map(|report| &report.findings)
        .map(ToString::to_string)
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn the_golden_fixtures_pass() {
    let stream = stream();
    let order = Backend::Kernel.order();
    let mut passed = 0;
    for folder in ["public", "kernel_order", "sgl"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "safetensors") {
                continue;
            }
            let fixture = Fixture::open(&path).unwrap();
            let compute = |problem: &Problem<'_>| compute_on_stream(&stream, Backend::Kernel, problem);
            assert!(fixture.verify(order, compute).unwrap().pass, "{}", path.display());
            passed += 1;
        }
    }
    assert_eq!(passed, 39);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Any configuration that the kernel takes.
    #[test]
    fn any_ranks(
        hidden in 1usize..12, q in 1usize..8, latent in 1usize..6, rope in 1usize..6, nope in 1usize..7, heads in 1usize..6,
        mode in 0usize..4, per_token: bool, fp16: bool, input_norm: bool, tokens in 1i32..20, block_size in 1usize..20,
    ) {
        let config = Config::builder()
            .hidden_size(32 * hidden)
            .q_lora_rank(32 * q)
            .kv_lora_rank(32 * latent)
            .qk_rope_head_dim(16 * rope)
            .qk_nope_head_dim(16 * nope)
            .num_heads(heads)
            .cache_mode(MODES[mode])
            .quant_mode(if per_token { QuantMode::PerToken } else { QuantMode::PerTensor })
            .dtype(if fp16 { Dtype::Fp16 } else { Dtype::Bf16 })
            .input_norm(input_norm)
            .build()
            .unwrap();
        agrees(&config, &in_order(tokens), block_size);
    }
}
