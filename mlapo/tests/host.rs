//! The golden fixtures, computed by the fast host kernel.
//!
//! It computes in the device's order: fixtures in that order are judged by the sharp rule.

use std::path::{Path, PathBuf};

use mlapo::fixture::{Fixture, Rule, rule_for};
use mlapo::host::HostKernel;
use mlapo::reference::Order;

fn all_pass(folder: &str, count: usize, rule: Rule) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let files =
        std::fs::read_dir(folder).expect("the folder is there").filter_map(|entry| Some(entry.ok()?.path()));
    let files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    assert_eq!(files.len(), count);
    for file in files {
        let fixture = Fixture::open(file).expect("the fixture is whole");
        assert_eq!(rule_for(fixture.case(), Order::Kernel), rule);
        let report = fixture.verify(Order::Kernel, |problem| {
            problem.compute(|config, weights, inputs, outputs| {
                HostKernel::new(config, weights)?.run(inputs, outputs)?;
                Ok(None)
            })
        });
        let report = report.expect("the kernel takes the case");
        assert!(report.pass, "{report:#?}");
    }
}

#[test]
fn kernel_order() {
    all_pass("kernel_order", 19, Rule::Data);
}

#[test]
fn golden_order() {
    all_pass("public", 19, Rule::Either);
}

#[test]
fn normalized_hidden_state() {
    all_pass("sgl", 1, Rule::Data);
}
