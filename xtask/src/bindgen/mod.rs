//! `cargo xtask bindgen`: makes, or checks, the checked-in bindings of `ascendcl-sys` and `atb-sys`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::generate::{Bindings, Error};

#[path = "../../../ascendcl-sys/build/generate.rs"]
mod generate;
mod shim;

/// The exit code that says "cannot check here", so that a machine without libclang can skip the check.
const NO_LIBCLANG: u8 = 3;

/// Makes the bindings of ascendcl-sys and atb-sys from their headers.
///
/// Exit code 0: done, or up to date. 1: the files differ, or something failed. 3: libclang is not installed.
#[derive(clap::Args)]
pub struct Args {
    /// Writes nothing; fails if the checked-in files differ from what the headers give.
    #[arg(long)]
    check: bool,
}

/// Runs the task and reports to the terminal.
pub fn run(args: &Args) -> ExitCode {
    let files = match files(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").as_path()) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return match error {
                Error::NoLibclang(_) => ExitCode::from(NO_LIBCLANG),
                _ => ExitCode::FAILURE,
            };
        }
    };
    if args.check { check(&files) } else { write(&files) }
}

/// The generated files and their contents.
fn files(workspace: &Path) -> Result<[(PathBuf, String); 3], Error> {
    let (acl, atb) = (workspace.join("ascendcl-sys"), workspace.join("atb-sys"));
    let Bindings { types, functions } = generate::generate(&acl.join("include"), None)?;
    Ok([
        (acl.join("src/bindings/types.rs"), types),
        (acl.join("src/bindings/functions.rs"), functions),
        (atb.join("src/bindings.rs"), shim::generate(&atb.join("include"))?),
    ])
}

fn write(files: &[(PathBuf, String)]) -> ExitCode {
    for (path, text) in files {
        if let Err(error) = fs::write(path, text) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn check(files: &[(PathBuf, String)]) -> ExitCode {
    let differences: Vec<_> = files.iter().filter_map(|(path, text)| difference(path, text)).collect();
    for difference in &differences {
        eprintln!("{difference}");
    }
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A checked-in file that is not what the headers give.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    path: PathBuf,
    /// The first line that differs, counted from 1.
    line: usize,
    found: String,
    expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, found, expected } = self;
        writeln!(f, "{}:{line} is not what the headers give; run `cargo xtask bindgen`", path.display())?;
        writeln!(f, "  found:    {found}")?;
        write!(f, "  expected: {expected}")
    }
}

/// Compares a file with what it should be. A file that cannot be read counts as empty.
fn difference(path: &Path, expected: &str) -> Option<Difference> {
    let found = fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return None;
    }
    let same = found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(end of file)").to_owned();
    Some(Difference { path: path.to_owned(), line: same + 1, found: line(&found), expected: line(expected) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_reported_with_its_first_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("types.rs");
        fs::write(&path, "a\nb\nc\n").unwrap();

        assert_eq!(difference(&path, "a\nb\nc\n"), None);
        let changed = difference(&path, "a\nB\nc\n").unwrap();
        assert_eq!((changed.line, &*changed.found, &*changed.expected), (2, "b", "B"));
        assert!(changed.to_string().contains("types.rs:2"));
        assert_eq!(difference(&path, "a\nb\n").unwrap().line, 3);
    }

    #[test]
    fn a_missing_file_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let missing = difference(&directory.path().join("functions.rs"), "a\n").unwrap();
        assert_eq!((missing.line, &*missing.found), (1, "(end of file)"));
    }
}
