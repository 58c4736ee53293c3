//! Many launches with changing shapes, on one stream, on two, and on two devices.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use ascendcl::{Device, Stream};
use mlapo::{Backend, Config, Mlapo, Weights};

use crate::call::{Results, Tensors, WEIGHTS, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Failure, Need, ensure};

/// How long the soak goes on: a number of launches, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soak {
    Launches(u64),
    Time(Duration),
}

impl Soak {
    /// A part of it, for a case that is not the main one.
    fn part(self, divisor: u32) -> Self {
        match self {
            Self::Launches(launches) => Self::Launches((launches / u64::from(divisor)).max(1)),
            Self::Time(time) => Self::Time(time / divisor),
        }
    }

    fn goes_on(self, launches: u64, started: Instant) -> bool {
        match self {
            Self::Launches(all) => launches < all,
            Self::Time(time) => launches == 0 || started.elapsed() < time,
        }
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launches(launches) => {
                write!(f, "{launches} launches on one stream, a tenth of it on two and on two devices")
            }
            Self::Time(time) => {
                write!(f, "{} s on one stream, a tenth of it on two and on two devices", time.as_secs())
            }
        }
    }
}

/// Tokens of the calls, in an order in which sizes grow and shrink.
const TOKENS: [usize; 8] = [1, 17, 2, 33, 5, 64, 3, 8];
/// Every such launch is looked at.
const CHECK_EACH: u64 = 16;

pub fn cases() -> Vec<Case<Machine>> {
    let cases = [
        Case::new("soak/changing shapes", one_stream),
        Case::new("soak/two streams", two_streams),
        Case::new("soak/two devices", two_devices).needs(Need::TwoDevices),
    ];
    cases.into_iter().map(|case| case.needs(Need::Kernel)).collect()
}

/// The operation with a call for each number of tokens, and what the first calls computed.
struct Calls {
    stream: Stream,
    operation: Mlapo,
    calls: Vec<(Tensors, Results)>,
}

impl Calls {
    fn new(device: &Device) -> Result<Self, Failure> {
        let stream = device.stream()?;
        let config = Config::builder().hidden_size(2048).q_lora_rank(256).num_heads(4).build()?;
        let mut operation =
            Mlapo::new(&stream, config.clone(), &Weights::random(&config, WEIGHTS), Backend::Kernel)?;
        let mut calls = Vec::new();
        for tokens in TOKENS {
            let mut tensors = Tensors::new(&stream, &operation, &slots(tokens))?;
            tensors.forward(&stream, &mut operation)?;
            let results = tensors.results(&stream)?;
            calls.push((tensors, results));
        }
        Ok(Self { stream, operation, calls })
    }

    /// Launches, and compares what is there after some of them with the first results, bit by bit.
    fn soak(&mut self, soak: Soak) -> Result<u64, Failure> {
        let (started, mut launches) = (Instant::now(), 0u64);
        while soak.goes_on(launches, started) {
            let number = (launches % TOKENS.len() as u64) as usize;
            let (tensors, expected) = &mut self.calls[number];
            tensors.forward(&self.stream, &mut self.operation)?;
            launches += 1;
            // Which call is looked at changes, too.
            if (launches + launches / CHECK_EACH).is_multiple_of(CHECK_EACH) {
                let same = tensors.results(&self.stream)? == *expected;
                ensure!(same, "launch {launches}, {} tokens: other bits than the first time", TOKENS[number]);
            }
        }
        for (number, (tensors, expected)) in self.calls.iter().enumerate() {
            let same = tensors.results(&self.stream)? == *expected;
            ensure!(
                same,
                "after {launches} launches, {} tokens: other bits than the first time",
                TOKENS[number]
            );
        }
        Ok(launches)
    }
}

fn one_stream(machine: &mut Machine) -> Answer {
    let mut calls = Calls::new(&machine.device)?;
    let before = machine.device.pool_statistics();
    let started = Instant::now();
    let launches = calls.soak(machine.soak)?;
    let rate = launches as f64 / started.elapsed().as_secs_f64();
    let after = machine.device.pool_statistics();
    ensure!(after.used_bytes <= before.used_bytes, "memory grew from {before:?} to {after:?}");
    Ok(Done::noting(format!("{launches} launches, {rate:.0} a second; memory did not grow")))
}

fn two_streams(machine: &mut Machine) -> Answer {
    let soak = machine.soak.part(10);
    both(&machine.device, &machine.device, soak)
}

fn two_devices(machine: &mut Machine) -> Answer {
    let second = machine.second.clone()?;
    both(&machine.device, &second, machine.soak.part(10))
}

/// A thread for each, with an operation of its own.
fn both(first: &Device, second: &Device, soak: Soak) -> Answer {
    let work = |device: &Device| -> Result<u64, String> {
        let soaked = Calls::new(device).and_then(|mut calls| calls.soak(soak));
        soaked.map_err(|error| format!("{device:?}: {}", crate::suite::explain(&*error)))
    };
    let work = &work;
    let ended = thread::scope(|scope| {
        let threads = [first, second].map(|device| scope.spawn(move || work(device)));
        threads.map(thread::ScopedJoinHandle::join)
    });
    let mut launches = Vec::new();
    for result in ended {
        launches.push(result.map_err(|_| "a thread panicked")??);
    }
    Ok(Done::noting(format!("{} and {} launches", launches[0], launches[1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_ends() {
        let now = Instant::now();
        let launches = Soak::Launches(3);
        assert!(launches.goes_on(2, now) && !launches.goes_on(3, now));
        assert_eq!(Soak::Launches(3).part(10), Soak::Launches(1));
        // One launch is made however slow it is.
        let time = Soak::Time(Duration::ZERO);
        assert!(time.goes_on(0, now) && !time.goes_on(1, now));
    }
}
