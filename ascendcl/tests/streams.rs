//! Devices, streams, events and the backends.

mod common;

use std::time::Duration;

use ascendcl::{Backend, BackendKind, Error, ErrorKind, Runtime, StreamOptions};
use common::{Gate, device};

#[test]
fn backends_are_chosen_by_word_and_say_what_they_are() {
    assert_eq!("sim".parse::<Backend>().unwrap(), Backend::Sim);
    let error = "gpu".parse::<Backend>().unwrap_err();
    assert_eq!(error.to_string(), "backend `gpu`: unknown; ASCENDCL_BACKEND takes auto, npu or sim");
    let device = device(1);
    assert_eq!(device.runtime().backend(), BackendKind::Sim);
    let shown = format!("{:?}", device.runtime());
    assert!(shown.contains("Sim") && shown.contains("simulated device"), "{shown}");
}

#[test]
fn opening_a_device_again_gives_the_same_pool() {
    let (a, b) = (device(1), device(1));
    let stream = a.stream().unwrap();
    let before = b.pool_statistics().used_bytes;
    let _buffer = stream.alloc::<u8>(5000).unwrap();
    assert!(b.pool_statistics().used_bytes >= before + 5000);
    assert!(matches!(a.runtime().device(99), Err(Error::Acl(e)) if e.kind() == ErrorKind::InvalidArgument));
}

#[test]
fn finalize_is_refused_while_something_is_open() {
    let device = device(1);
    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    assert!(matches!(runtime.finalize(), Err(Error::InUse { .. })));
    device.stream().unwrap().synchronize().unwrap();
}

#[test]
fn properties_are_those_of_the_default_chip() {
    let properties = device(1).properties().unwrap();
    assert_eq!(properties.soc_name, "Ascend910B3");
    assert_eq!((properties.ai_cores, properties.vector_cores), (20, 40));
    assert_eq!(properties.l2_bytes, 192 << 20);
    assert!(properties.memory_bytes > 60 << 30);
    let info = device(1).memory_info().unwrap();
    assert!(info.free <= info.total);
}

#[test]
fn waiting_has_a_time_limit() {
    let stream = device(1).stream().unwrap();
    let event = device(1).event().unwrap();
    assert!(event.is_complete().unwrap(), "an event that was never recorded is complete");
    let gate = Gate::close(&stream);
    stream.record(&event).unwrap();
    assert!(!stream.is_idle().unwrap() && !event.is_complete().unwrap());
    let late = stream.synchronize_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    let late = event.synchronize_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    drop(gate);
    event.synchronize().unwrap();
    stream.synchronize_timeout(Duration::from_secs(5)).unwrap();
    assert!(stream.is_idle().unwrap());
}

#[test]
fn a_stream_waits_for_anothers_event() {
    let (first, second) = (device(1).stream().unwrap(), device(1).stream().unwrap());
    let event = device(1).event().unwrap();
    let gate = Gate::close(&first);
    first.record(&event).unwrap();
    second.wait(&event).unwrap();
    drop(event); // a queued wait still refers to it
    assert!(second.synchronize_timeout(Duration::from_millis(5)).is_err());
    drop(gate);
    second.synchronize().unwrap();
}

#[test]
fn events_measure_time() {
    let stream = device(1).stream().unwrap();
    let (start, end) = (device(1).timing_event().unwrap(), device(1).timing_event().unwrap());
    stream.record(&start).unwrap();
    stream.host_function(|| std::thread::sleep(Duration::from_millis(20))).unwrap();
    stream.record(&end).unwrap();
    end.synchronize().unwrap();
    let elapsed = end.elapsed_since(&start).unwrap();
    assert!(elapsed >= Duration::from_millis(20), "{elapsed:?}");
    let plain = device(1).event().unwrap();
    stream.record(&plain).unwrap();
    stream.synchronize().unwrap();
    assert!(plain.elapsed_since(&start).is_err(), "a plain event takes no time");
}

#[test]
fn objects_of_different_devices_do_not_mix() {
    let here = device(1).stream().unwrap();
    let there = device(2).stream().unwrap();
    let event = device(2).event().unwrap();
    let buffer = there.alloc_from(&[1u8; 4]).unwrap();
    let mut mine = here.alloc::<u8>(4).unwrap();
    assert!(matches!(here.record(&event), Err(Error::Mismatch { what: "event", .. })));
    assert!(matches!(here.copy(&buffer, &mut mine), Err(Error::Mismatch { what: "memory", .. })));
}

#[test]
fn streams_have_priorities() {
    let device = device(1);
    let priorities = device.stream_priority_range().unwrap();
    assert!(priorities.contains(&0));
    let options = StreamOptions { priority: *priorities.end(), fast: true };
    device.stream_with(options).unwrap().synchronize().unwrap();
}

#[test]
fn a_device_is_opened_and_closed_by_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    device(3).stream().unwrap().alloc_from(&[1u8]).unwrap();
                }
            });
        }
    });
}
