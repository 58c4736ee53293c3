//! Profiling: marks and ranges that programs set, kept in memory and written as a trace.
//!
//! Stamps work without a profiler; [`records`] has the newest of them. Between `aclprofStart` and `aclprofStop`, with
//! `ACL_PROF_MSPROFTX` among the data asked for, they also go to a file in the folder that `aclprofInit` named, in
//! the format of Chromium's trace viewer.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, io, process};

use ascendcl_sys::ACL_PROF_MSPROFTX;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::error::{Result, failure, misuse};
use crate::raw;

/// Something that a program marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the program wrote on the stamp.
    pub message: String,
    /// How it was marked.
    pub kind: Kind,
    /// Where it ended.
    pub place: Place,
    /// The time from the first use of the profiler to its start.
    pub start: Duration,
    /// The same for its end; marks end where they start.
    pub end: Duration,
}

/// How something was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An instant: `aclprofMark`, `aclprofMarkEx`, `aclprofGetStepTimestamp`.
    Mark,
    /// From `aclprofPush` to `aclprofPop`.
    Nested,
    /// From `aclprofRangeStart` to `aclprofRangeStop`.
    Range,
}

/// Where something was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In a thread of the host, by its `pthread_t`.
    Thread(u64),
    /// In a stream of a device.
    Stream {
        /// The device.
        device: i32,
        /// The id of the stream.
        stream: i32,
    },
}

/// As many records as are kept without a profiler, which keeps them all.
const KEPT: usize = 65536;

/// A range that did not end yet.
pub(crate) struct Open {
    message: String,
    kind: Kind,
    start: Duration,
}

#[derive(Default)]
struct Profiler {
    kept: VecDeque<Record>,
    /// Ranges of `aclprofRangeStart` by their number.
    open: BTreeMap<u32, Open>,
    last_range: u32,
    session: Option<Session>,
}

/// What happens from `aclprofInit` to `aclprofFinalize`.
struct Session {
    folder: PathBuf,
    /// The configurations that were started: by which pointer, on which devices, and what they collect.
    started: Vec<(usize, Vec<u32>, u64)>,
    collected: Vec<Record>,
    files: u32,
}

static PROFILER: Mutex<Profiler> =
    Mutex::new(Profiler { kept: VecDeque::new(), open: BTreeMap::new(), last_range: 0, session: None });

/// The newest records, in the order in which they ended.
pub fn records() -> Vec<Record> {
    PROFILER.lock().kept.iter().cloned().collect()
}

fn now() -> Duration {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed()
}

pub(crate) fn begin(message: String, kind: Kind) -> Open {
    Open { message, kind, start: now() }
}

/// Ends a range in the calling thread.
pub(crate) fn end(Open { message, kind, start }: Open) {
    add(Record { message, kind, place: Place::Thread(raw::thread_id()), start, end: now() });
}

pub(crate) fn mark(message: String, place: Option<Place>) {
    let time = now();
    let place = place.unwrap_or_else(|| Place::Thread(raw::thread_id()));
    add(Record { message, kind: Kind::Mark, place, start: time, end: time });
}

fn add(record: Record) {
    let mut profiler = PROFILER.lock();
    if let Some(session) = &mut profiler.session
        && session.started.iter().any(|(_, _, data)| data & ACL_PROF_MSPROFTX != 0)
    {
        session.collected.push(record.clone());
    }
    if profiler.kept.len() == KEPT {
        profiler.kept.pop_front();
    }
    profiler.kept.push_back(record);
}

/// Begins a range that any thread may end by the number that this answers.
pub(crate) fn begin_range(message: String) -> u32 {
    let open = begin(message, Kind::Range);
    let mut profiler = PROFILER.lock();
    // After four thousand million ranges a number may be still in use.
    let mut number = profiler.last_range.wrapping_add(1);
    while profiler.open.contains_key(&number) {
        number = number.wrapping_add(1);
    }
    profiler.last_range = number;
    profiler.open.insert(number, open);
    number
}

pub(crate) fn end_range(number: u32) -> Result {
    let open = PROFILER.lock().open.remove(&number);
    let open = open.ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "no range of number {number} is open"))?;
    end(open);
    Ok(())
}

/// `aclprofInit`
pub(crate) fn start_session(folder: &Path) -> Result {
    let mut profiler = PROFILER.lock();
    if profiler.session.is_some() {
        return Err(misuse!(
            ACL_ERROR_PROF_ALREADY_RUN,
            "aclprofInit was called before; aclprofFinalize ends that"
        ));
    }
    fs::create_dir_all(folder).map_err(|error| {
        failure!(ACL_ERROR_INVALID_FILE, "the folder for profiles {}: {error}", folder.display())
    })?;
    profiler.session =
        Some(Session { folder: folder.to_owned(), started: Vec::new(), collected: Vec::new(), files: 0 });
    Ok(())
}

/// `aclprofStart`
pub(crate) fn start(config: usize, devices: Vec<u32>, data: u64) -> Result {
    let mut profiler = PROFILER.lock();
    let session = profiler.session()?;
    let running = session.started.iter().find_map(|(_, other, _)| other.iter().find(|d| devices.contains(d)));
    if let Some(device) = running {
        return Err(misuse!(ACL_ERROR_PROF_ALREADY_RUN, "a profile of device {device} was started already"));
    }
    if session.started.iter().any(|(other, _, _)| *other == config) {
        return Err(misuse!(ACL_ERROR_PROF_ALREADY_RUN, "the configuration was started already"));
    }
    if data & !ACL_PROF_MSPROFTX != 0 {
        tracing::warn!("the simulator collects the marks of ACL_PROF_MSPROFTX only, not all of {data:#x}");
    }
    session.started.push((config, devices, data));
    Ok(())
}

/// `aclprofStop`: writes what was collected when nothing collects any more.
pub(crate) fn stop(config: usize) -> Result {
    let mut profiler = PROFILER.lock();
    let session = profiler.session()?;
    let index = session.started.iter().position(|(other, _, _)| *other == config).ok_or_else(|| {
        misuse!(ACL_ERROR_PROF_NOT_RUN, "the configuration was not started, or was stopped before")
    })?;
    session.started.remove(index);
    if session.started.is_empty() { session.write() } else { Ok(()) }
}

/// `aclprofFinalize`: stops what was not stopped.
pub(crate) fn end_session() -> Result {
    let mut profiler = PROFILER.lock();
    let session = profiler.session()?;
    session.started.clear();
    let written = session.write();
    profiler.session = None;
    written
}

impl Profiler {
    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| {
            misuse!(ACL_ERROR_PROF_NOT_RUN, "aclprofInit was not called, or aclprofFinalize was")
        })
    }
}

impl Session {
    fn write(&mut self) -> Result {
        if self.collected.is_empty() {
            return Ok(());
        }
        let file = self.folder.join(format!("trace_{}_{}.json", process::id(), self.files));
        let write = || -> io::Result<()> {
            let events: Vec<Value> = self.collected.iter().map(trace_event).collect();
            fs::write(&file, serde_json::to_vec(&json!({ "traceEvents": events, "displayTimeUnit": "ns" }))?)
        };
        write().map_err(|error| failure!(ACL_ERROR_PROFILING_FAILURE, "{}: {error}", file.display()))?;
        tracing::info!("{} marks and ranges are in {}", self.collected.len(), file.display());
        self.collected.clear();
        self.files += 1;
        Ok(())
    }
}

/// An event of the trace viewer; its times are microseconds.
fn trace_event(record: &Record) -> Value {
    let microseconds = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let (process, thread) = match record.place {
        Place::Thread(id) => (json!(process::id()), json!(id)),
        Place::Stream { device, stream } => {
            (json!(format!("device {device}")), json!(format!("stream {stream}")))
        }
    };
    let (name, start) = (&record.message, microseconds(record.start));
    match record.kind {
        Kind::Mark => {
            json!({ "name": name, "ph": "i", "s": "t", "ts": start, "pid": process, "tid": thread })
        }
        Kind::Nested | Kind::Range => json!({
            "name": name, "ph": "X", "ts": start, "dur": microseconds(record.end) - start,
            "pid": process, "tid": thread,
        }),
    }
}
