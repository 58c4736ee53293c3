//! Files that appear all together or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointError;

/// A directory that is being filled; whatever is not committed is removed.
pub(super) struct Staging {
    dir: PathBuf,
    made_dir: bool,
    files: Vec<PathBuf>,
}

impl Staging {
    /// Makes the directory, or takes one that is there and empty.
    pub fn new(dir: &Path) -> Result<Self, CheckpointError> {
        let made_dir = match fs::read_dir(dir) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(CheckpointError::NotEmpty { path: dir.to_owned() });
                }
                false
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(dir).map_err(CheckpointError::io(dir))?;
                true
            }
            Err(error) => return Err(CheckpointError::io(dir)(error)),
        };
        Ok(Self { dir: dir.to_owned(), made_dir, files: Vec::new() })
    }

    /// Writes the next file under a temporary name.
    pub fn add(&mut self, content: &[u8]) -> Result<(), CheckpointError> {
        let path = self.dir.join(format!(".synth-{}.partial", self.files.len()));
        let mut file = File::create_new(&path).map_err(CheckpointError::io(&path))?;
        self.files.push(path.clone());
        file.write_all(content).and_then(|()| file.sync_all()).map_err(CheckpointError::io(&path))
    }

    /// Gives the files their names, in the order in which they were added.
    pub fn commit(mut self, names: &[String]) -> Result<(), CheckpointError> {
        for (file, name) in self.files.iter_mut().zip(names) {
            let path = self.dir.join(name);
            fs::rename(&*file, &path).map_err(CheckpointError::io(&path))?;
            *file = path;
        }
        self.files.clear();
        self.made_dir = false;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Best effort: the error that led here is the one to report.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        if self.made_dir {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn uncommitted_files_vanish_with_the_directory_made_for_them() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("new");
        let mut staging = Staging::new(&dir).unwrap();
        staging.add(b"a").unwrap();
        staging.add(b"b").unwrap();
        assert_eq!(names(&dir).len(), 2);
        drop(staging);
        assert!(!dir.exists() && root.path().exists());
    }

    #[test]
    fn a_failed_commit_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut staging = Staging::new(root.path()).unwrap();
        staging.add(b"a").unwrap();
        staging.add(b"b").unwrap();
        let error = staging.commit(&["a".into(), "no/b".into()]).unwrap_err();
        assert!(error.to_string().contains("no/b"), "{error}");
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn committed_files_have_their_names_and_stay() {
        let root = tempfile::tempdir().unwrap();
        let mut staging = Staging::new(root.path()).unwrap();
        staging.add(b"a").unwrap();
        staging.add(b"b").unwrap();
        staging.commit(&["first".into(), "second".into()]).unwrap();
        assert_eq!(names(root.path()), ["first", "second"]);
        assert_eq!(fs::read(root.path().join("second")).unwrap(), b"b");
    }
}
