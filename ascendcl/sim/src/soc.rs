//! The models of AI processor that can be simulated.

/// One die of an AI processor of the generation Atlas A2 or A3 (NPU architecture 2201).
///
/// The figures are those of the platform files of CANN 8.1 (HARDWARE facts, section 1.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Soc {
    /// What `aclrtGetSocName` answers.
    pub name: &'static str,
    /// The same, with the terminator that C wants.
    pub c_name: &'static std::ffi::CStr,
    /// Cube cores; there are twice as many vector cores.
    pub cube_cores: u32,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// Level-2 cache in bytes.
    pub l2_bytes: u64,
}

impl Soc {
    pub(crate) const fn vector_cores(&self) -> u32 {
        2 * self.cube_cores
    }

    /// The model of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|soc| soc.name == name)
    }
}

const MIB: u64 = 1 << 20;

const fn soc(c_name: &'static std::ffi::CStr, cube_cores: u32, memory_gib: u64, l2_mib: u64) -> Soc {
    let Ok(name) = c_name.to_str() else { panic!("a name is not UTF-8") };
    Soc { name, c_name, cube_cores, memory_gib, l2_bytes: l2_mib * MIB }
}

/// Every model, by name.
pub(crate) static ALL: &[Soc] = &[
    soc(c"Ascend910B1", 24, 64, 192),
    soc(c"Ascend910B2", 24, 64, 192),
    soc(c"Ascend910B2C", 24, 64, 192),
    soc(c"Ascend910B3", 20, 64, 192),
    soc(c"Ascend910B4", 20, 32, 96),
    soc(c"Ascend910B4-1", 20, 32, 168),
    soc(c"Ascend910_9391", 24, 64, 192),
    soc(c"Ascend910_9392", 24, 64, 192),
    soc(c"Ascend910_9381", 24, 64, 192),
    soc(c"Ascend910_9382", 24, 64, 192),
    soc(c"Ascend910_9372", 20, 64, 192),
    soc(c"Ascend910_9362", 20, 32, 168),
];
