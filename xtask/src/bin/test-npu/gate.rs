//! Work of a stream that waits until the host lets it go.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use ascendcl::Stream;

use crate::suite::Failure;

/// As long as work may take that is not held up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Holds up what is queued after it, until it is opened or dropped.
pub struct Gate {
    open: Sender<()>,
    gave_up: Receiver<()>,
}

impl Gate {
    /// Queues the wait, which ends by itself after `patience`.
    pub fn close(stream: &Stream, patience: Duration) -> Result<Self, ascendcl::Error> {
        let (open, opened) = channel::<()>();
        let (give_up, gave_up) = channel();
        stream.host_function(move || {
            if opened.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                let _ = give_up.send(());
            }
        })?;
        Ok(Self { open, gave_up })
    }

    /// Lets the work go.
    ///
    /// Fails if it did not wait until now: then what was queued behind the gate has waited for what is before it.
    pub fn open(self) -> Result<(), Failure> {
        let waited = self.gave_up.try_recv().is_err();
        drop(self.open);
        if waited { Ok(()) } else { Err("work that was held up was waited for while more was queued".into()) }
    }
}

#[cfg(test)]
mod tests {
    use ascendcl::{Backend, Runtime};

    use super::*;

    #[test]
    fn work_waits_until_the_gate_is_opened() {
        let stream = Runtime::with_backend(Backend::Sim).unwrap().device(0).unwrap().stream().unwrap();
        let gate = Gate::close(&stream, PATIENCE).unwrap();
        assert!(stream.synchronize_timeout(Duration::from_millis(20)).is_err());
        gate.open().unwrap();
        stream.synchronize().unwrap();
        // Dropped, as after an error.
        drop(Gate::close(&stream, PATIENCE).unwrap());
        stream.synchronize().unwrap();
    }

    #[test]
    fn a_gate_that_was_waited_for_is_told() {
        let stream = Runtime::with_backend(Backend::Sim).unwrap().device(0).unwrap().stream().unwrap();
        let gate = Gate::close(&stream, Duration::from_millis(1)).unwrap();
        stream.synchronize().unwrap();
        assert!(gate.open().unwrap_err().to_string().contains("was waited for"));
    }
}
