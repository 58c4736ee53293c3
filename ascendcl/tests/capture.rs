//! Modes of captures, groups of tasks and their updates. Reductions stand for the operators that groups are of.

mod common;

use std::thread;

use ascendcl::{CaptureMode, DeviceBuffer, Error, Result, Stream, sys};
use common::{Gate, device};

/// Adds a buffer to another, as an operator would.
fn add(stream: &Stream, sum: &mut DeviceBuffer<i32>, operand: &DeviceBuffer<i32>) -> Result<()> {
    let runtime = stream.device().runtime().clone();
    let (to, from, size) = (sum.as_device_ptr(), operand.as_device_ptr(), sum.len() as u64 * 4);
    let kind = sys::ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM;
    // SAFETY: the work reads and writes the buffers as it says, and they have the same length.
    unsafe {
        stream.enqueue(&[operand.read(), sum.write()], |stream| {
            let null = std::ptr::null_mut();
            let result =
                runtime.functions().aclrtReduceAsync(to, from, size, kind, sys::ACL_INT32, stream, null);
            runtime.check("aclrtReduceAsync", result)
        })
    }
}

#[test]
fn modes_forbid_threads_what_they_say() {
    let device = device(0);
    let runtime = device.runtime().clone();
    let (captured, stream) = (device.stream().unwrap(), device.stream().unwrap());
    let upload = || stream.upload(&[1u8], &mut stream.alloc(1).unwrap());
    let elsewhere = |mode: Option<CaptureMode>| {
        thread::scope(|scope| {
            let run = || {
                if let Some(mode) = mode {
                    assert_eq!(runtime.exchange_capture_mode(mode).unwrap(), CaptureMode::Global);
                }
                upload().is_ok()
            };
            scope.spawn(run).join().unwrap()
        })
    };
    let capture = |mode, work: &dyn Fn()| {
        let captured = captured.capture_in(mode, |_| {
            work();
            Ok(())
        });
        captured.is_ok()
    };
    assert!(capture(CaptureMode::Relaxed, &|| assert!(upload().is_ok() && elsewhere(None))));
    assert!(capture(CaptureMode::ThreadLocal, &|| assert!(elsewhere(None))));
    assert!(!capture(CaptureMode::ThreadLocal, &|| assert!(upload().is_err())), "the capture is spoilt");
    assert!(!capture(CaptureMode::Global, &|| assert!(!elsewhere(None))));
    assert!(capture(CaptureMode::Global, &|| {
        assert!(elsewhere(Some(CaptureMode::ThreadLocal)));
        assert!(elsewhere(Some(CaptureMode::Relaxed)));
        let before = runtime.exchange_capture_mode(CaptureMode::Relaxed).unwrap();
        assert!(upload().is_ok());
        assert_eq!(runtime.exchange_capture_mode(before).unwrap(), CaptureMode::Relaxed);
    }));
}

#[test]
fn the_tasks_of_a_group_are_replaced_in_the_order_of_the_stream() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let [one, ten] = [1, 10].map(|value| stream.alloc_from(&[value; 3]).unwrap());
    let mut sum = stream.alloc_from(&[0; 3]).unwrap();
    let mut group = None;
    let mut graph = stream
        .capture(|stream| {
            add(stream, &mut sum, &one)?;
            group = Some(stream.capture_group(|stream| add(stream, &mut sum, &one))?);
            Ok(())
        })
        .unwrap();
    let group = group.unwrap();
    graph.launch(&stream).unwrap();
    assert_eq!(stream.download_vec(&sum).unwrap(), [2; 3]);

    let hundred = stream.alloc_from(&[100; 3]).unwrap();
    let gate = Gate::close(&other);
    graph.launch(&other).unwrap();
    // SAFETY: one reduction replaces another; nobody else uses the stream.
    unsafe { graph.update(&group, &stream, |stream| add(stream, &mut sum, &hundred)) }.unwrap();
    graph.launch(&stream).unwrap();
    drop(hundred); // the graph has it
    drop(gate);
    assert_eq!(stream.download_vec(&sum).unwrap(), [2 + 2 + 101; 3]);
    // Once more, and the other task of the graph is as it was.
    // SAFETY: as above.
    unsafe { graph.update(&group, &other, |other| add(other, &mut sum, &ten)) }.unwrap();
    graph.execute().unwrap();
    assert_eq!(stream.download_vec(&sum).unwrap(), [105 + 11; 3]);
}

#[test]
fn groups_are_of_operators_and_belong_to_a_graph() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let one = stream.alloc_from(&[1]).unwrap();
    let mut sum = stream.alloc_from(&[0]).unwrap();
    assert!(matches!(stream.capture_group(|_| Ok(())), Err(Error::Mismatch { .. })));
    let result =
        stream.capture(|stream| stream.capture_group(|stream| stream.copy(&one, &mut sum)).map(drop));
    let code = |result: &Result<()>| match result {
        Err(Error::Acl(error)) => Some(error.code),
        _ => None,
    };
    let result = result.map(drop);
    assert_eq!(code(&result), Some(sys::ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT), "{result:?}");

    let mut groups = Vec::new();
    let mut graphs: Vec<_> = [0; 2]
        .iter()
        .map(|_| {
            let captured = stream.capture(|stream| {
                groups.push(stream.capture_group(|stream| add(stream, &mut sum, &one))?);
                Ok(())
            });
            captured.unwrap()
        })
        .collect();
    // SAFETY: refused.
    let result = unsafe { graphs[0].update(&groups[1], &stream, |_| Ok(())) };
    assert!(matches!(result, Err(Error::Mismatch { what: "task group", .. })), "{result:?}");
    // SAFETY: refused, and the graph is not launched.
    let result = unsafe { graphs[0].update(&groups[0], &stream, |stream| stream.upload(&[1], &mut sum)) };
    assert!(matches!(result, Err(Error::Capturing { call: "Stream::upload" })), "{result:?}");
    // SAFETY: the library refuses what is not as many tasks; the graph is not launched.
    let result = unsafe { graphs[0].update(&groups[0], &stream, |_| Ok(())) };
    assert!(matches!(result, Err(Error::Acl(_))), "{result:?}");
    // The stream works as before.
    add(&stream, &mut sum, &one).unwrap();
    assert_eq!(stream.download_vec(&sum).unwrap(), [1]);
    // SAFETY: the library refuses it for captured graphs.
    let result = unsafe { graphs[1].abort() };
    assert_eq!(code(&result), Some(sys::ACL_ERROR_RT_FEATURE_NOT_SUPPORT), "{result:?}");
}

#[test]
fn a_stream_can_be_destroyed_with_its_work() {
    let device = device(3);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let mut memory = other.alloc_from(&[1u8; 4]).unwrap();
    let gate = Gate::close(&stream);
    stream.fill_bytes(&mut memory, 2).unwrap();
    // SAFETY: nothing touches the memory before the device is synchronised, below.
    unsafe { stream.destroy_force() }.unwrap();
    drop(gate);
    device.synchronize().unwrap();
    assert_eq!(other.download_vec(&memory).unwrap(), [1; 4], "the fill was dropped");
}
