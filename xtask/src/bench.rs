//! `cargo xtask bench`: the benchmarks as a table, beside the memory bandwidth of the machine that ran them.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};

/// Runs the benchmarks and prints them as a table.
///
/// The read bandwidth of all cores is measured first, in the same run, and decode is shown as a fraction of it: of
/// the DRAM's, and of what repeated reads of as many bytes as one decode call reads reach (a large last-level cache
/// holds them). Decode reads all weights once per call; its rate counts only them.
#[derive(clap::Args)]
pub struct Args {
    /// Measures each benchmark for a second instead of five: rougher figures.
    #[arg(long)]
    quick: bool,
    /// Runs only the benchmarks whose name matches this regular expression, such as `host`.
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
    /// Prints JSON instead of a table. Times are in nanoseconds, rates in bytes per second.
    #[arg(long)]
    json: bool,
}

/// The benchmarks whose bound is the read bandwidth start with this.
const DECODE: &str = "host ";
const DRAM: &str = "read bandwidth/DRAM";
const WORKING_SET: &str = "read bandwidth/working set";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot start `{0}`: {1}")]
    Start(String, io::Error),
    #[error("`{0}` failed")]
    Failed(String),
    #[error("cannot find out where this program is: {0}")]
    Program(io::Error),
    #[error("cannot read {path}: {error}", path = .0.display(), error = .1)]
    Read(PathBuf, io::Error),
    #[error("{path} is not what Criterion writes: no {1}", path = .0.display())]
    Format(PathBuf, &'static str),
    #[error("`{0}` was not measured")]
    Missing(&'static str),
}

/// Runs the task and reports to the terminal.
pub fn run(args: &Args) -> ExitCode {
    match measure(args) {
        Ok(report) => {
            print!("{}", if args.json { report.json() } else { report.table() });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<Report, Error> {
    // This program is `<target>/debug/xtask`.
    let program = env::current_exe().map_err(Error::Program)?;
    let criterion = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("criterion");
    let start = SystemTime::now();
    bench(args, &criterion, &["-p", "mlapo", "--bench", "bandwidth"], None)?;
    let benches = [
        "-p", "ascendcl", "-p", "mlapo", "--bench", "format", "--bench", "stream", "--bench", "host",
        "--bench", "kernel",
    ];
    bench(args, &criterion, &benches, args.filter.as_deref())?;

    let mut measurements = Vec::new();
    collect(&criterion, start, &mut measurements)?;
    Report::new(measurements)
}

/// Runs `cargo bench`. What it prints goes to standard error, where it does not mix with the table.
fn bench(args: &Args, criterion: &Path, targets: &[&str], filter: Option<&str>) -> Result<(), Error> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("bench").args(targets).arg("--").arg("--noplot");
    if args.quick {
        command.args(["--warm-up-time", "0.3", "--measurement-time", "1", "--sample-size", "10"]);
    }
    command.args(filter).env("CRITERION_HOME", criterion).stdout(Stdio::from(io::stderr()));
    let line = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::Failed(line)),
        Err(error) => Err(Error::Start(line, error)),
    }
}

/// What Criterion found out about one benchmark.
#[derive(Clone, Debug, PartialEq)]
struct Measurement {
    name: String,
    median_ns: f64,
    /// Read or written by one iteration, for benchmarks that say so.
    bytes: Option<f64>,
    finished: SystemTime,
}

impl Measurement {
    /// Bytes per second.
    fn rate(&self) -> Option<f64> {
        Some(self.bytes? / self.median_ns * 1e9)
    }

    /// From the two files that Criterion writes.
    fn parse(path: &Path, estimates: &str, benchmark: &str, finished: SystemTime) -> Result<Self, Error> {
        let missing = |what| move || Error::Format(path.to_owned(), what);
        let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| missing("JSON")());
        let (estimates, benchmark) = (parsed(estimates)?, parsed(benchmark)?);
        Ok(Self {
            name: benchmark["full_id"].as_str().ok_or_else(missing("full_id"))?.to_owned(),
            median_ns: estimates["median"]["point_estimate"].as_f64().ok_or_else(missing("median"))?,
            bytes: benchmark["throughput"]["Bytes"].as_f64(),
            finished,
        })
    }
}

/// The measurements below a directory that were written since `start`: those of an earlier run stay there, too.
fn collect(directory: &Path, start: SystemTime, found: &mut Vec<Measurement>) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| Error::Read(path, error)
    };
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.exists() {
            let finished = fs::metadata(&estimates).and_then(|m| m.modified()).map_err(failed(&estimates))?;
            if finished >= start {
                let read = |path: &Path| fs::read_to_string(path).map_err(failed(path));
                let benchmark = read(&path.join("benchmark.json"))?;
                found.push(Measurement::parse(&path, &read(&estimates)?, &benchmark, finished)?);
            }
        } else if path.is_dir() {
            collect(&path, start, found)?;
        }
    }
    Ok(())
}

/// All measurements of a run.
#[derive(Debug)]
struct Report {
    dram: Measurement,
    working_set: Measurement,
    /// The others, in the order in which they ran.
    benchmarks: Vec<Measurement>,
}

impl Report {
    fn new(mut measurements: Vec<Measurement>) -> Result<Self, Error> {
        let mut take = |name| {
            let index = measurements.iter().position(|measurement| measurement.name == name);
            index.map(|index| measurements.swap_remove(index)).ok_or(Error::Missing(name))
        };
        let (dram, working_set) = (take(DRAM)?, take(WORKING_SET)?);
        measurements.sort_by_key(|measurement| measurement.finished);
        Ok(Self { dram, working_set, benchmarks: measurements })
    }

    /// A benchmark's rate as fractions of the two read bandwidths, if it is bound by them.
    fn fractions(&self, benchmark: &Measurement) -> Option<[f64; 2]> {
        let rate = benchmark.rate().filter(|_| benchmark.name.starts_with(DECODE))?;
        Some([rate / self.dram.rate()?, rate / self.working_set.rate()?])
    }

    fn table(&self) -> String {
        let name_width = self.benchmarks.iter().map(|m| m.name.len()).max().unwrap_or(0).max(9);
        let line = |name: &str, columns: [String; 5]| {
            let [median, bytes, rate, dram, set] = columns;
            format!("{name:name_width$}  {median:>10}  {bytes:>9}  {rate:>10}  {dram:>7}  {set:>7}\n")
        };
        let titles = ["median", "bytes", "rate", "of DRAM", "of set"].map(str::to_owned);
        let mut table = line("benchmark", titles);
        for benchmark in &self.benchmarks {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            let fractions = self.fractions(benchmark);
            let percent = |index: usize| or_dash(fractions.map(|f| format!("{:.0} %", 100.0 * f[index])));
            let columns = [
                time(benchmark.median_ns),
                or_dash(benchmark.bytes.map(megabytes)),
                or_dash(benchmark.rate().map(gigabytes_per_second)),
                percent(0),
                percent(1),
            ];
            table += &line(&benchmark.name, columns);
        }
        let bandwidth = |measurement: &Measurement| {
            let bytes = measurement.bytes.map(megabytes).unwrap_or_default();
            format!(
                "{} ({bytes}, again and again)",
                measurement.rate().map(gigabytes_per_second).unwrap_or_default()
            )
        };
        table += &format!(
            "\nRead bandwidth of all cores, measured in this run:\n  DRAM  {}\n  set   {}\n",
            bandwidth(&self.dram),
            bandwidth(&self.working_set)
        );
        // Nothing reads faster than the loop that only reads, unless that one had less of the machine.
        if self.benchmarks.iter().filter_map(|m| self.fractions(m)).any(|[_, set]| set > 1.0) {
            table +=
                "Decode above 100 % of the set: the machine was busy with something else. Measure again.\n";
        }
        table
    }

    fn json(&self) -> String {
        let measurement = |m: &Measurement| {
            let [dram, set] = self.fractions(m).map_or([None; 2], |f| f.map(Some));
            json!({
                "name": m.name, "median_ns": m.median_ns, "bytes": m.bytes, "bytes_per_second": m.rate(),
                "of_dram": dram, "of_working_set": set,
            })
        };
        let benchmarks: Vec<Value> = self.benchmarks.iter().map(measurement).collect();
        let report = json!({
            "dram": measurement(&self.dram), "working_set": measurement(&self.working_set), "benchmarks": benchmarks,
        });
        format!("{report}\n")
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.3} ms", ns / 1e6),
    }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

fn gigabytes_per_second(rate: f64) -> String {
    format!("{:.1} GB/s", rate / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATES: &str = concat!(
        r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1.0,"upper_bound":9.0},"#,
        r#""point_estimate":5.0,"standard_error":0.1},"median":{"confidence_interval":{"confidence_level":0.95,"#,
        r#""lower_bound":1.0,"upper_bound":9.0},"point_estimate":2e6,"standard_error":0.1},"#,
        r#""median_abs_dev":{"point_estimate":7.0}}"#
    );

    fn measurement(name: &str, throughput: &str) -> Measurement {
        let benchmark = format!(
            r#"{{"group_id":"g","function_id":null,"value_str":"1","throughput":{throughput},"full_id":"{name}","title":"t"}}"#
        );
        Measurement::parse(Path::new("new"), ESTIMATES, &benchmark, SystemTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn criterion_files_are_read() {
        let with = measurement("host kernel/1", r#"{"Bytes":70000000}"#);
        assert_eq!((&*with.name, with.median_ns, with.bytes), ("host kernel/1", 2e6, Some(7e7)));
        assert_eq!(with.rate(), Some(35e9));
        assert_eq!(measurement("launch/empty", "null").rate(), None);
        let parse = Measurement::parse(Path::new("new"), "{}", r#"{"full_id":"a"}"#, SystemTime::UNIX_EPOCH);
        assert!(matches!(parse, Err(Error::Format(_, "median"))));
    }

    #[test]
    fn only_decode_is_a_fraction_of_the_bandwidth() {
        let report = Report::new(vec![
            measurement("format/nd_to_nz/8 bit", r#"{"Bytes":70000000}"#),
            measurement(DRAM, r#"{"Bytes":50000000}"#),
            measurement("host kernel/1", r#"{"Bytes":20000000}"#),
            measurement(WORKING_SET, r#"{"Bytes":100000000}"#),
        ]);
        let report = report.unwrap();
        let fractions: Vec<_> = report.benchmarks.iter().map(|m| (&*m.name, report.fractions(m))).collect();
        assert_eq!(fractions.len(), 2);
        assert!(fractions.contains(&("host kernel/1", Some([0.4, 0.2]))));
        assert!(fractions.contains(&("format/nd_to_nz/8 bit", None)));
        let table = report.table();
        assert!(table.contains("40 %") && table.contains("10.0 GB/s") && !table.contains("Measure again"));
        assert!(matches!(Report::new(Vec::new()), Err(Error::Missing(DRAM))));
    }
}
