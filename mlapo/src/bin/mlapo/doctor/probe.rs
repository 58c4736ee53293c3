//! What runs code of the driver or of an installed library, in a process of its own: it may hang or crash, which is not to
//! take the report along.
//!
//! The process is this program once more, with a hidden option. It says on its standard output what it begins and what it
//! found, a record of JSON each, so that what was found before a crash is known, and what was being tried.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ascendcl::{Backend, Package, Runtime, sys};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::ascend;
use super::child::{Event, Listener};
use crate::failure::{Failure, explain};
use crate::output::stdout;

/// What a process tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// The installed AscendCL library and its devices.
    Npu,
    /// The device files.
    Nodes,
    /// The shim over ATB.
    Shim,
}

/// A record of what the process says.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// What it does now, in words that follow `while`.
    Begins(String),
    Library(Result<PathBuf, NotLoaded>),
    /// The version of the runtime, if it is known.
    Runtime(Option<String>),
    Device(FoundDevice),
    /// The runtime does not do what is asked for.
    Refused(String),
    Node(TriedNode),
    Shim(Result<String, String>),
    /// That was all.
    Done,
}

/// Before each record, as in RFC 7464: libraries may write to standard output, too.
const RECORD: char = '\u{1e}';

/// Why there is no library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLoaded {
    pub message: String,
    /// Any of these files would do.
    pub files: Vec<String>,
    /// What was tried, and what the system said.
    pub tried: Vec<(PathBuf, String)>,
}

/// A device that a runtime has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundDevice {
    pub id: i32,
    /// What it is, or why that is not known.
    pub properties: Result<Properties, String>,
}

/// Model, cores and memory of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    pub soc: String,
    pub ai_cores: usize,
    pub vector_cores: usize,
    pub l2_bytes: usize,
    pub memory_bytes: usize,
}

/// The devices of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    pub found: Vec<FoundDevice>,
    /// The version of the runtime as the library tells it.
    pub runtime: Option<String>,
    /// What the runtime refused.
    pub error: Option<String>,
}

/// The installed library and its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Npu {
    /// `None` if the process did not come so far.
    pub library: Option<Result<PathBuf, NotLoaded>>,
    pub devices: Devices,
    pub broken: Option<Broken>,
}

impl Npu {
    /// Whether there is a device, and every one opens.
    pub fn works(&self) -> bool {
        let Devices { found, error, .. } = &self.devices;
        let all_open = found.iter().all(|device| device.properties.is_ok());
        !found.is_empty() && all_open && error.is_none() && self.broken.is_none()
    }
}

/// Device files that cannot be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    pub nodes: Vec<TriedNode>,
    pub broken: Option<Broken>,
}

/// A device file that was opened to read and write, and closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedNode {
    pub path: PathBuf,
    /// Why it cannot be opened.
    pub error: Option<String>,
}

/// How a process failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It could not be started or watched.
    NotStarted(String),
    Hung {
        patience: Duration,
        doing: String,
    },
    Crashed {
        signal: i32,
        doing: String,
    },
    /// It ended by itself, too early.
    Ended {
        status: String,
        doing: String,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "the process that was to try it does not start: {error}"),
            Self::Hung { patience, doing } => {
                write!(f, "did not answer in {} s while {doing}", patience.as_secs())
            }
            Self::Crashed { signal, doing } => {
                let name = match signal {
                    4 => " (SIGILL)",
                    6 => " (SIGABRT)",
                    7 => " (SIGBUS)",
                    8 => " (SIGFPE)",
                    9 => " (SIGKILL)",
                    11 => " (SIGSEGV)",
                    _ => "",
                };
                write!(f, "crashed with signal {signal}{name} while {doing}")
            }
            Self::Ended { status, doing } => write!(f, "ended with {status} while {doing}"),
        }
    }
}

/// Why there is no shim over ATB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoShim {
    /// With everything that was tried.
    NotLoaded(String),
    Broken(Broken),
}

impl fmt::Display for NoShim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoaded(error) => f.write_str(error),
            Self::Broken(broken) => broken.fmt(f),
        }
    }
}

/// Tries the installed library and its devices.
pub fn npu(patience: Duration) -> Npu {
    let mut npu = Npu::default();
    npu.broken = listen(Subject::Npu, patience, |word| match word {
        Word::Library(library) => npu.library = Some(library),
        word => npu.devices.note(word),
    });
    npu
}

/// Tries to open the device files.
pub fn nodes(patience: Duration) -> Refused {
    let mut nodes = Vec::new();
    let broken = listen(Subject::Nodes, patience, |word| match word {
        Word::Node(node) if node.error.is_some() => nodes.push(node),
        _ => {}
    });
    Refused { nodes, broken }
}

/// Tries the shim over ATB: its name, or why it does not load.
pub fn shim(patience: Duration) -> Result<String, NoShim> {
    let mut result = Err(NoShim::NotLoaded("it was not tried".to_owned()));
    let broken = listen(Subject::Shim, patience, |word| {
        if let Word::Shim(shim) = word {
            result = shim.map_err(NoShim::NotLoaded);
        }
    });
    match broken {
        Some(broken) => Err(NoShim::Broken(broken)),
        None => result,
    }
}

/// The simulated device, which is part of this program and needs no process of its own.
pub fn simulator() -> Devices {
    let mut devices = Devices::default();
    // Noting does not fail.
    let _ = try_devices(Backend::Sim, &mut |word| {
        devices.note(word);
        Ok(())
    });
    devices
}

impl Devices {
    fn note(&mut self, word: Word) {
        match word {
            Word::Runtime(version) => self.runtime = version,
            Word::Device(device) => self.found.push(device),
            Word::Refused(error) => self.error = Some(error),
            _ => {}
        }
    }
}

/// Starts a process and hears what it says, to its end.
fn listen(subject: Subject, patience: Duration, mut hear: impl FnMut(Word)) -> Option<Broken> {
    let name = match subject {
        Subject::Npu => "npu",
        Subject::Nodes => "nodes",
        Subject::Shim => "shim",
    };
    let not_started = |error: io::Error| Some(Broken::NotStarted(error.to_string()));
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return not_started(error),
    };
    let mut command = Command::new(program);
    command.args(["doctor", "--probe", name]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut listener = match Listener::start(&mut command) {
        Ok(listener) => listener,
        Err(error) => return not_started(error),
    };
    let (mut doing, mut done) = ("it started".to_owned(), false);
    let mut deadline = Instant::now() + patience;
    loop {
        let status = match listener.wait(deadline) {
            Err(error) => return not_started(error),
            Ok(Event::Silence) => return Some(Broken::Hung { patience, doing }),
            Ok(Event::Ended(status)) => status,
            Ok(Event::Said(line)) => {
                let record = line.text.rsplit_once(RECORD).map(|(_, record)| record);
                // Else a library wrote something, which is no sign that it gets on.
                if let Some(word) = record.and_then(|record| serde_json::from_str(record).ok()) {
                    deadline = Instant::now() + patience;
                    match word {
                        Word::Begins(what) => doing = what,
                        Word::Done => (doing, done) = ("it ended".to_owned(), true),
                        word => hear(word),
                    }
                }
                continue;
            }
        };
        return match status.signal() {
            Some(signal) => Some(Broken::Crashed { signal, doing }),
            None if done && status.success() => None,
            None => Some(Broken::Ended { status: status.to_string(), doing }),
        };
    }
}

/// Is the process: tries, and says what it found.
pub fn speak(subject: Subject) -> Result<(), Failure> {
    let mut say = |word: Word| -> io::Result<()> {
        let mut out = stdout();
        writeln!(out, "{RECORD}{}", serde_json::to_string(&word)?)?;
        out.flush()
    };
    match subject {
        Subject::Npu => {
            say(Word::Begins("the library was loaded".to_owned()))?;
            match sys::Library::open() {
                Ok(library) => {
                    say(Word::Library(Ok(library.path().map(Path::to_owned).unwrap_or_default())))?;
                    try_devices(Backend::Npu, &mut say)?;
                }
                Err(error) => say(Word::Library(Err(NotLoaded::from(&error))))?,
            }
        }
        Subject::Nodes => {
            for path in ascend::nodes(Path::new("/")) {
                say(Word::Begins(format!("{} was opened", path.display())))?;
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let error =
                    rustix::fs::open(&path, flags, Mode::empty()).err().map(|error| error.to_string());
                say(Word::Node(TriedNode { path, error }))?;
            }
        }
        Subject::Shim => {
            say(Word::Begins("the shim was loaded".to_owned()))?;
            let shim = atb::sys::Shim::open();
            say(Word::Shim(shim.map(|shim| shim.name().to_owned()).map_err(|error| explain(&error))))?;
        }
    }
    Ok(say(Word::Done)?)
}

/// Opens and closes each device of a backend.
fn try_devices(backend: Backend, say: &mut dyn FnMut(Word) -> io::Result<()>) -> io::Result<()> {
    say(Word::Begins("the library was initialised".to_owned()))?;
    let runtime = match Runtime::with_backend(backend) {
        Ok(runtime) => runtime,
        Err(error) => return say(Word::Refused(explain(&error))),
    };
    say(Word::Runtime(runtime.package_version(Package::Runtime).ok().map(|version| version.full)))?;
    let count = match runtime.device_count() {
        Ok(count) => i32::try_from(count).unwrap_or(i32::MAX),
        Err(error) => return say(Word::Refused(explain(&error))),
    };
    for id in 0..count {
        say(Word::Begins(format!("device {id} was opened")))?;
        let properties = runtime.device(id).and_then(|device| device.properties());
        let properties = properties.map(Properties::from).map_err(|error| explain(&error));
        say(Word::Device(FoundDevice { id, properties }))?;
    }
    say(Word::Begins("the library was finalised".to_owned()))?;
    match runtime.finalize() {
        Ok(()) => Ok(()),
        Err(error) => say(Word::Refused(explain(&error))),
    }
}

impl From<ascendcl::DeviceProperties> for Properties {
    fn from(properties: ascendcl::DeviceProperties) -> Self {
        Self {
            soc: properties.soc_name,
            ai_cores: properties.ai_cores,
            vector_cores: properties.vector_cores,
            l2_bytes: properties.l2_bytes,
            memory_bytes: properties.memory_bytes,
        }
    }
}

impl From<&sys::LoadError> for NotLoaded {
    fn from(error: &sys::LoadError) -> Self {
        let attempt = |attempt: &sys::Attempt| (attempt.path.clone(), attempt.error.clone());
        Self {
            message: error.to_string(),
            files: error.files.iter().map(|file| (*file).to_owned()).collect(),
            tried: error.tried.iter().map(attempt).collect(),
        }
    }
}
