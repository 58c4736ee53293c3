//! Kernels that were built for the device, as they lie in a folder.
//!
//! `cargo xtask build-kernels` writes `<folder>/<architecture>/<toolkit>/` with an [`OBJECT`] and a [`MANIFEST`]; the build
//! script embeds what fits the source. Both include this file, so that they mean the same by a hash.

use std::io;
use std::path::{Path, PathBuf};
use std::{fmt::Write as _, fs};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What `aclrtBinaryLoadFromData` takes.
pub const OBJECT: &str = "mlapo.o";
/// What the object was built from and for: a [`Manifest`] in JSON.
pub const MANIFEST: &str = "manifest.json";
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

/// What tells two states of the source apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the names and contents of all files but [`TILING`].
    pub source: String,
    /// Of [`TILING`]: how the arguments of a launch are laid out.
    pub tiling: String,
}

impl Hashes {
    /// The state of a folder with the kernel's source.
    pub fn of(kernel: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(kernel)? {
            let path = entry?.path();
            if path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        let mut source = Sha256::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name == TILING {
                continue;
            }
            let content = fs::read(&file)?;
            // Lengths keep the parts apart.
            for part in [name.as_bytes(), &content] {
                source.update((part.len() as u64).to_le_bytes());
                source.update(part);
            }
        }
        Ok(Self { source: hex(&source.finalize()), tiling: hash(&fs::read(kernel.join(TILING))?) })
    }
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

/// What is in a folder of built kernels.
#[derive(Debug, Default)]
pub struct Found {
    /// What fits the source, and where its object is; in the order of the folders' names.
    pub fresh: Vec<(Manifest, PathBuf)>,
    /// Why the others are left out, one sentence for each.
    pub left_out: Vec<String>,
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
