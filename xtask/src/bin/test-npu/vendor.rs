//! ATB's operators beside ours, on the same input.

use mlapo::{Backend, Config, Launches};

use crate::call::{CACHE_MODES, Expected, QUANT_MODES, compute, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Need, Offers as _, explain};

pub fn cases() -> Vec<Case<Machine>> {
    let vendors = [
        ("MlaPreprocess", Backend::Atb),
        ("the small operators as a graph", Backend::Unfused(Launches::Graph)),
        ("the small operators one by one", Backend::Unfused(Launches::Single)),
    ];
    let mut cases = Vec::new();
    for (name, vendor) in vendors {
        for cache in CACHE_MODES {
            for quant in QUANT_MODES {
                let name = format!("vendor/{name}, {cache:?} cache, {quant:?}");
                let config =
                    move || Config::deepseek_v3().num_heads(8).cache_mode(cache).quant_mode(quant).build();
                let case =
                    Case::new(name, move |machine: &mut Machine| beside_ours(machine, &config()?, vendor));
                cases.push(case.needs(Need::Atb));
            }
        }
    }
    cases
}

/// The vendor's results against those of the reference, and of the fused kernel if there is one.
fn beside_ours(machine: &Machine, config: &Config, vendor: Backend) -> Answer {
    if let Err(refusal) = vendor.check(config) {
        return Ok(Done::Skipped(explain(&refusal)));
    }
    let (stream, slots) = (machine.stream()?, slots(4));
    let expected = Expected::new(&stream, config, &slots)?;
    let theirs = compute(&stream, config, vendor, &slots)?;
    let mut notes = vec![format!("reference: {}", expected.judge(config, &theirs)?)];
    match machine.lacks(Need::Kernel) {
        Some(_) => notes.push("no fused kernel to compare with".to_owned()),
        None => {
            let ours = compute(&stream, config, Backend::Kernel, &slots)?;
            notes.push(format!("ours: {}", expected.compare(config, &ours, &theirs)?));
        }
    }
    Ok(Done::Passed(notes))
}
