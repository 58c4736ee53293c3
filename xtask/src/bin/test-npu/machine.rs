//! The machine under test: its devices, what it offers the cases, and what a report says about it.

use std::fs;
use std::path::Path;
use std::process::Command;

use ascendcl::{Backend, Device, Package, Runtime, Stream};
use mlapo::{Config, Mlapo, Weights};

use crate::report::{Fact, Latency};
use crate::soak::Soak;
use crate::suite::{Need, Offers, explain};

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
    pub second: Result<Device, String>,
    pub simulated: bool,
    pub soak: Soak,
    /// What the cases of latency have measured.
    pub latency: Vec<Latency>,
    no_kernel: Option<String>,
    no_atb: Option<String>,
}

impl Machine {
    /// Opens the device, and another one if there is one.
    pub fn open(simulated: bool, number: i32, soak: Soak) -> Result<Self, ascendcl::Error> {
        let backend = if simulated {
            simulate_two_devices()?;
            Backend::Sim
        } else {
            Backend::Npu
        };
        let runtime = Runtime::with_backend(backend)?;
        let device = runtime.device(number)?;
        let other = (0..).take(runtime.device_count()? as usize).find(|other| *other != number);
        let second = match other.map(|other| runtime.device(other)) {
            Some(opened) => opened.map_err(|error| explain(&error)),
            None => Err("there is one device".to_owned()),
        };
        let no_atb = atb::Library::of(&runtime).err().map(|error| explain(&error));
        let no_kernel = no_kernel(&device);
        Ok(Self { runtime, device, second, simulated, soak, latency: Vec::new(), no_kernel, no_atb })
    }

    /// A stream of the device under test.
    pub fn stream(&self) -> Result<Stream, ascendcl::Error> {
        self.device.stream()
    }

    /// What to know about the machine. What cannot be found out is told as such: that is worth knowing, too.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut add = |name, value: String| facts.push(Fact { name, value });
        let or_error = |result: Result<String, ascendcl::Error>| match result {
            Ok(value) => value,
            Err(error) => format!("not known: {}", explain(&error)),
        };
        add("workspace", workspace());
        add("command", std::env::args().skip(1).collect::<Vec<_>>().join(" "));
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
        add("fused kernel", self.no_kernel.clone().unwrap_or_else(|| "built for this device".to_owned()));
        for name in VARIABLES.iter().filter(|_| !self.simulated) {
            if let Some(value) = std::env::var_os(name) {
                add(name, value.to_string_lossy().into_owned());
            }
        }
        facts
    }
}

impl Offers for Machine {
    fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::TwoDevices => self.second.as_ref().err().cloned(),
            Need::Kernel => self.no_kernel.clone(),
            Need::Atb => self.no_atb.clone(),
        }
    }
}

/// A simulated machine for all cases, unless the environment describes another one.
fn simulate_two_devices() -> Result<(), ascendcl::Error> {
    let described = ["ASCENDCL_SIM_DEVICES", "ASCENDCL_SIM_SOC", "ASCENDCL_SIM_MEMORY"];
    if described.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    ascendcl_sim::configure(ascendcl_sim::SimConfig { devices: 2, ..Default::default() })
        .map_err(|error| ascendcl::Error::Backend { backend: "sim".into(), why: error.to_string() })
}

/// Why there is no kernel for the device, if that is what is wrong; anything else is for the cases to find.
fn no_kernel(device: &Device) -> Option<String> {
    let stream = device.stream().ok()?;
    let config = Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).build().ok()?;
    let weights = Weights::random(&config, 0);
    match Mlapo::new(&stream, config, &weights, mlapo::Backend::Kernel) {
        Err(mlapo::Error::NoKernel(reason)) => Some(explain(&reason)),
        _ => None,
    }
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
