//! Many streams, events and threads at once.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ptr;
use std::thread;

use ascendcl_sys::*;
use common::*;

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Chains of copies hop between streams, tied together by events that are recorded again and again; the value
/// at the end of a chain is right only if every wait took effect.
#[test]
fn chains_of_copies_across_streams_keep_their_order() {
    let device = TestDevice::take();
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let id = device.0;
            thread::spawn(move || {
                ok!(aclrtSetDevice(id));
                let mut numbers = Numbers(seed + 1);
                let streams: Vec<aclrtStream> = (0..6).map(|_| stream()).collect();
                let events: Vec<aclrtEvent> = (0..6).map(|_| event_with(ACL_EVENT_SYNC)).collect();
                let memory = malloc(64 * 64);
                let host = pinned(64);
                for round in 0..20u8 {
                    let place = |index: usize| memory.wrapping_byte_add(index * 64);
                    let mut last = numbers.below(streams.len());
                    ok!(aclrtMemsetAsync(place(0), 64, round.into(), 64, streams[last]));
                    for step in 1..64 {
                        let next = numbers.below(streams.len());
                        if next != last {
                            let event = events[numbers.below(events.len())];
                            ok!(aclrtRecordEvent(event, streams[last]));
                            ok!(aclrtStreamWaitEvent(streams[next], event));
                            last = next;
                        }
                        let (to, from) = (place(step), place(step - 1));
                        ok!(aclrtMemcpyAsync(to, 64, from, 64, ACL_MEMCPY_DEVICE_TO_DEVICE, streams[last]));
                    }
                    let end = place(63);
                    ok!(aclrtMemcpyAsync(host.cast(), 64, end, 64, ACL_MEMCPY_DEVICE_TO_HOST, streams[last]));
                    ok!(aclrtSynchronizeStream(streams[last]));
                    // SAFETY: The block has 64 bytes, and the copy to it is complete.
                    assert_eq!(unsafe { host.cast::<[u8; 64]>().read() }, [round; 64]);
                }
                for stream in streams {
                    ok!(aclrtDestroyStream(stream));
                }
                for event in events {
                    ok!(aclrtDestroyEvent(event));
                }
                ok!(aclrtFree(memory));
                ok!(aclrtFreeHost(host.cast()));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(device.report().is_clean(), "{}", device.report());
}

/// Threads allocate, free, create and destroy without agreeing on anything; nothing is lost or counted twice.
#[test]
fn threads_share_a_device() {
    let device = TestDevice::take();
    let threads: Vec<_> = (0..8)
        .map(|seed| {
            let id = device.0;
            thread::spawn(move || {
                ok!(aclrtSetDevice(id));
                let mut numbers = Numbers(seed + 100);
                let mut held = Vec::new();
                for _ in 0..300 {
                    match numbers.below(4) {
                        0 => {
                            let size = 1 + numbers.below(300_000);
                            let mut address = ptr::null_mut();
                            if code!(aclrtMalloc(&mut address, size, ACL_MEM_MALLOC_HUGE_FIRST))
                                == ACL_SUCCESS
                            {
                                let mark = address.addr() as u8;
                                ok!(aclrtMemset(address, size, mark.into(), size));
                                held.push((address, size, mark));
                            }
                        }
                        1 if !held.is_empty() => {
                            let (address, size, mark) = held.swap_remove(numbers.below(held.len()));
                            assert_eq!(download(address, size.min(100)), vec![mark; size.min(100)]);
                            ok!(aclrtFree(address));
                        }
                        2 => {
                            let stream = stream();
                            let event = event();
                            ok!(aclrtRecordEvent(event, stream));
                            ok!(aclrtDestroyEvent(event));
                            ok!(aclrtDestroyStream(stream));
                        }
                        _ => ok!(aclrtSynchronizeStream(aclrtStream::null())),
                    }
                }
                for (address, _, _) in held {
                    ok!(aclrtFree(address));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let (mut free, mut total) = (0, 0);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    assert_eq!(free, total);
    assert!(device.report().is_clean(), "{}", device.report());
}

#[test]
fn a_device_runs_out_of_streams() {
    let _device = TestDevice::take();
    // The default stream is one of them.
    let streams: Vec<aclrtStream> = (1..1984).map(|_| stream()).collect();
    let mut one_more = aclrtStream::null();
    fails!(ACL_ERROR_RT_NO_STREAM_RESOURCE, aclrtCreateStream(&mut one_more));
    ok!(aclrtDestroyStream(streams[0]));
    ok!(aclrtCreateStream(&mut one_more));
}
