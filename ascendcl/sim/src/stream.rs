//! Streams: queues of tasks, each with a worker thread that runs them in order.

mod marks;
mod waiting;

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use ascendcl_sys::ACL_STREAM_PERSISTENT;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::callback::{Inbox, Way};
use crate::context::Failure;
use crate::device::{Device, MAX_STREAMS};
use crate::error::{Error, Result, failure, misuse};
use crate::exception;
use crate::fault;
use crate::graph::{Capture, Update};
use crate::handle::{Handle, Kind};
use crate::persistent::Persistent;
use crate::report;
use crate::signal::Signal;
use crate::task::Task;

/// How often an idle worker looks for work, and a waiting thread for the end of it, before it goes to sleep.
const SPINS: u32 = 200;

/// A stream.
pub(crate) struct Stream {
    pub handle: Handle,
    pub id: i32,
    pub device: Arc<Device>,
    /// The context that it belongs to.
    pub context: Handle,
    pub is_default: bool,
    pub flags: u32,
    pub priority: AtomicU32,
    pub options: Options,
    /// Whether results that are too large become the largest number: the mode of the device when the stream was made.
    pub saturates: bool,
    pub callbacks: Mutex<Way>,
    /// The thread of the program that runs host functions, instead of the stream's own.
    pub host_thread: Mutex<Option<Arc<Inbox>>>,
    /// What the stream keeps for a graph, if it is persistent.
    pub persistent: Option<Persistent>,
    pub failure: Arc<Failure>,
    queue: Mutex<Queue>,
    /// Notified when there is work.
    work: Condvar,
    /// Notified when a task has ended.
    progress: Condvar,
    /// The counters of the queue, for those who look without the lock.
    submitted: AtomicU64,
    finished: AtomicU64,
    /// Asks the running task to give up waiting.
    interrupt: AtomicBool,
    /// What the running task waits for.
    blocked_on: Mutex<Option<Arc<Signal>>>,
}

/// Settings of a stream that its tasks do not depend on.
#[derive(Default)]
pub(crate) struct Options {
    /// Whether overflows are kept; as documented, they are not at first.
    pub overflow_check: AtomicU32,
    /// The group of streams whose overflows are told together; 0 is of all.
    pub tag: AtomicU32,
    pub cache_operator_info: AtomicU32,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<(u32, Task)>,
    running: bool,
    has_worker: bool,
    /// The stream was destroyed.
    closed: bool,
    aborting: bool,
    submitted: u64,
    finished: u64,
    /// How often tasks were thrown away.
    aborts: u64,
    /// The first error since the last synchronization.
    error: Option<Error>,
    has_failure_mode: bool,
    capture: Option<Arc<Capture>>,
    /// Tasks that are to be part of a graph.
    update: Option<Update>,
}

/// How a program creates a stream.
#[derive(Clone, Copy, Default)]
pub(crate) struct Making {
    pub priority: u32,
    pub flags: u32,
}

static NEXT_ID: AtomicI32 = AtomicI32::new(0);
static NEXT_TASK: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// The task that this thread queued last.
    static LAST_TASK: Cell<u32> = const { Cell::new(0) };
    /// The task that this thread, of a stream, runs.
    static RUNNING_TASK: Cell<u32> = const { Cell::new(0) };
}

/// The task that the thread queued last.
pub(crate) fn last_task() -> u32 {
    LAST_TASK.get()
}

/// The task that the thread, of a stream, runs.
pub(crate) fn running_task() -> u32 {
    RUNNING_TASK.get()
}

impl Stream {
    pub(crate) fn new(
        device: &Arc<Device>,
        context: Handle,
        failure: &Arc<Failure>,
        making: Making,
    ) -> Result<Arc<Self>> {
        Self::make(device, context, failure, making, false)
    }

    pub(crate) fn new_default(
        device: &Arc<Device>,
        context: Handle,
        failure: &Arc<Failure>,
    ) -> Result<Arc<Self>> {
        Self::make(device, context, failure, Making::default(), true)
    }

    fn make(
        device: &Arc<Device>,
        context: Handle,
        failure: &Arc<Failure>,
        Making { priority, flags }: Making,
        is_default: bool,
    ) -> Result<Arc<Self>> {
        if !device.streams.add(MAX_STREAMS) {
            return Err(failure!(
                ACL_ERROR_RT_NO_STREAM_RESOURCE,
                "a device has no more than {MAX_STREAMS} streams"
            ));
        }
        Ok(Arc::new(Self {
            handle: Handle::new(Kind::Stream),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            context,
            is_default,
            flags,
            priority: AtomicU32::new(priority),
            options: Options::default(),
            saturates: device.saturates.load(Ordering::Relaxed),
            callbacks: Mutex::default(),
            host_thread: Mutex::default(),
            persistent: (flags & ACL_STREAM_PERSISTENT != 0).then(Persistent::default),
            failure: Arc::clone(failure),
            queue: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
            submitted: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            interrupt: AtomicBool::new(false),
            blocked_on: Mutex::new(None),
        }))
    }

    /// Queues a task, or captures it. Answers with the ticket to wait for.
    pub(crate) fn submit(self: &Arc<Self>, task: Task) -> Result<u64> {
        self.queue_or_capture(&mut self.queue.lock(), task)
    }

    fn queue_or_capture(self: &Arc<Self>, queue: &mut MutexGuard<'_, Queue>, task: Task) -> Result<u64> {
        if let Some(capture) = &queue.capture {
            capture.append(self.id, task)?;
            return Ok(0);
        }
        self.push(queue, task)
    }

    /// Lets the tasks that follow replace those of a group.
    pub(crate) fn begin_update(&self, update: Update) -> Result {
        let mut queue = self.queue.lock();
        if queue.capture.is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CAPTURED,
                "the work of stream {} is being captured, and cannot update a graph",
                self.id
            ));
        }
        if queue.update.is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "an update was begun on stream {} and not ended",
                self.id
            ));
        }
        queue.update = Some(update);
        Ok(())
    }

    /// Queues the update.
    pub(crate) fn end_update(self: &Arc<Self>) -> Result {
        let mut queue = self.queue.lock();
        let update = queue.update.take().ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "no update was begun on stream {}", self.id)
        })?;
        self.push(&mut queue, update.finish()?).map(drop)
    }

    fn push(self: &Arc<Self>, queue: &mut MutexGuard<'_, Queue>, task: Task) -> Result<u64> {
        if let Some(persistent) = &self.persistent {
            persistent.keep(self.id, task)?;
            LAST_TASK.set(NEXT_TASK.fetch_add(1, Ordering::Relaxed));
            return Ok(0);
        }
        if let Some(update) = &mut queue.update {
            update.append(task)?;
            return Ok(0);
        }
        if queue.closed {
            return Err(misuse!(ACL_ERROR_RT_INVALID_HANDLE, "stream {} was destroyed", self.id));
        }
        if queue.aborting {
            return Err(misuse!(ACL_ERROR_RT_STREAM_ABORT, "stream {} is being aborted", self.id));
        }
        if let Some(error) = self.failure.stopped() {
            return Err(error);
        }
        if queue.has_worker {
            self.work.notify_one();
        } else {
            self.start_worker()?;
            queue.has_worker = true;
        }
        let id = NEXT_TASK.fetch_add(1, Ordering::Relaxed);
        LAST_TASK.set(id);
        queue.tasks.push_back((id, task));
        queue.submitted += 1;
        self.submitted.store(queue.submitted, Ordering::Release);
        Ok(queue.submitted)
    }

    fn start_worker(self: &Arc<Self>) -> Result {
        let stream = Arc::clone(self);
        match thread::Builder::new().name(format!("acl-stream-{}", self.id)).spawn(move || stream.run()) {
            Ok(_) => Ok(()),
            Err(error) => Err(failure!(
                ACL_ERROR_RT_RESOURCE_ALLOC_FAIL,
                "the host starts no thread for stream {}: {error}",
                self.id
            )),
        }
    }

    /// The life of the worker.
    fn run(self: &Arc<Self>) {
        let mut queue = self.queue.lock();
        loop {
            let Some((id, task)) = queue.tasks.pop_front() else {
                if queue.closed {
                    return;
                }
                let seen = queue.submitted;
                MutexGuard::unlocked(&mut queue, || spin(|| self.submitted.load(Ordering::Acquire) != seen));
                if queue.tasks.is_empty() && !queue.closed {
                    self.work.wait(&mut queue);
                }
                continue;
            };
            queue.running = true;
            RUNNING_TASK.set(id);
            let outcome = MutexGuard::unlocked(&mut queue, || {
                let refused = match self.failure.stopped() {
                    Some(_) => Some(Ok(())),
                    None => fault::check_not_lost(self.device.id).err().map(Err),
                };
                let outcome = match refused {
                    Some(outcome) => {
                        task.discard();
                        outcome
                    }
                    None => task.run(self),
                };
                // What the task holds is let go of before it counts as finished.
                drop(task);
                outcome.inspect_err(|error| self.failed(id, error))
            });
            queue.running = false;
            if let Err(error) = outcome {
                queue.error.get_or_insert(error);
            }
            self.finish(&mut queue, 1);
        }
    }

    fn finish(&self, queue: &mut Queue, count: u64) {
        queue.finished += count;
        self.finished.store(queue.finished, Ordering::Release);
        self.progress.notify_all();
    }

    fn failed(&self, task: u32, error: &Error) {
        tracing::warn!(stream = self.id, task, code = error.code, "task failed: {}", error.message);
        if error.misuse {
            report::misuse_on(Some(self.device.id), "task", error);
        }
        self.failure.happened(error);
        exception::notify(self, task, error.code);
    }

    /// The ticket of the last task.
    pub(crate) fn ticket(&self) -> u64 {
        self.queue.lock().submitted
    }

    /// Waits until the task of a ticket and all before it have ended, and answers with the first error that
    /// no synchronization has reported yet.
    pub(crate) fn wait(&self, ticket: u64, deadline: Option<Instant>) -> Result {
        spin(|| self.finished.load(Ordering::Acquire) >= ticket);
        let mut queue = self.queue.lock();
        let aborts = queue.aborts;
        while queue.finished < ticket && queue.aborts == aborts {
            let timed_out = match deadline {
                None => {
                    self.progress.wait(&mut queue);
                    false
                }
                Some(deadline) => self.progress.wait_until(&mut queue, deadline).timed_out(),
            };
            if timed_out && queue.finished < ticket {
                return Err(failure!(
                    ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                    "stream {} has {} tasks to go",
                    self.id,
                    ticket - queue.finished
                ));
            }
        }
        if queue.aborts != aborts {
            return Err(failure!(ACL_ERROR_RT_STREAM_ABORT, "stream {} was aborted meanwhile", self.id));
        }
        // The call that waits reports it; the rule was broken by the task, which is in the report already.
        let error = queue.error.take().or_else(|| self.failure.stopped());
        error.map_or(Ok(()), |error| Err(Error { misuse: false, ..error }))
    }

    /// Waits for everything that is queued; refused while work is being captured.
    pub(crate) fn synchronize(&self, deadline: Option<Instant>) -> Result {
        self.refuse_capture("wait for")?;
        self.wait(self.ticket(), deadline)
    }

    /// Whether everything that was queued has ended.
    pub(crate) fn is_idle(&self) -> Result<bool> {
        self.refuse_capture("query")?;
        let queue = self.queue.lock();
        Ok(queue.finished == queue.submitted)
    }

    fn refuse_capture(&self, what: &str) -> Result {
        let Some(capture) = self.capture() else { return Ok(()) };
        let error = misuse!(
            ACL_ERROR_RT_STREAM_CAPTURED,
            "the work of stream {} is being captured; it is not possible to {what} it",
            self.id
        );
        capture.invalidate(&error.message);
        Err(error)
    }

    /// Whether it keeps its tasks for a graph.
    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent.is_some()
    }

    /// The capture that the stream's work goes to.
    pub(crate) fn capture(&self) -> Option<Arc<Capture>> {
        self.queue.lock().capture.clone()
    }

    pub(crate) fn set_capture(&self, capture: Option<Arc<Capture>>) {
        self.queue.lock().capture = capture;
    }

    /// Sets, once, what happens after a task has failed.
    pub(crate) fn set_failure_mode(&self, stop: bool) -> Result {
        let mut queue = self.queue.lock();
        if queue.has_failure_mode {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the failure mode of stream {} was set before",
                self.id
            ));
        }
        queue.has_failure_mode = true;
        if stop {
            self.failure.stop_on_failure();
        }
        Ok(())
    }

    /// Throws away what is queued, and ends the running task if it only waits; waits for its end if
    /// `patient`.
    pub(crate) fn abort(&self, patient: bool) {
        let mut queue = self.queue.lock();
        queue.aborting = true;
        queue.aborts += 1;
        let dropped: Vec<_> = queue.tasks.drain(..).collect();
        self.interrupt_running(&mut queue, patient);
        for (_, task) in &dropped {
            task.discard();
        }
        self.finish(&mut queue, dropped.len() as u64);
        queue.error = None;
        queue.aborting = false;
    }

    /// Ends the running task if it only waits.
    pub(crate) fn stop_running(&self) {
        self.interrupt_running(&mut self.queue.lock(), true);
    }

    fn interrupt_running(&self, queue: &mut MutexGuard<'_, Queue>, patient: bool) {
        if !queue.running {
            return;
        }
        self.interrupt.store(true, Ordering::Release);
        if let Some(signal) = &*self.blocked_on.lock() {
            signal.poke();
        }
        let before = queue.finished;
        while patient && queue.running && queue.finished == before {
            self.progress.wait(queue);
        }
        if patient {
            self.interrupt.store(false, Ordering::Release);
        }
    }

    /// Ends the stream; its worker ends when the queue is empty.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        if !std::mem::replace(&mut queue.closed, true) {
            self.device.streams.remove();
        }
        self.submitted.fetch_add(1, Ordering::Release);
        self.work.notify_one();
    }
}

fn spin(done: impl Fn() -> bool) {
    for _ in 0..SPINS {
        if done() {
            return;
        }
        hint::spin_loop();
    }
}
