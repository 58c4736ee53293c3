//! Questions to the operating system.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment's variables that are not empty.
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self(variables.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Just these variables.
    #[cfg(test)]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A C++ compiler that answers.
pub struct Compiler {
    pub name: &'static str,
    /// The first line of what it says of itself.
    pub version: String,
}

/// The C++ compilers on the search path.
pub fn compilers() -> Vec<Compiler> {
    let ask = |name| {
        let output =
            Command::new(name).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().next().filter(|_| output.status.success())?.trim().to_owned();
        Some(Compiler { name, version })
    };
    ["c++", "g++", "clang++"].into_iter().filter_map(ask).collect()
}

/// The driver's device files, one for each NPU; the managing ones (`davinci_manager`) do not count.
pub fn device_nodes(folder: &Path) -> Vec<PathBuf> {
    let is_device = |name: &str| {
        let number = name.strip_prefix("davinci");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names_in(folder, is_device)
}

/// The libclang that bindgen would find: the one that `LIBCLANG_PATH` names, else in the usual folders.
pub fn libclang(environment: &Environment) -> Option<PathBuf> {
    let is_libclang = |name: &str| {
        let rest = name.strip_prefix("libclang").and_then(|rest| rest.split_once(".so"));
        rest.is_some_and(|(version, _)| {
            version.is_empty()
                || version.strip_prefix('-').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    if let Some(path) = environment.get("LIBCLANG_PATH").map(PathBuf::from) {
        return if path.is_dir() {
            names_in(&path, is_libclang).into_iter().next()
        } else {
            path.exists().then_some(path)
        };
    }
    let mut folders: Vec<PathBuf> = names_in(Path::new("/usr/lib"), |name| name.starts_with("llvm"));
    folders.iter_mut().for_each(|folder| folder.push("lib"));
    // The newest LLVM last in the order of names.
    folders.reverse();
    let usual = [
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
        "/usr/local/lib",
    ];
    folders.extend(usual.map(PathBuf::from));
    folders.iter().find_map(|folder| names_in(folder, is_libclang).into_iter().next())
}

/// The entries of a folder whose names fit, in order; none if it cannot be read.
fn names_in(folder: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&fits))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_files_are_told_from_the_managing_ones() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["davinci0", "davinci12", "davinci_manager", "davinci", "null"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let nodes = device_nodes(folder.path());
        assert_eq!(nodes, ["davinci0", "davinci12"].map(|name| folder.path().join(name)));
    }

    #[test]
    fn libclang_is_not_libclang_cpp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let environment = Environment::of(&[("LIBCLANG_PATH", path.to_str().unwrap())]);
        for name in ["libclang-cpp.so.14", "libclangBasic.a"] {
            fs::write(path.join(name), "").unwrap();
        }
        assert_eq!(libclang(&environment), None);
        fs::write(path.join("libclang-14.so.1"), "").unwrap();
        assert_eq!(libclang(&environment), Some(path.join("libclang-14.so.1")));
    }
}
