//! One safetensors file, mapped.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::Metadata;

use super::error::CheckpointError;
use super::raw;
use super::tensor::Tensor;

/// A mapped shard; its header is parsed and checked against the file's length, its data is not touched.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    map: Mmap,
    data_start: usize,
    metadata: Metadata,
}

impl Shard {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        // The kind is checked before the file is opened: opening a pipe would wait for its writer.
        let kind = std::fs::metadata(path).map_err(CheckpointError::io(path))?.file_type();
        if !kind.is_file() {
            return Err(CheckpointError::NotAFile {
                path: path.to_owned(),
                expected: "a regular file",
                got: format!("{kind:?}"),
            });
        }
        let file = File::open(path).map_err(CheckpointError::io(path))?;
        let map = raw::map(&file).map_err(CheckpointError::io(path))?;
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .map_err(|source| CheckpointError::Shard { path: path.to_owned(), source })?;
        // The file starts with the header's length as a u64.
        Ok(Self { path: path.to_owned(), data_start: size_of::<u64>() + header, map, metadata })
    }

    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>, CheckpointError> {
        let missing = || CheckpointError::MissingTensor { path: self.path.clone(), tensor: name.to_owned() };
        let info = self.metadata.info(name).ok_or_else(missing)?;
        let (start, end) = info.data_offsets;
        let data = self.map.get(self.data_start + start..self.data_start + end).ok_or_else(missing)?;
        Ok(Tensor { path: &self.path, name: name.to_owned(), dtype: info.dtype, shape: &info.shape, data })
    }
}
