//! Host memory that is page-locked for a while, and what the library knows of addresses.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ascendcl::{Error, ErrorKind, MemoryLocation, PageBox, RegisteredBuffer};
use ascendcl_sim::fault::{Fault, inject};
use common::{Gate, device};
use proptest::prelude::*;

fn location<T>(device: &ascendcl::Device, values: &[T]) -> MemoryLocation {
    device.pointer_attributes(values.as_ptr().cast()).unwrap().location
}

#[test]
fn memory_is_page_locked_while_it_is_registered() {
    let device = device(0);
    let memory = PageBox::from_slice(&[1u32, 2, 3]).unwrap();
    assert_eq!(location(&device, &memory), MemoryLocation::Unregistered);
    let memory = device.register(memory).unwrap();
    assert_eq!(location(&device, &memory), MemoryLocation::Host);
    let last = memory.as_ptr().wrapping_byte_add(4095);
    assert_eq!(
        device.pointer_attributes(last.cast()).unwrap().location,
        MemoryLocation::Host,
        "a whole page"
    );
    assert!(!memory.as_device_ptr().is_null());
    let memory = memory.unregister().unwrap();
    assert_eq!(location(&device, &memory), MemoryLocation::Unregistered);
    assert_eq!(*memory, [1, 2, 3]);

    // Dropping ends the registration too: another can take its place.
    let registered = device.register(memory).unwrap();
    let address = registered.as_ptr();
    drop(registered);
    let attributes = device.pointer_attributes(address.cast()).unwrap();
    assert_eq!((attributes.location, attributes.page_bytes), (MemoryLocation::Unregistered, 0));
}

#[test]
fn a_forgotten_registration_leaks_its_memory_and_nothing_else() {
    let device = device(0);
    let memory = device.register(PageBox::from_slice(&[9u8; 100]).unwrap()).unwrap();
    let address = memory.as_ptr();
    std::mem::forget(memory);
    assert_eq!(device.pointer_attributes(address.cast()).unwrap().location, MemoryLocation::Host);
    // What is allocated now is elsewhere, and can be registered.
    let next = device.register(PageBox::<u8>::zeroed(100).unwrap()).unwrap();
    assert_ne!(next.as_ptr(), address);
}

#[test]
fn copies_are_done_when_their_borrow_ends() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let mut host = device.register(PageBox::from_slice(&[3i64; 1000]).unwrap()).unwrap();
    let mut buffer = stream.alloc::<i64>(1000).unwrap();
    for round in 0..10i64 {
        let gate = Gate::close(&stream);
        let opener = std::thread::spawn(move || {
            std::thread::yield_now();
            drop(gate);
        });
        host.fill(round);
        stream.upload(&host, &mut buffer).unwrap();
        host.fill(-1); // must not overtake the upload
        stream.download(&buffer, &mut host).unwrap();
        assert_eq!(*host, [round; 1000]);
        opener.join().unwrap();
    }
    // The memory may go at once.
    stream.upload(&host, &mut buffer).unwrap();
    drop(host);
    assert_eq!(stream.download_vec(&buffer).unwrap(), [9; 1000]);
}

#[test]
fn it_may_outlive_other_handles_and_cross_threads() {
    fn both<T: Send + Sync>() {}
    both::<PageBox<f32>>();
    both::<RegisteredBuffer<f32>>();
    let memory = device(3).register(PageBox::from_slice(&[1.5f32]).unwrap()).unwrap();
    assert_eq!(memory.device().id(), 3);
    let memory = std::thread::spawn(move || memory.unregister().unwrap()).join().unwrap();
    assert_eq!(*memory, [1.5]);
}

#[test]
fn memory_that_cannot_be_unregistered_is_never_freed() {
    let device = device(2);
    let [dropped, unregistered] =
        [7u8, 8].map(|value| device.register(PageBox::from_slice(&[value; 10]).unwrap()).unwrap());
    let addresses = [&dropped, &unregistered].map(|memory| memory.as_ptr());
    let fault = inject(2, Fault::DeviceLost);
    drop(dropped);
    assert_eq!(unregistered.unregister().unwrap_err().kind(), ErrorKind::DeviceLost);
    drop(fault);
    let next = [(); 8].map(|()| device.register(PageBox::<u8>::zeroed(10).unwrap()).unwrap());
    for address in addresses {
        assert_eq!(device.pointer_attributes(address.cast()).unwrap().location, MemoryLocation::Host);
        assert!(next.iter().all(|next| next.as_ptr() != address));
    }
}

#[test]
fn nothing_and_too_much() {
    let device = device(0);
    let nothing = device.register(PageBox::<f64>::zeroed(0).unwrap()).unwrap();
    assert!(nothing.is_empty());
    assert!(nothing.unregister().unwrap().is_empty());
    let error = PageBox::<f64>::zeroed(usize::MAX / 8).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(matches!(PageBox::<f64>::zeroed(usize::MAX), Err(Error::Shape(_))));
}

#[test]
fn addresses_of_all_kinds_are_told_apart() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let buffer = stream.alloc::<u8>(10).unwrap();
    let pinned = stream.alloc_pinned::<u8>(10).unwrap();
    let attributes = device.pointer_attributes(buffer.as_device_ptr()).unwrap();
    assert_eq!(attributes.location, MemoryLocation::Device(1));
    assert!(attributes.page_bytes >= 4096);
    assert_eq!(location(&device, pinned.as_slice().unwrap()), MemoryLocation::Host);
    assert_eq!(location(&device, &[1u8; 3]), MemoryLocation::Unregistered);
    let null = device.pointer_attributes(std::ptr::null());
    assert_eq!(null.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

proptest! {
    #[test]
    fn page_boxes_hold_what_they_were_given(values in prop::collection::vec(any::<u16>(), 0..5000)) {
        let memory = PageBox::from_slice(&values).unwrap();
        prop_assert!(memory.as_ptr().addr().is_multiple_of(4096));
        prop_assert_eq!(&*memory, &*values);
    }
}
