//! What is simulated: how many devices, of which model, with how much memory.

use std::env;

use parking_lot::Mutex;

use crate::soc::{self, Soc};

/// What the simulator simulates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// How many devices there are; 0 is a machine without any.
    pub devices: u32,
    /// Their model, as `aclrtGetSocName` spells it: `Ascend910B3`.
    pub soc: String,
    /// The memory of each device that programs can use, in bytes; `None` for the real size of the model, less
    /// what the system reserves.
    pub memory: Option<u64>,
}

impl Default for SimConfig {
    /// One Ascend910B3 with all its memory.
    fn default() -> Self {
        Self { devices: 1, soc: "Ascend910B3".to_owned(), memory: None }
    }
}

impl SimConfig {
    /// What `ASCENDCL_SIM_DEVICES`, `ASCENDCL_SIM_SOC` and `ASCENDCL_SIM_MEMORY` say, and the default for what they do
    /// not say: the machine of a program that chooses none.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a number or a size that is none; whether the machine exists is checked when it is chosen.
    ///
    /// ```
    /// use ascendcl_sim::SimConfig;
    ///
    /// // Two devices, whatever the environment says of their number, with the memory that it says.
    /// ascendcl_sim::configure(SimConfig { devices: 2, ..SimConfig::from_environment()? })?;
    /// # Ok::<(), ascendcl_sim::ConfigError>(())
    /// ```
    pub fn from_environment() -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Ok(devices) = env::var("ASCENDCL_SIM_DEVICES") {
            config.devices = devices.trim().parse().map_err(|_| ConfigError::Devices { devices })?;
        }
        if let Ok(soc) = env::var("ASCENDCL_SIM_SOC") {
            config.soc = soc;
        }
        if let Ok(memory) = env::var("ASCENDCL_SIM_MEMORY") {
            config.memory = Some(parse_memory(&memory).ok_or(ConfigError::Memory { memory })?);
        }
        Ok(config)
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The simulator runs already.
    #[error("the simulator is configured before aclInit, not between aclInit and aclFinalize")]
    Initialized,
    /// There is no such model.
    #[error("the simulator knows no AI processor {name:?}; it knows {known}")]
    UnknownSoc {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The number of devices is not one that a machine can have.
    #[error("{devices} devices: a simulated machine has at most {MAX_DEVICES}")]
    Devices {
        /// What was asked for.
        devices: String,
    },
    /// The size of the memory is none, too small or too large.
    #[error("{memory} of memory: a device has 2 MiB to {MAX_MEMORY_GIB} GiB, written in GiB or in bytes")]
    Memory {
        /// What was asked for.
        memory: String,
    },
    /// A variable of the environment has faults in a form that is not understood.
    #[error("ASCENDCL_SIM_FAULT={text}: {reason}")]
    Fault {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

const MAX_DEVICES: u32 = 64;
const MAX_MEMORY_GIB: u64 = 1024;
const GIB: u64 = 1 << 30;
/// The granularity of huge pages, hence of the size of a device.
const GRANULE: u64 = 2 << 20;

/// What Rust code asked for, which goes before the environment.
static CHOSEN: Mutex<Option<SimConfig>> = Mutex::new(None);

/// A configuration that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub devices: u32,
    pub soc: &'static Soc,
    /// Usable bytes of each device, a multiple of 2 MiB.
    pub memory: u64,
}

/// Keeps `config` for the next `aclInit`.
pub(crate) fn choose(config: SimConfig) -> Result<(), ConfigError> {
    check(&config)?;
    *CHOSEN.lock() = Some(config);
    Ok(())
}

/// The machine that `aclInit` starts: the chosen one, else that of the environment.
pub(crate) fn machine() -> Result<Machine, ConfigError> {
    let chosen = CHOSEN.lock().clone();
    check(&match chosen {
        Some(config) => config,
        None => SimConfig::from_environment()?,
    })
}

/// A number up to the largest size in GiB means GiB, a greater one bytes.
fn parse_memory(text: &str) -> Option<u64> {
    let number: u64 = text.trim().parse().ok()?;
    if number <= MAX_MEMORY_GIB { Some(number * GIB) } else { Some(number) }
}

fn check(config: &SimConfig) -> Result<Machine, ConfigError> {
    let soc = Soc::find(&config.soc).ok_or_else(|| ConfigError::UnknownSoc {
        name: config.soc.clone(),
        known: soc::ALL.iter().map(|soc| soc.name).collect::<Vec<_>>().join(", "),
    })?;
    if config.devices > MAX_DEVICES {
        return Err(ConfigError::Devices { devices: config.devices.to_string() });
    }
    let memory = match config.memory {
        // What the system keeps for itself, which aclrtGetMemInfo does not count.
        None => soc.memory_gib * GIB / 32 * 31,
        Some(bytes) if (GRANULE..=MAX_MEMORY_GIB * GIB).contains(&bytes) => bytes,
        Some(bytes) => return Err(ConfigError::Memory { memory: format!("{bytes} bytes") }),
    };
    Ok(Machine { devices: config.devices, soc, memory: memory / GRANULE * GRANULE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_gib_or_bytes() {
        assert_eq!(parse_memory("2"), Some(2 << 30));
        assert_eq!(parse_memory(" 8388608 "), Some(8 << 20));
        assert_eq!(parse_memory("lots"), None);
    }

    #[test]
    fn unknown_models_are_named_with_the_known_ones() {
        let error = check(&SimConfig { soc: "Ascend310".into(), ..SimConfig::default() }).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"Ascend310\"") && text.contains("Ascend910B3"), "{text}");
    }

    #[test]
    fn sizes_are_those_of_the_model() {
        let machine = check(&SimConfig { soc: "Ascend910B4".into(), ..SimConfig::default() }).unwrap();
        assert_eq!(machine.memory, 31 << 30);
        assert_eq!(machine.soc.l2_bytes, 96 << 20);
        assert!(check(&SimConfig { memory: Some(1), ..SimConfig::default() }).is_err());
    }
}
