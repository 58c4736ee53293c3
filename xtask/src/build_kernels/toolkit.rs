//! Installed toolkits, and what each has to build kernels with.

use std::ffi::OsString;
use std::fmt;
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
    /// The best way that it has.
    preferred: Method,
    lacks: Lacks,
}

/// What is missing for each way to build; nothing where the way is open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lacks {
    direct: Vec<Lack>,
    cmake: Vec<Lack>,
}

/// A part of a toolkit that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lack {
    #[error("no bisheng with ld.lld in ccec_compiler/bin")]
    Compiler,
    #[error("no tikcpp/ascendc_kernel_cmake/ascendc.cmake")]
    Project,
    #[error("no --aicore-only in asc_modules/FindASC.cmake beside ascendc.cmake")]
    Recipe,
    #[error("no ascendc_fatbin_library in function.cmake beside ascendc.cmake")]
    Function,
}

/// Why a place is no toolkit that can build kernels.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotHere {
    #[error("no such folder")]
    Folder,
    #[error("{0}")]
    Lacks(Lacks),
}

/// Under a toolkit, `{arch}` being the host's: where its compiler may be.
const COMPILER_FOLDERS: [&str; 6] = [
    "{arch}-linux/ccec_compiler/bin",
    "compiler/ccec_compiler/bin",
    "tools/ccec_compiler/bin",
    "tools/bisheng_compiler/bin",
    "ccec_compiler/bin",
    "bin",
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
/// Where the libraries are that its programs load.
const LIBRARY_FOLDERS: [&str; 2] = ["lib64", "{arch}-linux/lib64"];

/// Where an installer puts a toolkit, under `/usr/local` or, for a user alone, at home.
const INSTALLED: [&str; 3] = ["Ascend/ascend-toolkit/latest", "Ascend/latest", "Ascend/cann"];

/// Where toolkits are looked for, in this order: what was asked for, or what variables name and where installers put them.
pub(super) fn places(asked: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    if let Some(home) = asked {
        return vec![home.to_owned()];
    }
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"].into_iter().filter_map(folder);
    let roots = [Some(PathBuf::from("/usr/local")), folder("HOME")];
    let installed = roots.into_iter().flatten().flat_map(|root| INSTALLED.map(|place| root.join(place)));
    let mut places = Vec::new();
    for place in named.chain(installed) {
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

    fn open(home: &Path) -> Result<Self, NotHere> {
        if !home.is_dir() {
            return Err(NotHere::Folder);
        }
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        let compiler = under(&home, &COMPILER_FOLDERS)
            .find(|folder| folder.join("bisheng").is_file() && folder.join("ld.lld").is_file());
        let kernel_project =
            under(&home, &PROJECT_FOLDERS).find(|folder| folder.join("ascendc.cmake").is_file());
        let lacks = Lacks::of(compiler.as_deref(), kernel_project.as_deref());
        let Some(preferred) = lacks.methods().next() else {
            return Err(NotHere::Lacks(lacks));
        };
        let versions = under(&home, &VERSION_FILES).find_map(|file| fs::read_to_string(file).ok());
        let versions = versions.unwrap_or_default();
        let runtime_version = value_of(&versions, "Version").unwrap_or("unknown").to_owned();
        // Up to 8.x `version_dir` is the release, and `Version` counts the package. Since 9.0 it is the folder's name, which
        // all releases share, and `Version` is the release.
        let is_release = |text: &&str| text.starts_with(|first: char| first.is_ascii_digit());
        let release =
            value_of(&versions, "version_dir").filter(is_release).map(str::to_owned).or_else(|| {
                let text = under(&home, &RELEASE_FILES).find_map(|file| fs::read_to_string(file).ok())?;
                value_of(&text, "version").filter(is_release).map(str::to_owned)
            });
        let release = release.unwrap_or_else(|| runtime_version.clone());
        Ok(Self { home, release, runtime_version, compiler, kernel_project, preferred, lacks })
    }

    /// The way to build with it: the one that is asked for, or the best that it has.
    pub(super) fn method(&self, asked: Option<Method>) -> Result<Method, Error> {
        match asked {
            Some(method) if !self.lacks.of_method(method).is_empty() => Err(Error::NoMethod {
                home: self.home.clone(),
                asked: method.word(),
                lacks: self.lacks.of_method(method).to_vec(),
                has: self.lacks.methods().map(Method::word).collect(),
            }),
            Some(method) => Ok(method),
            None => Ok(self.preferred),
        }
    }

    /// Another way than `method` that it has.
    pub(super) fn other_method(&self, method: Method) -> Option<Method> {
        self.lacks.methods().find(|other| *other != method)
    }

    /// Where the libraries are that its programs load: what its set_env.sh would tell the loader.
    pub(super) fn libraries(&self) -> Vec<PathBuf> {
        under(&self.home, &LIBRARY_FOLDERS).collect()
    }
}

impl Lacks {
    fn of(compiler: Option<&Path>, project: Option<&Path>) -> Self {
        let no_compiler = compiler.is_none().then_some(Lack::Compiler);
        let Some(project) = project else {
            let direct = no_compiler.into_iter().chain([Lack::Project]).collect();
            return Self { direct, cmake: vec![Lack::Project] };
        };
        // The toolkit's own recipe says what its compiler can do; its version does not.
        let no_recipe = !mentions(&project.join("asc_modules/FindASC.cmake"), "--aicore-only");
        let functions = ["function.cmake", "legacy_modules/function.cmake"];
        let no_function =
            !functions.iter().any(|file| mentions(&project.join(file), "ascendc_fatbin_library"));
        Self {
            direct: no_compiler.into_iter().chain(no_recipe.then_some(Lack::Recipe)).collect(),
            cmake: no_function.then_some(Lack::Function).into_iter().collect(),
        }
    }

    fn of_method(&self, method: Method) -> &[Lack] {
        match method {
            Method::Direct => &self.direct,
            Method::Cmake => &self.cmake,
        }
    }

    /// The ways that are open, the preferred one first.
    fn methods(&self) -> impl Iterator<Item = Method> {
        [Method::Direct, Method::Cmake].into_iter().filter(|method| self.of_method(*method).is_empty())
    }
}

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [direct, cmake] = [&self.direct, &self.cmake].map(|lacks| join(lacks));
        write!(f, "for the method direct {direct}; for the method cmake {cmake}")
    }
}

/// Parts in a sentence.
pub(super) fn join(lacks: &[Lack]) -> String {
    lacks.iter().map(Lack::to_string).collect::<Vec<_>>().join(", ")
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
