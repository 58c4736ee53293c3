//! Labels: places in the streams of a graph that other tasks jump to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::error::{Result, failure, misuse};
use crate::handle::{Handle, Kind};

/// As many labels as a process has at once (AscendCL docs: label management).
const MAX_LABELS: usize = 65535;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static NEXT_ID: AtomicU32 = AtomicU32::new(0);
static NEXT_LIST_ID: AtomicU32 = AtomicU32::new(0);

/// A label.
pub(crate) struct Label {
    pub handle: Handle,
    pub id: u32,
    pub device: i32,
    /// The context that it belongs to.
    pub context: Handle,
    is_listed: AtomicBool,
    is_set: AtomicBool,
}

impl Label {
    pub(crate) fn new(device: i32, context: Handle) -> Result<Arc<Self>> {
        let add = |count| (count < MAX_LABELS).then_some(count + 1);
        if COUNT.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_err() {
            return Err(failure!(
                ACL_ERROR_RT_INTERNAL_ERROR,
                "a process has no more than {MAX_LABELS} labels"
            ));
        }
        Ok(Arc::new(Self {
            handle: Handle::new(Kind::Label),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device,
            context,
            is_listed: AtomicBool::new(false),
            is_set: AtomicBool::new(false),
        }))
    }

    /// Marks that the label is put into a stream, for which it must be part of a list, and which happens once.
    pub(crate) fn set(&self) -> Result {
        if !self.is_listed.load(Ordering::Acquire) {
            return Err(misuse!(
                ACL_ERROR_RT_INTERNAL_ERROR,
                "label {} is in no list; call aclrtCreateLabelList before aclrtSetLabel",
                self.id
            ));
        }
        if self.is_set.swap(true, Ordering::AcqRel) {
            return Err(misuse!(ACL_ERROR_RT_INTERNAL_ERROR, "label {} was set before", self.id));
        }
        Ok(())
    }

    /// Takes [`Self::set`] back.
    pub(crate) fn unset(&self) {
        self.is_set.store(false, Ordering::Release);
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Labels to choose from by an index.
pub(crate) struct LabelList {
    pub handle: Handle,
    pub id: u32,
    pub device: i32,
    pub labels: Vec<Arc<Label>>,
}

impl LabelList {
    /// Makes a list of one label or more.
    pub(crate) fn new(device: i32, labels: Vec<Arc<Label>>) -> Arc<Self> {
        for label in &labels {
            label.is_listed.store(true, Ordering::Release);
        }
        let id = NEXT_LIST_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { handle: Handle::new(Kind::LabelList), id, device, labels })
    }
}
