//! The program `test-npu` as a user starts it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

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
    let output = test_npu(&["--sim", "--device", "9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no device 9: the library sees 2"), "{}", text(&output.stderr));
}

/// A library that sees devices and opens none.
const REFUSES: &str = r#"
int aclInit(const char *path) { return 0; }
int aclrtGetDeviceCount(unsigned *count) { *count = 8; return 0; }
int aclrtSetDevice(int device) { return 507033; }
const char *aclGetRecentErrMsg(void) { return "no rights"; }
"#;

#[test]
fn devices_that_cannot_be_opened_are_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("refuses.c"), folder.path().join("libascendcl.so"));
    fs::write(&source, REFUSES).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(compiler.status().unwrap().success());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
        let output = command.args(arguments).env("ASCENDCL_LIBRARY", &library).output().unwrap();
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (status, message) = run(&[]);
    assert_eq!(status, Some(1), "{message}");
    for part in ["device 0 of 8 cannot be opened", "ACL_ERROR_RT_DEV_SETUP_ERROR", "no rights", "doctor"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("no NPU"), "{message}");
    let (status, message) = run(&["--device", "9"]);
    assert!(status == Some(2) && message.contains("no device 9: the library sees 8"), "{status:?} {message}");
}

/// The report in a folder, for programs and for people.
fn report(folder: &Path) -> (Value, String) {
    let json = fs::read(folder.join("report.json")).unwrap();
    (serde_json::from_slice(&json).unwrap(), fs::read_to_string(folder.join("report.md")).unwrap())
}

fn verdicts(report: &Value) -> Vec<&str> {
    report["cases"].as_array().unwrap().iter().map(|case| case["verdict"].as_str().unwrap()).collect()
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
    let (report, _) = report(folder.path());
    let names: Vec<&str> =
        report["cases"].as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(names, text(&listed.stdout).lines().collect::<Vec<_>>());
    assert!(names.len() >= 10 && names.contains(&"memory/copy between devices"), "{names:?}");
    assert!(report["cases"].as_array().unwrap().iter().all(|case| case["verdict"] == "passed"), "{report}");
}

/// The simulator injects the fault once into each process, so that it comes again in the one that follows.
#[test]
fn after_a_fault_of_the_device_the_run_goes_on_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "memory/", "--out"]).arg(folder.path());
    let output = command.env("ASCENDCL_SIM_FAULT", "0:copy=20").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let (report, markdown) = report(folder.path());
    let cases = report["cases"].as_array().unwrap();
    let failed: Vec<_> = cases.iter().filter(|case| case["verdict"] == "failed").collect();
    assert!(failed.len() >= 2, "{report}");
    for case in failed {
        assert!(case["error"].as_str().unwrap().contains("ACL_ERROR_RT_DRV_INTERNAL_ERROR"), "{case}");
    }
    assert!(cases.last().is_some_and(|case| case["verdict"] == "passed"), "{report}");
    assert!(markdown.contains("## Failures") && markdown.contains(" failed, "), "{markdown}");
}

#[test]
fn a_case_that_takes_too_long_is_ended_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = test_npu(&[
        "--sim",
        "--filter",
        "soak/",
        "--soak",
        "1000000000",
        "--limit",
        "8",
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let (report, markdown) = report(folder.path());
    assert_eq!(verdicts(&report), ["failed", "failed", "not-run"]);
    assert!(report["running"].is_null());
    assert!(markdown.contains("### soak/one stream\n\n```text\nno answer within 8 s"), "{markdown}");
    assert!(markdown.contains("| soak/two devices | **NOT RUN** |"), "{markdown}");
}

#[test]
fn a_machine_with_one_device_skips_what_needs_two() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "memory/copy between devices", "--out"]).arg(folder.path());
    let output = command.env("ASCENDCL_SIM_DEVICES", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let (_, markdown) = report(folder.path());
    assert!(markdown.contains("| skipped |") && markdown.contains("there is one device"), "{markdown}");
}

#[test]
fn what_must_not_be_skipped_on_the_simulated_device_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "kernels/", "--out"]).arg(folder.path());
    let output = command.env("CXX", "/nowhere/c++").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    let (report, markdown) = report(folder.path());
    assert_eq!(verdicts(&report), ["skipped"]);
    for said in [text(&output.stdout), &markdown, report["not_tested"][0].as_str().unwrap()] {
        assert!(said.contains("the launch of a small kernel: ") && said.contains("/nowhere/c++"), "{said}");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-npu"));
    command.args(["--sim", "--filter", "bindings/", "--filter", "memory/", "--out"]).arg(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("bindings/functions"), "{first}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (report, _) = report(folder.path());
    assert!(report["running"].is_null() && verdicts(&report).len() >= 10, "{report}");
}
