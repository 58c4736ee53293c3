//! How tasks of a stream wait, and what ends that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ascendcl_sys::ACL_ERROR_RT_TASK_TIMEOUT;

use super::Stream;
use crate::error::{Result, failure};
use crate::signal::{Outcome, Signal, Waited};

impl Stream {
    /// Lets the running task wait for a signal, until it is interrupted.
    pub(crate) fn block_on(&self, signal: &Arc<Signal>, timeout: Option<Duration>) -> Result<Outcome> {
        *self.blocked_on.lock() = Some(Arc::clone(signal));
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let waited = signal.wait(deadline, || self.interrupt.load(Ordering::Acquire));
        *self.blocked_on.lock() = None;
        match waited {
            Waited::For(outcome) => Ok(outcome),
            Waited::Interrupted => {
                Err(failure!(ACL_ERROR_RT_STREAM_ABORT, "a task of stream {} was stopped", self.id))
            }
            Waited::TimedOut => {
                Err(failure!(ACL_ERROR_RT_TASK_TIMEOUT, "a task of stream {} waited too long", self.id))
            }
        }
    }

    /// Ends what a task waits for that a graph runs on this stream; see [`Self::resume`].
    pub(crate) fn interrupt(&self) {
        self.interrupt.store(true, Ordering::Release);
        if let Some(signal) = &*self.blocked_on.lock() {
            signal.poke();
        }
    }

    /// Takes [`Self::interrupt`] back.
    pub(crate) fn resume(&self) {
        self.interrupt.store(false, Ordering::Release);
    }

    /// Refuses to go on with a task that is to give up.
    pub(crate) fn refuse_interrupt(&self) -> Result {
        if self.interrupt.load(Ordering::Acquire) {
            return Err(failure!(ACL_ERROR_RT_STREAM_ABORT, "a task of stream {} was stopped", self.id));
        }
        Ok(())
    }

    /// Lets the running task sleep, unless it is interrupted.
    pub(crate) fn pause(&self, time: Duration) -> Result {
        match self.block_on(&Arc::default(), Some(time)) {
            Err(error) if error.code == ACL_ERROR_RT_TASK_TIMEOUT => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}
