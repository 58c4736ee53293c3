//! `cargo xtask build-kernels` as a user starts it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

#[path = "../src/build_kernels/tests/stand_in.rs"]
mod stand_in;

/// A machine: a toolkit, or none, in `toolkit`, programs in `bin`, a home without anything.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { directory: tempfile::tempdir().unwrap() };
        for folder in ["bin", "home"] {
            fs::create_dir(machine.path(folder)).unwrap();
        }
        machine
    }

    /// Has a toolkit with nothing but a CMake project, as where its compiler is in a folder of another name.
    fn with_a_toolkit() -> Self {
        let machine = Self::new();
        let project = machine.path("toolkit/tikcpp/ascendc_kernel_cmake");
        fs::create_dir_all(&project).unwrap();
        fs::write(project.join("ascendc.cmake"), "").unwrap();
        fs::write(project.join("function.cmake"), "function(ascendc_fatbin_library name)").unwrap();
        fs::write(machine.path("toolkit/code"), stand_in::CODE).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `build-kernels` with the toolkit of this machine.
    fn build_kernels(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("build-kernels").arg("--ascend-home").arg(self.path("toolkit")).args(arguments);
        command.env("CARGO_TARGET_DIR", self.path("target")).env("HOME", self.path("home"));
        // The stand-in before a real cmake; what it calls is in the usual folders.
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command.env_remove("MLAPO_KERNEL_ARTIFACTS");
        change(&mut command);
        command.output().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn without_a_toolkit_the_exit_code_and_the_message_say_so() {
    let machine = Machine::new();
    let out = machine.path("out");
    let output = machine.build_kernels(&["--out", out.to_str().unwrap()], |_| ());
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    let toolkit = machine.path("toolkit");
    for part in [
        "build-kernels: no CANN toolkit that can build kernels was found",
        &format!("{}: no such folder", toolkit.display()),
        "set_env.sh",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert_eq!(text(&output.stdout), "");
    assert!(!out.exists() && !machine.path("target").exists());
}

#[test]
fn mistakes_in_the_arguments_have_an_exit_code_of_their_own() {
    let machine = Machine::with_a_toolkit();
    for arguments in [&["--method", "magic"][..], &["--soc"], &["--fast"]] {
        assert_eq!(machine.build_kernels(arguments, |_| ()).status.code(), Some(2), "{arguments:?}");
    }
    let output = machine.build_kernels(&["--soc", "310P3"], |_| ());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).ends_with("not for 310P3\n"), "{}", text(&output.stderr));
}

#[test]
fn a_toolkit_without_a_folder_of_its_compiler_builds_with_the_cmake_of_the_machine() {
    let machine = Machine::with_a_toolkit();
    stand_in::program(&machine.path("bin/cmake"), stand_in::CMAKE);
    let built = "dav-2201/unknown/mlapo.o";
    // A folder that is told from where the user is.
    let output = machine.build_kernels(&["--out", "of the option"], |command| {
        command
            .current_dir(machine.path("home"))
            .env("MLAPO_KERNEL_ARTIFACTS", machine.path("of the variable"));
    });
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = machine.path("home/of the option").canonicalize().unwrap();
    assert_eq!(fs::read_to_string(out.join(built)).unwrap(), stand_in::CODE);
    let said = text(&output.stdout);
    assert!(said.contains(&format!("MLAPO_KERNEL_ARTIFACTS={}", out.display())), "{said}");
    let manifest = fs::read_to_string(out.join("dav-2201/unknown/manifest.json")).unwrap();
    assert!(manifest.contains(r#""compiler": "unknown""#) && manifest.contains(r#""method": "cmake""#));
    assert!(!machine.path("of the variable").exists());
    // Without the option, where the next build will look.
    let output = machine.build_kernels(&[], |command| {
        command.env("MLAPO_KERNEL_ARTIFACTS", machine.path("of the variable"));
    });
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(machine.path("of the variable").join(built).is_file());
}

#[test]
fn a_machine_without_cmake_is_told_to_install_it() {
    let machine = Machine::with_a_toolkit();
    let out = machine.path("out");
    let output = machine.build_kernels(&["--out", out.to_str().unwrap()], |command| {
        command.env("PATH", machine.path("bin"));
    });
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    for part in ["cmake cannot be started", "install cmake, 3.16 or newer", "-DRUN_MODE=npu"] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert!(!out.exists());
}
