//! Kernels that were built for the device, as they lie in a folder: `artifacts/` of this crate, or the one that the environment
//! variable [`VARIABLE`] names.
//!
//! `cargo xtask build-kernels` writes `<folder>/<architecture>/<toolkit>/` with an [`OBJECT`] and a [`MANIFEST`]; the build
//! script embeds what fits the source. Both include this file, so that they mean the same by a hash.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Names a folder of built kernels in place of the crate's own, for programs that have the crate from a registry.
pub const VARIABLE: &str = "MLAPO_KERNEL_ARTIFACTS";
/// What `aclrtBinaryLoadFromData` takes.
pub const OBJECT: &str = "mlapo.o";
/// What the object was built from and for: a [`Manifest`] in JSON.
pub const MANIFEST: &str = "manifest.json";
/// What builds the kernel with toolkits whose compiler cannot be called directly.
pub const PROJECT: &str = "CMakeLists.txt";
/// The tiling's structures, the one file of the source that is generated.
pub const TILING: &str = "mlapo_tiling.h";

/// What an object was built from and for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The kernel's name in the object.
    pub kernel: String,
    /// NPU architecture, as the compiler calls it.
    pub arch: String,
    /// The SoCs that it is for, as `aclrtGetSocName` calls them.
    pub socs: Vec<String>,
    /// Release of the toolkit that built it, such as `8.1.RC1`.
    pub toolkit_version: String,
    /// Version of that toolkit's runtime, as `aclsysGetCANNVersion` tells it, such as `7.7.0.1.238`.
    pub runtime_version: String,
    /// How it was built: `direct` or `cmake`.
    pub method: String,
    /// What the compiler says of itself.
    pub compiler: String,
    /// Of the source, without the tiling; see [`Hashes`].
    pub source_hash: String,
    /// Of the tiling's structures.
    pub tiling_hash: String,
    /// Of the object.
    pub object_hash: String,
}

/// Where the source is.
#[derive(Clone, Debug)]
pub struct Source {
    /// The folder of the kernel.
    pub kernel: PathBuf,
    /// The folder of the [`PROJECT`] that builds it.
    pub project: PathBuf,
}

impl Source {
    /// In the folder of this crate.
    pub fn of_crate(root: &Path) -> Self {
        Self { kernel: root.join("kernel"), project: root.join("device") }
    }
}

/// What tells two states of the source apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the names and contents of all headers and C++ files but [`TILING`], and of the [`PROJECT`].
    pub source: String,
    /// Of [`TILING`]: how the arguments of a launch are laid out.
    pub tiling: String,
}

impl Hashes {
    /// The state of the source.
    pub fn of(source: &Source) -> io::Result<Self> {
        let mut files = sources(&source.kernel)?;
        files.retain(|file| file != Path::new(TILING));
        files.sort();
        let files = files.into_iter().map(|file| (source.kernel.join(&file), file));
        let project = (source.project.join(PROJECT), PathBuf::from(PROJECT));
        let mut hasher = Sha256::new();
        for (path, name) in files.chain([project]) {
            let content = fs::read(path)?;
            // Lengths keep the parts apart.
            for part in [name.to_string_lossy().as_bytes(), &content] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Ok(Self { source: hex(&hasher.finalize()), tiling: hash(&fs::read(source.kernel.join(TILING))?) })
    }
}

/// The headers and C++ files in a folder and those below it, by their paths from there. What editors leave beside them
/// (`cube.h~`, `.#cube.h`) is no source.
fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        if name.as_os_str().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path)?.into_iter().map(|file| name.join(file)));
        } else if name.extension().is_some_and(|ending| ending == "h" || ending == "cpp") {
            files.push(name);
        }
    }
    Ok(files)
}

/// SHA-256 in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Why a folder that [`VARIABLE`] names cannot be used. Nothing is built then: who names a folder wants what is in it, and
/// cargo shows no warnings of crates from a registry.
#[derive(Debug)]
pub enum Unusable {
    /// It is told from where cargo starts the build script, which is the crate's folder and not the program's.
    Relative(PathBuf),
    /// There is no such folder.
    NoFolder(PathBuf),
    /// Nothing in it fits the source.
    NothingFits {
        /// The folder.
        folder: PathBuf,
        /// Why its kernels are left out, one sentence for each.
        left_out: Vec<String>,
    },
}

impl Error for Unusable {}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative(folder) => {
                write!(f, "{VARIABLE} must be an absolute path, got {}", folder.display())
            }
            Self::NoFolder(folder) => {
                write!(f, "{VARIABLE} must be a folder of built kernels, but {} is none", folder.display())
            }
            Self::NothingFits { folder, left_out } if left_out.is_empty() => write!(
                f,
                "{VARIABLE} must be a folder of built kernels, but {} has no <architecture>/<toolkit>/{MANIFEST}",
                folder.display()
            ),
            Self::NothingFits { folder, left_out } => {
                write!(f, "no kernel in {}, which {VARIABLE} names, fits this crate", folder.display())?;
                left_out.iter().try_for_each(|why| write!(f, "\n  {why}"))
            }
        }
    }
}

/// The folder of built kernels that a value of [`VARIABLE`] names.
pub fn chosen(value: Option<OsString>) -> Result<Option<PathBuf>, Unusable> {
    match value.filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(folder) if !folder.is_absolute() => Err(Unusable::Relative(folder)),
        Some(folder) if !folder.is_dir() => Err(Unusable::NoFolder(folder)),
        folder => Ok(folder),
    }
}

/// What is in a folder of built kernels.
#[derive(Debug, Default)]
pub struct Found {
    /// What fits the source, and where its object is; in the order of the folders' names.
    pub fresh: Vec<(Manifest, PathBuf)>,
    /// Why the others are left out, one sentence for each.
    pub left_out: Vec<String>,
}

impl Found {
    /// An error if nothing fits.
    pub fn not_empty(self, folder: &Path) -> Result<Self, Unusable> {
        if self.fresh.is_empty() {
            return Err(Unusable::NothingFits { folder: folder.to_owned(), left_out: self.left_out });
        }
        Ok(self)
    }
}

/// Looks through a folder of built kernels, which need not be there, for those of the source as it is.
pub fn collect(artifacts: &Path, source: &Hashes) -> io::Result<Found> {
    let mut found = Found::default();
    for architecture in folders(artifacts)? {
        for folder in folders(&architecture)? {
            match read(&folder, source) {
                Ok(fresh) => found.fresh.push(fresh),
                Err(why) => found.left_out.push(format!(
                    "the kernel in {} is not embedded: {why}; run `cargo xtask build-kernels`, or delete the folder",
                    folder.display()
                )),
            }
        }
    }
    Ok(found)
}

fn folders(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// One built kernel, or why it cannot be used.
fn read(folder: &Path, source: &Hashes) -> Result<(Manifest, PathBuf), String> {
    let text = fs::read(folder.join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| format!("{MANIFEST} is no manifest: {error}"))?;
    if manifest.source_hash != source.source {
        return Err("the kernel's source has changed since it was built".to_owned());
    }
    if manifest.tiling_hash != source.tiling {
        return Err("the tiling's structures have changed since it was built".to_owned());
    }
    let object = folder.join(OBJECT);
    let bytes = fs::read(&object).map_err(|error| format!("{OBJECT}: {error}"))?;
    if hash(&bytes) != manifest.object_hash {
        return Err(format!("{OBJECT} is not the one that {MANIFEST} describes"));
    }
    Ok((manifest, object))
}

/// The table of embedded kernels, as an expression in Rust.
pub fn table(fresh: &[(Manifest, PathBuf)]) -> String {
    let mut text = String::from("&[\n");
    for (manifest, object) in fresh {
        let Manifest { arch, socs, toolkit_version, runtime_version, source_hash, .. } = manifest;
        let _ = writeln!(
            text,
            "    DeviceBinary {{ arch: {arch:?}, socs: &{socs:?}, toolkit_version: {toolkit_version:?}, \
             runtime_version: {runtime_version:?}, source_hash: {source_hash:?}, bytes: include_bytes!({:?}) }},",
            object.to_string_lossy()
        );
    }
    text.push_str("]\n");
    text
}
