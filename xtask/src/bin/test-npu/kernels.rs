//! Launches of kernels.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, io};

use ascendcl::{KernelArgs, Module};
use half::f16;

use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Gap, Skip, ensure};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/scaled_add.cpp");
/// Numbers that one block computes at a time.
const TILE: usize = 256;
const BLOCKS: usize = 6;

pub fn cases() -> Vec<Case<Machine>> {
    vec![Case::new("kernels/a small kernel", small)]
}

fn small(machine: &mut Machine) -> Answer {
    let folder = tempfile::tempdir()?;
    let built = folder.path().join("scaled_add.so");
    let refused = if machine.simulated { for_simulator(&built)? } else { for_device(&built)? };
    if let Some(reason) = refused {
        return Ok(Done::Skipped(Skip::gap(Gap::SmallKernel, reason)));
    }
    let stream = machine.stream()?;
    let kernel = Module::load(&machine.device, &built)?.kernel("scaled_add")?;
    for tiles in [1usize, 5, 40] {
        let len = BLOCKS * tiles * TILE;
        // Multiples of 1/8 below 64, whose products and sums are exact in half precision.
        let number = |i: usize, seed: usize| (i * 31 + seed) % 128;
        let values = |seed| (0..len).map(|i| f16::from_f32(number(i, seed) as f32 / 8.0)).collect::<Vec<_>>();
        let (x, y) = (stream.alloc_from(&values(3))?, stream.alloc_from(&values(77))?);
        let mut z = stream.alloc_from(&vec![f16::NAN; len])?;
        let arguments =
            KernelArgs::new().read(&x).read(&y).write(&mut z).value(2.0f32).value(u32::try_from(tiles)?);
        // SAFETY: each of the blocks reads and writes as many tiles, and the buffers have room for all.
        unsafe { kernel.launch(&stream, BLOCKS as u32, arguments) }?;
        for (index, value) in stream.download_vec(&z)?.into_iter().enumerate() {
            let expected = (2 * number(index, 3) + number(index, 77)) as f32 / 8.0;
            ensure!(
                value.to_f32() == expected,
                "{tiles} tiles, number {index} is {value} instead of {expected}"
            );
        }
    }
    Ok(Done::noting(format!("{BLOCKS} blocks of 1, 5 and 40 tiles")))
}

/// Builds the kernel for the simulated device; why it cannot be built, if a program for that is missing.
fn for_simulator(object: &Path) -> Result<Option<String>, ascendcl_sim_cc::Error> {
    match ascendcl_sim_cc::Build::new(object).source(Path::new(SOURCE)).run() {
        Err(error @ ascendcl_sim_cc::Error::NoProgram { .. }) => Ok(Some(error.to_string())),
        built => built.map(|_| None),
    }
}

/// Builds the kernel for a device, as anybody would; why that did not work.
fn for_device(object: &Path) -> io::Result<Option<String>> {
    let mut xtask = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--bin", "xtask", "--no-default-features", "--"]);
    xtask.args(["build-kernels", SOURCE, "-o"]).arg(object);
    let output = xtask.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).output()?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
