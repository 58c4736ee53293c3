//! Kernels on the simulated AI cores: how launches run, and what they found.
//!
//! A launch runs at the level that [`configure`] said last, else the environment: `ASCENDCL_SIM_LEVEL` is `run` (the
//! default) or `check`, which runs kernels under the sanitizer; `ASCENDCL_SIM_AUTO_SYNC` is `on` (the default) or
//! `off`, as the device's compiler has it; `ASCENDCL_SIM_THREADS` is the number of host threads that run cores,
//! 0 (the default) for as many as the host has (the sanitizer uses one, so that what it finds is always the same).

use std::collections::VecDeque;
use std::env;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use ascendcl_sys::aclError;
use parking_lot::Mutex;

pub use crate::aicore::check::{Actor, Finding, FindingKind, SourceLine};
pub use crate::aicore::launch::{Level, Options};
pub use crate::aicore::trace::{CoreTrace, Traced};

use crate::aicore::abi::KernelType;
use crate::aicore::launch::{self, Launch, Outcome, Stop};
use crate::aicore::memory::{GlobalMemory, Range};
use crate::aicore::object::{Object, ObjectKernel};
use crate::device::Device;
use crate::error::{Error, Result, failure};
use crate::host_memory::Mapped;
use crate::raw::HostBlock;
use crate::report;
use crate::simulator::Simulator;
use crate::transfer::Place;
use crate::virtual_memory::Accessor;

/// What a launch did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaunchReport {
    /// The device that it ran on.
    pub device: i32,
    /// The name of the kernel.
    pub kernel: String,
    /// On how many blocks it ran.
    pub block_num: u32,
    /// What the sanitizer found; empty at the level *run*.
    pub findings: Vec<Finding>,
    /// What the kernel printed, by core.
    pub printed: Vec<String>,
    /// Instructions that were executed, over all cores.
    pub instructions: u64,
    /// What each core was told to do, if [`Options::trace`] asked for it.
    pub traces: Vec<CoreTrace>,
}

/// As many reports are kept for a program that never takes them.
const MAX_REPORTS: usize = 1024;

static OPTIONS: Mutex<Option<Options>> = Mutex::new(None);
static REPORTS: Mutex<VecDeque<LaunchReport>> = Mutex::new(VecDeque::new());

/// Says how later launches run, in place of the environment.
pub fn configure(options: Options) {
    *OPTIONS.lock() = Some(options);
}

/// The reports of the launches that have ended since the last call, in the order of their ends; the last 1024.
pub fn take_reports() -> Vec<LaunchReport> {
    REPORTS.lock().drain(..).collect()
}

pub(crate) fn options() -> Result<Options> {
    let mut options = OPTIONS.lock();
    match *options {
        Some(options) => Ok(options),
        None => {
            let read = from_environment(|name| env::var(name).ok())?;
            Ok(*options.insert(read))
        }
    }
}

fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Options> {
    let mut options = Options::default();
    let refused = |name: &str, value: &str, known: &str| {
        failure!(ACL_ERROR_INVALID_PARAM, "{name}={value}: it is {known}")
    };
    if let Some(level) = variable("ASCENDCL_SIM_LEVEL") {
        options.level = match level.as_str() {
            "run" => Level::Run,
            "check" => Level::Check,
            _ => return Err(refused("ASCENDCL_SIM_LEVEL", &level, "run or check")),
        };
    }
    if let Some(auto_sync) = variable("ASCENDCL_SIM_AUTO_SYNC") {
        options.auto_sync = match auto_sync.as_str() {
            "on" => true,
            "off" => false,
            _ => return Err(refused("ASCENDCL_SIM_AUTO_SYNC", &auto_sync, "on or off")),
        };
    }
    if let Some(threads) = variable("ASCENDCL_SIM_THREADS") {
        options.threads = threads
            .trim()
            .parse()
            .map_err(|_| refused("ASCENDCL_SIM_THREADS", &threads, "a number, 0 for all of the host's"))?;
    }
    Ok(options)
}

/// A kernel that a program has the handle of.
#[derive(Debug)]
pub(crate) struct Function {
    pub found: ObjectKernel,
    pub device: i32,
    /// The handle that the program has, if it has one.
    pub handle: OnceLock<usize>,
    /// Keeps the code.
    _object: Arc<Object>,
}

impl Function {
    pub(crate) fn new(object: Arc<Object>, found: ObjectKernel, device: i32) -> Self {
        Self { found, device, handle: OnceLock::new(), _object: object }
    }
}

/// The arguments of a launch.
#[derive(Clone)]
pub(crate) enum Packed {
    /// Copied when the launch was queued, with the data that placeholders point to.
    Host { bytes: Vec<u8>, data: Vec<(Arc<HostBlock>, usize)> },
    /// In device memory, to be read when the kernel starts.
    Device { place: Place, length: usize },
}

impl Packed {
    /// What the kernel gets.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Host { bytes, .. } => Ok(bytes.clone()),
            Self::Device { place, length } => place.read(*length),
        }
    }
}

/// A launch in a stream.
pub(crate) struct Queued {
    pub function: Arc<Function>,
    pub block_num: u32,
    pub arguments: Packed,
    pub options: Options,
    pub simulator: std::sync::Weak<Simulator>,
}

impl Queued {
    /// Runs on the worker of a stream. Kernels of other streams of the device wait for their turn.
    pub(crate) fn run(&self, device: &Device) -> Result {
        let arguments = self.arguments.bytes()?;
        let data = match &self.arguments {
            Packed::Host { data, .. } => data.as_slice(),
            Packed::Device { .. } => &[],
        };
        let _turn = device.cores.lock();
        // Kept while the kernel runs, whoever frees it meanwhile.
        let host = self.simulator.upgrade().map(|simulator| simulator.host_memory.reachable(device.id));
        let host = host.unwrap_or_default();
        let cube_cores = device.soc.cube_cores;
        let kernel = &self.function.found.kernel;
        let outcome = launch::run(Launch {
            kernel: kernel.clone(),
            block_num: self.block_num,
            arguments,
            global: Arc::new(self.global_memory(device, data, &host)),
            cube_cores,
            options: self.options,
        });
        self.report(device, outcome)
    }

    /// What the cores of a device can reach: its memory, that of its peers, what is mapped at virtual addresses, managed
    /// memory, host memory that is registered for it, and the data of placeholders.
    fn global_memory(
        &self,
        device: &Device,
        data: &[(Arc<HostBlock>, usize)],
        host: &[Mapped],
    ) -> GlobalMemory {
        let range = |(start, length, delta): (usize, usize, usize)| Range {
            start: start as u64,
            length: length as u64,
            delta: delta as u64,
        };
        let mut ranges: Vec<_> = device.memory.reachable().into_iter().map(range).collect();
        let peers = device.state.lock().peers.clone();
        if let Some(simulator) = self.simulator.upgrade() {
            let accessor = Accessor { device: device.id, peers: Some(&peers) };
            let mapped = simulator.devices.iter().flat_map(|owner| owner.memory.reachable_virtual(&accessor));
            ranges.extend(mapped.map(range));
            let peers =
                simulator.devices.iter().filter(|peer| peer.id != device.id && peers.contains(&peer.id));
            ranges.extend(peers.flat_map(|peer| peer.memory.reachable()).map(range));
        }
        ranges.extend(host.iter().map(|mapped| range((mapped.address, mapped.size, 0))));
        ranges.extend(data.iter().map(|(block, length)| range((block.address(), *length, 0))));
        ranges.sort_unstable_by_key(|range| range.start);
        let (start, end, delta) = device.memory.alias().unwrap_or_default();
        GlobalMemory { ranges, alias_start: start as u64, alias_end: end as u64, alias_delta: delta as u64 }
    }

    fn report(&self, device: &Device, outcome: Outcome) -> Result {
        let Outcome { stop, printed, findings, instructions, traces } = outcome;
        let kernel = &self.function.found.kernel;
        let name = &kernel.name;
        for text in &printed {
            print!("{text}");
        }
        // A C program ends without Rust's part in it.
        let _ = std::io::stdout().flush();
        let on_vector = matches!(kernel.kernel_type, KernelType::AivOnly | KernelType::MixAiv10);
        let [exception, timeout]: [aclError; 2] = if on_vector {
            [ascendcl_sys::ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, ascendcl_sys::ACL_ERROR_RT_VECTOR_CORE_TIMEOUT]
        } else {
            [ascendcl_sys::ACL_ERROR_RT_AICORE_EXCEPTION, ascendcl_sys::ACL_ERROR_RT_AICORE_TIMEOUT]
        };
        for finding in &findings {
            let message = format!("kernel {name}: {finding}");
            if finding.is_error() {
                tracing::error!(device = device.id, "{message}");
                let error = Error { code: exception, message, misuse: true };
                report::misuse_on(Some(device.id), "kernel", &error);
            } else {
                tracing::info!(device = device.id, "{message}");
            }
        }
        let mut reports = REPORTS.lock();
        if reports.len() == MAX_REPORTS {
            reports.pop_front();
        }
        reports.push_back(LaunchReport {
            device: device.id,
            kernel: name.clone(),
            block_num: self.block_num,
            findings,
            printed,
            instructions,
            traces,
        });
        drop(reports);
        let failed =
            |code, text: String| Err(Error { code, message: format!("kernel {name}: {text}"), misuse: true });
        match stop {
            None => Ok(()),
            Some(Stop::Exception(text)) => failed(exception, text),
            Some(Stop::Deadlock(text)) => failed(timeout, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_documented() {
        let read = |name: &'static str, value: &'static str| {
            from_environment(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(from_environment(|_| None).unwrap(), Options::default());
        assert_eq!(read("ASCENDCL_SIM_LEVEL", "check").unwrap().level, Level::Check);
        assert!(!read("ASCENDCL_SIM_AUTO_SYNC", "off").unwrap().auto_sync);
        assert_eq!(read("ASCENDCL_SIM_THREADS", "3").unwrap().threads, 3);
        for name in ["ASCENDCL_SIM_LEVEL", "ASCENDCL_SIM_AUTO_SYNC", "ASCENDCL_SIM_THREADS"] {
            let message = read(name, "often").unwrap_err().message;
            assert!(message.contains(name) && message.contains("often"), "{message}");
        }
    }
}
