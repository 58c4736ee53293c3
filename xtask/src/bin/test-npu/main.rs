//! The device suite: tests a real NPU, or the simulated one, and writes a report that can be attached to an issue.
//!
//! Run by `cargo xtask test-npu`.

mod bindings;
mod call;
mod console;
mod gate;
mod graphs;
mod kernels;
mod latency;
mod machine;
mod memory;
mod operation;
mod report;
mod run;
mod soak;
mod streams;
mod suite;
mod vendor;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;

use console::{complain, say};
use machine::Machine;
use report::Report;
use run::Progress;
use soak::Soak;
use suite::{Case, Verdict};
use worker::{NotOpened, Worker};

/// Test a real NPU, or the simulated one (--sim), and write a report.
#[derive(Parser)]
#[command(
    name = "cargo xtask test-npu",
    after_long_help = "\
The cases run in a process of their own. One that fails, crashes it or takes longer than the limit is reported, and the next one
begins with another process; after the second that hangs, or if the device cannot be opened again, the rest is not run. Cases
without what they need (a second device, the fused kernel built by `cargo xtask build-kernels`, ATB) are skipped, with the
reason.

Exit status:
  0  all passed; what was skipped is not in this device or version
  1  a case failed or was not run, the device cannot be opened, or the report cannot be written
  2  a mistake in the arguments, such as a device that is not there
  3  no NPU and no --sim
  4  nothing failed, but the fused operation or the vendor's operators were not tested, though they can be: the head of the report
     says what is missing; with --sim anything that was not tested

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
    /// Launches of the soak on two streams, on one and on two devices; with --sim a tenth of them but on two streams
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    soak: u64,
    /// How long a case may take, and to open the device
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Where to write report.md and report.json [default: target/test-npu]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List the cases and run none
    #[arg(long)]
    list: bool,
    /// Run the cases that the process on the other side of the standard input tells, which is this program itself
    #[arg(long, hide = true)]
    worker: bool,
}

impl Args {
    fn soak(&self) -> Soak {
        Soak::new(self.soak, self.sim)
    }
}

/// Tells the program that it is the process which runs the cases.
const WORKER: &str = "--worker";

const FAILURES: u8 = 1;
const USAGE: u8 = 2;
const NO_NPU: u8 = 3;
const INCOMPLETE: u8 = 4;

fn main() -> ExitCode {
    let args = Args::parse();
    let cases = suite::select(cases(), &args.filters);
    if cases.is_empty() {
        complain(format_args!(
            "no case has {} in its name; --list tells the names",
            args.filters.join(" or ")
        ));
        return ExitCode::from(USAGE);
    }
    if args.list {
        cases.iter().for_each(|case| say(&case.name));
        return ExitCode::SUCCESS;
    }
    let done = if args.worker { work(&args, &cases) } else { test(&args, &cases) };
    done.unwrap_or_else(|error| {
        complain(error);
        ExitCode::from(FAILURES)
    })
}

/// The process that runs the cases.
fn work(args: &Args, cases: &[Case<Machine>]) -> io::Result<ExitCode> {
    worker::serve(worker::socket()?, cases, || {
        if args.sim {
            machine::simulate_two_devices()?;
        }
        let machine = Machine::open(args.sim, args.device, args.soak())?;
        let facts = machine.facts();
        Ok((machine, facts))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The process that lets another one run the cases, and writes the report.
fn test(args: &Args, cases: &[Case<Machine>]) -> io::Result<ExitCode> {
    let program = std::env::current_exe()?;
    let start = || {
        let mut command = Command::new(&program);
        command.args(std::env::args_os().skip(1)).arg(WORKER);
        Worker::start(command, Duration::from_secs(args.limit))
    };
    let (worker, facts) = match start() {
        Ok(started) => started,
        Err(NotOpened { exit_status, message }) => {
            complain(message);
            return Ok(ExitCode::from(exit_status));
        }
    };
    let folder = args.out.clone().unwrap_or_else(default_folder);
    let mut report = Report::new(args.sim, facts, args.soak().to_string());
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let mut written = Ok(());
    run::run(
        &names,
        worker,
        || start().map(|(worker, _)| worker),
        |progress| {
            match progress {
                Progress::Begins(name) => report.running = Some(name.to_owned()),
                Progress::Ends(outcome, latency) => {
                    let (word, said) = match &outcome.verdict {
                        Verdict::Passed { notes } => ("ok  ", notes.join("; ")),
                        Verdict::Skipped { reason, .. } => {
                            ("skip", reason.lines().next().unwrap_or_default().to_owned())
                        }
                        Verdict::Failed { error } => ("FAIL", error.clone()),
                        Verdict::NotRun { reason } => ("not run", reason.clone()),
                    };
                    say(format_args!("{word}  {}  ({:.2} s)  {said}", outcome.name, outcome.seconds));
                    report.add(outcome.clone(), latency);
                }
            }
            // Once it has failed, the console is where the results are.
            if written.is_ok() {
                written = report.write(&folder);
            }
        },
    );
    written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    for not_tested in &report.not_tested {
        say(format_args!("not tested: {not_tested}"));
    }
    say(format_args!("{}; the report is in {}", report.count(), folder.display()));
    Ok(ExitCode::from(exit_status(&report)))
}

fn exit_status(report: &Report) -> u8 {
    let count = report.count();
    if count.failed + count.not_run > 0 {
        FAILURES
    } else if report.gaps().any(|gap| report.simulated || gap.is_avoidable()) {
        INCOMPLETE
    } else {
        0
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

fn default_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("test-npu")
}

#[cfg(test)]
mod planted;

#[cfg(test)]
mod tests {
    use super::*;
    use suite::{Gap, Outcome};

    fn status(simulated: bool, verdicts: &[Verdict]) -> u8 {
        let mut report = Report::new(simulated, Vec::new(), String::new());
        for verdict in verdicts {
            report.add(Outcome::new("a/case", verdict.clone(), Duration::ZERO), Vec::new());
        }
        exit_status(&report)
    }

    #[test]
    fn the_exit_status_tells_failures_and_gaps() {
        let passed = || Verdict::Passed { notes: Vec::new() };
        let skipped = |gap| Verdict::Skipped { reason: "planted".into(), gap };
        let failed = Verdict::Failed { error: "planted".into() };
        let not_run = Verdict::NotRun { reason: "planted".into() };
        for simulated in [false, true] {
            assert_eq!(status(simulated, &[passed(), skipped(None)]), 0);
            assert_eq!(status(simulated, &[passed(), skipped(Some(Gap::FusedOperation))]), 4);
            assert_eq!(status(simulated, &[skipped(Some(Gap::VendorOperators)), passed()]), 4);
            assert_eq!(status(simulated, &[failed.clone(), skipped(Some(Gap::FusedOperation))]), 1);
            assert_eq!(status(simulated, &[passed(), not_run.clone()]), 1);
        }
        // What nobody can mend on an NPU, but must not be missing on the simulated device.
        for gap in [Gap::SmallKernel, Gap::SecondDevice] {
            assert_eq!((status(false, &[skipped(Some(gap))]), status(true, &[skipped(Some(gap))])), (0, 4));
        }
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
