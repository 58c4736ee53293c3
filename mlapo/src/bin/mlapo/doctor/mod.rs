//! `mlapo doctor`: what is installed on this machine, what was tried, what to do next.

mod advice;
mod ascend;
mod child;
mod kernels;
mod npu_smi;
mod probe;
mod report;
mod system;
mod version;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::Failure;
use crate::output::print_json;
use advice::Evidence;
use ascend::Ascend;
use npu_smi::NpuSmi;
use probe::{Devices, NoShim, Npu, Refused};
use report::Part;
use system::{Compiler, Environment};

/// Report what is installed here, what was tried and what to do next
///
/// Looks for driver, firmware and devices, the CANN toolkit, ATB, the environment that their scripts set, the AscendCL library,
/// the fused kernel, a C++ compiler, libclang and the simulated device, and says the remedy of each fault that it knows.
/// Libraries are loaded and devices are opened in processes of their own, so that one that hangs or crashes is part of the
/// report and not its end. Nothing is changed. The exit status is 0 whatever is found.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Seconds that a library, each device and `npu-smi` may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    time_limit: u64,
    /// Be the process that tries one thing
    #[arg(long, value_enum, hide = true)]
    probe: Option<probe::Subject>,
}

/// What a toolkit's set_env.sh and the libraries look at.
const VARIABLES: [&str; 12] = [
    "ASCEND_HOME_PATH",
    "ASCEND_TOOLKIT_HOME",
    "ASCEND_OPP_PATH",
    "ASCEND_RT_VISIBLE_DEVICES",
    "ATB_HOME_PATH",
    "ATB_SHIM_LIBRARY",
    "LD_LIBRARY_PATH",
    "ASCENDCL_LIBRARY",
    "ASCENDCL_BACKEND",
    "ASCENDCL_SIM_DEVICES",
    "ASCENDCL_SIM_SOC",
    "ASCENDCL_SIM_MEMORY",
];

/// By which a toolkit's libraries reach the driver.
const DRIVER_LIBRARY: &str = "libascend_hal.so";

/// What was found.
struct Findings {
    variables: Vec<(&'static str, String)>,
    ascend: Ascend,
    npu_smi: NpuSmi,
    npu: Npu,
    /// Device files that cannot be opened; not tried where the library opens the devices.
    refused: Refused,
    /// The shim over ATB that loads, or what was tried.
    atb: Result<String, NoShim>,
    compilers: Vec<Compiler>,
    libclang: Option<PathBuf>,
    simulator: Devices,
    /// What is wrong.
    faults: Vec<String>,
    /// What to do, most important first: the faults have their remedy.
    next: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(subject) = args.probe {
        return probe::speak(subject);
    }
    let patience = Duration::from_secs(args.time_limit);
    let environment = Environment::of_process();
    if args.json {
        let findings = Findings::gather(&environment, patience, |_| Ok(()))?;
        print_json(&report::as_json(&findings))?;
    } else {
        Findings::gather(&environment, patience, |part| report::print(&part))?;
    }
    Ok(())
}

impl Findings {
    /// Looks everywhere; each part is shown before the next one is looked for, which may take its time.
    fn gather(
        environment: &Environment,
        patience: Duration,
        show: impl Fn(Part<'_>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let root = Path::new("/");
        let variables: Vec<_> =
            VARIABLES.into_iter().filter_map(|name| Some((name, environment.get(name)?))).collect();
        let ascend = Ascend::find(root, environment);
        show(Part::Files(&variables, &ascend))?;
        let npu_smi = NpuSmi::ask(root, environment, patience);
        show(Part::NpuSmi(&npu_smi))?;
        let npu = probe::npu(patience);
        let refused = if npu.works() { Refused::default() } else { probe::nodes(patience) };
        show(Part::Npu(&npu, &refused))?;
        let atb = probe::shim(patience);
        show(Part::Shim(&atb))?;
        let (compilers, libclang) = (system::compilers(), system::libclang(environment));
        let simulator = probe::simulator();
        show(Part::Host(&compilers, &libclang, &simulator))?;
        let evidence =
            Evidence { ascend: &ascend, npu_smi: &npu_smi, environment, npu: &npu, refused: &refused };
        let faults = advice::faults(&evidence);
        let mut findings = Self {
            faults,
            next: Vec::new(),
            variables,
            ascend,
            npu_smi,
            npu,
            refused,
            atb,
            compilers,
            libclang,
            simulator,
        };
        findings.next = findings.advice();
        show(Part::Next(&findings.next))?;
        Ok(findings)
    }

    fn advice(&self) -> Vec<String> {
        let mut advice = self.faults.clone();
        let mut advise = |text: &str| advice.push(text.to_owned());
        let has_toolkit = self.ascend.toolkits.iter().any(|toolkit| toolkit.is_there);
        let has_npu = !self.npu.devices.found.is_empty();
        let opens = self.npu.devices.found.iter().any(|device| device.properties.is_ok());
        match &self.npu.library {
            Some(Err(_)) if !has_toolkit => advise(
                "for an NPU: install the driver, the firmware and the CANN toolkit (8.1 or newer), then `source` the \
                 toolkit's set_env.sh",
            ),
            Some(Err(error)) if error.tried.iter().any(|(_, why)| why.contains(DRIVER_LIBRARY)) => {
                let home = self.ascend.driver_home.display();
                advise(&format!(
                    "the AscendCL library needs {DRIVER_LIBRARY}, which is the driver's: install the driver, or `source \
                     {home}/bin/setenv.bash`; in a container pass {home} in"
                ));
            }
            Some(Err(_)) => advise(
                "a toolkit is there, but its library does not load; what was tried is above: set ASCENDCL_LIBRARY to it",
            ),
            Some(Ok(_)) if !has_npu && self.npu.broken.is_none() => advise(
                "the AscendCL library loads but gives no device: check the driver with `npu-smi info`, and in a \
                 container that /dev/davinci* is passed in",
            ),
            _ => {}
        }
        match &self.atb {
            Err(NoShim::NotLoaded(_)) if !self.ascend.atb.is_empty() => advise(
                "ATB is installed, but no shim over it loads: build this program with ATB_HOME_PATH set, or run `cargo \
                 xtask atb-shim`",
            ),
            Err(NoShim::Broken(broken)) => advise(&format!(
                "the shim over ATB {broken}: compile it again with the ATB that is installed (`cargo xtask atb-shim`), and \
                 `source` the set_env.sh of the toolkit and of ATB in a new shell"
            )),
            _ => {}
        }
        if self.compilers.is_empty() {
            advise("install a C++ compiler (g++ or clang++) to build kernels for the simulated device");
        }
        if self.libclang.is_none() {
            advise("install libclang only to regenerate the bindings (`cargo xtask bindgen`)");
        }
        let has_kernel = kernels::choices(&self.npu.devices).iter().all(|choice| choice.kernel.is_ok());
        if let Some(error) = &self.simulator.error {
            advise(&format!("the simulated device does not start, check ASCENDCL_SIM_*: {error}"));
        } else if self.npu.broken.is_some() || has_npu && !opens {
            advise("meanwhile everything runs on the simulated device; try `ASCENDCL_BACKEND=sim mlapo run`");
        } else if !has_npu {
            advise("without an NPU everything runs on the simulated device; try `mlapo run`");
        } else if has_kernel {
            advise("try `mlapo run`");
        } else {
            advise("try `mlapo run --backend host`, which needs no kernel");
        }
        advice
    }
}
