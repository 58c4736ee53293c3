//! What a toolkit's commands must leave: an object for AI cores with the kernel in it, as far as its functions are known.

use std::collections::BTreeSet;

/// The functions of our kernel, which is a mixed one: one for each kind of cores. The runtime cuts the endings off, so that
/// `aclrtBinaryGetFunction` finds both as `mlapo`.
pub(super) const FUNCTIONS: [&str; 2] = ["mlapo_mix_aic", "mlapo_mix_aiv"];

/// Machines of ELF that run a compiler and are no AI cores, by their numbers in the standard.
const HOSTS: [(u16, &str); 2] = [(62, "x86-64"), (183, "aarch64")];

/// Why a file cannot be loaded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("is not there")]
    Absent,
    #[error("is no ELF object")]
    NoElf,
    #[error("is an object for {0}, not for AI cores")]
    Host(&'static str),
    #[error(
        "has no function {}, by which the library finds the kernel; it has of such functions: {}",
        list(.missing),
        list(.there)
    )]
    NoFunction { missing: Vec<&'static str>, there: Vec<String> },
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Whether an object can be loaded, and has these functions.
pub(super) fn check(object: &[u8], functions: &[&'static str]) -> Result<(), Unfit> {
    // Magic, class, byte order and the like; the type; the machine.
    let (Some(b"\x7fELF"), Some(&[low, high])) = (object.get(..4), object.get(18..20)) else {
        return Err(Unfit::NoElf);
    };
    let machine = u16::from_le_bytes([low, high]);
    if let Some((_, host)) = HOSTS.iter().find(|(number, _)| *number == machine) {
        return Err(Unfit::Host(host));
    }
    let there: BTreeSet<&str> = object.split(|byte| *byte == 0).filter_map(mixed).collect();
    // Names may share their endings with those of sections.
    let has = |name: &str| there.iter().any(|text| text.ends_with(name));
    let missing: Vec<_> = functions.iter().copied().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Unfit::NoFunction { missing, there: there.into_iter().map(str::to_owned).collect() })
}

/// A string of an object's tables, if it is the name of a mixed kernel's function.
fn mixed(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?;
    let names = text.ends_with("_mix_aic") || text.ends_with("_mix_aiv");
    (names && text.chars().all(|letter| letter.is_ascii_graphic())).then_some(text)
}
