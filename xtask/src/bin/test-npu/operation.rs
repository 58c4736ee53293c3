//! The fused kernel against the reference in every mode, and against the golden fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use mlapo::fixture::{Fixture, compute_on_stream};
use mlapo::{Backend, Config, ConfigBuilder};

use crate::call::{CACHE_MODES, DTYPES, Expected, QUANT_MODES, compute, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Need, ensure, explain};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo/tests/fixtures");
const FOLDERS: [&str; 3] = ["public", "kernel_order", "sgl"];

pub fn cases() -> Vec<Case<Machine>> {
    let mut cases = Vec::new();
    for cache in CACHE_MODES {
        for quant in QUANT_MODES {
            for dtype in DTYPES {
                let name = format!("operation/{cache:?} cache, {quant:?}, {dtype:?}");
                cases.push(Case::new(name, move |machine: &mut Machine| {
                    against_reference(machine, small().cache_mode(cache).quant_mode(quant).dtype(dtype), 7)
                }));
            }
        }
    }
    cases.push(Case::new("operation/a hidden state that is normalised", |machine: &mut Machine| {
        against_reference(machine, small().input_norm(false), 7)
    }));
    for tokens in [1, 2, 16, 33, 129] {
        let name = format!("operation/tokens: {tokens}");
        cases.push(Case::new(name, move |machine: &mut Machine| against_reference(machine, small(), tokens)));
    }
    for heads in [1, 3, 128] {
        let name = format!("operation/heads: {heads}");
        cases.push(Case::new(name, move |machine: &mut Machine| {
            against_reference(machine, Config::deepseek_v3().num_heads(heads), 2)
        }));
    }
    for folder in FOLDERS {
        let name = format!("operation/golden fixtures, {folder}");
        cases.push(Case::new(name, move |machine: &mut Machine| fixtures(machine, folder)));
    }
    cases.into_iter().map(|case| case.needs(Need::Kernel)).collect()
}

/// The model's dimensions, with few heads.
fn small() -> ConfigBuilder {
    Config::deepseek_v3().num_heads(4)
}

fn against_reference(machine: &Machine, config: ConfigBuilder, tokens: usize) -> Answer {
    let (stream, config, slots) = (machine.stream()?, config.build()?, slots(tokens));
    let expected = Expected::new(&stream, &config, &slots)?;
    let call = || compute(&stream, &config, Backend::Kernel, &slots, &machine.launch);
    let first = call()?;
    let note = expected.judge(&config, &first)?;
    ensure!(call()? == first, "a second call has other bits than the first");
    Ok(Done::noting(note))
}

fn fixtures(machine: &Machine, folder: &str) -> Answer {
    let folder = Path::new(FIXTURES).join(folder);
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    let stream = machine.stream()?;
    let (mut passed, mut wrong) = (0, Vec::new());
    for path in paths {
        let fixture = Fixture::open(&path)?;
        let name = fixture.case().name.clone();
        match fixture
            .verify(Backend::Kernel.order(), |problem| compute_on_stream(&stream, Backend::Kernel, problem))
        {
            Ok(report) if report.pass => passed += 1,
            Ok(report) => {
                let tensors = report.tensors.iter().filter(|tensor| !tensor.pass);
                wrong.extend(tensors.map(|tensor| {
                    format!(
                        "{name}: {}: largest difference {:e}, {}",
                        tensor.name, tensor.max_error, tensor.detail
                    )
                }));
            }
            Err(error) => wrong.push(format!("{name}: {}", explain(&error))),
        }
    }
    ensure!(wrong.is_empty(), "{passed} passed\n{}", wrong.join("\n"));
    ensure!(passed > 0, "{} has no fixture", folder.display());
    Ok(Done::noting(format!("{passed} fixtures")))
}
