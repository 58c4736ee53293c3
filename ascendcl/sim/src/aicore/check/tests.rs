//! Planted bugs with their correct twins, and random programs against an oracle that knows only the graph of
//! what must happen before what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Checker, CoreChecker, Finding, FindingKind, Site};
use crate::aicore::abi::{self, CoreType, Pipe, SyncScope};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Instruction;
use crate::aicore::launch::Options;
use crate::aicore::memory::{Access, Address, GlobalMemory, Space, Use};

fn site(line: u32) -> Site {
    Site { file: c"kernel.cpp".as_ptr(), line, reserved: 0 }
}

/// An instruction of a pipe; what it does is told by its accesses.
fn of(pipe: Pipe) -> Instruction {
    Instruction::Barrier(abi::Barrier { kind: 0, pipe: pipe as u8, reserved: 0, reserved1: 0 })
}

fn mmad(m: u32, n: u32, unit_flag: u8) -> Instruction {
    Instruction::Mmad(abi::Mmad {
        kind: abi::Kind::Mmad as u16,
        pipe: Pipe::Cube as u8,
        reserved: 0,
        c_type: abi::DataType::F32 as u8,
        a_type: abi::DataType::F16 as u8,
        b_type: abi::DataType::F16 as u8,
        unit_flag,
        c: 0,
        a: 0,
        b: 0,
        bias: 0,
        m,
        n,
        k: 16,
        c_init: 0,
        c_source: 0,
        gemv_disabled: 0,
        k_direction_align: 0,
        hf32: 0,
        reserved1: [0; 7],
    })
}

fn fixpipe(unit_flag: u8) -> Instruction {
    Instruction::Fixpipe(abi::Fixpipe {
        kind: abi::Kind::Fixpipe as u16,
        pipe: Pipe::Fix as u8,
        reserved: 0,
        src_type: abi::DataType::F32 as u8,
        dst_type: abi::DataType::F32 as u8,
        quant_mode: 0,
        unit_flag,
        dst: 0,
        src: 0,
        n_size: 16,
        m_size: 16,
        src_stride: 16,
        dst_stride: 16,
        nd_num: 1,
        src_nd_stride: 0,
        dst_nd_stride: 0,
        relu: 0,
        nz_to_nd: 0,
        channel_split: 0,
        atomic: 0,
        atomic_type: 0,
        reserved1: [0; 3],
        scale: 0,
        scales: 0,
    })
}

fn run(space: Space, start: u64, length: u64, used: Use) -> Access {
    Access::run(Address::new(space, start), used, length)
}

fn checker(auto_sync: bool, cores: &[CoreType]) -> Arc<Checker> {
    let cores: Vec<_> = cores.iter().map(|&kind| (kind, 0)).collect();
    Checker::new(Options { auto_sync, ..Options::default() }, &cores, Arc::new(GlobalMemory::default()))
}

fn step(core: &mut CoreChecker, instruction: Instruction, line: u32, accesses: &[Access]) {
    let ticket = core.issue();
    core.access(ticket, &instruction, site(line), accesses);
}

fn flag(core: &mut CoreChecker, src: Pipe, dst: Pipe) {
    let ticket = core.issue();
    core.set_flag(ticket, src, dst, 0, site(90));
    let ticket = core.issue();
    core.wait_flag(ticket, src, dst, 0, site(91));
}

fn barrier(core: &mut CoreChecker, pipe: Pipe) {
    let ticket = core.issue();
    core.barrier(ticket, pipe, site(92));
}

/// What a program on one vector core finds.
fn on(kind: CoreType, auto_sync: bool, program: impl FnOnce(&mut CoreChecker)) -> Vec<Finding> {
    let checker = checker(auto_sync, &[kind]);
    let mut core = checker.core(0);
    program(&mut core);
    core.finish();
    checker.findings()
}

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    findings.iter().map(|finding| finding.kind).collect()
}

const GM: Space = Space::Gm;
const UB: Space = Space::Ub;
const R: Use = Use::Read;
const W: Use = Use::Write;

#[test]
fn a_vector_instruction_waits_for_the_copy_that_feeds_it() {
    let program = |with_flag: bool| {
        on(CoreType::Aiv, true, |core| {
            step(core, of(Pipe::Mte2), 1, &[run(GM, 4096, 64, R), run(UB, 0, 64, W)]);
            if with_flag {
                flag(core, Pipe::Mte2, Pipe::Vector);
            }
            step(core, of(Pipe::Vector), 2, &[run(UB, 32, 64, R), run(UB, 128, 32, W)][..1]);
        })
    };
    let found = program(false);
    // Bytes 64..96 are also read without having been written.
    assert_eq!(kinds(&found), [FindingKind::UninitializedRead, FindingKind::MissingFlag]);
    assert_eq!(
        found[1].message,
        "V reads 32 bytes at UB +0x20, written by MTE2, with no flag that orders the two"
    );
    assert_eq!((found[1].actor.source.line, found[1].actor.core.as_str()), (2, "AIV 0"));
    assert_eq!(found[1].other.as_ref().map(|other| other.source.line), Some(1));
    assert_eq!(kinds(&program(true)), [FindingKind::UninitializedRead]);
}

#[test]
fn barriers_order_a_pipe_with_itself() {
    let vector = |auto, with| {
        kinds(&on(CoreType::Aiv, auto, |core| {
            step(core, of(Pipe::Vector), 1, &[run(UB, 0, 256, W)]);
            if with {
                barrier(core, Pipe::Vector);
            }
            step(core, of(Pipe::Vector), 2, &[run(UB, 0, 256, R), run(UB, 256, 256, W)]);
        }))
    };
    assert_eq!(vector(false, false), [FindingKind::MissingBarrier]);
    assert_eq!(vector(true, false), [FindingKind::AutoSync]);
    assert_eq!(vector(false, true), []);
    let copies = |with| {
        kinds(&on(CoreType::Aiv, true, |core| {
            step(core, of(Pipe::Mte2), 1, &[run(UB, 0, 64, W)]);
            if with {
                barrier(core, Pipe::All);
            }
            step(core, of(Pipe::Mte2), 2, &[run(UB, 32, 64, W)]);
        }))
    };
    assert_eq!(copies(false), [FindingKind::MissingBarrier]);
    assert_eq!(copies(true), []);
}

#[test]
fn small_accumulations_need_a_barrier_and_large_ones_do_not() {
    let program = |n, with| {
        kinds(&on(CoreType::Aic, true, |core| {
            step(core, mmad(16, n, 0), 1, &[run(Space::L0c, 0, 1024, W)]);
            if with {
                barrier(core, Pipe::Cube);
            }
            step(core, mmad(16, n, 0), 2, &[run(Space::L0c, 0, 1024, W), run(Space::L0c, 0, 1024, R)]);
        }))
    };
    assert_eq!(program(16, false), [FindingKind::MissingBarrier]);
    assert_eq!(program(16, true), []);
    assert_eq!(program(160, false), []);
}

#[test]
fn unit_flags_stand_for_flags_between_cube_and_fixpipe() {
    let program = |unit, with| {
        kinds(&on(CoreType::Aic, true, |core| {
            step(core, mmad(160, 160, unit), 1, &[run(Space::L0c, 0, 1024, W)]);
            if with {
                flag(core, Pipe::Cube, Pipe::Fix);
            }
            step(core, fixpipe(unit), 2, &[run(Space::L0c, 0, 1024, R), run(GM, 0, 1024, W)]);
        }))
    };
    assert_eq!(program(0, false), [FindingKind::MissingFlag]);
    assert_eq!(program(0, true), []);
    assert_eq!(program(3, false), []);
}

#[test]
fn the_scalar_unit_is_ordered_by_flags_or_by_the_compiler() {
    let program = |kind, auto, with| {
        kinds(&on(kind, auto, |core| {
            step(core, of(Pipe::Mte2), 1, &[run(UB, 0, 64, W)]);
            if with {
                flag(core, Pipe::Mte2, Pipe::Scalar);
            }
            core.scalar_access(Address::new(UB, 4), 4, false, site(2));
            core.scalar_access(Address::new(UB, 4), 4, true, site(3));
        }))
    };
    assert_eq!(program(CoreType::Aiv, true, false), [FindingKind::AutoSync]);
    assert_eq!(program(CoreType::Aiv, true, true), []);
    assert!(program(CoreType::Aiv, false, false).contains(&FindingKind::MissingFlag));
    assert!(program(CoreType::Aic, true, false).contains(&FindingKind::MissingFlag));
}

#[test]
fn what_the_scalar_unit_waited_for_is_before_what_it_issues_later() {
    let found = on(CoreType::Aiv, false, |core| {
        let early = core.issue();
        step(core, of(Pipe::Mte2), 1, &[run(UB, 0, 64, W)]);
        flag(core, Pipe::Mte2, Pipe::Scalar);
        step(core, of(Pipe::Mte3), 2, &[run(UB, 0, 64, R)]);
        core.access(early, &of(Pipe::Vector), site(3), &[run(UB, 0, 64, R)]);
    });
    assert_eq!(kinds(&found), [FindingKind::MissingFlag]);
    assert_eq!(found[0].actor.source.line, 3);
}

#[test]
fn flags_are_taken_once_for_each_time_they_are_set() {
    let program = |sets: u32, waits: u32| {
        kinds(&on(CoreType::Aiv, true, |core| {
            for line in 0..sets {
                let ticket = core.issue();
                core.set_flag(ticket, Pipe::Mte2, Pipe::Vector, 3, site(line));
            }
            for line in 0..waits {
                let ticket = core.issue();
                core.wait_flag(ticket, Pipe::Mte2, Pipe::Vector, 3, site(10 + line));
            }
        }))
    };
    assert_eq!(program(1, 1), []);
    assert_eq!(program(2, 2), [FindingKind::EventReused]);
    assert_eq!(program(1, 0), [FindingKind::FlagLeft]);
}

#[test]
fn cores_are_ordered_by_flags_and_meetings() {
    let program = |how: u32| {
        let checker = checker(true, &[CoreType::Aic, CoreType::Aiv]);
        let (mut cube, mut vector) = (checker.core(0), checker.core(1));
        step(&mut vector, of(Pipe::Mte3), 1, &[run(GM, 100, 64, W)]);
        match how {
            1 => {
                let ticket = vector.issue();
                let knowledge = vector.cross_set(ticket, Pipe::Mte3, 2, 0, site(2));
                cube.cross_wait(2, 0, &[knowledge], site(3));
            }
            2 => {
                let all = [
                    cube.sync_arrive(SyncScope::Mixed, site(2)),
                    vector.sync_arrive(SyncScope::Mixed, site(3)),
                ];
                cube.sync_leave(SyncScope::Mixed, &all);
                vector.sync_leave(SyncScope::Mixed, &all);
            }
            3 => {
                let address = Address::new(GM, 8);
                let knowledge = vector.post_memory(address, site(2));
                cube.wait_memory(address, &[knowledge], site(3));
            }
            // A flag of a pipe that does not know of the copy.
            4 => {
                let ticket = vector.issue();
                let knowledge = vector.cross_set(ticket, Pipe::Vector, 2, 0, site(2));
                cube.cross_wait(2, 0, &[knowledge], site(3));
            }
            _ => {}
        }
        step(&mut cube, of(Pipe::Mte2), 4, &[run(GM, 163, 64, R)]);
        checker.findings()
    };
    for wrong in [0, 4] {
        let found = program(wrong);
        assert_eq!(kinds(&found), [FindingKind::MissingCrossCoreFlag]);
        assert!(found[0].message.contains("1 bytes at GM 0xa3"), "{}", found[0].message);
    }
    for right in 1..=3 {
        assert_eq!(program(right), [], "{right}");
    }
}

#[test]
fn neighbouring_bytes_and_atomic_updates_do_not_conflict() {
    let checker = checker(true, &[CoreType::Aiv; 2]);
    let (mut one, mut two) = (checker.core(0), checker.core(1));
    step(&mut one, of(Pipe::Mte3), 1, &[run(GM, 0, 7, W), run(GM, 64, 32, Use::Atomic)]);
    step(&mut two, of(Pipe::Mte3), 2, &[run(GM, 7, 7, W), run(GM, 64, 32, Use::Atomic)]);
    assert_eq!(checker.findings(), []);
    step(&mut two, of(Pipe::Mte3), 3, &[run(GM, 64, 32, W)]);
    assert!(kinds(&checker.findings()).contains(&FindingKind::MissingCrossCoreFlag));
}

#[test]
fn a_read_of_bytes_that_nothing_wrote() {
    let program = |length| {
        kinds(&on(CoreType::Aiv, false, |core| {
            step(core, of(Pipe::Vector), 1, &[run(UB, 0, length, W)]);
            barrier(core, Pipe::Vector);
            step(core, of(Pipe::Vector), 2, &[run(UB, 0, 64, R)]);
        }))
    };
    assert_eq!(program(63), [FindingKind::UninitializedRead]);
    assert_eq!(program(64), []);
}

#[test]
fn buffers_that_overlap_or_were_given_back() {
    let give = |core: &mut CoreChecker, start, live, line| {
        core.buffer(Address::new(UB, start), 64, live, site(line));
    };
    let overlap = |second| {
        kinds(&on(CoreType::Aiv, true, |core| {
            give(core, 0, true, 1);
            give(core, second, true, 2);
        }))
    };
    assert_eq!(overlap(32), [FindingKind::Overlap]);
    assert_eq!(overlap(64), []);
    let stale = |again: bool, late: bool| {
        kinds(&on(CoreType::Aiv, true, |core| {
            give(core, 0, true, 1);
            let early = core.issue();
            give(core, 0, false, 2);
            if again {
                give(core, 0, true, 3);
            }
            let ticket = if late { core.issue() } else { early };
            core.access(ticket, &of(Pipe::Vector), site(4), &[run(UB, 0, 32, W)]);
        }))
    };
    assert_eq!(stale(false, true), [FindingKind::UseAfterFree]);
    assert_eq!(stale(true, true), []);
    assert_eq!(stale(false, false), []);
}

#[test]
fn what_the_engine_reports_becomes_findings_once() {
    let address = Address::new(UB, 1 << 18);
    let faults = [
        (Fault::OutOfBounds { address, length: 32, size: 196_608 }, FindingKind::OutOfBounds),
        (Fault::Misaligned { operand: "dst", address, alignment: 32 }, FindingKind::Misaligned),
        (Fault::Field { field: "repeat", value: 256, least: 0, most: 255 }, FindingKind::FieldLimit),
        (Fault::Unsupported("no".to_owned()), FindingKind::Unsupported),
    ];
    for (fault, kind) in faults {
        let found = on(CoreType::Aiv, true, |core| {
            core.fault(Some(&of(Pipe::Vector)), site(1), &fault);
            core.fault(Some(&of(Pipe::Vector)), site(1), &fault);
        });
        assert_eq!((kinds(&found), found[0].count), (vec![kind], 2));
    }
    let found = on(CoreType::Aiv, true, |core| {
        core.failed("x > 0", site(1));
        core.deadlock(Pipe::Vector, "WaitFlag", "V waits", site(2));
        core.flag_overflow(Pipe::Mte3, 2, 5, site(3));
    });
    let expected = [FindingKind::FlagOverflow, FindingKind::Deadlock, FindingKind::Assertion];
    assert_eq!(kinds(&found).into_iter().collect::<BTreeSet<_>>(), expected.into());
}

#[derive(Clone, Debug)]
enum Step {
    Access { pipe: usize, local: bool, start: u64, length: u64, used: Use },
    Set { src: usize, dst: usize, event: u32 },
    Wait { src: usize, dst: usize, event: u32 },
    Barrier(usize),
    BarrierAll,
    CrossSet { pipe: usize, to: usize },
    CrossWait { from: usize },
    Sync,
}

const LANES: [Pipe; 4] = [Pipe::Scalar, Pipe::Vector, Pipe::Mte2, Pipe::Mte3];

fn steps(cores: usize) -> impl Strategy<Value = Vec<(usize, Step)>> {
    let pair = (0..4usize, 0..4usize).prop_filter("two pipes", |(src, dst)| src != dst);
    let step = prop_oneof![
        8 => (0..4usize, any::<bool>(), 0..40u64, 1..12u64, 0..3usize).prop_map(|(pipe, local, start, length, used)| {
            let used = [R, W, if local { W } else { Use::Atomic }][used];
            Step::Access { pipe, local, start, length, used }
        }),
        4 => (pair.clone(), 0..2u32).prop_map(|((src, dst), event)| Step::Set { src, dst, event }),
        4 => (pair, 0..2u32).prop_map(|((src, dst), event)| Step::Wait { src, dst, event }),
        1 => (1..4usize).prop_map(Step::Barrier),
        1 => Just(Step::BarrierAll),
        2 => (1..4usize, 0..cores).prop_map(|(pipe, to)| Step::CrossSet { pipe, to }),
        2 => (0..cores).prop_map(|from| Step::CrossWait { from }),
        1 => Just(Step::Sync),
    ];
    proptest::collection::vec((0..cores, step), 1..60)
}

/// What must happen before what, as a graph over the starts and ends of all instructions.
#[derive(Default)]
struct Graph {
    /// Nodes that are directly before each node.
    before: Vec<Vec<usize>>,
}

impl Graph {
    fn node(&mut self, before: Vec<usize>) -> usize {
        self.before.push(before);
        self.before.len() - 1
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut left) = (BTreeSet::new(), vec![to]);
        while let Some(node) = left.pop() {
            if node == from {
                return true;
            }
            if seen.insert(node) {
                left.extend(&self.before[node]);
            }
        }
        false
    }
}

struct Past {
    core: usize,
    pipe: usize,
    local: bool,
    bytes: std::ops::Range<u64>,
    used: Use,
    end: usize,
}

/// The steps that conflict with an earlier one: as the checker says, and as the graph says.
fn judge(cores: usize, program: &[(usize, Step)]) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let checker = checker(false, &vec![CoreType::Aiv; cores]);
    let mut checkers: Vec<_> = (0..cores).map(|core| checker.core(core)).collect();
    let mut graph = Graph::default();
    // The last node of each pipe, and the ends of its instructions.
    let mut chain: Vec<Vec<usize>> =
        (0..cores).map(|_| (0..4).map(|_| graph.node(vec![])).collect()).collect();
    let mut ends = vec![vec![Vec::<usize>::new(); 4]; cores];
    let mut flags: BTreeMap<(usize, usize, usize, u32), Vec<usize>> = BTreeMap::new();
    let mut cross: BTreeMap<(usize, usize), Vec<(usize, super::Knowledge)>> = BTreeMap::new();
    let mut past: Vec<Past> = Vec::new();
    let mut expected = BTreeSet::new();
    for (line, (core, step)) in program.iter().enumerate() {
        let (line, core) = (line as u32, *core);
        let checker = &mut checkers[core];
        let ticket = checker.issue();
        match *step {
            Step::Access { pipe, local, start, length, used } => {
                // The scalar unit has no atomic copies.
                let used = if pipe == 0 && used == Use::Atomic { W } else { used };
                let node = graph.node(vec![chain[core][pipe], chain[core][0]]);
                let end = graph.node(vec![node]);
                let bytes = start..start + length;
                for old in &past {
                    let same = (old.core, old.pipe) == (core, pipe);
                    let exempt = same
                        && match pipe {
                            0 => true,
                            1 => false,
                            _ => old.used == R || used == R,
                        };
                    let pair = (old.used, used);
                    if old.local == local
                        && (!local || old.core == core)
                        && old.bytes.start < bytes.end
                        && bytes.start < old.bytes.end
                        && pair != (R, R)
                        && pair != (Use::Atomic, Use::Atomic)
                        && !exempt
                        && !graph.reaches(old.end, node)
                    {
                        expected.insert(line);
                    }
                }
                past.push(Past { core, pipe, local, bytes, used, end });
                chain[core][pipe] = node;
                ends[core][pipe].push(end);
                let space = if local { UB } else { GM };
                if pipe == 0 {
                    checker.scalar_access(Address::new(space, start), length, used != R, site(line));
                } else {
                    checker.access(ticket, &of(LANES[pipe]), site(line), &[run(space, start, length, used)]);
                }
            }
            Step::Set { src, dst, event } => {
                let mut before = ends[core][src].clone();
                before.extend([chain[core][src], chain[core][0]]);
                let node = graph.node(before);
                flags.entry((core, src, dst, event)).or_default().push(node);
                // What the flag waited for from the scalar unit, the pipe has waited for too.
                chain[core][src] = graph.node(vec![chain[core][src], chain[core][0]]);
                checker.set_flag(ticket, LANES[src], LANES[dst], event, site(line));
            }
            Step::Wait { src, dst, event } => {
                let Some(nodes) = flags.get_mut(&(core, src, dst, event)).filter(|nodes| !nodes.is_empty())
                else {
                    continue;
                };
                let set = nodes.remove(0);
                chain[core][dst] = graph.node(vec![set, chain[core][dst], chain[core][0]]);
                checker.wait_flag(ticket, LANES[src], LANES[dst], event, site(line));
            }
            Step::Barrier(pipe) => {
                let mut before = ends[core][pipe].clone();
                before.extend([chain[core][pipe], chain[core][0]]);
                chain[core][pipe] = graph.node(before);
                checker.barrier(ticket, LANES[pipe], site(line));
            }
            Step::BarrierAll => {
                let before = ends[core].iter().flatten().chain(&chain[core]).copied().collect();
                chain[core][0] = graph.node(before);
                checker.barrier(ticket, Pipe::All, site(line));
            }
            Step::CrossSet { pipe, to } => {
                let mut before = ends[core][pipe].clone();
                before.extend(&ends[core][0]);
                before.extend([chain[core][pipe], chain[core][0]]);
                let node = graph.node(before);
                chain[core][pipe] = graph.node(vec![chain[core][pipe], chain[core][0]]);
                let knowledge = checker.cross_set(ticket, LANES[pipe], 2, 0, site(line));
                cross.entry((core, to)).or_default().push((node, knowledge));
            }
            Step::CrossWait { from } => {
                let Some(sets) = cross.get_mut(&(from, core)).filter(|sets| !sets.is_empty()) else {
                    continue;
                };
                let (node, knowledge) = sets.remove(0);
                chain[core][0] = graph.node(vec![node, chain[core][0]]);
                checker.cross_wait(2, 0, &[knowledge], site(line));
            }
            Step::Sync => {
                let before = ends.iter().flatten().flatten().chain(chain.iter().flatten()).copied().collect();
                let node = graph.node(before);
                let all: Vec<_> =
                    checkers.iter_mut().map(|one| one.sync_arrive(SyncScope::Vector, site(line))).collect();
                for (core, one) in checkers.iter_mut().enumerate() {
                    one.sync_leave(SyncScope::Vector, &all);
                    chain[core][0] = node;
                }
            }
        }
    }
    let races = [FindingKind::MissingFlag, FindingKind::MissingBarrier, FindingKind::MissingCrossCoreFlag];
    let found = checker.findings().into_iter().filter(|finding| races.contains(&finding.kind));
    let line =
        |finding: Finding| finding.actor.source.line.max(finding.other.map_or(0, |other| other.source.line));
    (found.map(line).collect(), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn conflicts_on_one_core_are_those_of_the_graph(program in steps(1)) {
        let (found, expected) = judge(1, &program);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn conflicts_between_cores_are_those_of_the_graph(program in steps(3)) {
        let (found, expected) = judge(3, &program);
        prop_assert_eq!(found, expected);
    }
}
