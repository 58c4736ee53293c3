//! Whether the library is the one that the bindings were made for.

use ascendcl::sys::FUNCTIONS;
use ascendcl::{Error, ErrorKind};

use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, ensure};

/// Without these nothing goes.
const NEEDED: [&str; 12] = [
    "aclInit",
    "aclrtSetDevice",
    "aclrtMalloc",
    "aclrtFree",
    "aclrtMallocHost",
    "aclrtMemcpyAsync",
    "aclrtMemsetAsync",
    "aclrtCreateStreamWithConfig",
    "aclrtSynchronizeStream",
    "aclrtRecordEvent",
    "aclrtStreamWaitEvent",
    "aclrtBinaryGetFunction",
];

pub fn cases() -> Vec<Case<Machine>> {
    vec![
        Case::new("bindings/functions", functions),
        Case::new("bindings/versions", versions),
        Case::new("bindings/errors have names", errors),
    ]
}

fn functions(machine: &mut Machine) -> Answer {
    let missing: Vec<_> =
        FUNCTIONS.iter().filter(|function| !machine.runtime.has_function(function.name)).collect();
    let needed: Vec<&str> =
        missing.iter().map(|function| function.name).filter(|name| NEEDED.contains(name)).collect();
    ensure!(needed.is_empty(), "the library has no {}", needed.join(", "));
    let mut notes =
        vec![format!("{} of {} functions are there", FUNCTIONS.len() - missing.len(), FUNCTIONS.len())];
    if !missing.is_empty() {
        let names = missing.iter().map(|function| format!("{} (since {})", function.name, function.since));
        notes.push(format!("missing: {}", names.collect::<Vec<_>>().join(", ")));
    }
    Ok(Done::Passed(notes))
}

fn versions(machine: &mut Machine) -> Answer {
    let [major, ..] = machine.runtime.version()?;
    ensure!(major >= 1, "AscendCL's version is {major}");
    ensure!(machine.runtime.device_count()? >= 1, "a device is open, but there is none");
    let properties = machine.device.properties()?;
    ensure!(properties.soc_name.starts_with("Ascend"), "the SoC is called {:?}", properties.soc_name);
    ensure!(properties.ai_cores > 0 && properties.l2_bytes > 0, "the device says of itself {properties:?}");
    let memory = machine.device.memory_info()?;
    ensure!(memory.free <= memory.total && memory.total > 0, "{memory:?}");
    Ok(Done::noting(format!("{} MiB of {} MiB free", memory.free >> 20, memory.total >> 20)))
}

/// A call that must fail tells its code, whose name is known, and the next call works.
fn errors(machine: &mut Machine) -> Answer {
    let number = i32::try_from(machine.runtime.device_count()?)?;
    match machine.runtime.device(number) {
        Ok(_) => Err(format!("device {number} was opened and does not exist").into()),
        Err(Error::Acl(error)) => {
            ensure!(error.name().is_some(), "the code {} of {} has no name", error.code, error.call);
            ensure!(error.kind() != ErrorKind::OutOfMemory, "{error}: taken for a lack of memory");
            machine.stream()?.synchronize()?;
            Ok(Done::noting(error.to_string()))
        }
        Err(other) => Err(other.into()),
    }
}
