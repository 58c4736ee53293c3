//! A kernel and a launch of it.

use std::sync::Arc;

use super::abi::{CoreView, KernelType};
use super::check::Finding;
use super::memory::GlobalMemory;

/// The code of a kernel for one kind of core: [`KernelEntry::run`](super::abi::KernelEntry::run).
pub(crate) type Entry = unsafe extern "C" fn(*const CoreView, *const u8) -> i32;

/// A kernel of a loaded object.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub name: String,
    pub kernel_type: KernelType,
    /// For cube cores.
    pub cube: Option<Entry>,
    /// For vector cores.
    pub vector: Option<Entry>,
    pub argument_bytes: usize,
}

/// How deep the model looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Computes only.
    #[default]
    Run,
    /// Computes under the sanitizer.
    Check,
}

/// How a launch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How deep the model looks.
    pub level: Level,
    /// The device's compiler inserts barriers between vector instructions and flags between the scalar unit
    /// and the other pipes of a vector core (`--cce-auto-sync=on`, its default); what only holds thanks to
    /// that is a note and not an error.
    pub auto_sync: bool,
    /// Records the instructions of each core.
    pub trace: bool,
    /// Threads that run cores at the same time; 0 for as many as the host has.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { level: Level::Run, auto_sync: true, trace: false, threads: 0 }
    }
}

/// One launch of a kernel.
pub(crate) struct Launch {
    pub kernel: Kernel,
    pub block_num: u32,
    /// The packed arguments.
    pub arguments: Vec<u8>,
    pub global: Arc<GlobalMemory>,
    /// Cube cores of the device; twice as many vector cores.
    pub cube_cores: u32,
    pub options: Options,
}

/// Why a launch stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// An instruction that the hardware refuses, or a failed assertion.
    Exception(String),
    /// No core can go on.
    Deadlock(String),
}

/// What a launch left.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub stop: Option<Stop>,
    /// What kernels printed, by core.
    pub printed: Vec<String>,
    pub findings: Vec<Finding>,
    /// Instructions that were executed, over all cores.
    pub instructions: u64,
}

/// Placeholder until the engine is merged.
pub(crate) fn run(launch: Launch) -> Outcome {
    super::stand_in::run(launch)
}
