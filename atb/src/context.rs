//! Contexts: where operations are set up and executed.

use std::cell::Cell;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use ascendcl::{Device, DeviceBuffer, Event, Stream};
use atb_sys::atb_context;
use parking_lot::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::library::Library;
use crate::raw::{check_outside, is_inside};

/// Where operations are set up and executed (`atb::Context`): memory for their tiling on host and device, and the stream
/// that gets the work.
///
/// It belongs to the device of the stream that it was made with. Operations are executed on that stream or any other one of
/// the device; because their tiling shares the context's memory, a stream waits (on the device) for the one before it. For
/// work that should overlap, make a context for each stream.
///
/// It can be sent to another thread, but used by one at a time. It is destroyed when it and the operations that were set up
/// in it are gone, and their work is done.
///
/// ```
/// use ascendcl::{Backend, Runtime};
/// use atb::Context;
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let context = Context::new(&stream)?;
/// assert_eq!(context.device(), stream.device());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<atb::Context>();
/// ```
pub struct Context {
    pub(crate) core: Arc<ContextCore>,
    /// The library says nothing about threads that share one.
    not_sync: PhantomData<Cell<()>>,
}

/// Who launches what an operation consists of (`atb::LaunchMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LaunchMode {
    /// The host launches each kernel (`KERNEL_LAUNCH_MODE`).
    #[default]
    Kernel,
    /// The first execution captures a graph on the stream, which the others replay (`GRAPH_LAUNCH_MODE`).
    Graph,
}

/// The library's context, which lives as long as operations that were set up in it: they give memory back to it.
pub(crate) struct ContextCore {
    raw: NonNull<atb_context>,
    library: Library,
    device: Device,
    /// Locked for each call that uses the context, also by an operation that is dropped on another thread.
    state: Mutex<State>,
}

// SAFETY: the library has no state that belongs to the thread that made a context (ATB's source context_base.cpp; what it
// keeps by thread is the plan of memory of one set-up and the kind of execution, which this crate does not change). Uses
// are one at a time, under the lock.
unsafe impl Send for ContextCore {}
// SAFETY: as above.
unsafe impl Sync for ContextCore {}

pub(crate) struct State {
    /// Stands for the tiling memory: whoever queues work of the context writes it.
    pub(crate) token: DeviceBuffer<u8>,
    /// The stream that is set now.
    pub(crate) stream: *mut c_void,
    pace: Pace,
}

// SAFETY: the stream's handle is only compared, and handed to the library.
unsafe impl Send for State {}

/// Keeps the host from running too far ahead: the tiling memory is a ring of blocks, which the library reuses without
/// waiting (ATB's source tiling_buffer_pool.cpp). Work of the last three intervals between records may be unfinished.
struct Pace {
    /// Set-ups and executions between two records.
    period: u32,
    /// Set-ups and executions since the last record.
    count: u32,
    /// Recorded in turns.
    events: [Event; 2],
    recorded: [bool; 2],
    turn: usize,
}

/// The host's ring has 128 blocks, of which each set-up takes one. The device's has 32, but there the stream's order
/// suffices.
const PERIOD: u32 = 32;

/// Set-ups without an execution at which a record could be made; three intervals are shorter than the ring.
const LONGEST: u32 = 40;

/// The copies of another stream are not in the order of this one, and have ten events (ATB's source context_base.cpp).
const PERIOD_ASYNC: u32 = 3;

impl Context {
    /// A context on the stream's device (`CreateContext`, `SetExecuteStream`).
    ///
    /// # Errors
    /// [`Error::Unavailable`] as [`Library::of`], [`Error::Capturing`] during a capture on the stream; [`Error::Atb`] if there
    /// is no memory for the tiling (about 100 MB on the device and 400 MB, untouched, on the host), [`Error::Device`] from
    /// AscendCL.
    pub fn new(stream: &Stream) -> Result<Self> {
        check_outside("Context::new")?;
        stream.check_not_capturing("Context::new")?;
        let device = stream.device().clone();
        let library = Library::of(device.runtime())?;
        let pace = Pace {
            period: PERIOD,
            count: 0,
            events: [device.event()?, device.event()?],
            recorded: [false; 2],
            turn: 0,
        };
        let state = State { token: stream.alloc(1)?, stream: std::ptr::null_mut(), pace };
        device.make_current()?;
        let raw = library.atb().create_context()?;
        let core = ContextCore { raw, library, device, state: Mutex::new(state) };
        let context = Self { core: Arc::new(core), not_sync: PhantomData };
        // SAFETY: nothing is queued.
        unsafe {
            stream.enqueue(&[], |handle| Ok(context.core.bind(&mut context.core.lock().stream, handle.0)))
        }??;
        Ok(context)
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.core.device
    }

    /// The library.
    pub fn library(&self) -> Library {
        self.core.library
    }

    /// Copies the tiling of operations to the device on a stream of the context's own (`SetAsyncTilingCopyStatus`), so that
    /// the copy for one operation overlaps with the one before it. The host then runs at most ten executions ahead.
    ///
    /// Waits for the context's work.
    ///
    /// # Errors
    /// [`Error::Atb`] from the library, [`Error::Device`] if the work failed.
    pub fn set_async_tiling_copy(&mut self, enable: bool) -> Result<()> {
        check_outside("Context::set_async_tiling_copy")?;
        let core = &*self.core;
        let mut state = core.lock();
        state.token.synchronize()?;
        core.device.make_current()?;
        // SAFETY: the context is alive, locked, and has no work.
        unsafe { core.library.atb().set_async_tiling_copy(core.raw, enable) }?;
        state.pace.period = if enable { PERIOD_ASYNC } else { PERIOD };
        Ok(())
    }

    /// Sets who launches what an operation consists of (`SetLaunchMode`, newer than 8.1).
    ///
    /// # Errors
    /// [`Error::Atb`] with the code `SHIM_UNSUPPORTED` if the installed version has only [`LaunchMode::Kernel`].
    ///
    /// # Safety
    /// In [`LaunchMode::Graph`] the library captures the stream behind this crate's back. So while an operation is executed,
    /// nobody else queues work on its stream or destroys it; and as long as the operation exists, the memory and the workspace
    /// that it was first executed with are alive.
    pub unsafe fn set_launch_mode(&mut self, mode: LaunchMode) -> Result<()> {
        check_outside("Context::set_launch_mode")?;
        let core = &*self.core;
        let mode = match mode {
            LaunchMode::Kernel => 0,
            LaunchMode::Graph => 1,
        };
        let _state = core.lock();
        core.device.make_current()?;
        // SAFETY: the context is alive and locked.
        unsafe { core.library.atb().set_launch_mode(core.raw, mode) }
    }
}

impl ContextCore {
    pub(crate) fn raw(&self) -> NonNull<atb_context> {
        self.raw
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Makes a live stream of the device the one that gets the work. `bound` is the state's.
    pub(crate) fn bind(&self, bound: &mut *mut c_void, stream: *mut c_void) -> Result<()> {
        if *bound == stream {
            return Ok(());
        }
        // SAFETY: the context is alive and locked by whoever has the state. Work goes to the stream only while it is borrowed;
        // before that, it is set anew, should it not be the same.
        unsafe { self.library.atb().set_execute_stream(self.raw, stream) }?;
        *bound = stream;
        Ok(())
    }

    /// The right to call the library with this context.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Counts a set-up, and waits for the work if there were many without an execution.
    pub(crate) fn pace_setup(&mut self) -> Result<()> {
        self.pace.count += 1;
        if self.pace.count >= LONGEST {
            self.token.synchronize()?;
            self.pace.count = 0;
        }
        Ok(())
    }

    /// Counts an execution that is to come, and waits for old ones if there are many.
    pub(crate) fn pace_execution(&mut self, stream: &Stream) -> Result<()> {
        let pace = &mut self.pace;
        pace.count += 1;
        if pace.count < pace.period {
            return Ok(());
        }
        let event = &pace.events[pace.turn];
        if pace.recorded[pace.turn] {
            event.synchronize()?;
        }
        stream.record(event)?;
        pace.recorded[pace.turn] = true;
        pace.turn = 1 - pace.turn;
        pace.count = 0;
        Ok(())
    }
}

impl Drop for ContextCore {
    fn drop(&mut self) {
        let destroy = || -> Result<()> {
            if is_inside() {
                return Err(Error::InClosure { call: "DestroyContext" });
            }
            self.state.lock().token.synchronize()?;
            self.device.make_current()?;
            // SAFETY: operations that were set up in the context hold `self`, so there is none; their work wrote the token,
            // which was waited for.
            unsafe { self.library.atb().destroy_context(self.raw) }
        };
        // A context that cannot be destroyed safely is left.
        if let Err(error) = destroy() {
            tracing::error!(%error, "destroying the context");
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:p} on {:?})", self.core.raw, self.core.device)
    }
}
