//! Graphs that run without a stream, and what is printed of them.

mod common;

use std::thread;

use ascendcl::{Error, ErrorKind};
use ascendcl_sim::fault::{Fault, inject};
use common::{Gate, device};

#[test]
fn each_execution_does_the_work_once_more() {
    let stream = device(0).stream().unwrap();
    let (mut a, mut b) = (stream.alloc_from(&[1u8, 2]).unwrap(), stream.alloc_from(&[0u8, 0]).unwrap());
    let mut c = stream.alloc_from(&[0u8, 0]).unwrap();
    let graph = stream
        .capture(|stream| {
            stream.copy(&b, &mut c)?;
            stream.copy(&a, &mut b)
        })
        .unwrap();
    graph.execute().unwrap();
    assert_eq!(stream.download_vec(&b).unwrap(), [1, 2]);
    assert_eq!(stream.download_vec(&c).unwrap(), [0, 0]);
    stream.upload(&[3, 4], &mut a).unwrap();
    graph.execute().unwrap();
    assert_eq!(stream.download_vec(&b).unwrap(), [3, 4]);
    assert_eq!(stream.download_vec(&c).unwrap(), [1, 2]);
    // It owns its memory.
    drop((a, b, c));
    graph.execute().unwrap();
}

#[test]
fn an_execution_follows_work_on_its_memory_and_lets_others_queue() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let mut from = stream.alloc_from(&[1u8; 50]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 50]).unwrap();
    let graph = stream.capture(|stream| stream.copy(&from, &mut to)).unwrap();
    // A launch, a write of the source, and a read of the destination are pending on two streams.
    let gate = Gate::close(&stream);
    graph.launch(&stream).unwrap();
    let mut before = other.alloc_from(&[9u8; 50]).unwrap();
    other.copy(&to, &mut before).unwrap();
    stream.fill_bytes(&mut from, 2).unwrap();
    let third = device.stream().unwrap();
    thread::scope(|scope| {
        let execution = scope.spawn(|| graph.execute());
        // Neither the thread that waits nor the streams keep this one from its work.
        let elsewhere = third.alloc_from(&[4u8; 8]).unwrap();
        assert_eq!(third.download_vec(&elsewhere).unwrap(), [4; 8]);
        assert!(!execution.is_finished());
        drop(gate);
        execution.join().unwrap().unwrap();
    });
    assert_eq!(other.download_vec(&before).unwrap(), [1; 50]);
    assert_eq!(other.download_vec(&to).unwrap(), [2; 50]);
}

#[test]
fn executions_and_launches_of_many_threads_take_turns() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let one = stream.alloc_from(&[1u8; 1000]).unwrap();
    let two = stream.alloc_from(&[2u8; 1000]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 1000]).unwrap();
    let graphs = [&one, &two].map(|from| stream.capture(|stream| stream.copy(from, &mut to)).unwrap());
    thread::scope(|scope| {
        for index in 0..4 {
            let (graph, device) = (&graphs[index % 2], &device);
            scope.spawn(move || {
                let stream = device.stream().unwrap();
                for _ in 0..20 {
                    if index < 2 { graph.execute().unwrap() } else { graph.launch(&stream).unwrap() }
                }
            });
        }
    });
    let result = stream.download_vec(&to).unwrap();
    assert!(result == [1; 1000] || result == [2; 1000]);
}

#[test]
fn failures_are_reported() {
    let stream = device(2).stream().unwrap();
    let from = stream.alloc_from(&[6u8; 5]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 5]).unwrap();
    // A fault that is armed when a copy is captured is part of the graph.
    let fault = inject(2, Fault::AsyncCopy { nth: 1 });
    let fails = stream.capture(|stream| stream.copy(&from, &mut to)).unwrap();
    drop(fault);
    let works = stream.capture(|stream| stream.copy(&from, &mut to)).unwrap();
    for _ in 0..2 {
        let error = fails.execute().unwrap_err();
        assert!(matches!(&error, Error::Acl(error) if error.call == "aclmdlRIExecute"), "{error}");
        assert_eq!(stream.download_vec(&to).unwrap(), [0; 5]);
    }
    works.execute().unwrap();
    assert_eq!(stream.download_vec(&to).unwrap(), [6; 5]);
}

#[test]
fn the_json_file_names_the_tasks_in_order() {
    let stream = device(3).stream().unwrap();
    let from = stream.alloc_from(&[1u8]).unwrap();
    let mut to = stream.alloc_from(&[0u8]).unwrap();
    let graph = stream
        .capture(|stream| {
            stream.fill_bytes(&mut to, 1)?;
            stream.copy(&from, &mut to)
        })
        .unwrap();
    graph.debug_print().unwrap();
    let path = std::env::temp_dir().join(format!("ascendcl-graph-{}.json", std::process::id()));
    graph.debug_json(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let place = |name| text.find(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(place("\"name\":\"MEMSET\"") < place("\"name\":\"MEMCPY\""));
    assert_eq!(text.matches("\"name\":").count(), 2);
    assert!(matches!(graph.debug_json("a\0b"), Err(Error::Shape(_))));
    let error = graph.debug_json("/no/such/place/graph.json").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    // Printing runs nothing.
    assert_eq!(stream.download_vec(&to).unwrap(), [0]);
}
