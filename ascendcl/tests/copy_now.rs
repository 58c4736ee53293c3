//! Copies and fills by the host, against copies in Rust, and their order with streams.

mod common;

use std::thread;
use std::time::Duration;

use ascendcl::{Error, Pitch};
use common::{Gate, device};
use proptest::prelude::*;

#[test]
fn copies_and_fills_are_done_when_the_call_returns() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let mut a = stream.alloc::<u32>(100).unwrap();
    let mut b = stream.alloc::<u32>(100).unwrap();
    device.fill_words(&mut a, 0xdead_beef).unwrap();
    device.fill_bytes(a.slice_mut(50..).unwrap(), 7).unwrap();
    device.upload(&[1, 2, 3], a.slice_mut(10..13).unwrap()).unwrap();
    device.copy(&a, &mut b).unwrap();
    let mut expected = vec![0xdead_beef_u32; 100];
    expected[50..].fill(0x0707_0707);
    expected[10..13].copy_from_slice(&[1, 2, 3]);
    let mut values = vec![0; 100];
    device.download(&b, &mut values).unwrap();
    assert_eq!(values, expected);
    // Nothing is no error.
    device.upload(&[], a.slice_mut(5..5).unwrap()).unwrap();
    device.fill_words(a.slice_mut(..0).unwrap(), 1).unwrap();
    device.download(&stream.alloc::<u8>(0).unwrap(), &mut []).unwrap();
    let error = device.upload(&[1], &mut a).unwrap_err();
    assert!(matches!(error, Error::Shape(_)), "{error}");
}

#[test]
fn the_host_waits_for_the_streams_of_its_buffers_only() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let mut mine = stream.alloc_from(&[0u8; 8]).unwrap();
    let mut others = other.alloc_from(&[1u8; 8]).unwrap();
    // A stream that does not touch the buffer is not waited for.
    let gate = Gate::close(&other);
    other.fill_bytes(&mut others, 9).unwrap();
    device.upload(&[2; 8], &mut mine).unwrap();
    assert_eq!(stream.download_vec(&mine).unwrap(), [2; 8]);
    // One that writes it is.
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        drop(gate);
    });
    let mut values = [0; 8];
    device.download(&others, &mut values).unwrap();
    assert_eq!(values, [9; 8]);
    opener.join().unwrap();

    // And one that reads it, before the host writes.
    let mut copy = stream.alloc_from(&[0u8; 8]).unwrap();
    let gate = Gate::close(&stream);
    stream.copy(&others, &mut copy).unwrap();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        drop(gate);
    });
    device.fill_bytes(&mut others, 5).unwrap();
    opener.join().unwrap();
    assert_eq!(stream.download_vec(&copy).unwrap(), [9; 8], "the copy came first");
}

#[test]
fn batches_copy_what_their_pairs_say() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let values: Vec<i16> = (0..1000).collect();
    let mut memory = stream.alloc_from(&vec![0i16; 1000]).unwrap();
    let (left, right) = memory.slice_mut(..).unwrap().split_at_mut(400).unwrap();
    device.upload_batch([(&values[600..], left), (&values[..600], right)]).unwrap();
    let (mut tail, mut nothing, mut head) = ([0; 400], [], [0; 600]);
    let (left, right) = (memory.slice(..400).unwrap(), memory.slice(400..).unwrap());
    device
        .download_batch([
            (left, &mut tail[..]),
            (memory.slice(7..7).unwrap(), &mut nothing),
            (right, &mut head),
        ])
        .unwrap();
    assert_eq!([&head[..], &tail].concat(), values);
    device.upload_batch::<u8>([]).unwrap();
    let mut other = stream.alloc_from(&[5i16; 2]).unwrap();
    let error = device.upload_batch([(&values[..], (&mut memory).into()), (&values, (&mut other).into())]);
    let error = error.unwrap_err();
    assert!(matches!(&error, Error::Shape(shape) if shape.expected == "1000 elements in copy 1"), "{error}");
    assert_eq!(stream.download_vec(memory.slice(..2).unwrap()).unwrap(), [600, 601], "nothing was copied");
}

#[test]
fn captures_and_other_devices_are_refused() {
    let (device, elsewhere) = (device(3), device(2));
    let stream = device.stream().unwrap();
    let mut buffer = stream.alloc_from(&[0u32; 2]).unwrap();
    let error = elsewhere.upload(&[1, 2], &mut buffer).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let mut refused = Vec::new();
    stream
        .capture(|_| {
            refused.push(device.upload(&[1, 2], &mut buffer));
            refused.push(device.download(&buffer, &mut [0; 2]));
            refused.push(device.fill_words(&mut buffer, 1));
            refused.push(device.fill_bytes(&mut buffer, 1));
            Ok(())
        })
        .unwrap();
    for result in refused {
        assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
    }
    device.upload(&[1, 2], &mut buffer).unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Rows go where a loop would put them, or nothing happens at all.
    #[test]
    fn rows_go_where_a_loop_would_put_them(
        width in 0usize..6,
        rows in 0usize..5,
        pitch in (0usize..9, 0usize..9),
    ) {
        let device = device(0);
        let stream = device.stream().unwrap();
        let pitch = Pitch { width, rows, from: pitch.0, to: pitch.1 };
        let values: Vec<u16> = (1..=20).collect();
        let mut memory = stream.alloc_from(&[0u16; 24]).unwrap();
        let uploaded = device.upload_rows(&values, &mut memory, pitch);
        let fits = |pitch: usize, len: usize| {
            width == 0 || rows == 0 || (pitch >= width && (rows - 1) * pitch + width <= len)
        };
        prop_assert_eq!(uploaded.is_ok(), fits(pitch.from, 20) && fits(pitch.to, 24));
        let mut expected = vec![0; 24];
        if uploaded.is_ok() {
            for row in 0..rows {
                for column in 0..width {
                    expected[row * pitch.to + column] = values[row * pitch.from + column];
                }
            }
        }
        prop_assert_eq!(&stream.download_vec(&memory).unwrap(), &expected);
        if uploaded.is_ok() && width > 0 {
            let mut back = vec![0; 20];
            device.download_rows(&memory, &mut back, Pitch { from: pitch.to, to: pitch.from, ..pitch }).unwrap();
            for row in 0..rows {
                let start = row * pitch.from;
                prop_assert_eq!(&back[start..start + width], &values[start..start + width]);
            }
        }
    }
}
