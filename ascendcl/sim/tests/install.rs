//! Programs that build against a folder which `cargo xtask sim-install` made: by CMake, if it is there, by pkg-config or by
//! the compiler alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;

/// The folder, for all tests, with what the profile of tests builds: it is built already.
static PREFIX: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let output = sim_install(folder.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
});

fn prefix() -> &'static Path {
    PREFIX.path()
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c")
}

fn sim_install(prefix: &Path, options: &[&str]) -> Output {
    // A folder of its own: what is built there has other features than what the tests that run now are built with.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sim-install");
    Command::new(env!("CARGO"))
        .args(["run", "--quiet", "-p", "xtask", "--no-default-features", "--", "sim-install"])
        .args(["--profile", "dev", "--prefix"])
        .arg(prefix)
        .args(options)
        .env("CARGO_TARGET_DIR", target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// What a program says that must succeed.
fn succeeds(command: &mut Command) -> String {
    let output = command.env_remove("LD_LIBRARY_PATH").output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

/// Where `ASCENDCL_TEST_TOOLS` is set, nothing may be missing.
fn has(program: &str) -> bool {
    match Command::new(program).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(env::var_os("ASCENDCL_TEST_TOOLS").is_none(), "{program} is not there");
            eprintln!("{program} is not there; what needs it is not tested");
            false
        }
        result => result.is_ok(),
    }
}

fn run(program: &Path, ending: &str) {
    let text = succeeds(Command::new(program).env_remove("ASCENDCL_SIM_LEVEL"));
    assert!(text.ends_with(ending), "{text}");
}

/// The options by which a program links the library, as pkg-config tells them, or as they are documented.
fn options() -> Vec<String> {
    if !has("pkg-config") {
        let prefix = prefix().display();
        return vec![
            format!("-I{prefix}/include"),
            format!("-L{prefix}/lib64"),
            "-lascendcl".into(),
            format!("-Wl,-rpath,{prefix}/lib64"),
        ];
    }
    let path = prefix().join("lib64/pkgconfig");
    let mut command = Command::new("pkg-config");
    command.args(["--cflags", "--libs", "ascendcl-sim"]).env("PKG_CONFIG_PATH", path);
    succeeds(&mut command).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_compiler_alone_builds_programs_and_files_with_kernels() {
    let folder = TempDir::new().unwrap();
    let options = options();
    let compiler = |variable: &str, default: &str| {
        Command::new(env::var_os(variable).unwrap_or_else(|| OsStr::new(default).to_owned()))
    };
    // Host code alone, in C.
    let program = folder.path().join("program");
    let source = programs().join("program.c");
    succeeds(compiler("CC", "cc").arg("-std=c11").arg(source).arg("-o").arg(&program).args(&options));
    let machine = [("DEVICES", "3"), ("SOC", "Ascend910_9391"), ("MEMORY", "1")];
    let mut command = Command::new(&program);
    command.envs(machine.map(|(name, value)| (format!("ASCENDCL_SIM_{name}"), value)));
    assert!(succeeds(&mut command).ends_with("0 failures\n"));
    // Kernels and host code: by sim-cc alone, and as an object for another linker.
    let sim_cc = || Command::new(prefix().join("bin/sim-cc"));
    let source = programs().join("vector_add/vector_add.cpp");
    let program = folder.path().join("vector_add");
    succeeds(sim_cc().arg(&source).arg("-o").arg(&program));
    run(&program, "6144 elements, 0 wrong\n");
    let object = folder.path().join("vector_add.o");
    succeeds(sim_cc().arg("-c").arg(&source).arg("-o").arg(&object));
    let program = folder.path().join("linked");
    succeeds(compiler("CXX", "g++").arg(&object).arg("-o").arg(&program).args(&options));
    run(&program, "6144 elements, 0 wrong\n");
}

#[test]
fn cmake_finds_the_package_and_the_language() {
    if !has("cmake") {
        return;
    }
    for (project, program, says) in [
        ("vector_add", "vector_add", "6144 elements, 0 wrong\n"),
        // As projects for the real toolkit are, which know ASCEND_HOME_PATH.
        ("asc_language", "main", "0 wrong\n"),
    ] {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("cmake");
        command.arg("-S").arg(programs().join(project)).arg("-B").arg(folder.path());
        command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
        succeeds(command.env("ASCEND_HOME_PATH", prefix()));
        succeeds(Command::new("cmake").arg("--build").arg(folder.path()).env("ASCEND_HOME_PATH", prefix()));
        run(&folder.path().join(program), says);
    }
}

#[test]
fn kernel_projects_of_the_toolkit_build() {
    if !has("cmake") {
        return;
    }
    // Toolkits differ in where they have it.
    for place in ["tools", "compiler"] {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("cmake");
        command.arg("-S").arg(programs().join("kernel_project")).arg("-B").arg(folder.path());
        command.arg(format!("-DKERNEL_PROJECT={place}/tikcpp/ascendc_kernel_cmake"));
        command.arg(format!("-DCMAKE_INSTALL_PREFIX={}/out", folder.path().display()));
        succeeds(command.env("ASCEND_HOME_PATH", prefix()));
        succeeds(Command::new("cmake").arg("--build").arg(folder.path()));
        let mut program = Command::new(folder.path().join("main"));
        program.arg(folder.path().join("out/fatbin/loaded/loaded.o"));
        assert_eq!(succeeds(&mut program), "0 wrong\n");
    }
}

#[test]
fn the_environment_is_that_of_a_toolkit() {
    let check = "source \"$1\" && test -f \"$ASCEND_HOME_PATH/include/acl/acl.h\" \
                 && test -f \"$ASCEND_INSTALL_PATH/lib64/libacl_rt.so\" && test -f \"$ASCEND_HOME_PATH/runtime/lib64/libopapi.so\" \
                 && test -f \"$ASCEND_HOME_PATH/include/aclnnop/aclnn_add.h\" && command -v sim-cc && echo \"$LD_LIBRARY_PATH\"";
    for file in ["set_env.sh", "bin/setenv.bash"] {
        let mut command = Command::new("bash");
        let text = succeeds(command.args(["-c", check, "bash"]).arg(prefix().join(file)));
        assert!(text.contains(&format!("{}/lib64", prefix().display())), "{text}");
    }
}

#[test]
fn it_can_be_run_again_and_overwrites_nothing_of_others() {
    let folder = TempDir::new().unwrap();
    let dry = sim_install(folder.path(), &["--dry-run"]);
    let text = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert!(dry.status.success() && text.contains("lib64/libascendcl.so"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a dry run writes nothing");

    // A toolkit is there.
    fs::create_dir(folder.path().join("lib64")).unwrap();
    let library = folder.path().join("lib64/libascendcl.so");
    fs::write(&library, "real").unwrap();
    let refused = sim_install(folder.path(), &[]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("not from sim-install"), "{text}");
    assert_eq!(fs::read(&library).unwrap(), b"real");

    fs::remove_file(&library).unwrap();
    assert!(sim_install(folder.path(), &[]).status.success());
    // What an earlier version had, and this one has not, goes.
    let old = folder.path().join("include/acl/old.h");
    fs::write(&old, "").unwrap();
    let manifest = folder.path().join("share/ascendcl-sim/manifest");
    let listed = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, listed.clone() + "include/acl/old.h\n").unwrap();
    assert!(sim_install(folder.path(), &[]).status.success());
    assert!(!old.exists() && library.exists());
    assert_eq!(fs::read_to_string(&manifest).unwrap(), listed);
}
