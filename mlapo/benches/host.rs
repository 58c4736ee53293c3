//! The host kernel on the DeepSeek-V3 shape: 128 heads, bf16, split cache, per-tensor quantisation.
//!
//! Throughput is in bytes of weights, so that it compares with the machine's read bandwidth for few tokens.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mlapo::call::{Elements, Inputs, Outputs};
use mlapo::host::HostKernel;
use mlapo::{ActivationQuant, Config, Norm, Projection, Weights};

/// Values that differ from one another; the time does not depend on them.
fn spread(i: usize) -> u32 {
    (i as u32).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b)
}

/// bf16 patterns of values in -2..2.
fn halves(n: usize) -> Vec<u16> {
    (0..n).map(|i| (spread(i) >> 16) as u16 & 0x80ff | 0x3f00).collect()
}

fn projection(rows: usize, columns: usize) -> Projection {
    Projection {
        weight: (0..rows * columns).map(|i| (spread(i) >> 24) as i8).collect(),
        descale: vec![1e-5; rows],
        input: ActivationQuant::PerTensor { scale: 0x3d4d, offset: 3, bias: vec![100; rows] },
    }
}

fn weights(c: &Config) -> Weights {
    let norm = |n| Norm { gamma: halves(n), beta: halves(n) };
    Weights {
        input_norm: Some(norm(c.hidden_size)),
        down: projection(c.down_rows(), c.hidden_size),
        q_norm: norm(c.q_lora_rank),
        up: projection(c.up_rows(), c.q_lora_rank),
        kv_gamma: halves(c.kv_lora_rank),
        wuk: halves(c.num_heads * c.qk_nope_head_dim * c.kv_lora_rank),
        cache_scales: None,
    }
}

fn decode(criterion: &mut Criterion) {
    let config = Config::deepseek_v3().build().expect("a preset is valid");
    let weights = weights(&config);
    let mut kernel = HostKernel::new(&config, &weights).expect("the weights fit");
    let mut group = criterion.benchmark_group("host");
    let bytes = weights.down.weight.len() + weights.up.weight.len() + 2 * weights.wuk.len();
    group.throughput(Throughput::Bytes(bytes as u64));
    for tokens in [1, 4, 32, 128] {
        let hidden = halves(tokens * config.hidden_size);
        let rotation = halves(tokens * config.qk_rope_head_dim);
        let queries = tokens * config.num_heads;
        let mut q_out0 = vec![0; queries * config.kv_lora_rank];
        let mut q_out1 = vec![0; queries * config.qk_rope_head_dim];
        let mut kv_rows0 = vec![0; tokens * config.kv_lora_rank];
        let mut kv_rows1 = vec![0; tokens * config.qk_rope_head_dim];
        let inputs = Inputs { tokens, hidden: &hidden, cos: &rotation, sin: &rotation };
        let mut outputs = Outputs {
            q_out0: Elements::Half(&mut q_out0),
            q_out1: Some(&mut q_out1),
            kv_rows0: Elements::Half(&mut kv_rows0),
            kv_rows1: Some(&mut kv_rows1),
        };
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter(|| kernel.run(black_box(&inputs), &mut outputs).expect("the call fits"));
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
