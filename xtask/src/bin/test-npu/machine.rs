//! The machine under test: its devices, what it offers the cases, and what a report says about it.

use std::fs;
use std::path::Path;
use std::process::Command;

use ascendcl::{Backend, BackendKind, Device, Package, Runtime, Stream};
use mlapo::{Config, Mlapo, Weights};

use crate::call::Launch;
use crate::report::{Fact, Latency};
use crate::soak::Soak;
use crate::suite::{Failure, Gap, Need, Offers, Skip, explain};
use crate::worker::NotOpened;
use crate::{FAILURES, NO_NPU, USAGE};

/// Where the installers of driver and firmware write versions, which older libraries do not tell.
const VERSION_FILES: [(&str, &str); 2] = [
    ("driver (version.info)", "/usr/local/Ascend/driver/version.info"),
    ("firmware (version.info)", "/usr/local/Ascend/firmware/version.info"),
];
/// What decides which libraries are found and which devices are seen.
const VARIABLES: [&str; 5] =
    ["ASCENDCL_LIBRARY", "ASCEND_HOME_PATH", "ASCEND_OPP_PATH", "ASCEND_RT_VISIBLE_DEVICES", "ATB_HOME_PATH"];
const PACKAGES: [(&str, Package); 6] = [
    ("CANN", Package::Cann),
    ("toolkit", Package::Toolkit),
    ("runtime", Package::Runtime),
    ("compiler", Package::Compiler),
    ("operators", Package::Opp),
    ("driver", Package::Driver),
];

/// What the cases run on.
pub struct Machine {
    pub runtime: Runtime,
    pub device: Device,
    /// Another device, or why there is none.
    second: Result<Device, Skip>,
    pub simulated: bool,
    pub soak: Soak,
    /// How the operation under test is queued.
    pub launch: Launch,
    /// What the case that is running has measured.
    pub latency: Vec<Latency>,
    kernel: Result<String, KernelFault>,
    no_atb: Option<String>,
}

/// Why the fused kernel cannot be launched.
enum KernelFault {
    /// It was not built for the device: its cases are skipped.
    NotBuilt(String),
    /// Anything else is for the cases to find.
    Fails(String),
}

impl Machine {
    /// Opens the device, and another one if there is one.
    pub fn open(simulated: bool, number: i32, soak: Soak) -> Result<Self, NotOpened> {
        let not_opened = |exit_status, message| NotOpened { exit_status, message };
        let backend = if simulated { Backend::Sim } else { Backend::Npu };
        let runtime = Runtime::with_backend(backend)
            .and_then(|runtime| runtime.device_count().map(|count| (runtime, count)))
            .map_err(|error| without_device(simulated, &explain(&error)));
        let (runtime, count) = runtime?;
        if i64::from(number) >= i64::from(count) {
            let message = format!("there is no device {number}: the library sees {count}, numbered from 0");
            return Err(not_opened(USAGE, message));
        }
        let device = runtime.device(number).map_err(|error| {
            let message = format!("device {number} of {count} cannot be opened: {}{DOCTOR}", explain(&error));
            not_opened(FAILURES, message)
        })?;
        let second = match (0..).take(count as usize).find(|other| *other != number) {
            Some(other) => runtime.device(other).map_err(|error| {
                Skip::gap(Gap::SecondDevice, format!("device {other} cannot be opened: {}", explain(&error)))
            }),
            None => Err(Skip::expected("there is one device")),
        };
        let no_atb = atb::Library::of(&runtime).err().map(|error| explain(&error));
        let kernel = kernel(&device);
        let (launch, latency) = (Launch::default(), Vec::new());
        Ok(Self { runtime, device, second, simulated, soak, launch, latency, kernel, no_atb })
    }

    /// A stream of the device under test.
    pub fn stream(&self) -> Result<Stream, ascendcl::Error> {
        self.device.stream()
    }

    /// Another device, for cases that need one.
    pub fn second(&self) -> Result<Device, Failure> {
        self.second.clone().map_err(|skip| skip.reason.into())
    }

    /// What to know about the machine. What cannot be found out is told as such: that is worth knowing, too.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut add = |name: &str, value: String| facts.push(Fact { name: name.into(), value });
        let or_error = |result: Result<String, ascendcl::Error>| match result {
            Ok(value) => value,
            Err(error) => format!("not known: {}", explain(&error)),
        };
        add("workspace", workspace());
        add("command", command());
        add("host", host());
        let count = self.runtime.device_count().map_or(0, |count| count);
        add("device", format!("number {} of {count}", self.device.id()));
        add(
            "SoC",
            or_error(self.device.properties().map(|properties| {
                format!(
                    "{}, {} AI cores, {} vector cores, L2 {} MiB, memory {} MiB",
                    properties.soc_name,
                    properties.ai_cores,
                    properties.vector_cores,
                    properties.l2_bytes >> 20,
                    properties.memory_bytes >> 20
                )
            })),
        );
        add("library", format!("{:?}", self.runtime));
        add(
            "AscendCL",
            or_error(self.runtime.version().map(|[major, minor, patch]| format!("{major}.{minor}.{patch}"))),
        );
        for (name, package) in PACKAGES {
            add(name, or_error(self.runtime.package_version(package).map(|version| version.full)));
        }
        for (name, path) in VERSION_FILES.iter().filter(|_| !self.simulated) {
            add(name, version_in(Path::new(path)));
        }
        add(
            "ATB",
            match (atb::Library::of(&self.runtime), &self.no_atb) {
                (Ok(library), _) => {
                    let version =
                        library.version().unwrap_or_else(|error| format!("not known: {}", explain(&error)));
                    format!("{version}, {}", library.name())
                }
                (Err(error), _) => format!("none: {}", explain(&error)),
            },
        );
        add(
            "fused kernel",
            match &self.kernel {
                Ok(which) => format!("{which}; it loads"),
                Err(KernelFault::NotBuilt(reason)) => format!("none: {reason}"),
                Err(KernelFault::Fails(reason)) => format!("it cannot be used: {reason}"),
            },
        );
        for name in VARIABLES.iter().filter(|_| !self.simulated) {
            if let Some(value) = std::env::var_os(name) {
                add(name, value.to_string_lossy().into_owned());
            }
        }
        facts
    }
}

impl Offers for Machine {
    fn lacks(&self, need: Need) -> Option<Skip> {
        match need {
            Need::TwoDevices => self.second.as_ref().err().cloned(),
            Need::Kernel => match &self.kernel {
                Err(KernelFault::NotBuilt(reason)) => Some(Skip::gap(Gap::FusedOperation, reason)),
                _ => None,
            },
            Need::Atb => self.no_atb.as_ref().map(|reason| Skip::gap(Gap::VendorOperators, reason)),
        }
    }

    fn measured(&mut self) -> Vec<Latency> {
        std::mem::take(&mut self.latency)
    }
}

const DOCTOR: &str = "\n\n`cargo run -p mlapo -- doctor` looks for what is wrong";

fn without_device(simulated: bool, error: &str) -> NotOpened {
    if simulated {
        let message = format!("the simulated device cannot be opened: {error}");
        return NotOpened { exit_status: FAILURES, message };
    }
    let message =
        format!("no NPU: {error}{DOCTOR}; `cargo xtask test-npu --sim` tests the simulated device instead.");
    NotOpened { exit_status: NO_NPU, message }
}

/// Makes the simulated machine one for all cases, before it is opened, unless the environment describes another one.
pub fn simulate_two_devices() -> Result<(), NotOpened> {
    let described = ["ASCENDCL_SIM_DEVICES", "ASCENDCL_SIM_SOC", "ASCENDCL_SIM_MEMORY"];
    if described.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    ascendcl_sim::configure(ascendcl_sim::SimConfig { devices: 2, ..Default::default() })
        .map_err(|error| without_device(true, &error.to_string()))
}

/// Which kernel the operation has for the device, if it can be loaded.
fn kernel(device: &Device) -> Result<String, KernelFault> {
    let which = embedded(device)?;
    let loads = || {
        let config = Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).build()?;
        Mlapo::new(&device.stream()?, config.clone(), &Weights::random(&config, 0), mlapo::Backend::Kernel)
    };
    match loads() {
        Ok(_) => Ok(which),
        Err(mlapo::Error::NoKernel(reason)) => Err(KernelFault::NotBuilt(explain(&reason))),
        Err(error) => Err(KernelFault::Fails(format!("{which}: {}", explain(&error)))),
    }
}

/// The kernel that is embedded for the device: chosen as the operation chooses it, by SoC and version of the runtime.
fn embedded(device: &Device) -> Result<String, KernelFault> {
    let runtime = device.runtime();
    if runtime.backend() == BackendKind::Sim {
        return Ok("built for the simulated device".to_owned());
    }
    let fails = |error: ascendcl::Error| KernelFault::Fails(explain(&error));
    let soc = device.properties().map_err(fails)?.soc_name;
    let version = runtime.package_version(Package::Runtime).ok();
    let binary = mlapo_kernel::binary_for(&soc, version.as_ref().map(|version| version.full.as_str()))
        .map_err(|reason| KernelFault::NotBuilt(explain(&reason)))?;
    Ok(format!("for {soc}, {binary}, source {}, {} bytes", binary.source_hash, binary.bytes.len()))
}

/// What a program says on one line.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn workspace() -> String {
    let commit = said("git", &["describe", "--always", "--dirty", "--tags"])
        .unwrap_or_else(|| "not a git checkout".to_owned());
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} {commit}, {build} build", env!("CARGO_PKG_VERSION"))
}

/// What the suite was started with.
fn command() -> String {
    let arguments = std::env::args().skip(1).filter(|argument| argument != crate::WORKER);
    arguments.collect::<Vec<_>>().join(" ")
}

fn host() -> String {
    let system = said("uname", &["-srm"]).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{system}, {threads} processors")
}

/// The first line of a file that says `Version=`.
fn version_in(path: &Path) -> String {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return format!("not known: {}: {error}", path.display()),
    };
    let version = text.lines().find_map(|line| line.trim().strip_prefix("Version="));
    version.map_or_else(
        || format!("not known: {} names none", path.display()),
        |version| version.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_or_it_is_said_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("version.info");
        assert!(version_in(&path).starts_with("not known: "));
        fs::write(&path, "package=driver\nVersion=25.0.rc1 \n").unwrap();
        assert_eq!(version_in(&path), "25.0.rc1");
        fs::write(&path, "nothing").unwrap();
        assert!(version_in(&path).ends_with("names none"));
    }
}
