//! Which file becomes the shim, and what is said of the others.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use atb_sys::{ATB_SHIM_VERSION, Shim};

use crate::compile::{self, Installation};
use crate::support::{Atb, PACKAGE, Version, all, child, output};

fn of(version: Version, cxx11_abi: u8) -> &'static Atb {
    all().iter().find(|atb| (atb.version, atb.cxx11_abi) == (version, cxx11_abi)).unwrap()
}

/// Builds a shim of nothing but a table from C.
fn table(directory: &Path, file: &str, body: &str, arguments: &[String]) -> PathBuf {
    let (source, library) = (directory.join("table.c"), directory.join(file));
    let text = format!(
        "#include \"atb_shim.h\"\nconst atb_functions *atb_shim_functions(uint32_t version) {{ {body} }}\n"
    );
    fs::write(&source, text).unwrap();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    let compiler = build.target(&target).host(&target).opt_level(0).cargo_metadata(false).get_compiler();
    let mut command = compiler.to_command();
    command.args(["-shared", "-fPIC", "-I"]).arg(Path::new(PACKAGE).join("include"));
    compile::run(command.arg(&source).arg("-o").arg(&library).args(arguments)).unwrap();
    library
}

/// Why the shim at a path cannot be loaded.
fn reason(path: &Path) -> String {
    let error = Shim::open_at(path).unwrap_err();
    assert_eq!(error.tried.len(), 1);
    assert_eq!(error.tried[0].place, path.display().to_string());
    error.tried[0].reason.clone()
}

#[test]
fn a_shim_says_where_it_is_from() {
    let atb = of(Version::Newest, 1);
    assert_eq!(atb.shim.name(), "ATB");
    assert_eq!(atb.shim.path(), Some(&*atb.home.join("libatb_shim.so")));
    assert_eq!(format!("{:?}", atb.shim), format!("ATB ({})", atb.shim_path().display()));
    // A directory is as good as its file.
    assert_eq!(Shim::open_at(&atb.home).unwrap().path(), atb.shim.path());
}

#[test]
fn a_table_is_taken_if_its_version_is_right() {
    let functions = of(Version::Newest, 1).table();
    // SAFETY: The table is complete.
    let shim = unsafe { Shim::from_table("a table of a test", functions) }.unwrap();
    assert_eq!(
        (shim.name(), shim.path(), format!("{shim:?}")),
        ("a table of a test", None, shim.name().into())
    );
    assert!(std::ptr::eq(shim.functions(), functions));

    let newer = Box::leak(Box::new(atb_sys::atb_functions { version: 99, ..*functions }));
    // SAFETY: The version is another one.
    let error = unsafe { Shim::from_table("a newer table", newer) }.unwrap_err();
    assert_eq!(error.tried[0].place, "a newer table");
    let message = error.to_string();
    let version =
        format!("has version 99 of the interface, and this program needs version {ATB_SHIM_VERSION}");
    assert!(message.contains(&version), "{message}");
}

#[test]
fn files_that_are_no_shim_are_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert_eq!(reason(&path.join("absent.so")), "cannot open shared object file: No such file or directory");
    fs::write(path.join("text.so"), "not a library").unwrap();
    assert_eq!(reason(&path.join("text.so")), "file too short");
    let library = of(Version::Newest, 1).library().join("libatb.so");
    assert_eq!(reason(&library), "it is not a shim over ATB: there is no symbol `atb_shim_functions`");

    let other = table(path, "other.so", "(void)version; return NULL;", &[]);
    let expected =
        format!("it does not have version {ATB_SHIM_VERSION} of the interface, which this program needs");
    assert_eq!(reason(&other), expected);
    let liar = "(void)version; static const atb_functions table = {.version = 7}; return &table;";
    let liar = table(path, "liar.so", liar, &[]);
    let expected =
        format!("it has version 7 of the interface, and this program needs version {ATB_SHIM_VERSION}");
    assert_eq!(reason(&liar), expected);

    // What it needs is not where the system's loader looks.
    let gone = table(path, "libgone.so", "(void)version; return NULL;", &[]);
    let needs = ["-Wl,--no-as-needed".to_owned(), format!("-L{}", path.display()), "-lgone".to_owned()];
    let lost = table(path, "lost.so", "(void)version; return NULL;", &needs);
    fs::remove_file(gone).unwrap();
    let expected = "cannot open shared object file: No such file or directory (`source` the toolkit's and ATB's set_env.sh)";
    assert_eq!(reason(&lost), format!("libgone.so: {expected}"));

    // All that a directory might have is listed, and what to do.
    let empty = tempfile::tempdir().unwrap();
    let error = Shim::open_at(empty.path()).unwrap_err();
    let places: Vec<_> = error.tried.iter().map(|attempt| PathBuf::from(&attempt.place)).collect();
    let expected =
        ["", "cxx_abi_1/", "cxx_abi_0/"].map(|abi| empty.path().join(format!("{abi}libatb_shim.so")));
    assert_eq!(places, expected);
    let message = error.to_string();
    for part in ["set_env.sh", "ATB_HOME_PATH", "cargo xtask atb-shim", "ATB_SHIM_LIBRARY"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_shim_that_does_not_say_its_abi_truly_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (abi, other) in [(0, 1), (1, 0)] {
        let library = of(Version::Of81, other).library();
        let arguments =
            ["-Wl,--no-as-needed".to_owned(), format!("-L{}", library.display()), "-latb".to_owned()];
        let arguments = [&arguments[..], &[format!("-Wl,-rpath,{}", library.display())]].concat();
        let body = format!("(void)version; static const atb_functions table = {{1, {abi}}}; return &table;");
        let path = table(directory.path(), &format!("abi{abi}.so"), &body, &arguments);
        let expected = format!(
            "it was compiled for the C++ ABI {abi} (_GLIBCXX_USE_CXX11_ABI), and the loaded libatb.so has the other one"
        );
        assert_eq!(reason(&path), expected);
    }
}

/// Puts a libatb in place of another one: a directory for LD_LIBRARY_PATH.
fn instead(directory: &Path, of: &Atb, wanted_by: &Atb) {
    symlink(of.library().join("libatb.so"), directory.join(wanted_by.soname_of())).unwrap();
}

/// Libraries are found by the environment that a process starts with, so these run in processes of their own.
#[test]
fn a_shim_for_another_abi_or_an_older_library_is_refused_at_load() {
    for (version, abi) in [(Version::Newest, 0), (Version::Newest, 1), (Version::Of81, 0), (Version::Of81, 1)]
    {
        let shim = of(version, abi);
        let directory = tempfile::tempdir().unwrap();
        instead(directory.path(), of(version, 1 - abi), shim);
        let text = output(
            child("loading::opens_what_is_named")
                .env("ATB_SHIM_LIBRARY", shim.shim_path())
                .env("LD_LIBRARY_PATH", directory.path()),
        );
        assert!(text.contains("undefined symbol: _ZN3atb5Utils13GetAtbVersion"), "{text}");
        assert!(
            text.contains("(the C++ ABI of the installed libatb.so is another than the shim's)"),
            "{text}"
        );
    }
    let shim = of(Version::Newest, 1);
    let directory = tempfile::tempdir().unwrap();
    instead(directory.path(), of(Version::Of81, 1), shim);
    let text = output(
        child("loading::opens_what_is_named")
            .env("ATB_SHIM_LIBRARY", shim.shim_path())
            .env("LD_LIBRARY_PATH", directory.path()),
    );
    assert!(text.contains("undefined symbol: _ZN3atb") && !text.contains("C++ ABI"), "{text}");
}

#[test]
fn of_the_shims_in_a_directory_the_one_that_fits_is_taken() {
    let shims = [of(Version::Newest, 1), of(Version::Newest, 0)];
    for installed in shims {
        let (directory, libraries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for shim in shims {
            let place = directory.path().join(compile::directory(shim.cxx11_abi));
            fs::create_dir(&place).unwrap();
            symlink(shim.shim_path(), place.join(compile::FILE)).unwrap();
            instead(libraries.path(), installed, shim);
        }
        let text = output(
            child("loading::opens_what_is_named")
                .env("ATB_SHIM_LIBRARY", directory.path())
                .env("LD_LIBRARY_PATH", libraries.path()),
        );
        assert!(text.contains(&format!("opened ABI {}", installed.cxx11_abi)), "{text}");
    }
}

#[test]
fn without_a_name_the_loader_of_the_system_is_the_last_to_be_asked() {
    let shim = of(Version::Of81, 1);
    let text = output(child("loading::opens_what_is_named").env("LD_LIBRARY_PATH", &shim.home));
    assert!(text.contains("opened ABI 1: libatb_shim.so"), "{text}");
    // What is named explicitly is not silently replaced.
    let text = output(
        child("loading::opens_what_is_named")
            .env("LD_LIBRARY_PATH", &shim.home)
            .env("ATB_SHIM_LIBRARY", "/absent/shim.so"),
    );
    assert!(text.contains("/absent/shim.so: cannot open") && !text.contains("opened"), "{text}");
}

#[test]
#[ignore = "run by the tests above"]
fn opens_what_is_named() {
    match Shim::open() {
        Ok(shim) => println!("opened ABI {}: {}", shim.functions().cxx11Abi, shim.path().unwrap().display()),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn installations_are_found_with_their_abi() {
    for atb in all() {
        let found = Installation { home: atb.home.clone(), cxx11_abi: atb.cxx11_abi };
        assert_eq!(Installation::find(&atb.home), Ok(vec![found]));
    }
    // A library that does not say is judged by its directory, and is else of the newer ABI.
    let directory = tempfile::tempdir().unwrap();
    let error = Installation::find(directory.path()).unwrap_err();
    assert!(error.contains("lib/libatb.so") && error.contains(directory.path().to_str().unwrap()), "{error}");
    for home in ["cxx_abi_0", "cxx_abi_1", "atb"] {
        let home = directory.path().join(home);
        fs::create_dir_all(home.join("include/atb")).unwrap();
        fs::create_dir_all(home.join("lib")).unwrap();
        fs::write(home.join("include/atb/context.h"), "").unwrap();
        fs::write(home.join("lib/libatb.so"), "").unwrap();
    }
    let at = |name: &str, cxx11_abi| Installation { home: directory.path().join(name), cxx11_abi };
    let found = Installation::find(directory.path());
    assert_eq!(found, Ok(vec![at("cxx_abi_1", 1), at("cxx_abi_0", 0)]));
    assert_eq!(Installation::find(&directory.path().join("atb")), Ok(vec![at("atb", 1)]));
}
