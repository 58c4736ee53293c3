use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::abi::*;
use super::super::memory::Range;
use super::*;

const FILE: &std::ffi::CStr = c"kernel.cpp";

/// What a kernel in C++ would be: calls of the model with the view that it got.
struct Program<'a> {
    view: &'a CoreView,
    /// The words of global memory that are the kernel's argument.
    words: *mut u32,
}

type Step = Result<u64, ()>;

impl Program<'_> {
    fn run(view: *const CoreView, arguments: *const u8, body: impl Fn(&Program<'_>) -> Step) -> i32 {
        // SAFETY: The engine passes its view, and the argument is an address.
        let program = unsafe {
            let words = arguments.cast::<u64>().read_unaligned() as usize;
            Program { view: &*view, words: std::ptr::with_exposed_provenance_mut(words) }
        };
        i32::from(body(&program).is_err())
    }

    fn execute<I>(&self, instruction: &I, line: u32) -> Step {
        let site = Site { file: FILE.as_ptr(), line, reserved: 0 };
        let model = self.model();
        // SAFETY: The instruction is one of the interface's structures, and the core that of the view.
        let code = unsafe {
            (model.execute)(self.view.core, std::ptr::from_ref(instruction).cast::<c_void>(), site)
        };
        if code == 0 { Ok(0) } else { Err(()) }
    }

    fn model(&self) -> &Model {
        // SAFETY: The engine passes its table.
        unsafe { &*self.view.model }
    }

    fn set(&self, src: Pipe, dst: Pipe, event: u32, line: u32) -> Step {
        let (pipe, dst) = (src as u8, dst as u8);
        let kind = Kind::SetFlag as u16;
        self.execute(&SetFlag { kind, pipe, reserved: 0, dst, reserved1: [0; 3], event, reserved2: 0 }, line)
    }

    fn wait(&self, src: Pipe, dst: Pipe, event: u32, line: u32) -> Step {
        let (src, pipe) = (src as u8, dst as u8);
        let kind = Kind::WaitFlag as u16;
        self.execute(&WaitFlag { kind, pipe, reserved: 0, src, reserved1: [0; 3], event, reserved2: 0 }, line)
    }

    fn barrier(&self, pipe: Pipe, line: u32) -> Step {
        let kind = Kind::Barrier as u16;
        self.execute(&Barrier { kind, pipe: pipe as u8, reserved: 0, reserved1: 0 }, line)
    }

    fn cross_set(&self, pipe: Pipe, mode: u32, flag: u32, line: u32) -> Step {
        let kind = Kind::CrossSet as u16;
        self.execute(&CrossSet { kind, pipe: pipe as u8, reserved: 0, mode, flag, reserved1: 0 }, line)
    }

    fn cross_wait(&self, flag: u32, line: u32) -> Step {
        let kind = Kind::CrossWait as u16;
        self.execute(&CrossWait { kind, pipe: 0, reserved: 0, mode: 0, flag, reserved1: 0 }, line)
    }

    fn sync_all(&self, scope: SyncScope, cores: u32, line: u32) -> Step {
        let (kind, scope) = (Kind::SyncAll as u16, scope as u8);
        self.execute(
            &SyncAll { kind, pipe: 6, reserved: 0, scope, reserved1: [0; 3], cores, reserved2: 0 },
            line,
        )
    }

    fn post(&self, pipe: Pipe, word: usize, value: u32, line: u32) -> Step {
        let (kind, address) = (Kind::PostMemory as u16, self.words.wrapping_add(word) as u64);
        self.execute(&PostMemory { kind, pipe: pipe as u8, reserved: 0, value, address }, line)
    }

    fn wait_word(&self, word: usize, value: u32, reset: u32, line: u32) -> Step {
        let (kind, address) = (Kind::WaitMemory as u16, self.words.wrapping_add(word) as u64);
        self.execute(&WaitMemory { kind, pipe: 0, reserved: 0, value, address, reset, reserved1: 0 }, line)
    }

    /// A word of global memory, for the scalar unit.
    fn word(&self, index: usize) -> &AtomicU32 {
        // SAFETY: The tests pass enough aligned words, which they only read after the launch.
        unsafe { AtomicU32::from_ptr(self.words.wrapping_add(index)) }
    }

    fn read(&self, index: usize) -> u32 {
        self.word(index).load(Ordering::Relaxed)
    }

    fn write(&self, index: usize, value: u32) {
        self.word(index).store(value, Ordering::Relaxed);
    }

    fn print(&self, text: &str) {
        // SAFETY: The text has so many bytes.
        unsafe { (self.model().print)(self.view.core, text.as_ptr().cast(), text.len() as u64) }
    }

    fn vector(&self) -> bool {
        self.view.core_type == CoreType::Aiv as u8
    }

    /// Index among the vector cores.
    fn vector_index(&self) -> u32 {
        self.view.block_idx * self.view.sub_block_num + self.view.sub_block_idx
    }
}

/// An entry of a kernel.
macro_rules! kernel {
    ($name:ident, |$program:ident| $body:expr) => {
        unsafe extern "C" fn $name(view: *const CoreView, arguments: *const u8) -> i32 {
            Program::run(view, arguments, |$program: &Program<'_>| {
                $body;
                Ok(0)
            })
        }
    };
}

const CUBE_CORES: u32 = 4;

/// Runs a kernel on words of global memory, all zero at first.
fn launch_with(
    entry: Entry,
    kernel_type: KernelType,
    block_num: u32,
    options: Options,
) -> (Outcome, Vec<u32>) {
    let mut words = vec![0_u32; 4096];
    let start = words.as_mut_ptr().expose_provenance() as u64;
    let range = Range { start, length: 4 * words.len() as u64, delta: 0 };
    let outcome = run(Launch {
        kernel: Kernel {
            name: "sample".to_owned(),
            kernel_type,
            cube: Some(entry),
            vector: Some(entry),
            argument_bytes: 8,
        },
        block_num,
        arguments: start.to_ne_bytes().to_vec(),
        global: Arc::new(GlobalMemory { ranges: vec![range], ..GlobalMemory::default() }),
        cube_cores: CUBE_CORES,
        options,
    });
    (outcome, words)
}

/// Runs a kernel with several numbers of threads and at both levels; all must end and leave the same.
fn launch(entry: Entry, kernel_type: KernelType, block_num: u32) -> Vec<u32> {
    let mut first = None;
    for threads in [1, 2, 8, 0] {
        for level in [Level::Run, Level::Check] {
            let options = Options { threads, level, ..Options::default() };
            let (outcome, words) = launch_with(entry, kernel_type, block_num, options);
            assert_eq!(outcome.stop, None);
            assert_eq!(first.get_or_insert(words.clone()), &words, "{threads} threads, {level:?}");
        }
    }
    first.unwrap()
}

/// Why a launch stopped, which must not depend on the number of threads nor on the level.
fn stop(entry: Entry, kernel_type: KernelType, block_num: u32) -> Stop {
    let mut first = None;
    for threads in [1, 2, 8] {
        for level in [Level::Run, Level::Check] {
            let options = Options { threads, level, ..Options::default() };
            let stop = launch_with(entry, kernel_type, block_num, options).0.stop.unwrap();
            assert_eq!(first.get_or_insert(stop.clone()), &stop, "{threads} threads, {level:?}");
        }
    }
    first.unwrap()
}

#[track_caller]
fn deadlock(entry: Entry, kernel_type: KernelType, block_num: u32, lines: &[&str]) {
    let Stop::Deadlock(message) = stop(entry, kernel_type, block_num) else { panic!("no deadlock") };
    assert_eq!(message.lines().skip(1).map(str::trim).collect::<Vec<_>>(), lines);
}

#[track_caller]
fn exception(entry: Entry, kernel_type: KernelType, block_num: u32, message: &str) {
    assert_eq!(stop(entry, kernel_type, block_num), Stop::Exception(message.to_owned()));
}

kernel!(places, |p| {
    let of_kind = if p.vector() { 1000 + p.vector_index() } else { p.view.block_idx };
    let (sub, subs) = (p.view.sub_block_idx, p.view.sub_block_num);
    p.write(of_kind as usize, 1 + p.view.block_idx * 100 + sub * 10 + subs + p.view.block_num * 10000)
});

#[test]
fn every_core_of_a_launch_runs_once_and_knows_its_place_also_in_waves() {
    let types = [
        (KernelType::AivOnly, 0, 1),
        (KernelType::MixAiv10, 0, 1),
        (KernelType::AicOnly, 1, 0),
        (KernelType::MixAic10, 1, 0),
        (KernelType::MixAic11, 1, 1),
        (KernelType::MixAic12, 1, 2),
    ];
    for (kernel_type, cubes, vectors) in types {
        for blocks in [0, 1, CUBE_CORES, 4 * CUBE_CORES + 3] {
            let words = launch(places, kernel_type, blocks);
            let mut expected = vec![0; words.len()];
            for block in 0..blocks {
                let common = 1 + block * 100 + blocks * 10000;
                if cubes == 1 {
                    expected[block as usize] = common + vectors.max(1);
                }
                for sub in 0..vectors {
                    expected[(1000 + block * vectors + sub) as usize] = common + sub * 10 + vectors;
                }
            }
            assert_eq!(words, expected, "{kernel_type:?} {blocks}");
        }
    }
}

kernel!(ping_pong, |p| {
    // The cube core passes a number on, both vector cores add to it in words of their own.
    for round in 0..50 {
        let base = p.view.block_idx as usize * 4;
        if p.vector() {
            p.cross_wait(5, 1)?;
            let sub = p.view.sub_block_idx;
            p.write(base + 1 + sub as usize, p.read(base).wrapping_mul(2).wrapping_add(sub + round));
            p.cross_set(Pipe::Mte3, 2, 6, 2)?;
        } else {
            p.write(base, p.read(base + 1) ^ (p.read(base + 2) >> 1));
            p.cross_set(Pipe::Fix, 2, 5, 3)?;
            p.cross_wait(6, 4)?;
        }
    }
});

#[test]
fn mode_2_carries_data_between_the_cube_core_and_both_vector_cores() {
    let words = launch(ping_pong, KernelType::MixAic12, 2 * CUBE_CORES + 1);
    let mut expected = [0_u32; 3];
    for round in 0..50 {
        let [_, first, second] = expected;
        let number = first ^ (second >> 1);
        expected = [
            number,
            number.wrapping_mul(2).wrapping_add(round),
            number.wrapping_mul(2).wrapping_add(1 + round),
        ];
    }
    for block in words.chunks(4).take(2 * CUBE_CORES as usize + 1) {
        assert_eq!(block[..3], expected);
    }
}

kernel!(rotate, |p| {
    // Each core reads what its neighbour wrote in the round before.
    let (cores, me) = (p.view.block_num as usize, p.view.block_idx as usize);
    for round in 0..20_usize {
        let (from, to) = (round % 2 * cores, (round + 1) % 2 * cores);
        p.write(to + me, p.read(from + (me + 1) % cores) + me as u32);
        p.cross_set(Pipe::Mte3, 0, 3, 1)?;
        p.cross_wait(3, 2)?;
    }
});

kernel!(rotate_meeting, |p| {
    let (cores, me) = (p.view.block_num as usize, p.view.block_idx as usize);
    for round in 0..20_usize {
        let (from, to) = (round % 2 * cores, (round + 1) % 2 * cores);
        p.write(to + me, p.read(from + (me + 1) % cores) + me as u32);
        let scope = if p.vector() { SyncScope::Vector } else { SyncScope::Cube };
        p.sync_all(scope, if round % 3 == 0 { cores as u32 } else { 0 }, 1)?;
    }
});

#[test]
fn all_cores_of_a_kind_meet_by_mode_0_and_by_sync_all() {
    for (kernel_type, cores) in
        [(KernelType::MixAiv10, 2 * CUBE_CORES as usize), (KernelType::MixAic10, CUBE_CORES as usize)]
    {
        let mut expected = vec![0_u32; cores];
        for _ in 0..20 {
            expected = (0..cores).map(|me| expected[(me + 1) % cores] + me as u32).collect();
        }
        for entry in [rotate as Entry, rotate_meeting] {
            assert_eq!(launch(entry, kernel_type, cores as u32)[..cores], expected);
        }
    }
}

kernel!(exchange_in_block, |p| {
    if p.vector() {
        let (block, me) = (p.view.block_idx as usize * 2, p.view.sub_block_idx as usize);
        p.write(block + me, 7 + p.vector_index());
        p.cross_set(Pipe::Vector, 1, 9, 1)?;
        p.cross_wait(9, 2)?;
        p.write(100 + block + me, p.read(block + 1 - me));
    }
    p.sync_all(SyncScope::Mixed, 0, 3)?;
    if !p.vector() {
        p.write(
            200 + p.view.block_idx as usize,
            (100..100 + 2 * p.view.block_num as usize).map(|i| p.read(i)).sum(),
        );
    }
});

#[test]
fn mode_1_joins_the_vector_cores_of_a_block_and_a_mixed_meeting_all_cores() {
    let words = launch(exchange_in_block, KernelType::MixAic12, CUBE_CORES);
    assert_eq!(words[100..104], [8, 7, 10, 9]);
    let sum: u32 = (0..2 * CUBE_CORES).map(|index| 7 + index).sum();
    assert_eq!(words[200..200 + CUBE_CORES as usize], [sum; CUBE_CORES as usize]);
}

kernel!(held_pipe, |p| {
    p.wait(Pipe::Vector, Pipe::Mte3, 2, 1)?;
    p.post(Pipe::Mte3, 0, 1, 2)?;
    p.set(Pipe::Mte3, Pipe::Mte2, 7, 3)?;
    p.wait(Pipe::Mte3, Pipe::Mte2, 7, 4)?;
    p.barrier(Pipe::Mte2, 5)?;
    p.post(Pipe::Mte2, 1, p.read(0) + 10, 6)?;
    // Another event, and the same event from another pipe, do not free it.
    p.set(Pipe::Vector, Pipe::Mte3, 3, 7)?;
    p.set(Pipe::Scalar, Pipe::Mte3, 2, 8)?;
    p.write(2, p.read(0) + p.read(1) + 100);
    p.set(Pipe::Vector, Pipe::Mte3, 2, 9)?;
    p.write(3, p.read(0) + p.read(1) + 1000);
    p.set(Pipe::Mte2, Pipe::Scalar, 0, 10)?;
    p.wait(Pipe::Mte2, Pipe::Scalar, 0, 11)?;
    p.barrier(Pipe::All, 12)?
});

#[test]
fn a_flag_holds_its_pipe_and_all_that_comes_after_until_it_is_set() {
    assert_eq!(launch(held_pipe, KernelType::AivOnly, 1)[..4], [1, 10, 100, 1011]);
}

kernel!(words_of_memory, |p| {
    // A chain: each block waits for the one before and posts for the next; the first posts by itself.
    let me = p.view.block_idx as usize;
    if me > 0 {
        p.wait_word(me, 5, 9, 1)?;
    }
    p.write(100 + me, if me > 0 { p.read(99 + me) + 1 } else { 1 });
    p.post(Pipe::Scalar, me + 1, 5, 2)?
});

#[test]
fn a_word_of_memory_holds_a_core_until_another_posts_it() {
    let cores = 2 * CUBE_CORES as usize;
    let words = launch(words_of_memory, KernelType::AivOnly, cores as u32);
    assert_eq!(words[..cores + 2], [&[0][..], &vec![9; cores - 1], &[5, 0]].concat());
    assert_eq!(words[100..100 + cores], (1..=cores as u32).collect::<Vec<_>>());
}

kernel!(plain_store, |p| {
    if p.view.block_idx == 0 {
        p.wait_word(0, 3, 4, 1)?;
    } else {
        p.write(0, 3);
    }
});

#[test]
fn a_word_may_be_written_without_a_post() {
    assert_eq!(launch(plain_store, KernelType::AivOnly, 2)[0], 4);
}

kernel!(polling, |p| {
    if p.view.block_idx == 0 {
        let clean = CleanCache { kind: Kind::CleanCache as u16, pipe: 0, reserved: 0, entire: 1, address: 0 };
        while p.read(0) == 0 {
            p.execute(&clean, 1)?;
        }
        p.write(1, p.read(0));
    } else {
        p.write(0, 8);
    }
});

kernel!(polling_for_one_that_waits, |p| {
    // The word comes from a core that waits for a flag, which the sanitizer's schedule gives late.
    let clean = CleanCache { kind: Kind::CleanCache as u16, pipe: 0, reserved: 0, entire: 1, address: 0 };
    if p.vector() && p.view.sub_block_idx == 0 {
        p.cross_wait(0, 1)?;
        p.write(p.view.block_idx as usize, 1);
    } else {
        if !p.vector() {
            p.cross_set(Pipe::Fix, 2, 0, 2)?;
        }
        while (0..p.view.block_num).any(|block| p.read(block as usize) == 0) {
            p.execute(&clean, 3)?;
        }
        if p.vector() {
            p.cross_wait(0, 4)?;
        }
    }
});

#[test]
fn cores_that_poll_do_not_hold_up_those_that_wait() {
    assert_eq!(launch(polling_for_one_that_waits, KernelType::MixAic12, 3)[..3], [1; 3]);
}

#[test]
fn a_core_that_polls_memory_lets_others_run() {
    assert_eq!(launch(polling, KernelType::AivOnly, 2)[..2], [8, 8]);
}

kernel!(scalar_waits, |p| {
    p.set(Pipe::Vector, Pipe::Mte3, 1, 10)?;
    p.wait(Pipe::Vector, Pipe::Scalar, 1, 11)?;
    p.write(0, 1)
});
kernel!(ends_held, |p| {
    p.wait(Pipe::Mte3, Pipe::Mte2, 4, 20)?;
    p.wait(Pipe::Mte2, Pipe::Vector, 5, 21)?
});
kernel!(barrier_held, |p| {
    p.wait(Pipe::Mte3, Pipe::Mte2, 4, 30)?;
    p.barrier(Pipe::All, 31)?;
    p.write(0, 1)
});
kernel!(unpaired, |p| {
    if p.vector() {
        if p.view.sub_block_idx == 0 {
            p.cross_set(Pipe::Mte3, 2, 1, 40)?;
        }
    } else {
        p.cross_wait(1, 41)?;
    }
});
kernel!(wait_for_each_other, |p| {
    p.cross_wait(2, 50)?;
    p.cross_set(Pipe::Vector, 0, 2, 51)?
});
kernel!(absent, |p| {
    if p.view.block_idx != 1 {
        p.sync_all(SyncScope::Vector, 0, 60)?;
    }
});
kernel!(unposted, |p| {
    p.write(0, 2);
    p.wait_word(1, 3, 0, 70)?
});
kernel!(meeting, |p| {
    p.cross_set(Pipe::Mte3, 0, 0, 80)?;
    p.cross_wait(0, 81)?
});

#[test]
fn a_core_that_waits_for_itself_is_a_deadlock() {
    let aiv = KernelType::AivOnly;
    deadlock(scalar_waits, aiv, 1, &["AIV 0: S waits for event 1 of V, which nothing sets (kernel.cpp:11)"]);
    deadlock(
        barrier_held,
        aiv,
        1,
        &["AIV 0: MTE2 waits for event 4 of MTE3, which nothing sets (kernel.cpp:30)"],
    );
    let held = [
        "AIV 0: V waits for event 5 of MTE2, which nothing sets (kernel.cpp:21)",
        "AIV 0: MTE2 waits for event 4 of MTE3, which nothing sets (kernel.cpp:20)",
    ];
    deadlock(ends_held, aiv, 1, &held);
}

#[test]
fn cores_that_wait_for_each_other_are_a_deadlock() {
    deadlock(
        unpaired,
        KernelType::MixAic12,
        2,
        &[
            "AIC 0: CrossWait waits for flag 1 of other cores (1 of 2 cores have set it, AIV 1 not) (kernel.cpp:41)",
            "AIC 1: CrossWait waits for flag 1 of other cores (1 of 2 cores have set it, AIV 3 not) (kernel.cpp:41)",
        ],
    );
    let each = ["AIV 0: CrossWait waits for flag 2 of other cores (kernel.cpp:50)"];
    deadlock(wait_for_each_other, KernelType::MixAiv10, 1, &each);
    deadlock(
        absent,
        KernelType::MixAiv10,
        3,
        &[
            "AIV 0: SyncAll waits for all cores to meet (2 of 3 are there) (kernel.cpp:60)",
            "AIV 2: SyncAll waits for all cores to meet (2 of 3 are there) (kernel.cpp:60)",
        ],
    );
}

#[test]
fn a_word_that_nobody_posts_is_a_deadlock() {
    let Stop::Deadlock(message) =
        launch_with(unposted, KernelType::AivOnly, 1, Options::default()).0.stop.unwrap()
    else {
        panic!("no deadlock")
    };
    assert!(message.contains("AIV 0: WaitMemory waits for the value 3 at GM 0x"), "{message}");
    assert!(message.ends_with("(there is 0) (kernel.cpp:70)"), "{message}");
}

#[test]
fn more_blocks_than_cores_cannot_meet() {
    let Stop::Deadlock(message) = stop(meeting, KernelType::MixAic10, CUBE_CORES + 2) else {
        panic!("no deadlock")
    };
    assert!(message.contains("(4 of 6 cores have set it, AIC 4, AIC 5 not) (kernel.cpp:81)"), "{message}");
    assert!(message.ends_with("blocks 4 to 5 have not started"), "{message}");
}

kernel!(fails_late, |p| {
    // Block 5 fails before block 3 can; the message is that of the lowest that fails.
    if p.view.block_idx == 3 {
        p.wait_word(0, 1, 1, 1)?;
    }
    if p.view.block_idx == 5 {
        p.post(Pipe::Scalar, 0, 1, 2)?;
    }
    if matches!(p.view.block_idx, 3 | 5) {
        let text = format!("block {} is bad", p.view.block_idx);
        let site = Site { file: FILE.as_ptr(), line: 90, reserved: 0 };
        // SAFETY: The text has so many bytes.
        unsafe { (p.model().fail)(p.view.core, text.as_ptr().cast(), text.len() as u64, site) };
        // The kernel must end now; what it still asks for is refused.
        assert!(p.post(Pipe::Scalar, 1, 1, 91).is_err());
        return Err(());
    }
    p.sync_all(SyncScope::Vector, 0, 92)?
});

#[test]
fn the_lowest_core_that_fails_is_the_reason() {
    exception(
        fails_late,
        KernelType::MixAiv10,
        8,
        "kernel sample: AIV 3 (block 3): kernel.cpp:90: block 3 is bad",
    );
}

kernel!(returns_nonzero, |_p| Err::<(), ()>(())?);
kernel!(unknown_instruction, |p| p.execute(&[9999_u16; 64], 1)?);
kernel!(scalar_out_of_bounds, |p| {
    let site = Site { file: FILE.as_ptr(), line: 5, reserved: 0 };
    // SAFETY: The core is that of the view.
    let code = unsafe { (p.model().scalar_access)(p.view.core, (1 << 56) + (192 << 10) - 2, 4, 0, site) };
    assert_eq!(code, 1);
    Err::<(), ()>(())?
});

#[test]
fn what_the_kernel_does_wrong_stops_it_with_a_message() {
    let aiv = KernelType::AivOnly;
    exception(returns_nonzero, aiv, 1, "kernel sample: AIV 0 (block 0): the kernel returned 1");
    let unknown = "kernel sample: AIV 0 (block 0): the kernel passed an instruction of an unknown kind";
    exception(unknown_instruction, aiv, 1, unknown);
    exception(
        scalar_out_of_bounds,
        aiv,
        1,
        "kernel sample: AIV 0 (block 0): scalar unit at kernel.cpp:5: \
         4 bytes at UB +0x2fffe are out of bounds of the 196608 bytes of the memory",
    );
}

kernel!(bad_event, |p| {
    for index in 0..p.view.block_num {
        p.set(Pipe::Vector, Pipe::Mte3, 8, 33)?;
        p.write(0, 1 + index);
    }
});

#[test]
fn a_refused_instruction_ends_the_kernel_or_is_left_out_by_the_sanitizer() {
    let check = Options { level: Level::Check, ..Options::default() };
    let (outcome, words) = launch_with(bad_event, KernelType::AivOnly, 1, Options::default());
    let message = "kernel sample: AIV 0 (block 0): V SetFlag at kernel.cpp:33: the event is 8, which is not within 0..=7";
    assert_eq!(outcome.stop, Some(Stop::Exception(message.to_owned())));
    assert_eq!(words[0], 0);
    let (outcome, words) = launch_with(bad_event, KernelType::AivOnly, 1, check);
    assert_eq!((outcome.stop, words[0]), (None, 1));
    // So many that the core must end.
    let (outcome, words) = launch_with(bad_event, KernelType::AivOnly, 64, check);
    assert_eq!(words[0], 63);
    assert!(
        matches!(outcome.stop, Some(Stop::Exception(message)) if message.ends_with("the core had 64 faults"))
    );
}

kernel!(unknown_modes, |p| p.cross_set(Pipe::Mte3, 2, 0, 1)?);

#[test]
fn a_kernel_without_cube_cores_has_no_flags_of_mode_2() {
    let (outcome, _) = launch_with(unknown_modes, KernelType::MixAiv10, 1, Options::default());
    assert!(matches!(outcome.stop, Some(Stop::Exception(message)) if message.contains("no flags of mode 2")));
}

#[test]
fn missing_code_and_missing_arguments_are_refused() {
    let kernel = Kernel {
        name: "sample".to_owned(),
        kernel_type: KernelType::MixAic12,
        cube: Some(places),
        vector: None,
        argument_bytes: 0,
    };
    let launch = |kernel| Launch {
        kernel,
        block_num: 1,
        arguments: Vec::new(),
        global: Arc::default(),
        cube_cores: CUBE_CORES,
        options: Options::default(),
    };
    let message = "kernel sample: no code for a core of the type MixAic12";
    assert_eq!(run(launch(kernel.clone())).stop, Some(Stop::Exception(message.to_owned())));
    let kernel = Kernel { vector: Some(places), argument_bytes: 8, ..kernel };
    let message = "kernel sample: 0 bytes of arguments, 8 expected";
    assert_eq!(run(launch(kernel)).stop, Some(Stop::Exception(message.to_owned())));
}

kernel!(talks, |p| {
    let kind = if p.vector() { "vector" } else { "cube" };
    if p.view.block_idx == 0 && !p.vector() {
        p.wait_word(0, 1, 1, 1)?;
    }
    p.print(&format!("{kind} {} {}\n", p.view.block_idx, p.view.sub_block_idx));
    if p.view.block_idx == 1 && p.vector() {
        p.print("again\n");
        p.post(Pipe::Scalar, 0, 1, 1)?;
    }
});

#[test]
fn prints_are_told_in_the_order_of_the_cores() {
    for threads in [1, 2, 8] {
        let (outcome, _) =
            launch_with(talks, KernelType::MixAic11, 2, Options { threads, ..Options::default() });
        assert_eq!(outcome.printed, ["cube 0 0\n", "vector 0 0\n", "cube 1 0\n", "vector 1 0\nagain\n"]);
    }
}

kernel!(counts, |p| {
    // SAFETY: The core is that of the view.
    let ticks = || unsafe { (p.model().read_register)(p.view.core, Register::SystemCycle as u32) } as u32;
    let me = p.view.block_idx as usize * 4;
    p.write(me, ticks());
    p.barrier(Pipe::Vector, 1)?;
    p.barrier(Pipe::Vector, 2)?;
    p.write(me + 1, ticks());
    p.write(me + 2, ticks())
});

#[test]
fn the_counter_is_the_same_on_every_host_and_never_stands_still() {
    let words = launch(counts, KernelType::AivOnly, 2);
    assert_eq!(words[..3], [1, 4, 5]);
    assert_eq!(words[4..7], [1, 4, 5]);
}

#[test]
fn a_trace_has_the_instructions_of_each_core_in_the_order_of_issue() {
    let options = Options { trace: true, ..Options::default() };
    let (outcome, _) = launch_with(held_pipe, KernelType::MixAiv10, 2, options);
    assert_eq!(outcome.instructions, 24);
    assert_eq!(outcome.traces.len(), 2);
    for (block, trace) in outcome.traces.iter().enumerate() {
        assert_eq!((trace.core_type, trace.block as usize, trace.sub_block), (CoreType::Aiv, block, 0));
        assert_eq!(trace.files, ["kernel.cpp"]);
        assert_eq!(
            trace.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(),
            (1..=12).collect::<Vec<_>>()
        );
        assert!(trace.entries.iter().enumerate().all(|(index, entry)| entry.order == index as u64 + 1));
        let first = trace.entries[0];
        assert_eq!((first.instruction.name(), first.pipe), ("WaitFlag", Pipe::Mte3));
    }
    assert!(launch_with(held_pipe, KernelType::MixAiv10, 2, Options::default()).0.traces.is_empty());
}

kernel!(keeps_local_memory, |p| {
    // SAFETY: A byte of the core's unified buffer.
    let byte = unsafe { std::sync::atomic::AtomicU8::from_ptr(p.view.base[1].wrapping_add(77)) };
    let found = u32::from(byte.swap(1, Ordering::Relaxed));
    let workspace = p.view.system_workspace.cast::<u32>();
    // SAFETY: A word of the system workspace for each block.
    let word = unsafe { AtomicU32::from_ptr(workspace.wrapping_add(p.view.block_idx as usize)) };
    p.write(p.view.block_idx as usize, 10 + found + word.swap(1, Ordering::Relaxed));
    // Instructions reach it too.
    let address = workspace.wrapping_add(1000 + p.view.block_idx as usize) as u64;
    let kind = Kind::PostMemory as u16;
    p.execute(&PostMemory { kind, pipe: 0, reserved: 0, value: 1, address }, 1)?
});

#[test]
fn local_memory_and_the_system_workspace_are_zero_at_the_start() {
    let blocks = 6 * CUBE_CORES;
    let words = launch(keeps_local_memory, KernelType::AivOnly, blocks);
    assert_eq!(words[..blocks as usize], vec![10; blocks as usize]);
}

#[test]
fn what_depends_on_the_order_is_done_in_the_order_of_the_cores() {
    for threads in [1, 2, 8] {
        let schedule = Schedule::new(Layout::new(KernelType::AivOnly, 12), 8, threads, false);
        let log = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for worker in 0..schedule.workers() {
                let (schedule, log) = (&schedule, &log);
                scope.spawn(move || {
                    while let Some(core) = schedule.next(worker) {
                        if core == 2 {
                            // Its second turn is with those of the blocks that start later.
                            schedule.in_turn(core, || log.lock().push((0, core))).unwrap();
                        }
                        if core != 5 {
                            schedule.in_turn(core, || log.lock().push((1, core))).unwrap();
                        }
                        schedule.end(core, false);
                    }
                });
            }
        });
        let first = [(1, 0), (1, 1), (0, 2), (1, 3), (1, 4), (1, 6), (1, 7), (1, 8)];
        let log = log.into_inner();
        assert_eq!(log[..8], first, "{threads}");
        assert_eq!(log[8..], [(1, 2), (1, 9), (1, 10), (1, 11)], "{threads}");
    }
}

kernel!(runs_ahead, |p| {
    for _ in 0..16 {
        if p.vector() {
            p.cross_wait(0, 1)?;
        } else {
            p.cross_set(Pipe::Fix, 2, 0, 2)?;
        }
    }
});

#[test]
fn a_counter_that_overflows_is_the_same_at_every_number_of_threads() {
    for threads in [1, 2, 8] {
        let schedule = Schedule::new(Layout::new(KernelType::MixAic11, 1), 1, threads, true);
        let overflows = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for worker in 0..2 {
                let (schedule, overflows) = (&schedule, &overflows);
                scope.spawn(move || {
                    while let Some(core) = schedule.next(worker) {
                        for round in 0..17 {
                            if core == 1 {
                                schedule.cross_wait(core, 4).unwrap();
                            } else if schedule.cross_set(core, 2, 4, None).unwrap() {
                                overflows.lock().push(round);
                            }
                        }
                        schedule.end(core, false);
                    }
                });
            }
        });
        assert_eq!(overflows.into_inner(), [15, 16], "{threads}");
    }
    launch(runs_ahead, KernelType::MixAic12, 2);
}
