//! Compiles the shim over ATB. Shared by the build script, `cargo xtask atb-shim` and the tests.
#![allow(dead_code, reason = "each of them uses its part")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file that is made.
pub(crate) const FILE: &str = "libatb_shim.so";

/// The name of the directory for a C++ ABI, in ATB and beside it.
pub(crate) fn directory(cxx11_abi: u8) -> String {
    format!("cxx_abi_{cxx11_abi}")
}

/// One build of ATB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    /// The directory with `include` and `lib`.
    pub home: PathBuf,
    /// `_GLIBCXX_USE_CXX11_ABI`: which `std::string` its interface has.
    pub cxx11_abi: u8,
}

impl Installation {
    /// What is installed at `home`, which has one build, or a directory for each of the two ABIs.
    pub(crate) fn find(home: &Path) -> Result<Vec<Self>, String> {
        if complete(home) {
            return Ok(vec![Self { home: home.to_owned(), cxx11_abi: cxx11_abi(home) }]);
        }
        let both = [1, 0].map(|abi| home.join(directory(abi)));
        let found: Vec<_> = both
            .into_iter()
            .filter(|home| complete(home))
            .map(|home| Self { cxx11_abi: cxx11_abi(&home), home })
            .collect();
        if found.is_empty() {
            return Err(format!(
                "there is no ATB in {}: neither it nor its cxx_abi_1 or cxx_abi_0 has {HEADER} and {LIBRARY}",
                home.display()
            ));
        }
        Ok(found)
    }
}

const HEADER: &str = "include/atb/context.h";
const LIBRARY: &str = "lib/libatb.so";

fn complete(home: &Path) -> bool {
    home.join(HEADER).is_file() && home.join(LIBRARY).is_file()
}

/// The ABI of an installation: by the one function whose name depends on it, else by the directory's name, else the newer.
fn cxx11_abi(home: &Path) -> u8 {
    let names = [&b"_ZN3atb5Utils13GetAtbVersionB5cxx11Ev"[..], b"_ZN3atb5Utils13GetAtbVersionEv"];
    let library = fs::read(home.join(LIBRARY)).unwrap_or_default();
    // A library keeps its names as texts that end with zero, of which a shorter one may be a longer one's end.
    let exports = |name: &[u8]| library.split(|&byte| byte == 0).any(|text| text.ends_with(name));
    if exports(names[0]) {
        1
    } else if exports(names[1]) || home.ends_with(directory(0)) {
        0
    } else {
        1
    }
}

/// How to compile the shim.
pub(crate) struct Shim<'a> {
    /// The directory of the package `atb-sys`.
    pub package: &'a Path,
    /// Directories of headers, in order: ATB's, then the toolkit's. What they lack of AscendCL comes from this workspace.
    pub include: Vec<PathBuf>,
    /// `_GLIBCXX_USE_CXX11_ABI`.
    pub cxx11_abi: u8,
    /// Further arguments for the compiler.
    pub arguments: &'a [&'a str],
}

impl Shim<'_> {
    /// The command that checks whether the sources compile, and makes nothing.
    pub(crate) fn check(&self) -> Result<Command, String> {
        let mut command = self.compiler()?;
        command.arg("-fsyntax-only").args(self.sources()?);
        Ok(command)
    }

    /// The command that makes the library `output` for the ATB in the directory `library`. It looks for it there, too, when it
    /// is loaded, after the directories of LD_LIBRARY_PATH.
    pub(crate) fn build(&self, library: &Path, output: &Path) -> Result<Command, String> {
        let mut command = self.compiler()?;
        command
            .args(["-shared", "-fPIC", "-fvisibility=hidden"])
            .args(self.sources()?)
            .arg("-o")
            .arg(output)
            .arg(format!("-L{}", library.display()))
            // What ATB itself needs is not there on every machine that builds.
            .args(["-latb", "-ldl", "-Wl,-z,defs", "-Wl,--allow-shlib-undefined", "-Wl,--enable-new-dtags"])
            .arg(format!("-Wl,-rpath,{}", library.display()));
        Ok(command)
    }

    /// The compiler, as the crate `cc` finds it, with all that the headers need.
    pub(crate) fn compiler(&self) -> Result<Command, String> {
        let mut build = cc::Build::new();
        build.cpp(true).opt_level(2).debug(false).cargo_metadata(false).cargo_warnings(false);
        if std::env::var_os("TARGET").is_none() {
            // Not in a build script, so for the machine that this runs on.
            let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            build.target(&target).host(&target);
        }
        let compiler = build.try_get_compiler().map_err(|error| error.to_string())?;
        let mut command = compiler.to_command();
        command.args(["-std=c++17", &format!("-D_GLIBCXX_USE_CXX11_ABI={}", self.cxx11_abi)]);
        for include in [self.package.join("shim"), self.package.join("include")] {
            command.arg("-I").arg(include);
        }
        for include in &self.include {
            command.arg("-isystem").arg(include);
        }
        for include in [self.package.join("../ascendcl-sys/include"), self.package.join("shim/fallback")] {
            command.arg("-idirafter").arg(include);
        }
        command.args(self.arguments);
        Ok(command)
    }

    fn sources(&self) -> Result<Vec<PathBuf>, String> {
        let directory = self.package.join("shim");
        let entries = fs::read_dir(&directory)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(|error| format!("cannot read the shim's sources in {}: {error}", directory.display()))?;
        let mut sources: Vec<_> = entries
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
            .collect();
        sources.sort();
        Ok(sources)
    }
}

/// Runs a command, and answers with what it printed if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| {
        format!(
            "the C++ compiler `{program}` cannot be started: {error}; install g++, or name a compiler in CXX"
        )
    })?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    // A compiler that dies says nothing.
    let _ = write!(text, "`{program}` failed: {}", output.status);
    Err(text)
}

/// A command as one would type it.
pub(crate) fn display(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
