//! What the chain moves: the launches and their bytes, by the shapes of its tensors.

use ascendcl::DataType;

use super::chain::{Chain, Use, Value, Weight, sizes};
use crate::config::{CacheMode, Config, Dtype, QuantMode};

/// One launch and the bytes of device memory that it reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTraffic {
    /// What it is for.
    pub name: &'static str,
    /// The operator, by ATB's name.
    pub operator: &'static str,
    /// Bytes of its inputs; of a cache that it updates, none.
    pub read: u64,
    /// Bytes of its outputs; of a cache, the rows of the tokens.
    pub written: u64,
}

/// The launches of the chain for a number of tokens, in their order.
pub fn unfused_traffic(config: &Config, tokens: usize) -> Vec<LaunchTraffic> {
    let chain = Chain::of(config);
    let bytes = |uses: &[Use], written: bool| -> u64 {
        uses.iter().map(|taken| of_use(config, &chain, taken, tokens, written)).sum()
    };
    let launch = |step: &super::chain::Step| LaunchTraffic {
        name: step.name,
        operator: step.param.operator(),
        read: bytes(&step.inputs, false),
        written: bytes(&step.outputs, true),
    };
    chain.steps.iter().map(launch).collect()
}

/// The fused operation: inputs and weights once, query and cache rows once.
pub fn fused_traffic(config: &Config, tokens: usize) -> LaunchTraffic {
    let chain = Chain::of(config);
    let mut seen: Vec<Value> = Vec::new();
    let mut once = |taken: &&Use| {
        // RoPE's lengths and the columns of the cache's scales are needs of the small operators alone.
        let alone = [
            Value::Lengths,
            Value::Weight(Weight::CtkvScale),
            Value::Weight(Weight::CtkvOffset),
            Value::Weight(Weight::QNopeScale),
            Value::Weight(Weight::QNopeOffset),
        ];
        let new = !matches!(taken.value, Value::Between(_)) && !seen.contains(&taken.value);
        seen.push(taken.value);
        new && !alone.contains(&taken.value)
    };
    let inputs: Vec<&Use> = chain.steps.iter().flat_map(|step| &step.inputs).filter(&mut once).collect();
    let scales = match config.cache_mode {
        CacheMode::SplitNzInt8 => 2 * (1 + config.num_heads) as u64,
        _ => 0,
    };
    let outputs = chain.steps.iter().flat_map(|step| &step.outputs);
    let written = outputs.filter(|made| !matches!(made.value, Value::Between(_)));
    LaunchTraffic {
        name: "everything",
        operator: "MlaPreprocess",
        read: scales + inputs.iter().map(|taken| of_use(config, &chain, taken, tokens, false)).sum::<u64>(),
        written: written.map(|made| of_use(config, &chain, made, tokens, true)).sum(),
    }
}

fn of_use(config: &Config, chain: &Chain, taken: &Use, tokens: usize, written: bool) -> u64 {
    let row = |width: usize, dtype: DataType| (tokens * width * dtype.size()) as u64;
    let first = match config.cache_mode {
        CacheMode::SplitNzInt8 => DataType::Int8,
        _ => config.dtype.data_type(),
    };
    match taken.value {
        Value::KvCache | Value::KvCacheRope if !written => 0,
        Value::KvCache if config.cache_mode == CacheMode::Combined => row(config.kv_width(), first),
        Value::KvCache => row(config.kv_lora_rank, first),
        Value::KvCacheRope => row(config.qk_rope_head_dim, config.dtype.data_type()),
        value => {
            let elements: usize = sizes(&taken.shape, tokens).iter().product();
            (elements * size(config, chain, value, first)) as u64
        }
    }
}

/// Bytes of an element.
fn size(config: &Config, chain: &Chain, value: Value, first: DataType) -> usize {
    let words = config.dtype == Dtype::Fp16 && config.quant_mode == QuantMode::PerTensor;
    let dtype = match value {
        Value::Between(index) => chain.between.get(index).map_or(DataType::Uint8, |between| between.dtype),
        Value::Slots | Value::Lengths => DataType::Int32,
        Value::Query => first,
        Value::Weight(weight) => match weight {
            Weight::Wdqkv
            | Weight::Wuq
            | Weight::QuantOffset0
            | Weight::QuantOffset1
            | Weight::CtkvOffset
            | Weight::QNopeOffset => DataType::Int8,
            Weight::Bias0 | Weight::Bias1 => DataType::Int32,
            Weight::DeScale0 | Weight::DeScale1 if words => DataType::Int64,
            Weight::DeScale0 | Weight::DeScale1 => DataType::Float32,
            _ => config.dtype.data_type(),
        },
        _ => config.dtype.data_type(),
    };
    dtype.size()
}
