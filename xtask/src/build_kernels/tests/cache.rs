//! What is kept of a build.

use std::thread;

use super::*;

#[test]
fn the_cache_is_by_content() {
    let bench = Bench::newest();
    let compiled = || bench.commands().iter().any(|line| line.contains("mlapo.cpp"));
    let said = bench.build(|_| ()).unwrap();
    assert!(compiled() && said.contains("built"), "{said}");
    // Nothing has changed, not even the time of the files.
    let object = bench.folders().artifacts.join("dav-2201/9.1.0-beta.1").join(OBJECT);
    let time = || fs::metadata(&object).unwrap().modified().unwrap();
    let before = time();
    let said = bench.build(|_| ()).unwrap();
    assert!(!compiled() && said.contains("from the cache, already in place"), "{said}");
    assert_eq!(time(), before);
    // Lost artefacts come from the cache.
    fs::remove_dir_all(bench.folders().artifacts).unwrap();
    let said = bench.build(|_| ()).unwrap();
    assert!(!compiled() && said.contains("from the cache, embedded when"), "{said}");
    // A source that is as new but says the same is no other source.
    let source = bench.source().kernel.join("mlapo.cpp");
    fs::write(&source, "kernel").unwrap();
    bench.build(|_| ()).unwrap();
    assert!(!compiled());
    // Source, compiler, options, toolkit.
    fs::write(&source, "another kernel").unwrap();
    assert!(bench.embedded().is_empty(), "what is stale is not embedded");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    assert_eq!(bench.embedded().len(), 1);
    bench.file("compiler-version", "bisheng 1\nof tomorrow\n");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    bench.build(|args| args.method = Some(Method::Cmake)).unwrap();
    assert!(bench.commands().iter().any(|line| line.starts_with("cmake --build")));
    bench.is_release_9("9.2.0");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    assert_eq!(bench.embedded(), ["9.1.0-beta.1", "9.2.0"]);
    let project = bench.source().project.join("CMakeLists.txt");
    fs::write(&project, "another project").unwrap();
    assert!(bench.embedded().is_empty(), "the project, too, is what an object is built from");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    // And back.
    fs::write(&project, "project").unwrap();
    fs::write(&source, "kernel").unwrap();
    bench.file("compiler-version", "bisheng 1\nof today\n");
    bench.is_release_9("9.1.0-beta.1");
    bench.build(|_| ()).unwrap();
    assert!(!compiled());
}

#[test]
fn what_a_failed_build_leaves_is_not_taken() {
    let bench = Bench::newest();
    let linker = format!("{HOST}-linux/ccec_compiler/bin/ld.lld");
    bench.program(&linker, &COMPILE.replace("\nexit 0\n", "\nexit 1\n"));
    let left = || -> Vec<PathBuf> {
        fs::read_dir(bench.folders().cache).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    bench.build(|_| ()).unwrap_err();
    assert!(left().is_empty(), "{:?}", left());
    bench.commands();
    bench.program(&linker, COMPILE);
    bench.build(|_| ()).unwrap();
    assert!(bench.commands().iter().any(|line| line.contains("mlapo.cpp")));
    assert_eq!(left().len(), 1, "the folder of the work is gone: {:?}", left());
}

#[test]
fn builds_that_run_at_once_do_not_disturb_each_other() {
    let bench = Bench::newest();
    // Long enough for all to be at it.
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/ld.lld"), &format!("sleep 0.3\n{COMPILE}"));
    thread::scope(|scope| {
        let builds: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.build(|_| ()))).collect();
        for build in builds {
            build.join().unwrap().unwrap();
        }
    });
    let links = bench.commands().iter().filter(|line| line.starts_with("ld.lld")).count();
    assert!(links > 1, "none of them was early enough to meet another one");
    assert_eq!(bench.embedded(), ["9.1.0-beta.1"]);
    let folder = bench.folders().artifacts.join("dav-2201/9.1.0-beta.1");
    for (folder, files) in [(folder, 2), (bench.folders().cache, 1)] {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), files, "{}", folder.display());
    }
}

#[test]
fn another_folder_is_told_with_how_to_embed_from_it() {
    let bench = Bench::newest();
    let said = bench.build(|_| ()).unwrap();
    assert!(!said.contains(VARIABLE), "{said}");
    let folders = Folders { usual: false, ..bench.folders() };
    let mut said = Vec::new();
    build(&Args::default(), &[bench.home()], &folders, &mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("MLAPO_KERNEL_ARTIFACTS={}", folders.artifacts.display())), "{said}");
}

#[test]
fn the_manifest_says_what_was_built_from_what() {
    let bench = Bench::older();
    bench.build(|_| ()).unwrap();
    let manifest = bench.manifest("8.1.RC1");
    let tiling = fs::read(bench.source().kernel.join(TILING)).unwrap();
    let expected = Manifest {
        kernel: "mlapo".into(),
        arch: "dav-2201".into(),
        socs: SOCS.map(str::to_owned).to_vec(),
        toolkit_version: "8.1.RC1".into(),
        runtime_version: "7.7.0.1.238".into(),
        method: "cmake".into(),
        compiler: "bisheng 1".into(),
        source_hash: manifest.source_hash.clone(),
        tiling_hash: hash(&tiling),
        object_hash: hash(CODE.as_bytes()),
    };
    assert_eq!(manifest, expected);
    // The files without the tiling: length and bytes of the name, then of the content.
    let mut source = Vec::new();
    for part in ["mlapo.cpp", "kernel", "CMakeLists.txt", "project"] {
        source.extend((part.len() as u64).to_le_bytes());
        source.extend(part.as_bytes());
    }
    assert_eq!(manifest.source_hash, hash(&source));
}

#[test]
fn a_release_becomes_the_name_of_one_folder() {
    assert_eq!(store::folder_name("8.1.RC1"), "8.1.RC1");
    assert_eq!(store::folder_name("../x y"), ".._x_y");
    assert_eq!(store::folder_name(".."), "_");
    assert_eq!(store::folder_name(""), "_");
}
