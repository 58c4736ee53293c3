//! Events in streams: records and waits, in the queue, in a capture, or kept for a graph.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Stream;
use crate::error::{Result, misuse};
use crate::event::{Event, Last};
use crate::signal::Signal;
use crate::task::Task;

impl Stream {
    /// Records an event at the end of the queue.
    pub(crate) fn record(self: &Arc<Self>, event: &Arc<Event>, external: bool) -> Result {
        let mut queue = self.queue.lock();
        if event.is_flag() {
            return self.queue_or_capture(&mut queue, Task::RecordExternal(Arc::clone(event))).map(drop);
        }
        if let Some(capture) = &queue.capture {
            if external {
                let task = Task::RecordExternal(Arc::clone(event));
                return capture.append_external(self.id, event, task);
            }
            let mark = capture.record(self.id, capture)?;
            *event.last.lock() = Last::Capture(mark);
            return Ok(());
        }
        if external {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_NOT_CAPTURED,
                "ACL_EVENT_RECORD_EXTERNAL is for streams whose work is being captured"
            ));
        }
        if self.is_persistent() {
            return self.push(&mut queue, Task::RecordExternal(Arc::clone(event))).map(drop);
        }
        let signal = Arc::<Signal>::default();
        self.push(&mut queue, Task::Record(Arc::clone(&signal)))?;
        *event.last.lock() = Last::Stream(signal);
        Ok(())
    }

    /// Lets later tasks wait for what an event was last recorded as.
    pub(crate) fn wait_for(
        self: &Arc<Self>,
        event: &Arc<Event>,
        timeout: Option<Duration>,
        external: bool,
    ) -> Result {
        let mut queue = self.queue.lock();
        if event.is_flag() {
            let wait = Task::WaitExternal { event: Arc::clone(event), timeout };
            return self.queue_or_capture(&mut queue, wait).map(drop);
        }
        // The documentation gives such a wait no time.
        let wait = Task::WaitExternal { event: Arc::clone(event), timeout: None };
        if external {
            let Some(capture) = &queue.capture else {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_NOT_CAPTURED,
                    "ACL_EVENT_WAIT_EXTERNAL is for streams whose work is being captured"
                ));
            };
            return capture.append_external(self.id, event, wait);
        }
        if self.is_persistent() {
            return self.push(&mut queue, wait).map(drop);
        }
        let last = event.last.lock().clone();
        if let Some(capture) = &queue.capture {
            return match last {
                Last::Capture(mark) => capture.join(self, &mark),
                _ => capture.refuse(misuse!(
                    ACL_ERROR_RT_CAPTURE_DEPENDENCY,
                    "stream {} is being captured, and event {} was not recorded in the capture",
                    self.id,
                    event.id
                )),
            };
        }
        match last {
            Last::Never => Ok(()),
            Last::Stream(signal) => {
                event.waits.fetch_add(1, Ordering::AcqRel);
                let wait = Task::Wait { signal, event: Arc::clone(event), timeout };
                self.push(&mut queue, wait).map(drop).inspect_err(|_| {
                    event.waits.fetch_sub(1, Ordering::AcqRel);
                })
            }
            Last::Capture(mark) => {
                if self.is_default {
                    return Err(misuse!(
                        ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT,
                        "the default stream cannot join a capture"
                    ));
                }
                let capture = mark.capture();
                capture.join(self, &mark)?;
                queue.capture = Some(capture);
                Ok(())
            }
        }
    }
}
