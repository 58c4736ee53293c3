//! Fixtures that are damaged or lie: a clear error, never a panic.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mlapo::fixture::{Fixture, FixtureProblem, Rule};
use mlapo::reference::{self, Intermediates, Order};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

fn bytes() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/public");
    std::fs::read(folder.join("p01_fp16_cm0_qm0_n1_h1.safetensors")).unwrap()
}

fn open(bytes: &[u8]) -> Result<Fixture, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Fixture::open(file.path()).map_err(|error| {
        let text = error.to_string();
        assert!(text.contains(&*file.path().to_string_lossy()), "{text}");
        text
    })
}

type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// The fixture with its metadata and tensors edited.
fn edited(edit: impl FnOnce(&mut Value, &mut HashMap<String, Stored>)) -> Vec<u8> {
    let bytes = bytes();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut case: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["case"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: HashMap<String, Stored> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    edit(&mut case, &mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    serialize(views, Some(HashMap::from([("case".to_owned(), case.to_string())]))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn truncated(fraction in 0.0..1.0f64) {
        let bytes = bytes();
        prop_assert!(open(&bytes[..(bytes.len() as f64 * fraction) as usize]).is_err());
    }

    #[test]
    fn flipped_anywhere(flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6)) {
        let mut bytes = bytes();
        for (index, flip) in flips {
            let i = index.index(bytes.len());
            bytes[i] ^= flip;
        }
        let _ = open(&bytes);
    }

    #[test]
    fn flipped_in_the_header(index in any::<prop::sample::Index>(), byte in any::<u8>(), digit in 0u8..10, numeric: bool) {
        let mut bytes = bytes();
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let i = index.index(header);
        if numeric && bytes[i].is_ascii_digit() {
            bytes[i] = b'0' + digit;
        } else {
            bytes[i] = byte;
        }
        let _ = open(&bytes);
    }

    #[test]
    fn not_a_fixture(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes).is_err());
    }
}

#[test]
fn the_unedited_fixture_is_accepted() {
    let fixture = open(&edited(|_, _| {})).unwrap();
    assert_eq!(fixture.case().name, "p01_fp16_cm0_qm0_n1_h1");
}

/// Each field that the inputs or the judgement depend on.
#[test]
fn missing_fields_are_named() {
    let fields = [
        "/format",
        "/name",
        "/seed",
        "/tokens",
        "/heads",
        "/hidden",
        "/dtype",
        "/cache_mode",
        "/quant_mode",
        "/block_size",
        "/epsilon",
        "/tensors",
        "/tensors/input",
        "/tensors/wuk",
        "/tensors/bias1",
        "/tensors/kv_cache",
        "/tensors/quant_scale0",
        "/tensors/input/id",
        "/tensors/input/kind",
        "/tensors/input/shape",
        "/tensors/input/checksum",
        "/tensors/wdqkv/dtype",
        "/tensors/bias0/lo",
    ];
    for field in fields {
        let (parent, name) = field.rsplit_once('/').unwrap();
        let file = edited(|case, _| {
            case.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        });
        let error = open(&file).unwrap_err();
        assert!(error.contains(name), "{field}: {error}");
    }
}

#[test]
fn wrong_fields_are_named() {
    let huge = u64::MAX;
    let cases = [
        ("/format", json!("mla-preprocess-golden/9"), "format"),
        ("/tokens", json!(2), "tensors.cos.shape"),
        ("/tokens", json!(huge), "takes 18446744073709551615 bytes"),
        ("/tokens", json!(-1), "`tokens`"),
        ("/heads", json!(2), "tensors.bias1.shape"),
        ("/heads", json!(0), "num_heads"),
        ("/hidden", json!(7169), "hidden_size"),
        ("/hidden", json!(huge), "hidden_size"),
        ("/dtype", json!("fp8"), "dtype"),
        ("/cache_mode", json!(4), "cache_mode"),
        ("/cache_mode", json!(2), "kv_cache"),
        ("/quant_mode", json!(2), "quant_mode"),
        ("/quant_mode", json!(1), "rms0_q"),
        ("/block_size", json!(64), "block_size"),
        ("/num_blocks", json!(3), "num_blocks"),
        ("/epsilon", json!(-1.0), "epsilon"),
        ("/epsilon", json!("x"), "epsilon"),
        ("/expected_order", json!("fast"), "`expected_order`"),
        ("/expected_order", json!("sgl"), "expected_order"),
        ("/variant", json!("sgl"), "tensors.beta0"),
        ("/seed", json!(7), "seed"),
        ("/tensors/input/shape", json!([1, 7168, 1]), "tensors.input.shape"),
        ("/tensors/kv_cache/shape", json!([huge, 128, 1, 576]), "num_blocks"),
        ("/tensors/kv_cache/shape", json!([0, 128, 1, 576]), "num_blocks"),
        ("/tensors/kv_cache/shape", json!([2, 128]), "tensors.kv_cache.shape"),
        ("/tensors/kv_cache/shape", json!(["2"]), "`tensors.kv_cache.shape[0]`"),
        ("/tensors/gamma1/shape", json!([1537]), "q_lora_rank"),
        ("/tensors/gamma2/shape", json!([huge]), "kv_lora_rank"),
        ("/tensors/wuk/shape", json!([]), "tensors.wuk.shape"),
        ("/tensors/input/kind", json!("gauss"), "tensors.input.kind"),
        ("/tensors/wdqkv/kind", json!("real"), "tensors.wdqkv.lo"),
        ("/tensors/wdqkv/dtype", json!("F32"), "tensors.wdqkv.dtype"),
        ("/tensors/input/sd_bits", json!("0x7ff0000000000000"), "tensors.input.sd"),
        ("/tensors/input/sd_bits", json!("zz"), "`tensors.input.sd_bits`"),
        ("/tensors/bias0/hi", json!(-40000), "tensors.bias0.hi"),
        ("/tensors/quant_offset0/hi", json!(128), "tensors.quant_offset0.hi"),
        ("/tensors/bias0/mask19", json!(true), "tensors.bias0.mask19"),
        ("/tensors/gamma0/row_ops", json!([{"op": "set", "row": 0, "value": 1.0}]), "tensors.gamma0.row_ops"),
        ("/tensors/input/row_ops", json!([{"op": "set", "row": 1, "value": 1.0}]), "tensors.input.row_ops"),
        ("/tensors/input/row_ops", json!([{"op": "put", "row": 0, "value": 1.0}]), "tensors.input.row_ops"),
        ("/tensors/input/row_ops", json!([{"op": "add", "row": 0, "value": 1.0}]), "mul, set or put"),
        (
            "/tensors/gamma9",
            json!({"id": 0, "dtype": "F16", "shape": [1], "kind": "bell8", "checksum": "0"}),
            "gamma9",
        ),
    ];
    for (pointer, value, expected) in cases {
        let file = edited(|case, _| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            case.pointer_mut(parent).unwrap()[name] = value.clone();
        });
        let result = open(&file);
        // A per-token case needs no more inputs than a per-tensor one, so that edit is a fixture of its own.
        if (pointer, &value) == ("/quant_mode", &json!(1)) {
            assert!(result.is_ok());
            continue;
        }
        let error = result.expect_err(pointer);
        assert!(error.contains(expected), "{pointer} = {value}: {error}");
    }
}

#[test]
fn wrong_tensors_are_named() {
    type Edit = fn(&mut HashMap<String, Stored>);
    let edits: [(Edit, &str); 9] = [
        (|t| drop(t.remove("q_out0")), "tensor `q_out0`: presence"),
        (|t| drop(t.remove("kv_rows0")), "tensor `kv_rows0`: presence"),
        (|t| drop(t.remove("slot_mapping")), "tensor `slot_mapping`: presence"),
        (|t| t.get_mut("q_out0").unwrap().0 = Dtype::BF16, "tensor `q_out0`: dtype"),
        (|t| t.get_mut("q_out0").unwrap().1 = vec![1, 576], "tensor `q_out0`: rank"),
        (|t| t.get_mut("q_out0").unwrap().1 = vec![1, 576, 1], "tensor `q_out0`: shape"),
        (
            |t| t.get_mut("slot_mapping").unwrap().2 = 256i32.to_le_bytes().to_vec(),
            "tensor `slot_mapping`: slots",
        ),
        (|t| t.get_mut("kv_slots").unwrap().2 = 1i32.to_le_bytes().to_vec(), "tensor `kv_slots`: values"),
        (|t| t.get_mut("rows").unwrap().2 = 1i32.to_le_bytes().to_vec(), "tensor `rows`: values"),
    ];
    for (edit, expected) in edits {
        let error = open(&edited(|_, tensors| edit(tensors))).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn inputs_that_are_not_those_of_the_fixture_are_named() {
    for (pointer, tensor, field) in
        [("/tensors/wdqkv/checksum", "wdqkv", "checksum"), ("/tensors/wuk/nz_checksum", "wuk", "nz_checksum")]
    {
        let fixture = open(&edited(|case, _| *case.pointer_mut(pointer).unwrap() = json!("0x1"))).unwrap();
        let problem = fixture.problem().unwrap_err().problem;
        let FixtureProblem::Checksum { tensor: got_tensor, field: got_field, expected: 1, .. } = problem
        else {
            panic!("{problem}");
        };
        assert_eq!((got_tensor.as_str(), got_field), (tensor, field));
    }
}

#[test]
fn files_that_cannot_be_read() {
    for path in [PathBuf::from("no/such.safetensors"), PathBuf::from(env!("CARGO_MANIFEST_DIR"))] {
        assert!(matches!(Fixture::open(path).unwrap_err().problem, FixtureProblem::Io(_)));
    }
}

/// Rows that the goldens leave undefined are not judged, and only those.
#[test]
fn undefined_rows_are_left_out() {
    for (rows, pass) in [(json!([0]), true), (json!([1]), false), (json!([]), false)] {
        let fixture = open(&edited(|case, _| case["undefined_int8_rows"] = rows)).unwrap();
        let problem = fixture.problem().unwrap();
        let candidate = problem.compute(|config, weights, inputs, outputs| {
            let mut intermediates = Intermediates::default();
            reference::run(config, weights, inputs, outputs, Order::Golden, Some(&mut intermediates))?;
            intermediates.rms0_q.fill(99);
            intermediates.rms1_q.fill(99);
            Ok(Some(intermediates))
        });
        let report = fixture.compare(&problem, &candidate.unwrap(), Rule::Data);
        assert_eq!(report.pass, pass, "{report:#?}");
    }
}
