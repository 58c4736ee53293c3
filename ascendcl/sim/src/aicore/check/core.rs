//! The sanitizer of one core: what each call of the engine means for clocks, flags and memories.
//!
//! Which order the hardware keeps without a flag or barrier (Ascend C docs: PipeBarrier, synchronization within
//! a core, Mmad, UnitFlag):
//! * scalar unit with itself: always;
//! * vector unit with itself, scalar unit with the other pipes of a vector core: only if the compiler
//!   inserts it, which is a note;
//! * MTE2, MTE3 with themselves: not for overlapping destinations;
//! * cube unit with itself: accumulation into the same place of L0C only if a step has at least 10 fractals;
//! * MTE1 and FIX with themselves: the documents name no case that needs a barrier;
//! * Mmad and Fixpipe with unit flags: block by block.

use std::sync::Arc;

use super::buffers::Buffers;
use super::clock::{self, CUBE, Clock, FIX, MTE2, MTE3, PIPES, SCALAR, VECTOR};
use super::flags::{Flags, Pending};
use super::shadow::{Entry, Shadow};
use super::{Actor, Checker, Finding, FindingKind, Knowledge, Site, Ticket};
use crate::aicore::abi::{CoreType, Pipe, SyncScope};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Instruction;
use crate::aicore::memory::{Access, Address, Space, Use};

/// The sanitizer of one core. Used by the thread of the core.
pub(crate) struct CoreChecker {
    shared: Arc<Checker>,
    core: usize,
    clocks: [Clock; PIPES],
    /// Instructions of each pipe so far.
    numbers: [u32; PIPES],
    /// Accesses of the scalar unit before the last instruction of each pipe was issued.
    scalar: [u32; PIPES],
    /// By epoch: what the core had heard of all lanes.
    epochs: Vec<Arc<[u32]>>,
    flags: Flags,
    buffers: Buffers,
    shadows: [Shadow; 8],
}

/// An access that is not ordered after an earlier one.
struct Clash {
    kind: FindingKind,
    other: Entry,
    start: u64,
    end: u64,
}

impl Clash {
    /// Whether it is repaired with the other: who comes after the reader of a value comes after its writer too.
    /// (That the reader comes after the writer was looked at when it read.)
    fn follows_from(&self, later: &Self) -> bool {
        self.other.used != Use::Read
            && later.other.used == Use::Read
            && later.kind != FindingKind::AutoSync
            && later.start <= self.start
            && self.end <= later.end
    }
}

/// What decides the order of an instruction after earlier ones.
struct View<'a> {
    core: u32,
    pipe: usize,
    clock: Clock,
    others: &'a [u32],
    /// The compiler orders the vector and the scalar unit.
    auto: bool,
    vector_core: bool,
    /// An Mmad of so few fractals that the next must wait for it by a barrier.
    small: bool,
}

impl View<'_> {
    /// What is missing between an earlier access and one of this instruction.
    fn missing(&self, old: &Entry, new: &Entry) -> Option<FindingKind> {
        let (core, pipe) = (old.lane / PIPES as u32, old.lane as usize % PIPES);
        if core != self.core {
            let known = self.others.get(old.lane as usize).copied().unwrap_or(0);
            return (known < old.number).then_some(FindingKind::MissingCrossCoreFlag);
        }
        if self.clock.pipes[pipe] >= old.number {
            return None;
        }
        if pipe == self.pipe {
            let both_write = old.used != Use::Read && new.used != Use::Read;
            let needed = match pipe {
                VECTOR if self.auto => return Some(FindingKind::AutoSync),
                VECTOR => true,
                MTE2 | MTE3 => both_write,
                CUBE => self.small && new.used == Use::Read,
                _ => false,
            };
            return needed.then_some(FindingKind::MissingBarrier);
        }
        if old.unit && new.unit && matches!((pipe, self.pipe), (CUBE, FIX) | (FIX, CUBE)) {
            return None;
        }
        let scalar = pipe == SCALAR || self.pipe == SCALAR;
        Some(if scalar && self.auto && self.vector_core {
            FindingKind::AutoSync
        } else {
            FindingKind::MissingFlag
        })
    }
}

fn unit_flag(instruction: &Instruction) -> bool {
    match instruction {
        Instruction::Mmad(mmad) => mmad.unit_flag != 0,
        Instruction::Fixpipe(fixpipe) => fixpipe.unit_flag != 0,
        _ => false,
    }
}

/// Whether accumulation needs a barrier: (m / 16) * (n / 16) < 10, Mmad docs. The documents do not say how they
/// round, so what is doubtful counts as large.
fn small(instruction: &Instruction) -> bool {
    match instruction {
        Instruction::Mmad(mmad) => u64::from(mmad.m.div_ceil(16)) * u64::from(mmad.n.div_ceil(16)) < 10,
        _ => false,
    }
}

/// Of how many bytes an instruction must find none written, to read what nothing wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grain {
    /// It computes, or may carry the bytes out of the core.
    Byte,
    /// It only carries fractals to the cube unit. Those of a matrix of fewer than 16 rows are not full, and what comes
    /// of the rest of them is not used.
    Fractal,
    /// The same, where rows follow from a window on a map.
    Instruction,
}

const FRACTAL: u64 = 512;

impl Grain {
    fn of(instruction: &Instruction) -> Self {
        match instruction {
            Instruction::Load2d(_) | Instruction::LoadTranspose(_) => Self::Fractal,
            Instruction::Load3d(_) => Self::Instruction,
            _ => Self::Byte,
        }
    }

    /// Which of the unwritten parts of a run count.
    fn of_run(self, start: u64, mut parts: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
        if self == Self::Fractal {
            for (from, to) in &mut parts {
                *from = start + (*from - start).next_multiple_of(FRACTAL);
                *to = start + (*to - start) / FRACTAL * FRACTAL;
            }
            parts.retain(|(from, to)| from < to);
        }
        parts
    }
}

/// An instruction as [`CoreChecker::touch`] needs it.
#[derive(Clone, Copy, Debug)]
struct User {
    pipe: usize,
    record: u32,
    unit: bool,
    small: bool,
    grain: Grain,
    /// Buffers that had been taken back when it was issued.
    issued: u32,
}

/// `16 bytes at UB +0x20`
fn place(space: Space, start: u64, end: u64) -> String {
    format!("{} bytes at {}", end - start, Address::new(space, start))
}

fn verb(used: Use) -> &'static str {
    match used {
        Use::Read => "reads",
        Use::Write => "writes",
        Use::Atomic => "updates",
    }
}

fn past(used: Use) -> &'static str {
    match used {
        Use::Read => "read",
        Use::Write => "written",
        Use::Atomic => "updated",
    }
}

impl CoreChecker {
    pub(super) fn new(shared: Arc<Checker>, core: usize) -> Self {
        let nothing = vec![0; shared.names.len() * PIPES].into();
        Self {
            shared,
            core,
            clocks: Default::default(),
            numbers: [0; PIPES],
            scalar: [0; PIPES],
            epochs: vec![nothing],
            flags: Flags::default(),
            buffers: Buffers::default(),
            shadows: Default::default(),
        }
    }

    /// The scalar unit issues an instruction to a pipe.
    pub(crate) fn issue(&mut self) -> Ticket {
        Ticket { clock: self.clocks[SCALAR], scalar: self.numbers[SCALAR], buffers: self.buffers.now() }
    }

    /// A pipe is about to execute an instruction that uses memory.
    pub(crate) fn access(
        &mut self,
        ticket: Ticket,
        instruction: &Instruction,
        site: Site,
        accesses: &[Access],
    ) {
        let Some(pipe) = instruction.pipe().and_then(clock::index) else { return };
        self.start(pipe, ticket);
        let record = self.shared.records.number(pipe, instruction.name(), site);
        let user = User {
            pipe,
            record,
            unit: unit_flag(instruction),
            small: small(instruction),
            grain: Grain::of(instruction),
            issued: ticket.buffers,
        };
        self.touch(&user, accesses);
    }

    /// The scalar unit reads or writes memory.
    pub(crate) fn scalar_access(&mut self, address: Address, bytes: u64, write: bool, site: Site) {
        let (name, used) = if write { ("SetValue", Use::Write) } else { ("GetValue", Use::Read) };
        let record = self.shared.records.number(SCALAR, name, site);
        let issued = self.buffers.now();
        let user = User { pipe: SCALAR, record, unit: false, small: false, grain: Grain::Byte, issued };
        self.touch(&user, &[Access::run(address, used, bytes)]);
    }

    /// The hardware refuses an instruction.
    pub(crate) fn fault(&mut self, instruction: Option<&Instruction>, site: Site, fault: &Fault) {
        let kind = match fault {
            Fault::OutOfBounds { .. } | Fault::NoSuchMemory { .. } => FindingKind::OutOfBounds,
            Fault::Misaligned { .. } => FindingKind::Misaligned,
            Fault::Field { .. } => FindingKind::FieldLimit,
            Fault::Unsupported(_) => FindingKind::Unsupported,
        };
        let pipe = instruction.and_then(Instruction::pipe).and_then(clock::index).unwrap_or(SCALAR);
        let name = instruction.map_or("scalar", Instruction::name);
        let record = self.shared.records.number(pipe, name, site);
        self.report(kind, fault.to_string(), record, None);
    }

    /// The pipe `src` sets the flag. A flag that is already set is a finding.
    pub(crate) fn set_flag(&mut self, ticket: Ticket, src: Pipe, dst: Pipe, event: u32, site: Site) {
        let (Some(src), Some(dst)) = (clock::index(src), clock::index(dst)) else { return };
        self.start(src, ticket);
        let record = self.shared.records.number(src, "SetFlag", site);
        let pending = Pending { clock: self.done(src), record };
        if let Some(before) = self.flags.set((src, dst, event), pending) {
            let message = format!(
                "the flag {}_{} of event {event} is set while it is still set",
                clock::name(src),
                clock::name(dst)
            );
            let other = self.actor(before);
            self.report(FindingKind::EventReused, message, record, Some(other));
        }
    }

    /// The pipe `dst` takes the flag that `src` set.
    pub(crate) fn wait_flag(&mut self, ticket: Ticket, src: Pipe, dst: Pipe, event: u32, _site: Site) {
        let (Some(src), Some(dst)) = (clock::index(src), clock::index(dst)) else { return };
        self.start(dst, ticket);
        if let Some(pending) = self.flags.take((src, dst, event)) {
            self.clocks[dst].join(&pending.clock);
        }
    }

    /// A barrier of a pipe, or of all.
    pub(crate) fn barrier(&mut self, ticket: Ticket, pipe: Pipe, _site: Site) {
        match clock::index(pipe) {
            Some(pipe) => {
                self.start(pipe, ticket);
                self.clocks[pipe] = self.done(pipe);
            }
            None => {
                for pipe in 0..PIPES {
                    let done = self.done(pipe);
                    self.clocks[SCALAR].join(&done);
                }
            }
        }
    }

    /// The pipe sets a flag for other cores; the engine keeps what is returned until a core takes the flag.
    pub(crate) fn cross_set(
        &mut self,
        ticket: Ticket,
        pipe: Pipe,
        _mode: u32,
        _flag: u32,
        site: Site,
    ) -> Knowledge {
        let Some(pipe) = clock::index(pipe) else { return self.everything() };
        self.start(pipe, ticket);
        let record = self.shared.records.number(pipe, "CrossSet", site);
        let mut done = self.done(pipe);
        // The scalar unit had done what it did before it issued this.
        done.pipes[SCALAR] = done.pipes[SCALAR].max(self.scalar[pipe]);
        Knowledge { record: Some(record), ..self.knowledge(done) }
    }

    /// The core takes a flag, from all the cores that set it.
    pub(crate) fn cross_wait(&mut self, _mode: u32, _flag: u32, from: &[Knowledge], _site: Site) {
        self.learn(from);
    }

    /// A counter of a flag was already at its largest value when it was set.
    pub(crate) fn flag_overflow(&mut self, pipe: Pipe, mode: u32, flag: u32, site: Site) {
        let pipe = clock::index(pipe).unwrap_or(SCALAR);
        let record = self.shared.records.number(pipe, "CrossSet", site);
        let message =
            format!("the counter of flag {flag} (mode {mode}) is at its largest value when it is set");
        self.report(FindingKind::FlagOverflow, message, record, None);
    }

    /// The core arrives where all cores of the scope meet; the engine gathers what all of them return.
    pub(crate) fn sync_arrive(&mut self, _scope: SyncScope, _site: Site) -> Knowledge {
        self.everything()
    }

    /// The core leaves the meeting.
    pub(crate) fn sync_leave(&mut self, _scope: SyncScope, from: &[Knowledge]) {
        self.learn(from);
    }

    /// Software flags in global memory, by their address.
    pub(crate) fn post_memory(&mut self, _address: Address, _site: Site) -> Knowledge {
        self.everything()
    }

    /// The core saw the software flag.
    pub(crate) fn wait_memory(&mut self, _address: Address, from: &[Knowledge], _site: Site) {
        self.learn(from);
    }

    /// A buffer of local memory is given out or taken back.
    pub(crate) fn buffer(&mut self, address: Address, bytes: u64, live: bool, site: Site) {
        let Some(space) = address.space().filter(|&space| space != Space::Gm) else { return };
        let (start, end) = (address.offset(), address.offset().saturating_add(bytes));
        if !live {
            let record = self.shared.records.number(SCALAR, "release of a buffer", site);
            self.buffers.take(space, start, end, record);
            return;
        }
        let record = self.shared.records.number(SCALAR, "new buffer", site);
        if let Some(other) = self.buffers.give(space, start, end, record) {
            let message = format!(
                "a new buffer of {} overlaps one of {} that is in use",
                place(space, start, end),
                place(space, other.start, other.end)
            );
            let other = self.actor(other.record);
            self.report(FindingKind::Overlap, message, record, Some(other));
        }
    }

    /// An assertion failed, or the header refused something.
    pub(crate) fn failed(&mut self, message: &str, site: Site) {
        let record = self.shared.records.number(SCALAR, "assertion", site);
        self.report(FindingKind::Assertion, message.to_owned(), record, None);
    }

    /// The core cannot go on: `what` says what it waits for.
    pub(crate) fn deadlock(&mut self, pipe: Pipe, instruction: &'static str, what: &str, site: Site) {
        let pipe = clock::index(pipe).unwrap_or(SCALAR);
        let record = self.shared.records.number(pipe, instruction, site);
        self.report(FindingKind::Deadlock, what.to_owned(), record, None);
    }

    /// The kernel has ended on this core; flags that are still set are findings.
    pub(crate) fn finish(&mut self) {
        for ((src, dst, event), pending) in self.flags.drain() {
            let message = format!(
                "the flag {}_{} of event {event} is still set when the kernel ends",
                clock::name(src),
                clock::name(dst)
            );
            self.report(FindingKind::FlagLeft, message, pending.record, None);
        }
    }

    /// A pipe starts an instruction: it knows what the scalar unit knew when it issued it.
    fn start(&mut self, pipe: usize, ticket: Ticket) {
        self.clocks[pipe].join(&ticket.clock);
        self.scalar[pipe] = self.scalar[pipe].max(ticket.scalar);
    }

    /// What is complete when all instructions of a pipe so far are.
    fn done(&self, pipe: usize) -> Clock {
        let mut clock = self.clocks[pipe];
        clock.pipes[pipe] = self.numbers[pipe];
        clock
    }

    /// What is complete when all pipes are done.
    fn everything(&self) -> Knowledge {
        let mut clock = self.clocks[SCALAR];
        for other in &self.clocks {
            clock.join(other);
        }
        clock.pipes = self.numbers;
        self.knowledge(clock)
    }

    fn knowledge(&self, clock: Clock) -> Knowledge {
        Knowledge {
            core: self.core,
            pipes: clock.pipes,
            others: Arc::clone(&self.epochs[clock.epoch as usize]),
            record: None,
        }
    }

    /// The scalar unit learns what other cores knew; what is issued from now on comes after.
    fn learn(&mut self, from: &[Knowledge]) {
        let mut lanes = self.epochs[self.epochs.len() - 1].to_vec();
        for knowledge in from {
            for (own, other) in lanes.iter_mut().zip(knowledge.others.iter()) {
                *own = (*own).max(*other);
            }
            let first = knowledge.core * PIPES;
            for (own, other) in lanes[first..first + PIPES].iter_mut().zip(knowledge.pipes) {
                *own = (*own).max(other);
            }
        }
        let clock = &mut self.clocks[SCALAR];
        let first = self.core * PIPES;
        for (own, returned) in clock.pipes.iter_mut().zip(&lanes[first..first + PIPES]) {
            *own = (*own).max(*returned);
        }
        clock.epoch = self.epochs.len() as u32;
        self.epochs.push(lanes.into());
    }

    /// The next instruction of a pipe uses memory.
    fn touch(&mut self, user: &User, accesses: &[Access]) {
        let &User { pipe, record, unit, grain, .. } = user;
        self.numbers[pipe] += 1;
        let number = self.numbers[pipe];
        let lane = (self.core * PIPES + pipe) as u32;
        // Of an instruction that counts as a whole: the bytes that it reads, and the parts that nothing wrote.
        let (mut bytes, mut missing) = (0, Vec::new());
        // What an instruction reads was there before it writes.
        let reads = accesses.iter().filter(|access| access.used == Use::Read);
        let writes = accesses.iter().filter(|access| access.used != Use::Read);
        for access in reads.chain(writes) {
            let Some(space) = access.address.space() else { continue };
            let new = Entry { lane, number, record, used: access.used, unit };
            let adjacent = access.count > 1 && access.stride == access.length;
            let (count, length) = if adjacent {
                (1, access.length.saturating_mul(access.count))
            } else {
                (access.count, access.length)
            };
            let offset = access.address.offset();
            for run in 0..count {
                let start = offset.saturating_add(access.stride.saturating_mul(run));
                let end = start.saturating_add(length);
                let unwritten = self.run(user, space, (start, end), new);
                if access.used != Use::Read {
                    continue;
                }
                if grain == Grain::Instruction {
                    bytes += length;
                    missing.extend(unwritten.into_iter().map(|(from, to)| (space, from, to)));
                } else {
                    self.uninitialized(user, space, (start, end), &grain.of_run(start, unwritten));
                }
            }
        }
        if let Some(&(space, from, to)) = missing.first()
            && missing.iter().map(|(_, from, to)| to - from).sum::<u64>() == bytes
        {
            self.uninitialized(user, space, (from, to), &[(from, to)]);
        }
    }

    /// An instruction reads bytes of which nothing wrote these parts.
    fn uninitialized(&mut self, user: &User, space: Space, (start, end): (u64, u64), parts: &[(u64, u64)]) {
        let (Some(&(from, _)), Some(&(_, to))) = (parts.first(), parts.last()) else { return };
        let bytes: u64 = parts.iter().map(|(from, to)| to - from).sum();
        let message = format!(
            "{} reads {}, of which nothing wrote {bytes} (from {} to {})",
            clock::name(user.pipe),
            place(space, start, end),
            Address::new(space, from),
            Address::new(space, to),
        );
        self.report(FindingKind::UninitializedRead, message, user.record, None);
    }

    /// An instruction uses bytes without a gap; returns the parts that nothing wrote.
    fn run(&mut self, user: &User, space: Space, (start, end): (u64, u64), new: Entry) -> Vec<(u64, u64)> {
        let &User { pipe, small, issued, .. } = user;
        let mut clashes: Vec<Clash> = Vec::new();
        let mut unwritten: Vec<(u64, u64)> = Vec::new();
        let shared = Arc::clone(&self.shared);
        let clock = self.clocks[pipe];
        let view = View {
            core: self.core as u32,
            pipe,
            clock,
            others: &self.epochs[clock.epoch as usize],
            auto: shared.options.auto_sync,
            vector_core: shared.kinds[self.core] == CoreType::Aiv,
            small: small && space == Space::L0c,
        };
        let mut ordered = |old: &Entry, start: u64, end: u64| {
            let Some(kind) = view.missing(old, &new) else { return true };
            match clashes.last_mut() {
                Some(last) if last.kind == kind && last.other == *old && last.end == start => last.end = end,
                _ => clashes.push(Clash { kind, other: *old, start, end }),
            }
            // What the compiler orders is in order.
            kind == FindingKind::AutoSync
        };
        if space == Space::Gm {
            let base = shared.global.device_address(start);
            shared.shadow.add(base, base.saturating_add(end - start), new, &mut ordered);
        } else {
            let shadow = &mut self.shadows[space as usize];
            shadow.add(start, end, new, &mut ordered, &mut |from, to| match unwritten.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => unwritten.push((from, to)),
            });
        }
        if let Some(buffer) = self.buffers.stale(space, start, end, issued) {
            let message = format!(
                "{} {} {} in a buffer of {} that was taken back",
                clock::name(pipe),
                verb(new.used),
                place(space, start, end),
                place(space, buffer.start, buffer.end)
            );
            let other = self.actor(buffer.record);
            self.report(FindingKind::UseAfterFree, message, new.record, Some(other));
        }
        for clash in &clashes {
            if !clashes.iter().any(|later| clash.follows_from(later)) {
                self.clash(pipe, space, &new, clash);
            }
        }
        unwritten
    }

    fn clash(&mut self, pipe: usize, space: Space, new: &Entry, clash: &Clash) {
        let &Clash { kind, other, start, end } = clash;
        let other_core = (other.lane / PIPES as u32) as usize;
        let other_pipe = other.lane as usize % PIPES;
        if kind == FindingKind::AutoSync {
            self.order_by_compiler(pipe, other_pipe);
        }
        let name = |core: usize, pipe: usize| {
            if other_core == self.core {
                clock::name(pipe).to_owned()
            } else {
                format!("{} {}", self.shared.names[core], clock::name(pipe))
            }
        };
        let what = match kind {
            FindingKind::MissingBarrier => "without a barrier between the two",
            FindingKind::AutoSync => "ordered only by what the compiler inserts",
            FindingKind::MissingCrossCoreFlag => "with no flag between the cores that orders the two",
            _ => "with no flag that orders the two",
        };
        let message = format!(
            "{} {} {}, {} by {}, {what}",
            name(self.core, pipe),
            verb(new.used),
            place(space, start, end),
            past(other.used),
            name(other_core, other_pipe),
        );
        let other = self.shared.records.actor(other.record, &self.shared.names[other_core]);
        self.report(kind, message, new.record, Some(other));
    }

    /// The compiler puts a barrier, or a flag between the scalar unit and another, before this instruction.
    fn order_by_compiler(&mut self, pipe: usize, other: usize) {
        let mut done = self.done(other);
        if other == pipe {
            done.pipes[pipe] -= 1;
        }
        self.clocks[pipe].join(&done);
    }

    fn actor(&self, record: u32) -> Actor {
        self.shared.records.actor(record, &self.shared.names[self.core])
    }

    fn report(&self, kind: FindingKind, message: String, record: u32, other: Option<Actor>) {
        let actor = self.actor(record);
        self.shared.findings.add(self.core, Finding { kind, message, actor, other, count: 1 });
    }
}
