//! Fills with words, against what the words are on the host.

mod common;

use ascendcl::Error;
use common::{Gate, device};

#[test]
fn words_fill_the_slice_and_nothing_else() {
    let stream = device(0).stream().unwrap();
    let mut buffer = stream.alloc_from(&[7u32; 9]).unwrap();
    stream.fill_words(buffer.slice_mut(2..5).unwrap(), 0xDEAD_BEEF).unwrap();
    stream.fill_words(buffer.slice_mut(5..5).unwrap(), 1).unwrap();
    stream.fill_words(buffer.slice_mut(8..).unwrap(), u32::MAX).unwrap();
    let expected = [7, 7, 0xDEAD_BEEF, 0xDEAD_BEEF, 0xDEAD_BEEF, 7, 7, 7, u32::MAX];
    assert_eq!(stream.download_vec(&buffer).unwrap(), expected);
}

#[test]
fn a_fill_is_ordered_with_other_streams() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let mut buffer = stream.alloc_from(&[0u32; 64]).unwrap();
    let mut copied = other.alloc::<u32>(64).unwrap();
    let gate = Gate::close(&stream);
    stream.fill_words(&mut buffer, 3).unwrap();
    // Waits for the fill behind the gate, and the second fill waits for the copy.
    other.copy(&buffer, &mut copied).unwrap();
    stream.fill_words(&mut buffer, 4).unwrap();
    assert!(!other.is_idle().unwrap());
    drop(gate);
    assert_eq!(other.download_vec(&copied).unwrap(), [3; 64]);
    assert_eq!(stream.download_vec(&buffer).unwrap(), [4; 64]);
}

#[test]
fn a_graph_can_fill() {
    let stream = device(2).stream().unwrap();
    let mut buffer = stream.alloc_from(&[1u32; 4]).unwrap();
    let graph =
        stream.capture(|stream| stream.fill_words(buffer.slice_mut(..2).unwrap(), 0x0A0B_0C0D)).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1; 4]);
    graph.launch(&stream).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [0x0A0B_0C0D, 0x0A0B_0C0D, 1, 1]);
}

#[test]
fn memory_of_another_device_is_refused() {
    let (stream, other) = (device(2).stream().unwrap(), device(3).stream().unwrap());
    let mut buffer = other.alloc_from(&[5u32; 4]).unwrap();
    let error = stream.fill_words(&mut buffer, 0).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(other.download_vec(&buffer).unwrap(), [5; 4]);
}
