//! Checkpoints: reading, preparing, refusing and writing them.
//!
//! What is loaded is judged against the stored tensors, read here with the safetensors crate alone, and against
//! formulas on the checkpoint's own layout.

// Helpers outside of test functions unwrap, too.
#![allow(clippy::unwrap_used)]

mod faults;
mod loading;
mod preparation;
mod synthesis;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use mlapo::checkpoint::synth::{self, SynthOptions};
use mlapo::checkpoint::{Checkpoint, CheckpointError, LoadOptions, ModelConfig};
use mlapo::{ActivationQuant, Config, Dtype, Projection, QuantMode, Weights};
use safetensors::{Dtype as Stored, SafeTensors, tensor::TensorView};
use tempfile::TempDir;

const ATTENTION: &str = "model.layers.1.self_attn.";

fn tiny() -> ModelConfig {
    ModelConfig {
        hidden_size: 64,
        num_heads: 4,
        num_layers: 2,
        q_lora_rank: 32,
        kv_lora_rank: 96,
        qk_nope_head_dim: 16,
        qk_rope_head_dim: 32,
        v_head_dim: 24,
        rms_norm_eps: 1e-6,
        dtype: Dtype::Bf16,
    }
}

fn options(dtype: Dtype, quant_mode: QuantMode) -> SynthOptions {
    SynthOptions { model: ModelConfig { dtype, ..tiny() }, quant_mode, seed: 7, shard_bytes: 8 << 10 }
}

/// A tensor by its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Raw {
    dtype: Stored,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Raw {
    fn f32(values: &[f32], shape: &[usize]) -> Self {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { dtype: Stored::F32, shape: shape.to_vec(), data }
    }

    fn bf16(values: &[f32]) -> Self {
        let data = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        Self { dtype: Stored::BF16, shape: vec![values.len()], data }
    }

    fn i64(values: impl IntoIterator<Item = i64>) -> Self {
        let data: Vec<_> = values.into_iter().flat_map(i64::to_le_bytes).collect();
        Self { dtype: Stored::I64, shape: vec![data.len() / 8], data }
    }

    fn to_i8(&self) -> Vec<i8> {
        assert_eq!(self.dtype, Stored::I8);
        self.data.iter().map(|b| *b as i8).collect()
    }

    fn to_i32(&self) -> Vec<i32> {
        assert_eq!(self.dtype, Stored::I32);
        self.data.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn to_u16(&self) -> Vec<u16> {
        assert!(matches!(self.dtype, Stored::BF16 | Stored::F16));
        self.data.chunks(2).map(|b| u16::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn to_f32(&self) -> Vec<f32> {
        let words = self.data.chunks(if self.dtype == Stored::I64 { 8 } else { 4 });
        match self.dtype {
            Stored::F32 | Stored::I64 => {
                words.map(|b| f32::from_le_bytes(b[..4].try_into().unwrap())).collect()
            }
            Stored::BF16 => self.to_u16().into_iter().map(|b| bf16::from_bits(b).to_f32()).collect(),
            _ => self.to_u16().into_iter().map(|b| f16::from_bits(b).to_f32()).collect(),
        }
    }
}

/// A checkpoint on disk whose tensors can be looked at and changed.
struct Fixture {
    root: TempDir,
    tensors: BTreeMap<String, Raw>,
}

impl Fixture {
    fn new(dtype: Dtype, quant_mode: QuantMode) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("synth");
        synth::write(&dir, &options(dtype, quant_mode), &|_| ()).unwrap();
        let mut tensors = BTreeMap::new();
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "safetensors") {
                let bytes = fs::read(path).unwrap();
                for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                    let data = view.data().to_vec();
                    tensors.insert(name, Raw { dtype: view.dtype(), shape: view.shape().to_vec(), data });
                }
            }
        }
        Self { root, tensors }
    }

    fn synth_dir(&self) -> PathBuf {
        self.root.path().join("synth")
    }

    /// Writes the tensors as they are now as a checkpoint of one shard without an index.
    fn rewritten(&self) -> PathBuf {
        let dir = self.root.path().join("rewritten");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        fs::copy(self.synth_dir().join("config.json"), dir.join("config.json")).unwrap();
        write_shard(&dir.join("model.safetensors"), &self.tensors);
        dir
    }

    fn load(&self, options: &LoadOptions) -> Result<(Config, Weights), CheckpointError> {
        Checkpoint::open(self.rewritten())?.load_layer(1, options, &|_| ())
    }

    fn get(&self, part: &str) -> &Raw {
        &self.tensors[&format!("{ATTENTION}{part}")]
    }

    fn get_mut(&mut self, part: &str) -> &mut Raw {
        self.tensors.get_mut(&format!("{ATTENTION}{part}")).unwrap()
    }

    fn set(&mut self, part: &str, raw: Raw) {
        self.tensors.insert(format!("{ATTENTION}{part}"), raw);
    }

    fn remove(&mut self, part: &str) {
        self.tensors.remove(&format!("{ATTENTION}{part}")).unwrap();
    }
}

fn write_shard(path: &Path, tensors: &BTreeMap<String, Raw>) {
    let views =
        tensors.iter().map(|(name, t)| (name, TensorView::new(t.dtype, t.shape.clone(), &t.data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn load(dir: &Path, options: &LoadOptions) -> Result<(Config, Weights), CheckpointError> {
    Checkpoint::open(dir)?.load_layer(1, options, &|_| ())
}

fn bias(projection: &Projection) -> &[i32] {
    match &projection.input {
        ActivationQuant::PerTensor { bias, .. } => bias,
        ActivationQuant::PerToken => panic!("no bias"),
    }
}

/// Some int8 activations.
fn input(columns: usize) -> Vec<i8> {
    (0..columns).map(|i| ((i * 37 + 11) % 251) as u8 as i8).collect()
}
