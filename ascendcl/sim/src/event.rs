//! Events: marks in streams, to wait for or to time.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use ascendcl_sys::{ACL_EVENT_EXTERNAL, ACL_EVENT_IPC, ACL_EVENT_SYNC, ACL_EVENT_TIME_LINE};
use parking_lot::Mutex;

use crate::device::{Device, MAX_EVENTS};
use crate::error::{Result, failure, misuse};
use crate::graph::Mark;
use crate::handle::{Handle, Kind};
use crate::shared_marks::SharedEvent;
use crate::signal::{Outcome, Signal};

/// The function that made an event; what may be done with it depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// `aclrtCreateEvent`: orders and times.
    Plain,
    /// `aclrtCreateEventWithFlag`
    WithFlag,
    /// `aclrtCreateEventExWithFlag`
    Extended,
}

/// An event.
pub(crate) struct Event {
    pub handle: Handle,
    pub id: u32,
    pub device: Arc<Device>,
    pub maker: Maker,
    flags: u32,
    /// Its records, if processes share it.
    pub shared: Option<Arc<SharedEvent>>,
    /// Tasks that wait for it and have not finished.
    pub waits: AtomicUsize,
    pub last: Mutex<Last>,
    /// Whether it is recorded across the border of graphs, as the first record was.
    recorded: OnceLock<bool>,
    /// Whether it is waited for across the border of graphs, as by the first wait.
    awaited: OnceLock<bool>,
}

/// What an event was last recorded as.
#[derive(Clone, Default)]
pub(crate) enum Last {
    #[default]
    Never,
    /// In a stream.
    Stream(Arc<Signal>),
    /// In a stream whose work was being captured.
    Capture(Mark),
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Event {
    pub(crate) fn new(device: &Arc<Device>, maker: Maker, flags: u32) -> Result<Arc<Self>> {
        Self::make(device, maker, flags, None)
    }

    /// An event that processes share.
    pub(crate) fn shared(device: &Arc<Device>, shared: SharedEvent) -> Result<Arc<Self>> {
        Self::make(device, Maker::Extended, ACL_EVENT_IPC | ACL_EVENT_SYNC, Some(Arc::new(shared)))
    }

    fn make(
        device: &Arc<Device>,
        maker: Maker,
        flags: u32,
        shared: Option<Arc<SharedEvent>>,
    ) -> Result<Arc<Self>> {
        if !device.events.add(MAX_EVENTS) {
            return Err(failure!(
                ACL_ERROR_RT_NO_EVENT_RESOURCE,
                "a device has no more than {MAX_EVENTS} events"
            ));
        }
        let event = Self {
            handle: Handle::new(Kind::Event),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            maker,
            flags,
            shared,
            waits: AtomicUsize::new(0),
            last: Mutex::default(),
            recorded: OnceLock::new(),
            awaited: OnceLock::new(),
        };
        event.lower();
        Ok(Arc::new(event))
    }

    /// Whether it is a flag between an update of a graph and the graph (`ACL_EVENT_EXTERNAL`): a record raises it, a
    /// reset lowers it, and a wait lasts until it is raised, whether the record was queued before the wait or not.
    pub(crate) fn is_flag(&self) -> bool {
        self.flags & ACL_EVENT_EXTERNAL != 0
    }

    /// Records it, now.
    pub(crate) fn raise(&self) {
        let mut last = self.last.lock();
        match &*last {
            // Those who wait for the flag hold its signal.
            Last::Stream(signal) if self.is_flag() => signal.set(Outcome::Done(Instant::now())),
            _ => {
                let signal = Arc::<Signal>::default();
                signal.set(Outcome::Done(Instant::now()));
                *last = Last::Stream(signal);
            }
        }
    }

    /// Takes it back to the state before its first record, now.
    pub(crate) fn lower(&self) {
        *self.last.lock() = if self.is_flag() { Last::Stream(Arc::default()) } else { Last::Never };
    }

    /// Refuses a record that is not of the kind of the first one.
    pub(crate) fn settle_record(&self, external: bool) -> Result {
        self.settle(&self.recorded, external, "recorded")
    }

    /// Refuses a wait that is not of the kind of the first one.
    pub(crate) fn settle_wait(&self, external: bool) -> Result {
        self.settle(&self.awaited, external, "waited for")
    }

    fn settle(&self, kind: &OnceLock<bool>, external: bool, done: &str) -> Result {
        if external && (self.maker != Maker::Extended || self.flags != ACL_EVENT_SYNC) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "event {} cannot be {done} across the border of a graph: that takes aclrtCreateEventExWithFlag with \
                 ACL_EVENT_SYNC alone",
                self.id
            ));
        }
        if *kind.get_or_init(|| external) != external {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "event {} is {done} both across the border of a graph and not",
                self.id
            ));
        }
        Ok(())
    }

    pub(crate) fn orders(&self) -> bool {
        self.maker == Maker::Plain || self.flags & (ACL_EVENT_SYNC | ACL_EVENT_EXTERNAL) != 0
    }

    fn times(&self) -> bool {
        self.maker == Maker::Plain || self.flags & ACL_EVENT_TIME_LINE != 0
    }

    /// What to wait for; `None` for an event that was never recorded, which counts as complete.
    pub(crate) fn signal(&self) -> Result<Option<Arc<Signal>>> {
        match &*self.last.lock() {
            Last::Never => Ok(None),
            Last::Stream(signal) => Ok(Some(Arc::clone(signal))),
            Last::Capture(_) => Err(misuse!(
                ACL_ERROR_RT_EVENT_CAPTURED,
                "event {} was recorded in a capture, outside of which it has no state",
                self.id
            )),
        }
    }

    pub(crate) fn is_complete(&self) -> Result<bool> {
        if let Some(shared) = &self.shared {
            return Ok(shared.ended(shared.last()).is_some());
        }
        Ok(self.signal()?.is_none_or(|signal| signal.outcome().is_some()))
    }

    /// When it completed.
    pub(crate) fn time(&self) -> Result<Instant> {
        if !self.times() {
            return Err(misuse!(
                ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
                "event {} keeps no time: it was made without ACL_EVENT_TIME_LINE",
                self.id
            ));
        }
        let Some(signal) = self.signal()? else {
            return Err(misuse!(
                ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
                "event {} was never recorded",
                self.id
            ));
        };
        match signal.outcome() {
            Some(Outcome::Done(time)) => Ok(time),
            Some(Outcome::Aborted) => Err(misuse!(
                ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
                "the task that records event {} was thrown away",
                self.id
            )),
            None => Err(misuse!(ACL_ERROR_RT_EVENT_NOT_COMPLETE, "event {} is not complete", self.id)),
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.device.events.remove();
    }
}
