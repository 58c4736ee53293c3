//! The ownership argument of the crate's documentation, point by point.

mod common;

use std::sync::Arc;
use std::thread;

use ascendcl::{DeviceBuffer, Error, Event, Graph, PinnedBuffer, Runtime, Stream, Tensor};
use common::{Gate, device};

#[test]
fn handles_may_cross_threads() {
    fn both<T: Send + Sync>() {}
    both::<Runtime>();
    both::<ascendcl::Device>();
    both::<Stream>();
    both::<Event>();
    both::<DeviceBuffer<f32>>();
    both::<PinnedBuffer<f32>>();
    both::<Tensor>();
    both::<Graph>();
}

#[test]
fn a_buffer_dropped_while_a_copy_is_queued_keeps_its_contents_for_it() {
    let stream = device(0).stream().unwrap();
    let other = device(0).stream().unwrap();
    let mut to = stream.alloc_from(&[0u32; 1000]).unwrap();
    let from = stream.alloc_from(&[7u32; 1000]).unwrap();
    stream.synchronize().unwrap();
    let address = from.as_device_ptr();
    let gate = Gate::close(&stream);
    stream.copy(&from, &mut to).unwrap();
    drop(from);
    // On the same stream the block is handed out again at once: later work comes after the copy by itself.
    let mut again = stream.alloc::<u32>(1000).unwrap();
    assert_eq!(again.as_device_ptr(), address);
    stream.fill_bytes(&mut again, 0xff).unwrap();
    drop(again);
    // Another stream gets another block rather than wait.
    let elsewhere = other.alloc_from(&[9u32; 1000]).unwrap();
    assert_ne!(elsewhere.as_device_ptr(), address);
    drop(gate);
    assert_eq!(stream.download_vec(&to).unwrap(), [7; 1000]);
}

#[test]
fn streams_wait_for_each_other_over_a_shared_buffer() {
    let (first, second) = (device(0).stream().unwrap(), device(0).stream().unwrap());
    let from = first.alloc_from(&[5u8; 4096]).unwrap();
    let mut shared = first.alloc_from(&[0u8; 4096]).unwrap();
    let mut result = second.alloc_from(&[0u8; 4096]).unwrap();
    first.synchronize().unwrap();
    let gate = Gate::close(&first);
    first.copy(&from, &mut shared).unwrap(); // write on the first stream ...
    second.copy(&shared, &mut result).unwrap(); // ... read on the second
    first.fill_bytes(&mut shared, 1).unwrap(); // ... write again on the first, after the read
    assert!(!second.is_idle().unwrap(), "the second stream waits for the first");
    drop(gate);
    assert_eq!(second.download_vec(&result).unwrap(), [5; 4096]);
    assert_eq!(first.download_vec(&shared).unwrap(), [1; 4096]);
}

#[test]
fn pinned_contents_wait_for_queued_copies() {
    let stream = device(0).stream().unwrap();
    let mut host = stream.alloc_pinned::<i64>(100).unwrap();
    let mut device = stream.alloc_from(&[3i64; 100]).unwrap();
    let gate = Gate::close(&stream);
    stream.download_pinned(&device, &mut host).unwrap();
    let opener = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        drop(gate);
    });
    assert_eq!(host.as_slice().unwrap(), [3; 100]);
    opener.join().unwrap();

    let gate = Gate::close(&stream);
    stream.upload_pinned(&host, &mut device).unwrap();
    let opener = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        drop(gate);
    });
    host.as_mut_slice().unwrap().fill(4); // must not overtake the upload of the threes
    opener.join().unwrap();
    assert_eq!(stream.download_vec(&device).unwrap(), [3; 100]);
}

#[test]
fn a_pinned_buffer_dropped_while_a_copy_is_queued_is_not_reused_too_early() {
    let stream = device(0).stream().unwrap();
    let mut device = stream.alloc_from(&[0u8; 600]).unwrap();
    let mut host = stream.alloc_pinned::<u8>(600).unwrap();
    host.as_mut_slice().unwrap().fill(8);
    let gate = Gate::close(&stream);
    stream.upload_pinned(&host, &mut device).unwrap();
    drop(host);
    let opener = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        drop(gate);
    });
    // Zeroing the same block waits for the copy.
    let again = stream.alloc_pinned::<u8>(600).unwrap();
    assert_eq!(again.as_slice().unwrap(), [0; 600]);
    opener.join().unwrap();
    assert_eq!(stream.download_vec(&device).unwrap(), [8; 600]);
}

#[test]
fn buffers_may_outlive_their_stream_and_everything_may_be_dropped_in_any_order() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let buffer = stream.alloc_from(&[1u8, 2, 3]).unwrap();
    drop(stream);
    let later = device.stream().unwrap();
    drop(device);
    assert_eq!(later.download_vec(&buffer).unwrap(), [1, 2, 3]);
    drop(later);
    drop(buffer);
}

#[test]
fn a_stream_is_used_from_many_threads() {
    let stream = device(0).stream().unwrap();
    thread::scope(|scope| {
        for thread in 0..8u8 {
            let stream = &stream;
            scope.spawn(move || {
                for round in 0..20 {
                    let value = thread * 20 + round;
                    let buffer = stream.alloc_from(&[value; 777]).unwrap();
                    let mut copy = stream.alloc::<u8>(777).unwrap();
                    stream.copy(&buffer, &mut copy).unwrap();
                    assert_eq!(stream.download_vec(&copy).unwrap(), [value; 777]);
                }
            });
        }
    });
}

#[test]
fn a_panic_in_a_host_function_is_reported_once() {
    let stream = device(0).stream().unwrap();
    stream.host_function(|| panic!("expected in this test")).unwrap();
    match stream.synchronize() {
        Err(Error::HostFunctionPanicked { message }) => assert_eq!(message, "expected in this test"),
        other => panic!("{other:?}"),
    }
    stream.synchronize().unwrap();
}

#[test]
fn host_functions_see_and_change_pinned_memory_in_order() {
    let stream = device(0).stream().unwrap();
    let from = stream.alloc_from(&[1u8, 2, 3]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 3]).unwrap();
    let (mut a, mut b) = (stream.alloc_pinned::<u8>(3).unwrap(), stream.alloc_pinned::<u8>(3).unwrap());
    let gate = Gate::close(&stream);
    stream.download_pinned(&from, &mut a).unwrap();
    stream
        .host_function_on([&mut a, &mut b], |[a, b]| {
            for (a, b) in a.iter_mut().zip(b) {
                *b = *a * 10;
                *a = 0;
            }
        })
        .unwrap();
    stream.upload_pinned(&b, &mut to).unwrap();
    drop(gate);
    assert_eq!(stream.download_vec(&to).unwrap(), [10, 20, 30]);
    assert_eq!(a.as_slice().unwrap(), [0; 3]);
}

// On a device of its own, because it looks at addresses.
#[test]
fn a_graph_owns_its_memory() {
    let stream = device(3).stream().unwrap();
    let other = device(3).stream().unwrap();
    let mut out = stream.alloc_from(&[0u16; 50]).unwrap();
    let from = stream.alloc_from(&[6u16; 50]).unwrap();
    let address = from.as_device_ptr();
    let graph = stream.capture(|stream| stream.copy(&from, &mut out)).unwrap();
    drop(from);
    let fresh = stream.alloc_from(&[9u16; 50]).unwrap();
    assert_ne!(fresh.as_device_ptr(), address, "the graph keeps the block");
    graph.launch(&other).unwrap();
    // The launch on the other stream counts as a write of `out`.
    assert_eq!(stream.download_vec(&out).unwrap(), [6; 50]);
    drop(graph);
    let again = other.alloc::<u16>(50).unwrap(); // the stream of the last launch need not wait
    assert_eq!(again.as_device_ptr(), address, "and gives it back");
}

#[test]
fn a_capture_refuses_what_it_cannot_keep() {
    let stream = device(0).stream().unwrap();
    let other = device(0).stream().unwrap();
    let event = device(0).event().unwrap();
    let mut buffer = stream.alloc_from(&[0u8; 8]).unwrap();
    let mut pinned = stream.alloc_pinned::<u8>(8).unwrap();
    let mut refused = Vec::new();
    let graph = stream
        .capture(|stream| {
            refused.push(stream.upload(&[1; 8], &mut buffer));
            refused.push(stream.download(&buffer, &mut [0; 8]));
            refused.push(stream.upload_pinned(&pinned, &mut buffer));
            refused.push(stream.download_pinned(&buffer, &mut pinned));
            refused.push(stream.host_function(|| ()));
            refused.push(stream.host_function_on([&mut pinned], |_| ()));
            refused.push(stream.synchronize());
            refused.push(stream.record(&event));
            refused.push(stream.wait(&event));
            refused.push(stream.capture(|_| Ok(())).map(drop));
            // Other streams go on, also with memory that this one used before the capture.
            let mut mine = other.alloc::<u8>(8)?;
            other.copy(&buffer, &mut mine)?;
            other.synchronize()?;
            stream.fill_bytes(&mut buffer, 2)
        })
        .unwrap();
    for result in refused {
        assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
    }
    graph.launch(&stream).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [2; 8]);
}

#[test]
fn an_error_or_a_panic_in_a_capture_ends_it() {
    let stream = device(0).stream().unwrap();
    let mut buffer = stream.alloc_from(&[0u8; 8]).unwrap();
    let result = stream.capture(|_| Err(Error::Capturing { call: "test" }));
    assert!(result.is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = stream.capture(|_| panic!("expected in this test"));
    }));
    assert!(panicked.is_err());
    stream.upload(&[1; 8], &mut buffer).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1; 8]);
}

#[test]
fn a_slice_of_pinned_memory_is_copied_before_upload_returns() {
    let stream = device(0).stream().unwrap();
    let mut host = stream.alloc_pinned::<u8>(1 << 20).unwrap();
    let mut target = stream.alloc::<u8>(1 << 20).unwrap();
    host.as_mut_slice().unwrap().fill(1);
    stream.host_function(|| thread::sleep(std::time::Duration::from_millis(5))).unwrap();
    // Page-locked, so the library itself would not wait.
    stream.upload(host.as_slice().unwrap(), &mut target).unwrap();
    host.as_mut_slice().unwrap().fill(9);
    assert_eq!(stream.download_vec(&target).unwrap(), vec![1; 1 << 20]);
}

#[test]
fn a_graph_and_other_work_on_its_memory_are_never_at_it_together() {
    const LEN: usize = 1 << 16;
    let (first, second) = (device(0).stream().unwrap(), device(0).stream().unwrap());
    let mut shared = first.alloc_from(&vec![0u8; LEN]).unwrap();
    let ones = first.capture(|stream| stream.fill_bytes(&mut shared, 1)).unwrap();
    let twos = first.capture(|stream| stream.fill_bytes(&mut shared, 2)).unwrap();
    let mut seen = first.alloc::<u8>(LEN).unwrap();
    for _ in 0..300 {
        thread::scope(|scope| {
            scope.spawn(|| first.copy(&shared, &mut seen).unwrap());
            scope.spawn(|| ones.launch(&second).unwrap());
            scope.spawn(|| twos.launch(&first).unwrap());
        });
        let values = first.download_vec(&seen).unwrap();
        assert!(values.iter().all(|value| *value == values[0]), "a copy saw half a fill");
    }
}

#[test]
fn host_functions_are_refused_calls_and_may_own_anything() {
    let device = device(0);
    let stream = Arc::new(device.stream().unwrap());
    let mut buffer = stream.alloc_from(&[1u8; 8]).unwrap();
    let graph = stream.capture(|stream| stream.fill_bytes(&mut buffer, 2)).unwrap();
    let (event, other) = (device.event().unwrap(), device.stream().unwrap());
    let (sender, results) = std::sync::mpsc::channel();
    let own = Arc::clone(&stream);
    stream
        .host_function(move || {
            sender.send(own.synchronize()).unwrap();
            sender.send(own.alloc::<u8>(8).map(drop)).unwrap();
            sender.send(own.record(&event)).unwrap();
            sender.send(graph.launch(&other)).unwrap();
            // Dropped here: a graph, an event, a stream, and perhaps the last handle to this very stream.
        })
        .unwrap();
    for result in (0..4).map(|_| results.recv().unwrap()) {
        assert!(matches!(result, Err(Error::InHostFunction)), "{result:?}");
    }
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1; 8]);

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("expected in this test");
            }
        }
    }
    stream.host_function(|| std::panic::panic_any(Bomb)).unwrap();
    assert!(matches!(stream.synchronize(), Err(Error::HostFunctionPanicked { .. })));
}

#[test]
fn nobody_waits_for_a_stream_that_is_being_closed() {
    let (closing, other) = (device(0).stream().unwrap(), device(0).stream().unwrap());
    let mut used = closing.alloc_pinned::<u8>(600).unwrap();
    closing.host_function_on([&mut used], |_| thread::sleep(std::time::Duration::from_millis(50))).unwrap();
    drop(used); // the queued function is the last owner, and gives it back to the pool
    let written = closing.alloc_from(&[0u8; 600]);
    drop(written);
    let gate = Gate::close(&closing);
    let closer = thread::spawn(move || drop(closing));
    thread::sleep(std::time::Duration::from_millis(5));
    // None of this needs the other stream's work.
    let host = other.alloc_pinned::<u8>(600).unwrap();
    let mut buffer = other.alloc::<u8>(600).unwrap();
    other.upload_pinned(&host, &mut buffer).unwrap();
    drop(gate);
    closer.join().unwrap();
    assert_eq!(other.download_vec(&buffer).unwrap(), [0; 600]);
}

#[test]
fn a_new_event_knows_nothing_of_an_old_one() {
    let stream = device(0).stream().unwrap();
    let gate = Gate::close(&stream);
    let event = device(0).timing_event().unwrap();
    stream.record(&event).unwrap();
    drop(event);
    let fresh = device(0).timing_event().unwrap();
    assert!(fresh.is_complete().unwrap());
    drop(gate);
}

#[test]
fn two_halves_of_a_buffer_and_rows_in_every_direction() {
    let stream = device(0).stream().unwrap();
    let mut buffer = stream.alloc_from(&[1u16, 2, 3, 4, 5, 6]).unwrap();
    let (mut first, second) = buffer.slice_mut(..).unwrap().split_at_mut(2).unwrap();
    assert_eq!((first.len(), second.len()), (2, 4));
    first = first.slice_mut(1..).unwrap();
    stream.fill_bytes(first, 0).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1, 0, 3, 4, 5, 6]);

    let mut rows = stream.alloc_from(&[0u16; 6]).unwrap();
    let pitch = ascendcl::Pitch { width: 1, rows: 2, from: 3, to: 4 };
    stream.copy_rows(buffer.slice(2..).unwrap(), &mut rows, pitch).unwrap();
    assert_eq!(stream.download_vec(&rows).unwrap(), [3, 0, 0, 0, 6, 0]);
    let mut host = stream.alloc_pinned::<u16>(4).unwrap();
    let pitch = ascendcl::Pitch { width: 2, rows: 2, from: 4, to: 2 };
    stream.download_rows(&rows, &mut host, pitch).unwrap();
    assert_eq!(host.as_slice().unwrap(), [3, 0, 6, 0]);
    // The pitch of a single row means nothing.
    let pitch = ascendcl::Pitch { width: 1, rows: 1, from: 1, to: usize::MAX };
    stream.upload_rows(&host, &mut rows, pitch).unwrap();
}

// On a device of its own, because it looks at what the pool holds.
#[test]
fn pinned_memory_in_a_loop_does_not_pile_up() {
    const LEN: usize = 3 << 20; // a slab for itself
    let device = device(2);
    let stream = device.stream().unwrap();
    let mut target = stream.alloc::<u8>(LEN).unwrap();
    for _ in 0..40 {
        let host = stream.alloc_pinned::<u8>(LEN).unwrap();
        stream.host_function(|| thread::sleep(std::time::Duration::from_millis(2))).unwrap();
        stream.upload_pinned(&host, &mut target).unwrap();
    }
    // Not forty blocks of 4 MiB: beyond some in flight, the host waits for the oldest.
    assert!(device.pinned_pool_statistics().reserved_bytes <= 10 * (4 << 20));
}
