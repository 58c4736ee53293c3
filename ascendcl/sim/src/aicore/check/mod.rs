//! The sanitizer: finds what a kernel does wrong though its results may be right.
//!
//! The engine calls a [`CoreChecker`] for each instruction at the moment at which it executes it, in an order
//! that respects every pipe; the checker knows nothing of scheduling and orders events by vector clocks.

use std::fmt;
use std::sync::Arc;

use super::abi::{CoreType, Pipe, SyncScope};
use super::fault::Fault;
use super::instruction::Instruction;
use super::launch::Options;
use super::memory::{Access, Address, GlobalMemory};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    OutOfBounds,
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
    Deadlock,
    /// A failed assertion of the kernel.
    Assertion,
    /// Correct only because the device's compiler inserts the order by itself (`--cce-auto-sync=on`).
    AutoSync,
}

/// A line of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    pub file: String,
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
    pub source: SourceLine,
}

/// Something that a kernel does wrong. Equal findings are kept once, with a count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    pub kind: FindingKind,
    /// One sentence with addresses and sizes.
    pub message: String,
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

/// What a launch's cores share.
pub(crate) struct Checker {
    // The author of this module fills this in.
}

/// What the scalar unit knew when it issued an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    // The author of this module fills this in.
}

/// What a core passes on with a flag for other cores.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    // The author of this module fills this in.
}

/// The sanitizer of one core. Used by the thread of the core.
pub(crate) struct CoreChecker {
    // The author of this module fills this in.
}

impl Checker {
    /// `cores` are the cores of the launch, in the order of their numbers: their kind, and the number of their
    /// block. `scalars` says which buffers the host had written: see [`Checker::host_wrote`].
    pub(crate) fn new(
        _options: Options,
        _cores: &[(CoreType, u32)],
        _global: Arc<GlobalMemory>,
    ) -> Arc<Self> {
        Arc::new(Self {})
    }

    /// The sanitizer of a core, by its number in `cores`.
    pub(crate) fn core(self: &Arc<Self>, _core: usize) -> CoreChecker {
        CoreChecker {}
    }

    /// All findings, those of lower cores first, equal ones once. Call when all cores have ended.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

impl CoreChecker {
    /// The scalar unit issues an instruction to a pipe.
    pub(crate) fn issue(&mut self) -> Ticket {
        Ticket {}
    }

    /// A pipe is about to execute an instruction that uses memory.
    pub(crate) fn access(
        &mut self,
        _ticket: Ticket,
        _instruction: &Instruction,
        _site: Site,
        _accesses: &[Access],
    ) {
    }

    /// The scalar unit reads or writes memory.
    pub(crate) fn scalar_access(&mut self, _address: Address, _bytes: u64, _write: bool, _site: Site) {}

    /// The hardware refuses an instruction.
    pub(crate) fn fault(&mut self, _instruction: Option<&Instruction>, _site: Site, _fault: &Fault) {}

    /// The pipe `src` sets the flag. A flag that is already set is a finding.
    pub(crate) fn set_flag(&mut self, _ticket: Ticket, _src: Pipe, _dst: Pipe, _event: u32, _site: Site) {}

    /// The pipe `dst` takes the flag that `src` set.
    pub(crate) fn wait_flag(&mut self, _ticket: Ticket, _src: Pipe, _dst: Pipe, _event: u32, _site: Site) {}

    /// A barrier of a pipe, or of all.
    pub(crate) fn barrier(&mut self, _ticket: Ticket, _pipe: Pipe, _site: Site) {}

    /// The pipe sets a flag for other cores; the engine keeps what is returned until a core takes the flag.
    pub(crate) fn cross_set(
        &mut self,
        _ticket: Ticket,
        _pipe: Pipe,
        _mode: u32,
        _flag: u32,
        _site: Site,
    ) -> Knowledge {
        Knowledge {}
    }

    /// The core takes a flag, from all the cores that set it.
    pub(crate) fn cross_wait(&mut self, _mode: u32, _flag: u32, _from: &[Knowledge], _site: Site) {}

    /// A counter of a flag was already at its largest value when it was set.
    pub(crate) fn flag_overflow(&mut self, _pipe: Pipe, _mode: u32, _flag: u32, _site: Site) {}

    /// The core arrives where all cores of the scope meet; the engine gathers what all of them return.
    pub(crate) fn sync_arrive(&mut self, _scope: SyncScope, _site: Site) -> Knowledge {
        Knowledge {}
    }

    /// The core leaves the meeting.
    pub(crate) fn sync_leave(&mut self, _scope: SyncScope, _from: &[Knowledge]) {}

    /// Software flags in global memory, by their address.
    pub(crate) fn post_memory(&mut self, _address: Address, _site: Site) -> Knowledge {
        Knowledge {}
    }

    /// The core saw the software flag.
    pub(crate) fn wait_memory(&mut self, _address: Address, _from: &[Knowledge], _site: Site) {}

    /// A buffer of local memory is given out or taken back.
    pub(crate) fn buffer(&mut self, _address: Address, _bytes: u64, _live: bool, _site: Site) {}

    /// An assertion failed, or the header refused something.
    pub(crate) fn failed(&mut self, _message: &str, _site: Site) {}

    /// The core cannot go on: `waits_for` says what for.
    pub(crate) fn deadlock(&mut self, _pipe: Pipe, _waits_for: &str, _site: Site) {}

    /// The kernel has ended on this core; flags that are still set are findings.
    pub(crate) fn finish(&mut self) {}
}
