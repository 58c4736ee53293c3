//! Channels of tensors. What is sent into one is received from it, in order: there are no operators on the simulated
//! device that would take it from there.

use std::collections::VecDeque;
use std::time::Instant;

use ascendcl_sys::{aclDataType, acltdtTensorType};
use parking_lot::{Condvar, Mutex};

use crate::error::{Result, failure};

/// A tensor on its way.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub kind: acltdtTensorType,
    pub data_type: aclDataType,
    pub dimensions: Vec<i64>,
    pub data: Vec<u8>,
}

/// What is sent and received at once.
pub(crate) type Message = Vec<Tensor>;

/// A channel.
pub(crate) struct Channel {
    pub device: i32,
    /// As many messages as it holds.
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    /// How often those who wait were told to give up.
    stops: u64,
}

/// How long to wait for room or for a message.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    None,
    Until(Option<Instant>),
}

impl Channel {
    pub(crate) fn new(device: i32, capacity: usize) -> Self {
        Self { device, capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn send(&self, message: Message, patience: Patience) -> Result {
        let full =
            || failure!(ACL_ERROR_RT_QUEUE_FULL, "the channel holds {} messages already", self.capacity);
        self.attempt(patience, full, |messages| {
            let has_room = messages.len() < self.capacity;
            has_room.then(|| messages.push_back(message.clone()))
        })
    }

    pub(crate) fn receive(&self, patience: Patience) -> Result<Message> {
        let empty = || failure!(ACL_ERROR_RT_QUEUE_EMPTY, "the channel has no message");
        self.attempt(patience, empty, VecDeque::pop_front)
    }

    fn attempt<T>(
        &self,
        patience: Patience,
        out_of_patience: impl Fn() -> crate::error::Error,
        mut once: impl FnMut(&mut VecDeque<Message>) -> Option<T>,
    ) -> Result<T> {
        let mut state = self.state.lock();
        let stops = state.stops;
        loop {
            if let Some(result) = once(&mut state.messages) {
                self.changed.notify_all();
                return Ok(result);
            }
            let is_over = match patience {
                Patience::None => true,
                Patience::Until(None) => {
                    self.changed.wait(&mut state);
                    false
                }
                // The last look comes after the end.
                Patience::Until(Some(end)) if Instant::now() >= end => true,
                Patience::Until(Some(end)) => {
                    self.changed.wait_until(&mut state, end);
                    false
                }
            };
            if is_over {
                return Err(out_of_patience());
            }
            if state.stops != stops {
                return Err(failure!(ACL_ERROR_FAILURE, "the channel was stopped meanwhile"));
            }
        }
    }

    /// Lets those who wait give up.
    pub(crate) fn stop(&self) {
        self.state.lock().stops += 1;
        self.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        self.state.lock().messages.clear();
        self.changed.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().messages.len()
    }
}
