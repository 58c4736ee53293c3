//! Compiles the shim if ATB is installed. Never fails for want of it: what was made, or why not, is left to the loader.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

mod compile;

use compile::{Installation, Shim};

fn main() {
    for changed in ["build", "shim", "include"] {
        println!("cargo::rerun-if-changed={changed}");
    }
    for variable in ["ATB_HOME_PATH", "ASCEND_HOME_PATH", "CXX", "CXXFLAGS"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let (built, reasons) = match directory("ATB_HOME_PATH") {
        None => (Vec::new(), vec!["ATB_HOME_PATH was not set when this program was compiled".to_owned()]),
        Some(home) => shims(&home, &out),
    };
    let text = format!("const BUILT: &[&str] = &{built:?};\nconst NOT_BUILT: &[&str] = &{reasons:?};\n");
    let file = out.join("shims.rs");
    if let Err(error) = fs::write(&file, text) {
        println!("cargo::error=cannot write {}: {error}", file.display());
    }
}

/// A directory that the environment names.
fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The shims that could be made for the ATB at `home`, and why others could not.
fn shims(home: &Path, out: &Path) -> (Vec<String>, Vec<String>) {
    let (mut built, mut reasons) = (Vec::new(), Vec::new());
    match Installation::find(home) {
        Err(reason) => {
            warn(&reason);
            reasons.push(reason);
        }
        Ok(installations) => {
            for installation in installations {
                match shim(&installation, out) {
                    Ok(path) => built.push(path.to_string_lossy().into_owned()),
                    Err(message) => {
                        let what =
                            format!("the shim over {} could not be compiled", installation.home.display());
                        warn(&format!("{what}:\n{message}"));
                        let says_why = |line: &&str| line.contains("error");
                        let line =
                            message.lines().find(says_why).or(message.lines().next()).unwrap_or_default();
                        reasons.push(format!("{what}: {line}"));
                    }
                }
            }
        }
    }
    (built, reasons)
}

/// Makes the shim for one installation.
fn shim(installation: &Installation, out: &Path) -> Result<PathBuf, String> {
    let library = installation.home.join("lib");
    for changed in [&installation.home.join("include/atb"), &library.join("libatb.so")] {
        println!("cargo::rerun-if-changed={}", changed.display());
    }
    let directory_of_abi = out.join(compile::directory(installation.cxx11_abi));
    fs::create_dir_all(&directory_of_abi)
        .map_err(|error| format!("cannot make {}: {error}", directory_of_abi.display()))?;
    let output = directory_of_abi.join(compile::FILE);
    let toolkit = directory("ASCEND_HOME_PATH").map(|home| home.join("include"));
    let shim = Shim {
        package: Path::new(env!("CARGO_MANIFEST_DIR")),
        include: [installation.home.join("include")].into_iter().chain(toolkit).collect(),
        cxx11_abi: installation.cxx11_abi,
        arguments: &[],
    };
    compile::run(&mut shim.build(&library, &output)?)?;
    Ok(output)
}

/// Shows a text of more than one line as warnings.
fn warn(text: &str) {
    for line in text.lines().take(30) {
        println!("cargo::warning={line}");
    }
}
