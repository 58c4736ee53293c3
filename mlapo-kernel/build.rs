//! Builds the kernel for the simulated device, `$OUT_DIR/mlapo.so`, and lists the kernels for real devices that are built
//! and fit the source, `$OUT_DIR/device_binaries.rs`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

#[path = "build/artifacts.rs"]
#[allow(dead_code, reason = "cargo xtask build-kernels uses the rest")]
mod artifacts;

use artifacts::{Hashes, Source, VARIABLE, chosen, collect, table};

const ARTIFACTS: &str = "artifacts";

fn main() {
    for path in ["kernel", "device", "build"] {
        println!("cargo::rerun-if-changed={path}");
    }
    for variable in ["CXX", "DOCS_RS", VARIABLE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed={}", ascendcl_sim_cc::Build::headers().display());
    if let Err(error) = build() {
        eprintln!("{error}");
        process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("OUT_DIR is not set")?;
    list_kernels_for_devices(&out.join("device_binaries.rs"))?;
    build_for_the_simulator(&out.join("mlapo.so"))
}

fn list_kernels_for_devices(list: &Path) -> Result<(), Box<dyn Error>> {
    // `include_bytes!` takes a relative path as relative to the table.
    let root = env::current_dir()?;
    let hashes = Hashes::of(&Source::of_crate(&root))?;
    let found = match chosen(env::var_os(VARIABLE))? {
        Some(folder) => {
            println!("cargo::rerun-if-changed={}", folder.display());
            collect(&folder, &hashes)?.not_empty(&folder)?
        }
        None => {
            println!("cargo::rerun-if-changed={ARTIFACTS}");
            collect(&root.join(ARTIFACTS), &hashes)?
        }
    };
    for why in &found.left_out {
        println!("cargo::warning={why}");
    }
    Ok(fs::write(list, table(&found.fresh))?)
}

fn build_for_the_simulator(object: &Path) -> Result<(), Box<dyn Error>> {
    // The documentation builds without a C++ compiler; nothing runs there.
    if env::var_os("DOCS_RS").is_some() {
        return Ok(fs::write(object, [])?);
    }
    let source = Source::of_crate(Path::new(""));
    ascendcl_sim_cc::Build::new(object)
        .source(source.kernel.join("mlapo.cpp"))
        .include(source.kernel)
        .run()
        .map_err(|error| format!("the kernel for the simulated device: {error}"))?;
    Ok(())
}
