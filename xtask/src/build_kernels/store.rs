//! Where objects are kept: the cache, by what they were built from, and the folder that `mlapo-kernel` embeds from.
//!
//! Several builds may run at once. Each works in a folder of its own, and what it makes comes to its place by a rename, so
//! that nobody ever sees half a file.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::artifacts::{MANIFEST, Manifest, OBJECT};
use super::error::Error;
use super::object::{self, Unfit};
use super::step::{Plan, Step};

/// The place of an object in the cache.
pub(super) fn place(cache: &Path, key: &str) -> PathBuf {
    cache.join(key).join(OBJECT)
}

/// Runs a plan in a folder of its own, and answers with what `keep` makes of the object that it leaves, if that can be loaded
/// and has these functions.
pub(super) fn compile<T>(
    plan: impl FnOnce(&Path) -> Plan,
    cache: &Path,
    functions: &[&'static str],
    mut say: impl FnMut(&Step) -> Result<(), Error>,
    keep: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<T, Error> {
    fs::create_dir_all(cache).map_err(Error::cache(cache))?;
    // Goes with all that is in it when this function returns, also when a command failed.
    let work = tempfile::Builder::new().prefix("work-").tempdir_in(cache).map_err(Error::cache(cache))?;
    let Plan { steps, object } = plan(work.path());
    for step in &steps {
        say(step)?;
        step.run()?;
    }
    match fs::read(&object) {
        Ok(bytes) => object::check(&bytes, functions).map_err(Error::unfit(&object))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::unfit(&object)(Unfit::Absent));
        }
        Err(error) => return Err(Error::file(&object)(error)),
    }
    keep(&object)
}

/// Moves an object to its place in the cache.
pub(super) fn keep(object: &Path, cache: &Path, key: &str) -> Result<(), Error> {
    let folder = cache.join(key);
    fs::create_dir_all(&folder).map_err(Error::cache(&folder))?;
    let place = place(cache, key);
    fs::rename(object, &place).map_err(Error::cache(&place))
}

/// Copies an object to where the user wants it, whole or not at all.
pub(super) fn copy(object: &Path, to: &Path) -> Result<(), Error> {
    let content = fs::read(object).map_err(Error::file(object))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).and_then(|()| write(folder, to, &content)).map_err(Error::object(to))
}

/// Whether anything had to be written: files that are as they should be keep their time, so that nothing is rebuilt.
pub(super) fn write_artifact(folder: &Path, object: &[u8], manifest: &Manifest) -> Result<bool, Error> {
    let (object_path, manifest_path) = (folder.join(OBJECT), folder.join(MANIFEST));
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| Error::file(&manifest_path)(error.into()))?
        + "\n";
    let same = |path: &Path, content: &[u8]| fs::read(path).is_ok_and(|there| there == content);
    if same(&object_path, object) && same(&manifest_path, text.as_bytes()) {
        return Ok(false);
    }
    fs::create_dir_all(folder).map_err(Error::artifacts(folder))?;
    write(folder, &object_path, object).map_err(Error::artifacts(&object_path))?;
    // Last: until it is there, the build script leaves the object out.
    write(folder, &manifest_path, text.as_bytes()).map_err(Error::artifacts(&manifest_path))?;
    Ok(true)
}

/// Puts a file into a folder, whole or not at all.
fn write(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // For all to read, as far as the user's umask lets them: builds of others may embed it.
    let permissions = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// A release as the name of a folder.
pub(super) fn folder_name(release: &str) -> String {
    let keep = |character: char| character.is_ascii_alphanumeric() || ".-_+".contains(character);
    let name: String =
        release.chars().map(|character| if keep(character) { character } else { '_' }).collect();
    if name.chars().all(|character| character == '.') { "_".to_owned() } else { name }
}
