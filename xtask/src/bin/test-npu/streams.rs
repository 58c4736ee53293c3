//! Streams and events: order, waits, time.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::gate::{Gate, PATIENCE};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, ensure};

pub fn cases() -> Vec<Case<Machine>> {
    vec![
        Case::new("streams/work runs in order", order),
        Case::new("streams/host functions run in order", host_functions),
        Case::new("streams/a stream waits for an event of another", wait),
        Case::new("streams/a wait with a time limit ends", time_limit),
        Case::new("streams/time between events", time),
        Case::new("streams/buffers order two streams", two_streams),
        Case::new("streams/four threads", threads),
    ]
}

fn order(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut first = stream.alloc::<u8>(1 << 20)?;
    let mut second = stream.alloc::<u8>(1 << 20)?;
    for round in 0..200u8 {
        stream.fill_bytes(&mut first, round)?;
        stream.copy(&first, &mut second)?;
        stream.fill_bytes(&mut first, 0xff)?;
        if round % 50 == 49 {
            ensure!(
                stream.download_vec(&second)?.iter().all(|value| *value == round),
                "round {round}: other bytes"
            );
        }
    }
    ensure!(stream.is_idle()?, "the stream is not idle after a wait");
    Ok(Done::PASSED)
}

fn host_functions(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let (sender, receiver) = channel();
    for number in 0..100 {
        let sender = sender.clone();
        stream.host_function(move || {
            let _ = sender.send(number);
        })?;
    }
    drop(sender);
    stream.synchronize()?;
    let numbers: Vec<i32> = receiver.iter().collect();
    ensure!(numbers.iter().copied().eq(0..100), "they ran as {numbers:?}");
    Ok(Done::PASSED)
}

/// The first stream is held up by a host function; the second one must not go on before.
fn wait(machine: &mut Machine) -> Answer {
    let (first, second) = (machine.stream()?, machine.stream()?);
    let (reached, passed) = (machine.device.event()?, machine.device.event()?);
    let gate = Gate::close(&first, PATIENCE)?;
    first.record(&reached)?;
    second.wait(&reached)?;
    second.record(&passed)?;
    thread::sleep(Duration::from_millis(50));
    let early = passed.is_complete()? || reached.is_complete()?;
    gate.open()?;
    passed.synchronize_timeout(PATIENCE)?;
    ensure!(!early, "the event was complete before the work that it follows");
    ensure!(reached.is_complete()?, "the second stream went on before the first one");
    Ok(Done::PASSED)
}

fn time_limit(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let gate = Gate::close(&stream, PATIENCE)?;
    let started = Instant::now();
    let limited = stream.synchronize_timeout(Duration::from_millis(100));
    let waited = started.elapsed();
    gate.open()?;
    stream.synchronize()?;
    ensure!(limited.is_err(), "a wait of 100 ms for work that was held up ended well");
    ensure!(waited >= Duration::from_millis(90), "a wait of 100 ms took {waited:?}");
    Ok(Done::noting(format!("a limit of 100 ms took {} ms", waited.as_millis())))
}

/// The device's time lies within the host's.
fn time(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut from = stream.alloc::<u8>(64 << 20)?;
    let mut to = stream.alloc::<u8>(64 << 20)?;
    stream.fill_bytes(&mut from, 1)?;
    stream.copy(&from, &mut to)?;
    stream.synchronize()?;
    let (start, end) = (machine.device.timing_event()?, machine.device.timing_event()?);
    let began = Instant::now();
    stream.record(&start)?;
    stream.copy(&from, &mut to)?;
    stream.record(&end)?;
    stream.synchronize()?;
    let host = began.elapsed();
    let device = end.elapsed_since(&start)?;
    ensure!(device > Duration::ZERO, "a copy of 64 MiB took no time");
    // The clocks are not the same.
    ensure!(
        device <= host + host / 10 + Duration::from_micros(50),
        "{device:?} on the device, {host:?} on the host"
    );
    Ok(Done::noting(format!("64 MiB copied at {:.0} GB/s", (64 << 20) as f64 / device.as_secs_f64() / 1e9)))
}

/// No event is recorded: the buffers themselves keep the streams in order.
fn two_streams(machine: &mut Machine) -> Answer {
    let streams = [machine.stream()?, machine.stream()?];
    let mut ball = streams[0].alloc_from(&vec![0u8; 1 << 20])?;
    let mut other = streams[0].alloc_from(&vec![0u8; 1 << 20])?;
    for round in 0..100u8 {
        let [first, second] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        streams[first].fill_bytes(&mut ball, round)?;
        streams[second].copy(&ball, &mut other)?;
        streams[first].fill_bytes(&mut ball, 0xff)?;
        if round % 10 == 9 {
            let values = streams[first].download_vec(&other)?;
            ensure!(values.iter().all(|value| *value == round), "round {round}: other bytes");
        }
    }
    Ok(Done::PASSED)
}

fn threads(machine: &mut Machine) -> Answer {
    let work = |seed: u32| -> Result<bool, ascendcl::Error> {
        let stream = machine.device.stream()?;
        for round in 0..50u32 {
            let values: Vec<u32> = (0..10_000).map(|i| i * 7 + seed * 1_000 + round).collect();
            let from = stream.alloc_from(&values)?;
            let mut to = stream.alloc::<u32>(values.len())?;
            stream.copy(&from, &mut to)?;
            if stream.download_vec(&to)? != values {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let work = &work;
    let ended: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || work(seed))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    for result in ended {
        let right = result.map_err(|_| "a thread panicked")??;
        ensure!(right, "a thread read other values than it wrote");
    }
    Ok(Done::PASSED)
}
