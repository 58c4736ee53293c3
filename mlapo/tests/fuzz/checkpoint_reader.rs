//! The reader of checkpoints on any files.

use std::path::Path;

use mlapo::checkpoint::{CacheScaleValues, Checkpoint, CheckpointError, Heads, LoadOptions};
use mlapo::{CacheMode, Dtype, QuantMode};

use super::allocations::within_limit;
use super::input::Input;

/// The name of the shard in a fuzzed checkpoint.
pub const SHARD: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The files of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub config: Vec<u8>,
    pub index: Option<Vec<u8>>,
    pub shard: Vec<u8>,
}

impl Files {
    /// As one string of bytes, for a corpus.
    pub fn encode(&self) -> Vec<u8> {
        let index = self.index.as_deref().unwrap_or_default();
        let mut bytes = vec![self.index.is_some().into()];
        for part in [&self.config, index] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        bytes.extend(&self.shard);
        bytes
    }

    /// From any bytes.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut input = Input(bytes);
        let has_index = input.flag();
        let mut part = || {
            let len = usize::try_from(input.word()).unwrap_or(usize::MAX);
            input.bytes(len).to_vec()
        };
        let (config, index) = (part(), part());
        Self { config, index: has_index.then_some(index), shard: input.0.to_vec() }
    }

    fn write(&self, dir: &Path) {
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
        write("config.json", &self.config);
        write(SHARD, &self.shard);
        if let Some(index) = &self.index {
            write(INDEX, index);
        }
    }
}

/// Opens the bytes as a checkpoint, lists it and loads layers of it: what is loaded fits its configuration, and errors
/// name a file or an option. How many layers could be loaded.
pub fn checkpoint_reader(bytes: &[u8]) -> usize {
    let dir = tempfile::tempdir().unwrap();
    Files::decode(bytes).write(dir.path());
    let named = |error: CheckpointError| {
        let text = error.to_string();
        let named = text.contains(&*dir.path().to_string_lossy()) || text.starts_with("option");
        assert!(named, "neither file nor option in: {text}");
    };
    let opened = within_limit("opening a checkpoint", || Checkpoint::open(dir.path()));
    let Ok(checkpoint) = opened.map_err(named) else { return 0 };
    let _ = within_limit("listing a checkpoint", || checkpoint.tensors()).map_err(named);
    let mut loaded = 0;
    for layer in checkpoint.layers().into_iter().take(2).chain([usize::MAX]) {
        for options in options(checkpoint.model_config().num_heads) {
            let layer = within_limit("loading a layer", || checkpoint.load_layer(layer, &options, &|_| ()));
            let Ok((config, weights)) = layer.map_err(named) else { continue };
            weights.check(&config).unwrap();
            assert_eq!(weights.down.weight.len(), config.down_rows() * config.hidden_size);
            assert_eq!(weights.up.weight.len(), config.up_rows() * config.q_lora_rank);
            assert_eq!(weights.wuk.len(), config.num_heads * config.qk_nope_head_dim * config.kv_lora_rank);
            loaded += 1;
        }
    }
    loaded
}

/// Ways to load a layer that take different paths.
fn options(heads: usize) -> [LoadOptions; 3] {
    let scales = CacheScaleValues { ctkv_scale: 0.5, q_nope_scale: vec![1.0; heads] };
    [
        LoadOptions::default(),
        LoadOptions {
            dtype: Some(Dtype::Fp16),
            heads: Heads::Rank { rank: 1, size: 2 },
            cache_mode: CacheMode::SplitNzInt8,
            cache_scales: Some(scales),
            ..LoadOptions::default()
        },
        LoadOptions {
            quant_mode: Some(QuantMode::PerToken),
            heads: Heads::Range(0..1),
            input_norm: false,
            ..LoadOptions::default()
        },
    ]
}
