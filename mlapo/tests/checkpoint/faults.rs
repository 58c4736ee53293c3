//! Checkpoints with faults, made one by one and at random.

use crate::*;
use proptest::prelude::*;

/// Changes one thing in a good checkpoint; the error must say all of `words`.
fn fault(mode: QuantMode, change: impl FnOnce(&mut Fixture), words: &[&str]) {
    let mut fixture = Fixture::new(Dtype::Bf16, mode);
    fixture.load(&LoadOptions::default()).unwrap();
    change(&mut fixture);
    let error = fixture.load(&LoadOptions::default()).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "`{word}` in: {error}");
    }
}

#[test]
fn faulty_tensors_are_named_with_their_file() {
    use QuantMode::{PerTensor, PerToken};
    let file = "model.safetensors";
    for name in ["q_a_proj.weight", "kv_b_proj.weight", "q_b_proj.quant_bias", "kv_a_layernorm.weight"] {
        fault(PerTensor, |f| f.remove(name), &["rewritten", name, "no tensor"]);
    }
    fault(PerToken, |f| f.remove("q_b_proj.weight_scale"), &["q_b_proj.weight_scale", "no tensor"]);
    let wrong_dtype = |name: &'static str, expected: &str| {
        let change = |f: &mut Fixture| {
            let raw = f.get_mut(name);
            let bytes: usize = raw.shape.iter().product();
            (raw.dtype, raw.data) = (Stored::U8, vec![0; bytes]);
        };
        fault(PerTensor, change, &[file, name, "dtype must be", expected, "got U8"]);
    };
    wrong_dtype("q_b_proj.weight", "I8");
    wrong_dtype("q_b_proj.quant_bias", "I32");
    wrong_dtype("q_b_proj.deq_scale", "F32 or I64");
    wrong_dtype("q_b_proj.input_offset", "F32, BF16 or F16");
    wrong_dtype("kv_b_proj.weight", "F32, BF16 or F16");
    for name in ["q_a_proj.weight", "kv_b_proj.weight"] {
        let change = |f: &mut Fixture| f.get_mut(name).shape.reverse();
        fault(PerTensor, change, &[file, name, "shape must be"]);
    }
    let longer = |f: &mut Fixture| f.set("kv_a_proj_with_mqa.deq_scale", Raw::f32(&[1.0; 129], &[129]));
    fault(PerTensor, longer, &[file, "kv_a_proj_with_mqa.deq_scale", "[128] or [128, 1]", "[129]"]);
}

#[test]
fn values_that_would_be_computed_with_wrongly_are_refused() {
    use QuantMode::{PerTensor, PerToken};
    let value = |mode, name: &'static str, raw: Raw, words: &str| {
        fault(mode, |f| f.set(name, raw), &["model.safetensors", name, words]);
    };
    let one = |v: f32| Raw::f32(&[v], &[1]);
    value(PerTensor, "kv_a_proj_with_mqa.input_scale", one(0.5), "as of `model.layers.1.self_attn.q_a_proj");
    value(PerTensor, "q_b_proj.input_scale", one(0.0), "positive");
    value(PerTensor, "q_b_proj.input_scale", one(-1.0), "positive");
    value(PerTensor, "q_b_proj.input_scale", one(f32::INFINITY), "finite");
    for offset in [0.5, 128.0, -129.0] {
        value(PerTensor, "q_b_proj.input_offset", one(offset), "integer from -128 to 127");
    }
    value(PerTensor, "q_a_proj.weight_offset", Raw::f32(&[3.0; 32], &[32, 1]), "symmetrically");
    value(PerToken, "q_a_proj.weight_scale", Raw::f32(&[f32::NAN; 32], &[32, 1]), "finite");
    value(PerToken, "q_a_proj.bias", Raw::f32(&[1.0; 32], &[32]), "no bias");
    value(PerTensor, "kv_a_layernorm.bias", Raw::bf16(&[1.0; 96]), "no shift");
    value(PerTensor, "q_a_layernorm.weight", Raw::bf16(&[f32::NAN; 32]), "finite");
}

#[test]
fn faulty_files_are_named() {
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let dir = fixture.synth_dir();
    let index = dir.join("quant_model_weights.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap();
    let map: serde_json::Value = serde_json::from_str(&text).unwrap();
    let name = "model.layers.1.self_attn.q_b_proj.weight";
    let shard = map["weight_map"][name].as_str().unwrap().to_owned();
    let error = || load(&dir, &LoadOptions::default()).unwrap_err();

    // Truncated, overlong, and no safetensors at all.
    let good = fs::read(dir.join(&shard)).unwrap();
    for bad in [&good[..good.len() - 1], &good[..4], &[], &[good.clone(), vec![0]].concat(), &[0xFF; 64]] {
        fs::write(dir.join(&shard), bad).unwrap();
        let error = error();
        assert!(matches!(&error, CheckpointError::Shard { path, .. } if path.ends_with(&shard)), "{error}");
        assert!(matches!(Checkpoint::open(&dir).unwrap().tensors(), Err(CheckpointError::Shard { .. })));
    }
    fs::remove_file(dir.join(&shard)).unwrap();
    let missing = error();
    assert!(
        matches!(&missing, CheckpointError::MissingShard { path, .. } if path.ends_with(&shard)),
        "{missing}"
    );
    // The other layer does not need that shard.
    Checkpoint::open(&dir).unwrap().load_layer(0, &LoadOptions::default(), &|_| ()).unwrap();
    fs::create_dir(dir.join(&shard)).unwrap();
    assert!(error().to_string().contains("regular file"));
    fs::remove_dir(dir.join(&shard)).unwrap();
    fs::write(dir.join(&shard), &good).unwrap();

    // The index promises a tensor that the shard does not have.
    let elsewhere = map["weight_map"]["model.layers.0.input_layernorm.weight"].as_str().unwrap();
    assert_ne!(elsewhere, shard);
    let mut wrong = map.clone();
    wrong["weight_map"][name] = elsewhere.into();
    fs::write(&index, wrong.to_string()).unwrap();
    let misplaced = error().to_string();
    assert!(misplaced.contains(elsewhere) && misplaced.contains(name), "{misplaced}");

    // The index points out of the directory, at no name, at no map.
    for target in ["../synth/x.safetensors", "/etc/passwd", "..", "", "a/b", "./a"] {
        let mut wrong = map.clone();
        wrong["weight_map"][name] = target.into();
        fs::write(&index, wrong.to_string()).unwrap();
        let error = error();
        assert!(matches!(&error, CheckpointError::Field { field, .. } if field.contains(name)), "{error}");
    }
    fs::write(&index, "{\"weight_map\": 3}").unwrap();
    assert!(matches!(error(), CheckpointError::Field { .. }));
    fs::write(&index, "{").unwrap();
    assert!(matches!(error(), CheckpointError::Json { .. }));
    fs::write(&index, &text).unwrap();
    load(&dir, &LoadOptions::default()).unwrap();

    // config.json: absent, a field missing, of the wrong type, or of a size that the operation does not have.
    let config = dir.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    for (field, value) in [
        ("kv_lora_rank", serde_json::Value::Null),
        ("q_lora_rank", "32".into()),
        ("hidden_size", (1u64 << 63).into()),
        ("v_head_dim", (-1).into()),
        ("rms_norm_eps", "tiny".into()),
        ("torch_dtype", "float32".into()),
        ("hidden_size", 63.into()),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[field] = value;
        fs::write(&config, json.to_string()).unwrap();
        let error = error().to_string();
        assert!(error.contains("config.json") && error.contains(field), "{error}");
    }
    fs::remove_file(&config).unwrap();
    assert!(matches!(error(), CheckpointError::Io { path, .. } if path == config));

    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Checkpoint::open(empty.path()), Err(CheckpointError::NoWeights { .. })));
    assert!(matches!(Checkpoint::open(empty.path().join("x")), Err(CheckpointError::Io { .. })));
    let copy = empty.path().join("a.safetensors");
    fs::write(&copy, &good).unwrap();
    fs::copy(&copy, empty.path().join("b.safetensors")).unwrap();
    let twice = Checkpoint::open(empty.path()).unwrap_err().to_string();
    assert!(twice.contains("b.safetensors") && twice.contains("also in a.safetensors"), "{twice}");
}

/// Reads all that there is; only a panic is a failure.
fn exercise(dir: &Path) {
    if let Ok(checkpoint) = Checkpoint::open(dir) {
        let _ = checkpoint.tensors();
        for layer in checkpoint.layers() {
            if let Ok((config, weights)) = checkpoint.load_layer(layer, &LoadOptions::default(), &|_| ()) {
                weights.check(&config).unwrap();
            }
        }
    }
}

fn smallest() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let model = ModelConfig {
        hidden_size: 32,
        num_heads: 1,
        num_layers: 1,
        q_lora_rank: 32,
        kv_lora_rank: 32,
        qk_nope_head_dim: 16,
        qk_rope_head_dim: 16,
        v_head_dim: 1,
        ..tiny()
    };
    let options = SynthOptions { model, shard_bytes: 1 << 20, ..Default::default() };
    synth::write(&root.path().join("c"), &options, &|_| ()).unwrap();
    root
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn corrupt_files_never_panic(
        file in 0..3usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let root = smallest();
        let dir = root.path().join("c");
        let name = ["config.json", "quant_model_weights.safetensors.index.json",
            "quant_model_weights-00001-of-00001.safetensors"][file];
        let mut bytes = fs::read(dir.join(name)).unwrap();
        let interesting = bytes.len().min(3000);
        for (at, value) in changes {
            bytes[at.index(interesting)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(interesting));
        }
        fs::write(dir.join(name), bytes).unwrap();
        exercise(&dir);
    }

    /// A well-formed header with hostile numbers in it.
    #[test]
    fn hostile_headers_never_panic(
        which in 0..25usize,
        shape in prop::collection::vec(prop_oneof![any::<u64>(), 0..70u64], 0..4),
        offsets in (prop_oneof![any::<u64>(), 0..10_000u64], prop_oneof![any::<u64>(), 0..10_000u64]),
        dtype in prop::sample::select(vec!["I8", "F4", "BF16", "F32", "I64", "BOOL", "X"]),
        length in prop::option::of(any::<u64>()),
    ) {
        let root = smallest();
        let dir = root.path().join("c");
        let path = dir.join("quant_model_weights-00001-of-00001.safetensors");
        let bytes = fs::read(&path).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let key = json.as_object().unwrap().keys().nth(which % json.as_object().unwrap().len()).unwrap().clone();
        json[key] = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [offsets.0, offsets.1] });
        let text = json.to_string();
        let length = length.unwrap_or(text.len() as u64);
        fs::write(&path, [&length.to_le_bytes(), text.as_bytes(), &bytes[8 + header..]].concat()).unwrap();
        exercise(&dir);
    }
}
