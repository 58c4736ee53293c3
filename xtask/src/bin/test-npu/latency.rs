//! How long a call takes, after the same call and after a write that is meant to leave none of it in the L2 cache.

use std::time::Duration;

use ascendcl::{DeviceBuffer, Stream};
use mlapo::{Backend, Config, Launches, Mlapo, Weights};

use crate::call::{Tensors, WEIGHTS};
use crate::gate::{Gate, PATIENCE};
use crate::machine::Machine;
use crate::report::Latency;
use crate::suite::{Answer, Case, Done, Failure, Need, Skip, ensure, explain};

const TOKENS: [usize; 4] = [1, 4, 32, 128];
/// Calls that are measured; the simulator's times mean nothing.
const CALLS: usize = 200;
const CALLS_SIMULATED: usize = 1;
/// Calls before, which are not.
const WARM_UP: usize = 10;

pub fn cases() -> Vec<Case<Machine>> {
    let measured = |name: &str, backend| {
        Case::new(format!("latency/{name}"), move |machine: &mut Machine| measure(machine, backend))
    };
    vec![
        measured("fused kernel", Backend::Kernel).needs(Need::Kernel),
        measured("ATB's MlaPreprocess", Backend::Atb).needs(Need::Atb),
        measured("ATB's small operators", Backend::Unfused(Launches::Graph)).needs(Need::Atb),
    ]
}

fn measure(machine: &mut Machine, backend: Backend) -> Answer {
    let config = Config::deepseek_v3().build()?;
    if let Err(refusal) = backend.check(&config) {
        return Ok(Done::Skipped(Skip::expected(explain(&refusal))));
    }
    let stream = machine.stream()?;
    let mut operation = Mlapo::new(&stream, config.clone(), &Weights::random(&config, WEIGHTS), backend)?;
    // Twice the cache, of which the writes are to leave nothing else.
    let mut flush = stream.alloc::<u8>(2 * machine.device.properties()?.l2_bytes)?;
    let mut notes = Vec::new();
    for tokens in TOKENS {
        let slots: Vec<i32> = (0..).take(tokens).collect();
        let mut tensors = Tensors::new(&stream, &operation, &slots)?;
        // The first call may allocate, and wait for that; those that are held up must not.
        tensors.forward(&stream, &mut operation, &machine.launch)?;
        stream.synchronize()?;
        for flushed in [false, true] {
            let flush = flushed.then_some(&mut flush);
            let mut times = times(machine, &stream, &mut operation, &mut tensors, flush)?;
            let row = row(backend, tokens, flushed, &mut times);
            notes.push(format!(
                "{tokens} tokens, {}: {:.1} us",
                if flushed { "flushed" } else { "warm" },
                row.median_us
            ));
            machine.latency.push(row);
        }
        ensure!(
            tensors.are_written(&stream)?,
            "{tokens} tokens: the calls left a part of the query unwritten"
        );
    }
    Ok(Done::Passed(notes))
}

/// Times on the device, between events around each call, after the same call or after a write of `flush`.
fn times(
    machine: &Machine,
    stream: &Stream,
    operation: &mut Mlapo,
    tensors: &mut Tensors,
    mut flush: Option<&mut DeviceBuffer<u8>>,
) -> Result<Vec<Duration>, Failure> {
    let (warm_up, calls) = if machine.simulated { (0, CALLS_SIMULATED) } else { (WARM_UP, CALLS) };
    let (start, end) = (machine.device.timing_event()?, machine.device.timing_event()?);
    let mut times = Vec::new();
    for call in 0..warm_up + calls {
        // All of it is queued before any of it begins: what the host does to set up and to queue is not in the time.
        let gate = Gate::close(stream, PATIENCE)?;
        match &mut flush {
            Some(buffer) => stream.fill_bytes(&mut **buffer, call as u8)?,
            None => tensors.forward(stream, operation, &machine.launch)?,
        }
        stream.record(&start)?;
        tensors.forward(stream, operation, &machine.launch)?;
        stream.record(&end)?;
        gate.open()?;
        end.synchronize()?;
        if call >= warm_up {
            times.push(end.elapsed_since(&start)?);
        }
    }
    Ok(times)
}

fn row(backend: Backend, tokens: usize, flushed: bool, times: &mut [Duration]) -> Latency {
    times.sort_unstable();
    let us = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
    Latency {
        backend: backend.to_string(),
        tokens,
        flushed,
        calls: times.len(),
        median_us: us(times.get(times.len() / 2)),
        least_us: us(times.first()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_median_and_the_least() {
        let mut times = [5, 1, 9, 2, 7].map(Duration::from_micros);
        let row = row(Backend::Kernel, 4, true, &mut times);
        assert_eq!((row.median_us.round(), row.least_us.round(), row.calls), (5.0, 1.0, 5));
        assert_eq!((row.backend.as_str(), row.tokens, row.flushed), ("kernel", 4, true));
    }
}
