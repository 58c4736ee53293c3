//! Attributes of streams, ending their work early, and time limits of waits. Tests whose effects are the whole device's
//! have one of their own.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::thread;
use std::time::Duration;

use ascendcl::{CaptureStatus, Error, FailureMode, Stream, StreamOptions, sys};
use ascendcl_sim::fault::{Fault, inject};
use common::{Gate, device};

/// A stream that waits for another one, whose gate is closed.
fn blocked(device: &ascendcl::Device) -> (Stream, Stream, Gate) {
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let gate = Gate::close(&other);
    let event = device.event().unwrap();
    other.record(&event).unwrap();
    stream.wait(&event).unwrap();
    (stream, other, gate)
}

#[test]
fn attributes_are_kept() {
    let device = device(0);
    let plain = device.stream().unwrap();
    let fast = device.stream_with(StreamOptions { priority: 3, fast: true }).unwrap();
    assert_eq!([plain.priority().unwrap(), fast.priority().unwrap()], [0, 3]);
    // Bits 0 and 1 of the documented flags.
    assert_eq!([plain.flags().unwrap(), fast.flags().unwrap()], [0, 3]);
    plain.set_priority(5).unwrap();
    assert_eq!([plain.priority().unwrap(), fast.priority().unwrap()], [5, 3]);
    plain.set_tag(u32::MAX).unwrap();
    assert_eq!([plain.tag().unwrap(), fast.tag().unwrap()], [u32::MAX, 0]);
    for on in [true, false, true] {
        plain.set_checks_overflow(on).unwrap();
        assert_eq!(plain.checks_overflow().unwrap(), on);
        plain.set_caches_operator_info(!on).unwrap();
        assert_eq!(plain.caches_operator_info().unwrap(), !on);
    }
    assert_eq!(fast.failure_mode().unwrap(), FailureMode::Continue);
}

#[test]
fn the_library_knows_of_captures() {
    let stream = device(0).stream().unwrap();
    assert_eq!(stream.capture_status().unwrap(), CaptureStatus::None);
    let graph = stream.capture(|stream| {
        assert_eq!(stream.capture_status()?, CaptureStatus::Active);
        stream.set_tag(1)
    });
    drop(graph.unwrap());
    assert_eq!(stream.capture_status().unwrap(), CaptureStatus::None);
    assert_eq!(stream.tag().unwrap(), 1);
    // SAFETY: the streams share no memory that is used again.
    unsafe { stream.abort() }.unwrap();
}

#[test]
fn a_stream_that_stops_on_failure_does_nothing_more() {
    let device = device(1);
    for mode in [FailureMode::Continue, FailureMode::Stop] {
        let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
        let from = stream.alloc_from(&[1u8; 8]).unwrap();
        let (mut to, mut later) =
            (stream.alloc_from(&[0u8; 8]).unwrap(), stream.alloc_from(&[0u8; 8]).unwrap());
        stream.synchronize().unwrap();
        // SAFETY: nothing is queued.
        unsafe { stream.set_failure_mode(mode) }.unwrap();
        assert_eq!(stream.failure_mode().unwrap(), mode);
        // SAFETY: as above.
        assert!(unsafe { stream.set_failure_mode(mode) }.is_err(), "documented to be possible once");

        let gate = Gate::close(&stream);
        let fault = inject(1, Fault::AsyncCopy { nth: 1 });
        stream.copy(&from, &mut to).unwrap();
        stream.fill_bytes(&mut later, 7).unwrap();
        drop(gate);
        assert!(stream.synchronize().is_err());
        assert!(fault.has_happened());
        let seen_by_other = other.download_vec(&later);
        match mode {
            FailureMode::Continue => assert_eq!(seen_by_other.unwrap(), [7; 8]),
            // All streams of the context have stopped.
            FailureMode::Stop => assert!(seen_by_other.is_err()),
        }
    }
}

#[test]
fn an_abort_drops_what_is_queued_and_nothing_else() {
    let device = device(2);
    let (stream, other, gate) = blocked(&device);
    let mut buffer = stream.alloc::<u8>(1000).unwrap();
    stream.fill_bytes(&mut buffer, 1).unwrap();
    // SAFETY: the streams share no memory that is used again.
    unsafe { stream.abort() }.unwrap();
    assert!(stream.is_idle().unwrap());
    stream.synchronize().unwrap();
    // The stream goes on, with the other one still held up.
    stream.fill_bytes(&mut buffer, 2).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [2; 1000]);
    assert!(!other.is_idle().unwrap());

    let event = device.event().unwrap();
    other.record(&event).unwrap();
    stream.wait(&event).unwrap();
    stream.fill_bytes(&mut buffer, 3).unwrap();
    // SAFETY: the streams share no memory that is used again.
    unsafe { stream.abort() }.unwrap();
    drop(gate);
    other.synchronize().unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [2; 1000]);
}

#[test]
fn an_abort_ends_the_waits_of_other_threads_without_access() {
    let device = device(2);
    // Before the stream is held up: an upload of pageable memory returns when it is done.
    let from = device.stream().unwrap().alloc_from(&[9u8; 64]).unwrap();
    let (stream, _other, _gate) = blocked(&device);
    let mut pinned = stream.alloc_pinned::<u8>(64).unwrap();
    stream.download_pinned(&from, &mut pinned).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| match pinned.as_slice() {
            // It came when the abort was over.
            Ok(bytes) => assert_eq!(bytes, [0; 64]),
            Err(Error::Acl(error)) => assert_eq!(error.code, sys::ACL_ERROR_RT_STREAM_ABORT, "{error}"),
            Err(error) => panic!("{error}"),
        });
        // SAFETY: the streams share no memory that is used again.
        unsafe { stream.abort() }.unwrap();
        waiter.join().unwrap();
    });
    // Memory that was given up is used again.
    stream.download_pinned(&from, &mut pinned).unwrap();
    pinned.as_slice().unwrap();
    drop((from, pinned));
    device.trim_pools().unwrap();
}

#[test]
fn an_abort_reaches_other_streams_through_memory() {
    let device = device(2);
    let (stream, _other, gate) = blocked(&device);
    let second = device.stream().unwrap();
    let mut buffer = stream.alloc::<u8>(64).unwrap();
    stream.fill_bytes(&mut buffer, 1).unwrap();
    second.fill_bytes(&mut buffer, 2).unwrap(); // waits for `stream`
    // SAFETY: the streams share no memory that is used again.
    unsafe { stream.abort() }.unwrap();
    // SAFETY: the streams share no memory that is used again.
    unsafe { second.abort() }.unwrap();
    drop(gate);
    second.fill_bytes(&mut buffer, 3).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [3; 64]);
}

#[test]
fn the_running_task_alone_can_be_ended() {
    let (stream, other, gate) = blocked(&device(3));
    let mut buffer = stream.alloc::<u8>(10).unwrap();
    stream.fill_bytes(&mut buffer, 4).unwrap();
    // The task that waits for the other stream ends; the fill stays queued, and runs.
    while !stream.is_idle().unwrap_or(true) {
        // SAFETY: the streams share no memory.
        unsafe { stream.stop_running_task() }.unwrap();
    }
    assert!(!other.is_idle().unwrap(), "the gate is closed");
    let _ = stream.synchronize(); // may report the task that was ended
    assert_eq!(stream.download_vec(&buffer).unwrap(), [4; 10]);
    drop(gate);
}

#[test]
fn a_stream_waits_for_an_event_no_longer_than_it_should() {
    let device = device(3);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let event = device.event().unwrap();
    other.record(&event).unwrap();
    stream.wait_timeout(&event, Duration::from_secs(600)).unwrap();
    stream.synchronize().unwrap();

    let gate = Gate::close(&other);
    other.record(&event).unwrap();
    stream.wait_timeout(&event, Duration::ZERO).unwrap(); // a second, not for ever
    match stream.synchronize().unwrap_err() {
        Error::Acl(error) => assert_eq!(error.code, sys::ACL_ERROR_RT_TASK_TIMEOUT, "{error}"),
        error => panic!("{error}"),
    }
    drop(gate);
    other.synchronize().unwrap();
    stream.wait_timeout(&event, Duration::MAX).unwrap();
    stream.synchronize().unwrap();
}

#[test]
fn events_take_the_time() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let (start, end) = (device.timing_event().unwrap(), device.timing_event().unwrap());
    assert!(end.timestamp().is_err(), "never recorded");
    stream.record(&start).unwrap();
    let gate = Gate::close(&stream);
    stream.record(&end).unwrap();
    assert!(end.timestamp().is_err(), "not done");
    drop(gate);
    stream.synchronize().unwrap();
    let elapsed = end.elapsed_since(&start).unwrap();
    let difference = end.timestamp().unwrap() - start.timestamp().unwrap();
    // Time stamps are whole microseconds.
    assert!(elapsed.abs_diff(difference) <= Duration::from_micros(2), "{elapsed:?}, {difference:?}");
    let untimed = device.event().unwrap();
    stream.record(&untimed).unwrap();
    stream.synchronize().unwrap();
    assert!(untimed.timestamp().is_err(), "takes no time");
}
