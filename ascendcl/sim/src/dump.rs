//! Dumps of what operators read and write: how they are configured, and where they go.
//!
//! Each tensor is a file in NumPy's format, in the folder `{dump_path}/{time of the configuration}/{device}`, with the name
//! `{operator type}.{call}.{task}.{stream}.{microseconds}.{input or output}.{index}.npy`. The documents tell the names
//! and not the format of the files that a device writes; these are what the toolkit's converter makes of them. A registered
//! callback gets the bytes of the files instead.

mod config;
mod npy;

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ascendcl_sys::{ACL_DUMP_MAX_FILE_PATH_LENGTH, acldumpChunk, acldumpType};
use parking_lot::Mutex;
use serde_json::Value;

pub(crate) use config::Configuration;
pub(crate) use npy::View;

use crate::error::{Result, failure, misuse};
use crate::operator::{Fault, Memory};
use crate::stream::{self, Stream};
use config::Scene;

/// Gets pieces of files instead of the file system, with their lengths.
pub(crate) type Callback = unsafe extern "C" fn(*const acldumpChunk, i32) -> i32;

/// The most bytes of a file that a callback gets at once.
const CHUNK: usize = 1 << 20;

struct Dump {
    /// Between `aclmdlInitDump` and `aclmdlFinalizeDump`.
    initialized: bool,
    callback: Option<Callback>,
    configured: Option<Configured>,
    statistics: Option<Statistics>,
}

struct Configured {
    configuration: Configuration,
    /// By the file of `aclInit`, which no later call changes.
    at_start: bool,
}

/// What `aclopStartDumpArgs` began: descriptions of the calls of operators, each once.
struct Statistics {
    folder: PathBuf,
    seen: BTreeSet<(&'static str, String)>,
}

static DUMP: Mutex<Dump> =
    Mutex::new(Dump { initialized: false, callback: None, configured: None, statistics: None });

/// What of a call of an operator is to be dumped.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    inputs: bool,
    outputs: bool,
    /// Only if the operator overflows.
    on_overflow: bool,
    /// None for what goes to a callback and has no folder.
    folder: Option<PathBuf>,
}

/// A tensor of a call.
pub(crate) struct Tensor {
    pub is_output: bool,
    pub index: usize,
    /// The file.
    bytes: Vec<u8>,
}

/// `aclmdlInitDump`
pub(crate) fn begin() -> Result {
    let mut dump = DUMP.lock();
    let at_start = dump.configured.as_ref().is_some_and(|configured| configured.at_start);
    if at_start || std::mem::replace(&mut dump.initialized, true) {
        return Err(misuse!(
            ACL_ERROR_DUMP_ALREADY_RUN,
            "aclmdlInitDump was called before, or the file of aclInit configures dumps"
        ));
    }
    Ok(())
}

/// `aclmdlFinalizeDump`
pub(crate) fn end() -> Result {
    let mut dump = DUMP.lock();
    dump.check()?;
    dump.initialized = false;
    dump.configured = None;
    Ok(())
}

/// Takes a configuration in place of the last one.
pub(crate) fn configure(configuration: impl FnOnce() -> Result<Configuration>) -> Result {
    let mut dump = DUMP.lock();
    dump.check()?;
    dump.configured = Some(Configured { configuration: configuration()?, at_start: false });
    Ok(())
}

/// Takes the configuration of `aclInit`.
pub(crate) fn configure_at_start(configuration: Configuration) {
    DUMP.lock().configured = Some(Configured { configuration, at_start: true });
}

/// Forgets everything, at `aclFinalize`.
pub(crate) fn reset() {
    let mut dump = DUMP.lock();
    if dump.statistics.is_some() {
        tracing::warn!("aclopStopDumpArgs was not called, and the operators' descriptions are not written");
    }
    *dump = Dump { initialized: false, callback: None, configured: None, statistics: None };
}

pub(crate) fn set_callback(callback: Callback) {
    DUMP.lock().callback = Some(callback);
}

/// Answers no if there was none.
pub(crate) fn take_callback() -> bool {
    DUMP.lock().callback.take().is_some()
}

/// The folder of a kind of dump, if it is configured, which lives until the configuration changes.
pub(crate) fn path(kind: acldumpType) -> Option<*const c_char> {
    let dump = DUMP.lock();
    let configuration = &dump.configured.as_ref()?.configuration;
    configuration.scene.is_of(kind).then(|| CStr::as_ptr(&configuration.path))
}

/// `aclopStartDumpArgs`
pub(crate) fn start_statistics(folder: PathBuf) -> Result {
    let mut dump = DUMP.lock();
    if dump.statistics.is_some() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "aclopStartDumpArgs was called before"));
    }
    fs::create_dir_all(&folder)
        .map_err(|error| failure!(ACL_ERROR_INVALID_FILE, "the folder {}: {error}", folder.display()))?;
    dump.statistics = Some(Statistics { folder, seen: BTreeSet::new() });
    Ok(())
}

/// `aclopStopDumpArgs`, which writes a file for each operator and shape.
pub(crate) fn stop_statistics() -> Result {
    let Some(Statistics { folder, seen }) = DUMP.lock().statistics.take() else {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "aclopStartDumpArgs was not called"));
    };
    for (index, (operator, description)) in seen.iter().enumerate() {
        let path = folder.join(format!("{operator}_{index}.json"));
        fs::write(&path, description)
            .map_err(|error| failure!(ACL_ERROR_WRITE_FILE, "{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Keeps the description of a call, if somebody asked for them.
pub(crate) fn note(operator: &'static str, describe: impl FnOnce() -> Value) {
    if let Some(statistics) = &mut DUMP.lock().statistics {
        statistics.seen.insert((operator, format!("{:#}\n", describe())));
    }
}

/// What is to be dumped of an operator that is queued now.
pub(crate) fn wanted() -> Option<Wanted> {
    let dump = DUMP.lock();
    let Some(Configured { configuration, .. }) = &dump.configured else {
        // A callback alone gets everything.
        let wanted = Wanted { inputs: true, outputs: true, on_overflow: false, folder: None };
        return (dump.initialized && dump.callback.is_some()).then_some(wanted);
    };
    let on_overflow = match configuration.scene {
        Scene::Data { operators: true } => false,
        Scene::Overflow => true,
        _ => return None,
    };
    Some(Wanted {
        inputs: configuration.inputs || on_overflow,
        outputs: configuration.outputs || on_overflow,
        on_overflow,
        folder: Some(configuration.folder()),
    })
}

impl Wanted {
    /// Reads the tensors of a call, inputs before it and outputs after it, as far as they are wanted.
    pub(crate) fn read<'a>(
        &self,
        is_output: bool,
        tensors: impl IntoIterator<Item = (&'a View, &'a Memory)>,
    ) -> std::result::Result<Vec<Tensor>, Fault> {
        if !(if is_output { self.outputs } else { self.inputs }) {
            return Ok(Vec::new());
        }
        let read = |(index, (view, memory)): (usize, (&View, &Memory))| {
            Ok(Tensor { is_output, index, bytes: view.file(memory)? })
        };
        tensors.into_iter().enumerate().map(read).collect()
    }

    /// Hands the tensors over that were read, on the worker of the stream. A dump that fails leaves the call as it is.
    pub(crate) fn hand_over(
        &self,
        operator: &str,
        call: &str,
        overflows: bool,
        stream: &Stream,
        tensors: &[Tensor],
    ) {
        if self.on_overflow && !overflows {
            return;
        }
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
        let task = stream::running_task();
        for Tensor { is_output, index, bytes } in tensors {
            let kind = if *is_output { "output" } else { "input" };
            let name = format!("{operator}.{call}.{task}.{}.{micros}.{kind}.{index}.npy", stream.id);
            let folder = self.folder.as_ref().map(|folder| folder.join(stream.device.id.to_string()));
            // The program may call anything from its callback.
            let callback = DUMP.lock().callback;
            let path = folder.map_or(PathBuf::from(&name), |folder| folder.join(&name));
            let written = match callback {
                Some(callback) => send(callback, &path.to_string_lossy(), bytes),
                None if self.folder.is_some() => write(&path, bytes),
                None => Ok(()),
            };
            if let Err(error) = written {
                tracing::error!("the dump {}: {error}", path.display());
            }
        }
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

/// Calls the program's function with each piece of a file.
fn send(callback: Callback, name: &str, bytes: &[u8]) -> io::Result<()> {
    const HEAD: usize = size_of::<acldumpChunk>();
    let mut file_name: [c_char; ACL_DUMP_MAX_FILE_PATH_LENGTH as usize] = [0; _];
    for (to, from) in file_name.iter_mut().zip(name.bytes()).take(ACL_DUMP_MAX_FILE_PATH_LENGTH as usize - 1)
    {
        *to = from as c_char;
    }
    let count = bytes.len().div_ceil(CHUNK);
    for (index, piece) in bytes.chunks(CHUNK).enumerate() {
        let head = acldumpChunk {
            fileName: file_name,
            bufLen: piece.len() as u32,
            isLastChunk: u32::from(index + 1 == count),
            offset: (index * CHUNK) as i64,
            flag: 0,
            dataBuf: [],
        };
        // Words, so that it is aligned for its numbers.
        let length = HEAD + piece.len();
        let mut chunk = vec![0u64; length.div_ceil(size_of::<u64>())];
        let data = std::mem::offset_of!(acldumpChunk, dataBuf);
        // SAFETY: The words are aligned for the type and have its size, which all bits of plain numbers may fill.
        unsafe { chunk.as_mut_ptr().cast::<acldumpChunk>().write(head) };
        bytemuck::cast_slice_mut::<u64, u8>(&mut chunk)[data..data + piece.len()].copy_from_slice(piece);
        // SAFETY: The program registered the function for such pieces, which live for the time of the call.
        let code = unsafe { callback(chunk.as_ptr().cast(), length as i32) };
        if code != 0 {
            return Err(io::Error::other(format!("the callback answers {code}")));
        }
    }
    Ok(())
}

impl Dump {
    fn check(&self) -> Result {
        match &self.configured {
            Some(Configured { at_start: true, .. }) => Err(misuse!(
                ACL_ERROR_DUMP_ALREADY_RUN,
                "the file of aclInit configures dumps, which then have no other configuration"
            )),
            _ if self.initialized => Ok(()),
            _ => Err(misuse!(
                ACL_ERROR_DUMP_NOT_RUN,
                "aclmdlInitDump was not called, or aclmdlFinalizeDump was"
            )),
        }
    }
}
