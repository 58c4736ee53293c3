//! The loader, on small libraries that have only some of the functions.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::{CStr, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use ascendcl_sys::{ACL_ERROR_RT_PARAM_INVALID, ACL_SUCCESS, Library, Searched, aclError};

use crate::support::{Language, build, text};

mod support;

/// Builds a library from C and returns its path.
fn library(directory: &Path, name: &str, source: &str) -> PathBuf {
    let (file, library) = (directory.join(format!("{name}.c")), directory.join(name));
    fs::write(&file, source).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let output = build(Language::C, &file, &library, &["-shared", "-fPIC", "-I", include]);
    assert!(output.status.success(), "{}", text(&output));
    library
}

const RUNTIME: &str = r#"
#include "acl/acl.h"
static int32_t current = -1;
aclError aclrtSetDevice(int32_t deviceId) {
    if (deviceId < 0) return ACL_ERROR_RT_PARAM_INVALID;
    current = deviceId;
    return ACL_SUCCESS;
}
aclError aclrtGetDevice(int32_t *deviceId) { *deviceId = current; return ACL_SUCCESS; }
float aclFloat16ToFloat(aclFloat16 value) { return (float)value; }
"#;

#[test]
fn present_functions_work_and_a_missing_one_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = library(directory.path(), "libascendcl.so", RUNTIME);
    for place in [&path, directory.path()] {
        let acl = Library::open_at(place).unwrap();
        let mut device = -1;
        // SAFETY: The library defines these functions for any argument and any valid pointer.
        unsafe {
            assert_eq!(acl.aclrtSetDevice(-3), Ok(ACL_ERROR_RT_PARAM_INVALID));
            assert_eq!(acl.aclrtSetDevice(5), Ok(ACL_SUCCESS));
            assert_eq!(acl.aclrtGetDevice(&mut device), Ok(ACL_SUCCESS));
            assert_eq!(acl.aclFloat16ToFloat(7), Ok(7.0));
        }
        assert_eq!(device, 5);

        // SAFETY: There is no such function to call.
        let missing = unsafe { acl.aclrtStreamStop(ascendcl_sys::aclrtStream::null()) }.unwrap_err();
        assert_eq!((missing.name, missing.since), ("aclrtStreamStop", "9.1"));
        assert_eq!(*missing.searched, Searched::Files(vec![path.clone()]));
        let message = missing.to_string();
        for part in ["aclrtStreamStop", "9.1", path.to_str().unwrap(), "install"] {
            assert!(message.contains(part), "{message}");
        }

        assert!(acl.is_available("aclrtSetDevice"));
        assert!(!acl.is_available("aclrtStreamStop"));
        assert!(!acl.is_available("no such function"));
        assert_eq!(acl.path(), Some(&*path));
        assert!(format!("{acl:?}").contains("libascendcl.so"));
    }
}

#[test]
fn libraries_of_other_groups_are_opened_when_they_are_needed() {
    let directory = tempfile::tempdir().unwrap();
    library(directory.path(), "libascendcl.so", RUNTIME);
    let acl = Library::open_at(directory.path()).unwrap();

    // SAFETY: There is no such function to call.
    let missing = unsafe { acl.aclnnInit(std::ptr::null()) }.unwrap_err();
    let Searched::NotLoaded(error) = &*missing.searched else { panic!("{missing}") };
    assert_eq!(error.files, ["libnnopbase.so"]);
    assert!(missing.to_string().contains("libnnopbase.so"));

    // A library that appears later is found, if nothing asked for it before.
    let profiler = "int aclprofFinalize(void) { return 42; }\n";
    library(directory.path(), "libmsprofiler.so", profiler);
    assert!(!format!("{acl:?}").contains("libmsprofiler.so"));
    // SAFETY: The library defines the function.
    assert_eq!(unsafe { acl.aclprofFinalize() }, Ok(42));
    assert!(format!("{acl:?}").contains("libmsprofiler.so"));
}

#[test]
fn one_library_may_have_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = library(directory.path(), "libeverything.so", "int aclnnFinalize(void) { return 7; }\n");
    let acl = Library::open_at(path).unwrap();
    // SAFETY: The library defines the function.
    assert_eq!(unsafe { acl.aclnnFinalize() }, Ok(7));
}

#[test]
fn the_newer_runtime_library_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    library(directory.path(), "libacl_rt.so", RUNTIME);
    let acl = Library::open_at(directory.path()).unwrap();
    assert!(acl.is_available("aclrtSetDevice"));
}

#[test]
fn without_a_library_everything_that_was_tried_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let error = Library::open_at(directory.path()).unwrap_err();
    let tried: Vec<_> = error.tried.iter().map(|attempt| attempt.path.clone()).collect();
    assert_eq!(tried, ["libascendcl.so", "libacl_rt.so"].map(|name| directory.path().join(name)));
    assert!(error.tried.iter().all(|attempt| attempt.error.starts_with("cannot open shared object file")));
    let message = error.to_string();
    assert!(tried.iter().all(|path| message.contains(path.to_str().unwrap())), "{message}");
    assert!(message.contains("set_env.sh") && message.contains("ASCENDCL_LIBRARY"), "{message}");
}

#[test]
fn a_file_that_is_no_library_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libascendcl.so");
    fs::write(&path, "not a library").unwrap();
    let message = Library::open_at(&path).unwrap_err().to_string();
    assert!(message.contains(&format!("{}: file too short", path.display())), "{message}");
}

/// The environment belongs to the process, so this test runs itself in another one.
#[test]
fn the_environment_names_the_library() {
    let directory = tempfile::tempdir().unwrap();
    let path = library(directory.path(), "libascendcl.so", RUNTIME);
    for (variables, expected) in [
        (vec![("ASCENDCL_LIBRARY", path.clone())], true),
        (vec![("ASCENDCL_LIBRARY", directory.path().to_owned())], true),
        (vec![("ASCENDCL_LIBRARY", directory.path().join("absent.so"))], false),
        (vec![("ASCEND_HOME_PATH", home(&directory, &path))], true),
        (
            vec![("ASCEND_HOME_PATH", "/nowhere".into()), ("ASCEND_TOOLKIT_HOME", home(&directory, &path))],
            true,
        ),
        // What is named explicitly is not silently replaced.
        (
            vec![("ASCENDCL_LIBRARY", "absent.so".into()), ("ASCEND_HOME_PATH", home(&directory, &path))],
            false,
        ),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "environment_child"])
            .env_remove("ASCENDCL_LIBRARY")
            .env_remove("ASCEND_HOME_PATH")
            .env_remove("ASCEND_TOOLKIT_HOME")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let text = text(&output);
        assert!(text.contains(&format!("available: {expected}")), "{variables:?}: {text}");
    }
}

/// A toolkit's home with the library at its place.
fn home(directory: &tempfile::TempDir, library: &Path) -> PathBuf {
    let home = directory.path().join("toolkit");
    fs::create_dir_all(home.join("lib64")).unwrap();
    fs::copy(library, home.join("lib64/libascendcl.so")).unwrap();
    home
}

#[test]
#[ignore = "run by `the_environment_names_the_library`"]
fn environment_child() {
    let opened = Library::open().is_ok_and(|acl| acl.is_available("aclrtSetDevice"));
    assert_eq!(Library::lazy().is_available("aclrtSetDevice"), opened);
    println!("available: {opened}");
}

static RESOLVED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn set_device(device: i32) -> aclError {
    device
}

fn resolve(name: &CStr) -> Option<NonNull<c_void>> {
    RESOLVED.fetch_add(1, Ordering::SeqCst);
    (name == c"aclrtSetDevice").then(|| NonNull::new(set_device as *mut c_void)).flatten()
}

#[test]
fn a_resolver_is_asked_once_for_each_function_that_is_called() {
    // SAFETY: The function has the signature of aclrtSetDevice.
    let acl = unsafe { Library::from_resolver("a table", resolve) };
    assert_eq!(RESOLVED.load(Ordering::SeqCst), 0, "nothing is resolved at load");
    for device in 0..3 {
        // SAFETY: The function takes any number.
        assert_eq!(unsafe { acl.aclrtSetDevice(device) }, Ok(device));
    }
    assert_eq!(RESOLVED.load(Ordering::SeqCst), 1);

    // SAFETY: There is no such function to call.
    let missing = unsafe { acl.aclInit(std::ptr::null()) }.unwrap_err();
    assert_eq!(*missing.searched, Searched::Provider("a table"));
    assert!(missing.to_string().contains("a table lacks it"));
    assert_eq!(acl.path(), None);
    assert_eq!(format!("{acl:?}"), "a table");
}

#[test]
fn a_library_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Library>();
}
