//! The golden fixtures, computed by the reference and judged by the sharp rule; and that the judge sees planted bugs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use mlapo::call::Values;
use mlapo::fixture::{Candidate, Fixture, Problem, Report, Rule, rule_for};
use mlapo::reference::{self, Intermediates, Order};
use mlapo::{Dtype, Error};
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn fixtures(folder: &str) -> Vec<Fixture> {
    let files = std::fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    files.into_iter().map(|path| Fixture::open(path).unwrap()).collect()
}

fn compute(problem: &Problem<'_>, order: Order) -> Result<Candidate, Error> {
    problem.compute(|config, weights, inputs, outputs| {
        let mut intermediates = Intermediates::default();
        reference::run(config, weights, inputs, outputs, order, Some(&mut intermediates))?;
        Ok(Some(intermediates))
    })
}

/// Every tensor of every fixture; integers must be equal, 16-bit values all but those that the order of a sum decides.
fn all_pass(folder: &str, count: usize) -> Vec<Report> {
    let fixtures = fixtures(folder);
    assert_eq!(fixtures.len(), count);
    let mut reports = Vec::new();
    for fixture in &fixtures {
        let order = fixture.case().expected_order.order();
        assert_eq!(rule_for(fixture.case(), order), Rule::Data);
        let report = fixture.verify(order, |problem| compute(problem, order)).unwrap();
        assert!(report.pass, "{report:#?}");
        for tensor in &report.tensors {
            let name = tensor.name;
            let limit = match name {
                "rms0_q" | "rms1_q" | "q_out1" | "kv_rows1" | "k_nope_prequant" => 0.0,
                "rms0_scale" | "rms1_scale" => 1.0,
                _ => 0.0015,
            };
            assert!(tensor.mismatch <= limit, "{} {tensor:?}", report.case);
            assert!(!name.ends_with("_scale") || tensor.max_error < 1e-7, "{} {tensor:?}", report.case);
        }
        reports.push(report);
    }
    reports
}

#[test]
fn golden_order() {
    let reports = all_pass("public", 19);
    // Each stage was compared, not only the outputs.
    assert!(reports.iter().all(|report| report.tensors.len() >= 6));
}

#[test]
fn kernel_order() {
    all_pass("kernel_order", 19);
}

#[test]
fn normalized_hidden_state() {
    all_pass("sgl", 1);
}

/// The device's order is told from the goldens' by the sharp rule and reconciled by the loose one.
#[test]
fn the_orders_differ_within_the_loose_rule() {
    for fixture in fixtures("public") {
        let case = fixture.case();
        // One case is enough for each combination; these are the small ones.
        if case.tokens > 5 || case.config.num_heads > 8 {
            continue;
        }
        let problem = fixture.problem().unwrap();
        let candidate = compute(&problem, Order::Kernel).unwrap();
        assert_eq!(rule_for(case, Order::Kernel), Rule::Either);
        let either = fixture.compare(&problem, &candidate, Rule::Either);
        assert!(either.pass, "{either:#?}");
        let data = fixture.compare(&problem, &candidate, Rule::Data);
        assert!(!data.pass || case.name.contains("ties"), "{}", case.name);
    }
}

/// Two fixtures hold the whole final caches: physical order of FRACTAL_NZ, untouched elements included.
#[test]
fn whole_caches() {
    for name in ["p09_fp16_cm2_qm0_n4_h6", "p14_bf16_cm3_qm0_n6_h3_H4096"] {
        let path = fixture(&format!("public/{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap();
        let stored = SafeTensors::deserialize(&bytes).unwrap();
        let golden = Fixture::open(&path).unwrap();
        let candidate = compute(&golden.problem().unwrap(), Order::Golden).unwrap();
        let half = |values: &[u16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let latent = match candidate.kv_cache.unwrap() {
            Values::Half(values) => half(&values),
            Values::Int8(values) => values.iter().map(|v| *v as u8).collect(),
        };
        assert!(latent == stored.tensor("kv_cache0_full").unwrap().data());
        assert!(half(&candidate.kv_cache_rope.unwrap()) == stored.tensor("kv_cache1_full").unwrap().data());
    }
}

/// Applies a bug to a correct result and names the tensors that then fail.
fn failures(
    fixture: &Fixture,
    problem: &Problem<'_>,
    good: &Candidate,
    bug: impl FnOnce(&mut Candidate),
) -> Vec<&'static str> {
    let mut candidate = good.clone();
    bug(&mut candidate);
    let report = fixture.compare(problem, &candidate, Rule::Either);
    let failed: Vec<&str> =
        report.tensors.iter().filter(|tensor| !tensor.pass).map(|tensor| tensor.name).collect();
    assert_eq!(report.pass, failed.is_empty());
    failed
}

fn half_mut(values: &mut Option<Values>) -> &mut Vec<u16> {
    match values {
        Some(Values::Half(values)) => values,
        other => panic!("{other:?}"),
    }
}

fn int8_mut(values: &mut Option<Values>) -> &mut Vec<i8> {
    match values {
        Some(Values::Int8(values)) => values,
        other => panic!("{other:?}"),
    }
}

#[test]
fn planted_bugs_in_16_bit_results() {
    let fixture = Fixture::open(fixture("public/p02_bf16_cm0_qm0_n5_h4.safetensors")).unwrap();
    assert_eq!(fixture.case().config.dtype, Dtype::Bf16);
    let problem = fixture.problem().unwrap();
    let good = compute(&problem, Order::Golden).unwrap();
    let failures = |bug: &dyn Fn(&mut Candidate)| failures(&fixture, &problem, &good, bug);
    assert!(failures(&|_| {}).is_empty());

    // 100.0 among 5 * 4 * 576 elements: 11 are below 0.1 %, 12 above.
    let wrong = |count: usize| move |c: &mut Candidate| half_mut(&mut c.q_out0)[..count].fill(0x42c8);
    let (ok, bad) = (failures(&wrong(11)), failures(&wrong(12)));
    assert!(ok.is_empty() && bad == ["q_out0"], "{ok:?} {bad:?}");
    assert_eq!(failures(&|c| half_mut(&mut c.q_out0)[77] = 0x7fc0), ["q_out0"]);
    assert_eq!(failures(&|c| half_mut(&mut c.q_out0)[77] = 0x7f80), ["q_out0"]);

    // The token whose slot is negative has no row; every other element belongs to nobody.
    let live: Vec<usize> = problem.slot_mapping.iter().filter_map(|s| usize::try_from(*s).ok()).collect();
    assert!(live.len() < problem.slot_mapping.len());
    let free = (0..256).find(|slot| !live.contains(slot)).unwrap();
    assert_eq!(failures(&|c| half_mut(&mut c.kv_cache)[free * 576 + 3] ^= 1), ["kv_rows0"]);
    assert_eq!(failures(&|c| c.kv_cache = Some(problem.kv_cache.clone())), ["kv_rows0"]);

    assert_eq!(failures(&|c| c.q_out0 = None), ["q_out0"]);
    assert_eq!(failures(&|c| c.kv_cache = None), ["kv_rows0"]);
    assert_eq!(failures(&|c| c.q_out0 = Some(Values::Int8(vec![0; 5 * 4 * 576]))), ["q_out0"]);
    assert_eq!(failures(&|c| c.kv_cache = Some(Values::Int8(vec![0; 256 * 576]))), ["kv_rows0"]);
    assert_eq!(failures(&|c| half_mut(&mut c.q_out0).truncate(100)), ["q_out0"]);
    assert_eq!(failures(&|c| half_mut(&mut c.kv_cache).truncate(100)), ["kv_rows0"]);
    assert!(failures(&|c| c.intermediates = None).is_empty());
    assert_eq!(failures(&|c| c.intermediates.as_mut().unwrap().mm0_out.clear()), ["mm0_out"]);
}

#[test]
fn planted_bugs_in_int8_results() {
    let fixture = Fixture::open(fixture("public/p09_fp16_cm2_qm0_n4_h6.safetensors")).unwrap();
    let problem = fixture.problem().unwrap();
    let good = compute(&problem, Order::Golden).unwrap();
    let failures = |bug: &dyn Fn(&mut Candidate)| failures(&fixture, &problem, &good, bug);
    assert!(failures(&|_| {}).is_empty());
    let away = |v: &mut i8, by: i8| *v = if *v < 0 { *v + by } else { *v - by };
    assert!(failures(&|c| away(&mut int8_mut(&mut c.q_out0)[9], 1)).is_empty());
    assert_eq!(failures(&|c| away(&mut int8_mut(&mut c.q_out0)[9], 9)), ["q_out0"]);

    // FRACTAL_NZ rows, addressed by hand: row 0 of the first free slot.
    let live: Vec<usize> = problem.slot_mapping.iter().filter_map(|s| usize::try_from(*s).ok()).collect();
    let free = (0..128).find(|slot| !live.contains(slot)).unwrap();
    assert_eq!(failures(&|c| away(&mut int8_mut(&mut c.kv_cache)[free * 32], 1)), ["kv_rows0"]);
    assert_eq!(failures(&|c| c.kv_cache_rope.as_mut().unwrap()[free * 16] ^= 1), ["kv_rows1"]);
    assert_eq!(
        failures(&|c| int8_mut(&mut c.kv_cache)[live[0] % 128 * 32 + live[0] / 128 * 65536] ^= 64),
        ["kv_rows0"]
    );
    assert_eq!(failures(&|c| c.q_out1 = None), ["q_out1"]);
    assert_eq!(failures(&|c| c.kv_cache_rope = None), ["kv_rows1"]);
    assert_eq!(failures(&|c| c.intermediates.as_mut().unwrap().rms0_q[0] ^= 0x40), ["rms0_q"]);
}

#[test]
fn the_implementation_reports_its_own_errors() {
    let fixture = Fixture::open(fixture("sgl/s01_sgl_bf16_cm1_n5_h4.safetensors")).unwrap();
    let problem = fixture.problem().unwrap();
    assert!(problem.weights.input_norm.is_none());
    assert!(!fixture.case().config.input_norm);
    let mut short = problem.clone();
    short.hidden.pop();
    assert!(matches!(compute(&short, Order::Kernel), Err(Error::Tensor(error)) if error.tensor == "input"));
}
