//! Random programs on several streams give what the same program gives when it is done step by step on the host.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use ascendcl::{DeviceBuffer, Stream};
use common::device;
use proptest::prelude::*;

const LEN: usize = 700;
const STREAMS: usize = 3;
const BUFFERS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Upload {
        stream: usize,
        to: usize,
        value: u8,
    },
    Fill {
        stream: usize,
        to: usize,
        from_element: usize,
        value: u8,
    },
    Copy {
        stream: usize,
        from: usize,
        to: usize,
    },
    /// Through pinned memory and a host function that adds a number.
    Add {
        stream: usize,
        from: usize,
        to: usize,
        value: u8,
    },
    /// A graph that copies and then fills the first half.
    Graph {
        capture: usize,
        launch: usize,
        from: usize,
        to: usize,
        value: u8,
    },
    /// Drops the buffer, with work on it still queued, and allocates another.
    Replace {
        stream: usize,
        to: usize,
        value: u8,
    },
    /// Holds the stream up, so that work which does not wait for it would overtake.
    Delay {
        stream: usize,
    },
    Check {
        stream: usize,
        from: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (stream, buffer) = (0..STREAMS, 0..BUFFERS);
    prop_oneof![
        (stream.clone(), buffer.clone(), any::<u8>()).prop_map(|(stream, to, value)| Step::Upload {
            stream,
            to,
            value
        }),
        (stream.clone(), buffer.clone(), 0..LEN, any::<u8>())
            .prop_map(|(stream, to, from_element, value)| Step::Fill { stream, to, from_element, value }),
        (stream.clone(), buffer.clone(), buffer.clone()).prop_map(|(stream, from, to)| Step::Copy {
            stream,
            from,
            to
        }),
        (stream.clone(), buffer.clone(), buffer.clone(), any::<u8>())
            .prop_map(|(stream, from, to, value)| Step::Add { stream, from, to, value }),
        (stream.clone(), stream.clone(), buffer.clone(), buffer.clone(), any::<u8>())
            .prop_map(|(capture, launch, from, to, value)| Step::Graph { capture, launch, from, to, value }),
        (stream.clone(), buffer.clone(), any::<u8>()).prop_map(|(stream, to, value)| Step::Replace {
            stream,
            to,
            value
        }),
        stream.clone().prop_map(|stream| Step::Delay { stream }),
        (stream, buffer).prop_map(|(stream, from)| Step::Check { stream, from }),
    ]
}

/// Two different buffers, one of them to write.
fn pair(
    buffers: &mut [DeviceBuffer<u8>],
    from: usize,
    to: usize,
) -> (&DeviceBuffer<u8>, &mut DeviceBuffer<u8>) {
    let (head, tail) = buffers.split_at_mut(from.max(to));
    if from < to { (&head[from], &mut tail[0]) } else { (&tail[0], &mut head[to]) }
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let device = device(0);
    let streams: Vec<Stream> = (0..STREAMS).map(|_| device.stream().unwrap()).collect();
    let mut model = vec![vec![0u8; LEN]; BUFFERS];
    let mut buffers: Vec<_> = model.iter().map(|values| streams[0].alloc_from(values).unwrap()).collect();
    for step in steps {
        match *step {
            Step::Upload { stream, to, value } => {
                streams[stream].upload(&[value; LEN], &mut buffers[to]).unwrap();
                model[to].fill(value);
            }
            Step::Fill { stream, to, from_element, value } => {
                streams[stream].fill_bytes(buffers[to].slice_mut(from_element..).unwrap(), value).unwrap();
                model[to][from_element..].fill(value);
            }
            Step::Copy { stream, from, to } if from != to => {
                let (source, target) = pair(&mut buffers, from, to);
                streams[stream].copy(source, target).unwrap();
                model[to] = model[from].clone();
            }
            Step::Add { stream, from, to, value } => {
                let stream = &streams[stream];
                let mut host = stream.alloc_pinned::<u8>(LEN).unwrap();
                stream.download_pinned(&buffers[from], &mut host).unwrap();
                let add =
                    move |[host]: [&mut [u8]; 1]| host.iter_mut().for_each(|v| *v = v.wrapping_add(value));
                stream.host_function_on([&mut host], add).unwrap();
                stream.upload_pinned(&host, &mut buffers[to]).unwrap();
                model[to] = model[from].iter().map(|v| v.wrapping_add(value)).collect();
            }
            Step::Graph { capture, launch, from, to, value } if from != to => {
                let (source, target) = pair(&mut buffers, from, to);
                let graph = streams[capture]
                    .capture(|stream| {
                        stream.copy(source, &mut *target)?;
                        stream.fill_bytes(target.slice_mut(..LEN / 2)?, value)
                    })
                    .unwrap();
                graph.launch(&streams[launch]).unwrap();
                model[to] = model[from].clone();
                model[to][..LEN / 2].fill(value);
            }
            Step::Replace { stream, to, value } => {
                buffers[to] = streams[stream].alloc(LEN).unwrap();
                streams[stream].fill_bytes(&mut buffers[to], value).unwrap();
                model[to].fill(value);
            }
            Step::Delay { stream } => {
                streams[stream].host_function(|| std::thread::sleep(Duration::from_micros(200))).unwrap();
            }
            Step::Check { stream, from } => {
                prop_assert_eq!(&streams[stream].download_vec(&buffers[from]).unwrap(), &model[from]);
            }
            Step::Copy { .. } | Step::Graph { .. } => {}
        }
    }
    for (buffer, values) in buffers.iter().zip(&model) {
        prop_assert_eq!(&streams[1].download_vec(buffer).unwrap(), values);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn streams_do_what_the_program_says(steps in proptest::collection::vec(step(), 0..40)) {
        run(&steps)?;
    }

    /// Any range, length and pitch is either done or refused; nothing panics, nothing is written outside.
    #[test]
    fn no_range_or_pitch_corrupts(
        start in 0usize..300, end in 0usize..300, offset in 0usize..300,
        width in 0usize..100, rows in 0usize..100, from in 0usize..100, to: usize,
    ) {
        let stream = device(1).stream().unwrap();
        let mut buffer = stream.alloc_from(&[1u16; 256]).unwrap();
        let guard = stream.alloc_from(&[7u16; 256]).unwrap();
        prop_assert_eq!(buffer.slice(start..end).is_ok(), start <= end && end <= 256);
        let host = stream.alloc_pinned::<u16>(256).unwrap();
        let pitch = ascendcl::Pitch { width, rows, from, to };
        if let (Ok(source), Ok(target)) = (host.slice(offset.min(256)..), buffer.slice_mut(start.min(256)..)) {
            let lengths = (source.len(), target.len());
            let fits = |pitch: usize, len: usize| {
                let last = (rows - 1).checked_mul(pitch).and_then(|start| start.checked_add(width));
                pitch >= width && last.is_some_and(|end| end <= len)
            };
            let expected = width == 0 || rows == 0 || (fits(from, lengths.0) && fits(to, lengths.1));
            prop_assert_eq!(stream.upload_rows(source, target, pitch).is_ok(), expected);
        }
        prop_assert!(stream.upload(&vec![0u16; end], &mut buffer).is_ok() == (end == 256));
        prop_assert_eq!(stream.download_vec(&guard).unwrap(), vec![7u16; 256]);
    }
}
