//! `mlapo doctor`: what is installed on this machine, what was tried, what to do next.

mod advice;
mod ascend;
mod system;

use std::io::Write;
use std::path::{Path, PathBuf};

use ascendcl::{Backend, Device, Runtime, sys};
use serde_json::{Value, json};

use crate::failure::{Failure, explain};
use crate::output::{print_json, stdout};
use crate::units;
use ascend::{Ascend, NpuSmi};
use system::{Compiler, Environment};

/// Report what is installed here, what was tried and what to do next
///
/// Looks for driver, firmware and devices, the CANN toolkit, ATB, the environment that their scripts set, the AscendCL library,
/// a C++ compiler, libclang and the simulated device, and says the remedy of each fault that it knows. Nothing is changed. The
/// exit status is 0 whatever is found.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What a toolkit's set_env.sh and this program's libraries look at.
const VARIABLES: [&str; 11] = [
    "ASCEND_HOME_PATH",
    "ASCEND_TOOLKIT_HOME",
    "ASCEND_OPP_PATH",
    "ATB_HOME_PATH",
    "ATB_SHIM_LIBRARY",
    "LD_LIBRARY_PATH",
    "ASCENDCL_LIBRARY",
    "ASCENDCL_BACKEND",
    "ASCENDCL_SIM_DEVICES",
    "ASCENDCL_SIM_SOC",
    "ASCENDCL_SIM_MEMORY",
];

/// A device that a runtime has.
struct FoundDevice {
    id: i32,
    /// Model, cores and memory, or why they are not known.
    properties: Result<ascendcl::DeviceProperties, String>,
}

/// What was found.
struct Findings {
    variables: Vec<(&'static str, String)>,
    ascend: Ascend,
    /// What is wrong with it.
    faults: Vec<String>,
    /// The AscendCL library that loads, or what was tried.
    acl: Result<PathBuf, sys::LoadError>,
    /// Devices of the installed library; not tried without one.
    npu: Option<Result<Vec<FoundDevice>, String>>,
    /// The shim over ATB that loads, or what was tried.
    atb: Result<String, String>,
    compilers: Vec<Compiler>,
    libclang: Option<PathBuf>,
    simulator: Result<Vec<FoundDevice>, String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let findings = Findings::gather(&Environment::of_process());
    match args.json {
        true => Ok(print_json(&findings.as_json())?),
        false => findings.print(),
    }
}

impl Findings {
    fn gather(environment: &Environment) -> Self {
        let variables: Vec<_> =
            VARIABLES.into_iter().filter_map(|name| Some((name, environment.get(name)?))).collect();
        let ascend = Ascend::find(Path::new("/"), environment);
        let library =
            sys::Library::open().map(|library| library.path().map(Path::to_owned).unwrap_or_default());
        Self {
            variables,
            faults: advice::faults(&ascend, environment),
            ascend,
            atb: atb::sys::Shim::open().map(|shim| shim.name().to_owned()).map_err(|error| explain(&error)),
            npu: library.is_ok().then(|| devices(Backend::Npu)),
            acl: library,
            compilers: system::compilers(),
            libclang: system::libclang(environment),
            simulator: devices(Backend::Sim),
        }
    }

    /// Whether a program that uses `ascendcl` now gets an NPU.
    fn has_npu(&self) -> bool {
        matches!(&self.npu, Some(Ok(devices)) if !devices.is_empty())
    }

    /// What to do, most important first.
    fn advice(&self) -> Vec<String> {
        let mut advice = self.faults.clone();
        let has_toolkit = self.ascend.toolkits.iter().any(|toolkit| toolkit.is_there);
        match &self.acl {
            Err(_) if !has_toolkit => advice.push(
                "for an NPU: install the driver, the firmware and the CANN toolkit (8.1 or newer), then `source` the \
                 toolkit's set_env.sh"
                    .to_owned(),
            ),
            Err(_) if self.faults.is_empty() => advice.push(
                "a toolkit is there, but its library does not load; what was tried is above: set ASCENDCL_LIBRARY to it"
                    .to_owned(),
            ),
            Ok(_) if !self.has_npu() && self.faults.is_empty() => advice.push(
                "the AscendCL library loads but gives no device: check the driver with `npu-smi info`, and in a \
                 container that /dev/davinci* is passed in"
                    .to_owned(),
            ),
            _ => {}
        }
        if self.atb.is_err() && !self.ascend.atb.is_empty() {
            advice.push(
                "ATB is installed, but no shim over it loads: build this program with ATB_HOME_PATH set, or run `cargo \
                 xtask atb-shim`"
                    .to_owned(),
            );
        }
        if self.compilers.is_empty() {
            advice.push(
                "install a C++ compiler (g++ or clang++) to build kernels for the simulated device"
                    .to_owned(),
            );
        }
        if self.libclang.is_none() {
            advice
                .push("install libclang only to regenerate the bindings (`cargo xtask bindgen`)".to_owned());
        }
        if let Err(error) = &self.simulator {
            advice.push(format!("the simulated device does not start, check ASCENDCL_SIM_*: {error}"));
        } else if !self.has_npu() {
            advice.push("without an NPU everything runs on the simulated device; try `mlapo run`".to_owned());
        } else {
            advice.push("try `mlapo run`".to_owned());
        }
        advice
    }

    fn print(&self) -> Result<(), Failure> {
        let mut out = stdout();
        writeln!(out, "environment")?;
        if self.variables.is_empty() {
            writeln!(
                out,
                "  none of the variables of Ascend is set (ASCEND_HOME_PATH, ASCENDCL_BACKEND, ...)"
            )?;
        }
        for (name, value) in &self.variables {
            writeln!(out, "  {name}={value}")?;
        }
        self.print_installation(&mut out)?;
        writeln!(out, "\nAscendCL library")?;
        match &self.acl {
            Ok(path) => writeln!(out, "  loads      {}", path.display())?,
            Err(error) => {
                writeln!(out, "  {} could not be loaded; tried:", error.files.join(" or "))?;
                for sys::Attempt { path, error } in &error.tried {
                    writeln!(out, "  failed     {}: {error}", path.display())?;
                }
            }
        }
        if let Some(devices) = &self.npu {
            writeln!(out, "\nNPU devices")?;
            print_devices(&mut out, devices)?;
        }
        writeln!(out, "\nshim over ATB")?;
        match &self.atb {
            Ok(name) => writeln!(out, "  loads      {name}")?,
            Err(error) => writeln!(out, "  {}", error.replace('\n', "\n  "))?,
        }
        writeln!(out, "\nC++ compiler (kernels for the simulated device)")?;
        for Compiler { name, version } in &self.compilers {
            writeln!(out, "  found      {name}: {version}")?;
        }
        if self.compilers.is_empty() {
            writeln!(out, "  not there  c++, g++, clang++")?;
        }
        writeln!(out, "\nlibclang (only to regenerate bindings)")?;
        match &self.libclang {
            Some(path) => writeln!(out, "  found      {}", path.display())?,
            None => writeln!(out, "  not there")?,
        }
        writeln!(out, "\nsimulated device")?;
        print_devices(&mut out, &self.simulator)?;
        writeln!(out, "\nnext")?;
        for line in self.advice() {
            writeln!(out, "  * {line}")?;
        }
        Ok(out.flush()?)
    }

    fn print_installation(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Ascend { toolkits, driver, firmware, devices, managing, atb, npu_smi, .. } = &self.ascend;
        let version = |version: &Option<String>| {
            version.as_ref().map(|version| format!(", {version}")).unwrap_or_default()
        };
        writeln!(out, "\nCANN toolkit")?;
        for toolkit in toolkits {
            let found = if toolkit.is_there { "found" } else { "not there" };
            writeln!(out, "  {found:<9}  {}{}", toolkit.path.display(), version(&toolkit.version))?;
        }
        writeln!(out, "\nATB")?;
        for installation in atb {
            let abi = installation.abi.map(|abi| format!(", C++ ABI {abi}")).unwrap_or_default();
            writeln!(
                out,
                "  found      {}{}{abi}",
                installation.path.display(),
                version(&installation.version)
            )?;
        }
        if atb.is_empty() {
            writeln!(out, "  not there")?;
        }
        writeln!(out, "\ndriver")?;
        for (what, version) in [("driver", driver), ("firmware", firmware)] {
            match version {
                Some(version) => writeln!(out, "  found      {what}, {version}")?,
                None => writeln!(out, "  not there  {what}")?,
            }
        }
        for node in devices.iter().chain(managing) {
            let access = if node.accessible { "" } else { ", which this user may not read and write" };
            writeln!(out, "  found      {}{access}", node.path.display())?;
        }
        if devices.is_empty() {
            writeln!(out, "  not there  /dev/davinci*")?;
        }
        match npu_smi {
            NpuSmi::Missing => writeln!(out, "  not there  npu-smi"),
            NpuSmi::Works => writeln!(out, "  works      npu-smi info"),
            NpuSmi::Fails(message) => writeln!(out, "  fails      npu-smi info: {message}"),
        }
    }

    fn as_json(&self) -> Value {
        let library = match &self.acl {
            Ok(path) => json!({ "path": path }),
            Err(error) => {
                let attempt =
                    |attempt: &sys::Attempt| json!({ "path": attempt.path, "error": attempt.error });
                let tried: Vec<Value> = error.tried.iter().map(attempt).collect();
                json!({ "path": null, "error": error.to_string(), "tried": tried })
            }
        };
        let compiler = |compiler: &Compiler| json!({ "name": compiler.name, "version": compiler.version });
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut document = self.ascend.as_json();
        let rest = json!({
            "environment": Value::Object(variables.collect()),
            "faults": self.faults,
            "library": library,
            "atb_shim": match &self.atb {
                Ok(name) => json!({ "name": name }),
                Err(error) => json!({ "name": null, "error": error }),
            },
            "npu": self.npu.as_ref().map(devices_json),
            "compilers": self.compilers.iter().map(compiler).collect::<Vec<_>>(),
            "libclang": self.libclang,
            "simulator": devices_json(&self.simulator),
            "next": self.advice(),
        });
        if let (Value::Object(document), Value::Object(rest)) = (&mut document, rest) {
            document.extend(rest);
        }
        document
    }
}

/// The devices of a backend, each opened and closed.
fn devices(backend: Backend) -> Result<Vec<FoundDevice>, String> {
    let found = || -> ascendcl::Result<Vec<FoundDevice>> {
        let runtime = Runtime::with_backend(backend)?;
        let count = i32::try_from(runtime.device_count()?).unwrap_or(i32::MAX);
        let describe = |id| {
            let properties = runtime.device(id).and_then(|device: Device| device.properties());
            FoundDevice { id, properties: properties.map_err(|error| explain(&error)) }
        };
        let devices = (0..count).map(describe).collect();
        runtime.finalize()?;
        Ok(devices)
    };
    found().map_err(|error| explain(&error))
}

fn print_devices(out: &mut impl Write, devices: &Result<Vec<FoundDevice>, String>) -> std::io::Result<()> {
    match devices {
        Err(error) => writeln!(out, "  failed     {error}"),
        Ok(devices) if devices.is_empty() => writeln!(out, "  none"),
        Ok(devices) => {
            for FoundDevice { id, properties } in devices {
                match properties {
                    Ok(p) => writeln!(
                        out,
                        "  device {id}   {}, {} AI cores, {} vector cores, memory {}, L2 {}",
                        p.soc_name,
                        p.ai_cores,
                        p.vector_cores,
                        units::bytes(p.memory_bytes as u64),
                        units::bytes(p.l2_bytes as u64)
                    )?,
                    Err(error) => writeln!(out, "  device {id}   failed: {error}")?,
                }
            }
            Ok(())
        }
    }
}

fn devices_json(devices: &Result<Vec<FoundDevice>, String>) -> Value {
    let device = |FoundDevice { id, properties }: &FoundDevice| match properties {
        Ok(p) => json!({
            "id": id,
            "soc": p.soc_name,
            "ai_cores": p.ai_cores,
            "vector_cores": p.vector_cores,
            "l2_bytes": p.l2_bytes,
            "memory_bytes": p.memory_bytes,
        }),
        Err(error) => json!({ "id": id, "error": error }),
    };
    match devices {
        Ok(devices) => json!({ "devices": devices.iter().map(device).collect::<Vec<_>>() }),
        Err(error) => json!({ "devices": [], "error": error }),
    }
}
