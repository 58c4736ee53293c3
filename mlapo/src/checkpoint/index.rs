//! Which shard holds which tensor.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::error::CheckpointError;
use super::shard::Shard;

/// The names of all tensors, each with its shard.
#[derive(Debug)]
pub(super) struct Index {
    dir: PathBuf,
    /// Where a tensor that is not there was looked for: the index or, without one, the directory or file.
    source: PathBuf,
    files: Vec<String>,
    /// Name to position in `files`.
    tensors: BTreeMap<String, usize>,
}

impl Index {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        if fs::metadata(path).map_err(CheckpointError::io(path))?.is_file() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let dir = path.parent().unwrap_or(Path::new("")).to_owned();
            return Self::from_shards(dir, path.to_owned(), vec![name]);
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(CheckpointError::io(path))? {
            let name = entry.map_err(CheckpointError::io(path))?.file_name();
            names.extend(name.into_string());
        }
        names.sort();
        let indices: Vec<&String> =
            names.iter().filter(|name| name.ends_with(".safetensors.index.json")).collect();
        let quantized: Vec<&String> =
            indices.iter().copied().filter(|name| name.starts_with("quant_model_weight")).collect();
        match (&indices[..], &quantized[..]) {
            ([only], _) | (_, [only]) => Self::from_json(path, &path.join(only)),
            ([], _) => {
                names.retain(|name| name.ends_with(".safetensors"));
                if names.is_empty() {
                    return Err(CheckpointError::NoWeights { path: path.to_owned() });
                }
                Self::from_shards(path.to_owned(), path.to_owned(), names)
            }
            _ => Err(CheckpointError::AmbiguousIndex {
                path: path.to_owned(),
                found: indices.into_iter().cloned().collect(),
            }),
        }
    }

    fn from_json(dir: &Path, source: &Path) -> Result<Self, CheckpointError> {
        let json = read_json(source)?;
        let field = |field: String, expected, got: &Value| CheckpointError::Field {
            path: source.to_owned(),
            field,
            expected,
            got: got.to_string(),
        };
        let map = json.get("weight_map").unwrap_or(&Value::Null);
        let Value::Object(map) = map else {
            return Err(field("weight_map".into(), "an object: tensor name to shard name", map));
        };
        let mut positions = BTreeMap::new();
        let mut index = Self {
            dir: dir.to_owned(),
            source: source.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for (tensor, file) in map {
            // A shard is a file of this directory: an index from elsewhere must not make us read other files.
            let Some(name) = file.as_str().filter(|name| is_plain_file_name(name)) else {
                return Err(field(
                    format!("weight_map.{tensor}"),
                    "the name of a file beside the index",
                    file,
                ));
            };
            let position = *positions.entry(name).or_insert_with(|| {
                index.files.push(name.to_owned());
                index.files.len() - 1
            });
            index.tensors.insert(tensor.clone(), position);
        }
        Ok(index)
    }

    fn from_shards(dir: PathBuf, source: PathBuf, files: Vec<String>) -> Result<Self, CheckpointError> {
        let mut tensors = BTreeMap::new();
        for (position, file) in files.iter().enumerate() {
            let path = dir.join(file);
            for name in Shard::open(&path)?.names() {
                if let Some(other) = tensors.insert(name.clone(), position) {
                    return Err(CheckpointError::Tensor {
                        path,
                        tensor: name,
                        what: "name",
                        expected: "found in one shard only".into(),
                        got: format!("also in {}", files[other]),
                    });
                }
            }
        }
        Ok(Self { dir, source, files, tensors })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn source(&self) -> &Path {
        &self.source
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensors whose names start so, each with its shard's position.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
        let from = self.tensors.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(name, _)| name.starts_with(prefix)).map(|(name, file)| (name.as_str(), *file))
    }

    pub fn position(&self, tensor: &str) -> Option<usize> {
        self.tensors.get(tensor).copied()
    }

    /// Opens the shard at a position, on behalf of one of its tensors.
    pub fn open_shard(&self, position: usize, tensor: &str) -> Result<Shard, CheckpointError> {
        let path = self.dir.join(&self.files[position]);
        if !path.exists() {
            return Err(CheckpointError::MissingShard { path, tensor: tensor.to_owned() });
        }
        Shard::open(&path)
    }

    /// Every shard's position with the names of its tensors.
    pub fn by_file(&self) -> Vec<(usize, Vec<&str>)> {
        let mut files: Vec<_> = (0..self.files.len()).map(|position| (position, Vec::new())).collect();
        for (name, position) in &self.tensors {
            files[*position].1.push(name.as_str());
        }
        files
    }
}

fn is_plain_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// Reads a JSON file of a size that an index can have.
pub(super) fn read_json(path: &Path) -> Result<Value, CheckpointError> {
    // The index of DeepSeek-R1 W8A8, with all its experts, has about 20 MB.
    const LARGEST: u64 = 1 << 28;
    let meta = fs::metadata(path).map_err(CheckpointError::io(path))?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(CheckpointError::NotAFile {
            path: path.to_owned(),
            expected: "a regular file of at most 256 MiB",
            got: format!("{:?}, {} bytes", meta.file_type(), meta.len()),
        });
    }
    let text = fs::read(path).map_err(CheckpointError::io(path))?;
    serde_json::from_slice(&text).map_err(|source| CheckpointError::Json { path: path.to_owned(), source })
}
