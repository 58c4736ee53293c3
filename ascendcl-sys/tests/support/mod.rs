//! The system's C and C++ compilers.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;
use std::process::{Command, Output};

/// The language that a source is compiled as.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    /// C11.
    C,
    /// C++17.
    Cpp,
}

/// A call of the compiler for `language`, as the `cc` crate finds it.
pub fn compiler(language: Language) -> Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = cc::Build::new()
        .cpp(matches!(language, Language::Cpp))
        .target(&target)
        .host(&target)
        .opt_level(0)
        .cargo_metadata(false)
        .get_compiler()
        .to_command();
    let (name, standard) = match language {
        Language::C => ("c", "-std=c11"),
        Language::Cpp => ("c++", "-std=c++17"),
    };
    command.args([standard, "-Wall", "-Wextra", "-Werror", "-x", name]);
    command
}

/// Compiles and links `source` with the given arguments.
pub fn build(language: Language, source: &Path, output: &Path, arguments: &[&str]) -> Output {
    compiler(language).arg(source).arg("-o").arg(output).args(arguments).output().unwrap()
}

/// What a command printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
