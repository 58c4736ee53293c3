//! What is alive, and in which order things are done.
//!
//! The simulator reports leaks for the whole process: one test at a time looks at them.

mod common;

use std::sync::Mutex;

use ascendcl::Format;
use atb::param::{Concat, Linear};
use atb::{Context, Error, Operation, VariantPack};
use atb_sim::{Leak, report};
use common::{Gate, Rig, halves};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    let guard = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert_eq!(report().leaks, [], "an earlier test");
    guard
}

/// sum += x · weightᵀ with x = 1 and weight = 2.
fn add_two(rig: &Rig) -> Operation<Linear> {
    rig.operation(Linear { has_bias: false, en_accum: true, ..Linear::default() })
}

#[test]
fn nothing_is_left_whatever_goes_first() {
    let _alone = alone();
    for operation_first in [true, false] {
        let mut rig = Rig::new();
        let mut add = add_two(&rig);
        let (x, weight) = (rig.half(&[1.0], &[1, 1]), rig.half(&[2.0], &[1, 1]));
        let mut sum = rig.tensor(&[0f32], &[1, 1]);
        let gate = Gate::close(&rig.stream);
        let pack = VariantPack::new().input(&x).input(&weight).updated(&mut sum).output_updated(2);
        add.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();

        let Rig { context, stream, runtime, workspace } = rig;
        let opener = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            drop(gate);
        });
        // The tensors may go, the work is not done yet.
        drop((x, weight, workspace));
        if operation_first {
            drop(add);
            drop(context);
        } else {
            // The operation gives memory back to the context, which therefore stays.
            drop(context);
            assert!(report().leaks.iter().any(|leak| matches!(leak, Leak::Context(_))));
            drop(add);
        }
        // Whoever was last has waited for the work.
        assert!(stream.is_idle().unwrap());
        assert_eq!(report().leaks, []);
        assert_eq!(stream.tensor_to_vec::<f32>(&sum).unwrap(), [2.0]);
        opener.join().unwrap();
        drop((sum, stream, runtime));
    }
}

#[test]
fn operations_and_contexts_go_to_other_threads() {
    let _alone = alone();
    let mut rig = Rig::new();
    let (x, weight) = (rig.half(&[1.0], &[1, 1]), rig.half(&[2.0], &[1, 1]));
    let mut sum = rig.tensor(&[0f32], &[1, 1]);
    let mut add = add_two(&rig);
    let mut rig = std::thread::spawn(move || {
        let pack = VariantPack::new().input(&x).input(&weight).updated(&mut sum).output_updated(2);
        let mut prepared = add.setup(&mut rig.context, pack).unwrap();
        (0..5).for_each(|_| prepared.execute(&rig.stream, &mut rig.workspace).unwrap());
        drop(prepared);
        assert_eq!(rig.values::<f32>(&sum), [10.0]);
        // Dropped here, and the context on the other thread.
        drop(add);
        rig
    })
    .join()
    .unwrap();
    rig.context.set_async_tiling_copy(true).unwrap();
    drop(rig);
    assert_eq!(report().leaks, []);
}

#[test]
fn streams_that_share_a_context_follow_one_another() {
    let _alone = alone();
    let mut rig = Rig::new();
    let other = rig.stream.device().stream().unwrap();
    // Two operations of different memory: only the context's own memory orders them.
    let (mut first, mut second) =
        (rig.operation(Concat { concat_dim: 0 }), rig.operation(Concat { concat_dim: 0 }));
    // Made on the stream that uses them, so that nothing but the context is common.
    let half = |value: f32| halves(&[value]);
    let a = rig.half(&[1.0], &[1]);
    let b = other.tensor_from(&half(2.0), Format::Nd, &[1]).unwrap();
    let mut y = rig.output(&[2]);
    let mut z = other.tensor_from(&[half(0.0), half(0.0)].concat(), Format::Nd, &[2]).unwrap();

    let gate = Gate::close(&rig.stream);
    let pack = VariantPack::new().input(&a).input(&a).output(&mut y);
    first.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    let mut own_workspace = ascendcl::Workspace::default();
    let pack = VariantPack::new().input(&b).input(&b).output(&mut z);
    second.run(&mut rig.context, &other, pack, &mut own_workspace).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert!(!other.is_idle().unwrap(), "the second stream must wait for the first one's use of the context");
    drop(gate);
    other.synchronize().unwrap();
    assert_eq!((rig.floats(&y), rig.floats(&z)), (vec![1.0, 1.0], vec![2.0, 2.0]));

    // A context of its own waits for nobody. (The first stream has read `z` meanwhile.)
    let mut z = other.tensor_from(&[half(0.0), half(0.0)].concat(), Format::Nd, &[2]).unwrap();
    let mut own = Context::new(&other).unwrap();
    let mut third = rig.operation(Concat { concat_dim: 0 });
    let gate = Gate::close(&rig.stream);
    let pack = VariantPack::new().input(&a).input(&a).output(&mut y);
    first.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    let pack = VariantPack::new().input(&b).input(&b).output(&mut z);
    third.run(&mut own, &other, pack, &mut own_workspace).unwrap();
    other.synchronize().unwrap();
    drop(gate);
}

#[test]
fn executions_of_one_set_up_share_its_tensors() {
    let _alone = alone();
    let mut rig = Rig::new();
    let mut add = add_two(&rig);
    let (x, weight) = (rig.half(&[1.0], &[1, 1]), rig.half(&[2.0], &[1, 1]));
    let (mut one, mut two) = (rig.tensor(&[0f32], &[1, 1]), rig.tensor(&[0f32], &[1, 1]));
    // More often than there are blocks of tiling.
    for (sum, times) in [(&mut one, 3), (&mut two, 200)] {
        let pack = VariantPack::new().input(&x).input(&weight).updated(sum).output_updated(2);
        let mut prepared = add.setup(&mut rig.context, pack).unwrap();
        (0..times).for_each(|_| prepared.execute(&rig.stream, &mut rig.workspace).unwrap());
    }
    assert_eq!((rig.values::<f32>(&one), rig.values::<f32>(&two)), (vec![6.0], vec![400.0]));
    // Set-ups without an execution between them.
    for _ in 0..200 {
        let pack = VariantPack::new().input(&x).input(&weight).updated(&mut one).output_updated(2);
        let _ = add.setup(&mut rig.context, pack).unwrap();
    }
    assert_eq!(rig.values::<f32>(&one), [6.0]);
}

#[test]
fn a_failed_set_up_leaves_the_operation_usable() {
    let _alone = alone();
    let mut rig = Rig::new();
    let mut concat = rig.operation(Concat { concat_dim: 0 });
    let (x, wrong) = (rig.half(&[1.0], &[1]), rig.tensor(&[1i8], &[1]));
    let mut y = rig.output(&[2]);
    let pack = VariantPack::new().input(&x).input(&wrong).output(&mut y);
    assert!(concat.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).is_err());
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    concat.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.floats(&y), [1.0, 1.0]);
}

#[test]
fn an_operation_stays_with_its_context() {
    let _alone = alone();
    let mut rig = Rig::new();
    let mut concat = rig.operation(Concat { concat_dim: 0 });
    let x = rig.half(&[1.0], &[1]);
    let mut y = rig.output(&[2]);
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    concat.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    let mut other = Context::new(&rig.stream).unwrap();
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    let error = concat.run(&mut other, &rig.stream, pack, &mut rig.workspace).unwrap_err();
    assert!(matches!(error, Error::Device(ascendcl::Error::Mismatch { what: "context", .. })), "{error}");
}

#[test]
fn captures_are_refused() {
    let _alone = alone();
    let mut rig = Rig::new();
    let mut concat = rig.operation(Concat { concat_dim: 0 });
    let x = rig.half(&[1.0], &[1]);
    let mut y = rig.output(&[2]);
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    let mut prepared = concat.setup(&mut rig.context, pack).unwrap();
    let (stream, workspace) = (&rig.stream, &mut rig.workspace);
    let mut seen = None;
    let graph = stream.capture(|stream| {
        seen = Some((prepared.execute(stream, workspace), Context::new(stream).map(drop)));
        Ok(())
    });
    drop(graph.unwrap());
    let (execute, make) = seen.unwrap();
    assert!(matches!(execute, Err(Error::Capturing { call: "Execute" })), "{execute:?}");
    assert!(matches!(make, Err(Error::Capturing { call: "Context::new" })), "{make:?}");
    // And afterwards it goes on.
    prepared.execute(&rig.stream, &mut rig.workspace).unwrap();
    drop(prepared);
    assert_eq!(rig.floats(&y), [1.0, 1.0]);
}
