//! Callbacks that a thread of the program runs: `aclrtSubscribeReport` and its kin.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::error::{Result, failure, misuse};
use crate::raw::{self, Call};
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;

/// As many threads as can be subscribed (AscendCL docs: execution control).
const MAX_THREADS: usize = 1024;

/// What waits for one thread to call `aclrtProcessReport`.
pub(crate) struct Inbox {
    thread: u64,
    device: i32,
    calls: Mutex<Calls>,
    arrived: Condvar,
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<(Call, Arc<Signal>)>,
    /// No stream is subscribed to the thread any more.
    closed: bool,
}

impl Inbox {
    /// Hands a call to the thread; the signal says when it has run.
    pub(crate) fn deliver(&self, call: Call) -> Result<Arc<Signal>> {
        let mut calls = self.calls.lock();
        if calls.closed {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_NO_CB_REG,
                "the subscription ended before a callback of the stream could run"
            ));
        }
        let signal = Arc::<Signal>::default();
        calls.waiting.push_back((call, Arc::clone(&signal)));
        self.arrived.notify_all();
        Ok(signal)
    }

    /// Throws away the calls that wait.
    fn close(&self) {
        let mut calls = self.calls.lock();
        calls.closed = true;
        for (_, signal) in calls.waiting.drain(..) {
            signal.set(Outcome::Aborted);
        }
        self.arrived.notify_all();
    }
}

/// How a stream calls back; the two ways are not to be mixed.
#[derive(Default)]
pub(crate) enum Way {
    #[default]
    None,
    /// By a thread of the program, `aclrtSubscribeReport`.
    Subscribed(Arc<Inbox>),
    /// By a thread of the runtime, `aclrtLaunchHostFunc`.
    HostFunctions,
}

struct Subscription {
    inbox: Arc<Inbox>,
    streams: usize,
}

/// The threads that streams are subscribed to.
#[derive(Default)]
pub(crate) struct Subscriptions {
    threads: Mutex<HashMap<u64, Subscription>>,
}

impl Subscriptions {
    pub(crate) fn subscribe(&self, thread: u64, stream: &Stream) -> Result {
        let mut threads = self.threads.lock();
        let mut way = stream.callbacks.lock();
        match &*way {
            Way::None => {}
            Way::Subscribed(_) => {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_SUBSCRIBE,
                    "stream {} is subscribed to a thread already",
                    stream.id
                ));
            }
            Way::HostFunctions => {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_SUBSCRIBE,
                    "stream {} calls back by aclrtLaunchHostFunc, which does not mix with a subscription",
                    stream.id
                ));
            }
        }
        if threads.len() >= MAX_THREADS && !threads.contains_key(&thread) {
            return Err(misuse!(
                ACL_ERROR_RT_THREAD_SUBSCRIBE,
                "more than {MAX_THREADS} threads are subscribed"
            ));
        }
        let device = stream.device.id;
        let subscription = threads.entry(thread).or_insert_with(|| Subscription {
            inbox: Arc::new(Inbox { thread, device, calls: Mutex::default(), arrived: Condvar::new() }),
            streams: 0,
        });
        if subscription.inbox.device != device {
            return Err(misuse!(
                ACL_ERROR_RT_THREAD_SUBSCRIBE,
                "thread {thread} serves device {}, hence no stream of device {device}",
                subscription.inbox.device
            ));
        }
        subscription.streams += 1;
        *way = Way::Subscribed(Arc::clone(&subscription.inbox));
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, thread: u64, stream: &Stream) -> Result {
        match &*stream.callbacks.lock() {
            Way::Subscribed(inbox) if inbox.thread == thread => {}
            _ => {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_SUBSCRIBE,
                    "stream {} is not subscribed to thread {thread}",
                    stream.id
                ));
            }
        }
        self.forget(stream);
        Ok(())
    }

    /// Ends the subscription of a stream, if it has one.
    pub(crate) fn forget(&self, stream: &Stream) {
        let mut threads = self.threads.lock();
        let way = std::mem::take(&mut *stream.callbacks.lock());
        if let Way::Subscribed(inbox) = way
            && let Some(subscription) = threads.get_mut(&inbox.thread)
        {
            subscription.streams -= 1;
            if subscription.streams == 0 {
                threads.remove(&inbox.thread);
                inbox.close();
            }
        }
    }

    fn inbox(&self, thread: u64) -> Option<Arc<Inbox>> {
        self.threads.lock().get(&thread).map(|subscription| Arc::clone(&subscription.inbox))
    }

    /// Runs the calls that wait for the calling thread, or waits for one.
    pub(crate) fn process(&self, deadline: Option<Instant>) -> Result {
        let thread = raw::thread_id();
        // No misuse: a thread that processes is started before it can be subscribed, and asks until it is.
        let not_subscribed =
            || failure!(ACL_ERROR_RT_THREAD_SUBSCRIBE, "no stream is subscribed to this thread ({thread})");
        let inbox = self.inbox(thread).ok_or_else(not_subscribed)?;
        let mut calls = inbox.calls.lock();
        while calls.waiting.is_empty() {
            if calls.closed {
                return Err(not_subscribed());
            }
            let timed_out = match deadline {
                None => {
                    inbox.arrived.wait(&mut calls);
                    false
                }
                Some(deadline) => inbox.arrived.wait_until(&mut calls, deadline).timed_out(),
            };
            if timed_out && calls.waiting.is_empty() {
                return Err(failure!(ACL_ERROR_RT_REPORT_TIMEOUT, "no callback came in time"));
            }
        }
        let waiting: Vec<_> = calls.waiting.drain(..).collect();
        drop(calls);
        for (call, signal) in waiting {
            call.run();
            signal.set(Outcome::Done(Instant::now()));
        }
        Ok(())
    }
}
