//! Handles: what C programs hold in place of streams, events, contexts and graphs.
//!
//! A handle is a number that was never an address: it has its kind in its upper bits and is not given out
//! twice. So a handle that is stale, invented or of another kind is found out by look-up, and nothing is
//! dereferenced.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::error::{Result, misuse};

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Kind {
    Context = 0x51,
    Stream = 0x52,
    Event = 0x53,
    Graph = 0x54,
    Notify = 0x55,
    MemPool = 0x56,
    TaskGroup = 0x57,
    Label = 0x58,
    LabelList = 0x59,
    Condition = 0x5a,
    Physical = 0x5b,
}

// Upper bits for which no address is canonical, so that a dereferenced handle faults.
const SHIFT: u32 = usize::BITS - 8;

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Stream => "stream",
            Self::Event => "event",
            Self::Graph => "graph",
            Self::Notify => "notify",
            Self::MemPool => "memory pool",
            Self::TaskGroup => "task group",
            Self::Label => "label",
            Self::LabelList => "list of labels",
            Self::Condition => "condition",
            Self::Physical => "physical memory",
        }
    }

    fn of(handle: usize) -> Option<Self> {
        let kinds = [Self::Context, Self::Stream, Self::Event, Self::Graph, Self::Notify];
        let mut kinds = kinds.into_iter().chain([
            Self::MemPool,
            Self::TaskGroup,
            Self::Label,
            Self::LabelList,
            Self::Condition,
            Self::Physical,
        ]);
        kinds.find(|&kind| kind as usize == handle >> SHIFT)
    }
}

/// A number that stands for one thing, once and for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle(usize);

static NEXT: AtomicUsize = AtomicUsize::new(1);

impl Handle {
    pub(crate) fn new(kind: Kind) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self((kind as usize) << SHIFT | number << 4)
    }

    pub(crate) fn pointer(self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.0)
    }
}

/// The things of one kind that are alive.
pub(crate) struct Registry<T> {
    kind: Kind,
    live: RwLock<HashMap<usize, Arc<T>>>,
}

impl<T> Registry<T> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, live: RwLock::new(HashMap::new()) }
    }

    pub(crate) fn insert(&self, handle: Handle, thing: Arc<T>) {
        self.live.write().insert(handle.0, thing);
    }

    /// The thing that a program's handle stands for.
    pub(crate) fn get(&self, handle: *mut c_void) -> Result<Arc<T>> {
        self.live.read().get(&handle.addr()).cloned().ok_or_else(|| self.unknown(handle.addr()))
    }

    /// As [`Self::get`], and ends its life.
    pub(crate) fn remove(&self, handle: *mut c_void) -> Result<Arc<T>> {
        self.live.write().remove(&handle.addr()).ok_or_else(|| self.unknown(handle.addr()))
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.live.read().values().cloned().collect()
    }

    fn unknown(&self, handle: usize) -> crate::error::Error {
        let wanted = self.kind.name();
        if handle == 0 {
            return misuse!(ACL_ERROR_INVALID_PARAM, "the {wanted} is null");
        }
        match Kind::of(handle) {
            Some(kind) if kind == self.kind => {
                misuse!(ACL_ERROR_RT_INVALID_HANDLE, "the {wanted} {handle:#x} was destroyed")
            }
            Some(kind) => {
                misuse!(
                    ACL_ERROR_RT_INVALID_HANDLE,
                    "{handle:#x} is a handle of {}, not of {wanted}",
                    kind.name()
                )
            }
            None => misuse!(ACL_ERROR_RT_INVALID_HANDLE, "{handle:#x} is not a handle of {wanted}"),
        }
    }
}
