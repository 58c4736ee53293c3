//! Opening checkpoints and loading layers of them: storage forms, modes, types, sharding.

use crate::*;
use mlapo::CacheMode;
use mlapo::checkpoint::{CacheScaleValues, Heads};

#[test]
fn a_written_checkpoint_opens_and_lists_its_tensors() {
    for mode in [QuantMode::PerTensor, QuantMode::PerToken] {
        let fixture = Fixture::new(Dtype::Bf16, mode);
        let checkpoint = Checkpoint::open(fixture.synth_dir()).unwrap();
        assert_eq!(checkpoint.model_config(), &tiny());
        assert_eq!(checkpoint.layers(), [0, 1]);
        let listed = checkpoint.tensors().unwrap();
        assert!(listed.iter().map(|t| &t.name).eq(fixture.tensors.keys()));
        for info in &listed {
            let raw = &fixture.tensors[&info.name];
            assert_eq!((info.dtype.as_str(), &info.shape), (raw.dtype.to_string().as_str(), &raw.shape));
        }
        let files: std::collections::BTreeSet<_> = listed.iter().map(|t| &t.file).collect();
        assert!(files.len() > 2, "several shards");

        let text = fs::read(fixture.synth_dir().join("quant_model_description.json")).unwrap();
        let labels: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap();
        let label = if mode == QuantMode::PerTensor { "W8A8" } else { "W8A8_DYNAMIC" };
        assert_eq!(labels["model_quant_type"], label);
        for name in fixture.tensors.keys() {
            let float = name.contains("layernorm") || name.contains("kv_b_proj");
            assert_eq!(labels[name], if float { "FLOAT" } else { label }, "{name}");
        }
        assert_eq!(labels.len(), fixture.tensors.len() + 2);
    }
}

#[test]
fn every_way_to_store_a_checkpoint_loads_the_same() {
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let expected = load(&fixture.synth_dir(), &LoadOptions::default()).unwrap();
    let dir = fixture.rewritten();
    assert_eq!(load(&dir, &LoadOptions::default()).unwrap(), expected, "one shard, no index");
    assert_eq!(load(&dir.join("model.safetensors"), &LoadOptions::default()).unwrap(), expected, "a file");

    let index = |file: &str| {
        let map: BTreeMap<_, _> = fixture.tensors.keys().map(|name| (name, file)).collect();
        serde_json::json!({ "weight_map": map }).to_string()
    };
    let quant_index = dir.join("quant_model_weight_w8a8.safetensors.index.json");
    fs::write(dir.join("model.safetensors.index.json"), index("gone.safetensors")).unwrap();
    fs::write(&quant_index, index("model.safetensors")).unwrap();
    assert_eq!(load(&dir, &LoadOptions::default()).unwrap(), expected, "the quantiser's index goes first");
    fs::rename(quant_index, dir.join("other.safetensors.index.json")).unwrap();
    let error = load(&dir, &LoadOptions::default()).unwrap_err();
    assert!(matches!(&error, CheckpointError::AmbiguousIndex { found, .. } if found.len() == 2), "{error}");
}

#[test]
fn norms_and_input_scales_are_taken_as_stored() {
    let fixture = Fixture::new(Dtype::Fp16, QuantMode::PerTensor);
    let (config, weights) = fixture.load(&LoadOptions::default()).unwrap();
    assert_eq!(config.dtype, Dtype::Fp16);
    assert_eq!(config.epsilon, 1e-6);
    let norm = weights.input_norm.unwrap();
    assert_eq!(norm.gamma, fixture.tensors["model.layers.1.input_layernorm.weight"].to_u16());
    assert_eq!(norm.beta, [0; 64]);
    assert_eq!(weights.q_norm.gamma, fixture.get("q_a_layernorm.weight").to_u16());
    assert_eq!(weights.kv_gamma, fixture.get("kv_a_layernorm.weight").to_u16());
    for (projection, name) in [(weights.down, "kv_a_proj_with_mqa"), (weights.up, "q_b_proj")] {
        let ActivationQuant::PerTensor { scale, offset, .. } = projection.input else { panic!() };
        assert_eq!([scale][..], fixture.get(&format!("{name}.input_scale")).to_u16());
        assert_eq!([offset][..], fixture.get(&format!("{name}.input_offset")).to_i8());
    }
    let (config, weights) = fixture.load(&LoadOptions { input_norm: false, ..Default::default() }).unwrap();
    assert!(!config.input_norm && weights.input_norm.is_none());
}

#[test]
fn norm_biases_are_read_where_there_are_any() {
    let mut fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let beta: Vec<f32> = (0..64).map(|i| i as f32 / 8.0 - 3.0).collect();
    fixture.tensors.insert("model.layers.1.input_layernorm.bias".into(), Raw::bf16(&beta));
    fixture.set("q_a_layernorm.bias", Raw::f32(&beta[..32], &[32]));
    fixture.set("kv_a_layernorm.bias", Raw::bf16(&[0.0; 96]));
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    let bits: Vec<_> = beta.iter().map(|v| bf16::from_f32(*v).to_bits()).collect();
    assert_eq!(weights.input_norm.unwrap().beta, bits);
    assert_eq!(weights.q_norm.beta, bits[..32]);

    // The wrapped norm of outlier suppression replaces the original one.
    fixture.set("q_a_layernorm.module.weight", Raw::bf16(&[2.0; 32]));
    fixture.set("q_a_layernorm.module.bias", Raw::bf16(&[0.5; 32]));
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    assert_eq!(weights.q_norm.gamma, [bf16::from_f32(2.0).to_bits(); 32]);
    assert_eq!(weights.q_norm.beta, [bf16::from_f32(0.5).to_bits(); 32]);
}

#[test]
fn dynamic_checkpoints_load_per_token_and_static_ones_either_way() {
    let dynamic = Fixture::new(Dtype::Bf16, QuantMode::PerToken);
    let (config, weights) = dynamic.load(&LoadOptions::default()).unwrap();
    assert_eq!(config.quant_mode, QuantMode::PerToken);
    let scales = dynamic.get("q_a_proj.weight_scale").to_f32();
    assert_eq!(weights.down.descale[tiny().kv_lora_rank + 32..], scales);
    let up = dynamic.get("q_b_proj.weight_scale").to_f32();
    assert_eq!(weights.up.descale[16..19], [up[16], up[18], up[20]], "even rotary rows first");

    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let per_token = LoadOptions { quant_mode: Some(QuantMode::PerToken), ..Default::default() };
    assert_eq!(fixture.load(&per_token).unwrap().1, weights, "equal seeds have equal int8 weights");
    let per_tensor = LoadOptions { quant_mode: Some(QuantMode::PerTensor), ..Default::default() };
    let error = dynamic.load(&per_tensor).unwrap_err().to_string();
    assert!(error.contains("q_a_proj.input_scale"), "{error}");
}

#[test]
fn float_scalars_mean_the_same_as_int8_and_16_bit_ones() {
    let mut fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let expected = fixture.load(&LoadOptions::default()).unwrap();
    for name in ["q_a_proj", "kv_a_proj_with_mqa", "q_b_proj"] {
        let scale = fixture.get(&format!("{name}.input_scale")).to_f32();
        let offset = f32::from(fixture.get(&format!("{name}.input_offset")).to_i8()[0]);
        fixture.set(&format!("{name}.input_scale"), Raw::f32(&scale, &[1]));
        fixture.set(&format!("{name}.input_offset"), Raw::f32(&[offset], &[]));
        fixture.remove(&format!("{name}.weight_scale"));
        fixture.remove(&format!("{name}.weight_offset"));
    }
    assert_eq!(fixture.load(&LoadOptions::default()).unwrap(), expected);
}

#[test]
fn int64_scales_are_read_in_all_known_forms() {
    let mut fixture = Fixture::new(Dtype::Fp16, QuantMode::PerTensor);
    let (_, plain) = fixture.load(&LoadOptions::default()).unwrap();
    let scales = fixture.get("q_b_proj.deq_scale").to_f32();
    assert_eq!(fixture.get("q_b_proj.deq_scale").dtype, Stored::I64);
    assert_eq!(plain.up.descale[..16], scales[..16]);

    let truncated = |v: &f32| f32::from_bits(v.to_bits() & 0xFFFF_E000);
    let marked = scales.iter().map(|v| i64::from(truncated(v).to_bits()) | (1 << 46));
    fixture.set("q_b_proj.deq_scale", Raw::i64(marked));
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    assert_eq!(weights.up.descale, plain.up.descale.iter().map(truncated).collect::<Vec<_>>());

    let negative = scales.iter().map(|v| i64::from((-v).to_bits() as i32));
    fixture.set("q_b_proj.deq_scale", Raw::i64(negative));
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    assert_eq!(weights.up.descale, plain.up.descale.iter().map(|v| -v).collect::<Vec<_>>());

    for word in [1 << 33, i64::from(f32::NAN.to_bits()), i64::from(1.0f32.to_bits()) | (-1 << 32)] {
        fixture.set("q_b_proj.deq_scale", Raw::i64(scales.iter().map(|_| word)));
        let error = fixture.load(&LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("q_b_proj.deq_scale") && error.contains("low 32 bits"), "{error}");
    }
}

#[test]
fn other_types_are_converted_with_rounding_and_without_overflow() {
    let mut fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let fp16 = LoadOptions { dtype: Some(Dtype::Fp16), ..Default::default() };
    let (config, weights) = fixture.load(&fp16).unwrap();
    assert_eq!(config.dtype, Dtype::Fp16);
    let gamma = fixture.get("kv_a_layernorm.weight").to_f32();
    assert_eq!(weights.kv_gamma, gamma.iter().map(|v| f16::from_f32(*v).to_bits()).collect::<Vec<_>>());

    let wide: Vec<f32> = (0..96).map(|i| 1.0 + i as f32 * 1e-3).collect();
    fixture.set("kv_a_layernorm.weight", Raw::f32(&wide, &[96]));
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    assert_eq!(weights.kv_gamma, wide.iter().map(|v| bf16::from_f32(*v).to_bits()).collect::<Vec<_>>());

    fixture.set("kv_a_layernorm.weight", Raw::bf16(&[70000.0; 96]));
    fixture.load(&LoadOptions::default()).unwrap();
    let error = fixture.load(&fp16).unwrap_err().to_string();
    assert!(error.contains("kv_a_layernorm.weight") && error.contains("finite in Fp16"), "{error}");
}

#[test]
fn tensor_parallel_shards_put_together_are_the_whole() {
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let scales = CacheScaleValues { ctkv_scale: 0.05, q_nope_scale: vec![10.0, 20.0, 30.0, 40.0] };
    let options = |heads| LoadOptions {
        heads,
        cache_mode: CacheMode::SplitNzInt8,
        cache_scales: Some(scales.clone()),
        ..Default::default()
    };
    let (_, whole) = fixture.load(&options(Heads::All)).unwrap();
    assert_eq!(whole.cache_scales.as_ref().unwrap().q_nope_scale.len(), 4);
    for size in [1, 2, 4] {
        let (mut weight, mut descale, mut biases, mut wuk, mut q_scale) =
            (vec![], vec![], vec![], vec![], vec![]);
        for rank in 0..size {
            let (config, shard) = fixture.load(&options(Heads::Rank { rank, size })).unwrap();
            assert_eq!(config.num_heads, 4 / size);
            shard.check(&config).unwrap();
            let range = rank * 4 / size..(rank + 1) * 4 / size;
            assert_eq!(fixture.load(&options(Heads::Range(range))).unwrap().1, shard);
            assert_eq!(shard.down, whole.down);
            descale.extend(shard.up.descale.iter().copied());
            biases.extend_from_slice(bias(&shard.up));
            weight.extend(shard.up.weight);
            wuk.extend(shard.wuk);
            q_scale.extend(shard.cache_scales.unwrap().q_nope_scale);
        }
        assert_eq!(weight, whole.up.weight);
        assert_eq!(descale, whole.up.descale);
        assert_eq!(biases, bias(&whole.up));
        assert_eq!(wuk, whole.wuk);
        assert_eq!(q_scale, whole.cache_scales.as_ref().unwrap().q_nope_scale);
    }
}

#[test]
fn wishes_that_cannot_be_met_are_refused() {
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let dir = fixture.synth_dir();
    let refused = |options: LoadOptions, option: &str| match load(&dir, &options) {
        Err(CheckpointError::Option { option: got, .. }) => assert_eq!(got, option),
        other => panic!("{option}: {other:?}"),
    };
    #[allow(clippy::reversed_empty_ranges)]
    for heads in [
        Heads::Rank { rank: 0, size: 3 },
        Heads::Rank { rank: 2, size: 2 },
        Heads::Rank { rank: 0, size: 0 },
        Heads::Range(2..5),
        Heads::Range(2..2),
        Heads::Range(3..1),
    ] {
        refused(LoadOptions { heads, ..Default::default() }, "heads");
    }
    let int8 =
        |cache_scales| LoadOptions { cache_mode: CacheMode::SplitNzInt8, cache_scales, ..Default::default() };
    let scales = |ctkv_scale, q| Some(CacheScaleValues { ctkv_scale, q_nope_scale: vec![q; 4] });
    refused(int8(None), "cache_scales");
    refused(LoadOptions { cache_scales: scales(1.0, 1.0), ..Default::default() }, "cache_scales");
    refused(int8(scales(0.0, 1.0)), "cache_scales.ctkv_scale");
    refused(int8(scales(1.0, f32::NAN)), "cache_scales.q_nope_scale");
    let short = CacheScaleValues { ctkv_scale: 1.0, q_nope_scale: vec![1.0; 3] };
    refused(int8(Some(short)), "cache_scales.q_nope_scale");

    let error = Checkpoint::open(&dir).unwrap().load_layer(2, &LoadOptions::default(), &|_| ()).unwrap_err();
    assert!(matches!(error, CheckpointError::NoLayer { layer: 2, .. }), "{error}");
    assert!(error.to_string().contains("[0, 1]"), "{error}");
}
