//! The fused kernel on the simulated AI cores, at both levels: how fast the model is. It says nothing about an NPU.

use ascendcl::{Runtime, Stream, Tensor};
use ascendcl_sim::kernel::{Level, Options};
use criterion::{Criterion, criterion_group, criterion_main};
use mlapo::call::Values;
use mlapo::{Backend, Config, Input, Mlapo, PagedCache, SampleInputs, SlotMapping, Weights};

const TOKENS: usize = 4;

fn kernel(criterion: &mut Criterion) {
    operation(criterion).expect("the benchmark's call is valid");
}

fn operation(criterion: &mut Criterion) -> Result<(), mlapo::Error> {
    let config = Config::deepseek_v3().build()?;
    let stream = Runtime::with_backend(ascendcl::Backend::Sim)?.device(0)?.stream()?;
    let mut operation = Mlapo::new(&stream, config.clone(), &Weights::random(&config, 0), Backend::Kernel)?;
    let sample = SampleInputs::random(&config, TOKENS, 0);
    let hidden = upload(&stream, &config, sample.hidden, config.hidden_size)?;
    let cos = upload(&stream, &config, sample.cos, config.qk_rope_head_dim)?;
    let sin = upload(&stream, &config, sample.sin, config.qk_rope_head_dim)?;
    let slots = SlotMapping::new(&stream, &[0, 1, 2, 3])?;
    let mut cache = PagedCache::new(&stream, &config, 1, 128)?;
    let mut output = operation.output(&stream, TOKENS)?;

    let mut group = criterion.benchmark_group("model kernel");
    group.sample_size(10);
    for (name, level) in [("run", Level::Run), ("check", Level::Check)] {
        ascendcl_sim::kernel::configure(Options { level, auto_sync: false, ..Options::default() });
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let input = Input { hidden: &hidden, cos: &cos, sin: &sin, slot_mapping: &slots };
                operation.forward(&stream, &input, &mut cache, &mut output).expect("the call fits");
                stream.synchronize().expect("the kernel runs");
            });
        });
    }
    group.finish();
    Ok(())
}

fn upload(stream: &Stream, config: &Config, values: Vec<u16>, width: usize) -> Result<Tensor, mlapo::Error> {
    Values::Half(values).upload(stream, config.dtype, &[TOKENS, width])
}

criterion_group!(benches, kernel);
criterion_main!(benches);
