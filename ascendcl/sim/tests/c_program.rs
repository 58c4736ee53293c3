//! A C program, compiled against the headers and linked with the shared library under the names that programs
//! link.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The shared library, which cargo puts next to the folder of the test programs.
fn shared_library() -> PathBuf {
    let program = env::current_exe().unwrap();
    let folders = [program.parent().unwrap(), program.parent().unwrap().parent().unwrap()];
    let found = folders.iter().map(|folder| folder.join("libascendcl_sim.so")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no libascendcl_sim.so in {folders:?}"))
}

/// A folder where the shared library has all its names.
fn toolkit() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["libascendcl.so", "libacl_rt.so", "libnnopbase.so"] {
        symlink(shared_library(), folder.path().join(name)).unwrap();
    }
    folder
}

fn compile(toolkit: &Path, library: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = toolkit.join(format!("program-{library}"));
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-std=c11", "-Wall", "-Werror", "-I"])
        .arg(here.join("../../ascendcl-sys/include"))
        .arg(here.join("tests/c/program.c"))
        .arg("-o")
        .arg(&program)
        .arg(format!("-L{}", toolkit.display()))
        .arg(format!("-l{library}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn run(program: &Path, toolkit: &Path, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(program);
    for name in ["DEVICES", "SOC", "MEMORY", "FAULT"] {
        command.env_remove(format!("ASCENDCL_SIM_{name}"));
    }
    let output = command.env("LD_LIBRARY_PATH", toolkit).envs(variables.iter().copied()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

const MACHINE: [(&str, &str); 3] =
    [("ASCENDCL_SIM_DEVICES", "3"), ("ASCENDCL_SIM_SOC", "Ascend910_9391"), ("ASCENDCL_SIM_MEMORY", "1")];

#[test]
fn a_c_program_runs_under_both_names_of_the_library() {
    let toolkit = toolkit();
    for library in ["ascendcl", "acl_rt"] {
        let program = compile(toolkit.path(), library);
        let (success, text) = run(&program, toolkit.path(), &MACHINE);
        assert!(success && text.ends_with("0 failures\n"), "{library}: {text}");
    }
}

#[test]
fn the_environment_decides_what_is_simulated() {
    let toolkit = toolkit();
    let program = compile(toolkit.path(), "ascendcl");
    let fault = [&MACHINE[..], &[("ASCENDCL_SIM_FAULT", "2:malloc=1")]].concat();
    let (success, text) = run(&program, toolkit.path(), &fault);
    assert!(!success && text.contains("failed: aclrtMalloc(") && text.contains("injected fault"), "{text}");
    for (name, value) in [
        ("ASCENDCL_SIM_SOC", "Ascend310"),
        ("ASCENDCL_SIM_DEVICES", "many"),
        ("ASCENDCL_SIM_MEMORY", "all of it"),
        ("ASCENDCL_SIM_FAULT", "fire"),
    ] {
        let (success, text) = run(&program, toolkit.path(), &[(name, value)]);
        assert!(!success && text.contains("failed: aclInit(NULL)") && text.contains(value), "{text}");
    }
}
