//! Events that know of their waits, and events between graphs and streams.

mod common;

use ascendcl::{Error, Side};
use common::{Gate, device};

#[test]
fn an_event_knows_when_the_waits_for_it_are_over() {
    let device = device(0);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    for event in [device.tracked_event().unwrap(), device.tracked_timing_event().unwrap()] {
        assert!(event.waits_are_over().unwrap());
        let gate = Gate::close(&stream);
        stream.record(event.event()).unwrap();
        other.wait(event.event()).unwrap();
        assert!(!event.waits_are_over().unwrap());
        assert!(!event.event().is_complete().unwrap());
        drop(gate);
        other.synchronize().unwrap();
        assert!(event.waits_are_over().unwrap());
        event.event().synchronize().unwrap();
    }
}

#[test]
fn a_reset_event_is_as_if_it_was_never_recorded() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let event = device.tracked_event().unwrap();
    let gate = Gate::close(&stream);
    stream.record(event.event()).unwrap();
    stream.reset(&event).unwrap();
    assert!(!event.event().is_complete().unwrap(), "the reset has its turn");
    drop(gate);
    stream.synchronize().unwrap();
    assert!(event.event().is_complete().unwrap());

    let timing = device.tracked_timing_event().unwrap();
    assert!(matches!(stream.reset(&timing), Err(Error::Mismatch { .. })));
    stream.record(timing.event()).unwrap();
    stream.synchronize().unwrap();
    assert!(timing.event().timestamp().unwrap().as_nanos() > 0);
    assert!(matches!(event.event().timestamp(), Err(Error::Acl(_))), "it does not take the time");
    let result = stream.capture(|stream| stream.reset(&event));
    assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
}

#[test]
fn a_graph_tells_streams_how_far_it_is() {
    let device = device(2);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let event = device.graph_event(Side::Graph, Side::Stream).unwrap();
    let mut memory = stream.alloc_from(&[0u8]).unwrap();
    let graph = stream
        .capture(|stream| {
            stream.fill_bytes(&mut memory, 1)?;
            stream.record_graph_event(&event)
        })
        .unwrap();
    // The graph owns the event as long as it needs it.
    let gate = Gate::close(&stream);
    graph.launch(&stream).unwrap();
    drop(gate);
    stream.synchronize().unwrap();
    other.wait_graph_event(&event).unwrap();
    other.synchronize().unwrap();
    drop(event);
    graph.launch(&stream).unwrap();
    stream.synchronize().unwrap();
    assert_eq!(stream.download_vec(&memory).unwrap(), [1]);
}

#[test]
fn a_graph_waits_for_streams_and_other_graphs() {
    let device = device(3);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let go = device.graph_event(Side::Stream, Side::Graph).unwrap();
    let between = device.graph_event(Side::Graph, Side::Graph).unwrap();
    let first = stream
        .capture(|stream| {
            stream.wait_graph_event(&go)?;
            stream.record_graph_event(&between)
        })
        .unwrap();
    let second = other.capture(|other| other.wait_graph_event(&between)).unwrap();
    let gate = Gate::close(&other);
    other.record_graph_event(&go).unwrap();
    first.launch(&stream).unwrap();
    assert!(!stream.is_idle().unwrap());
    drop(gate);
    stream.synchronize().unwrap();
    second.launch(&other).unwrap();
    other.synchronize().unwrap();
}

#[test]
fn events_of_graphs_are_used_on_their_sides_only() {
    let device = device(3);
    let stream = device.stream().unwrap();
    let event = device.graph_event(Side::Graph, Side::Stream).unwrap();
    assert!(matches!(stream.record_graph_event(&event), Err(Error::Mismatch { .. })));
    let result = stream.capture(|stream| stream.wait_graph_event(&event));
    assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
    let result = stream.capture(|stream| {
        stream.record_graph_event(&event)?;
        stream.record_graph_event(&event)
    });
    assert!(matches!(result, Err(Error::Mismatch { what: "event in a graph", .. })), "{result:?}");
    let elsewhere = common::device(2).stream().unwrap();
    let result = elsewhere.capture(|elsewhere| elsewhere.record_graph_event(&event));
    assert!(matches!(result, Err(Error::Mismatch { .. })), "{result:?}");
    // Nothing of that reached the library, so both graphs can be made.
    stream.capture(|stream| stream.record_graph_event(&event)).unwrap();
    stream.wait_graph_event(&event).unwrap();
}
