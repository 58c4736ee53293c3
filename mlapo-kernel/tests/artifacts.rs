//! What the build script embeds of a folder with built kernels, and what it leaves out and why.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../build/artifacts.rs"]
mod artifacts;

use artifacts::{
    Found, Hashes, MANIFEST, Manifest, OBJECT, PROJECT, Source, TILING, Unusable, chosen, collect, hash,
    table,
};

/// A folder with a kernel's source, and one with built kernels.
struct Case {
    directory: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { directory: tempfile::tempdir().unwrap() };
        let Source { kernel, project } = case.whole_source();
        fs::create_dir(kernel).unwrap();
        fs::create_dir(&project).unwrap();
        fs::write(project.join(PROJECT), "project").unwrap();
        fs::write(case.source().join("mlapo.cpp"), "kernel").unwrap();
        fs::write(case.source().join("cube.h"), "cube").unwrap();
        fs::write(case.source().join(TILING), "tiling").unwrap();
        case
    }

    fn whole_source(&self) -> Source {
        Source::of_crate(self.directory.path())
    }

    fn source(&self) -> PathBuf {
        self.whole_source().kernel
    }

    fn artifacts(&self) -> PathBuf {
        self.directory.path().join("artifacts")
    }

    /// Puts a kernel there that fits the source as it is now.
    fn build(&self, toolkit: &str) -> PathBuf {
        let folder = self.artifacts().join("dav-2201").join(toolkit);
        fs::create_dir_all(&folder).unwrap();
        let object = format!("object of {toolkit}");
        fs::write(folder.join(OBJECT), &object).unwrap();
        let Hashes { source, tiling } = Hashes::of(&self.whole_source()).unwrap();
        let manifest = Manifest {
            kernel: "mlapo".into(),
            arch: "dav-2201".into(),
            socs: vec!["Ascend910B3".into(), "Ascend910_9391".into()],
            toolkit_version: toolkit.into(),
            runtime_version: "7.7.0.1.238".into(),
            method: "cmake".into(),
            compiler: "a compiler".into(),
            source_hash: source,
            tiling_hash: tiling,
            object_hash: hash(object.as_bytes()),
        };
        fs::write(folder.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        folder
    }

    fn collect(&self) -> Found {
        collect(&self.artifacts(), &Hashes::of(&self.whole_source()).unwrap()).unwrap()
    }

    /// Checks that nothing is embedded, and that the reason has a word in it.
    fn assert_left_out(&self, folder: &Path, why: &str) {
        let found = self.collect();
        assert!(found.fresh.is_empty(), "{:?}", found.fresh);
        let [message] = &found.left_out[..] else { panic!("{:?}", found.left_out) };
        for part in [why, folder.to_str().unwrap(), "cargo xtask build-kernels"] {
            assert!(message.contains(part), "{part} in: {message}");
        }
        assert_eq!(table(&found.fresh).trim().replace('\n', ""), "&[]");
    }
}

#[test]
fn sha256_is_that_of_the_standard() {
    // FIPS 180-2, appendix B.1.
    assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn what_fits_the_source_is_embedded() {
    let case = Case::new();
    assert!(case.collect().fresh.is_empty(), "without a folder there is nothing, and that is no error");
    let (newer, older) = (case.build("9.1.0"), case.build("8.1.RC1"));
    fs::write(case.artifacts().join("README.md"), "not a kernel").unwrap();
    let found = case.collect();
    assert!(found.left_out.is_empty(), "{:?}", found.left_out);
    let objects: Vec<_> = found.fresh.iter().map(|(_, object)| object.clone()).collect();
    assert_eq!(objects, [older.join(OBJECT), newer.join(OBJECT)]);
    let table = table(&found.fresh);
    let object = older.join(OBJECT);
    for part in [
        "arch: \"dav-2201\"",
        "socs: &[\"Ascend910B3\", \"Ascend910_9391\"]",
        "toolkit_version: \"8.1.RC1\"",
        "runtime_version: \"7.7.0.1.238\"",
        &format!("include_bytes!({object:?})"),
    ] {
        assert!(table.contains(part), "{part} in: {table}");
    }
    assert_eq!(table.matches("DeviceBinary {").count(), 2);
}

#[test]
fn a_kernel_of_other_source_is_left_out() {
    let case = Case::new();
    let folder = case.build("8.1.RC1");
    fs::write(case.source().join("cube.h"), "cube, faster").unwrap();
    case.assert_left_out(&folder, "source has changed");
    fs::write(case.source().join("cube.h"), "cube").unwrap();
    assert_eq!(case.collect().fresh.len(), 1);
    // A new file, and a name that takes over a part of the content.
    fs::write(case.source().join("vector.h"), "").unwrap();
    case.assert_left_out(&folder, "source has changed");
    fs::remove_file(case.source().join("vector.h")).unwrap();
    fs::rename(case.source().join("cube.h"), case.source().join("cubec.h")).unwrap();
    case.assert_left_out(&folder, "source has changed");
    fs::rename(case.source().join("cubec.h"), case.source().join("cube.h")).unwrap();
    assert_eq!(case.collect().fresh.len(), 1);
    // What is built from below the folder, and by which project.
    let part = case.source().join("part");
    fs::create_dir(&part).unwrap();
    assert_eq!(case.collect().fresh.len(), 1);
    fs::write(part.join("cube.h"), "").unwrap();
    case.assert_left_out(&folder, "source has changed");
    fs::remove_dir_all(part).unwrap();
    fs::write(case.whole_source().project.join(PROJECT), "project with an option").unwrap();
    case.assert_left_out(&folder, "source has changed");
}

#[test]
fn the_same_files_in_another_folder_are_another_source() {
    let case = Case::new();
    let place = |folder: &str| {
        let folder = case.source().join(folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("cube.h"), "part").unwrap();
        let hashes = Hashes::of(&case.whole_source()).unwrap();
        fs::remove_dir_all(folder).unwrap();
        hashes
    };
    assert_ne!(place("one"), place("other"));
    assert_eq!(place("one"), place("one"));
}

#[test]
fn what_editors_leave_is_no_source() {
    let case = Case::new();
    case.build("8.1.RC1");
    for name in ["cube.h~", "#cube.h#", ".cube.h.swp", "cube.h.orig", "notes"] {
        fs::write(case.source().join(name), "not the source").unwrap();
    }
    // Where Emacs says who edits: a link to nothing.
    std::os::unix::fs::symlink("me@here.1234", case.source().join(".#cube.h")).unwrap();
    assert_eq!(case.collect().fresh.len(), 1);
}

#[test]
fn a_folder_that_is_named_must_have_a_kernel_that_fits() {
    let case = Case::new();
    assert_eq!(chosen(None).unwrap(), None);
    assert_eq!(chosen(Some("".into())).unwrap(), None);
    let error = chosen(Some("built".into())).unwrap_err();
    assert_eq!(error.to_string(), "MLAPO_KERNEL_ARTIFACTS must be an absolute path, got built");
    let folder = case.artifacts();
    let named = || chosen(Some(folder.clone().into()));
    let error = named().unwrap_err();
    assert!(matches!(&error, Unusable::NoFolder(there) if *there == folder), "{error}");
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    fs::create_dir(&folder).unwrap();
    assert_eq!(named().unwrap().as_ref(), Some(&folder));
    let message = || case.collect().not_empty(&folder).unwrap_err().to_string();
    assert!(message().ends_with("has no <architecture>/<toolkit>/manifest.json"), "{}", message());
    case.build("8.1.RC1");
    assert_eq!(case.collect().not_empty(&folder).unwrap().fresh.len(), 1);
    fs::write(case.source().join("cube.h"), "cube, faster").unwrap();
    for part in ["MLAPO_KERNEL_ARTIFACTS", "dav-2201/8.1.RC1 is not embedded", "source has changed"] {
        assert!(message().contains(part), "{part} in: {}", message());
    }
}

#[test]
fn a_kernel_of_other_tiling_is_left_out() {
    let case = Case::new();
    let folder = case.build("8.1.RC1");
    fs::write(case.source().join(TILING), "tiling with a field more").unwrap();
    case.assert_left_out(&folder, "tiling's structures have changed");
}

#[test]
fn the_others_stay_when_one_is_left_out() {
    let case = Case::new();
    case.build("8.1.RC1");
    fs::write(case.source().join("cube.h"), "cube, faster").unwrap();
    case.build("9.1.0");
    let found = case.collect();
    assert_eq!((found.fresh.len(), found.left_out.len()), (1, 1));
    assert_eq!(found.fresh[0].0.toolkit_version, "9.1.0");
}

#[test]
fn what_is_incomplete_is_left_out() {
    let case = Case::new();
    let folder = case.build("8.1.RC1");
    fs::write(folder.join(OBJECT), "another object").unwrap();
    case.assert_left_out(&folder, "not the one that manifest.json describes");
    fs::remove_file(folder.join(OBJECT)).unwrap();
    case.assert_left_out(&folder, OBJECT);
    fs::write(folder.join(MANIFEST), "{\"kernel\": \"mlapo\"}").unwrap();
    case.assert_left_out(&folder, "missing field");
    fs::remove_file(folder.join(MANIFEST)).unwrap();
    case.assert_left_out(&folder, MANIFEST);
}
