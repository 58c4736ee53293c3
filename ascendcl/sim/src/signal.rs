//! Something that happens once and that threads wait for: a recorded event, a callback that ran.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It happened at this time.
    Done(Instant),
    /// It will not happen: its task was thrown away.
    Aborted,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    For(Outcome),
    Interrupted,
    TimedOut,
}

#[derive(Debug, Default)]
pub(crate) struct Signal {
    outcome: Mutex<Option<Outcome>>,
    changed: Condvar,
}

impl Signal {
    /// Ends it; the first outcome counts.
    pub(crate) fn set(&self, outcome: Outcome) {
        self.outcome.lock().get_or_insert(outcome);
        self.changed.notify_all();
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        *self.outcome.lock()
    }

    /// Waits for the outcome, until `deadline`, and as long as `interrupted` says no; see [`Self::poke`].
    pub(crate) fn wait(&self, deadline: Option<Instant>, interrupted: impl Fn() -> bool) -> Waited {
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = *outcome {
                return Waited::For(outcome);
            }
            if interrupted() {
                return Waited::Interrupted;
            }
            match deadline {
                None => self.changed.wait(&mut outcome),
                Some(deadline) => {
                    if self.changed.wait_until(&mut outcome, deadline).timed_out() && outcome.is_none() {
                        return Waited::TimedOut;
                    }
                }
            }
        }
    }

    /// Makes those who wait ask again whether they are interrupted.
    pub(crate) fn poke(&self) {
        // A thread that has asked and not yet gone to sleep holds the lock.
        drop(self.outcome.lock());
        self.changed.notify_all();
    }
}
