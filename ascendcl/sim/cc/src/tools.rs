//! The programs of the compiler's tool chain, and files.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::Error;

pub(crate) fn is_system(file: &str) -> bool {
    ["/usr/include", "/usr/lib", "/usr/local/include"]
        .iter()
        .any(|folder| Path::new(file).starts_with(folder))
}

/// As a name in `#include`.
pub(crate) fn quoted(path: &str) -> String {
    format!("\"{path}\"")
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|error| Error::Io { path: path.to_owned(), error })
}

pub(crate) fn run(command: &mut Command) -> Result<Output, Error> {
    let name = |program: &OsStr| program.to_string_lossy().into_owned();
    command.output().map_err(|error| Error::NoProgram { program: name(command.get_program()), error })
}

pub(crate) fn check_compiled(source: &Path, cores: &'static str, output: &Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Compile {
        source_file: source.to_owned(),
        cores,
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

pub(crate) fn run_linker(command: &mut Command) -> Result<(), Error> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Link {
        program: command.get_program().to_string_lossy().into_owned(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
