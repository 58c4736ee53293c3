//! Many launches with changing shapes, on one stream, on two, and on two devices.

use std::fmt;
use std::thread;
use std::time::Instant;

use ascendcl::{Device, Stream};
use mlapo::{Backend, Config, Mlapo, Weights};

use crate::call::{Expected, Launch, Results, Spoiler, Tensors, WEIGHTS, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Failure, Need, ensure, explain};

/// How many launches the soak has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soak {
    /// On two streams, both together.
    pub two_streams: u64,
    /// On one stream, and on two devices together.
    pub others: u64,
}

impl Soak {
    /// With so many launches on two streams. The simulated device takes some 10 ms for each, however small: there the other
    /// cases have a tenth of them, which is enough to see what is different in these.
    pub fn new(launches: u64, simulated: bool) -> Self {
        let others = if simulated { launches.div_ceil(10) } else { launches };
        Self { two_streams: launches, others }
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { two_streams, others } = self;
        write!(f, "{two_streams} launches on two streams, {others} on one stream, {others} on two devices")
    }
}

/// Tokens of the calls, in an order in which sizes grow and shrink.
const TOKENS: [usize; 8] = [1, 17, 2, 33, 5, 64, 3, 8];
/// Every such launch is looked at.
const CHECK_EACH: u64 = 16;
/// Device memory that may be gone afterwards: others may use the device, too. A launch that keeps some kilobytes is beyond it.
const OTHERS_BYTES: usize = 64 << 20;

pub fn cases() -> Vec<Case<Machine>> {
    let cases = [
        Case::new("soak/one stream", |machine: &mut Machine| {
            soak(machine, &[&machine.device], machine.soak.others)
        }),
        Case::new("soak/two streams", |machine: &mut Machine| {
            soak(machine, &[&machine.device, &machine.device], machine.soak.two_streams)
        }),
        Case::new("soak/two devices", |machine: &mut Machine| {
            soak(machine, &[&machine.device, &machine.second()?], machine.soak.others)
        })
        .needs(Need::TwoDevices),
    ];
    cases.into_iter().map(|case| case.needs(Need::Kernel)).collect()
}

/// The operation on a stream of its own, with a call for each number of tokens and what the first calls computed.
struct Calls {
    stream: Stream,
    operation: Mlapo,
    launch: Launch,
    spoiler: Spoiler,
    calls: Vec<(Tensors, Results)>,
}

impl Calls {
    /// Makes the first calls, which the reference judges.
    fn new(device: &Device, machine: &Machine) -> Result<Self, Failure> {
        let (stream, launch) = (device.stream()?, machine.launch.clone());
        let config = if machine.simulated {
            let heads = Config::builder().num_heads(1).qk_rope_head_dim(16).qk_nope_head_dim(16);
            heads.hidden_size(64).q_lora_rank(32).kv_lora_rank(32).build()?
        } else {
            Config::builder().num_heads(4).hidden_size(2048).q_lora_rank(256).build()?
        };
        let mut operation =
            Mlapo::new(&stream, config.clone(), &Weights::random(&config, WEIGHTS), Backend::Kernel)?;
        let mut calls = Vec::new();
        for tokens in TOKENS {
            let slots = slots(tokens);
            let mut tensors = Tensors::new(&stream, &operation, &slots)?;
            tensors.forward(&stream, &mut operation, &launch)?;
            let results = tensors.results(&stream)?;
            Expected::new(&stream, &config, &slots)?.judge(&config, &results)?;
            calls.push((tensors, results));
        }
        let spoiler = Spoiler::new(&stream, &config)?;
        Ok(Self { stream, operation, launch, spoiler, calls })
    }

    /// Launches, and compares what is there after some launches with the first results, bit by bit.
    fn soak(&mut self, launches: u64) -> Result<(), Failure> {
        for launch in 1..=launches {
            let number = (launch % TOKENS.len() as u64) as usize;
            // Which call is looked at changes, too; the last ones are.
            let look = (launch + launch / CHECK_EACH).is_multiple_of(CHECK_EACH)
                || launch + TOKENS.len() as u64 > launches;
            self.launch(number, look).map_err(|error| {
                format!("launch {launch}, {} tokens: {}", TOKENS[number], explain(&*error))
            })?;
        }
        Ok(self.stream.synchronize()?)
    }

    fn launch(&mut self, number: usize, look: bool) -> Result<(), Failure> {
        let Self { stream, operation, launch, spoiler, calls } = self;
        let (tensors, expected) = &mut calls[number];
        if look {
            // The results are there from an earlier launch.
            spoiler.spoil(stream, tensors)?;
        }
        tensors.forward(stream, operation, launch)?;
        ensure!(!look || tensors.results(stream)? == *expected, "other bits than the first time");
        Ok(())
    }
}

/// Launches on a stream of each device, from a thread of its own.
fn soak(machine: &Machine, devices: &[&Device], launches: u64) -> Answer {
    let calls = devices.iter().map(|device| Calls::new(device, machine));
    let mut calls = calls.collect::<Result<Vec<_>, _>>()?;
    let memory = || devices.iter().map(|device| Memory::of(device)).collect::<Result<Vec<_>, _>>();
    let before = memory()?;
    let started = Instant::now();
    let each = launches.div_ceil(devices.len() as u64);
    let ended: Vec<_> = thread::scope(|scope| {
        let soak = |calls: &'_ mut Calls| calls.soak(each).map_err(|error| explain(&*error));
        let threads: Vec<_> = calls.iter_mut().map(|calls| scope.spawn(move || soak(calls))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let time = started.elapsed();
    for (device, result) in devices.iter().zip(ended) {
        let result = result.map_err(|_| "a thread panicked")?;
        result.map_err(|error| format!("{device:?}: {error}"))?;
    }
    for (before, after) in before.iter().zip(memory()?) {
        ensure!(after.used <= before.used, "the pool's memory grew from {before:?} to {after:?}");
        ensure!(
            after.free + OTHERS_BYTES >= before.free,
            "the device's memory grew from {before:?} to {after:?}"
        );
    }
    let launches = each * devices.len() as u64;
    let rate = launches as f64 / time.as_secs_f64();
    Ok(Done::noting(format!("{launches} launches, {rate:.0} a second; memory did not grow")))
}

/// Bytes of device memory.
#[derive(Debug)]
struct Memory {
    /// That the pool has given out.
    used: usize,
    /// That the device says are free.
    free: usize,
}

impl Memory {
    fn of(device: &Device) -> Result<Self, ascendcl::Error> {
        Ok(Self { used: device.pool_statistics().used_bytes, free: device.memory_info()?.free })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_device_has_all_launches_on_two_streams() {
        assert_eq!(Soak::new(10_000, false), Soak { two_streams: 10_000, others: 10_000 });
        let simulated = Soak::new(10_000, true);
        assert_eq!(simulated, Soak { two_streams: 10_000, others: 1_000 });
        assert_eq!(
            simulated.to_string(),
            "10000 launches on two streams, 1000 on one stream, 1000 on two devices"
        );
        assert_eq!(Soak::new(1, true), Soak { two_streams: 1, others: 1 });
    }
}
