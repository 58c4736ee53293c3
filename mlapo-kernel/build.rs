//! Builds the kernel for the simulated device: `$OUT_DIR/mlapo.so`.

use std::path::PathBuf;
use std::{env, fs, process};

fn main() {
    println!("cargo::rerun-if-changed=kernel");
    println!("cargo::rerun-if-env-changed=CXX");
    println!("cargo::rerun-if-changed={}", ascendcl_sim_cc::Build::headers().display());
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        eprintln!("OUT_DIR is not set");
        process::exit(1);
    };
    let object = out.join("mlapo.so");
    // The documentation builds without a C++ compiler; nothing runs there.
    if env::var_os("DOCS_RS").is_some() {
        if let Err(error) = fs::write(&object, []) {
            eprintln!("{}: {error}", object.display());
            process::exit(1);
        }
        return;
    }
    if let Err(error) =
        ascendcl_sim_cc::Build::new(&object).source("kernel/mlapo.cpp").include("kernel").run()
    {
        eprintln!("the kernel for the simulated device: {error}");
        process::exit(1);
    }
}
