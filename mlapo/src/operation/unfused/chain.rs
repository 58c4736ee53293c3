//! The chain of small operators as data: what each launch is, which tensors it takes and makes.
//!
//! It is the chain that ATB's own test of MlaPreprocess compares the fused operator with, for each mode. Only ATB's
//! operators and what they take decide its form: dynamic quantisation after a norm exists for fp16 alone, so bf16 is cast
//! there and back; the query of the int8 cache is quantised with a scale for each of its columns.

use ascendcl::DataType;
use atb::param::{
    Concat, DynamicQuantType, Elewise, ElewiseType, KvCacheCfg, Linear, LinearQuantMode, MatmulType,
    NormParam, QuantType, ReshapeAndCache, RmsNorm, Rope, Split,
};

use super::operator::Param;
use crate::config::{CacheMode, Config, Dtype, QuantMode};

/// A dimension of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dim {
    /// As many as the call has tokens.
    Tokens,
    Of(usize),
}

/// The dimensions for a number of tokens.
pub(super) fn sizes(shape: &[Dim], tokens: usize) -> Vec<usize> {
    let size = |dim: &Dim| match dim {
        Dim::Tokens => tokens,
        Dim::Of(size) => *size,
    };
    shape.iter().map(size).collect()
}

/// A tensor of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Hidden,
    Cos,
    Sin,
    Slots,
    /// The lengths of the sequences that RoPE wants, and does not use: one token each.
    Lengths,
    Weight(Weight),
    KvCache,
    KvCacheRope,
    Query,
    QueryRope,
    /// Made by one launch for later ones.
    Between(usize),
}

/// A weight as a launch takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Gamma0,
    Beta0,
    QuantScale0,
    QuantOffset0,
    Wdqkv,
    Bias0,
    DeScale0,
    Gamma1,
    Beta1,
    QuantScale1,
    QuantOffset1,
    Wuq,
    Bias1,
    DeScale1,
    Wuk,
    Gamma2,
    /// The scale of the latent, once for each of its columns.
    CtkvScale,
    /// The reciprocal scale of a head, once for each of its columns.
    QNopeScale,
    /// Zeros for the columns of the latent.
    CtkvOffset,
    /// Zeros for the columns of the query.
    QNopeOffset,
}

/// A tensor as a launch takes or makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub value: Value,
    /// Its shape for this launch.
    pub shape: Vec<Dim>,
    /// Whether that is another shape than the one that the tensor was made with.
    pub reshaped: bool,
}

/// What one launch makes for later ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub dtype: DataType,
    pub shape: Vec<Dim>,
}

/// One launch.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What it is for.
    pub name: &'static str,
    pub param: Param,
    pub inputs: Vec<Use>,
    pub outputs: Vec<Use>,
}

/// The whole chain.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub steps: Vec<Step>,
    pub between: Vec<Between>,
}

impl Chain {
    pub(super) fn of(config: &Config) -> Self {
        let mut planner = Planner { config, steps: Vec::new(), between: Vec::new() };
        planner.plan();
        let Planner { steps, between, .. } = planner;
        Self { steps, between }
    }
}

/// A tensor with its shape while the chain is planned.
#[derive(Clone)]
struct Made {
    value: Value,
    shape: Vec<Dim>,
}

impl Made {
    fn take(&self) -> Use {
        Use { value: self.value, shape: self.shape.clone(), reshaped: false }
    }

    fn reshaped(&self, shape: &[Dim]) -> Use {
        Use { value: self.value, shape: shape.to_vec(), reshaped: true }
    }
}

/// One of the two norms with the projection behind it.
struct Stage {
    norm: Option<[Weight; 2]>,
    quant: [Weight; 2],
    weight: Weight,
    bias: Weight,
    descale: Weight,
    rows: usize,
    columns: usize,
    names: [&'static str; 2],
}

struct Planner<'c> {
    config: &'c Config,
    steps: Vec<Step>,
    between: Vec<Between>,
}

use Dim::{Of, Tokens};

impl Planner<'_> {
    fn plan(&mut self) {
        let Config { hidden_size, q_lora_rank, kv_lora_rank, qk_rope_head_dim, qk_nope_head_dim, .. } =
            *self.config;
        let (heads, dtype) = (self.config.num_heads, self.config.dtype.data_type());
        let (down_rows, up_rows) = (self.config.down_rows(), self.config.up_rows());
        let hidden = Made { value: Value::Hidden, shape: vec![Tokens, Of(hidden_size)] };
        let down = Stage {
            norm: self.config.input_norm.then_some([Weight::Gamma0, Weight::Beta0]),
            quant: [Weight::QuantScale0, Weight::QuantOffset0],
            weight: Weight::Wdqkv,
            bias: Weight::Bias0,
            descale: Weight::DeScale0,
            rows: down_rows,
            columns: hidden_size,
            names: ["norm and quantise the hidden state", "down-projection"],
        };
        let down = self.stage(&hidden, &down);
        let widths = [kv_lora_rank, qk_rope_head_dim, q_lora_rank];
        let [latent, k_rope, q_latent] =
            self.split("split latent, rotary key and query latent", down.take(), 1, &[Tokens], widths);

        let up = Stage {
            norm: Some([Weight::Gamma1, Weight::Beta1]),
            quant: [Weight::QuantScale1, Weight::QuantOffset1],
            weight: Weight::Wuq,
            bias: Weight::Bias1,
            descale: Weight::DeScale1,
            rows: up_rows,
            columns: q_lora_rank,
            names: ["norm and quantise the query latent", "up-projection"],
        };
        let up = self.stage(&q_latent, &up);
        let by_head = up.reshaped(&[Tokens, Of(heads), Of(qk_nope_head_dim + qk_rope_head_dim)]);
        let [q_nope, q_rope] = self.split(
            "split nope and rope",
            by_head,
            2,
            &[Tokens, Of(heads)],
            [qk_nope_head_dim, qk_rope_head_dim],
        );

        let latent_heads = [Tokens, Of(heads), Of(kv_lora_rank)];
        let flat_rope = [Tokens, Of(heads * qk_rope_head_dim)];
        let plain_split = matches!(self.config.cache_mode, CacheMode::Split | CacheMode::SplitNz);
        let query = match plain_split {
            true => Made { value: Value::Query, shape: latent_heads.to_vec() },
            false => self.between(dtype, &latent_heads),
        };
        let absorb = Linear {
            transpose_a: false,
            transpose_b: false,
            has_bias: false,
            matmul_type: MatmulType::EinSum,
            ..Linear::default()
        };
        let wuk = self.weight(Weight::Wuk, &[heads, qk_nope_head_dim, kv_lora_rank]);
        self.step("key absorption", Param::Linear(absorb), vec![q_nope.take(), wuk], vec![query.take()]);

        let combined = self.config.cache_mode == CacheMode::Combined;
        let rotated_q = match combined {
            true => self.between(dtype, &flat_rope),
            false => Made { value: Value::QueryRope, shape: flat_rope.to_vec() },
        };
        let rotated_k = self.between(dtype, &[Tokens, Of(qk_rope_head_dim)]);
        let angles = [Value::Cos, Value::Sin].map(|value| plain(value, &[Tokens, Of(qk_rope_head_dim)]));
        let [cos, sin] = angles;
        let inputs =
            vec![q_rope.reshaped(&flat_rope), k_rope.take(), cos, sin, plain(Value::Lengths, &[Tokens])];
        let rope = Param::Rope(Rope { rotary_coeff: 2, ..Rope::default() });
        self.step("RoPE", rope, inputs, vec![rotated_q.take(), rotated_k.take()]);

        let normed = self.between(dtype, &[Tokens, Of(kv_lora_rank)]);
        let norm = self.norm(NormParam::default());
        let gamma2 = self.weight(Weight::Gamma2, &[kv_lora_rank]);
        self.step("norm of the latent", norm, vec![latent.take(), gamma2], vec![normed.take()]);

        match self.config.cache_mode {
            CacheMode::Combined => self.finish_combined(&query, &rotated_q, &normed, &rotated_k),
            CacheMode::Split => self.write_caches(KvCacheCfg::KCacheVCache, &normed, &rotated_k),
            CacheMode::SplitNz => self.write_caches(KvCacheCfg::KCacheVCacheNz, &normed, &rotated_k),
            CacheMode::SplitNzInt8 => {
                let flat = [Tokens, Of(heads * kv_lora_rank)];
                let q_out = plain(Value::Query, &flat);
                let scale = [Weight::QNopeScale, Weight::QNopeOffset];
                self.quantize("quantise the query", query.reshaped(&flat), scale, q_out);
                let latent = self.between(DataType::Int8, &[Tokens, Of(kv_lora_rank)]);
                let scale = [Weight::CtkvScale, Weight::CtkvOffset];
                self.quantize("quantise the latent", normed.take(), scale, latent.take());
                self.write_caches(KvCacheCfg::KCacheVCacheNz, &latent, &rotated_k);
            }
        }
    }

    /// One cache: query and cache row are put together first.
    fn finish_combined(&mut self, query: &Made, rotated_q: &Made, normed: &Made, rotated_k: &Made) {
        let Config { num_heads, kv_lora_rank, qk_rope_head_dim, .. } = *self.config;
        let concat = || Param::Concat(Concat { concat_dim: 2 });
        let rope_heads = rotated_q.reshaped(&[Tokens, Of(num_heads), Of(qk_rope_head_dim)]);
        let q_out = plain(Value::Query, &[Tokens, Of(num_heads), Of(self.config.kv_width())]);
        self.step("put the query together", concat(), vec![query.take(), rope_heads], vec![q_out]);
        let row = self.between(self.config.dtype.data_type(), &[Tokens, Of(1), Of(self.config.kv_width())]);
        let parts = vec![
            normed.reshaped(&[Tokens, Of(1), Of(kv_lora_rank)]),
            rotated_k.reshaped(&[Tokens, Of(1), Of(qk_rope_head_dim)]),
        ];
        self.step("put the cache row together", concat(), parts, vec![row.take()]);
        let write = Param::ReshapeAndCache(ReshapeAndCache {
            kv_cache_cfg: KvCacheCfg::KCacheVBypass,
            ..Default::default()
        });
        let inputs = vec![row.take(), plain(Value::KvCache, &[]), plain(Value::Slots, &[Tokens])];
        self.step("cache write", write, inputs, vec![plain(Value::KvCache, &[])]);
    }

    fn write_caches(&mut self, kv_cache_cfg: KvCacheCfg, latent: &Made, rotated_k: &Made) {
        let Config { kv_lora_rank, qk_rope_head_dim, .. } = *self.config;
        let caches = [Value::KvCache, Value::KvCacheRope].map(|value| plain(value, &[]));
        let [kv_cache, kv_cache_rope] = caches.clone();
        let inputs = vec![
            latent.reshaped(&[Tokens, Of(1), Of(kv_lora_rank)]),
            rotated_k.reshaped(&[Tokens, Of(1), Of(qk_rope_head_dim)]),
            kv_cache,
            kv_cache_rope,
            plain(Value::Slots, &[Tokens]),
        ];
        let write = Param::ReshapeAndCache(ReshapeAndCache { kv_cache_cfg, ..Default::default() });
        self.step("cache write", write, inputs, caches.to_vec());
    }

    /// Norm, quantisation and projection.
    fn stage(&mut self, x: &Made, stage: &Stage) -> Made {
        let Stage { norm, quant, weight, bias, descale, rows, columns, names } = *stage;
        let [norm_name, projection_name] = names;
        let quantized = self.between(DataType::Int8, &[Tokens, Of(columns)]);
        let token_scale = match self.config.quant_mode {
            QuantMode::PerTensor => {
                let [scale, offset] = quant;
                match norm {
                    Some([gamma, beta]) => {
                        let param =
                            self.norm(NormParam { quant_type: QuantType::Int8, ..NormParam::default() });
                        let inputs = vec![
                            x.take(),
                            self.weight(gamma, &[columns]),
                            self.weight(beta, &[columns]),
                            self.weight(scale, &[1]),
                            self.weight(offset, &[1]),
                        ];
                        self.step(norm_name, param, inputs, vec![quantized.take()]);
                    }
                    None => {
                        let inputs =
                            vec![x.take(), self.weight(scale, &[columns]), self.weight(offset, &[columns])];
                        let param = Param::Elewise(Elewise::of(ElewiseType::QuantPerChannel));
                        self.step(norm_name, param, inputs, vec![quantized.take()]);
                    }
                }
                None
            }
            QuantMode::PerToken => {
                let scale = self.between(DataType::Float32, &[Tokens]);
                let outputs = vec![quantized.take(), scale.take()];
                match norm {
                    Some([gamma, beta]) => {
                        let x = self.as_fp16(x);
                        let inputs =
                            vec![x.take(), self.weight(gamma, &[columns]), self.weight(beta, &[columns])];
                        let dynamic_quant_type = DynamicQuantType::Symmetric;
                        let quant_type = QuantType::Int8;
                        let param =
                            self.norm(NormParam { quant_type, dynamic_quant_type, ..NormParam::default() });
                        self.step(norm_name, param, inputs, outputs);
                    }
                    None => {
                        let param = Param::Elewise(Elewise::of(ElewiseType::DynamicQuant));
                        self.step(norm_name, param, vec![x.take()], outputs);
                    }
                }
                Some(scale)
            }
        };
        let projected = self.between(self.config.dtype.data_type(), &[Tokens, Of(rows)]);
        let linear = Linear { out_data_type: Some(self.config.dtype.data_type()), ..Linear::default() };
        let mut inputs = vec![quantized.take(), self.weight(weight, &[rows, columns])];
        let param = match token_scale {
            None => {
                inputs.extend([self.weight(bias, &[rows]), self.weight(descale, &[rows])]);
                linear
            }
            Some(scale) => {
                inputs.extend([self.weight(descale, &[rows]), scale.take()]);
                Linear { has_bias: false, quant_mode: LinearQuantMode::PerToken, ..linear }
            }
        };
        self.step(projection_name, Param::Linear(param), inputs, vec![projected.take()]);
        projected
    }

    /// The norm that quantises by token takes fp16 alone.
    fn as_fp16(&mut self, x: &Made) -> Made {
        if self.config.dtype == Dtype::Fp16 {
            return x.clone();
        }
        [DataType::Float32, DataType::Float16].into_iter().fold(x.clone(), |from, dtype| {
            let to = self.between(dtype, &from.shape);
            let param =
                Param::Elewise(Elewise { out_tensor_type: Some(dtype), ..Elewise::of(ElewiseType::Cast) });
            self.step("cast for the norm", param, vec![from.take()], vec![to.take()]);
            to
        })
    }

    fn split<const N: usize>(
        &mut self,
        name: &'static str,
        x: Use,
        dim: i32,
        before: &[Dim],
        widths: [usize; N],
    ) -> [Made; N] {
        let dtype = self.config.dtype.data_type();
        let parts = widths.map(|width| self.between(dtype, &[before, &[Of(width)]].concat()));
        let split_sizes = widths.iter().map(|width| i32::try_from(*width).unwrap_or(i32::MAX)).collect();
        let param = Split { split_dim: dim, split_num: i32::try_from(N).unwrap_or(i32::MAX), split_sizes };
        self.step(name, Param::Split(param), vec![x], parts.iter().map(Made::take).collect());
        parts
    }

    fn norm(&self, norm_param: NormParam) -> Param {
        Param::RmsNorm(RmsNorm::norm(NormParam { epsilon: self.config.epsilon, ..norm_param }))
    }

    /// Quantises with a scale for each column.
    fn quantize(&mut self, name: &'static str, x: Use, [scale, offset]: [Weight; 2], to: Use) {
        let columns = match x.shape.last() {
            Some(Of(columns)) => *columns,
            _ => 0,
        };
        let inputs = vec![x, self.weight(scale, &[columns]), self.weight(offset, &[columns])];
        self.step(name, Param::Elewise(Elewise::of(ElewiseType::QuantPerChannel)), inputs, vec![to]);
    }

    fn between(&mut self, dtype: DataType, shape: &[Dim]) -> Made {
        self.between.push(Between { dtype, shape: shape.to_vec() });
        Made { value: Value::Between(self.between.len() - 1), shape: shape.to_vec() }
    }

    fn weight(&self, weight: Weight, shape: &[usize]) -> Use {
        Use {
            value: Value::Weight(weight),
            shape: shape.iter().map(|size| Of(*size)).collect(),
            reshaped: false,
        }
    }

    fn step(&mut self, name: &'static str, param: Param, inputs: Vec<Use>, outputs: Vec<Use>) {
        self.steps.push(Step { name, param, inputs, outputs });
    }
}

/// A tensor from outside the chain; of a cache, the shape is the call's.
fn plain(value: Value, shape: &[Dim]) -> Use {
    Use { value, shape: shape.to_vec(), reshaped: false }
}
