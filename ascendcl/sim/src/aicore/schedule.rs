//! Who runs: the threads of the cores of a launch, and what they wait for.
//!
//! Each core that has started is a thread, and only so many run at a time. A thread that waits for another core
//! passes its permit on. All waits go through one lock, so it is known exactly when no core can move: then the
//! parked cores get their turns, and if there are none, the launch is stuck.
//!
//! Results do not depend on who runs first. Flags are counters, taken in the order of each program. What does
//! not commute (floating-point additions to global memory) is done when nothing else can move, in the order of
//! the cores' numbers. Blocks start in the order of their numbers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::abi::SyncScope;
use super::check::Knowledge;
use super::cross::{CrossFlags, Known};
use super::layout::Layout;

/// What a core waits for.
#[derive(Clone, Copy, Debug)]
enum Wait<'m> {
    Flag(u32),
    Meeting {
        scope: SyncScope,
        cores: usize,
    },
    Memory {
        address: u64,
        word: &'m AtomicU32,
        value: u32,
        reset: u32,
    },
    /// Something that only the core itself could do.
    Never,
}

#[derive(Clone, Copy, Debug)]
enum Status<'m> {
    /// Wants a permit.
    Ready,
    /// Has one.
    Running,
    Blocked(Wait<'m>),
    /// Waits until nothing else can move.
    Parked,
}

/// A core that has started and not ended.
#[derive(Debug)]
struct Active<'m> {
    status: Status<'m>,
    /// The thread that it runs on.
    worker: usize,
    /// What it was told when it could go on.
    known: Option<Known>,
    /// It runs, and does nothing but look at memory again and again.
    polling: bool,
}

/// The physical cores of a block.
#[derive(Debug)]
struct Slot {
    /// The block that runs on them; `None` when there are no more.
    block: Option<u32>,
    /// How many of its cores have not ended.
    left: usize,
}

/// Why cores are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Deadlock,
    /// A core failed, and others wait for it.
    Failure,
}

/// The kernel must end: the core would wait forever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    /// No core failed; they wait for each other.
    pub deadlock: bool,
    /// What the core waits for.
    pub waits_for: String,
}

/// A core that came to a meeting, and what it knew.
type Arrival = (usize, Option<Knowledge>);

#[derive(Debug)]
struct State<'m> {
    active: BTreeMap<usize, Active<'m>>,
    slots: Vec<Slot>,
    /// The next block to start.
    next: u32,
    ready: VecDeque<usize>,
    running: usize,
    flags: CrossFlags,
    /// Who is there already, by the scope and the number of cores that meet.
    meetings: HashMap<(SyncScope, usize), Vec<Arrival>>,
    /// What the cores knew that posted a word of global memory.
    posted: HashMap<u64, Vec<Knowledge>>,
    /// Cores whose turn comes, in the order of their numbers.
    turns: VecDeque<usize>,
    failed: bool,
    stop: Option<Stop>,
}

/// The cores of a launch.
#[derive(Debug)]
pub(super) struct Schedule<'m> {
    layout: Layout,
    permits: usize,
    /// Cores take flags only when no core can move. That makes those that set flags run ahead as far as they
    /// can, so that whether a counter overflows does not depend on the host.
    patient: bool,
    state: Mutex<State<'m>>,
    /// By worker.
    wake: Box<[Condvar]>,
    /// Held during an atomic operation that commutes with the others.
    commuting: Mutex<()>,
}

impl<'m> Schedule<'m> {
    /// Starts as many blocks as there are slots.
    pub(super) fn new(layout: Layout, slots: u32, threads: usize, patient: bool) -> Self {
        let slots = slots.min(layout.blocks);
        let members = layout.members();
        let mut state = State {
            active: BTreeMap::new(),
            slots: (0..slots).map(|block| Slot { block: Some(block), left: members }).collect(),
            next: slots,
            ready: VecDeque::new(),
            running: 0,
            flags: CrossFlags::default(),
            meetings: HashMap::new(),
            posted: HashMap::new(),
            turns: VecDeque::new(),
            failed: false,
            stop: None,
        };
        for slot in 0..slots {
            state.start(&layout, slot as usize, slot);
        }
        let wake = (0..slots as usize * members).map(|_| Condvar::new()).collect();
        let schedule = Self {
            layout,
            permits: threads.max(1),
            patient,
            state: Mutex::new(state),
            wake,
            commuting: Mutex::new(()),
        };
        schedule.dispatch(&mut schedule.state.lock());
        schedule
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many threads must call [`next`](Self::next).
    pub(super) fn workers(&self) -> usize {
        self.wake.len()
    }

    /// Waits for the next core that the thread runs; `None` when there is none.
    pub(super) fn next(&self, worker: usize) -> Option<usize> {
        let (slot, member) = (worker / self.layout.members(), worker % self.layout.members());
        let mut state = self.state.lock();
        loop {
            if state.stop.is_some() {
                return None;
            }
            let core = self.layout.block(state.slots[slot].block?).start + member;
            if state.active.get(&core).is_some_and(|active| matches!(active.status, Status::Running)) {
                return Some(core);
            }
            self.wake[worker].wait(&mut state);
        }
    }

    /// The core has ended. After a failure no further block starts.
    pub(super) fn end(&self, core: usize, failed: bool) {
        let mut state = self.state.lock();
        state.failed |= failed;
        let Some(active) = state.active.remove(&core) else { return };
        if matches!(active.status, Status::Running) {
            state.running -= 1;
        }
        let index = active.worker / self.layout.members();
        state.slots[index].left -= 1;
        if state.slots[index].left == 0 {
            let next = state.next;
            if next < self.layout.blocks && !state.failed && state.stop.is_none() {
                state.next += 1;
                state.slots[index] = Slot { block: Some(next), left: self.layout.members() };
                state.start(&self.layout, index, next);
            } else {
                state.slots[index].block = None;
                let first = index * self.layout.members();
                self.wake[first..first + self.layout.members()].iter().for_each(|wake| {
                    wake.notify_one();
                });
            }
        }
        self.dispatch(&mut state);
    }

    /// Stops everything as if a core had failed.
    pub(super) fn abort(&self) {
        let mut state = self.state.lock();
        state.failed = true;
        self.stop(&mut state, Stop::Failure);
    }

    /// Lets others run that are ready. If all that run are polling memory, only those that wait can change it.
    pub(super) fn pause(&self, core: usize, polling: bool) -> Result<(), Stopped> {
        let mut state = self.state.lock();
        if let Some(active) = state.active.get_mut(&core) {
            active.polling = polling;
        }
        let idle = |active: &Active<'_>| match active.status {
            Status::Running | Status::Ready => active.polling,
            Status::Blocked(_) | Status::Parked => true,
        };
        if polling && state.active.values().all(idle) {
            self.settle(&mut state);
            self.dispatch(&mut state);
        }
        if state.ready.is_empty() {
            return Ok(());
        }
        state.release(core, Status::Ready);
        state.ready.push_back(core);
        self.until_running(state, core).map(drop)
    }

    /// The core sets a flag for others; `None` if the launch has no such mode, else whether a counter overflowed.
    pub(super) fn cross_set(
        &self,
        core: usize,
        mode: u32,
        flag: u32,
        knowledge: Option<Knowledge>,
    ) -> Option<bool> {
        let group = self.layout.group(core, mode)?;
        let mut state = self.state.lock();
        let raised = state.flags.set(&self.layout, core, group, flag, knowledge);
        if !self.patient {
            for taker in raised.takers {
                state.try_flag(taker, flag);
            }
            self.dispatch(&mut state);
        }
        Some(raised.overflow)
    }

    /// Calls `visit` with each flag between cores that was set and not taken: the core that it is for, its number,
    /// and what one of those knew that set it.
    pub(super) fn flags_left(&self, mut visit: impl FnMut(usize, u32, &Knowledge)) {
        self.state.lock().flags.left().into_iter().for_each(|(taker, flag, from)| visit(taker, flag, from));
    }

    /// Waits for a flag of other cores.
    pub(super) fn cross_wait(&self, core: usize, flag: u32) -> Result<Known, Stopped> {
        let mut state = self.state.lock();
        if !self.patient
            && let Some(known) = state.flags.take(core, flag)
        {
            return Ok(known);
        }
        self.block(state, core, Wait::Flag(flag))
    }

    /// Waits until so many cores are here.
    pub(super) fn meet(
        &self,
        core: usize,
        scope: SyncScope,
        cores: usize,
        knowledge: Option<Knowledge>,
    ) -> Result<Known, Stopped> {
        let mut state = self.state.lock();
        let here = state.meetings.entry((scope, cores)).or_default();
        here.push((core, knowledge));
        if here.len() < cores {
            return self.block(state, core, Wait::Meeting { scope, cores });
        }
        // In the order of the cores, whoever came first.
        let mut others = std::mem::take(here);
        others.sort_by_key(|&(core, _)| core);
        let numbers: Vec<_> = others.iter().map(|&(core, _)| core).collect();
        let known: Known = others.into_iter().filter_map(|(_, knowledge)| knowledge).collect();
        for other in numbers.into_iter().filter(|&other| other != core) {
            state.unblock(other, Arc::clone(&known));
        }
        self.dispatch(&mut state);
        Ok(known)
    }

    /// Writes a word that other cores wait for.
    pub(super) fn post_memory(
        &self,
        address: u64,
        word: &AtomicU32,
        value: u32,
        knowledge: Option<Knowledge>,
    ) {
        let mut state = self.state.lock();
        state.posted.entry(address).or_default().extend(knowledge);
        word.store(value, Ordering::Release);
        if !self.patient {
            let waiting: Vec<_> = state.active.keys().copied().collect();
            for core in waiting {
                state.try_memory(core, Some(address));
            }
            self.dispatch(&mut state);
        }
    }

    /// Waits until the word has the value, then leaves `reset` there.
    pub(super) fn wait_memory(
        &self,
        core: usize,
        address: u64,
        word: &'m AtomicU32,
        value: u32,
        reset: u32,
    ) -> Result<Known, Stopped> {
        let mut state = self.state.lock();
        if !self.patient && word.load(Ordering::Acquire) == value {
            return Ok(state.take_word(address, word, value, reset));
        }
        self.block(state, core, Wait::Memory { address, word, value, reset })
    }

    /// The core waits for something that only itself could do.
    pub(super) fn never(&self, core: usize) -> Stopped {
        let state = self.state.lock();
        match self.block(state, core, Wait::Never) {
            Err(stopped) => stopped,
            Ok(_) => Stopped { deadlock: true, waits_for: String::new() },
        }
    }

    /// Does something when no core can move, after the cores with lower numbers that want the same.
    pub(super) fn in_turn<T>(&self, core: usize, action: impl FnOnce() -> T) -> Result<T, Stopped> {
        let mut state = self.state.lock();
        state.release(core, Status::Parked);
        self.until_running(state, core)?;
        let result = action();
        let mut state = self.state.lock();
        if let Some(next) = state.turns.pop_front() {
            state.make_ready(next);
        }
        self.dispatch(&mut state);
        Ok(result)
    }

    /// Does something that commutes with what others do so.
    pub(super) fn commuting<T>(&self, action: impl FnOnce() -> T) -> T {
        let _guard = self.commuting.lock();
        action()
    }

    fn block(
        &self,
        mut state: MutexGuard<'_, State<'m>>,
        core: usize,
        wait: Wait<'m>,
    ) -> Result<Known, Stopped> {
        state.release(core, Status::Blocked(wait));
        self.until_running(state, core)
    }

    /// Waits for the core's permit.
    fn until_running(&self, mut state: MutexGuard<'_, State<'m>>, core: usize) -> Result<Known, Stopped> {
        self.dispatch(&mut state);
        loop {
            let stop = state.stop;
            let Some(active) = state.active.get_mut(&core) else {
                return Err(Stopped { deadlock: false, waits_for: String::new() });
            };
            match (active.status, stop) {
                (Status::Running, _) => return Ok(active.known.take().unwrap_or_default()),
                (status, Some(stop)) => {
                    let waits_for = match status {
                        Status::Blocked(wait) => self.describe(&state, core, wait),
                        _ => String::new(),
                    };
                    return Err(Stopped { deadlock: stop == Stop::Deadlock, waits_for });
                }
                (_, None) => {
                    let worker = active.worker;
                    self.wake[worker].wait(&mut state);
                }
            }
        }
    }

    /// Hands out permits; if no core wants one, finds out who can go on.
    fn dispatch(&self, state: &mut State<'m>) {
        if state.running == 0 && state.ready.is_empty() && state.stop.is_none() {
            self.settle(state);
        }
        while state.running < self.permits
            && let Some(core) = state.ready.pop_front()
        {
            if let Some(active) = state.active.get_mut(&core) {
                active.status = Status::Running;
                self.wake[active.worker].notify_one();
                state.running += 1;
            }
        }
    }

    /// Nothing moves: lets those go on whose flags are set, else those that wait for just this moment.
    fn settle(&self, state: &mut State<'m>) {
        let cores: Vec<_> = state.active.keys().copied().collect();
        let before = state.ready.len();
        for &core in &cores {
            match state.active.get(&core).map(|active| active.status) {
                Some(Status::Blocked(Wait::Flag(flag))) => state.try_flag(core, flag),
                Some(Status::Blocked(Wait::Memory { .. })) => state.try_memory(core, None),
                _ => {}
            }
        }
        if state.ready.len() > before || cores.is_empty() {
            return;
        }
        if state.turns.is_empty() {
            let parked = state.active.iter().filter(|(_, active)| matches!(active.status, Status::Parked));
            state.turns = parked.map(|(&core, _)| core).collect();
        }
        match state.turns.pop_front() {
            Some(first) => state.make_ready(first),
            // Who polls goes on polling.
            None if state.running > 0 => {}
            None => {
                let stop = if state.failed { Stop::Failure } else { Stop::Deadlock };
                self.stop(state, stop);
            }
        }
    }

    fn stop(&self, state: &mut State<'m>, stop: Stop) {
        state.stop = Some(stop);
        self.wake.iter().for_each(|wake| {
            wake.notify_one();
        });
    }

    fn describe(&self, state: &State<'m>, core: usize, wait: Wait<'m>) -> String {
        match wait {
            Wait::Flag(flag) => {
                format!("flag {flag} of other cores{}", state.flags.missing(&self.layout, core, flag))
            }
            Wait::Meeting { scope, cores } => {
                let here = state.meetings.get(&(scope, cores)).map_or(0, Vec::len);
                format!("all cores to meet ({here} of {cores} are there)")
            }
            Wait::Memory { address, word, value, .. } => {
                let found = word.load(Ordering::Acquire);
                format!("the value {value} at GM {address:#x} (there is {found})")
            }
            Wait::Never => String::new(),
        }
    }
}

impl<'m> State<'m> {
    /// A block starts on the cores of a slot.
    fn start(&mut self, layout: &Layout, slot: usize, block: u32) {
        for (member, core) in layout.block(block).enumerate() {
            let worker = slot * layout.members() + member;
            self.active.insert(core, Active { status: Status::Ready, worker, known: None, polling: false });
            self.ready.push_back(core);
        }
    }

    /// The core, which runs, does not go on.
    fn release(&mut self, core: usize, status: Status<'m>) {
        if let Some(active) = self.active.get_mut(&core) {
            active.status = status;
            self.running -= 1;
        }
    }

    fn make_ready(&mut self, core: usize) {
        if let Some(active) = self.active.get_mut(&core) {
            active.status = Status::Ready;
            active.polling = false;
            self.ready.push_back(core);
        }
    }

    fn unblock(&mut self, core: usize, known: Known) {
        if let Some(active) = self.active.get_mut(&core) {
            active.known = Some(known);
            self.make_ready(core);
        }
    }

    /// Lets the core go on if it waits for this flag and the flag is set.
    fn try_flag(&mut self, core: usize, flag: u32) {
        let status = self.active.get(&core).map(|active| active.status);
        if matches!(status, Some(Status::Blocked(Wait::Flag(awaited))) if awaited == flag)
            && let Some(known) = self.flags.take(core, flag)
        {
            self.unblock(core, known);
        }
    }

    /// Lets the core go on if it waits for a word (this one, if one is given) and the word has the value.
    fn try_memory(&mut self, core: usize, posted: Option<u64>) {
        if let Some(Status::Blocked(Wait::Memory { address, word, value, reset })) =
            self.active.get(&core).map(|active| active.status)
            && posted.is_none_or(|posted| posted == address)
            && word.load(Ordering::Acquire) == value
        {
            let known = self.take_word(address, word, value, reset);
            self.unblock(core, known);
        }
    }

    fn take_word(&mut self, address: u64, word: &AtomicU32, value: u32, reset: u32) -> Known {
        word.store(reset, Ordering::Release);
        // A word that keeps its value lets others go on too.
        if reset == value {
            self.posted.get(&address).map_or_else(Known::default, |known| known.as_slice().into())
        } else {
            self.posted.remove(&address).unwrap_or_default().into()
        }
    }
}
