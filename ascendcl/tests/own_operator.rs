//! The example of docs/writing-an-operator.md computes its formula, and the sanitizer has nothing to say about its kernel.

#[path = "../examples/own_operator.rs"]
#[expect(dead_code, reason = "its main is the program's")]
mod example;

use ascendcl_sim::kernel::{Level, Options, configure, take_reports};

#[test]
fn the_example_runs_under_the_sanitizer() {
    configure(Options { level: Level::Check, auto_sync: false, ..Options::default() });
    example::run(None).unwrap();
    let reports = take_reports();
    assert_eq!(reports.len(), 1, "the refused call launched nothing");
    // 21504 elements in tiles of 2048.
    assert_eq!((&*reports[0].kernel, reports[0].block_num), ("scaled_add", 11));
    assert!(reports[0].findings.is_empty(), "{:?}", reports[0].findings);
}
