//! ATB's operators beside ours, on the same input.

use mlapo::{Backend, Config, Launches, QuantMode};

use crate::call::{CACHE_MODES, Expected, QUANT_MODES, compute, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Need, Offers as _, Skip, explain};

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
        return Ok(Done::Skipped(Skip::expected(explain(&refusal))));
    }
    let (stream, slots) = (machine.stream()?, slots(4));
    let expected = Expected::new(&stream, config, &slots)?;
    let theirs = match compute(&stream, config, vendor, &slots, &machine.launch) {
        Ok(theirs) => theirs,
        Err(error) => {
            let version = atb::Library::of(&machine.runtime)?.version()?;
            return match not_in_this_version(config, vendor, &error, &version) {
                Some(reason) => Ok(Done::Skipped(Skip::expected(reason))),
                None => Err(error.into()),
            };
        }
    };
    let mut notes = vec![format!("reference: {}", expected.judge(config, &theirs)?)];
    match machine.lacks(Need::Kernel) {
        Some(_) => notes.push("no fused kernel to compare with".to_owned()),
        None => {
            let ours = compute(&stream, config, Backend::Kernel, &slots, &machine.launch)?;
            notes.push(format!("ours: {}", expected.compare(config, &ours, &theirs)?));
        }
    }
    Ok(Done::Passed(notes))
}

/// The last version of ATB whose MlaPreprocess quantises per tensor only: its table of types has no entry for the other
/// quantisation (operator contract, section 1.2).
const PER_TENSOR_ONLY: (u32, u32) = (8, 1);

/// Why the vendor refuses, if it does because its version does not have the mode. The code of the refusal is not known: any of
/// ATB's own may be it, none of the device's.
fn not_in_this_version(
    config: &Config,
    vendor: Backend,
    error: &mlapo::Error,
    version: &str,
) -> Option<String> {
    let refused = matches!(error, mlapo::Error::Atb(atb::Error::Atb(_)));
    let per_token = vendor == Backend::Atb && config.quant_mode == QuantMode::PerToken;
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
    (refused && per_token && (major, minor) <= PER_TENSOR_ONLY).then(|| {
        format!(
            "MlaPreprocess of ATB {version} does not quantise per token; newer ones do: {}",
            explain(error)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_old_version_lacks_is_forgiven() {
        let config = |quant| Config::deepseek_v3().quant_mode(quant).build().unwrap();
        let (per_token, per_tensor) = (config(QuantMode::PerToken), config(QuantMode::PerTensor));
        let refusal = || {
            let (call, operation, message) = ("Setup", None, String::new());
            mlapo::Error::Atb(atb::AtbError { call, operation, code: 13, message }.into())
        };
        let crash = {
            let (call, operation, message) = ("Execute", None, String::new());
            mlapo::Error::Atb(atb::AclError { call, operation, code: 507_015, message }.into())
        };
        let (fused, unfused) = (Backend::Atb, Backend::Unfused(Launches::Graph));
        let reason = not_in_this_version(&per_token, fused, &refusal(), "8.1.RC1").unwrap();
        assert!(
            reason.contains("ATB 8.1.RC1") && reason.contains("ERROR_INVALID_TENSOR_INI_MATCH"),
            "{reason}"
        );
        assert!(not_in_this_version(&per_token, fused, &refusal(), "8.0.0").is_some());
        for (config, vendor, error, version) in [
            (&per_token, fused, &refusal(), "8.2.RC1"),
            (&per_token, fused, &refusal(), "9.1.0"),
            (&per_token, fused, &refusal(), "not known"),
            (&per_token, fused, &crash, "8.1.RC1"),
            (&per_token, unfused, &refusal(), "8.1.RC1"),
            (&per_tensor, fused, &refusal(), "8.1.RC1"),
        ] {
            assert_eq!(
                not_in_this_version(config, vendor, error, version),
                None,
                "{vendor} {error} {version}"
            );
        }
    }
}
