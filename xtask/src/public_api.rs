//! `cargo xtask public-api`: lists what each crate offers, or checks the lists, so that no change of it goes unseen.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, io};

/// The exit code that says "cannot check here": the toolchain's rustdoc writes another format than the one that is read.
const OTHER_FORMAT: u8 = 3;

/// The crates with an interface of their own, by package and library. Those of the -sys crates are made from headers.
const CRATES: [(&str, &str); 6] = [
    ("ascendcl", "ascendcl"),
    ("ascendcl-sim", "ascendcl_sim"),
    ("ascendcl-sim-cc", "ascendcl_sim_cc"),
    ("ascend-atb", "atb"),
    ("mlapo-kernel", "mlapo_kernel"),
    ("mlapo", "mlapo"),
];

/// List the public interface of each crate in docs/public-api.
///
/// A line that goes or changes breaks users: the version says so (0.1 to 0.2, 1.2 to 2.0), and CHANGELOG.md. A new line
/// breaks nobody.
///
/// Exit code 0: done, or up to date. 1: the lists differ, or something failed. 3: this toolchain's rustdoc cannot be read.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a list is not what the crate offers.
    #[arg(long)]
    check: bool,
}

/// Why an interface is not known.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{program} cannot be started: {error}")]
    Start { program: String, error: io::Error },
    #[error("cargo doc failed; its messages are above")]
    Rustdoc,
    #[error("rustdoc wrote {} in a format that is not understood: {error}", path.display())]
    Format { path: PathBuf, error: public_api::Error },
}

/// What a list lacks, and what it has beyond the crate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference<'a> {
    gone: Vec<&'a str>,
    new: Vec<&'a str>,
}

impl<'a> Difference<'a> {
    fn of(listed: &'a str, offered: &'a str) -> Self {
        let without = |text: &'a str, other: &'a str| {
            let mut others: Vec<&str> = other.lines().collect();
            others.sort_unstable();
            text.lines().filter(|line| others.binary_search(line).is_err()).collect()
        };
        Self { gone: without(listed, offered), new: without(offered, listed) }
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }

    fn told(&self, package: &str) -> String {
        let mut text = format!("{package}: the public interface is not the listed one\n");
        for (lines, sign) in [(&self.gone, '-'), (&self.new, '+')] {
            for line in lines {
                let _ = writeln!(text, "  {sign} {line}");
            }
        }
        if !self.gone.is_empty() {
            text += "Lines with a minus break users: the next version and CHANGELOG.md have to say so.\n";
        }
        text + "Run `cargo xtask public-api` and commit the list."
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match update(args.check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("public-api: {error}");
            match error {
                Error::Format { .. } => ExitCode::from(OTHER_FORMAT),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Whether all lists are as they should be now.
fn update(check: bool) -> Result<bool, Error> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documentation = documentation(&workspace)?;
    let mut current = true;
    for (package, library) in CRATES {
        let path = workspace.join(format!("docs/public-api/{package}.txt"));
        let offered = interface(&documentation.join(library).with_extension("json"))?;
        if !check {
            fs::write(&path, offered).map_err(|error| Error::Io { path, error })?;
            continue;
        }
        let listed = fs::read_to_string(&path).map_err(|error| Error::Io { path, error })?;
        let difference = Difference::of(&listed, &offered);
        if !difference.is_empty() {
            eprintln!("{}", difference.told(package));
            current = false;
        }
    }
    Ok(current)
}

/// A rustdoc that may write JSON, which is not stable yet. Only this one: cargo itself, told so, would build all anew.
fn rustdoc(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join("rustdoc");
    let program = env::var("RUSTDOC").unwrap_or_else(|_| "rustdoc".to_owned());
    let text = format!("#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec '{}' \"$@\"\n", program.replace('\'', r"'\''"));
    fs::write(&path, text)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
        .map_err(|error| Error::Io { path: path.clone(), error })?;
    Ok(path)
}

/// Has the documentation of all crates made as JSON; the folder that it is in.
fn documentation(workspace: &Path) -> Result<PathBuf, Error> {
    let folder = tempfile::tempdir().map_err(|error| Error::Io { path: env::temp_dir(), error })?;
    let rustdoc = rustdoc(folder.path())?;
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let status = Command::new(&cargo)
        .args(["doc", "--quiet", "--workspace", "--no-deps", "--lib", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(workspace)
        .env("RUSTDOC", &rustdoc)
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format json --cap-lints allow")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Error::Start { program: cargo, error })?;
    if status.success() { Ok(target.join("doc")) } else { Err(Error::Rustdoc) }
}

/// What a crate offers with its default features, one item a line.
fn interface(path: &Path) -> Result<String, Error> {
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .map_err(|error| Error::Format { path: path.to_owned(), error })?;
    Ok(api.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_users_is_told_apart() {
        let listed = "pub fn a::f()\npub fn a::g(u8)\npub mod a\n";
        let offered = "pub fn a::f()\npub fn a::g(u16)\npub fn a::h()\npub mod a\n";
        let difference = Difference::of(listed, offered);
        assert_eq!(difference.gone, ["pub fn a::g(u8)"]);
        assert_eq!(difference.new, ["pub fn a::g(u16)", "pub fn a::h()"]);
        let text = difference.told("a");
        assert!(
            text.contains("  - pub fn a::g(u8)\n  + pub fn a::g(u16)") && text.contains("break users"),
            "{text}"
        );

        let added = Difference::of(listed, "pub fn a::f()\npub fn a::g(u8)\npub fn a::z()\npub mod a\n");
        assert!(!added.is_empty() && !added.told("a").contains("break users"));
        assert!(Difference::of(listed, listed).is_empty());
    }
}
