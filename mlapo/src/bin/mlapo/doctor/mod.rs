//! `mlapo doctor`: what is installed on this machine, what was tried, what to do next.

mod system;

use std::io::Write;
use std::path::{Path, PathBuf};

use ascendcl::{Backend, Device, Runtime, sys};
use serde_json::{Value, json};

use crate::failure::{Failure, explain};
use crate::output::{print_json, stdout};
use crate::units;
use system::{Compiler, Environment};

/// Report what is installed here, what was tried and what to do next
///
/// Looks for the CANN toolkit, the driver and its devices, the AscendCL library, a C++ compiler, libclang and the
/// simulated device. Nothing is changed. The exit status is 0 whatever is found.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Where an installer puts a toolkit, besides the places that environment variables name.
const TOOLKIT_PLACES: [&str; 3] =
    ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/latest", "/usr/local/Ascend/cann"];
/// Written by the driver's installer.
const DRIVER_VERSION: &str = "/usr/local/Ascend/driver/version.info";
/// What a toolkit's set_env.sh and this program's libraries look at.
const VARIABLES: [&str; 9] = [
    "ASCEND_HOME_PATH",
    "ASCEND_TOOLKIT_HOME",
    "ASCEND_OPP_PATH",
    "ATB_HOME_PATH",
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
    /// Places where a toolkit would be, and whether one is there.
    toolkits: Vec<(PathBuf, bool)>,
    driver_version: Option<String>,
    device_nodes: Vec<PathBuf>,
    /// The AscendCL library that loads, or what was tried.
    acl: Result<PathBuf, sys::LoadError>,
    /// Devices of the installed library; not tried without one.
    npu: Option<Result<Vec<FoundDevice>, String>>,
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
        let homes = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"];
        let named = homes.into_iter().filter_map(|name| environment.get(name)).map(PathBuf::from);
        let own = environment.get("HOME").map(|home| Path::new(&home).join("Ascend/ascend-toolkit/latest"));
        let mut places: Vec<PathBuf> = Vec::new();
        for place in named.chain(TOOLKIT_PLACES.map(PathBuf::from)).chain(own) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let library =
            sys::Library::open().map(|library| library.path().map(Path::to_owned).unwrap_or_default());
        Self {
            variables,
            toolkits: places.into_iter().map(|place| (place.clone(), place.join("lib64").is_dir())).collect(),
            driver_version: system::first_version(Path::new(DRIVER_VERSION)),
            device_nodes: system::device_nodes(Path::new("/dev")),
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
        let mut advice = Vec::new();
        let toolkit = self.toolkits.iter().find(|(_, there)| *there).map(|(path, _)| path);
        match (&self.acl, toolkit) {
            (Err(_), Some(path)) => advice.push(format!(
                "a toolkit is in {}, but its library does not load: `source` its set_env.sh, or set ASCENDCL_LIBRARY",
                path.display()
            )),
            (Err(_), None) => advice.push(
                "for an NPU: install the driver, the firmware and the CANN toolkit (8.1 or newer), then `source` the \
                 toolkit's set_env.sh"
                    .to_owned(),
            ),
            (Ok(_), _) if !self.has_npu() => advice.push(
                "the AscendCL library loads but gives no device: check the driver with `npu-smi info`, and in a \
                 container that /dev/davinci* is passed in"
                    .to_owned(),
            ),
            _ => {}
        }
        if self.device_nodes.is_empty() && self.driver_version.is_some() {
            advice.push(
                "the driver is installed but there is no /dev/davinci*: is a device fitted?".to_owned(),
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
        writeln!(out, "\nCANN toolkit")?;
        for (path, there) in &self.toolkits {
            let found = if *there { "found" } else { "not there" };
            let version =
                system::toolkit_version(path).map(|version| format!(", {version}")).unwrap_or_default();
            writeln!(out, "  {found:<9}  {}{version}", path.display())?;
        }
        writeln!(out, "\ndriver")?;
        match &self.driver_version {
            Some(version) => writeln!(out, "  found      {version}")?,
            None => writeln!(out, "  not there  {DRIVER_VERSION}")?,
        }
        match self.device_nodes.as_slice() {
            [] => writeln!(out, "  not there  /dev/davinci*")?,
            nodes => {
                let nodes: Vec<String> = nodes.iter().map(|node| node.display().to_string()).collect();
                writeln!(out, "  found      {}", nodes.join(", "))?;
            }
        }
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
        let toolkit = |(path, there): &(PathBuf, bool)| json!({ "path": path, "found": there, "version": system::toolkit_version(path) });
        let compiler = |compiler: &Compiler| json!({ "name": compiler.name, "version": compiler.version });
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        json!({
            "environment": Value::Object(variables.collect()),
            "toolkits": self.toolkits.iter().map(toolkit).collect::<Vec<_>>(),
            "driver": { "version": self.driver_version, "device_nodes": self.device_nodes },
            "library": library,
            "npu": self.npu.as_ref().map(devices_json),
            "compilers": self.compilers.iter().map(compiler).collect::<Vec<_>>(),
            "libclang": self.libclang,
            "simulator": devices_json(&self.simulator),
            "next": self.advice(),
        })
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
