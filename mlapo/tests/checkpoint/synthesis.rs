//! What `synth` writes.

use crate::*;
use std::cell::RefCell;

/// All files of a directory.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
    };
    fs::read_dir(dir).unwrap().map(entry).collect()
}

#[test]
fn equal_seeds_give_equal_files_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, threads, seed| {
        let dir = root.path().join(name);
        let options = SynthOptions { seed, ..options(Dtype::Bf16, QuantMode::PerTensor) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| synth::write(&dir, &options, &|_| ())).unwrap();
        contents(&dir)
    };
    let one = write("one", 1, 3);
    assert_eq!(one, write("five", 5, 3));
    let other = write("other", 2, 4);
    assert!(one.keys().eq(other.keys()));
    assert_ne!(one, other);

    // Layers and projections differ from each other, too.
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerToken);
    let mut weights: Vec<_> =
        fixture.tensors.values().filter(|t| t.data.len() > 1000).map(|t| &t.data[..512]).collect();
    let count = weights.len();
    weights.sort();
    weights.dedup();
    assert_eq!((count, weights.len()), (8, 8));
}

/// What the parameters of a static checkpoint mean, in exact integers: the bias takes the zero point out, and
/// the scale is that of input times weight.
#[test]
fn static_quantization_is_proper() {
    for dtype in [Dtype::Bf16, Dtype::Fp16] {
        let fixture = Fixture::new(dtype, QuantMode::PerTensor);
        for (name, rows, columns) in
            [("q_a_proj", 32, 64), ("kv_a_proj_with_mqa", 128, 64), ("q_b_proj", 4 * 48, 32)]
        {
            let part = |part: &str| fixture.get(&format!("{name}.{part}"));
            let weight = part("weight").to_i8();
            let offset = i64::from(part("input_offset").to_i8()[0]);
            let input_scale = part("input_scale").to_f32()[0];
            assert!(
                offset.abs() < 60 && (0.005..0.2).contains(&input_scale),
                "{name}: {offset} {input_scale}"
            );
            let (bias, deq) = (part("quant_bias").to_i32(), part("deq_scale").to_f32());
            let weight_scale = part("weight_scale").to_f32();
            assert_eq!(part("weight_scale").shape, [rows, 1]);
            assert!(part("weight_offset").to_f32().iter().all(|v| *v == 0.0));
            let x = input(columns);
            for (r, w) in weight.chunks(columns).enumerate() {
                assert_eq!(w.iter().map(|w| w.unsigned_abs()).max(), Some(127), "{name} row {r}");
                let acc: i64 = w.iter().zip(&x).map(|(w, x)| i64::from(*w) * i64::from(*x)).sum();
                let exact: i64 =
                    w.iter().zip(&x).map(|(w, x)| i64::from(*w) * (i64::from(*x) - offset)).sum();
                assert_eq!(acc + i64::from(bias[r]), exact, "{name} row {r}");
                assert_eq!(deq[r], input_scale * weight_scale[r], "{name} row {r}");
            }
        }
    }
}

#[test]
fn the_distributions_are_like_a_trained_models() {
    let root = tempfile::tempdir().unwrap();
    let model = ModelConfig { hidden_size: 1024, q_lora_rank: 512, num_layers: 1, ..tiny() };
    let dir = root.path().join("wide");
    let options = SynthOptions { model, seed: 1, ..Default::default() };
    synth::write(&dir, &options, &|_| ()).unwrap();
    let (_, weights) = Checkpoint::open(&dir)
        .unwrap()
        .load_layer(0, &LoadOptions { quant_mode: Some(QuantMode::PerToken), ..Default::default() }, &|_| ())
        .unwrap();
    // Channels of 1024 weights: standard deviation 0.6 to 1.4 over sqrt(1024), a few of them four times that.
    let deviation = |(row, scale): (&[i8], &f32)| {
        let sum: f64 = row.iter().map(|w| (f64::from(*w) * f64::from(*scale)).powi(2)).sum();
        sum.sqrt()
    };
    let deviations: Vec<f64> =
        weights.down.weight.chunks(1024).zip(&weights.down.descale).map(deviation).collect();
    let outliers = deviations.iter().filter(|d| **d > 2.0).count();
    assert!((1..=40).contains(&outliers), "{outliers} of {}", deviations.len());
    assert!(deviations.iter().all(|d| (0.5..6.4).contains(d)));
    let mean = deviations.iter().filter(|d| **d < 2.0).sum::<f64>() / (deviations.len() - outliers) as f64;
    assert!((0.95..1.05).contains(&mean), "{mean}");
    let gamma: Vec<f32> =
        weights.input_norm.unwrap().gamma.into_iter().map(|g| bf16::from_bits(g).to_f32()).collect();
    assert!(gamma.iter().all(|g| (0.2..5.3).contains(g)));
    let mean = gamma.iter().sum::<f32>() / 1024.0;
    assert!((0.95..1.1).contains(&mean), "{mean}");
}

#[test]
fn progress_counts_all_weight_matrices() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("deep").join("er");
    let seen = RefCell::new(Vec::new());
    let record = |p: mlapo::checkpoint::Progress<'_>| seen.borrow_mut().push((p.bytes, p.total));
    let finished = |matrices: usize| {
        let seen = seen.take();
        assert_eq!(seen.len(), matrices);
        assert!(seen.is_sorted_by(|a, b| a.0 < b.0) && seen.iter().all(|p| p.1 == seen[0].1));
        assert_eq!(seen[matrices - 1].0, seen[0].1);
    };
    synth::write(&dir, &options(Dtype::Bf16, QuantMode::PerTensor), &record).unwrap();
    finished(8);
    Checkpoint::open(&dir).unwrap().load_layer(0, &LoadOptions::default(), &record).unwrap();
    finished(4);
}

#[test]
fn nothing_is_overwritten_and_failures_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    let options = options(Dtype::Bf16, QuantMode::PerTensor);
    let write = |dir: &Path| synth::write(dir, &options, &|_| ());
    write(root.path()).unwrap();
    let before = contents(root.path());
    assert!(matches!(write(root.path()), Err(CheckpointError::NotEmpty { path }) if path == root.path()));
    assert_eq!(contents(root.path()), before);

    let below_a_file = root.path().join("config.json").join("x");
    assert!(matches!(write(&below_a_file), Err(CheckpointError::Io { path, .. }) if path == below_a_file));
    assert!(matches!(write(&root.path().join("config.json")), Err(CheckpointError::Io { .. })));

    let dir = root.path().join("bad");
    for model in [
        ModelConfig { hidden_size: 33, ..tiny() },
        ModelConfig { num_layers: 0, ..tiny() },
        ModelConfig { v_head_dim: 0, ..tiny() },
        ModelConfig { rms_norm_eps: f64::NAN, ..tiny() },
    ] {
        let bad = SynthOptions { model, ..options.clone() };
        let error = synth::write(&dir, &bad, &|_| ()).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Option { .. } | CheckpointError::Operation { .. }),
            "{error}"
        );
        assert!(!dir.exists());
    }
}
