//! Files with kernels and the program that launches them by `<<<...>>>`, built by `sim-cc` and run as programs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ascendcl_sim_cc::{Error, Program};
use tempfile::TempDir;

/// The shared library, which cargo puts next to the folder of the test programs.
fn shared_library() -> PathBuf {
    let program = env::current_exe().unwrap();
    let folders = [program.parent().unwrap(), program.parent().unwrap().parent().unwrap()];
    let found = folders.iter().map(|folder| folder.join("libascendcl_sim.so")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no libascendcl_sim.so in {folders:?}"))
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compiler() -> Program {
    Program::new().option("-I").option(here().join("../../ascendcl-sys/include")).option("-Wall")
}

/// Compiles files, and links them by g++ as any objects.
fn build(folder: &TempDir, sources: &[&str]) -> PathBuf {
    let library = folder.path().join("libascendcl.so");
    symlink(shared_library(), library).unwrap();
    let mut link = Command::new(env::var_os("CXX").unwrap_or_else(|| "g++".into()));
    for source in sources {
        let object = folder.path().join(source).with_extension("o");
        let source = here().join("tests/c/launch").join(source);
        compiler().compile(&source, &object).unwrap_or_else(|error| panic!("{error}"));
        link.arg(object);
    }
    let program = folder.path().join("program");
    link.arg("-o").arg(&program).arg(format!("-L{}", folder.path().display())).arg("-lascendcl");
    let output = link.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn run(program: &Path, level: &str) -> (bool, String) {
    let mut command = Command::new(program);
    for name in ["DEVICES", "SOC", "MEMORY", "FAULT"] {
        command.env_remove(format!("ASCENDCL_SIM_{name}"));
    }
    command.env("LD_LIBRARY_PATH", program.parent().unwrap()).env("ASCENDCL_SIM_LEVEL", level);
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn every_form_of_a_launch_runs() {
    let folder = TempDir::new().unwrap();
    let program = build(&folder, &["forms.asc"]);
    for level in ["run", "check"] {
        let (success, text) = run(&program, level);
        assert!(success && text.ends_with("0 failures\n"), "{level}: {text}");
    }
}

#[test]
fn files_of_one_program_keep_their_kernels_apart() {
    let folder = TempDir::new().unwrap();
    let program = build(&folder, &["one.asc", "two.asc"]);
    // 1 + 100 of the one, 10 + 100 + 1000 + 10000 of the other.
    let (success, text) = run(&program, "run");
    assert!(success && text.ends_with("0 wrong, 11211\n"), "{text}");
}

#[test]
fn a_fault_names_the_line_of_the_source() {
    let folder = TempDir::new().unwrap();
    let program = build(&folder, &["wrong.asc"]);
    let source = here().join("tests/c/launch/wrong.asc");
    let lines = fs::read_to_string(&source).unwrap();
    let line = 1 + lines.lines().position(|line| line.ends_with("// line 17")).unwrap();
    assert_eq!(line, 17);
    let (success, text) = run(&program, "run");
    assert!(success, "{text}");
    assert!(text.contains("too_far<float>") && text.contains("wrong.asc:17"), "{text}");
}

#[test]
fn errors_name_the_line_of_the_source() {
    let folder = TempDir::new().unwrap();
    let fails = |text: &str| {
        let source = folder.path().join("broken.asc");
        fs::write(&source, text).unwrap();
        compiler().compile(&source, &folder.path().join("broken.o")).unwrap_err()
    };
    let head = "#include \"kernel_operator.h\"\n__global__ __aicore__ void k(GM_ADDR x) {}\n";
    // The number of arguments, a kernel that is not there, and a launch that does not end.
    for launch in ["k<<<1, nullptr, s>>>();", "none<<<1, nullptr, s>>>(x);", "k<<<1.5, nullptr, s>>>(x);"] {
        let error = fails(&format!("{head}\nvoid f(uint8_t* x, void* s)\n{{\n    {launch}\n}}\n"));
        assert!(
            matches!(&error, Error::Compile { output, .. } if output.contains("broken.asc:6:")),
            "{error}"
        );
    }
    let error = fails(&format!("{head}void f(uint8_t* x, void* s) {{ k<<<1, nullptr, s>>>; }}\n"));
    assert!(matches!(&error, Error::Launch { file, line: 3, .. } if file.ends_with("broken.asc")), "{error}");
}
