//! The program `test-npu` as a user starts it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn test_npu(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    // Also on a machine with an NPU: if this is set, nothing else is tried.
    command.args(arguments).env("ASCENDCL_LIBRARY", "/nowhere/libascendcl.so");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn without_an_npu_the_exit_code_and_the_message_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let output = test_npu(&["--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let message = text(&output.stderr);
    for part in ["no NPU", "/nowhere/libascendcl.so", "--sim", "doctor"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!out.exists(), "no report of a run that was none");
}

#[test]
fn a_filter_without_cases_is_a_mistake_of_usage() {
    let output = test_npu(&["--sim", "--filter", "no such case"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no such case"));
    assert_eq!(test_npu(&["--device", "-1"]).status.code(), Some(2));
    assert_eq!(test_npu(&["--soak", "0"]).status.code(), Some(2));
}

#[test]
fn the_simulated_device_is_tested_where_there_is_no_npu() {
    let folder = tempfile::tempdir().unwrap();
    let output = test_npu(&[
        "--sim",
        "--filter",
        "bindings/",
        "--filter",
        "memory/",
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let listed = test_npu(&["--list", "--filter", "bindings/", "--filter", "memory/"]);
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let names: Vec<&str> =
        report["cases"].as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(names, text(&listed.stdout).lines().collect::<Vec<_>>());
    assert!(names.len() >= 10 && names.contains(&"memory/copy between devices"), "{names:?}");
    assert!(report["cases"].as_array().unwrap().iter().all(|case| case["verdict"] == "passed"), "{report}");
}

#[test]
fn a_fault_of_the_device_is_found_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "memory/", "--out"]).arg(folder.path());
    let output = command.env("ASCENDCL_SIM_FAULT", "0:copy=20").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let failed: Vec<_> = cases.iter().filter(|case| case["verdict"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{report}");
    assert!(failed[0]["error"].as_str().unwrap().contains("ACL_ERROR_RT_DRV_INTERNAL_ERROR"), "{failed:?}");
    assert!(cases.last().is_some_and(|case| case["verdict"] == "passed"), "{report}");
    let markdown = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("## Failures") && markdown.contains("1 failed"), "{markdown}");
}

#[test]
fn a_machine_with_one_device_skips_what_needs_two() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "memory/copy between devices", "--out"]).arg(folder.path());
    let output = command.env("ASCENDCL_SIM_DEVICES", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let markdown = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("| skipped |") && markdown.contains("there is one device"), "{markdown}");
}
