//! Kernels of the user's own.

use clap::Parser as _;

use super::*;

/// An object with no function that anybody knows.
const OTHER_CODE: &str = "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x29\x10\0own\0";

/// A bench with a kernel in a folder of its own; the kernel, and where its object is to go.
fn with_kernel(bench: &Bench) -> (PathBuf, PathBuf) {
    let root = bench.directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("mine")).unwrap();
    fs::write(root.join("mine/own.cpp"), "kernel").unwrap();
    bench.file("code", OTHER_CODE);
    (root.join("mine/own.cpp"), root.join("objects/deep/own_kernel.o"))
}

#[test]
fn it_is_built_as_ours_is_whatever_its_functions() {
    let work = "target/build-kernels/WORK";
    let direct = [
        format!(
            "bisheng -c -x asc -std=c++17 -O3 --npu-arch=dav-2201 --aicore-only -I mine mine/own.cpp -o {work}/own.device.o"
        ),
        format!("ld.lld -m aicorelinux -Ttext=0 {work}/own.device.o -static -o {work}/own.o"),
    ];
    let cmake = [
        format!(
            "cmake -S device -B {work}/build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX={work}/out -DRUN_MODE=npu \
             -DSOC_VERSION=Ascend910B4 -DASCEND_CANN_PACKAGE_PATH=toolkit \
             -DASCENDC_CMAKE_DIR=toolkit/compiler/tikcpp/ascendc_kernel_cmake -DKERNEL_NAME=own -DKERNEL_FILE=mine/own.cpp"
        ),
        format!("cmake --build {work}/build"),
    ];
    for (bench, expected) in [(Bench::newest(), direct), (Bench::older(), cmake)] {
        let (source, object) = with_kernel(&bench);
        let said = bench
            .build(|args| {
                (args.source, args.object) = (Some(source), Some(object.clone()));
                args.socs = vec!["910b4".into()];
            })
            .unwrap();
        assert_eq!(bench.commands().iter().map(|line| without_key(line)).collect::<Vec<_>>(), expected);
        assert!(said.ends_with(&format!("{}: built\n", object.display())), "{said}");
        assert_eq!(fs::read_to_string(object).unwrap(), OTHER_CODE);
        // It is nobody's to embed, and nothing is left.
        assert!(!bench.folders().artifacts.exists());
        assert!(fs::read_dir(bench.folders().cache).unwrap().next().is_none());
    }
}

#[test]
fn what_it_lacks_is_told() {
    let bench = Bench::newest();
    let (source, object) = with_kernel(&bench);
    let build = |source: &Path, object: &Path| {
        let said =
            bench.build(|args| (args.source, args.object) = (Some(source.into()), Some(object.into())));
        said.unwrap_err().to_string()
    };
    let missing = source.with_file_name("none.cpp");
    assert!(build(&missing, &object).starts_with(&format!("{}: No such file", missing.display())));
    // A file is where a folder should be.
    let message = build(&source, &source.join("own.o"));
    assert!(message.contains("cannot be written") && message.contains("-o OBJECT"), "{message}");
    fs::copy("/bin/sh", bench.home().join("code")).unwrap();
    let message = build(&source, &object);
    assert!(message.contains("own.o is an object for") && message.contains("not for AI cores"), "{message}");
    assert!(!object.exists());
}

#[test]
fn a_dry_run_of_it_writes_nothing() {
    let bench = Bench::newest();
    let (source, object) = with_kernel(&bench);
    let said = bench
        .build(|args| {
            (args.source, args.object, args.dry_run) = (Some(source), Some(object.clone()), true);
        })
        .unwrap();
    assert!(
        said.contains("own.device.o") && said.contains("would write") && !said.contains("--version"),
        "{said}"
    );
    assert!(bench.commands().is_empty() && !object.exists());
}

#[test]
fn source_and_object_belong_together() {
    for (arguments, is_right) in [
        (&["x", "build-kernels", "own.cpp", "-o", "own.o"][..], true),
        (&["x", "build-kernels"], true),
        (&["x", "build-kernels", "own.cpp"], false),
        (&["x", "build-kernels", "-o", "own.o"], false),
        (&["x", "build-kernels", "own.cpp", "-o", "own.o", "--out", "folder"], false),
    ] {
        assert_eq!(crate::Cli::try_parse_from(arguments).is_ok(), is_right, "{arguments:?}");
    }
}
