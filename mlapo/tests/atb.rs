//! The vendor's operator and the small operators: against the golden fixtures, the reference, and each other.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod call;

use std::path::{Path, PathBuf};

use call::{Call, MODES, results, stream};
use mlapo::call::Values;
use mlapo::fixture::{Fixture, Problem, Yardstick, compare_values, compute_on_stream};
use mlapo::reference::Order;
use mlapo::{Backend, CacheMode, Config, ConfigBuilder, Dtype, Error, Launches, Mlapo, QuantMode, Weights};

const UNFUSED: [Backend; 2] = [Backend::Unfused(Launches::Graph), Backend::Unfused(Launches::Single)];

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors")).collect()
}

/// How many of a folder's fixtures a backend takes, all of which must pass.
fn passing(backend: Backend, folder: &str) -> usize {
    let stream = stream();
    let mut passed = 0;
    for path in fixtures(folder) {
        let fixture = Fixture::open(&path).unwrap();
        if backend.check(&fixture.case().config).is_err() {
            continue;
        }
        let compute = |problem: &Problem<'_>| compute_on_stream(&stream, backend, problem);
        let report = fixture.verify(backend.order(), compute).unwrap();
        assert!(report.pass, "{backend} {}: {report:#?}", path.display());
        passed += 1;
    }
    passed
}

#[test]
fn the_golden_fixtures_pass_through_the_vendors_operator() {
    // All but the int8 cache with dynamic scales in bf16, which it does not have.
    assert_eq!(passing(Backend::Atb, "public"), 18);
    // In its own order of rounding by the sharp rule.
    assert_eq!(passing(Backend::Atb, "kernel_order"), 18);
}

#[test]
fn the_golden_fixtures_pass_through_the_small_operators() {
    for backend in UNFUSED {
        assert_eq!(passing(backend, "public"), 19);
    }
}

/// A small configuration that the small operators take.
fn small() -> ConfigBuilder {
    Config::builder().hidden_size(256).q_lora_rank(64).kv_lora_rank(64).qk_rope_head_dim(32).num_heads(3)
}

/// A configuration that the vendor's operator takes, too.
fn vendors() -> ConfigBuilder {
    Config::builder().hidden_size(2048).num_heads(2)
}

#[test]
fn a_graph_computes_what_single_launches_compute() {
    for cache_mode in MODES {
        for quant_mode in [QuantMode::PerTensor, QuantMode::PerToken] {
            for (dtype, input_norm) in [(Dtype::Bf16, true), (Dtype::Fp16, true), (Dtype::Bf16, false)] {
                let config = small().cache_mode(cache_mode).quant_mode(quant_mode).dtype(dtype);
                let config = config.input_norm(input_norm).build().unwrap();
                let [graph, single] =
                    UNFUSED.map(|backend| results(&config, backend, &[5, -1, 0, 40, 5], 16));
                assert!(graph == single, "{config:?}");
                agrees(&config, &graph, &[5, -1, 0, 40, 5], 16);
            }
        }
    }
}

/// Judges results by the reference, with the distance of its two orders as the yardstick.
fn agrees(config: &Config, computed: &[Values], slots: &[i32], block_size: usize) {
    let [golden, kernel] = [Order::Golden, Order::Kernel]
        .map(|order| results(config, Backend::Reference(order), slots, block_size));
    assert_eq!((golden.len(), kernel.len()), (computed.len(), computed.len()));
    for ((golden, kernel), computed) in golden.iter().zip(&kernel).zip(computed) {
        let yardstick = Yardstick::between(golden, kernel, config.dtype);
        let report = compare_values("result", kernel, computed, config.dtype, yardstick);
        assert!(report.pass, "{config:?}: {report:?}");
    }
}

#[test]
fn the_vendors_operator_agrees_with_the_reference() {
    let slots = [128, -1, 3, 255, 128];
    for cache_mode in MODES {
        let config = vendors().cache_mode(cache_mode).dtype(Dtype::Fp16).build().unwrap();
        agrees(&config, &results(&config, Backend::Atb, &slots, 128), &slots, 128);
    }
    // More tokens than it takes in one launch.
    let slots: Vec<i32> = (0..1030).collect();
    let config = vendors().num_heads(1).build().unwrap();
    agrees(&config, &results(&config, Backend::Atb, &slots, 128), &slots, 128);
}

fn refusal(config: ConfigBuilder) -> String {
    let config = config.build().unwrap();
    let weights = Weights::random(&config, 0);
    let error = Mlapo::new(&stream(), config.clone(), &weights, Backend::Atb).unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert_eq!(Backend::Atb.check(&config).unwrap_err().to_string(), error.to_string());
    error.to_string()
}

#[test]
fn what_the_vendors_operator_cannot_do_is_refused_when_it_is_built() {
    let rows = [
        (vendors().q_lora_rank(768), "`q_lora_rank` must be 1536"),
        (vendors().kv_lora_rank(256), "`kv_lora_rank` must be 512"),
        (vendors().qk_rope_head_dim(32), "`qk_rope_head_dim` must be 64"),
        (vendors().qk_nope_head_dim(64), "`qk_nope_head_dim` must be 128"),
        (vendors().input_norm(false), "`input_norm` must be true"),
        (vendors().hidden_size(1024), "`hidden_size` must be 7168, or from 2048 to 8192"),
        (vendors().quant_mode(QuantMode::PerToken), "`hidden_size` must be 7168 if quant_mode is PerToken"),
        (vendors().hidden_size(7168).num_heads(1).epsilon(1e-5), "`epsilon` must be 0.000001"),
        (
            vendors()
                .hidden_size(7168)
                .num_heads(1)
                .cache_mode(CacheMode::SplitNzInt8)
                .quant_mode(QuantMode::PerToken),
            "`quant_mode` must be PerTensor for bf16 with an int8 cache",
        ),
    ];
    for (config, expected) in rows {
        let message = refusal(config);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("for the backend atb (kernel, unfused and host take it)"), "{message}");
    }
}

/// The error of a call with blocks of some rows.
fn block_size_error(config: &Config, backend: Backend, block_size: usize) -> Option<Error> {
    let stream = stream();
    let mut call = Call::new(&stream, config, backend, &[1], block_size);
    let Call { operation, hidden, cos, sin, slots, cache, output } = &mut call;
    let input = mlapo::Input { hidden, cos, sin, slot_mapping: slots };
    operation.forward(&stream, &input, cache, output).err()
}

#[test]
fn block_sizes_that_a_backend_cannot_write_are_refused_before_anything_is_queued() {
    let cases = [
        (Backend::Atb, CacheMode::Split, [1, 128, 256].as_slice(), [129, 255, 257].as_slice(), "256"),
        (Backend::Atb, CacheMode::SplitNz, &[128], &[16, 256], "must be 128"),
        (UNFUSED[0], CacheMode::SplitNz, &[16, 48], &[8, 24], "a multiple of 16"),
        (UNFUSED[1], CacheMode::SplitNzInt8, &[16, 48], &[8, 24], "a multiple of 16"),
    ];
    for (backend, mode, taken, refused, expected) in cases {
        let config = vendors().num_heads(1).cache_mode(mode).build().unwrap();
        for block_size in taken {
            assert!(block_size_error(&config, backend, *block_size).is_none(), "{backend} {block_size}");
        }
        for block_size in refused {
            let message = block_size_error(&config, backend, *block_size).unwrap().to_string();
            assert!(message.contains("`kv_cache`: block size") && message.contains(expected), "{message}");
        }
    }
}

#[test]
fn a_capture_is_refused() {
    let stream = stream();
    let config = small().build().unwrap();
    for backend in UNFUSED {
        let mut call = Call::new(&stream, &config, backend, &[1], 16);
        let Call { operation, hidden, cos, sin, slots, cache, output } = &mut call;
        let input = mlapo::Input { hidden, cos, sin, slot_mapping: slots };
        let mut error = None;
        let _ = stream.capture(|stream| {
            error = operation.forward(stream, &input, cache, output).err();
            Ok(())
        });
        assert!(error.unwrap().to_string().contains("Mlapo::forward"));
    }
}
