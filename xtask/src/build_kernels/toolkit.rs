//! Installed toolkits, and what each has to build kernels with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::error::Error;

/// A way to build a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    /// The compiler and its linker are called directly (newest toolkits).
    Direct,
    /// The toolkit's CMake kernel project (toolkits up to 8.x).
    Cmake,
}

impl Method {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Cmake => "cmake",
        }
    }
}

/// An installed toolkit that can build kernels.
#[derive(Debug)]
pub(super) struct Toolkit {
    pub(super) home: PathBuf,
    /// Such as `8.1.RC1`.
    pub(super) release: String,
    /// As `aclsysGetCANNVersion` tells it of the runtime, such as `7.7.0.1.238`.
    pub(super) runtime_version: String,
    /// Where `bisheng` and `ld.lld` are.
    pub(super) compiler: Option<PathBuf>,
    /// Where `ascendc.cmake` is.
    pub(super) kernel_project: Option<PathBuf>,
    /// What it has, the preferred one first.
    methods: Vec<Method>,
}

/// Under a toolkit, `{arch}` being the host's: where its compiler may be.
const COMPILER_FOLDERS: [&str; 5] = [
    "{arch}-linux/ccec_compiler/bin",
    "compiler/ccec_compiler/bin",
    "tools/ccec_compiler/bin",
    "tools/bisheng_compiler/bin",
    "ccec_compiler/bin",
];
/// Where its CMake files for kernels may be.
const PROJECT_FOLDERS: [&str; 5] = [
    "{arch}-linux/tikcpp/ascendc_kernel_cmake",
    "compiler/tikcpp/ascendc_kernel_cmake",
    "tools/tikcpp/ascendc_kernel_cmake",
    "ascendc_devkit/tikcpp/ascendc_kernel_cmake",
    "tikcpp/ascendc_kernel_cmake",
];
/// Where it states the version of its runtime: newer toolkits, then older ones.
const VERSION_FILES: [&str; 5] = [
    "share/info/runtime/version.info",
    "{arch}-linux/share/info/runtime/version.info",
    "runtime/version.info",
    "share/info/asc-devkit/version.info",
    "compiler/version.info",
];
/// Where an older one states its release.
const RELEASE_FILES: [&str; 2] = ["{arch}-linux/ascend_toolkit_install.info", "ascend_toolkit_install.info"];

/// What a toolkit must have, for messages.
const NEEDED: &str = "bisheng and ld.lld in ccec_compiler/bin with a tikcpp/ascendc_kernel_cmake that builds by --aicore-only, \
                      or a tikcpp/ascendc_kernel_cmake/ascendc.cmake that has ascendc_fatbin_library";

/// Where toolkits are looked for, in this order: what was asked for, or what `ascendcl-sys` tries for the libraries.
pub(super) fn places(asked: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    if let Some(home) = asked {
        return vec![home.to_owned()];
    }
    let mut places = Vec::new();
    for place in ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"]
        .into_iter()
        .filter_map(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .chain(
            ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/latest", "/usr/local/Ascend/cann"]
                .map(PathBuf::from),
        )
    {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

impl Toolkit {
    /// The first place that has a toolkit which can build kernels.
    pub(super) fn find(places: &[PathBuf]) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for home in places {
            match Self::open(home) {
                Ok(toolkit) => return Ok(toolkit),
                Err(why) => tried.push((home.clone(), why)),
            }
        }
        Err(Error::NoToolkit { tried })
    }

    fn open(home: &Path) -> Result<Self, String> {
        if !home.is_dir() {
            return Err("no such folder".to_owned());
        }
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        let compiler = under(&home, &COMPILER_FOLDERS)
            .find(|folder| folder.join("bisheng").is_file() && folder.join("ld.lld").is_file());
        let kernel_project =
            under(&home, &PROJECT_FOLDERS).find(|folder| folder.join("ascendc.cmake").is_file());
        let mut methods = Vec::new();
        if let Some(project) = &kernel_project {
            // The toolkit's own recipe says what its compiler can do; its version does not.
            if compiler.is_some() && mentions(&project.join("asc_modules/FindASC.cmake"), "--aicore-only") {
                methods.push(Method::Direct);
            }
            let functions = ["function.cmake", "legacy_modules/function.cmake"];
            if functions.iter().any(|file| mentions(&project.join(file), "ascendc_fatbin_library")) {
                methods.push(Method::Cmake);
            }
        }
        if methods.is_empty() {
            return Err(format!("it has not what builds kernels: {NEEDED}"));
        }
        let versions = under(&home, &VERSION_FILES).find_map(|file| fs::read_to_string(file).ok());
        let versions = versions.unwrap_or_default();
        let runtime_version = value_of(&versions, "Version").unwrap_or("unknown").to_owned();
        let release = value_of(&versions, "version_dir").map(str::to_owned).or_else(|| {
            let text = under(&home, &RELEASE_FILES).find_map(|file| fs::read_to_string(file).ok())?;
            value_of(&text, "version").map(str::to_owned)
        });
        let release = release.unwrap_or_else(|| runtime_version.clone());
        Ok(Self { home, release, runtime_version, compiler, kernel_project, methods })
    }

    /// The way to build with it: the one that is asked for, or the best that it has.
    pub(super) fn method(&self, asked: Option<Method>) -> Result<Method, Error> {
        match asked {
            Some(method) if !self.methods.contains(&method) => Err(Error::NoMethod {
                home: self.home.clone(),
                asked: method.word(),
                has: self.methods.iter().map(|method| method.word()).collect::<Vec<_>>().join(", "),
            }),
            Some(method) => Ok(method),
            None => Ok(self.methods[0]),
        }
    }

    /// Another way than `method` that it has.
    pub(super) fn other_method(&self, method: Method) -> Option<Method> {
        self.methods.iter().copied().find(|other| *other != method)
    }
}

fn under<'a>(home: &'a Path, folders: &'a [&str]) -> impl Iterator<Item = PathBuf> + 'a {
    folders.iter().map(|folder| home.join(folder.replace("{arch}", env::consts::ARCH)))
}

fn mentions(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(word))
}

/// The value of a key in lines of `key=value`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty())
}
