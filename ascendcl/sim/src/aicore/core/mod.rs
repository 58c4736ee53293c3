//! One core: its pipes, flags and registers, and what becomes of an instruction.
//!
//! An instruction is executed when it is issued, by the thread that runs the kernel, unless its pipe is held
//! by a flag that is not set; then it waits in the pipe, in order. As only the core itself sets its flags, what
//! can move has moved after each instruction.

mod others;

use std::collections::VecDeque;

use super::abi::{self, Atomic, CoreView, DataType, KernelType, Model, Pipe, Register, Site};
use super::arena::Arena;
use super::check::{CoreChecker, SourceLine, Ticket};
use super::fault::Fault;
use super::flags::{EVENTS, Flags, PIPES};
use super::instruction::Instruction;
use super::layout::Place;
use super::memory::{Access, Address, CoreMemory, Registers, Space};
use super::schedule::{Schedule, Stopped};
use super::trace::{CoreTrace, Recorder, source_line};

/// Faults of a core that the sanitizer records before the kernel must end.
const FAULT_LIMIT: u32 = 64;
/// Instructions after which a core lets others run that are ready: a kernel may poll memory.
const PAUSE: u64 = 1 << 14;
/// So many times does a kernel clean its cache, and do nothing else, only to look for what others write.
const POLLS: u32 = 1 << 12;

/// The kernel must end on this core; [`Core::end`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

/// Why a kernel ended early on a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Something that the core did.
    Failed(String),
    /// It waits for what never comes; each with the line.
    Stuck(Vec<(String, SourceLine)>),
    /// Another core failed.
    Stopped,
}

/// An instruction on its way. Instructions are large: only those that wait are copied.
#[derive(Clone, Copy, Debug)]
struct Issued<'i> {
    instruction: &'i Instruction,
    pipe: Pipe,
    site: Site,
    ticket: Option<Ticket>,
}

/// An instruction that waits in its pipe.
#[derive(Clone, Copy, Debug)]
struct Held {
    instruction: Instruction,
    pipe: Pipe,
    site: Site,
    ticket: Option<Ticket>,
}

impl Held {
    fn new(issued: &Issued<'_>) -> Self {
        let &Issued { instruction, pipe, site, ticket } = issued;
        Self { instruction: *instruction, pipe, site, ticket }
    }

    fn issued(&self) -> Issued<'_> {
        let Self { instruction, pipe, site, ticket } = self;
        Issued { instruction, pipe: *pipe, site: *site, ticket: *ticket }
    }

    /// What holds the pipe.
    fn reason(&self) -> Hold {
        held(&self.issued())
    }
}

/// An instruction that holds its pipe, and why.
#[derive(Clone, Debug)]
struct Hold {
    pipe: Pipe,
    instruction: &'static str,
    what: String,
    site: Site,
}

/// What an instruction does to global memory that other cores may change too.
enum Order {
    /// Nothing that depends on other cores.
    Free,
    /// Any order gives the same.
    Commuting,
    /// The result depends on the order.
    Fixed,
}

/// What a core left.
#[derive(Debug)]
pub(super) struct CoreOutcome {
    pub end: Option<End>,
    pub printed: String,
    pub instructions: u64,
    pub trace: Option<CoreTrace>,
}

/// A core on which a kernel runs.
pub(super) struct Core<'s, 'm> {
    schedule: &'s Schedule<'m>,
    number: usize,
    memory: CoreMemory,
    registers: Registers,
    queues: [VecDeque<Held>; PIPES],
    flags: Flags,
    checker: Option<CoreChecker>,
    recorder: Option<Recorder>,
    /// Kept for its capacity.
    accesses: Vec<Access>,
    faults: u32,
    issued: u64,
    /// Cleanings of the cache since the last other instruction.
    polls: u32,
    /// Reads of registers.
    reads: u64,
    printed: String,
    end: Option<End>,
}

/// What the cores of a launch are told alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Environment {
    pub kernel_type: KernelType,
    pub block_num: u32,
    pub device_start: u64,
    pub device_end: u64,
    pub device_delta: u64,
    pub system_workspace: u64,
}

impl Environment {
    /// What the kernel sees of a core.
    pub(super) fn view(&self, place: Place, sub_blocks: u32, arena: &Arena, model: &Model) -> CoreView {
        CoreView {
            core: std::ptr::null_mut(),
            model,
            base: arena.base(),
            size: arena.size(),
            block_idx: place.block,
            block_num: self.block_num,
            sub_block_idx: place.sub_block,
            sub_block_num: sub_blocks.max(1),
            core_type: place.core_type as u8,
            kernel_type: self.kernel_type as u8,
            // Also without the sanitizer: an access out of bounds is to be a message and not a crash.
            checked: 1,
            reserved: [0; 5],
            device_start: self.device_start,
            device_end: self.device_end,
            device_delta: self.device_delta,
            system_workspace: std::ptr::with_exposed_provenance_mut(self.system_workspace as usize),
        }
    }
}

impl<'s, 'm> Core<'s, 'm> {
    pub(super) fn new(
        schedule: &'s Schedule<'m>,
        number: usize,
        memory: CoreMemory,
        checker: Option<CoreChecker>,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            schedule,
            number,
            memory,
            registers: Registers::default(),
            queues: Default::default(),
            flags: Flags::new(),
            checker,
            recorder,
            accesses: Vec::new(),
            faults: 0,
            issued: 0,
            polls: 0,
            reads: 0,
            printed: String::new(),
            end: None,
        }
    }

    pub(super) fn name(&self) -> String {
        self.schedule.layout().name(self.number)
    }

    fn place(&self) -> Place {
        self.schedule.layout().place(self.number)
    }

    /// The scalar unit's clock (see [`Register::SystemCycle`]): one tick for each instruction and each read of
    /// a register, so that it is the same on every host and goes on in a loop that waits for it.
    fn ticks(&self) -> u64 {
        self.issued + self.reads
    }

    /// The kernel issues an instruction.
    pub(super) fn execute(&mut self, instruction: &Instruction, site: Site) -> Result<(), Ended> {
        if self.end.is_some() {
            return Err(Ended);
        }
        self.issued += 1;
        if !matches!(instruction, Instruction::CleanCache(_)) {
            // The schedule is told at once that this core does not poll any more.
            if std::mem::take(&mut self.polls) > POLLS || self.issued.is_multiple_of(PAUSE) {
                self.pause(site)?;
            }
        }
        let Some(pipe) = instruction.pipe() else {
            let what = format!("there is no pipe {}", instruction.pipe_code());
            return self.refuse(Some(instruction), site, &Fault::Unsupported(what));
        };
        let order = self.ticks();
        if let Some(recorder) = &mut self.recorder {
            recorder.record(*instruction, pipe, order, site);
        }
        let ticket = self.checker.as_mut().map(CoreChecker::issue);
        let issued = Issued { instruction, pipe, site, ticket };
        match *instruction {
            // These hold the scalar unit, whatever the pipe.
            Instruction::CrossWait(ref wait) => self.cross_wait(wait, &issued),
            Instruction::SyncAll(ref meeting) => self.sync_all(meeting, &issued),
            Instruction::WaitMemory(ref wait) => self.wait_memory(wait, &issued),
            Instruction::CleanCache(_) => {
                self.polls = self.polls.saturating_add(1);
                self.pause(site)
            }
            Instruction::Barrier(_) if pipe == Pipe::All => {
                self.drained()?;
                self.barrier(&issued);
                Ok(())
            }
            Instruction::SetFlag(abi::SetFlag { dst: other, event, .. })
            | Instruction::WaitFlag(abi::WaitFlag { src: other, event, .. }) => {
                match valid_flag(pipe, other, event) {
                    Ok(()) => self.enqueue(issued),
                    Err(fault) => self.refuse(Some(instruction), site, &fault),
                }
            }
            _ if pipe == Pipe::All => {
                let what = format!("{} cannot run on all pipes", instruction.name());
                self.refuse(Some(instruction), site, &Fault::Unsupported(what))
            }
            _ => self.enqueue(issued),
        }
    }

    /// The instruction comes to its pipe.
    fn enqueue(&mut self, issued: Issued<'_>) -> Result<(), Ended> {
        if !self.queues[issued.pipe as usize].is_empty() {
            self.queues[issued.pipe as usize].push_back(Held::new(&issued));
            return Ok(());
        }
        // The most frequent instructions first: they free no pipe.
        if issued.instruction.semantics().is_some() {
            return self.compute(&issued);
        }
        let mut freed = 0;
        if !self.step(&issued, &mut freed)? {
            if issued.pipe == Pipe::Scalar {
                return self.stuck(vec![held(&issued)]);
            }
            self.queues[issued.pipe as usize].push_back(Held::new(&issued));
        }
        self.drain(freed)
    }

    /// Runs the pipes whose bits are set until nothing moves.
    fn drain(&mut self, mut freed: u32) -> Result<(), Ended> {
        while freed != 0 {
            let pipe = freed.trailing_zeros() as usize;
            freed &= freed - 1;
            while let Some(first) = self.queues[pipe].pop_front() {
                if !self.step(&first.issued(), &mut freed)? {
                    self.queues[pipe].push_front(first);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Executes the instruction unless it holds its pipe. Sets the bits of pipes that may move then.
    fn step(&mut self, issued: &Issued<'_>, freed: &mut u32) -> Result<bool, Ended> {
        let &Issued { instruction, pipe, site, ticket } = issued;
        match *instruction {
            Instruction::SetFlag(abi::SetFlag { dst, event, .. }) => {
                let Some(dst) = Pipe::of(dst) else { return Ok(true) };
                self.flags.set(pipe, dst, event);
                if let Some((checker, ticket)) = self.checker.as_mut().zip(ticket) {
                    checker.set_flag(ticket, pipe, dst, event, site);
                }
                *freed |= 1 << dst as u32;
            }
            Instruction::WaitFlag(abi::WaitFlag { src, event, .. }) => {
                let Some(src) = Pipe::of(src) else { return Ok(true) };
                if !self.flags.take(src, pipe, event) {
                    return Ok(false);
                }
                if let Some((checker, ticket)) = self.checker.as_mut().zip(ticket) {
                    checker.wait_flag(ticket, src, pipe, event, site);
                }
            }
            Instruction::Barrier(_) => self.barrier(issued),
            Instruction::CrossSet(ref set) => self.cross_set(set, issued)?,
            Instruction::PostMemory(ref post) => self.post_memory(post, issued)?,
            _ => self.compute(issued)?,
        }
        Ok(true)
    }

    fn barrier(&mut self, issued: &Issued<'_>) {
        if let Some((checker, ticket)) = self.checker.as_mut().zip(issued.ticket) {
            checker.barrier(ticket, issued.pipe, issued.site);
        }
    }

    /// Runs an instruction that uses memory.
    fn compute(&mut self, issued: &Issued<'_>) -> Result<(), Ended> {
        let Some(semantics) = issued.instruction.semantics() else { return Ok(()) };
        let (schedule, number) = (self.schedule, self.number);
        let result = match semantics.check() {
            Err(fault) => Err(fault),
            Ok(()) => match order(issued.instruction) {
                Order::Free => self.compute_now(issued),
                Order::Commuting => schedule.commuting(|| self.compute_now(issued)),
                Order::Fixed => match schedule.in_turn(number, || self.compute_now(issued)) {
                    Ok(result) => result,
                    Err(stopped) => return self.stopped(stopped, issued),
                },
            },
        };
        result.or_else(|fault| self.refuse(Some(issued.instruction), issued.site, &fault))
    }

    fn compute_now(&mut self, issued: &Issued<'_>) -> Result<(), Fault> {
        let Some(semantics) = issued.instruction.semantics() else { return Ok(()) };
        if let Some((checker, ticket)) = self.checker.as_mut().zip(issued.ticket) {
            let accesses = &mut self.accesses;
            accesses.clear();
            semantics.accesses(&self.memory, &mut |access| accesses.push(access));
            accesses.iter().try_for_each(|access| within(&self.memory, access))?;
            checker.access(ticket, issued.instruction, issued.site, accesses);
        }
        semantics.run(&self.memory, &mut self.registers)
    }

    /// Every pipe must have come to its end: what holds one now holds it forever.
    fn drained(&mut self) -> Result<(), Ended> {
        let stuck: Vec<_> = self.queues.iter().filter_map(VecDeque::front).map(Held::reason).collect();
        if stuck.is_empty() { Ok(()) } else { self.stuck(stuck) }
    }

    /// The core waits for itself.
    fn stuck(&mut self, waits: Vec<Hold>) -> Result<(), Ended> {
        let stopped = self.schedule.never(self.number);
        if stopped.deadlock
            && let Some(checker) = &mut self.checker
        {
            for Hold { pipe, instruction, what, site } in &waits {
                checker.deadlock(*pipe, instruction, what, *site);
            }
        }
        let lines = waits.into_iter().map(|hold| (hold.what, source_line(hold.site))).collect();
        self.end = Some(if stopped.deadlock { End::Stuck(lines) } else { End::Stopped });
        Err(Ended)
    }

    /// The instruction, which waits for other cores, waits forever.
    fn stopped(&mut self, stopped: Stopped, issued: &Issued<'_>) -> Result<(), Ended> {
        let pipe = if issued.pipe == Pipe::All { Pipe::Scalar } else { issued.pipe };
        self.ended(stopped, pipe, issued.site, issued.instruction.name())
    }

    fn ended(&mut self, stopped: Stopped, pipe: Pipe, site: Site, name: &'static str) -> Result<(), Ended> {
        if stopped.deadlock {
            let what = format!("{name} waits for {}", stopped.waits_for);
            if let Some(checker) = &mut self.checker {
                checker.deadlock(pipe, name, &what, site);
            }
            self.end = Some(End::Stuck(vec![(what, source_line(site))]));
        } else {
            self.end = Some(End::Stopped);
        }
        Err(Ended)
    }

    /// The hardware refuses something: the sanitizer takes note, else the kernel ends.
    fn refuse(&mut self, instruction: Option<&Instruction>, site: Site, fault: &Fault) -> Result<(), Ended> {
        let Some(checker) = &mut self.checker else {
            return self.fail_at(instruction, site, &fault.to_string());
        };
        checker.fault(instruction, site, fault);
        self.faults += 1;
        if self.faults < FAULT_LIMIT {
            return Ok(());
        }
        self.fail_at(instruction, site, &format!("{fault}; the core had {FAULT_LIMIT} faults"))
    }

    fn fail_at(&mut self, instruction: Option<&Instruction>, site: Site, what: &str) -> Result<(), Ended> {
        let name = instruction.map_or("scalar unit".to_owned(), |instruction| {
            let pipe = instruction.pipe().map_or("no pipe", Pipe::name);
            format!("{pipe} {}", instruction.name())
        });
        let SourceLine { file, line } = source_line(site);
        self.fail(format!("{name} at {file}:{line}: {what}"))
    }

    /// The kernel must end on this core.
    pub(super) fn fail(&mut self, message: String) -> Result<(), Ended> {
        self.end.get_or_insert(End::Failed(message));
        Err(Ended)
    }

    /// A failed assertion.
    pub(super) fn assertion(&mut self, message: &str, site: Site) -> Result<(), Ended> {
        if let Some(checker) = &mut self.checker {
            checker.failed(message, site);
        }
        let SourceLine { file, line } = source_line(site);
        self.fail(format!("{file}:{line}: {message}"))
    }

    /// The scalar unit uses memory. An access that the memory has not ends the kernel, which would crash.
    pub(super) fn scalar_access(
        &mut self,
        address: u64,
        bytes: u32,
        write: bool,
        site: Site,
    ) -> Result<(), Ended> {
        if self.end.is_some() {
            return Err(Ended);
        }
        let (address, bytes) = (Address(address), u64::from(bytes));
        if let Err(fault) = self.memory.at(address, bytes) {
            self.refuse(None, site, &fault)?;
            return self.fail_at(None, site, &fault.to_string());
        }
        if let Some(checker) = &mut self.checker {
            checker.scalar_access(address, bytes, write, site);
        }
        Ok(())
    }

    /// A buffer is given out or taken back.
    pub(super) fn buffer(&mut self, address: u64, bytes: u64, live: bool, site: Site) -> Result<(), Ended> {
        if let Some(checker) = &mut self.checker {
            checker.buffer(Address(address), bytes, live, site);
        }
        if self.end.is_some() { Err(Ended) } else { Ok(()) }
    }

    pub(super) fn read_register(&mut self, register: Register) -> u64 {
        self.reads += 1;
        match register {
            Register::ReduceSum => self.registers.reduce_sum,
            Register::ReduceMaxMin => self.registers.reduce_max_min,
            Register::RemainingCount => self.registers.remaining_count,
            Register::MergeResult => self.registers.merge_result,
            Register::CompareMask0 => self.registers.compare_mask[0],
            Register::CompareMask1 => self.registers.compare_mask[1],
            Register::SystemCycle => self.ticks(),
        }
    }

    /// Only the comparison mask can be written.
    pub(super) fn write_register(&mut self, register: Register, value: u64) {
        match register {
            Register::CompareMask0 => self.registers.compare_mask[0] = value,
            Register::CompareMask1 => self.registers.compare_mask[1] = value,
            _ => {
                let message = format!("the kernel wrote the register {register:?}");
                self.end.get_or_insert(End::Failed(message));
            }
        }
    }

    pub(super) fn print(&mut self, text: &str) {
        tracing::info!(core = self.name(), "{}", text.trim_end());
        self.printed.push_str(text);
    }

    /// The kernel has returned.
    pub(super) fn finish(&mut self, code: i32) {
        if self.end.is_none() && code != 0 {
            self.end = Some(End::Failed(format!("the kernel returned {code}")));
        }
        if self.end.is_none()
            && self.drained().is_ok()
            && let Some(checker) = &mut self.checker
        {
            checker.finish();
        }
    }

    pub(super) fn outcome(self) -> CoreOutcome {
        CoreOutcome {
            end: self.end,
            printed: self.printed,
            instructions: self.issued,
            trace: self.recorder.map(Recorder::finish),
        }
    }
}

/// What holds a pipe.
fn held(issued: &Issued<'_>) -> Hold {
    let what = match *issued.instruction {
        Instruction::WaitFlag(abi::WaitFlag { src, event, .. }) => {
            let src = Pipe::of(src).map_or("?", Pipe::name);
            format!("{} waits for event {event} of {src}, which nothing sets", issued.pipe.name())
        }
        _ => format!("{} holds {}", issued.instruction.name(), issued.pipe.name()),
    };
    Hold { pipe: issued.pipe, instruction: issued.instruction.name(), what, site: issued.site }
}

fn valid_flag(pipe: Pipe, other: u8, event: u32) -> Result<(), Fault> {
    if pipe == Pipe::All || Pipe::of(other).is_none_or(|other| other == Pipe::All) {
        return Err(Fault::Unsupported(format!(
            "there is no flag between the pipes {} and {other}",
            pipe as u8
        )));
    }
    if event >= EVENTS {
        let most = u64::from(EVENTS - 1);
        return Err(Fault::Field { field: "the event", value: event.into(), least: 0, most });
    }
    Ok(())
}

/// Floating-point sums depend on their order; maxima, minima and sums of integers do not.
fn order(instruction: &Instruction) -> Order {
    let (atomic, data_type, dst) = match instruction {
        Instruction::Copy(copy) => (copy.atomic, copy.atomic_type, copy.dst),
        Instruction::NzToNd(copy) => (copy.atomic, copy.atomic_type, copy.dst),
        Instruction::Fixpipe(fixpipe) => (fixpipe.atomic, fixpipe.atomic_type, fixpipe.dst),
        _ => return Order::Free,
    };
    if atomic == Atomic::None as u8 || Address(dst).space() != Some(Space::Gm) {
        return Order::Free;
    }
    let float = matches!(DataType::of(data_type), Some(DataType::F16 | DataType::Bf16 | DataType::F32));
    if float && atomic == Atomic::Add as u8 { Order::Fixed } else { Order::Commuting }
}

/// Whether all runs of the access are in their memory.
fn within(memory: &CoreMemory, access: &Access) -> Result<(), Fault> {
    let &Access { address, length, count, stride, .. } = access;
    let span = count.checked_sub(1).and_then(|gaps| gaps.checked_mul(stride)?.checked_add(length));
    if span.is_some_and(|span| memory.at(address, span).is_ok()) {
        return Ok(());
    }
    // Runs may lie in different allocations.
    (0..count).try_for_each(|run| memory.at(address.add(run.wrapping_mul(stride)), length).map(drop))
}
