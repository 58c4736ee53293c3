//! Contexts: what a thread works in. Each belongs to a device and has a default stream.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ascendcl_sys::aclSysParamOpt;
use parking_lot::Mutex;

use crate::device::Device;
use crate::error::{Error, Result, misuse};
use crate::fault;
use crate::handle::{Handle, Kind};
use crate::simulator;
use crate::stream::Stream;

/// A context.
pub(crate) struct Context {
    pub handle: Handle,
    pub device: Arc<Device>,
    /// Whether it is the one that `aclrtSetDevice` makes, which lives as long as the device is in use.
    pub is_primary: bool,
    pub default_stream: Arc<Stream>,
    pub parameters: Mutex<HashMap<aclSysParamOpt, i64>>,
    pub failure: Arc<Failure>,
    alive: AtomicBool,
}

/// What streams of one context share: whether a failed task stops them all, and whether one has.
#[derive(Default)]
pub(crate) struct Failure {
    stops: AtomicBool,
    happened: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Failure {
    pub(crate) fn stop_on_failure(&self) {
        self.stops.store(true, Ordering::Release);
    }

    pub(crate) fn stops(&self) -> bool {
        self.stops.load(Ordering::Acquire)
    }

    pub(crate) fn happened(&self, error: &Error) {
        if self.stops() {
            self.error.lock().get_or_insert_with(|| error.clone());
            self.happened.store(true, Ordering::Release);
        }
    }

    /// The error that stopped the streams.
    pub(crate) fn stopped(&self) -> Option<Error> {
        if self.happened.load(Ordering::Acquire) { self.error.lock().clone() } else { None }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    pub(crate) fn new(device: &Arc<Device>, is_primary: bool) -> Result<Arc<Self>> {
        let handle = Handle::new(Kind::Context);
        let failure = Arc::<Failure>::default();
        let default_stream = Stream::new_default(device, handle, &failure)?;
        Ok(Arc::new(Self {
            handle,
            device: Arc::clone(device),
            is_primary,
            default_stream,
            parameters: Mutex::default(),
            failure,
            alive: AtomicBool::new(true),
        }))
    }

    pub(crate) fn end(&self) {
        self.alive.store(false, Ordering::Release);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(crate) fn make_current(self: &Arc<Self>) {
        CURRENT.set(Some(Arc::clone(self)));
    }
}

/// The thread's context, whose device must be there. A thread without one takes the default device, if the file of `aclInit`
/// names one.
pub(crate) fn current() -> Result<Arc<Context>> {
    let context = CURRENT.with_borrow(|current| current.clone().filter(|context| context.is_alive()));
    let context = match context {
        Some(context) => context,
        None => by_default()?.ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_CONTEXT_NULL,
                "this thread has no context; call aclrtSetDevice or aclrtSetCurrentContext in it first"
            )
        })?,
    };
    fault::check_not_lost(context.device.id)?;
    Ok(context)
}

fn by_default() -> Result<Option<Arc<Context>>> {
    let Some(simulator) = simulator::running() else { return Ok(None) };
    let Some(device) = simulator.settings.default_device else { return Ok(None) };
    simulator.use_device(simulator.device(device)?).map(Some)
}

/// The device of the thread's context, if it has one.
pub(crate) fn current_device() -> Option<i32> {
    CURRENT.try_with(|current| current.borrow().as_ref().map(|context| context.device.id)).ok().flatten()
}
