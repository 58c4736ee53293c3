//! Notifies: marks that one stream sets and one wait takes down again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ascendcl_sys::ACL_ERROR_RT_TASK_TIMEOUT;
use parking_lot::Mutex;

use crate::device::{Device, MAX_NOTIFIES};
use crate::error::{Error, Result, failure, misuse};
use crate::handle::{Handle, Kind};
use crate::shared_marks::{SharedMark, poll};
use crate::sharing::{Key, Offer, Thing};
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;

/// A notify.
pub(crate) struct Notify {
    pub handle: Handle,
    pub id: u32,
    pub device: Arc<Device>,
    /// The device that it was made on: another one, if another process shares it.
    home: i32,
    state: Mutex<State>,
}

enum State {
    /// Of this process alone.
    Own {
        is_set: bool,
        /// The tasks that wait for it, in order.
        waiting: VecDeque<Arc<Signal>>,
    },
    /// Shared with other processes; with the key if it is this process that shares it.
    Shared { mark: Arc<SharedMark>, key: Option<Key> },
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Notify {
    pub(crate) fn new(device: &Arc<Device>) -> Result<Arc<Self>> {
        Self::make(device, device.id, State::Own { is_set: false, waiting: VecDeque::new() })
    }

    /// One that another process shares.
    pub(crate) fn import(device: &Arc<Device>, key: Key) -> Result<Arc<Self>> {
        let (mark, home) = SharedMark::borrow(key)?;
        Self::make(device, home, State::Shared { mark: Arc::new(mark), key: None })
    }

    fn make(device: &Arc<Device>, home: i32, state: State) -> Result<Arc<Self>> {
        if !device.notifies.add(MAX_NOTIFIES) {
            return Err(failure!(
                ACL_ERROR_RT_NO_NOTIFY_RESOURCE,
                "a device has no more than {MAX_NOTIFIES} notifies"
            ));
        }
        Ok(Arc::new(Self {
            handle: Handle::new(Kind::Notify),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            home,
            state: Mutex::new(state),
        }))
    }

    /// Shares it with other processes, once; answers with the key of then if it is shared already.
    pub(crate) fn share(&self, offer: impl FnOnce(&SharedMark) -> Result<Key>) -> Result<Key> {
        let mut state = self.state.lock();
        let (is_set, waiting) = match &mut *state {
            State::Shared { key: Some(key), .. } => return Ok(*key),
            State::Shared { key: None, .. } => {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "notify {} was imported; only the process that made it can share it",
                    self.id
                ));
            }
            State::Own { is_set, waiting } => (*is_set, std::mem::take(waiting)),
        };
        let mark = SharedMark::new(is_set)?;
        let key = offer(&mark)?;
        *state = State::Shared { mark: Arc::new(mark), key: Some(key) };
        drop(state);
        // Those who wait look at the shared mark from now on.
        for signal in waiting {
            signal.set(Outcome::Aborted);
        }
        Ok(key)
    }

    /// By what it is shared.
    pub(crate) fn key(&self) -> Option<Key> {
        match &*self.state.lock() {
            State::Own { .. } => None,
            State::Shared { key, .. } => *key,
        }
    }

    /// Refuses a device that does not reach the one of the process that shares the notify.
    pub(crate) fn check_reach(&self, device: &Device) -> Result {
        if self.home == self.device.id
            || self.home == device.id
            || device.state.lock().peers.contains(&self.home)
        {
            return Ok(());
        }
        Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "notify {} is of device {}, to which device {} has no peer access",
            self.id,
            self.home,
            device.id
        ))
    }

    /// The device that it was made on.
    pub(crate) fn home(&self) -> i32 {
        self.home
    }

    /// Lets the first waiting task go on, or the next one that comes.
    pub(crate) fn record(&self) {
        match &mut *self.state.lock() {
            State::Own { is_set, waiting } => match waiting.pop_front() {
                Some(signal) => signal.set(Outcome::Done(Instant::now())),
                None => *is_set = true,
            },
            State::Shared { mark, .. } => mark.set(),
        }
    }

    /// Waits, on the worker of a stream, until it is set, and takes it down.
    pub(crate) fn wait(&self, stream: &Stream, timeout: Option<Duration>) -> Result {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let signal = Arc::<Signal>::default();
        let mark = match &mut *self.state.lock() {
            State::Own { is_set, waiting } => {
                if std::mem::take(is_set) {
                    return Ok(());
                }
                waiting.push_back(Arc::clone(&signal));
                None
            }
            State::Shared { mark, .. } => Some(Arc::clone(mark)),
        };
        if let Some(mark) = mark {
            return wait_shared(&mark, stream, deadline);
        }
        let outcome = match stream.block_on(&signal, timeout) {
            Ok(outcome) => outcome,
            Err(error) => return self.give_up(&signal, error),
        };
        let mark = match &*self.state.lock() {
            State::Shared { mark, .. } if outcome == Outcome::Aborted => Arc::clone(mark),
            _ => return Ok(()),
        };
        wait_shared(&mark, stream, deadline)
    }

    /// Ends a wait that is over without a record, unless one has come between the end and this call: then it was in time, or,
    /// if the wait was to stop, it is for the next one that waits.
    fn give_up(&self, signal: &Arc<Signal>, error: Error) -> Result {
        if let State::Own { waiting, .. } = &mut *self.state.lock() {
            waiting.retain(|waiting| !Arc::ptr_eq(waiting, signal));
        }
        // Nobody finds the signal from here on.
        match signal.outcome() {
            Some(Outcome::Done(_)) if error.code == ACL_ERROR_RT_TASK_TIMEOUT => Ok(()),
            Some(Outcome::Done(_)) => {
                self.record();
                Err(error)
            }
            _ => Err(error),
        }
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        self.device.notifies.remove();
    }
}

fn wait_shared(mark: &SharedMark, stream: &Stream, deadline: Option<Instant>) -> Result {
    let look = || match mark.take() {
        true => Ok(Some(())),
        false if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
            Err(failure!(ACL_ERROR_RT_TASK_TIMEOUT, "a task of stream {} waited too long", stream.id))
        }
        false => Ok(None),
    };
    poll(look, |time| stream.pause(time))
}

/// What other processes are to know of a notify of a device.
pub(crate) fn offer(device: i32, mark: &SharedMark) -> Offer {
    Offer::of_page(Thing::Notify, device, mark.page())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soc;

    fn waiting(notify: &Notify) -> Arc<Signal> {
        let signal = Arc::<Signal>::default();
        match &mut *notify.state.lock() {
            State::Own { waiting, .. } => waiting.push_back(Arc::clone(&signal)),
            State::Shared { .. } => panic!("nobody shares it"),
        }
        signal
    }

    fn is_set(notify: &Notify) -> bool {
        matches!(&*notify.state.lock(), State::Own { is_set: true, .. })
    }

    /// The moment between the end of a wait and its leaving the list cannot be hit from outside.
    #[test]
    fn a_record_that_comes_while_a_wait_ends_is_not_lost() {
        let device = Arc::new(Device::new(0, &soc::ALL[0], 2 << 20));
        let notify = Notify::new(&device).unwrap();
        let late = || failure!(ACL_ERROR_RT_TASK_TIMEOUT, "too late");
        let stopped = || failure!(ACL_ERROR_RT_STREAM_ABORT, "stopped");

        let signal = waiting(&notify);
        assert!(notify.give_up(&signal, late()).is_err());
        notify.record();
        assert!(is_set(&notify), "nobody waited");
        assert!(std::mem::take(match &mut *notify.state.lock() {
            State::Own { is_set, .. } => is_set,
            State::Shared { .. } => panic!("nobody shares it"),
        }));

        let signal = waiting(&notify);
        notify.record();
        assert!(notify.give_up(&signal, late()).is_ok(), "the wait has its record");
        assert!(!is_set(&notify));

        let (first, second) = (waiting(&notify), waiting(&notify));
        notify.record();
        assert!(notify.give_up(&first, stopped()).is_err());
        assert!(matches!(second.outcome(), Some(Outcome::Done(_))), "the record is for the next one");
        assert!(!is_set(&notify));
    }
}
