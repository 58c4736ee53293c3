//! `cargo xtask tiling-header`: the tiling's structures for the kernel.

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

/// Write the C++ header of the kernel's tiling from its Rust definition.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the header differs.
    #[arg(long)]
    check: bool,
}

// The definition itself, and not the crate: that builds the kernel, which needs the header.
#[path = "../../mlapo-kernel/src/tiling/definition.rs"]
#[expect(unreachable_pub, reason = "public in the crate that it belongs to")]
mod definition;

const HEADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo-kernel/kernel/mlapo_tiling.h");

pub(crate) fn run(args: &Args) -> ExitCode {
    match update(Path::new(HEADER), args.check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("{HEADER} differs from the definition: run `cargo xtask tiling-header`");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{HEADER}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a header is what the definition says.
pub(crate) fn is_current(path: &Path) -> io::Result<bool> {
    update(path, true)
}

/// Whether the file is as it should be now.
fn update(path: &Path, check: bool) -> io::Result<bool> {
    let text = definition::tiling_header();
    if check {
        return Ok(fs::read_to_string(path)? == text);
    }
    fs::write(path, text)?;
    Ok(true)
}
