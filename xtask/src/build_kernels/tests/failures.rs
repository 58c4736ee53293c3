//! What is said when something fails.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_failing_compiler_is_shown() {
    let bench = Bench::newest();
    let body =
        "[ \"$1\" = --version ] && exit 0\necho 'a note'; echo 'mlapo.cpp:7: no such call' >&2; exit 3\n";
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/bisheng"), body);
    let error = bench.build(|_| ()).unwrap_err();
    let message = error.to_string();
    for part in [
        "bisheng failed (exit status: 3)",
        "a note\nmlapo.cpp:7: no such call",
        "--aicore-only",
        "--method cmake",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert!(!bench.folders().artifacts.exists(), "nothing of a failed build is embedded");
    // The other way's failure has the same form.
    let bench = Bench::older();
    bench.program("compiler/ccec_compiler/bin/cmake", "echo 'SOC_VERSION' >&2; exit 1\n");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(
        message.contains("cmake failed (exit status: 1)") && message.contains("SOC_VERSION"),
        "{message}"
    );
    assert!(!message.contains("--method"), "there is no other way: {message}");
}

#[test]
fn a_compiler_that_does_not_start_is_told() {
    let bench = Bench::newest();
    let compiler = bench.home().join(format!("{HOST}-linux/ccec_compiler/bin/bisheng"));
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o644)).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{} cannot be started", compiler.display())), "{message}");
    assert!(message.contains("Permission denied") && message.contains("--method cmake"), "{message}");
    assert!(!message.contains("install"), "{message}");
}

#[test]
fn a_compiler_that_does_not_say_its_version_stops_only_those_who_call_it() {
    let bench = Bench::newest();
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/bisheng"), "echo 'no plug-in' >&2; exit 127\n");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    for part in ["bisheng failed (exit status: 127)", "--version", "no plug-in", "--method cmake"] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    let said = bench.build(|args| args.method = Some(Method::Cmake)).unwrap();
    assert!(
        said.contains("the compiler does not say its version: ") && said.contains("no plug-in"),
        "{said}"
    );
    assert_eq!(bench.manifest("9.1.0-beta.1").compiler, "unknown");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_another_way() {
    // A file in the place of a folder: that stops also those who may write everywhere.
    let bench = Bench::newest();
    let Folders { artifacts, cache, .. } = bench.folders();
    fs::write(&artifacts, "").unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    let start = format!("{}/dav-2201/9.1.0-beta.1 cannot be written: ", artifacts.display());
    assert!(message.starts_with(&start) && message.contains("--out DIR"), "{message}");
    // What was built is not lost.
    fs::remove_file(&artifacts).unwrap();
    let said = bench.build(|_| ()).unwrap();
    assert!(said.contains("from the cache, embedded when"), "{said}");

    let bench = Bench::newest();
    let cache_parent = bench.folders().cache.parent().unwrap().to_owned();
    fs::write(cache_parent, "").unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    let name = cache.file_name().unwrap().to_str().unwrap();
    assert!(message.contains(&format!("target/{name} cannot be written: ")), "{message}");
    assert!(message.contains("CARGO_TARGET_DIR=DIR"), "{message}");
    assert!(!bench.folders().artifacts.exists());
}

#[test]
fn other_socs_are_refused_before_anything_is_done() {
    let bench = Bench::newest();
    for soc in ["Ascend310P3", "Ascend950PR_9599", "Ascend910", "dav-2201", ""] {
        let socs = vec!["Ascend910B3".to_owned(), soc.to_owned()];
        let message = bench.build(|args| args.socs = socs).unwrap_err().to_string();
        assert!(message.ends_with(&format!("not for {soc}")), "{message}");
        assert!(message.contains("Ascend910B1") && message.contains("Ascend910_9362"), "{message}");
    }
    assert!(bench.commands().is_empty());
}

#[test]
fn a_header_that_differs_from_the_definition_is_refused() {
    let bench = Bench::newest();
    fs::write(bench.source().kernel.join(TILING), "struct Tiling {};").unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains(TILING) && message.contains("cargo xtask tiling-header"), "{message}");
    fs::remove_file(bench.source().kernel.join(TILING)).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains(TILING) && message.contains("No such file"), "{message}");
    assert!(bench.commands().is_empty());
}
