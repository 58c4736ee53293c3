//! Builds the kernel for the simulated device, `$OUT_DIR/mlapo.so`, and lists the kernels for real devices that are built
//! and fit the source, `$OUT_DIR/device_binaries.rs`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

#[path = "build/artifacts.rs"]
#[allow(dead_code, reason = "cargo xtask build-kernels uses the rest")]
mod artifacts;

const KERNEL: &str = "kernel";
const ARTIFACTS: &str = "artifacts";

fn main() {
    println!("cargo::rerun-if-changed={KERNEL}");
    println!("cargo::rerun-if-changed={ARTIFACTS}");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=CXX");
    println!("cargo::rerun-if-changed={}", ascendcl_sim_cc::Build::headers().display());
    if let Err(error) = build() {
        eprintln!("{error}");
        process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("OUT_DIR is not set")?;
    let object = out.join("mlapo.so");
    let table = out.join("device_binaries.rs");
    // The documentation builds without a C++ compiler; nothing runs there.
    if env::var_os("DOCS_RS").is_some() {
        fs::write(&object, [])?;
        fs::write(&table, artifacts::table(&[]))?;
        return Ok(());
    }
    ascendcl_sim_cc::Build::new(&object)
        .source("kernel/mlapo.cpp")
        .include(KERNEL)
        .run()
        .map_err(|error| format!("the kernel for the simulated device: {error}"))?;
    // `include_bytes!` takes a relative path as relative to the table.
    let folder = env::current_dir()?.join(ARTIFACTS);
    let found = artifacts::collect(&folder, &artifacts::Hashes::of(Path::new(KERNEL))?)?;
    for why in &found.left_out {
        println!("cargo::warning={why}");
    }
    fs::write(&table, artifacts::table(&found.fresh))?;
    Ok(())
}
