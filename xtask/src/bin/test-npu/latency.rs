//! How long a call takes, with the weights in the L2 cache and without.

use std::time::Duration;

use ascendcl::{DeviceBuffer, Stream};
use mlapo::{Backend, Config, Launches, Mlapo, Weights};

use crate::call::{Tensors, WEIGHTS};
use crate::machine::Machine;
use crate::report::Latency;
use crate::suite::{Answer, Case, Done, Failure, Need, explain};

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
        return Ok(Done::Skipped(explain(&refusal)));
    }
    let stream = machine.stream()?;
    let mut operation = Mlapo::new(&stream, config.clone(), &Weights::random(&config, WEIGHTS), backend)?;
    // Twice the cache, of which the writes are to leave nothing else.
    let mut flush = stream.alloc::<u8>(2 * machine.device.properties()?.l2_bytes)?;
    let mut notes = Vec::new();
    for tokens in TOKENS {
        let slots: Vec<i32> = (0..).take(tokens).collect();
        let mut tensors = Tensors::new(&stream, &operation, &slots)?;
        for cold_l2 in [false, true] {
            let flush = cold_l2.then_some(&mut flush);
            let mut times = times(machine, &stream, &mut operation, &mut tensors, flush)?;
            let row = row(backend, tokens, cold_l2, &mut times);
            notes.push(format!(
                "{tokens} tokens, {}: {:.1} us",
                if cold_l2 { "cold" } else { "warm" },
                row.median_us
            ));
            machine.latency.push(row);
        }
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
        // Work before, so that the call is queued when its turn comes and the time has no waiting for the host.
        match &mut flush {
            Some(buffer) => stream.fill_bytes(&mut **buffer, call as u8)?,
            None => tensors.forward(stream, operation)?,
        }
        stream.record(&start)?;
        tensors.forward(stream, operation)?;
        stream.record(&end)?;
        end.synchronize()?;
        if call >= warm_up {
            times.push(end.elapsed_since(&start)?);
        }
    }
    Ok(times)
}

fn row(backend: Backend, tokens: usize, cold_l2: bool, times: &mut [Duration]) -> Latency {
    times.sort_unstable();
    let us = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
    Latency {
        backend: backend.to_string(),
        tokens,
        cold_l2,
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
        assert_eq!((row.backend.as_str(), row.tokens, row.cold_l2), ("kernel", 4, true));
    }
}
