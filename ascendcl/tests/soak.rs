//! A soak test: many streams on two devices, many threads, random legal work, and a model of what every buffer holds.
//!
//! `ASCENDCL_SOAK_SECONDS` says how long (5), `ASCENDCL_SOAK_SEED` from which seed (1). The seed decides what each
//! thread does; how the threads meet is left to the machine, and must not matter.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "soak/memory.rs"]
mod memory;
#[path = "soak/work.rs"]
mod work;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::device;
use memory::Fault;
use work::{Setting, Worker};

/// Streams of each of the two devices.
const STREAMS: usize = 16;
const THREADS: u64 = 8;

/// Keeps two devices busy for a while. What did not hold what the model says, or how many operations there were.
fn soak(devices: [i32; 2], seed: u64, time: Duration, fault: Fault) -> Result<u64, String> {
    let operations = AtomicU64::new(0);
    let finished = {
        let setting = Setting::new(devices.map(device), STREAMS, fault).unwrap();
        let worked = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (setting, operations) = (&setting, &operations);
                    scope.spawn(move || {
                        let mut worker =
                            Worker::new(setting, seed.wrapping_mul(THREADS).wrapping_add(thread));
                        let done = worker.work_for(time);
                        operations.fetch_add(worker.operations, Ordering::Relaxed);
                        done
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap())
        });
        worked.and_then(|()| setting.check_everything())
    };
    let context = |fault: String| format!("seed {seed}: {fault}");
    finished.map_err(context)?;
    for id in devices {
        let report = ascendcl_sim::report().of_device(id);
        if !report.is_clean() {
            return Err(context(format!("device {id}: {report}")));
        }
    }
    Ok(operations.into_inner())
}

fn setting(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect(variable))
}

#[test]
fn many_streams_and_threads_keep_every_buffer_as_the_model_says() {
    let time = Duration::from_secs(setting("ASCENDCL_SOAK_SECONDS", 5));
    match soak([0, 1], setting("ASCENDCL_SOAK_SEED", 1), time, Fault::None) {
        Ok(operations) => {
            println!("{operations} operations");
            assert!(operations > 500, "only {operations} operations");
        }
        Err(fault) => panic!("{fault}"),
    }
}

/// Planted faults: copies that the devices lose, now and then, are found.
#[test]
fn the_model_finds_lost_work() {
    for fault in [Fault::LosesCopies, Fault::LosesLaunches] {
        let fault = soak([2, 3], 1, Duration::from_secs(2), fault).expect_err("lost work");
        assert!(fault.contains("seed 1") && fault.contains("differs from the model"), "{fault}");
    }
}
