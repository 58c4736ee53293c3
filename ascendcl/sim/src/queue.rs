//! Queues of data, which routes may lead on to other queues.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::channel::Patience;
use crate::error::{Error, Result, failure, misuse};
use crate::report::{Leak, Resource};

/// What a queue holds one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub data: Vec<u8>,
    /// What the program says about the data.
    pub note: Vec<u8>,
}

struct Queue {
    depth: usize,
    messages: VecDeque<Message>,
}

/// Queues by their numbers, and the routes between them.
struct Queues {
    last: u32,
    queues: BTreeMap<u32, Queue>,
    routes: Vec<(u32, u32)>,
}

static QUEUES: Mutex<Queues> = Mutex::new(Queues { last: 0, queues: BTreeMap::new(), routes: Vec::new() });
static CHANGED: Condvar = Condvar::new();

pub(crate) fn create(depth: usize) -> u32 {
    let mut queues = QUEUES.lock();
    queues.last += 1;
    let number = queues.last;
    queues.queues.insert(number, Queue { depth, messages: VecDeque::new() });
    number
}

/// Destroys a queue, what is in it, and its routes.
pub(crate) fn destroy(number: u32) -> Result {
    let mut queues = QUEUES.lock();
    queues.queues.remove(&number).ok_or_else(|| unknown(number))?;
    queues.routes.retain(|&(from, to)| from != number && to != number);
    CHANGED.notify_all();
    Ok(())
}

/// The queues that are alive.
pub(crate) fn alive() -> Vec<Leak> {
    let numbers: Vec<u32> = QUEUES.lock().queues.keys().copied().collect();
    numbers.into_iter().map(|number| Leak { device: -1, resource: Resource::Queue(number) }).collect()
}

/// Destroys all queues and routes; those who wait are told that there is no such queue.
pub(crate) fn reset() {
    let mut queues = QUEUES.lock();
    queues.queues.clear();
    queues.routes.clear();
    CHANGED.notify_all();
}

pub(crate) fn enqueue(number: u32, message: &Message, patience: Patience) -> Result {
    attempt(patience, |queues| {
        let queue = queues.queues.get_mut(&number).ok_or_else(|| unknown(number))?;
        if queue.messages.len() == queue.depth {
            return Err(failure!(
                ACL_ERROR_RT_QUEUE_FULL,
                "queue {number} holds {} messages already",
                queue.depth
            ));
        }
        queue.messages.push_back(message.clone());
        Ok(())
    })
}

/// Takes the first message of a queue, if it is not longer than `most` bytes, which `note` bytes are said about.
pub(crate) fn dequeue(number: u32, most: usize, note: usize, patience: Patience) -> Result<Message> {
    attempt(patience, |queues| {
        let queue = queues.queues.get_mut(&number).ok_or_else(|| unknown(number))?;
        let first = queue
            .messages
            .front()
            .ok_or_else(|| failure!(ACL_ERROR_RT_QUEUE_EMPTY, "queue {number} has no message"))?;
        if first.data.len() > most || first.note.len() < note {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the message has {} bytes of data and {} of the program's own, not {most} and {note}",
                first.data.len(),
                first.note.len()
            ));
        }
        Ok(queue.messages.pop_front().unwrap_or_default())
    })
}

/// Lets what comes into one queue go on to another one; see [`settle`] for what is there already.
pub(crate) fn bind(from: u32, to: u32) -> Result {
    let mut queues = QUEUES.lock();
    for number in [from, to] {
        if !queues.queues.contains_key(&number) {
            return Err(unknown(number));
        }
    }
    if queues.routes.contains(&(from, to)) {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "queue {from} leads to queue {to} already"));
    }
    if from == to || queues.leads(to, from) {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "a route from queue {from} to queue {to} makes a circle"
        ));
    }
    queues.routes.push((from, to));
    Ok(())
}

/// Lets what is in queues already go along routes that were bound meanwhile.
pub(crate) fn settle() {
    QUEUES.lock().forward();
    CHANGED.notify_all();
}

pub(crate) fn unbind(from: u32, to: u32) -> Result {
    let mut queues = QUEUES.lock();
    let index = queues.routes.iter().position(|&route| route == (from, to));
    let index =
        index.ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "queue {from} does not lead to queue {to}"))?;
    queues.routes.remove(index);
    Ok(())
}

/// The routes, from source to destination.
pub(crate) fn routes() -> Vec<(u32, u32)> {
    QUEUES.lock().routes.clone()
}

/// Tries until it works or the patience is over; only a full or an empty queue is waited for.
fn attempt<T>(patience: Patience, mut once: impl FnMut(&mut Queues) -> Result<T>) -> Result<T> {
    let mut queues = QUEUES.lock();
    loop {
        let error = match once(&mut queues) {
            Ok(result) => {
                queues.forward();
                CHANGED.notify_all();
                return Ok(result);
            }
            Err(error) => error,
        };
        let may_pass = [ascendcl_sys::ACL_ERROR_RT_QUEUE_FULL, ascendcl_sys::ACL_ERROR_RT_QUEUE_EMPTY];
        match patience {
            _ if !may_pass.contains(&error.code) => return Err(error),
            Patience::None => return Err(error),
            Patience::Until(None) => CHANGED.wait(&mut queues),
            // The last try comes after the end.
            Patience::Until(Some(end)) if Instant::now() >= end => return Err(error),
            Patience::Until(Some(end)) => {
                CHANGED.wait_until(&mut queues, end);
            }
        }
    }
}

impl Queues {
    fn leads(&self, from: u32, to: u32) -> bool {
        self.destinations(from).any(|next| next == to || self.leads(next, to))
    }

    fn destinations(&self, from: u32) -> impl Iterator<Item = u32> {
        self.routes.iter().filter(move |(source, _)| *source == from).map(|&(_, to)| to)
    }

    /// Moves what can move along the routes. A message moves when every destination has room for it.
    fn forward(&mut self) {
        while let Some((from, to)) = self.movable() {
            let message = self.queues.get_mut(&from).and_then(|queue| queue.messages.pop_front());
            for number in to {
                if let (Some(queue), Some(message)) = (self.queues.get_mut(&number), &message) {
                    queue.messages.push_back(message.clone());
                }
            }
        }
    }

    /// A queue whose first message can move, and where to.
    fn movable(&self) -> Option<(u32, Vec<u32>)> {
        let filled = self.queues.iter().filter(|(_, queue)| !queue.messages.is_empty());
        filled
            .map(|(&from, _)| (from, self.destinations(from).collect::<Vec<_>>()))
            .find(|(_, to)| !to.is_empty() && to.iter().all(|number| self.has_room(*number)))
    }

    fn has_room(&self, number: u32) -> bool {
        self.queues.get(&number).is_some_and(|queue| queue.messages.len() < queue.depth)
    }
}

fn unknown(number: u32) -> Error {
    misuse!(ACL_ERROR_INVALID_PARAM, "there is no queue {number}")
}
