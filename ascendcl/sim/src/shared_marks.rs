//! Events and notifies that several processes share, as counters on a page that all of them map.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::error::{Error, Result, failure};
use crate::mapping::SharedPage;
use crate::sharing::{self, Key, Thing};

/// A wait looks again after the first time, then ever more seldom up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(500));
/// How often a wait looks whether the process that it waits for still lives.
const BETWEEN_PULSES: Duration = Duration::from_millis(100);

/// Waits, with `pause` between the looks, until there is something.
pub(crate) fn poll<T>(
    mut look: impl FnMut() -> Result<Option<T>>,
    mut pause: impl FnMut(Duration) -> Result,
) -> Result<T> {
    let mut time = PAUSES.0;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        pause(time)?;
        time = (2 * time).min(PAUSES.1);
    }
}

fn no_page(error: &io::Error) -> Error {
    failure!(ACL_ERROR_RT_RESOURCE_ALLOC_FAIL, "the host has no page to share: {error}")
}

/// The mark of a notify that processes share.
#[derive(Debug)]
pub(crate) struct SharedMark(SharedPage);

impl SharedMark {
    pub(crate) fn new(is_set: bool) -> Result<Self> {
        let page = SharedPage::new().map_err(|error| no_page(&error))?;
        page.word(0).store(is_set.into(), Ordering::Release);
        Ok(Self(page))
    }

    /// That of another process. Answers also with its device.
    pub(crate) fn borrow(key: Key) -> Result<(Self, i32)> {
        let (file, device, _) = sharing::borrow_page(key, Thing::Notify)?;
        Ok((Self(SharedPage::received(file).map_err(|error| no_page(&error))?), device))
    }

    pub(crate) fn page(&self) -> &SharedPage {
        &self.0
    }

    pub(crate) fn set(&self) {
        self.0.word(0).store(1, Ordering::Release);
    }

    /// Takes it down, if it is set.
    pub(crate) fn take(&self) -> bool {
        self.0.word(0).compare_exchange(1, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The records of an event that processes share.
///
/// The first word counts the records that were queued. Each of these has a place for the process that will make it, and
/// one for its end: the number of the record, and whether it was thrown away.
#[derive(Debug)]
pub(crate) struct SharedEvent {
    page: SharedPage,
    /// By what other processes open it.
    pub key: OnceLock<Key>,
}

const PLACES: u64 = (SharedPage::WORDS as u64 - 1) / 2;

/// How a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    ThrownAway,
}

impl SharedEvent {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { page: SharedPage::new().map_err(|error| no_page(&error))?, key: OnceLock::new() })
    }

    /// That of another process.
    pub(crate) fn borrow(key: Key) -> Result<Self> {
        let (file, _, _) = sharing::borrow_page(key, Thing::Event)?;
        let page = SharedPage::received(file).map_err(|error| no_page(&error))?;
        Ok(Self { page, key: OnceLock::from(key) })
    }

    pub(crate) fn page(&self) -> &SharedPage {
        &self.page
    }

    /// The number of the last record; 0 if there was none.
    pub(crate) fn last(&self) -> u64 {
        self.page.word(0).load(Ordering::Acquire)
    }

    fn maker(&self, record: u64) -> &AtomicU64 {
        self.page.word(1 + 2 * (record % PLACES) as usize)
    }

    fn end(&self, record: u64) -> &AtomicU64 {
        self.page.word(2 + 2 * (record % PLACES) as usize)
    }

    /// Queues a record. It ends when the answer is told to, or dropped.
    pub(crate) fn record(self: &Arc<Self>) -> Record {
        let number = self.page.word(0).fetch_add(1, Ordering::AcqRel) + 1;
        self.maker(number).store(std::process::id().into(), Ordering::Release);
        Record { event: Arc::clone(self), number }
    }

    /// How a record ended, if it has. An event that was never recorded is complete.
    pub(crate) fn ended(&self, record: u64) -> Option<Ended> {
        let end = self.end(record).load(Ordering::Acquire);
        match () {
            () if record == 0 || end >> 1 > record => Some(Ended::Done),
            () if end >> 1 < record => None,
            () if end & 1 == 0 => Some(Ended::Done),
            () => Some(Ended::ThrownAway),
        }
    }

    /// Waits for the end of a record.
    pub(crate) fn wait(&self, record: u64, pause: impl FnMut(Duration) -> Result) -> Result {
        let mut pulse = Instant::now() + BETWEEN_PULSES;
        let look = || {
            if let Some(ended) = self.ended(record) {
                return Ok(Some(ended));
            }
            if Instant::now() >= pulse {
                pulse = Instant::now() + BETWEEN_PULSES;
                let maker = self.maker(record).load(Ordering::Acquire);
                // It may have ended the record and then itself since the look above.
                if !is_alive(maker) && self.ended(record).is_none() {
                    return Err(failure!(
                        ACL_ERROR_RT_IPC_ERROR,
                        "process {maker} ended before it made record {record} of the event"
                    ));
                }
            }
            Ok(None)
        };
        match poll(look, pause)? {
            Ended::Done => Ok(()),
            Ended::ThrownAway => Err(failure!(
                ACL_ERROR_RT_STREAM_ABORT,
                "the task of record {record} of the shared event was thrown away"
            )),
        }
    }
}

/// A record that is queued.
pub(crate) struct Record {
    event: Arc<SharedEvent>,
    number: u64,
}

impl Record {
    /// Ends it, once.
    pub(crate) fn make(&self) {
        self.settle(Ended::Done);
    }

    fn settle(&self, ended: Ended) {
        let end = self.number << 1 | u64::from(ended == Ended::ThrownAway);
        // The first end of this record counts, and that of a later one in its place.
        let _ = self.event.end(self.number).fetch_update(Ordering::AcqRel, Ordering::Acquire, |found| {
            (found >> 1 < self.number).then_some(end)
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.settle(Ended::ThrownAway);
    }
}

/// Whether a process runs, as opposed to one that is gone, or dead and not yet waited for.
fn is_alive(process: u64) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/stat")) else {
        return fs::metadata("/proc/self/stat").is_err();
    };
    // The state follows the name, which is in parentheses and may contain some.
    let state = status.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_once_and_a_late_one_does_not_end_an_early_one() {
        let event = Arc::new(SharedEvent::new().unwrap());
        assert_eq!(event.ended(event.last()), Some(Ended::Done));
        let (first, second) = (event.record(), event.record());
        assert_eq!((event.last(), event.ended(1), event.ended(2)), (2, None, None));
        second.make();
        assert_eq!((event.ended(1), event.ended(2)), (None, Some(Ended::Done)));
        drop(first);
        drop(second);
        assert_eq!((event.ended(1), event.ended(2)), (Some(Ended::ThrownAway), Some(Ended::Done)));
        for _ in 0..2 * PLACES {
            event.record().make();
        }
        assert_eq!(event.ended(event.last()), Some(Ended::Done));
    }

    #[test]
    fn a_wait_for_a_dead_process_ends() {
        let event = Arc::new(SharedEvent::new().unwrap());
        let record = event.record();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        event.maker(1).store(child.id().into(), Ordering::Release);
        let pause = |time| {
            std::thread::sleep(time);
            Ok(())
        };
        // The child is dead and not waited for.
        assert_eq!(event.wait(1, pause).unwrap_err().code, ascendcl_sys::ACL_ERROR_RT_IPC_ERROR);
        child.wait().unwrap();
        drop(record);
    }
}
