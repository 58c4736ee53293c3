//! The findings as text, each part as soon as it is known, and as one JSON document.

use std::io::{self, Write};
use std::path::PathBuf;

use mlapo_kernel::device_binaries;
use serde_json::{Value, json};

use super::Findings;
use super::ascend::Ascend;
use super::kernels;
use super::npu_smi::{Ailing, NpuSmi};
use super::probe::{Devices, FoundDevice, NoShim, Npu, Refused, TriedNode};
use super::system::Compiler;
use crate::output::stdout;
use crate::units;

/// A part of the findings, in the order in which they come.
pub enum Part<'a> {
    /// What files and variables say, which nothing can keep from being said.
    Files(&'a [(&'static str, String)], &'a Ascend),
    NpuSmi(&'a NpuSmi),
    Npu(&'a Npu, &'a Refused),
    Shim(&'a Result<String, NoShim>),
    Host(&'a [Compiler], &'a Option<PathBuf>, &'a Devices),
    Next(&'a [String]),
}

/// Prints a part.
pub fn print(part: &Part<'_>) -> io::Result<()> {
    let mut out = stdout();
    match part {
        Part::Files(variables, ascend) => print_files(&mut out, variables, ascend)?,
        Part::NpuSmi(npu_smi) => print_npu_smi(&mut out, npu_smi)?,
        Part::Npu(npu, refused) => print_npu(&mut out, npu, refused)?,
        Part::Shim(shim) => {
            writeln!(out, "\nshim over ATB")?;
            match shim {
                Ok(name) => writeln!(out, "  loads      {name}")?,
                Err(error) => writeln!(out, "  {}", error.to_string().replace('\n', "\n  "))?,
            }
        }
        Part::Host(compilers, libclang, simulator) => {
            print_host(&mut out, compilers, libclang, simulator)?;
        }
        Part::Next(lines) => {
            writeln!(out, "\nnext")?;
            for line in *lines {
                writeln!(out, "  * {line}")?;
            }
        }
    }
    out.flush()
}

fn print_files(
    out: &mut impl Write,
    variables: &[(&'static str, String)],
    ascend: &Ascend,
) -> io::Result<()> {
    let Ascend { toolkits, driver, firmware, devices, managing, atb, .. } = ascend;
    writeln!(out, "environment")?;
    if variables.is_empty() {
        writeln!(out, "  none of the variables of Ascend is set (ASCEND_HOME_PATH, ASCENDCL_BACKEND, ...)")?;
    }
    for (name, value) in variables {
        writeln!(out, "  {name}={value}")?;
    }
    let version = |version: &Option<String>| {
        version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default()
    };
    writeln!(out, "\nCANN toolkit")?;
    for toolkit in toolkits {
        let found = if toolkit.is_there { "found" } else { "not there" };
        writeln!(out, "  {found:<9}  {}{}", toolkit.path.display(), version(&toolkit.version))?;
    }
    writeln!(out, "\nATB")?;
    for installation in atb {
        let abi = installation.abi.map(|abi| format!(", C++ ABI {abi}")).unwrap_or_default();
        let path = installation.path.display();
        writeln!(out, "  found      {path}{}{abi}", version(&installation.version))?;
    }
    if atb.is_empty() {
        writeln!(out, "  not there")?;
    }
    writeln!(out, "\ndriver")?;
    for (what, package) in [("driver", driver), ("firmware", firmware)] {
        match package {
            Some(package) => writeln!(out, "  found      {what}, version {}", package.version)?,
            None => writeln!(out, "  not there  {what}'s version.info")?,
        }
    }
    for node in devices.iter().chain(managing) {
        let access = if node.accessible { "" } else { ", whose permissions refuse this user" };
        writeln!(out, "  found      {}{access}", node.path.display())?;
    }
    if devices.is_empty() {
        writeln!(out, "  not there  /dev/davinci*")?;
    }
    Ok(())
}

fn print_npu_smi(out: &mut impl Write, npu_smi: &NpuSmi) -> io::Result<()> {
    match npu_smi {
        NpuSmi::Missing => writeln!(out, "  not there  npu-smi"),
        NpuSmi::Works(ailing) => {
            writeln!(out, "  works      npu-smi info")?;
            ailing
                .iter()
                .try_for_each(|Ailing { npu, health }| writeln!(out, "  unwell     NPU {npu}: {health}"))
        }
        NpuSmi::Fails(message) => writeln!(out, "  fails      npu-smi info: {message}"),
    }
}

fn print_npu(out: &mut impl Write, npu: &Npu, refused: &Refused) -> io::Result<()> {
    writeln!(out, "\nAscendCL library")?;
    match &npu.library {
        Some(Ok(path)) => writeln!(out, "  loads      {}", path.display())?,
        Some(Err(error)) => {
            writeln!(out, "  {} could not be loaded; tried:", error.files.join(" or "))?;
            for (path, error) in &error.tried {
                writeln!(out, "  failed     {}: {error}", path.display())?;
            }
        }
        None => {}
    }
    if matches!(npu.library, Some(Ok(_))) {
        writeln!(out, "\nNPU devices")?;
        if npu.broken.is_none() || !npu.devices.found.is_empty() {
            print_devices(out, &npu.devices)?;
        }
    }
    if let Some(broken) = &npu.broken {
        writeln!(out, "  failed     {broken}")?;
    }
    for TriedNode { path, error } in &refused.nodes {
        writeln!(out, "  refused    {}: {}", path.display(), error.as_deref().unwrap_or_default())?;
    }
    if let Some(broken) = &refused.broken {
        writeln!(out, "  failed     {broken}")?;
    }
    writeln!(out, "\nfused kernel")?;
    for binary in device_binaries() {
        writeln!(out, "  embedded   {binary}, for {}", binary.socs.join(", "))?;
    }
    if device_binaries().is_empty() {
        writeln!(out, "  embedded   for the simulated device only")?;
    }
    for choice in kernels::choices(&npu.devices) {
        match choice.kernel {
            Ok(binary) => writeln!(out, "  device {}   fits: {binary}", choice.device)?,
            Err(_) => writeln!(out, "  device {}   none fits {}", choice.device, choice.soc)?,
        }
    }
    Ok(())
}

fn print_host(
    out: &mut impl Write,
    compilers: &[Compiler],
    libclang: &Option<PathBuf>,
    simulator: &Devices,
) -> io::Result<()> {
    writeln!(out, "\nC++ compiler (kernels for the simulated device)")?;
    for Compiler { name, version } in compilers {
        writeln!(out, "  found      {name}: {version}")?;
    }
    if compilers.is_empty() {
        writeln!(out, "  not there  c++, g++, clang++")?;
    }
    writeln!(out, "\nlibclang (only to regenerate bindings)")?;
    match libclang {
        Some(path) => writeln!(out, "  found      {}", path.display())?,
        None => writeln!(out, "  not there")?,
    }
    writeln!(out, "\nsimulated device")?;
    print_devices(out, simulator)
}

fn print_devices(out: &mut impl Write, devices: &Devices) -> io::Result<()> {
    for FoundDevice { id, properties } in &devices.found {
        match properties {
            Ok(p) => writeln!(
                out,
                "  device {id}   {}, {} AI cores, {} vector cores, memory {}, L2 {}",
                p.soc,
                p.ai_cores,
                p.vector_cores,
                units::bytes(p.memory_bytes as u64),
                units::bytes(p.l2_bytes as u64)
            )?,
            Err(error) => writeln!(out, "  device {id}   failed: {error}")?,
        }
    }
    match &devices.error {
        Some(error) => writeln!(out, "  failed     {error}"),
        None if devices.found.is_empty() => writeln!(out, "  none"),
        None => Ok(()),
    }
}

/// All findings as one document.
pub fn as_json(findings: &Findings) -> Value {
    let Findings { variables, ascend, npu_smi, npu, refused, atb, compilers, libclang, simulator, .. } =
        findings;
    let broken = npu.broken.as_ref().map(ToString::to_string);
    let library = match &npu.library {
        Some(Ok(path)) => json!({ "path": path }),
        Some(Err(error)) => {
            let attempt = |(path, error): &(PathBuf, String)| json!({ "path": path, "error": error });
            let tried: Vec<Value> = error.tried.iter().map(attempt).collect();
            json!({ "path": null, "error": error.message, "tried": tried })
        }
        None => json!({ "path": null, "error": broken }),
    };
    let loads = matches!(npu.library, Some(Ok(_)));
    let compiler = |compiler: &Compiler| json!({ "name": compiler.name, "version": compiler.version });
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    let mut document = ascend.as_json();
    let rest = json!({
        "environment": Value::Object(variables.collect()),
        "npu_smi": npu_smi.as_json(),
        "faults": findings.faults,
        "library": library,
        "npu": loads.then(|| devices_json(&npu.devices, broken)),
        "refused_nodes": refused.nodes,
        "kernels": kernels::as_json(&npu.devices),
        "atb_shim": match atb {
            Ok(name) => json!({ "name": name }),
            Err(error) => json!({ "name": null, "error": error.to_string() }),
        },
        "compilers": compilers.iter().map(compiler).collect::<Vec<_>>(),
        "libclang": libclang,
        "simulator": devices_json(simulator, None),
        "next": findings.next,
    });
    if let (Value::Object(document), Value::Object(rest)) = (&mut document, rest) {
        document.extend(rest);
    }
    document
}

/// Devices, and what kept others from being found.
fn devices_json(devices: &Devices, broken: Option<String>) -> Value {
    let device = |FoundDevice { id, properties }: &FoundDevice| match properties {
        Ok(p) => json!({
            "id": id,
            "soc": p.soc,
            "ai_cores": p.ai_cores,
            "vector_cores": p.vector_cores,
            "l2_bytes": p.l2_bytes,
            "memory_bytes": p.memory_bytes,
        }),
        Err(error) => json!({ "id": id, "error": error }),
    };
    let mut document = json!({ "devices": devices.found.iter().map(device).collect::<Vec<_>>() });
    if let (Value::Object(document), Some(error)) =
        (&mut document, broken.as_ref().or(devices.error.as_ref()))
    {
        document.insert("error".to_owned(), json!(error));
    }
    document
}
