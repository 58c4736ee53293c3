//! A kernel and a launch of it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::abi::{CoreType, CoreView, KernelType};
use super::arena::{Arena, SystemWorkspace};
use super::calls::{self, MODEL};
use super::check::{Checker, Finding, SourceLine};
use super::core::{Core, CoreOutcome, End, Environment};
use super::layout::Layout;
use super::memory::{CoreMemory, GlobalMemory};
use super::schedule::Schedule;
use super::trace::{CoreTrace, Recorder};

/// Bytes of the stack of a core's thread; on the device a kernel has 32 KiB.
const STACK: usize = 8 << 20;

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
    /// Threads that run cores at the same time; 0 for as many as the host has. Under the sanitizer it is one.
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
    /// What kernels printed, by core: the cores of a block follow each other, the cube core first.
    pub printed: Vec<String>,
    pub findings: Vec<Finding>,
    /// Instructions that were executed, over all cores.
    pub instructions: u64,
    /// What the cores did, if that was asked for.
    pub traces: Vec<CoreTrace>,
}

/// Runs a kernel to its end.
///
/// The result does not depend on the number of threads, nor on who of them runs first.
pub(crate) fn run(launch: Launch) -> Outcome {
    match Run::new(&launch) {
        Ok(run) => run.complete(&launch),
        Err(message) => stopped(format!("kernel {}: {message}", launch.kernel.name)),
    }
}

fn stopped(message: String) -> Outcome {
    Outcome { stop: Some(Stop::Exception(message)), ..Outcome::default() }
}

/// What the cores of a launch share.
struct Run {
    layout: Layout,
    environment: Environment,
    global: Arc<GlobalMemory>,
    checker: Option<Arc<Checker>>,
    /// Mapped as long as the launch runs.
    _workspace: SystemWorkspace,
}

impl Run {
    fn new(launch: &Launch) -> Result<Self, String> {
        let Launch { kernel, block_num, arguments, global, options, .. } = launch;
        if arguments.len() < kernel.argument_bytes {
            return Err(format!(
                "{} bytes of arguments, {} expected",
                arguments.len(),
                kernel.argument_bytes
            ));
        }
        let layout = Layout::new(kernel.kernel_type, *block_num);
        if layout.cubes > 0 && kernel.cube.is_none() || layout.vectors > 0 && kernel.vector.is_none() {
            return Err(format!("no code for a core of the type {:?}", kernel.kernel_type));
        }
        let workspace = SystemWorkspace::new().map_err(|error| format!("no system workspace: {error}"))?;
        let environment = Environment {
            kernel_type: kernel.kernel_type,
            block_num: *block_num,
            device_start: global.alias_start.wrapping_sub(global.alias_delta),
            device_end: global.alias_end.wrapping_sub(global.alias_delta),
            device_delta: global.alias_delta,
            system_workspace: workspace.range().start,
        };
        let mut ranges = global.ranges.clone();
        let range = workspace.range();
        ranges.insert(ranges.partition_point(|other| other.start < range.start), range);
        let global = Arc::new(GlobalMemory { ranges, ..**global });
        let checker = (options.level == Level::Check).then(|| {
            let places: Vec<_> = (0..layout.cores()).map(|core| layout.place(core)).collect();
            let cores: Vec<_> = places.iter().map(|place| (place.core_type, place.block)).collect();
            Checker::new(*options, &cores, Arc::clone(&global))
        });
        Ok(Self { layout, environment, global, checker, _workspace: workspace })
    }

    fn complete(self, launch: &Launch) -> Outcome {
        let threads = match launch.options.threads {
            // Which of two accesses that race comes first, and with it what is found, must not depend on the host.
            _ if self.checker.is_some() => 1,
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        };
        let slots = self.layout.blocks_at_once(launch.cube_cores.max(1));
        let schedule = Schedule::new(self.layout, slots, threads, self.checker.is_some());
        let outcomes = Mutex::new(BTreeMap::new());
        let unstarted = thread::scope(|scope| {
            for worker in 0..schedule.workers() {
                let (run, schedule, outcomes) = (&self, &schedule, &outcomes);
                let builder = thread::Builder::new().name(format!("ai-core-{worker}")).stack_size(STACK);
                let started = builder.spawn_scoped(scope, move || {
                    while let Some(core) = schedule.next(worker) {
                        let outcome = run.core(launch, schedule, core);
                        let failed = matches!(outcome.end, Some(End::Failed(_)));
                        outcomes.lock().insert(core, outcome);
                        schedule.end(core, failed);
                    }
                });
                if let Err(error) = started {
                    schedule.abort();
                    return Some(error);
                }
            }
            None
        });
        if let Some(error) = unstarted {
            return stopped(format!("no thread for a core: {error}"));
        }
        let outcomes = outcomes.into_inner();
        let mut outcome = Outcome { stop: self.stop(&launch.kernel.name, &outcomes), ..Outcome::default() };
        for (_, core) in outcomes {
            outcome.printed.push(core.printed);
            outcome.instructions += core.instructions;
            outcome.traces.extend(core.trace);
        }
        if let Some(checker) = self.checker.as_ref().filter(|_| outcome.stop.is_none()) {
            schedule.flags_left(|taker, flag, from| {
                checker.flag_left(&self.layout.name(taker), flag, from);
            });
        }
        outcome.findings = self.checker.map(|checker| checker.findings()).unwrap_or_default();
        outcome
    }

    /// Runs the kernel on one core.
    fn core(&self, launch: &Launch, schedule: &Schedule<'_>, number: usize) -> CoreOutcome {
        let place = self.layout.place(number);
        let entry = match place.core_type {
            CoreType::Aic => launch.kernel.cube,
            CoreType::Aiv => launch.kernel.vector,
        };
        let failed = |message| CoreOutcome {
            end: Some(End::Failed(message)),
            printed: String::new(),
            instructions: 0,
            trace: None,
        };
        let Some(entry) = entry else { return failed("no code for the core".to_owned()) };
        let arena = match Arena::take(place.core_type) {
            Ok(arena) => arena,
            Err(error) => return failed(format!("no memory for the core: {error}")),
        };
        // SAFETY: The arena has these memories, and is the core's until it is given back; the caller of the
        // launch keeps the allocations.
        let memory = unsafe { CoreMemory::new(arena.base(), Arc::clone(&self.global)) };
        let checker = self.checker.as_ref().map(|checker| checker.core(number));
        let recorder =
            launch.options.trace.then(|| Recorder::new(place.core_type, place.block, place.sub_block));
        let view = self.environment.view(place, self.layout.vectors, &arena, &MODEL);
        let mut core = Core::new(schedule, number, memory, checker, recorder);
        // SAFETY: The loader of the object vouches for the entry; there are as many arguments as it says, and
        // the view is of the arena.
        unsafe { calls::run(&mut core, view, entry, &launch.arguments) };
        let outcome = core.outcome();
        arena.give_back();
        outcome
    }

    /// Why the launch stopped: by the lowest core that failed, else by those that wait.
    fn stop(&self, kernel: &str, outcomes: &BTreeMap<usize, CoreOutcome>) -> Option<Stop> {
        let mut stuck = String::new();
        for (&number, outcome) in outcomes {
            let name = self.layout.name(number);
            match &outcome.end {
                Some(End::Failed(message)) => {
                    let block = self.layout.place(number).block;
                    let text = format!("kernel {kernel}: {name} (block {block}): {message}");
                    return Some(Stop::Exception(text));
                }
                Some(End::Stuck(waits)) => {
                    for (what, SourceLine { file, line }) in waits {
                        stuck += &format!("\n  {name}: {what} ({file}:{line})");
                    }
                }
                Some(End::Stopped) | None => {}
            }
        }
        if stuck.is_empty() {
            return None;
        }
        let started = outcomes.len() / self.layout.members();
        if started < self.layout.blocks as usize {
            stuck += &format!("\n  blocks {started} to {} have not started", self.layout.blocks - 1);
        }
        Some(Stop::Deadlock(format!("kernel {kernel}: no core can go on{stuck}")))
    }
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
