//! The host backend on the DeepSeek-V3 shape: 128 heads, bf16, split cache, per-tensor quantisation. The bare kernel, and
//! the whole operation on a stream of the simulated device, waited for.
//!
//! Throughput is in bytes of weights, so that it compares with the machine's read bandwidth for few tokens.

use std::hint::black_box;

use ascendcl::{Format, Runtime, Stream, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use mlapo::call::{Elements, Outputs};
use mlapo::host::HostKernel;
use mlapo::{Backend, Config, Input, Mlapo, PagedCache, SampleInputs, SlotMapping, Weights};

const TOKENS: [usize; 4] = [1, 4, 32, 128];
/// Of weights and inputs.
const SEED: u64 = 1;

fn config() -> Config {
    Config::deepseek_v3().build().expect("a preset is valid")
}

/// The weights that every call reads.
fn throughput(weights: &Weights) -> Throughput {
    let bytes = weights.down.weight.len() + weights.up.weight.len() + size_of_val(&*weights.wuk);
    Throughput::Bytes(bytes as u64)
}

fn kernel(criterion: &mut Criterion) {
    let config = config();
    let weights = Weights::random(&config, SEED);
    let mut kernel = HostKernel::new(&config, &weights).expect("the weights fit");
    let mut group = criterion.benchmark_group("host kernel");
    group.throughput(throughput(&weights));
    for tokens in TOKENS {
        let sample = SampleInputs::random(&config, tokens, SEED);
        let queries = tokens * config.num_heads;
        let mut q_out0 = vec![0; queries * config.kv_lora_rank];
        let mut q_out1 = vec![0; queries * config.qk_rope_head_dim];
        let mut kv_rows0 = vec![0; tokens * config.kv_lora_rank];
        let mut kv_rows1 = vec![0; tokens * config.qk_rope_head_dim];
        let inputs = sample.inputs();
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

fn upload(stream: &Stream, values: &[u16], rows: usize) -> Result<Tensor, ascendcl::Error> {
    let values: &[bf16] = bytemuck::cast_slice(values);
    stream.tensor_from(values, Format::Nd, &[rows, values.len() / rows])
}

fn forward(criterion: &mut Criterion) {
    operation(criterion).expect("the simulated device runs every call");
}

fn operation(criterion: &mut Criterion) -> Result<(), mlapo::Error> {
    let stream = Runtime::with_backend(ascendcl::Backend::Sim)?.device(0)?.stream()?;
    let config = config();
    let weights = Weights::random(&config, SEED);
    let mut operation = Mlapo::new(&stream, config.clone(), &weights, Backend::Host)?;
    let mut cache = PagedCache::new(&stream, &config, 16, 128)?;
    let mut group = criterion.benchmark_group("host forward");
    group.throughput(throughput(&weights));
    for tokens in TOKENS {
        let sample = SampleInputs::random(&config, tokens, SEED);
        let hidden = upload(&stream, &sample.hidden, tokens)?;
        let cos = upload(&stream, &sample.cos, tokens)?;
        let sin = upload(&stream, &sample.sin, tokens)?;
        let slots: Vec<i32> = (0..).take(tokens).collect();
        let slot_mapping = SlotMapping::new(&stream, &slots)?;
        let input = Input { hidden: &hidden, cos: &cos, sin: &sin, slot_mapping: &slot_mapping };
        let mut output = operation.output(&stream, tokens)?;
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter(|| {
                operation.forward(&stream, &input, &mut cache, &mut output).expect("the call fits");
                stream.synchronize().expect("the work succeeds");
            });
        });
    }
    group.finish();
    Ok(())
}

criterion_group!(benches, kernel, forward);
criterion_main!(benches);
