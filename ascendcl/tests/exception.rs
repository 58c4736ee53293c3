//! Reports of failed tasks. The handler is the process's, so this is one test.

mod common;

use std::sync::mpsc::channel;

use ascendcl::sys;
use ascendcl_sim::fault::{Fault, inject};
use common::device;

#[test]
fn failed_tasks_are_reported_until_nobody_listens() {
    let device = device(1);
    let runtime = device.runtime();
    let stream = device.stream().unwrap();
    let from = stream.alloc_from(&[1u8; 8]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 8]).unwrap();
    let mut fail = || {
        stream.synchronize().unwrap();
        let fault = inject(1, Fault::AsyncCopy { nth: 1 });
        stream.copy(&from, &mut to).unwrap();
        assert!(stream.synchronize().is_err());
        assert!(fault.has_happened());
    };

    let (sender, receiver) = channel();
    runtime.on_task_exception(move |exception| sender.send(*exception).unwrap()).unwrap();
    fail();
    let exception = receiver.recv().unwrap();
    assert_eq!((exception.device, exception.stream.cast_signed()), (1, stream.id()));
    // The simulator's injected fault of asynchronous copies.
    assert_eq!(exception.code, sys::ACL_ERROR_RT_SYS_DMA);
    assert_eq!(exception.name(), Some("ACL_ERROR_RT_SYS_DMA"));
    assert!(exception.to_string().ends_with(" (ACL_ERROR_RT_SYS_DMA)"), "{exception}");
    assert!(receiver.try_recv().is_err(), "once");

    // A new handler takes the place, and a panic stays here.
    let (sender, panicked) = channel();
    runtime
        .on_task_exception(move |_| {
            sender.send(()).unwrap();
            panic!("expected in this test")
        })
        .unwrap();
    assert!(receiver.recv().is_err(), "the first handler is gone, with its sender");
    fail();
    panicked.recv().unwrap();

    runtime.ignore_task_exceptions().unwrap();
    assert!(panicked.recv().is_err(), "so is the second");
    fail();
}
