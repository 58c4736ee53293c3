//! The shim, and the stand-in that the other tests trust, against ATB's own headers.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{self, Shim};
use crate::support::{Atb, PACKAGE, Version};

/// `ATB_TEST_INCLUDE`: directories of ATB's headers, separated by colons. Without it there is nothing to compare with.
fn directories() -> Vec<PathBuf> {
    let Some(value) = env::var_os("ATB_TEST_INCLUDE") else {
        println!("skipped: ATB_TEST_INCLUDE does not name directories of ATB's headers");
        return Vec::new();
    };
    env::split_paths(&value).collect()
}

fn shim<'a>(include: PathBuf, cxx11_abi: u8, arguments: &'a [&'a str]) -> Shim<'a> {
    Shim { package: Path::new(PACKAGE), include: vec![include], cxx11_abi, arguments }
}

#[test]
fn the_shim_compiles_with_the_headers_of_atb() {
    for include in directories() {
        for cxx11_abi in [0, 1] {
            let shim = shim(include.clone(), cxx11_abi, &["-Wall", "-Wextra", "-Werror"]);
            compile::run(&mut shim.check().unwrap()).unwrap();
            println!("{} with ABI {cxx11_abi}: compiles", include.display());
        }
    }
}

#[test]
fn the_stand_in_is_laid_out_as_atb() {
    let directory = tempfile::tempdir().unwrap();
    for include in directories() {
        let context = fs::read_to_string(include.join("atb/context.h")).unwrap();
        let version = if context.contains("SetLaunchMode") { Version::Newest } else { Version::Of81 };
        let arguments = [&Atb::arguments(version)[..], &["-Wno-invalid-offsetof"]].concat();
        for cxx11_abi in [0, 1] {
            let (program, facts) = (directory.path().join("layout"), directory.path().join("facts.cpp"));
            let standin = shim(Path::new(PACKAGE).join("tests/standin/include"), cxx11_abi, &arguments);
            let mut compiler = standin.compiler().unwrap();
            compiler.arg(Path::new(PACKAGE).join("tests/standin/layout.cpp")).arg("-o").arg(&program);
            compile::run(&mut compiler).unwrap();
            let printed = Command::new(&program).output().unwrap().stdout;
            let assertions =
                printed.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"static_assert"));
            let number = assertions.count();
            assert!(number > 150, "{number}");
            fs::write(&facts, &printed).unwrap();
            let real = shim(include.clone(), cxx11_abi, &["-Wno-invalid-offsetof"]);
            compile::run(real.compiler().unwrap().arg("-fsyntax-only").arg(&facts)).unwrap();
            println!("{} is {version:?} with ABI {cxx11_abi}: {number} facts agree", include.display());
        }
    }
}
