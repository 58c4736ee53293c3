//! Many copies in one call, against copies on the host.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ascendcl::{Error, PinnedBuffer, Stream};
use common::{Gate, device};

fn pinned(stream: &Stream, values: &[u16]) -> PinnedBuffer<u16> {
    let mut buffer = stream.alloc_pinned(values.len()).unwrap();
    buffer.as_mut_slice().unwrap().copy_from_slice(values);
    buffer
}

#[test]
fn batches_go_both_ways() {
    let stream = device(0).stream().unwrap();
    let values: Vec<u16> = (0..1000).map(|index| index * 61).collect();
    let host = pinned(&stream, &values);
    let ends = [0, 1, 1, 130, 999, 1000];
    let mut parts: Vec<_> =
        ends.windows(2).map(|ends| stream.alloc::<u16>(ends[1] - ends[0]).unwrap()).collect();
    let uploads: Vec<_> = ends
        .windows(2)
        .zip(&mut parts)
        .map(|(ends, part)| (host.slice(ends[0]..ends[1]).unwrap(), part.into()))
        .collect();
    stream.upload_batch(uploads).unwrap();
    for (ends, part) in ends.windows(2).zip(&parts) {
        assert_eq!(stream.download_vec(part).unwrap(), values[ends[0]..ends[1]]);
    }

    // Back, the last part first.
    let mut back = stream.alloc_pinned::<u16>(1000).unwrap();
    let mut rest = Some(back.slice_mut(..).unwrap());
    let downloads: Vec<_> = parts
        .iter()
        .rev()
        .map(|part| {
            let (first, others) = rest.take().unwrap().split_at_mut(part.len()).unwrap();
            rest = Some(others);
            (part.into(), first)
        })
        .collect();
    stream.download_batch(downloads).unwrap();
    let expected: Vec<u16> =
        ends.windows(2).rev().flat_map(|ends| values[ends[0]..ends[1]].to_vec()).collect();
    assert_eq!(back.as_slice().unwrap(), expected);
}

#[test]
fn nothing_is_no_error() {
    let stream = device(0).stream().unwrap();
    stream.upload_batch::<u8>([]).unwrap();
    let (host, mut device) = (stream.alloc_pinned::<u8>(0).unwrap(), stream.alloc::<u8>(0).unwrap());
    stream.upload_batch([((&host).into(), (&mut device).into())]).unwrap();
}

#[test]
fn one_wrong_length_refuses_the_batch() {
    let stream = device(1).stream().unwrap();
    let host = pinned(&stream, &[1, 2, 3, 4]);
    let (mut a, mut b) = (stream.alloc_from(&[9u16; 2]).unwrap(), stream.alloc_from(&[9u16; 3]).unwrap());
    let copies = [(host.slice(..2).unwrap(), (&mut a).into()), (host.slice(2..).unwrap(), (&mut b).into())];
    let error = stream.upload_batch(copies).unwrap_err();
    assert!(matches!(&error, Error::Shape(shape) if shape.expected == "2 elements in copy 1"), "{error}");
    assert_eq!(stream.download_vec(&a).unwrap(), [9; 2]);
    assert_eq!(stream.download_vec(&b).unwrap(), [9; 3]);
}

#[test]
fn a_batch_is_ordered_with_other_streams_and_the_host() {
    let device = device(2);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let mut host = pinned(&stream, &[1, 2, 3, 4]);
    let mut memory = [stream.alloc_from(&[0u16; 2]).unwrap(), stream.alloc_from(&[0u16; 2]).unwrap()];
    let mut copies = [other.alloc_from(&[0u16; 2]).unwrap(), other.alloc_from(&[0u16; 2]).unwrap()];
    let gate = Gate::close(&stream);
    let [a, b] = &mut memory;
    stream
        .upload_batch([(host.slice(..2).unwrap(), a.into()), (host.slice(2..).unwrap(), b.into())])
        .unwrap();
    for (from, to) in memory.iter().zip(&mut copies) {
        other.copy(from, to).unwrap();
    }
    assert!(!other.is_idle().unwrap());
    drop(gate);
    // The host's write must not overtake the batch.
    host.as_mut_slice().unwrap().fill(77);
    assert_eq!(other.download_vec(&copies[0]).unwrap(), [1, 2]);
    assert_eq!(other.download_vec(&copies[1]).unwrap(), [3, 4]);

    // Nor may its read.
    let gate = Gate::close(&stream);
    stream.fill_bytes(&mut memory[0], 1).unwrap();
    let [a, b] = &memory;
    let (first, second) = host.slice_mut(..).unwrap().split_at_mut(2).unwrap();
    stream.download_batch([(b.into(), first), (a.into(), second)]).unwrap();
    drop(gate);
    assert_eq!(host.as_slice().unwrap(), [3, 4, 0x0101, 0x0101]);
}

#[test]
fn captures_refuse_batches() {
    let stream = device(3).stream().unwrap();
    let host = pinned(&stream, &[1]);
    let mut memory = stream.alloc_from(&[0u16]).unwrap();
    let result = stream.capture(|stream| stream.upload_batch([((&host).into(), (&mut memory).into())]));
    assert!(matches!(result, Err(Error::Capturing { call: "Stream::upload_batch" })), "{result:?}");
    let mut other = device(2).stream().unwrap().alloc_from(&[5u16]).unwrap();
    let error = stream.upload_batch([((&host).into(), (&mut other).into())]).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
}
