//! Handles: what programs hold in place of contexts and operations.
//!
//! A handle is a number that was never an address and is not given out twice. A pointer that is null, stale, or invented is
//! found out by look-up, and nothing is dereferenced.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atb_sys::{ATB_SHIM_INVALID_ARGUMENT, atb_status};
use parking_lot::RwLock;

use crate::operator::{Refusal, Result};

// Upper bits for which no address is canonical, so that a program that dereferences a handle faults at once.
const SHIFT: u32 = usize::BITS - 8;
const TAG: usize = 0x70 << SHIFT;

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The things of one kind that are alive. `P` is what the C pointers to them point to.
pub(crate) struct Registry<P, T> {
    name: &'static str,
    /// What ATB calls a wrong pointer of this kind.
    unknown: atb_status,
    live: RwLock<BTreeMap<usize, Arc<T>>>,
    pointer: PhantomData<fn(P)>,
}

impl<P, T> Registry<P, T> {
    pub(crate) const fn new(name: &'static str, unknown: atb_status) -> Self {
        Self { name, unknown, live: RwLock::new(BTreeMap::new()), pointer: PhantomData }
    }

    pub(crate) fn add(&self, thing: T) -> *mut P {
        let handle = TAG | NEXT.fetch_add(1, Ordering::Relaxed) << 4;
        self.live.write().insert(handle, Arc::new(thing));
        ptr::without_provenance_mut(handle)
    }

    pub(crate) fn get(&self, handle: *const P) -> Result<Arc<T>> {
        self.live.read().get(&handle.addr()).cloned().ok_or_else(|| self.refusal(handle.addr()))
    }

    /// Takes a thing out of the program's hands. It ends when nobody uses it any more.
    pub(crate) fn remove(&self, handle: *const P) -> Result<Arc<T>> {
        self.live.write().remove(&handle.addr()).ok_or_else(|| self.refusal(handle.addr()))
    }

    pub(crate) fn all(&self) -> Vec<(usize, Arc<T>)> {
        self.live.read().iter().map(|(handle, thing)| (*handle, thing.clone())).collect()
    }

    fn refusal(&self, handle: usize) -> Refusal {
        let name = self.name;
        match handle {
            0 => Refusal { status: ATB_SHIM_INVALID_ARGUMENT, message: format!("the {name} is null") },
            _ => Refusal {
                status: self.unknown,
                message: format!(
                    "{handle:#x} is no {name}; it was destroyed, or a graph owns it, or it never was one"
                ),
            },
        }
    }
}
