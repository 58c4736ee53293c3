//! Events.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ascendcl_sys::*;

use super::stream::Scope;
use super::{abi, timeout};
use crate::error::{Result, failure, misuse};
use crate::event::{Event, Maker};
use crate::shared_marks::{Ended, SharedEvent};
use crate::signal::{Outcome, Waited};
use crate::stream::Stream;
use crate::task::Task;

const KNOWN_FLAGS: u32 = ACL_EVENT_SYNC
    | ACL_EVENT_CAPTURE_STREAM_PROGRESS
    | ACL_EVENT_TIME_LINE
    | ACL_EVENT_EXTERNAL
    | ACL_EVENT_DEVICE_USE_ONLY
    | ACL_EVENT_IPC;

/// What time stamps count from: the start of the simulated system.
static SYSTEM_START: LazyLock<Instant> = LazyLock::new(Instant::now);

abi! {
    pub fn aclrtCreateEvent(event: *mut aclrtEvent) {
        event.required()?;
        event.set(create(Maker::Plain, 0)?)
    }

    pub fn aclrtCreateEventWithFlag(event: *mut aclrtEvent, flag: u32) {
        event.required()?;
        event.set(create(Maker::WithFlag, flag)?)
    }

    pub fn aclrtCreateEventExWithFlag(event: *mut aclrtEvent, flag: u32) {
        event.required()?;
        event.set(create(Maker::Extended, flag)?)
    }

    /// Does not wait: tasks that use the event keep it.
    pub fn aclrtDestroyEvent(event: aclrtEvent) {
        let simulator = Scope::enter()?.simulator;
        simulator.forget_event(&*simulator.events.remove(event.0)?);
        Ok(())
    }

    pub fn aclrtRecordEvent(event: aclrtEvent, stream: aclrtStream) {
        record(event, stream, false)
    }

    pub fn aclrtRecordEventWithFlag(event: aclrtEvent, stream: aclrtStream, flag: u32) {
        match flag {
            ACL_EVENT_RECORD_DEFAULT => record(event, stream, false),
            ACL_EVENT_RECORD_EXTERNAL => record(event, stream, true),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no way {flag} to record an event")),
        }
    }

    pub fn aclrtResetEvent(event: aclrtEvent, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let event = scope.simulator.events.get(event.0)?;
        if event.maker != Maker::WithFlag || !event.orders() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "event {} cannot be reset: that takes aclrtCreateEventWithFlag with ACL_EVENT_SYNC or ACL_EVENT_EXTERNAL",
                event.id
            ));
        }
        scope.stream(stream)?.submit(Task::Reset(event)).map(drop)
    }

    pub fn aclrtStreamWaitEvent(stream: aclrtStream, event: aclrtEvent) {
        wait(stream, event, None, false)
    }

    pub fn aclrtStreamWaitEventWithTimeout(stream: aclrtStream, event: aclrtEvent, seconds: i32) {
        let seconds = u64::try_from(seconds)
            .map_err(|_| misuse!(ACL_ERROR_INVALID_PARAM, "a stream does not wait for {seconds} seconds"))?;
        wait(stream, event, Some(seconds), false)
    }

    pub fn aclrtStreamWaitEventWithFlag(stream: aclrtStream, event: aclrtEvent, seconds: u32, flag: u32) {
        match flag {
            ACL_EVENT_WAIT_DEFAULT => wait(stream, event, Some(seconds.into()), false),
            ACL_EVENT_WAIT_EXTERNAL if seconds == 0 => wait(stream, event, None, true),
            ACL_EVENT_WAIT_EXTERNAL => Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "an external wait has no timeout, hence 0, not {seconds}"
            )),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no way {flag} to wait for an event")),
        }
    }

    pub fn aclrtQueryEvent(event: aclrtEvent, status: *mut aclrtEventStatus) {
        let event = Scope::enter()?.simulator.events.get(event.0)?;
        refuse_extended(&event)?;
        refuse_flag(&event)?;
        let is_complete = event.is_complete()?;
        status.set(if is_complete { ACL_EVENT_STATUS_COMPLETE } else { ACL_EVENT_STATUS_NOT_READY })
    }

    pub fn aclrtQueryEventStatus(event: aclrtEvent, status: *mut aclrtEventRecordedStatus) {
        let event = Scope::enter()?.simulator.events.get(event.0)?;
        refuse_flag(&event)?;
        let is_complete = event.is_complete()?;
        status.set(if is_complete {
            ACL_EVENT_RECORDED_STATUS_COMPLETE
        } else {
            ACL_EVENT_RECORDED_STATUS_NOT_READY
        })
    }

    pub fn aclrtQueryEventWaitStatus(event: aclrtEvent, status: *mut aclrtEventWaitStatus) {
        let event = Scope::enter()?.simulator.events.get(event.0)?;
        refuse_extended(&event)?;
        refuse_flag(&event)?;
        let waits = event.waits.load(Ordering::Acquire);
        status.set(if waits == 0 { ACL_EVENT_WAIT_STATUS_COMPLETE } else { ACL_EVENT_WAIT_STATUS_NOT_READY })
    }

    pub fn aclrtSynchronizeEvent(event: aclrtEvent) {
        synchronize(event, None)
    }

    pub fn aclrtSynchronizeEventWithTimeout(event: aclrtEvent, milliseconds: i32) {
        synchronize(event, timeout(milliseconds)?)
    }

    pub fn aclrtEventElapsedTime(ms: *mut f32, start_event: aclrtEvent, end_event: aclrtEvent) {
        let events = &Scope::enter()?.simulator.events;
        let (start, end) = (events.get(start_event.0)?, events.get(end_event.0)?);
        ms.required()?;
        let elapsed = end.time()?.checked_duration_since(start.time()?).ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL,
                "event {} completed before event {}",
                end.id,
                start.id
            )
        })?;
        ms.set((elapsed.as_secs_f64() * 1e3) as f32)
    }

    /// Microseconds since the start of the simulated system.
    pub fn aclrtEventGetTimestamp(event: aclrtEvent, timestamp: *mut u64) {
        let time = Scope::enter()?.simulator.events.get(event.0)?.time()?;
        let since_start = time.saturating_duration_since(*SYSTEM_START);
        timestamp.set(since_start.as_micros() as u64)
    }
}

fn create(maker: Maker, flags: u32) -> Result<aclrtEvent> {
    let scope = Scope::enter()?;
    LazyLock::force(&SYSTEM_START);
    if flags & !KNOWN_FLAGS != 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no event flag {:#x}", flags & !KNOWN_FLAGS));
    }
    if flags & ACL_EVENT_EXTERNAL != 0 && (maker != Maker::WithFlag || flags != ACL_EVENT_EXTERNAL) {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "ACL_EVENT_EXTERNAL goes with no other flag, and with aclrtCreateEventWithFlag alone"
        ));
    }
    if flags & ACL_EVENT_DEVICE_USE_ONLY != 0 {
        return Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "the simulator has no events for the device alone"
        ));
    }
    let device = &scope.context.device;
    let event = if flags & ACL_EVENT_IPC == 0 {
        Event::new(device, maker, flags)?
    } else if maker != Maker::Extended || flags != ACL_EVENT_IPC {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "ACL_EVENT_IPC goes with no other flag, and with aclrtCreateEventExWithFlag alone"
        ));
    } else {
        Event::shared(device, SharedEvent::new()?)?
    };
    scope.simulator.events.insert(event.handle, Arc::clone(&event));
    Ok(aclrtEvent(event.handle.pointer()))
}

fn refuse_extended(event: &Event) -> Result {
    if event.maker == Maker::Extended {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "event {} was made by aclrtCreateEventExWithFlag; only aclrtQueryEventStatus tells of it",
            event.id
        ));
    }
    Ok(())
}

/// Only streams use the events of updates: the host neither waits for them nor asks (AscendCL docs: task update).
fn refuse_flag(event: &Event) -> Result {
    if event.is_flag() {
        return Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "event {} was made with ACL_EVENT_EXTERNAL, and is for streams alone",
            event.id
        ));
    }
    Ok(())
}

fn record(event: aclrtEvent, stream: aclrtStream, external: bool) -> Result {
    let scope = Scope::enter()?;
    let event = scope.simulator.events.get(event.0)?;
    let stream = scope.stream(stream)?;
    if event.device.id != stream.device.id {
        return Err(misuse!(
            ACL_ERROR_RESOURCE_NOT_MATCH,
            "event {} is of device {}, stream {} of device {}",
            event.id,
            event.device.id,
            stream.id,
            stream.device.id
        ));
    }
    let Some(shared) = &event.shared else {
        event.settle_record(external)?;
        return stream.record(&event, external);
    };
    refuse_capture(&event, &stream, external)?;
    let record = shared.record();
    let task = Task::other("EVENT_RECORD", move |_| {
        record.make();
        Ok(())
    });
    stream.submit(task).map(drop)
}

fn wait(stream: aclrtStream, event: aclrtEvent, seconds: Option<u64>, external: bool) -> Result {
    let scope = Scope::enter()?;
    let event = scope.simulator.events.get(event.0)?;
    let stream = scope.stream(stream)?;
    if !event.orders() {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "event {} orders no streams: it was made without ACL_EVENT_SYNC and ACL_EVENT_EXTERNAL",
            event.id
        ));
    }
    if event.shared.is_none() {
        event.settle_wait(external)?;
    }
    let seconds =
        seconds.unwrap_or_else(|| scope.simulator.settings.wait_timeout.load(Ordering::Relaxed).into());
    let timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
    let Some(shared) = &event.shared else { return stream.wait_for(&event, timeout, external) };
    refuse_capture(&event, &stream, external)?;
    let (shared, record) = (Arc::clone(shared), shared.last());
    if shared.ended(record) == Some(Ended::Done) {
        return Ok(());
    }
    let task = Task::other("EVENT_WAIT", move |stream| {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let in_time = || match deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(failure!(ACL_ERROR_RT_TASK_TIMEOUT, "a task of stream {} waited too long", stream.id))
            }
            _ => Ok(()),
        };
        shared.wait(record, |time| in_time().and_then(|()| stream.pause(time)))
    });
    stream.submit(task).map(drop)
}

/// Graphs cannot have events that processes share (AscendCL docs: event management).
fn refuse_capture(event: &Event, stream: &Stream, external: bool) -> Result {
    if external || stream.capture().is_some() {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "event {} is shared between processes, and cannot be part of a captured graph",
            event.id
        ));
    }
    Ok(())
}

fn synchronize(event: aclrtEvent, deadline: Option<Instant>) -> Result {
    let event = Scope::enter()?.simulator.events.get(event.0)?;
    refuse_flag(&event)?;
    if let Some(shared) = &event.shared {
        return shared.wait(shared.last(), |time| match deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(failure!(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "event {} is not complete in time", event.id))
            }
            _ => {
                std::thread::sleep(time);
                Ok(())
            }
        });
    }
    let Some(signal) = event.signal()? else { return Ok(()) };
    match signal.wait(deadline, || false) {
        Waited::For(Outcome::Done(_)) => Ok(()),
        Waited::For(Outcome::Aborted) | Waited::Interrupted => Err(failure!(
            ACL_ERROR_RT_STREAM_ABORT,
            "the task that records event {} was thrown away",
            event.id
        )),
        Waited::TimedOut => {
            Err(failure!(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "event {} is not complete in time", event.id))
        }
    }
}
