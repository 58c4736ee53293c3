//! Explicit contexts, the thread's current device, and devices that are reset by force.

mod common;

use std::thread;

use ascendcl::{Error, Event};
use ascendcl_sim::report;
use common::{Gate, device};

#[test]
fn contexts_keep_what_is_made_in_them_apart() {
    let device = device(0);
    let context = device.create_context().unwrap();
    assert_eq!(context.device().id(), 0);
    assert_ne!(context.device(), &device);
    let (inside, outside) = (context.device().stream().unwrap(), device.stream().unwrap());
    let mut buffer = inside.alloc_from(&[1u8, 2, 3]).unwrap();
    let event: Event = context.device().event().unwrap();
    let mismatches = [
        outside.fill_bytes(&mut buffer, 0),
        outside.record(&event),
        outside.wait(&event),
        device.upload(&[0; 3], &mut buffer),
    ];
    for result in mismatches {
        assert!(matches!(result, Err(Error::Mismatch { .. })), "{result:?}");
    }
    inside.record(&event).unwrap();
    assert_eq!(inside.download_vec(&buffer).unwrap(), [1, 2, 3]);
    let other = outside.alloc_from(&[9u8]).unwrap();
    assert_eq!(outside.download_vec(&other).unwrap(), [9]);
    // The library was not asked.
    assert!(!report().misuse.iter().any(|misuse| misuse.message.contains("another context")));
}

#[test]
fn a_context_lives_as_long_as_its_streams() {
    let device = device(1);
    let context = device.create_context().unwrap();
    let stream = context.device().stream().unwrap();
    let gate = Gate::close(&stream);
    let mut buffer = stream.alloc::<u8>(4).unwrap();
    stream.fill_bytes(&mut buffer, 7).unwrap();
    drop((context, device));
    drop(gate);
    assert_eq!(stream.download_vec(&buffer).unwrap(), [7; 4]);
    drop((stream, buffer));
    let leaks = report().of_device(1).leaks;
    assert!(leaks.is_empty(), "{leaks:?}");
}

#[test]
fn a_thread_has_one_current_context() {
    let device = device(2);
    let runtime = device.runtime().clone();
    let context = device.create_context().unwrap();
    device.make_current().unwrap();
    assert!(!context.is_current().unwrap());
    context.device().make_current().unwrap();
    assert!(context.is_current().unwrap());
    assert_eq!(runtime.current_device().unwrap(), Some(2));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert_eq!(runtime.current_device().unwrap(), None);
            assert!(matches!(context.is_current(), Err(Error::Acl(_))));
            // A call binds the context.
            let stream = context.device().stream().unwrap();
            assert!(context.is_current().unwrap());
            stream.synchronize().unwrap();
        });
        other.join().unwrap();
    });
}

#[test]
fn a_reset_by_force_needs_the_last_handle() {
    let device = device(3);
    let runtime = device.runtime().clone();
    let stream = device.stream().unwrap();
    let context = device.create_context().unwrap();
    // SAFETY: refused, because there are handles.
    let result = unsafe { device.clone().reset_force() };
    assert!(matches!(result, Err(Error::InUse { handles: 3 })), "{result:?}");
    // SAFETY: refused, because the device is that of an explicit context.
    let result = unsafe { context.device().clone().reset_force() };
    assert!(matches!(result, Err(Error::Mismatch { .. })), "{result:?}");
    drop((stream, context));

    // Somebody else in the process has set the device, too.
    // SAFETY: a call by numbers.
    runtime.check("aclrtSetDevice", unsafe { runtime.functions().aclrtSetDevice(3) }).unwrap();
    // SAFETY: nobody uses the device any more.
    unsafe { device.reset_force() }.unwrap();
    // SAFETY: as above.
    let again = unsafe { runtime.functions().aclrtResetDevice(3) };
    assert!(runtime.check("aclrtResetDevice", again).is_err(), "no reference was left");
    // It can be opened again.
    let stream = runtime.device(3).unwrap().stream().unwrap();
    let buffer = stream.alloc_from(&[5u16]).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [5]);
    drop((stream, buffer));
    let leaks = report().of_device(3).leaks;
    assert!(leaks.is_empty(), "{leaks:?}");
}
