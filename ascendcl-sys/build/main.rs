//! Tells build scripts of crates above where the list of functions is (`DEP_ASCENDCL_FUNCTIONS`). With the feature
//! `link` it tells the linker where the installed toolkit is; with the feature `bindgen` it binds the headers of
//! that toolkit.

use std::env;
#[cfg(feature = "bindgen")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "bindgen")]
mod generate;

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::metadata=functions={}/src/bindings/functions.rs", env!("CARGO_MANIFEST_DIR"));
    if env::var_os("CARGO_FEATURE_LINK").is_some() {
        link();
    }
    #[cfg(feature = "bindgen")]
    if let Err(message) = bind() {
        println!("cargo::error={}", message.replace('\n', " "));
    }
}

/// Where a toolkit may be installed, in the order of the run-time loader.
fn toolkits() -> impl Iterator<Item = PathBuf> {
    let variables = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"];
    for variable in variables {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let defaults =
        ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/latest", "/usr/local/Ascend/cann"];
    variables.into_iter().filter_map(env::var_os).map(PathBuf::from).chain(defaults.map(PathBuf::from))
}

/// The libraries that hold the functions; the names are those of `Group::files`.
fn link() {
    if let Some(directory) = toolkits().map(|home| home.join("lib64")).find(|path| path.is_dir()) {
        println!("cargo::rustc-link-search=native={}", directory.display());
    }
    for name in [
        "ascendcl",
        "ascend_dump",
        "acl_op_compiler",
        "acl_tdt_channel",
        "acl_tdt_queue",
        "msprofiler",
        "acl_cblas",
        "nnopbase",
    ] {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
    if env::var_os("CARGO_FEATURE_CANN_9").is_some() {
        println!("cargo::rustc-link-lib=dylib=acl_rt");
    }
}

/// Writes the bindings of the installed toolkit, completed by this crate's headers.
#[cfg(feature = "bindgen")]
fn bind() -> Result<(), String> {
    let includes: Vec<PathBuf> = toolkits().map(|home| home.join("include")).collect();
    let Some(toolkit) = includes.iter().find(|include| include.join("acl/acl.h").is_file()) else {
        let tried: Vec<String> = includes.iter().map(|path| path.display().to_string()).collect();
        return Err(format!(
            "the feature `bindgen` binds the headers of an installed CANN toolkit, but there is no acl/acl.h in {}; \
             set ASCEND_HOME_PATH, or leave the feature off to use the bindings that come with the crate",
            tried.join(", ")
        ));
    };
    println!("cargo::rerun-if-changed={}", toolkit.display());
    println!("cargo::rerun-if-changed=include");
    let bindings =
        generate::generate(Path::new("include"), Some(toolkit)).map_err(|error| error.to_string())?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    for (name, text) in [("types.rs", bindings.types), ("functions.rs", bindings.functions)] {
        std::fs::write(out.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))?;
    }
    Ok(())
}
