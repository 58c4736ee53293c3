//! The command line, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mlapo::Dtype;
use mlapo::call::Values;
use mlapo::fixture::{Candidate, Fixture};
use mlapo::reference::{self, Order};
use serde_json::Value;

fn mlapo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    // The simulated device as it is without any setting, wherever the tests run.
    for variable in ["ASCENDCL_SIM_DEVICES", "ASCENDCL_SIM_SOC", "ASCENDCL_SIM_MEMORY", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.env("ASCENDCL_BACKEND", "sim").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The standard output of a run that must succeed and complain of nothing.
fn success(arguments: &[&str]) -> String {
    let output = mlapo(arguments);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stdout).to_owned()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&success(arguments)).unwrap()
}

/// The message of a run that must fail with this status; nothing panics, and one line says what is wrong.
fn failure(status: i32, arguments: &[&str]) -> String {
    let output = mlapo(arguments);
    let message = text(&output.stderr).to_owned();
    assert_eq!(code(&output), status, "{arguments:?}: {message}");
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{arguments:?}: {message}");
    assert!(status == 2 || message.lines().count() == 1, "{arguments:?}: {message}");
    message
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

const SMALL: &str = "public/p01_fp16_cm0_qm0_n1_h1.safetensors";

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn check_finds_nothing_wrong_in_the_kernel() {
    let document = json(&["check", "--heads", "3", "--tokens", "2", "--hidden-size", "512", "--json"]);
    let launches = document["launches"].as_array().unwrap();
    assert_eq!(launches.len(), 1);
    assert_eq!((&launches[0]["kernel"], &launches[0]["blocks"]), (&"mlapo".into(), &20.into()));
    assert!(launches[0]["instructions"].as_u64().unwrap() > 1000, "{document:#}");
    assert_eq!(launches[0]["findings"].as_array().unwrap().len(), 0, "{document:#}");
}

#[test]
fn run_in_the_modes_of_the_operator() {
    let modes = [
        ("combined", "bf16", "per-tensor", "nd"),
        ("split", "fp16", "per-token", "nz"),
        ("split-nz-int8", "bf16", "per-tensor", "nz"),
        ("split-nz-int8", "fp16", "per-token", "nd"),
        ("split-nz", "bf16", "per-token", "nd"),
    ];
    for (cache, dtype, quant, wuk) in modes {
        let mut arguments = vec!["run", "--heads", "2", "--tokens", "3", "--iterations", "2", "--json"];
        arguments.extend(["--cache", cache, "--dtype", dtype, "--quant", quant, "--wuk", wuk]);
        let document = json(&arguments);
        let config = &document["config"];
        assert_eq!((&config["cache"], &config["dtype"]), (&cache.into(), &dtype.into()), "{document:#}");
        assert_eq!((&config["quant"], &document["wuk"]), (&quant.into(), &wuk.into()));
        assert_eq!((&document["tokens"], &config["num_heads"]), (&3.into(), &2.into()));
        assert_eq!((&document["backend"], &document["device"]["kind"]), (&"kernel".into(), &"sim".into()));
        assert_eq!(document["time"]["iterations"], 2);
        for key in ["median_us", "min_us", "stream_median_us", "stream_min_us"] {
            assert!(document["time"][key].as_f64().unwrap() > 0.0, "{key}: {document:#}");
        }
        assert!(document["weights_gb_per_s"].as_f64().unwrap() > 0.0);
        assert_eq!(document["inputs"].as_array().unwrap().len(), 4);

        // The shapes of the operator's contract: two blocks of 128 rows.
        let shapes: Vec<(String, Value)> = document["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| (result["name"].as_str().unwrap().to_owned(), result["shape"].clone()))
            .collect();
        let expected: &[(&str, &[usize])] = match cache {
            "combined" => &[("q_out0", &[3, 2, 576]), ("kv_cache", &[2, 128, 1, 576])],
            "split" => &[
                ("q_out0", &[3, 2, 512]),
                ("q_out1", &[3, 2, 64]),
                ("kv_cache", &[2, 128, 1, 512]),
                ("kv_cache_rope", &[2, 128, 1, 64]),
            ],
            _ => &[
                ("q_out0", &[3, 2, 512]),
                ("q_out1", &[3, 2, 64]),
                ("kv_cache", if cache == "split-nz" { &[2, 32, 128, 16] } else { &[2, 16, 128, 32] }),
                ("kv_cache_rope", &[2, 4, 128, 16]),
            ],
        };
        let expected: Vec<_> =
            expected.iter().map(|(name, shape)| ((*name).to_owned(), serde_json::json!(shape))).collect();
        assert_eq!(shapes, expected);

        // Close to the reference, and the results are those of the checksum.
        assert!(document["max_difference"].as_f64().unwrap() < 0.1, "{document:#}");
        let int8 = cache == "split-nz-int8";
        assert_eq!(document["max_int8_step"].is_null(), !int8);
        assert!(!int8 || document["max_int8_step"].as_f64().unwrap() <= 1.0, "{document:#}");
        let bits = |value: &Value| {
            u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
        };
        let results = document["results"].as_array().unwrap();
        let sum = results.iter().fold(0u64, |sum, result| sum.wrapping_add(bits(&result["checksum"])));
        assert_eq!(sum, bits(&document["checksum"]));
    }
}

#[test]
fn run_prints_what_it_did() {
    let arguments = ["run", "--heads", "1", "--tokens", "1", "--iterations", "1"];
    let by_host = success(&arguments);
    for word in ["operation", "device", "backend", "q_out0", "kv_cache_rope", "median", "GB/s", "simulated"] {
        assert!(by_host.contains(word), "{word}: {by_host}");
    }
    let checksum = |output: &str, name: &str| {
        let line = output.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().find(|word| word.starts_with("0x")).unwrap().to_owned()
    };
    // Another backend, the same rotary results; another seed or variant, another result.
    let by_reference = success(&[&arguments[..], &["--backend", "reference"]].concat());
    assert_eq!(checksum(&by_host, "kv_cache_rope"), checksum(&by_reference, "kv_cache_rope"));
    assert!(last_line(&by_reference).ends_with("at most 0 from the reference"), "{by_reference}");
    for other in [["--seed", "1"].as_slice(), &["--no-input-norm"]] {
        let output = success(&[&arguments[..], other].concat());
        assert_ne!(checksum(&by_host, "q_out0"), checksum(&output, "q_out0"));
    }
}

#[test]
fn logs_go_to_standard_error() {
    let output = mlapo(&["run", "--heads", "1", "--tokens", "1", "--iterations", "1", "--json", "-v"]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stderr).contains("Runtime"), "{}", text(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
}

#[test]
fn verify_passes_good_fixtures_by_every_backend() {
    let kernel_order = fixture("kernel_order/p01_fp16_cm0_qm0_n1_h1.safetensors");
    let paths = [fixture(SMALL), kernel_order, fixture("sgl")];
    let paths = paths.each_ref().map(|path| path.to_str().unwrap());
    for (backend, rules, tensors) in
        [("host", ["either", "data", "data"], 2), ("reference", ["data", "data", "data"], 6)]
    {
        let plain = success(&[&["verify", "--backend", backend], &paths[..]].concat());
        assert_eq!(last_line(&plain), "3 passed, 0 failed");
        let output = mlapo(&[&["verify", "--json", "--backend", backend], &paths[..]].concat());
        assert_eq!((code(&output), text(&output.stderr)), (0, "3 passed, 0 failed\n"));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&document["passed"], &document["failed"]), (&3.into(), &0.into()));
        assert_eq!(document["backend"], backend);
        for (report, rule) in document["fixtures"].as_array().unwrap().iter().zip(rules) {
            assert_eq!((&report["pass"], &report["rule"]), (&true.into(), &rule.into()), "{report:#}");
            // Inner stages are judged where the backend shows them.
            assert!(report["tensors"].as_array().unwrap().len() >= tensors, "{report:#}");
            for tensor in report["tensors"].as_array().unwrap() {
                assert!(tensor["max_error"].is_number() && tensor["mismatch"].is_number(), "{tensor:#}");
            }
        }
    }
}

/// A fixture with one expected value changed, one with a changed checksum, and what is left of a broken download.
#[test]
fn verify_fails_bad_fixtures_and_judges_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let good = fs::read(fixture(SMALL)).unwrap();
    fs::create_dir(path("below")).unwrap();
    fs::write(path("a_good.safetensors"), &good).unwrap();
    fs::write(path("b_truncated.safetensors"), &good[..good.len() / 2]).unwrap();
    fs::write(path("c_empty.safetensors"), "").unwrap();
    fs::write(path("d_length.safetensors"), u64::MAX.to_le_bytes()).unwrap();
    fs::write(path("e_results.safetensors"), tampered(&good)).unwrap();
    fs::write(path("f_checksum.safetensors"), other_checksum(&good)).unwrap();
    fs::write(path("below/good.safetensors"), &good).unwrap();
    fs::write(path("ignored.txt"), "no fixture").unwrap();

    for backend in ["host", "reference"] {
        let output = mlapo(&["verify", folder.path().to_str().unwrap(), "--backend", backend]);
        let stdout = text(&output.stdout);
        assert_eq!((code(&output), last_line(stdout)), (1, "2 passed, 5 failed"), "{stdout}");
        assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
        let verdicts: Vec<(bool, &str)> = stdout
            .lines()
            .filter_map(|line| Some((line.starts_with("PASS"), line.split_once("  ")?)))
            .filter(|(_, (word, _))| ["PASS", "FAIL"].contains(word))
            .map(|(pass, (_, path))| {
                (pass, path.split(".safetensors").next().unwrap().rsplit('/').next().unwrap())
            })
            .collect();
        let expected = [
            (true, "a_good"),
            (false, "b_truncated"),
            (true, "good"),
            (false, "c_empty"),
            (false, "d_length"),
            (false, "e_results"),
            (false, "f_checksum"),
        ];
        assert_eq!(verdicts, expected, "{stdout}");
        let errors: Vec<&str> =
            stdout.lines().filter(|line| line.trim_start().starts_with("error: ")).collect();
        for (error, name) in errors.iter().zip(["b_truncated", "c_empty", "d_length", "f_checksum"]) {
            assert!(error.contains(&format!("{name}.safetensors")), "{error}");
        }
        assert!(errors.len() == 4 && errors[3].contains("checksum"), "{errors:?}");

        let output = mlapo(&["verify", "--json", folder.path().to_str().unwrap(), "--backend", backend]);
        assert_eq!(code(&output), 1);
        assert_eq!(last_line(text(&output.stderr)), "2 passed, 5 failed");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors = document["fixtures"].as_array().unwrap().iter().filter(|f| f["error"].is_string());
        assert_eq!((errors.count(), &document["failed"]), (4, &5.into()));
    }
}

/// The same file with the sign of every value of `q_out0` flipped.
fn tampered(file: &[u8]) -> Vec<u8> {
    let (header, metadata) = safetensors::SafeTensors::read_metadata(file).unwrap();
    let (start, end) = metadata.info("q_out0").unwrap().data_offsets;
    let mut file = file.to_vec();
    for high_byte in file[8 + header + start..8 + header + end].iter_mut().skip(1).step_by(2) {
        *high_byte ^= 0x80;
    }
    file
}

/// The same file with a digit of the first checksum of an input changed.
fn other_checksum(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let header = text(&file[8..8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize]);
    let marker = r#"\"checksum\":\"0x"#;
    let position = 8 + header.find(marker).unwrap() + marker.len();
    file[position] = if file[position] == b'1' { b'2' } else { b'1' };
    file
}

#[test]
fn verify_fails_where_there_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = mlapo(&["verify", folder.path().to_str().unwrap()]);
    assert_eq!((code(&output), last_line(text(&output.stdout))), (1, "0 passed, 0 failed"));
    assert!(text(&output.stderr).contains(folder.path().to_str().unwrap()));
    let output = mlapo(&["verify", "no such file", fixture(SMALL).to_str().unwrap()]);
    assert_eq!((code(&output), last_line(text(&output.stdout))), (1, "1 passed, 1 failed"));
    assert!(text(&output.stdout).contains("error: no such file: "));
}

#[test]
fn inspect_shows_a_fixture() {
    let path = fixture("public/p09_fp16_cm2_qm0_n4_h6.safetensors");
    let plain = success(&["inspect", path.to_str().unwrap()]);
    for word in ["p09_fp16_cm2_qm0_n4_h6", "split-nz-int8", "fp16", "kv_rows0", "slot_mapping"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    let document = json(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!((&document["kind"], &document["tokens"]), (&"fixture".into(), &4.into()));
    assert_eq!(document["config"]["num_heads"], 6);
    let tensors = document["tensors"].as_array().unwrap();
    let q_out0 = tensors.iter().find(|tensor| tensor["name"] == "q_out0").unwrap();
    assert_eq!((&q_out0["dtype"], &q_out0["shape"]), (&"I8".into(), &serde_json::json!([4, 6, 512])));
}

/// The whole way of a checkpoint: write, look at, run a layer, a rank's share of it, and every wrong wish.
#[test]
fn synthetic_checkpoints_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny");
    let path = path.to_str().unwrap();
    let sizes = ["--hidden-size", "64", "--heads", "4", "--q-lora-rank", "32", "--kv-lora-rank", "64"];
    let heads = ["--rope", "16", "--nope", "32", "--v-head-dim", "16", "--layers", "2", "--seed", "5"];
    let written = success(&[&["synth", "--out", path], &sizes[..], &heads[..]].concat());
    assert!(written.contains(&format!("mlapo run --checkpoint {path} --layer 0")), "{written}");
    let again = failure(1, &["synth", "--out", path]);
    assert!(again.contains("not empty"), "{again}");

    let plain = success(&["inspect", path, "--layer", "1"]);
    assert!(plain.contains("layers        0-1") && plain.contains("W8A8"), "{plain}");
    assert!(plain.contains("self_attn.q_b_proj.weight") && plain.contains("[192, 32]"), "{plain}");
    let document = json(&["inspect", path, "--json"]);
    assert_eq!((&document["kind"], &document["layers"]), (&"checkpoint".into(), &serde_json::json!([0, 1])));
    assert_eq!(document["model"]["kv_lora_rank"], 64);
    let all = document["tensors"].as_array().unwrap().len();
    let of_layer = json(&["inspect", path, "--json", "--layer", "0"]);
    assert_eq!(of_layer["tensors"].as_array().unwrap().len() * 2, all);

    let run = |more: &[&str]| {
        let start =
            ["run", "--json", "--iterations", "1", "--tokens", "5", "--block-size", "2", "--checkpoint"];
        json(&[&start[..], &[path], more].concat())
    };
    let whole = run(&["--layer", "1"]);
    assert_eq!((&whole["config"]["num_heads"], &whole["config"]["hidden_size"]), (&4.into(), &64.into()));
    assert_eq!(whole["config"]["quant"], "per-tensor");
    assert!(whole["max_difference"].as_f64().unwrap() < 0.1, "{whole:#}");
    assert_ne!(whole["checksum"], run(&["--layer", "0"])["checksum"]);
    let share = run(&["--layer", "1", "--tp-rank", "1", "--tp-size", "2"]);
    assert_eq!(share["config"]["num_heads"], 2);
    // The key does not depend on the heads.
    assert_eq!(share["results"][2], whole["results"][2]);
    let other = run(&["--cache", "split-nz-int8", "--dtype", "fp16", "--heads", "3", "--quant", "per-token"]);
    assert_eq!((&other["config"]["num_heads"], &other["results"][0]["dtype"]), (&3.into(), &"int8".into()));

    let wrong = |more: &[&str]| failure(1, &[&["run", "--checkpoint", path], more].concat());
    assert!(wrong(&["--layer", "99"]).contains("layer 99"));
    assert!(wrong(&["--tp-rank", "2", "--tp-size", "2"]).contains("rank"));
    assert!(wrong(&["--tp-rank", "0", "--tp-size", "3"]).contains("divides 4"));
    assert!(wrong(&["--heads", "5"]).contains("0..4"));
    assert!(failure(1, &["inspect", path, "--layer", "99"]).contains("layers present: 0-1"));
    fs::write(Path::new(path).join("config.json"), "{").unwrap();
    assert!(wrong(&[]).contains("config.json"));
    assert!(failure(1, &["inspect", path]).contains("config.json"));
}

#[test]
fn wrong_arguments_are_errors() {
    for arguments in [
        ["run", "--tokens", "0"].as_slice(),
        &["run", "--tokens", "-1"],
        &["run", "--tokens", "99999999999999999999"],
        &["run", "--iterations", "0"],
        &["run", "--block-size", "0"],
        &["run", "--cache", "paged"],
        &["run", "--layer", "3"],
        &["run", "--tp-rank", "0"],
        &["verify"],
        &["verify", "--backend", "npu", "x"],
        &["synth"],
        &["synth", "--out", "x", "--shard-mib", "0"],
    ] {
        let message = failure(2, arguments);
        assert!(message.contains("--help"), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new");
    let out = out.to_str().unwrap();
    assert!(failure(1, &["run", "--heads", "0"]).contains("num_heads"));
    assert!(failure(1, &["run", "--heads", "1000000"]).contains("num_heads"));
    assert!(failure(1, &["run", "--checkpoint", "nowhere"]).contains("nowhere"));
    assert!(
        failure(1, &["run", "--checkpoint", folder.path().to_str().unwrap()]).contains("not a checkpoint")
    );
    assert!(failure(1, &["inspect", "nowhere"]).contains("nowhere"));
    assert!(failure(1, &["inspect", folder.path().to_str().unwrap()]).contains("not a checkpoint"));
    assert!(failure(1, &["inspect", env!("CARGO_BIN_EXE_mlapo")]).contains("safetensors"));
    assert!(failure(1, &["synth", "--out", out, "--hidden-size", "33"]).contains("hidden_size"));
    assert!(failure(1, &["synth", "--out", out, "--layers", "0"]).contains("num_layers"));
    assert!(!Path::new(out).exists());
}

#[test]
fn every_command_has_help_with_examples_or_units() {
    for command in ["run", "verify", "check", "compare", "inspect", "doctor", "synth"] {
        let help = success(&[command, "--help"]);
        assert!(help.contains("Usage: mlapo") && help.contains("--"), "{help}");
        assert!(command == "doctor" || help.contains("Examples:"), "{help}");
    }
    assert!(success(&["--help"]).contains("ASCENDCL_BACKEND"));
}

#[test]
fn compare_sets_the_backends_beside_each_other() {
    let small = ["compare", "--heads", "2", "--hidden-size", "256", "--tokens", "3"];
    let plain = success(&small);
    for word in [
        "reference",
        "host",
        "kernel",
        "unfused",
        "unfused-single",
        "atb is left out",
        "`hidden_size` must be",
    ] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    assert!(!plain.contains("DIFFER"), "{plain}");
    assert!(plain.contains("unfused: 10 launches, ") && plain.contains("fused: 1 launch, "), "{plain}");

    // The vendor's operator beside the kernel, in the mode where the query is int8.
    let document = json(&[
        "compare",
        "--json",
        "--heads",
        "2",
        "--tokens",
        "3",
        "--cache",
        "split-nz-int8",
        "--backend",
        "kernel",
        "--backend",
        "atb",
    ]);
    let pair = &document["pairs"][0];
    assert_eq!((&pair["backends"], &pair["agree"]), (&serde_json::json!(["kernel", "atb"]), &true.into()));
    assert_eq!(document["pairs"].as_array().unwrap().len(), 1);
    let names: Vec<&str> =
        pair["tensors"].as_array().unwrap().iter().map(|tensor| tensor["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["q_out0", "q_out1", "kv_cache", "kv_cache_rope"]);
    // Weights: int8 2112 x 7168 and 384 x 1536, 16-bit 2 x 128 x 512, and what is small beside them.
    let read = document["fused"]["read"].as_u64().unwrap();
    let weights = 2112 * 7168 + 384 * 1536 + 2 * 2 * 128 * 512;
    assert!((weights..weights + 120_000).contains(&read), "{read} {weights}");
}

#[test]
fn fixtures_that_a_backend_does_not_take_are_skipped() {
    let taken = fixture("public/p02_bf16_cm0_qm0_n5_h4.safetensors");
    let refused = fixture("public/p12_bf16_cm2_qm1_n12_h4.safetensors");
    let [taken, refused] = [&taken, &refused].map(|path| path.to_str().unwrap());
    let plain = success(&["verify", "--backend", "atb", taken, refused]);
    assert!(plain.contains("SKIP") && plain.contains("`quant_mode` must be PerTensor"), "{plain}");
    assert!(plain.ends_with("1 passed, 0 failed, 1 skipped\n"), "{plain}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    let output = command.args(["verify", "--backend", "atb", refused]).output().unwrap();
    assert_eq!(code(&output), 1);
    assert_eq!(text(&output.stdout).lines().last(), Some("0 passed, 0 failed, 1 skipped"));
}

#[test]
fn doctor_reports() {
    let plain = success(&["doctor"]);
    for word in [
        "CANN toolkit",
        "ATB",
        "driver",
        "npu-smi",
        "AscendCL library",
        "shim over ATB",
        "C++ compiler",
        "libclang",
        "simulated device",
        "next",
    ] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    let document = json(&["doctor", "--json"]);
    let devices = document["simulator"]["devices"].as_array().unwrap();
    assert_eq!((devices.len(), &devices[0]["soc"]), (1, &"Ascend910B3".into()));
    assert!(!document["next"].as_array().unwrap().is_empty());

    // What is tried is what was asked for, and what is there is found.
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("lib64")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    command.args(["doctor", "--json"]).env("ASCEND_HOME_PATH", home.path());
    command.env("ASCENDCL_LIBRARY", "/no/such/libascendcl.so").env("ASCENDCL_SIM_SOC", "Ascend910B4");
    let output = command.env_remove("ASCENDCL_SIM_DEVICES").output().unwrap();
    assert_eq!(code(&output), 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["library"]["tried"][0]["path"], "/no/such/libascendcl.so");
    assert_eq!(document["library"]["tried"].as_array().unwrap().len(), 1);
    let toolkit = &document["toolkits"][0];
    assert_eq!((toolkit["path"].as_str(), &toolkit["found"]), (home.path().to_str(), &true.into()));
    assert_eq!(document["simulator"]["devices"][0]["soc"], "Ascend910B4");

    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    let output = command.arg("doctor").env("ASCENDCL_SIM_SOC", "Ascend1").output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).contains("check ASCENDCL_SIM_*"), "{}", text(&output.stdout));
}

/// As much of AscendCL as `doctor` calls, which does what `STAND_IN` says.
const STAND_IN: &str = r#"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char object;
static int is(const char *what) { return strcmp(getenv("STAND_IN"), what) == 0; }
/* Longer than the test waits for, but not for ever: the test leaves the process behind. */
static void hang(void)
{
    for (int i = 0; i < 300; i++) {
        puts("[INFO] waiting");
        fflush(stdout);
        usleep(200000);
    }
    _exit(9);
}
__attribute__((constructor)) static void load(void)
{
    if (is("hangs when loaded")) hang();
    if (is("crashes when loaded")) abort();
}
__attribute__((destructor)) static void unload(void) { if (is("crashes at the end")) abort(); }
#define OK(name) int name() { return 0; }
OK(aclFinalize) OK(aclrtResetDevice) OK(aclrtSetCurrentContext) OK(aclrtSynchronizeDevice)
int aclInit(const char *path)
{
    /* Libraries write to standard output, with and without ends of lines. */
    printf("[INFO] {\"Done\":null}\n\"Done\"\n[INFO] aclInit");
    fflush(stdout);
    if (is("exits")) exit(7);
    return 0;
}
int aclrtSetDevice(int32_t id)
{
    if (id == 1 && is("crashes")) abort();
    if (id == 1 && is("hangs")) hang();
    return id == 1 && is("refuses") ? 507033 : 0;
}
int aclrtGetCurrentContext(void **out) { *out = &object; return 0; }
const char *aclGetRecentErrMsg(void) { return 0; }
int aclrtGetDeviceCount(uint32_t *count) { *count = is("sees nothing") ? 0 : 2; return 0; }
const char *aclrtGetSocName(void) { return "Ascend310P3"; }
int aclGetDeviceCapability(uint32_t device, int info, int64_t *value) { *value = 20; return 0; }
int aclrtGetDeviceInfo(uint32_t device, int info, int64_t *value) { *value = 20; return 0; }
int aclrtGetMemInfo(int kind, size_t *left, size_t *all) { *left = *all = 1 << 20; return 0; }
"#;

/// A folder with the stand-in, and `doctor` on it with this behaviour.
fn doctor_on_stand_in(folder: &Path, behaviour: &str, arguments: &[&str]) -> Command {
    let (source, library) = (folder.join("npu.c"), folder.join("libascendcl.so"));
    if !library.exists() {
        fs::write(&source, STAND_IN).unwrap();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let output = Command::new(compiler)
            .args(["-shared", "-fPIC", "-w", "-o"])
            .args([&library, &source])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    command.arg("doctor").args(arguments).env("ASCENDCL_LIBRARY", &library).env("STAND_IN", behaviour);
    command.env_remove("ASCENDCL_SIM_DEVICES").env_remove("ASCEND_RT_VISIBLE_DEVICES");
    command
}

#[test]
fn doctor_outlives_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let document = |behaviour| -> Value {
        let mut command = doctor_on_stand_in(folder.path(), behaviour, &["--json", "--time-limit", "1"]);
        let output = command.output().unwrap();
        assert_eq!(code(&output), 0, "{behaviour}: {}", text(&output.stderr));
        // Whatever came before, the end of the report is there.
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["simulator"]["devices"].as_array().unwrap().len(), 1);
        document
    };
    let path = folder.path().join("libascendcl.so");
    // What the library does, what is said of it, how many devices were opened before.
    for (behaviour, words, devices) in [
        ("hangs", "did not answer in 1 s while device 1 was opened", 1),
        ("crashes", "crashed with signal 6 (SIGABRT) while device 1 was opened", 1),
        ("exits", "ended with exit status: 7 while the library was initialised", 0),
        ("crashes at the end", "crashed with signal 6 (SIGABRT) while it ended", 2),
        ("sees nothing", "sees no device", 0),
    ] {
        let document = document(behaviour);
        assert_eq!(document["library"]["path"].as_str(), path.to_str(), "{behaviour}");
        let error = document["npu"]["error"].as_str().unwrap();
        assert!(error.contains(words), "{behaviour}: {error}");
        assert_eq!(document["npu"]["devices"].as_array().unwrap().len(), devices, "{behaviour}");
        let next = document["next"].to_string();
        let remedy = if behaviour == "sees nothing" { "gives no device" } else { "ASCENDCL_BACKEND=sim" };
        assert!(next.contains(remedy), "{behaviour}: {next}");
    }
    for (behaviour, expected) in [
        ("hangs when loaded", "did not answer in 1 s while the library was loaded"),
        ("crashes when loaded", "crashed with signal 6 (SIGABRT) while the library was loaded"),
    ] {
        let document = document(behaviour);
        assert_eq!(document["library"]["path"], Value::Null);
        assert_eq!(document["library"]["error"], expected);
        assert!(document["faults"][0].as_str().unwrap().contains(expected), "{}", document["faults"]);
    }

    let mut command = doctor_on_stand_in(folder.path(), "crashes when loaded", &[]);
    let output = command.env("ATB_SHIM_LIBRARY", &path).output().unwrap();
    let plain = text(&output.stdout);
    let expected = "crashed with signal 6 (SIGABRT) while the shim was loaded";
    assert!(plain.contains(&format!("shim over ATB\n  {expected}")), "{plain}");
    assert!(plain.contains(&format!("* the shim over ATB {expected}: compile it again")), "{plain}");
}

#[test]
fn doctor_knows_the_devices_and_their_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor_on_stand_in(folder.path(), "works", &["--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let devices = document["npu"]["devices"].as_array().unwrap();
    let socs: Vec<_> = devices.iter().map(|device| device["soc"].as_str()).collect();
    assert_eq!(socs, [Some("Ascend310P3"), Some("Ascend310P3")]);
    assert_eq!(document["npu"].get("error"), None);
    // A device that no kernel is for.
    assert_eq!(document["kernels"]["devices"][1]["kernel"], Value::Null);
    let faults = document["faults"].to_string();
    assert!(faults.contains("not for Ascend310P3"), "{faults}");
    assert!(document["next"].to_string().contains("try `mlapo run --backend host`"), "{document:#}");

    let mut command = doctor_on_stand_in(folder.path(), "refuses", &[]);
    let output = command.env("ASCEND_RT_VISIBLE_DEVICES", "0, 1,2").output().unwrap();
    let plain = text(&output.stdout);
    for words in [
        "ASCEND_RT_VISIBLE_DEVICES=0, 1,2",
        "device 0   Ascend310P3, 20 AI cores",
        "device 1   failed: aclrtSetDevice failed: 507033",
        "device 0   none fits Ascend310P3",
        "device 1 does not open",
        "of which only `0` counts",
    ] {
        assert!(plain.contains(words), "{words}: {plain}");
    }
}

/// A toolkit is there, but the driver is not.
#[test]
fn doctor_misses_the_library_of_the_driver() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("lib64");
    fs::create_dir(&folder).unwrap();
    let (driver, library) = (folder.join("libascend_hal.so"), folder.join("libascendcl.so"));
    let source = home.path().join("nothing.c");
    fs::write(&source, "int nothing;\n").unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    for (file, needed) in [(&driver, None), (&library, Some(&driver))] {
        let mut command = Command::new(&compiler);
        command.args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-Wl,-soname"]);
        command.arg(format!("-Wl,{}", file.file_name().unwrap().to_str().unwrap()));
        let output = command.arg("-o").arg(file).arg(&source).args(needed).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let next = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
        command.args(["doctor", "--json"]).env("ASCEND_HOME_PATH", home.path());
        let output = command.env("ASCENDCL_LIBRARY", &library).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["next"].to_string()
    };
    fs::remove_file(&driver).unwrap();
    let advice = next();
    assert!(advice.contains("needs libascend_hal.so, which is the driver's"), "{advice}");
    // It is not the only reason that there is.
    fs::write(&library, "").unwrap();
    let advice = next();
    assert!(advice.contains("its library does not load") && !advice.contains("libascend_hal"), "{advice}");
}

/// What files say is not kept back until the library has answered.
#[test]
fn doctor_reports_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = doctor_on_stand_in(folder.path(), "hangs", &["--time-limit", "600"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.contains("npu-smi")) {
        match lines.recv_timeout(std::time::Duration::from_secs(30)) {
            Ok(line) => said.push(line),
            Err(_) => break,
        }
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for part in ["environment", "CANN toolkit", "ATB", "driver"] {
        assert!(said.iter().any(|line| line == part), "{part}: {said:?}");
    }
    assert_eq!(ended, None, "{said:?}");
}

#[test]
fn a_backend_that_is_not_there_is_an_error() {
    for (variable, value, word) in
        [("ASCENDCL_BACKEND", "gpu", "auto, npu or sim"), ("ASCENDCL_BACKEND", "sim", "device")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
        command.args(["run", "--heads", "1"]).env(variable, value).env("ASCENDCL_SIM_DEVICES", "0");
        let output = command.output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(code(&output), 1, "{message}");
        assert!(message.starts_with("error: ") && message.contains(word), "{message}");
    }
}

/// Nobody reads the output: the command ends, and does not panic.
#[test]
fn a_closed_pipe_is_no_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlapo"));
    let mut child = command
        .args(["inspect", fixture(SMALL).to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.code().is_some(), "{:?}", output.status);
}

/// The operation on a stream computes what the reference computes; a change of its caches shows.
#[test]
fn computing_on_a_stream_is_judged() {
    let fixture = Fixture::open(fixture("kernel_order/p10_bf16_cm2_qm0_n7_h2.safetensors")).unwrap();
    let stream =
        ascendcl::Runtime::with_backend(ascendcl::Backend::Sim).unwrap().device(0).unwrap().stream().unwrap();
    let problem = fixture.problem().unwrap();
    let rule = mlapo::fixture::rule_for(fixture.case(), Order::Kernel);
    let backend = mlapo::Backend::Reference(Order::Kernel);
    let on_stream = mlapo::fixture::compute_on_stream(&stream, backend, &problem).unwrap();
    let direct = problem
        .compute(|config, weights, inputs, outputs| {
            reference::run(config, weights, inputs, outputs, Order::Kernel, None)?;
            Ok(None)
        })
        .unwrap();
    assert_eq!(on_stream, direct);
    assert!(fixture.compare(&problem, &on_stream, rule).pass);

    let Some(Values::Int8(mut cache)) = on_stream.kv_cache.clone() else { panic!("{on_stream:?}") };
    let layout = &fixture.case().kv_cache;
    let free = (0..layout.slots()).find(|slot| !problem.slot_mapping.contains(&(*slot as i32))).unwrap();
    cache[layout.offset(free, 3)] ^= 1;
    let changed = Candidate { kv_cache: Some(Values::Int8(cache)), ..on_stream };
    assert!(!fixture.compare(&problem, &changed, rule).pass);
}

/// The checksum by the text of the golden specification, and the way to a device and back.
#[test]
fn values_come_back_from_a_device() {
    let stream =
        ascendcl::Runtime::with_backend(ascendcl::Backend::Sim).unwrap().device(0).unwrap().stream().unwrap();
    for (values, checksum) in [
        (Values::Half(vec![0, 7, 0xffff, 1]), 1 + 8 * 3 + 0x1_0000 * 5 + 2 * 7),
        (Values::Int8(vec![0, -1, 5, 1]), 1 + 0x100 * 3 + 6 * 5 + 2 * 7),
    ] {
        assert_eq!(values.checksum(), checksum);
        let tensor = values.upload(&stream, Dtype::Fp16, &[2, 2]).unwrap();
        assert_eq!(Values::download(&stream, &tensor).unwrap(), values);
        assert!(values.upload(&stream, Dtype::Fp16, &[3, 2]).is_err());
    }
    let tensor = stream.tensor_from(&[1i32, 2], ascendcl::Format::Nd, &[2]).unwrap();
    let error = Values::download(&stream, &tensor).unwrap_err();
    assert!(error.to_string().contains("Int32"), "{error}");
}
