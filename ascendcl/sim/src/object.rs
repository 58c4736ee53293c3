//! Objects that live on the host: buffers, descriptions, arrays, stamps.
//!
//! What programs hold in place of them is a number, as for [`crate::handle`]: a pointer that is null, stale, or of
//! another type is found out by look-up, and nothing is dereferenced.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::error::{Result, misuse};

// As in `handle`: upper bits for which no address is canonical, and other ones than there.
const SHIFT: u32 = usize::BITS - 8;
const TAG: usize = 0x60 << SHIFT;

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The objects of one type that are alive. `P` is what the C pointers to them point to.
pub(crate) struct Objects<P, T> {
    name: &'static str,
    live: RwLock<BTreeMap<usize, Arc<Mutex<T>>>>,
    pointer: PhantomData<fn(P)>,
}

impl<P, T> Objects<P, T> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, live: RwLock::new(BTreeMap::new()), pointer: PhantomData }
    }

    pub(crate) fn add(&self, object: T) -> *mut P {
        let number = TAG | NEXT.fetch_add(1, Ordering::Relaxed) << 4;
        self.live.write().insert(number, Arc::new(Mutex::new(object)));
        ptr::without_provenance_mut(number)
    }

    pub(crate) fn get(&self, pointer: *const P) -> Result<Arc<Mutex<T>>> {
        self.live.read().get(&pointer.addr()).cloned().ok_or_else(|| self.unknown(pointer.addr()))
    }

    /// Reads or changes an object.
    pub(crate) fn with<R>(&self, pointer: *const P, body: impl FnOnce(&mut T) -> R) -> Result<R> {
        let object = self.get(pointer)?;
        let mut object = object.lock();
        Ok(body(&mut object))
    }

    /// Takes an object out of the program's hands. It ends when nobody uses it any more.
    pub(crate) fn remove(&self, pointer: *const P) -> Result<Arc<Mutex<T>>> {
        self.live.write().remove(&pointer.addr()).ok_or_else(|| self.unknown(pointer.addr()))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Mutex<T>>> {
        self.live.read().values().cloned().collect()
    }

    /// Takes all objects out of the program's hands.
    pub(crate) fn clear(&self) {
        self.live.write().clear();
    }

    fn unknown(&self, number: usize) -> crate::error::Error {
        match number {
            0 => misuse!(ACL_ERROR_INVALID_PARAM, "the {} is null", self.name),
            _ => misuse!(
                ACL_ERROR_RT_INVALID_HANDLE,
                "{number:#x} is no {}; it was destroyed, or is something else",
                self.name
            ),
        }
    }
}
