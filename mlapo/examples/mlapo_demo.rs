//! The C++ demo that is published with the operator (ATB, `op_demo/mla_preprocess/mlapo_demo.cpp`) in Rust: create, set
//! up, execute ten times, release.
//!
//! ```text
//! cargo run --release -p mlapo --example mlapo_demo -- bf16 4 128
//! ```

use std::error::Error;

use ascendcl::{Runtime, Stream};
use mlapo::call::Values;
use mlapo::{Backend, Config, Dtype, Input, Mlapo, PagedCache, SampleInputs, SlotMapping, Weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dtype, tokens, heads] = arguments.as_slice() else {
        return Err("usage: mlapo_demo <fp16|bf16> <tokenNum> <headNum>".into());
    };
    let dtype = match dtype.as_str() {
        "fp16" => Dtype::Fp16,
        "bf16" => Dtype::Bf16,
        other => return Err(format!("dtype: fp16 or bf16, not `{other}`").into()),
    };
    let config = Config::deepseek_v3().dtype(dtype).num_heads(heads.parse()?).build()?;

    let runtime = Runtime::new()?;
    demo(&runtime.device(0)?.stream()?, config, tokens.parse::<u16>()?.into())?;
    Ok(runtime.finalize()?) // the rest was released when `demo` returned
}

fn demo(stream: &Stream, config: Config, tokens: usize) -> Result<(), mlapo::Error> {
    // Create.
    let mut operation = Mlapo::new(stream, config.clone(), &Weights::random(&config, 0), Backend::Auto)?;

    // Set up.
    let SampleInputs { hidden, cos, sin, .. } = SampleInputs::random(&config, tokens, 0);
    let rows = |values, width| Values::Half(values).upload(stream, config.dtype, &[tokens, width]);
    let hidden = rows(hidden, config.hidden_size)?;
    let cos = rows(cos, config.qk_rope_head_dim)?;
    let sin = rows(sin, config.qk_rope_head_dim)?;
    let slots = SlotMapping::new(stream, &Vec::from_iter((0..).take(tokens)))?;
    let mut cache = PagedCache::new(stream, &config, tokens.div_ceil(128).max(1), 128)?;
    let mut output = operation.output(stream, tokens)?;

    // Execute.
    for _ in 0..10 {
        let input = Input { hidden: &hidden, cos: &cos, sin: &sin, slot_mapping: &slots };
        operation.forward(stream, &input, &mut cache, &mut output)?;
    }
    stream.synchronize()?;
    println!("ten calls done, q_out0 {:?}", output.q_out0.desc().shape());
    Ok(())
}
