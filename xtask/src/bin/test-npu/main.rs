//! The device suite: tests a real NPU, or the simulated one, and writes a report that can be attached to an issue.
//!
//! Run by `cargo xtask test-npu`.

mod bindings;
mod call;
mod graphs;
mod kernels;
mod latency;
mod machine;
mod memory;
mod operation;
mod report;
mod soak;
mod streams;
mod suite;
mod vendor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use machine::Machine;
use report::{Count, Report};
use soak::Soak;
use suite::{Case, Offers, Progress, Verdict, explain};

/// Test a real NPU, or the simulated one (--sim), and write a report.
#[derive(Parser)]
#[command(
    name = "cargo xtask test-npu",
    after_long_help = "\
A case that fails or panics is reported and the run goes on. Cases without what they need (a second device, the fused kernel
built by `cargo xtask build-kernels`, ATB) are skipped, with the reason.

Exit status: 0 all passed (skipped cases are allowed, and listed), 1 failures, 2 usage, 3 no NPU and no --sim.

Examples:
  cargo xtask test-npu
  cargo xtask test-npu --device 1 --filter memory/ --filter streams/
  cargo xtask test-npu --sim"
)]
struct Args {
    /// The device to test
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    device: i32,
    /// Test the simulated device
    #[arg(long)]
    sim: bool,
    /// Run the cases whose name contains this; may be given several times
    #[arg(long = "filter", value_name = "TEXT")]
    filters: Vec<String>,
    /// Launches of the soak [default: 10000 on an NPU, 15 seconds of them on the simulated device]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    soak: Option<u64>,
    /// Where to write report.md and report.json [default: target/test-npu]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List the cases and run none
    #[arg(long)]
    list: bool,
}

const FAILURES: u8 = 1;
const USAGE: u8 = 2;
const NO_NPU: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    let cases = suite::select(cases(), &args.filters);
    if cases.is_empty() {
        eprintln!("test-npu: no case has {} in its name; --list tells the names", args.filters.join(" or "));
        return ExitCode::from(USAGE);
    }
    if args.list {
        cases.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let machine = Machine::open(args.sim, args.device, soak(&args));
    let mut machine = match machine {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("test-npu: {}", no_device(args.sim, &explain(&error)));
            return ExitCode::from(if args.sim { FAILURES } else { NO_NPU });
        }
    };
    let mut report = Report::new(args.sim, machine.facts(), machine.soak.to_string());
    let folder = args.out.unwrap_or_else(default_folder);
    match run(&cases, &mut machine, &mut report, &folder, |machine, report| {
        report.latency.clone_from(&machine.latency)
    }) {
        Ok(count) => {
            println!("{count}; the report is in {}", folder.display());
            exit_code(count)
        }
        Err(error) => {
            eprintln!("test-npu: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn cases() -> Vec<Case<Machine>> {
    let groups = [
        bindings::cases(),
        memory::cases(),
        streams::cases(),
        graphs::cases(),
        kernels::cases(),
        operation::cases(),
        vendor::cases(),
        soak::cases(),
        latency::cases(),
    ];
    groups.into_iter().flatten().collect()
}

fn soak(args: &Args) -> Soak {
    match args.soak {
        Some(launches) => Soak::Launches(launches),
        None if args.sim => Soak::Time(Duration::from_secs(15)),
        None => Soak::Launches(10_000),
    }
}

fn no_device(sim: bool, error: &str) -> String {
    if sim {
        return format!("the simulated device cannot be opened: {error}");
    }
    format!(
        "no NPU: {error}\n\n\
         `cargo run -p mlapo -- doctor` looks for what is wrong; `cargo xtask test-npu --sim` tests the simulated device instead."
    )
}

fn default_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("test-npu")
}

/// Runs the cases and keeps the report on the disk up to date.
fn run<C: Offers>(
    cases: &[Case<C>],
    context: &mut C,
    report: &mut Report,
    folder: &Path,
    measured: impl Fn(&C, &mut Report),
) -> std::io::Result<Count> {
    let mut written = Ok(());
    suite::run(cases, context, |context, progress| {
        match progress {
            Progress::Begins(name) => report.running = Some(name.to_owned()),
            Progress::Ends(outcome) => {
                let (word, said) = match &outcome.verdict {
                    Verdict::Passed { notes } => ("ok  ", notes.join("; ")),
                    Verdict::Skipped { reason } => {
                        ("skip", reason.lines().next().unwrap_or_default().to_owned())
                    }
                    Verdict::Failed { error } => ("FAIL", error.clone()),
                };
                println!("{word}  {}  ({:.2} s)  {said}", outcome.name, outcome.seconds);
                report.cases.push(outcome.clone());
                report.running = None;
                measured(context, report);
            }
        }
        if written.is_ok() {
            written = report.write(folder);
        }
    });
    written.map(|()| report.count())
}

fn exit_code(count: Count) -> ExitCode {
    if count.failed > 0 { ExitCode::from(FAILURES) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use suite::{Answer, Done, Need};

    /// A machine with nothing but the place of its report.
    struct Bare(PathBuf);

    impl Offers for Bare {
        fn lacks(&self, _: Need) -> Option<String> {
            Some("a bare machine".to_owned())
        }
    }

    fn planted(cases: &[Case<Bare>]) -> (Count, String, serde_json::Value) {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::new(true, Vec::new(), "none".to_owned());
        let mut machine = Bare(folder.path().to_owned());
        let count = run(cases, &mut machine, &mut report, folder.path(), |_, _| ()).unwrap();
        let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
        let json = serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
        (count, markdown, json)
    }

    #[test]
    fn failures_and_panics_are_in_the_report_and_in_the_exit_code() {
        let (count, markdown, json) = planted(&[
            Case::new("a/fails", |_: &mut Bare| Err("planted error".into())),
            Case::new("a/panics", |_: &mut Bare| -> Answer { panic!("planted panic") }),
            Case::new("a/skips", |_: &mut Bare| Ok(Done::PASSED)).needs(Need::Atb),
            // The report says what is running, should the program not come back.
            Case::new("a/looks", |machine: &mut Bare| {
                let written = fs::read_to_string(machine.0.join("report.md"))?;
                assert!(
                    written.contains("`a/looks` is running") && written.contains("### a/panics"),
                    "{written}"
                );
                Ok(Done::PASSED)
            }),
        ]);
        assert_eq!(count, Count { passed: 1, failed: 2, skipped: 1 });
        assert_eq!(exit_code(count), ExitCode::from(1));
        assert!(
            markdown.contains("planted error") && markdown.contains("panicked: planted panic"),
            "{markdown}"
        );
        assert!(
            markdown.contains("| a/skips | skipped |") && markdown.contains("a bare machine"),
            "{markdown}"
        );
        assert_eq!(json["cases"].as_array().map(Vec::len), Some(4));
        assert!(json["running"].is_null());
    }

    #[test]
    fn skipped_cases_do_not_fail_a_run() {
        let (count, ..) =
            planted(&[Case::new("a/skips", |_: &mut Bare| Ok(Done::PASSED)).needs(Need::Kernel)]);
        assert_eq!(count, Count { passed: 0, failed: 0, skipped: 1 });
        assert_eq!(exit_code(count), ExitCode::SUCCESS);
    }

    #[test]
    fn names_are_distinct_and_in_groups() {
        let names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(names.iter().all(|name| {
            name.split_once('/').is_some_and(|(group, name)| !group.is_empty() && !name.is_empty())
        }));
    }
}
