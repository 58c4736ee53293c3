//! Named ranges in a profile.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::error::Result;
use crate::runtime::Runtime;

/// A named range of host time in the profiler's timeline, from its creation to its end (`aclprofRangeStart`,
/// `aclprofRangeStop`).
///
/// It belongs to the thread that began it.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// let range = runtime.profiling_range("prepare weights")?;
/// // ... work ...
/// range.end()?;
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct ProfilingRange {
    /// Holds the library open; `None` when the range has ended.
    runtime: Option<Runtime>,
    stamp: NonNull<c_void>,
    range: u32,
    /// Not `Send`: the profiler keeps ranges by thread.
    thread: PhantomData<*const ()>,
}

impl Runtime {
    /// Begins a named range.
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) if the profiling library is not installed,
    /// [`Error::Acl`](crate::Error::Acl) from it.
    pub fn profiling_range(&self, name: &str) -> Result<ProfilingRange> {
        let (stamp, range) = self.acl().range_start(name)?;
        Ok(ProfilingRange { runtime: Some(self.clone()), stamp, range, thread: PhantomData })
    }
}

impl ProfilingRange {
    /// Ends the range. Dropping it does too, and logs what goes wrong.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the profiler.
    pub fn end(mut self) -> Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> Result<()> {
        match self.runtime.take() {
            // SAFETY: both came from `range_start`, and `runtime` is taken, so this happens once.
            Some(runtime) => unsafe { runtime.acl().range_stop(self.stamp, self.range) },
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ProfilingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProfilingRange({})", self.range)
    }
}

impl Drop for ProfilingRange {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "ending a profiling range");
        }
    }
}
