//! Which toolkit is taken, and what is known of it.

use std::ffi::OsString;

use super::*;

#[test]
fn a_missing_toolkit_is_told_with_what_each_place_lacks() {
    let bench = Bench::new();
    fs::create_dir_all(bench.home()).unwrap();
    let absent = bench.directory.path().join("absent");
    let message = Toolkit::find(&[absent.clone(), bench.home()]).unwrap_err().to_string();
    let home = bench.home().display().to_string();
    for part in [
        &format!("\n  {}: no such folder\n", absent.display()),
        &format!(
            "\n  {home}: for the method direct no bisheng with ld.lld in ccec_compiler/bin, no \
             tikcpp/ascendc_kernel_cmake/ascendc.cmake; for the method cmake no \
             tikcpp/ascendc_kernel_cmake/ascendc.cmake\n"
        ),
        "set_env.sh",
        "--ascend-home",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    // The compiler alone, and then a project without either recipe.
    let lacks = || match Toolkit::find(&[bench.home()]) {
        Err(Error::NoToolkit { tried }) => tried[0].1.to_string(),
        other => panic!("{other:?}"),
    };
    bench.compiler("compiler/ccec_compiler/bin");
    let project = "no tikcpp/ascendc_kernel_cmake/ascendc.cmake";
    assert_eq!(lacks(), format!("for the method direct {project}; for the method cmake {project}"));
    bench.file("compiler/tikcpp/ascendc_kernel_cmake/ascendc.cmake", "");
    bench.file("compiler/tikcpp/ascendc_kernel_cmake/function.cmake", "function(ascendc_library)");
    let recipes = "for the method direct no --aicore-only in asc_modules/FindASC.cmake beside ascendc.cmake; for the \
                   method cmake no ascendc_fatbin_library in function.cmake beside ascendc.cmake";
    assert_eq!(lacks(), recipes);
    assert!(bench.commands().is_empty(), "a compiler without a recipe is not called");
}

#[test]
fn the_first_place_that_can_build_is_taken() {
    let (nothing, older, newest) = (tempfile::tempdir().unwrap(), Bench::older(), Bench::newest());
    let places = [nothing.path().to_owned(), older.home(), newest.home()];
    assert_eq!(Toolkit::find(&places).unwrap().home, older.home());
}

#[test]
fn toolkits_are_looked_for_where_variables_and_installers_put_them() {
    let variables = |name: &str| match name {
        "ASCEND_HOME_PATH" => Some(OsString::from("/opt/cann")),
        "ASCEND_TOOLKIT_HOME" => Some(OsString::from("/usr/local/Ascend/cann")),
        "HOME" => Some(OsString::from("/home/me")),
        _ => None,
    };
    let paths = |paths: &[&str]| -> Vec<PathBuf> { paths.iter().map(PathBuf::from).collect() };
    let expected = paths(&[
        "/opt/cann",
        "/usr/local/Ascend/cann",
        "/usr/local/Ascend/ascend-toolkit/latest",
        "/usr/local/Ascend/latest",
        "/home/me/Ascend/ascend-toolkit/latest",
        "/home/me/Ascend/latest",
        "/home/me/Ascend/cann",
    ]);
    assert_eq!(places(None, variables), expected);
    let usual = paths(&[
        "/usr/local/Ascend/ascend-toolkit/latest",
        "/usr/local/Ascend/latest",
        "/usr/local/Ascend/cann",
    ]);
    assert_eq!(places(None, |_| Some(OsString::new())), usual);
    assert_eq!(places(Some(Path::new("/my")), variables), paths(&["/my"]));
}

#[test]
fn releases_are_told_apart_however_a_toolkit_states_them() {
    let bench = Bench::older();
    let states = |release: &str, runtime: &str| {
        let toolkit = Toolkit::find(&[bench.home()]).unwrap();
        assert_eq!((&*toolkit.release, &*toolkit.runtime_version), (release, runtime));
    };
    states("8.1.RC1", "7.7.0.1.238");
    // The folder's name is that of the release up to 8.x only.
    bench.file("runtime/version.info", "Version=9.0.0\nversion_dir=cann\ntimestamp=20251230_101500000\n");
    states("9.0.0", "9.0.0");
    bench.file("runtime/version.info", "Version=9.1.0-beta.1\nversion_dir=cann\n");
    states("9.1.0-beta.1", "9.1.0-beta.1");
    // Some older ones state the release in a file of the installer.
    let install = format!("{HOST}-linux/ascend_toolkit_install.info");
    bench.file(&install, &format!("package_name=Ascend-cann-toolkit\nversion=8.0.0\narch={HOST}\n"));
    for version_dir in ["", "version_dir=CANN-7.6\n"] {
        bench.file("runtime/version.info", &format!("Version=7.6.0.1.220\n{version_dir}"));
        states("8.0.0", "7.6.0.1.220");
    }
    // Nowhere.
    fs::remove_dir_all(bench.home().join("runtime")).unwrap();
    fs::remove_file(bench.home().join(install)).unwrap();
    states("unknown", "unknown");
}

#[test]
fn two_releases_of_a_kind_that_share_a_folders_name_are_kept_apart() {
    let bench = Bench::newest();
    for release in ["9.0.0", "9.1.0"] {
        bench.is_release_9(release);
        bench.build(|_| ()).unwrap();
    }
    assert_eq!(bench.embedded(), ["9.0.0", "9.1.0"]);
}
