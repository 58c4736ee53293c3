//! The sanitizer on kernels with planted bugs, and on the same kernels without them.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard};

use ascendcl_sim::kernel::{
    Finding,
    FindingKind::{self, *},
    Level, Options, configure, take_reports,
};
use ascendcl_sim_cc::Build;
use ascendcl_sys::*;
use common::*;

/// Bytes of each of the two tensors that a kernel gets.
const TENSOR: usize = 256 << 10;
const SOURCES: [&str; 3] = ["vector.cpp", "cube.cpp", "mixed.cpp"];

/// Sources of kernels without bugs: their third argument is a number of tiles.
const SAMPLES: [&str; 2] = ["../add_one_queues.cpp", "../static_double_buffer.cpp"];

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/bugs").join(name)
}

/// The object of all the kernels.
static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let build = Build::new(FOLDER.path().join("bugs.so")).include(source(""));
    SOURCES.iter().chain(&SAMPLES).fold(build, |build, name| build.source(source(name))).run().unwrap().output
});

/// What a finding says of who did something: core, pipe, instruction.
type Who = (&'static str, &'static str, &'static str);

struct Planted {
    kernel: &'static str,
    kind: FindingKind,
    who: Who,
    /// Who did what the bug conflicts with.
    earlier: Option<Who>,
}

const fn planted(kernel: &'static str, kind: FindingKind, who: Who) -> Planted {
    Planted { kernel, kind, who, earlier: None }
}

impl Planted {
    const fn after(mut self, earlier: Who) -> Self {
        self.earlier = Some(earlier);
        self
    }
}

const BUFFER: Who = ("AIC 0", "S", "new buffer");

/// On vector cores.
const VECTOR: &[Planted] = &[
    planted("ub_out_of_bounds", OutOfBounds, ("AIV 0", "MTE2", "Copy")),
    planted("gm_out_of_bounds", OutOfBounds, ("AIV 0", "MTE2", "Copy")),
    planted("ub_misaligned", Misaligned, ("AIV 0", "V", "Vector")),
    planted("ub_not_written", UninitializedRead, ("AIV 0", "V", "Vector")),
    planted("no_flag_mte2_v", MissingFlag, ("AIV 0", "V", "Vector")).after(("AIV 0", "MTE2", "Copy")),
    planted("no_flag_v_mte3", MissingFlag, ("AIV 0", "MTE3", "Copy")).after(("AIV 0", "V", "Vector")),
    planted("no_flag_mte3_mte2", MissingFlag, ("AIV 0", "MTE2", "Copy")).after(("AIV 0", "MTE3", "Copy")),
    planted("no_flag_v_mte2", MissingFlag, ("AIV 0", "MTE2", "Copy")).after(("AIV 0", "V", "Vector")),
    planted("no_flag_v_s", MissingFlag, ("AIV 0", "S", "GetValue")).after(("AIV 0", "V", "Vector")),
    planted("no_flag_of_the_event", MissingFlag, ("AIV 0", "V", "Vector")).after(("AIV 0", "MTE2", "Copy")),
    planted("no_barrier_v", MissingBarrier, ("AIV 0", "V", "Vector")).after(("AIV 0", "V", "Vector")),
    planted("no_barrier_mte2", MissingBarrier, ("AIV 0", "MTE2", "Copy")).after(("AIV 0", "MTE2", "Copy")),
    planted("no_barrier_mte3", MissingBarrier, ("AIV 0", "MTE3", "Copy")).after(("AIV 0", "MTE3", "Copy")),
    planted("event_reused", EventReused, ("AIV 0", "MTE2", "SetFlag")).after(("AIV 0", "MTE2", "SetFlag")),
    planted("flag_left", FlagLeft, ("AIV 0", "V", "SetFlag")),
    planted("deadlock_in_a_core", Deadlock, ("AIV 0", "V", "WaitFlag")),
    planted("repeat_too_large", FieldLimit, ("AIV 0", "V", "Vector")),
    planted("block_count_too_large", FieldLimit, ("AIV 0", "MTE2", "Copy")),
    planted("event_too_large", FieldLimit, ("AIV 0", "MTE2", "SetFlag")),
    planted("assertion_fails", Assertion, ("AIV 0", "S", "assertion")),
    planted("ub_overlap", Overlap, ("AIV 0", "S", "new buffer")).after(("AIV 0", "S", "new buffer")),
    planted("ub_used_after_it_was_freed", UseAfterFree, ("AIV 0", "V", "Vector")).after((
        "AIV 0",
        "S",
        "release of a buffer",
    )),
];

/// On two vector cores.
const VECTORS: &[Planted] = &[
    planted("no_flag_between_vector_cores", MissingCrossCoreFlag, ("AIV 1", "MTE2", "Copy"))
        .after(("AIV 0", "MTE3", "Copy")),
    planted("no_meeting_of_vector_cores", MissingCrossCoreFlag, ("AIV 1", "MTE2", "Copy"))
        .after(("AIV 0", "MTE3", "Copy")),
    planted("deadlock_of_cores", Deadlock, ("AIV 0", "S", "CrossWait")),
];

/// On a cube core.
const CUBE: &[Planted] = &[
    planted("l1_out_of_bounds", OutOfBounds, ("AIC 0", "MTE2", "Copy")),
    planted("l0a_out_of_bounds", OutOfBounds, ("AIC 0", "MTE1", "Load2d")),
    planted("l0b_out_of_bounds", OutOfBounds, ("AIC 0", "MTE1", "Load2d")),
    planted("l0c_out_of_bounds", OutOfBounds, ("AIC 0", "M", "Mmad")),
    planted("bt_out_of_bounds", OutOfBounds, ("AIC 0", "MTE1", "Copy")),
    planted("gm_out_of_bounds_of_fixpipe", OutOfBounds, ("AIC 0", "FIX", "Fixpipe")),
    planted("l0a_misaligned", Misaligned, ("AIC 0", "MTE1", "Load2d")),
    planted("l1_not_written", UninitializedRead, ("AIC 0", "MTE1", "Load2d")),
    planted("l0c_not_written", UninitializedRead, ("AIC 0", "FIX", "Fixpipe")),
    planted("l0c_added_to_but_not_written", UninitializedRead, ("AIC 0", "M", "Mmad")),
    planted("no_flag_mte2_mte1", MissingFlag, ("AIC 0", "MTE1", "Load2d")).after(("AIC 0", "MTE2", "Copy")),
    planted("no_flag_mte1_mte2", MissingFlag, ("AIC 0", "MTE2", "Copy")).after(("AIC 0", "MTE1", "Load2d")),
    planted("no_flag_mte1_m", MissingFlag, ("AIC 0", "M", "Mmad")).after(("AIC 0", "MTE1", "Load2d")),
    planted("no_flag_m_mte1", MissingFlag, ("AIC 0", "MTE1", "Load2d")).after(("AIC 0", "M", "Mmad")),
    planted("no_flag_m_fix", MissingFlag, ("AIC 0", "FIX", "Fixpipe")).after(("AIC 0", "M", "Mmad")),
    planted("no_flag_fix_m", MissingFlag, ("AIC 0", "M", "Mmad")).after(("AIC 0", "FIX", "Fixpipe")),
    planted("no_barrier_m", MissingBarrier, ("AIC 0", "M", "Mmad")).after(("AIC 0", "M", "Mmad")),
    planted("l1_overlap", Overlap, BUFFER).after(BUFFER),
    planted("l0a_overlap", Overlap, BUFFER).after(BUFFER),
    planted("l0c_overlap", Overlap, BUFFER).after(BUFFER),
    planted("l1_row_count_too_large", FieldLimit, ("AIC 0", "MTE2", "NdToNz")),
];

/// On a block of a cube core and two vector cores.
const MIXED: &[Planted] = &[
    planted("no_flag_from_cube_to_vector", MissingCrossCoreFlag, ("AIV 0", "MTE2", "Copy"))
        .after(("AIC 0", "FIX", "Fixpipe")),
    planted("flag_of_the_wrong_pipe", MissingCrossCoreFlag, ("AIV 0", "MTE2", "Copy"))
        .after(("AIC 0", "FIX", "Fixpipe")),
    planted("no_flag_from_vector_to_cube", MissingCrossCoreFlag, ("AIV 0", "MTE3", "Copy"))
        .after(("AIC 0", "MTE2", "Copy")),
    planted("no_flag_back_to_the_cube", MissingCrossCoreFlag, ("AIV 0", "MTE2", "Copy"))
        .after(("AIC 0", "FIX", "Fixpipe")),
    planted("counter_overflow", FlagOverflow, ("AIC 0", "FIX", "CrossSet")),
    planted("deadlock_of_a_block", Deadlock, ("AIC 0", "S", "CrossWait")),
    planted("flag_left_for_the_vector_cores", FlagLeft, ("AIC 0", "FIX", "CrossSet")),
    planted("flag_of_one_vector_core", FlagLeft, ("AIV 1", "MTE3", "CrossSet")),
    planted("flag_number_too_large", FieldLimit, ("AIC 0", "FIX", "CrossSet")),
];

/// Kernels that have no bug, whatever their argument.
const RIGHT: [&str; 2] = ["tensors_at_one_place", "l1_rows_that_fill_no_fractal"];

/// Kernels are launched by one test at a time: options and reports are the process's.
static TURN: Mutex<()> = Mutex::new(());

struct Bench {
    _turn: MutexGuard<'static, ()>,
    _device: TestDevice,
    binary: aclrtBinHandle,
}

impl Bench {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let device = TestDevice::take();
        let path = CString::new(OBJECT.to_str().unwrap()).unwrap();
        let mut binary = aclrtBinHandle::null();
        ok!(aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary));
        Self { _turn: turn, _device: device, binary }
    }

    /// What the sanitizer finds in a launch with or without the bug.
    fn findings(
        &self,
        kernel: &str,
        wrong: bool,
        blocks: u32,
        auto_sync: bool,
        threads: usize,
    ) -> Vec<Finding> {
        self.launch(kernel, wrong.into(), blocks, auto_sync, threads)
    }

    /// What the sanitizer finds in one launch, which fails if the kernel has to be stopped.
    fn launch(
        &self,
        kernel: &str,
        mut argument: u32,
        blocks: u32,
        auto_sync: bool,
        threads: usize,
    ) -> Vec<Finding> {
        configure(Options { level: Level::Check, auto_sync, trace: false, threads });
        let name = CString::new(kernel).unwrap();
        let mut function = aclrtFuncHandle::null();
        ok!(aclrtBinaryGetFunction(self.binary, name.as_ptr(), &mut function));
        let (x, y, stream) = (malloc(TENSOR), malloc(TENSOR), stream());
        for tensor in [x, y] {
            ok!(aclrtMemset(tensor, TENSOR, 0, TENSOR));
        }
        let mut list = aclrtArgsHandle::null();
        ok!(aclrtKernelArgsInit(function, &mut list));
        let mut parameter = aclrtParamHandle::null();
        for mut address in [x, y] {
            ok!(aclrtKernelArgsAppend(list, (&raw mut address).cast(), 8, &mut parameter));
        }
        ok!(aclrtKernelArgsAppend(list, (&raw mut argument).cast(), 4, &mut parameter));
        ok!(aclrtKernelArgsFinalize(list));
        take_reports();
        ok!(aclrtLaunchKernelWithConfig(function, blocks, stream, ptr::null_mut(), list, ptr::null_mut()));
        let code = code!(aclrtSynchronizeStream(stream));
        let mut reports = take_reports();
        assert_eq!(reports.len(), 1, "{kernel}: {code} {}", message());
        ok!(aclrtDestroyStream(stream));
        for tensor in [x, y] {
            ok!(aclrtFree(tensor));
        }
        reports.remove(0).findings
    }
}

/// The line of a kernel that a comment marks, as `file:line`.
fn line(kernel: &str, mark: &str) -> (String, u32) {
    for name in SOURCES {
        let path = source(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut inside = false;
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with("extern \"C\"") {
                inside = line.contains(&format!(" {kernel}("));
            }
            if inside && line.ends_with(&format!("// {mark}")) {
                return (path.to_str().unwrap().to_owned(), number);
            }
        }
    }
    panic!("{kernel} has no line that is marked {mark}");
}

fn who(actor: &ascendcl_sim::kernel::Actor) -> (&str, &str, &str) {
    (&actor.core, &actor.pipe, &actor.instruction)
}

fn place(actor: &ascendcl_sim::kernel::Actor) -> (String, u32) {
    (actor.source.file.clone(), actor.source.line)
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n{finding}")).collect()
}

/// Each bug is the only finding of its kernel, on any number of host threads; without the bug there is none.
fn judge(bugs: &[Planted], blocks: u32) {
    let bench = Bench::new();
    let mut failures = String::new();
    for bug in bugs {
        let found = bench.findings(bug.kernel, true, blocks, false, 1);
        let right = match found.as_slice() {
            [only] => {
                only.kind == bug.kind
                    && who(&only.actor) == bug.who
                    && place(&only.actor) == line(bug.kernel, "BUG")
                    && only.other.as_ref().map(who) == bug.earlier
                    && only.other.as_ref().map(place) == bug.earlier.map(|_| line(bug.kernel, "EARLIER"))
                    && only.is_error()
            }
            _ => false,
        };
        if !right {
            failures += &format!("\n\n{} with {:?} finds{}", bug.kernel, bug.kind, text(&found));
        }
        for threads in [2, 8] {
            let again = bench.findings(bug.kernel, true, blocks, false, threads);
            if again != found {
                failures += &format!("\n\n{} on {threads} threads finds{}", bug.kernel, text(&again));
            }
        }
        for auto_sync in [false, true] {
            let none = bench.findings(bug.kernel, false, blocks, auto_sync, 2);
            if !none.is_empty() {
                failures += &format!("\n\n{} without the bug finds{}", bug.kernel, text(&none));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn bugs_of_a_vector_core_are_found() {
    judge(VECTOR, 1);
}

#[test]
fn bugs_between_vector_cores_are_found() {
    judge(VECTORS, 2);
}

#[test]
fn bugs_of_a_cube_core_are_found() {
    judge(CUBE, 1);
}

#[test]
fn bugs_between_cube_and_vector_cores_are_found() {
    judge(MIXED, 1);
}

#[test]
fn what_the_compiler_orders_is_a_note() {
    let bench = Bench::new();
    for kernel in ["no_barrier_v", "no_flag_v_s"] {
        let found = bench.findings(kernel, true, 1, true, 1);
        let kinds: Vec<_> = found.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [AutoSync], "{kernel}{}", text(&found));
        assert!(!found[0].is_error());
        assert_eq!(place(&found[0].actor), line(kernel, "BUG"));
    }
}

#[test]
fn what_is_right_has_no_findings() {
    let bench = Bench::new();
    for kernel in RIGHT {
        for argument in [0, 1] {
            let found = bench.launch(kernel, argument, 1, false, 1);
            assert!(found.is_empty(), "{kernel}{}", text(&found));
        }
    }
}

#[test]
fn sample_kernels_have_no_findings() {
    let bench = Bench::new();
    for (kernel, blocks) in [("add_one_queues", 3), ("static_double_buffer", 1)] {
        for auto_sync in [false, true] {
            let found = bench.launch(kernel, 9, blocks, auto_sync, 2);
            assert!(found.is_empty(), "{kernel}{}", text(&found));
        }
    }
}

#[test]
fn every_planted_bug_is_tested() {
    let tested: Vec<_> =
        [VECTOR, VECTORS, CUBE, MIXED].iter().flat_map(|bugs| bugs.iter().map(|bug| bug.kernel)).collect();
    for name in SOURCES {
        let text = std::fs::read_to_string(source(name)).unwrap();
        for head in text.lines().filter(|line| line.starts_with("extern \"C\"")) {
            let kernel = head.split("void ").nth(1).unwrap().split('(').next().unwrap();
            assert!(tested.contains(&kernel) || RIGHT.contains(&kernel), "{kernel}");
        }
    }
}
