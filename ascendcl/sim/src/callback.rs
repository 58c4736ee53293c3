//! Callbacks and host functions that a thread of the program runs: `aclrtSubscribeReport`,
//! `aclrtSubscribeHostFunc` and their kin.

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

/// What waits for one thread to call `aclrtProcessReport` or `aclrtProcessHostFunc`.
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

/// Threads of the program that serve streams.
#[derive(Default)]
struct Threads {
    known: Mutex<HashMap<u64, Subscription>>,
}

impl Threads {
    /// Lets a thread serve one stream more, all of which are of one device.
    fn join(&self, thread: u64, device: i32) -> Result<Arc<Inbox>> {
        let mut known = self.known.lock();
        if known.len() >= MAX_THREADS && !known.contains_key(&thread) {
            return Err(misuse!(
                ACL_ERROR_RT_THREAD_SUBSCRIBE,
                "more than {MAX_THREADS} threads are subscribed"
            ));
        }
        let subscription = known.entry(thread).or_insert_with(|| Subscription {
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
        Ok(Arc::clone(&subscription.inbox))
    }

    /// Lets a thread serve one stream less.
    fn leave(&self, inbox: &Inbox) {
        let mut known = self.known.lock();
        let Some(subscription) = known.get_mut(&inbox.thread) else { return };
        subscription.streams -= 1;
        if subscription.streams == 0 {
            known.remove(&inbox.thread);
            inbox.close();
        }
    }

    fn inbox(&self, thread: u64) -> Option<Arc<Inbox>> {
        self.known.lock().get(&thread).map(|subscription| Arc::clone(&subscription.inbox))
    }

    /// Runs the calls that wait for the calling thread, or waits for one.
    fn process(&self, deadline: Option<Instant>) -> Result {
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

/// The threads that streams are subscribed to: those that run callbacks, and those that run host functions.
#[derive(Default)]
pub(crate) struct Subscriptions {
    reports: Threads,
    host_functions: Threads,
}

impl Subscriptions {
    pub(crate) fn subscribe(&self, thread: u64, stream: &Stream) -> Result {
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
        *way = Way::Subscribed(self.reports.join(thread, stream.device.id)?);
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, thread: u64, stream: &Stream) -> Result {
        let mut way = stream.callbacks.lock();
        match &*way {
            Way::Subscribed(inbox) if inbox.thread == thread => self.reports.leave(inbox),
            _ => {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_SUBSCRIBE,
                    "stream {} is not subscribed to thread {thread}",
                    stream.id
                ));
            }
        }
        *way = Way::None;
        Ok(())
    }

    /// Runs the callbacks that wait for the calling thread, or waits for one.
    pub(crate) fn process(&self, deadline: Option<Instant>) -> Result {
        self.reports.process(deadline)
    }

    /// Lets a thread of the program run the host functions of a stream.
    pub(crate) fn subscribe_host_functions(&self, thread: u64, stream: &Stream) -> Result {
        if let Way::HostFunctions = &*stream.callbacks.lock() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "host functions of stream {} run in a thread of the runtime already",
                stream.id
            ));
        }
        let mut host_thread = stream.host_thread.lock();
        if host_thread.is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "host functions of stream {} have a thread already",
                stream.id
            ));
        }
        *host_thread = Some(self.host_functions.join(thread, stream.device.id)?);
        Ok(())
    }

    pub(crate) fn unsubscribe_host_functions(&self, thread: u64, stream: &Stream) -> Result {
        let mut host_thread = stream.host_thread.lock();
        let Some(inbox) = host_thread.take_if(|inbox| inbox.thread == thread) else {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "host functions of stream {} do not run in thread {thread}",
                stream.id
            ));
        };
        self.host_functions.leave(&inbox);
        Ok(())
    }

    /// Runs the host functions that wait for the calling thread, or waits for one.
    pub(crate) fn process_host_functions(&self, deadline: Option<Instant>) -> Result {
        self.host_functions.process(deadline)
    }

    /// Ends the subscriptions of a stream, if it has any.
    pub(crate) fn forget(&self, stream: &Stream) {
        if let Way::Subscribed(inbox) = std::mem::take(&mut *stream.callbacks.lock()) {
            self.reports.leave(&inbox);
        }
        if let Some(inbox) = stream.host_thread.lock().take() {
            self.host_functions.leave(&inbox);
        }
    }
}
