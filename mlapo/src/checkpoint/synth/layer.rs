//! The tensors of one layer.

use rayon::prelude::*;
use safetensors::Dtype as StoredDtype;

use super::calibration::{InputQuant, dot, quantize_channel, rms_norm};
use super::{SynthOptions, label};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::prepare::{from_half, to_half};
use crate::random::Sequence;
use crate::{Dtype, QuantMode};

/// Tokens whose activations set the static scales.
const SAMPLES: u64 = 16;

/// A tensor with its bytes, little-endian.
pub(super) struct StoredTensor {
    pub name: String,
    pub dtype: StoredDtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
    quantized: bool,
}

impl StoredTensor {
    /// Its entry in `quant_model_description.json`.
    pub fn label(&self, mode: QuantMode) -> &'static str {
        if self.quantized { label(mode) } else { "FLOAT" }
    }

    /// Whether it counts for progress.
    pub fn is_matrix(&self) -> bool {
        self.name.ends_with("_proj.weight") || self.name.ends_with("_with_mqa.weight")
    }
}

/// Where the tensors go, in order.
pub(super) type Sink<'a> = dyn FnMut(StoredTensor) -> Result<(), CheckpointError> + 'a;

/// Makes the tensors of layer `number`.
pub(super) fn generate(
    options: &SynthOptions,
    number: usize,
    sink: &mut Sink<'_>,
) -> Result<(), CheckpointError> {
    let model = &options.model;
    let layer = Generator {
        stream: Sequence::new(options.seed).fork(number as u64),
        prefix: format!("model.layers.{number}."),
        dtype: model.dtype,
        mode: options.quant_mode,
    };
    let epsilon = model.rms_norm_eps as f32;
    let (hidden, heads) = (model.hidden_size, model.num_heads);

    let input_gamma = layer.norm(1, "input_layernorm", hidden, sink)?;
    let tokens = layer.stream.fork(2);
    let samples: Vec<_> = (0..SAMPLES)
        .map(|token| {
            let row = token * hidden as u64;
            let x: Vec<_> = (row..row + hidden as u64).map(|i| tokens.normal(i)).collect();
            rms_norm(&x, &input_gamma, epsilon)
        })
        .collect();
    let q_a = layer.projection(3, "self_attn.q_a_proj", model.q_lora_rank, &samples, sink)?;
    layer.projection(
        4,
        "self_attn.kv_a_proj_with_mqa",
        model.kv_lora_rank + model.qk_rope_head_dim,
        &samples,
        sink,
    )?;

    let q_gamma = layer.norm(5, "self_attn.q_a_layernorm", model.q_lora_rank, sink)?;
    let samples: Vec<_> = q_a.iter().map(|x| rms_norm(x, &q_gamma, epsilon)).collect();
    layer.projection(6, "self_attn.q_b_proj", heads * model.qk_head_dim(), &samples, sink)?;

    layer.norm(7, "self_attn.kv_a_layernorm", model.kv_lora_rank, sink)?;
    layer.half_matrix(
        8,
        "self_attn.kv_b_proj",
        heads * (model.qk_nope_head_dim + model.v_head_dim),
        model.kv_lora_rank,
        sink,
    )
}

struct Generator {
    stream: Sequence,
    prefix: String,
    dtype: Dtype,
    mode: QuantMode,
}

impl Generator {
    /// Writes a norm's scale, and returns its values as stored: around one, some channels three times that.
    fn norm(
        &self,
        purpose: u64,
        name: &str,
        width: usize,
        sink: &mut Sink<'_>,
    ) -> Result<Vec<f32>, CheckpointError> {
        let stream = self.stream.fork(purpose);
        let outlier = stream.fork(1);
        let value = |i| {
            let gamma = 1.0 + 0.15 * stream.normal(i);
            if outlier.bits(i).is_multiple_of(256) { 3.0 * gamma } else { gamma }
        };
        let (mut data, mut values) = (Vec::with_capacity(2 * width), Vec::with_capacity(width));
        for i in 0..width as u64 {
            let (bytes, stored) = half_bytes(value(i), self.dtype);
            data.extend(bytes);
            values.push(stored);
        }
        sink(self.tensor(&format!("{name}.weight"), self.half_dtype(), vec![width], data, false))?;
        Ok(values)
    }

    /// Writes an int8 projection whose inputs are like `samples`, and returns its float outputs for them.
    fn projection(
        &self,
        purpose: u64,
        name: &str,
        rows: usize,
        samples: &[Vec<f32>],
        sink: &mut Sink<'_>,
    ) -> Result<Vec<Vec<f32>>, CheckpointError> {
        let columns = samples.first().map_or(0, Vec::len);
        let source = Channels::new(self.stream.fork(purpose), columns);
        let mut data = zeros(rows * columns)?;
        let weight: &mut [i8] = bytemuck::cast_slice_mut(&mut data);
        let channels: Vec<(f32, Vec<f32>)> = weight
            .par_chunks_mut(columns)
            .enumerate()
            .map_init(
                || vec![0f32; columns],
                |row, (r, quantized)| {
                    source.fill(r, row);
                    let scale = quantize_channel(row, quantized);
                    (scale, samples.iter().map(|x| dot(x, row)).collect())
                },
            )
            .collect();
        let outputs = (0..samples.len()).map(|s| channels.iter().map(|(_, y)| y[s]).collect()).collect();

        let mut put = |part: &str, dtype, shape: &[usize], data: Vec<u8>| {
            sink(self.tensor(&format!("{name}.{part}"), dtype, shape.to_vec(), data, true))
        };
        if self.mode == QuantMode::PerTensor {
            let input = InputQuant::of_range(samples.iter().flatten().copied(), self.dtype);
            let bias = weight.par_chunks(columns).map(|row| input.bias(row)).collect::<Vec<_>>();
            let deq_scale = channels.iter().map(|(scale, _)| input.scale * scale);
            let (dtype, data) = match self.dtype {
                Dtype::Bf16 => (StoredDtype::F32, deq_scale.flat_map(f32::to_le_bytes).collect()),
                // The pattern in the low half of a 64-bit word.
                Dtype::Fp16 => {
                    let words = deq_scale.map(|scale| i64::from(scale.to_bits()));
                    (StoredDtype::I64, words.flat_map(i64::to_le_bytes).collect())
                }
            };
            put("deq_scale", dtype, &[rows], data)?;
            put("quant_bias", StoredDtype::I32, &[rows], bytes(&bias))?;
            put("input_scale", self.half_dtype(), &[1], input.bits.to_le_bytes().to_vec())?;
            put("input_offset", StoredDtype::I8, &[1], input.offset.to_le_bytes().to_vec())?;
        }
        let scales: Vec<f32> = channels.iter().map(|(scale, _)| *scale).collect();
        put(
            "weight_scale",
            StoredDtype::F32,
            &[rows, 1],
            scales.iter().flat_map(|s| s.to_le_bytes()).collect(),
        )?;
        put("weight_offset", StoredDtype::F32, &[rows, 1], vec![0; 4 * rows])?;
        put("weight", StoredDtype::I8, &[rows, columns], data)?;
        Ok(outputs)
    }

    /// Writes a projection that is not quantised.
    fn half_matrix(
        &self,
        purpose: u64,
        name: &str,
        rows: usize,
        columns: usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), CheckpointError> {
        let source = Channels::new(self.stream.fork(purpose), columns);
        let mut data = zeros(2 * rows * columns)?;
        data.par_chunks_mut(2 * columns).enumerate().for_each_init(
            || vec![0f32; columns],
            |row, (r, stored)| {
                source.fill(r, row);
                for (bytes, value) in stored.as_chunks_mut::<2>().0.iter_mut().zip(row) {
                    *bytes = half_bytes(*value, self.dtype).0;
                }
            },
        );
        sink(self.tensor(&format!("{name}.weight"), self.half_dtype(), vec![rows, columns], data, false))
    }

    fn tensor(
        &self,
        name: &str,
        dtype: StoredDtype,
        shape: Vec<usize>,
        data: Vec<u8>,
        quantized: bool,
    ) -> StoredTensor {
        StoredTensor { name: format!("{}{name}", self.prefix), dtype, shape, data, quantized }
    }

    fn half_dtype(&self) -> StoredDtype {
        match self.dtype {
            Dtype::Fp16 => StoredDtype::F16,
            Dtype::Bf16 => StoredDtype::BF16,
        }
    }
}

/// The float weights of a projection, row by row.
///
/// Outputs of unit inputs have a standard deviation around one, from 0.6 to 1.4 by channel, and four times that
/// in one channel of 64.
struct Channels {
    elements: Sequence,
    spread: Sequence,
    columns: usize,
}

impl Channels {
    fn new(stream: Sequence, columns: usize) -> Self {
        Self { elements: stream.fork(0), spread: stream.fork(1), columns }
    }

    fn fill(&self, row: usize, weights: &mut [f32]) {
        let row = row as u64;
        let outlier = self.spread.bits(2 * row + 1).is_multiple_of(64);
        let spread = (0.6 + 0.8 * self.spread.uniform(2 * row)) * if outlier { 4.0 } else { 1.0 };
        let deviation = spread / (self.columns as f32).sqrt();
        let first = row * self.columns as u64;
        for (i, weight) in (first..).zip(weights) {
            *weight = deviation * self.elements.normal(i);
        }
    }
}

/// A value's stored bytes, and the value that they hold.
fn half_bytes(value: f32, dtype: Dtype) -> ([u8; 2], f32) {
    let bits = to_half(value, dtype);
    (bits.to_le_bytes(), from_half(bits, dtype))
}

/// Bytes of a matrix, whose size is the user's choice.
fn zeros(len: usize) -> Result<Vec<u8>, CheckpointError> {
    let mut data = Vec::new();
    data.try_reserve_exact(len).map_err(|_| CheckpointError::Option {
        option: "model",
        expected: "of dimensions whose matrices fit in memory".into(),
        got: format!("a matrix of {len} bytes"),
    })?;
    data.resize(len, 0);
    Ok(data)
}

fn bytes(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::ModelConfig;

    /// What is stored is the float weight of that very element, to half a step of its channel.
    #[test]
    fn stored_weights_are_the_float_weights() {
        let model = ModelConfig {
            hidden_size: 64,
            num_heads: 2,
            num_layers: 1,
            q_lora_rank: 32,
            ..ModelConfig::deepseek_v3()
        };
        let options = SynthOptions { model, seed: 5, ..Default::default() };
        let mut tensors = std::collections::BTreeMap::new();
        let mut keep = |tensor: StoredTensor| {
            tensors.insert(tensor.name.clone(), tensor);
            Ok(())
        };
        generate(&options, 3, &mut keep).unwrap();
        let part = |part: &str| &tensors[&format!("model.layers.3.self_attn.q_b_proj.{part}")].data;
        let scales = part("weight_scale").as_chunks::<4>().0;
        let source = Channels::new(Sequence::new(5).fork(3).fork(6), 32);
        let mut float = [0f32; 32];
        assert_eq!(scales.len(), 2 * 192);
        for (r, row) in part("weight").chunks(32).enumerate() {
            let scale = f32::from_le_bytes(scales[r]);
            source.fill(r, &mut float);
            for (w, q) in float.iter().zip(row) {
                assert!((w - f32::from(*q as i8) * scale).abs() <= 0.5001 * scale, "row {r}");
            }
        }
    }

    #[test]
    fn a_matrix_beyond_all_memory_is_an_error() {
        assert!(matches!(zeros(usize::MAX / 2), Err(CheckpointError::Option { option: "model", .. })));
    }
}
