//! The sanitizer: finds what a kernel does wrong though its results may be right.
//!
//! The engine calls a [`CoreChecker`] for each instruction at the moment at which it executes it, in an order
//! that respects every pipe; the checker knows nothing of scheduling and orders events by vector clocks.

mod buffers;
mod clock;
mod core;
mod flags;
mod global;
mod report;
mod shadow;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use super::abi::CoreType;
use super::launch::Options;
use super::memory::GlobalMemory;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// An access beyond a memory or an allocation.
    OutOfBounds,
    /// An address that the instruction cannot take.
    Misaligned,
    /// A value that does not fit the instruction's field.
    FieldLimit,
    /// A combination that the hardware does not have.
    Unsupported,
    /// Memory that nothing wrote.
    UninitializedRead,
    /// Two pipes use the same memory, and no flag orders them.
    MissingFlag,
    /// Two instructions of one pipe use the same memory, and no barrier orders them.
    MissingBarrier,
    /// Two cores use the same global memory, and no flag orders them.
    MissingCrossCoreFlag,
    /// A flag that is set again before it was taken.
    EventReused,
    /// A counter of a flag between cores went beyond what it can hold.
    FlagOverflow,
    /// A flag that is still set when the kernel ends.
    FlagLeft,
    /// A buffer that overlaps another that is in use.
    Overlap,
    /// Memory of a buffer that was given back.
    UseAfterFree,
    /// Nothing can go on.
    Deadlock,
    /// A failed assertion of the kernel.
    Assertion,
    /// Correct only because the device's compiler inserts the order by itself (`--cce-auto-sync=on`).
    AutoSync,
}

/// A line of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// As the compiler was given it.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// Who did something: core, pipe, instruction and source line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// Such as `AIV 3` (the index among the cores of its kind).
    pub core: String,
    /// Such as `MTE2`.
    pub pipe: String,
    /// Such as `Copy`.
    pub instruction: String,
    /// Where the kernel's source has it.
    pub source: SourceLine,
}

/// Something that a kernel does wrong. Equal findings are kept once, with a count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// One sentence with addresses and sizes.
    pub message: String,
    /// Who did it.
    pub actor: Actor,
    /// The earlier access or setting that it conflicts with.
    pub other: Option<Actor>,
    /// How many times it was seen.
    pub count: u64,
}

impl Finding {
    /// Whether the kernel is wrong, and not only reliant on its compiler.
    pub fn is_error(&self) -> bool {
        self.kind != FindingKind::AutoSync
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, message, actor, other, count } = self;
        write!(f, "{kind:?}: {message}\n    {actor}")?;
        if let Some(other) = other {
            write!(f, "\n    earlier: {other}")?;
        }
        if *count > 1 {
            write!(f, "\n    {count} times")?;
        }
        Ok(())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, pipe, instruction, source } = self;
        write!(f, "{core} {pipe} {instruction} at {}:{}", source.file, source.line)
    }
}

/// The line that a kernel passes with an instruction.
pub(crate) type Site = super::abi::Site;

pub(crate) use self::core::CoreChecker;
use clock::{Clock, PIPES};

/// What a launch's cores share.
pub(crate) struct Checker {
    options: Options,
    kinds: Vec<CoreType>,
    /// Such as `AIV 3`.
    names: Vec<String>,
    global: Arc<GlobalMemory>,
    shadow: global::GlobalShadow,
    records: report::Records,
    findings: report::Findings,
}

/// What the scalar unit knew when it issued an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    clock: Clock,
    /// The scalar unit's own accesses before.
    scalar: u32,
    /// Buffers that had been taken back.
    buffers: u32,
}

/// What a core passes on with a flag for other cores.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    core: usize,
    pipes: [u32; PIPES],
    /// What the core had heard of all lanes (cores times pipes).
    others: Arc<[u32]>,
    /// The instruction that set the flag, if one did.
    record: Option<u32>,
}

impl Checker {
    /// `cores` are the cores of the launch, in the order of their numbers: their kind, and the number of their
    /// block.
    pub(crate) fn new(options: Options, cores: &[(CoreType, u32)], global: Arc<GlobalMemory>) -> Arc<Self> {
        let (mut cube, mut vector) = (0, 0);
        let names = cores.iter().map(|(kind, _)| {
            let (name, count) = match kind {
                CoreType::Aic => ("AIC", &mut cube),
                CoreType::Aiv => ("AIV", &mut vector),
            };
            let name = format!("{name} {count}");
            *count += 1;
            name
        });
        Arc::new(Self {
            options,
            names: names.collect(),
            kinds: cores.iter().map(|core| core.0).collect(),
            global,
            shadow: global::GlobalShadow::new(),
            records: report::Records::default(),
            findings: report::Findings::new(cores.len()),
        })
    }

    /// The sanitizer of a core, by its number in `cores`.
    pub(crate) fn core(self: &Arc<Self>, core: usize) -> CoreChecker {
        CoreChecker::new(Arc::clone(self), core)
    }

    /// A flag for a core that was set and never taken (CrossCoreSetFlag docs: each is to be waited for).
    pub(crate) fn flag_left(&self, taker: &str, flag: u32, from: &Knowledge) {
        let Some(record) = from.record else { return };
        let message = format!("flag {flag} for {taker} is still set when the kernel ends");
        let actor = self.records.actor(record, &self.names[from.core]);
        let kind = FindingKind::FlagLeft;
        self.findings.add(from.core, Finding { kind, message, actor, other: None, count: 1 });
    }

    /// All findings, those of lower cores first, equal ones once. Call when all cores have ended.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.all()
    }
}
