//! `mlapo verify`: judges an implementation by golden fixtures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ascendcl::{Runtime, Stream};
use mlapo::fixture::{Candidate, Fixture, Problem, Report, Rule, compute_on_stream};
use mlapo::reference::{self, Intermediates, Order};
use mlapo::{Backend, Error};
use serde_json::{Value, json};

use crate::choice::BackendChoice;
use crate::failure::{Failure, complain, explain};
use crate::output::{print_json, stdout};
use crate::table::Table;
use crate::units;

/// Judge the implementation by golden fixtures
///
/// Regenerates the inputs of each fixture from its metadata (and checks their checksums), computes, and compares every
/// tensor that the fixture holds. `differ` is the fraction of elements that are not equal, `largest` the largest
/// absolute difference (int8 in wide arithmetic). Cache elements that no token writes must keep their value.
///
/// Rule `data`: at most 0.1 % of a tensor's elements differ by more than max(0.003, 0.003 |expected|), int8 by at most 1.
/// Rule `either`, for expectations in the order of rounding of the public CPU goldens, which is not the device's:
/// `data`, or errors of the size that the device's order itself makes.
#[derive(clap::Args)]
#[command(after_long_help = "\
The host backend computes as a program would: through the operation on a stream, from tensors on the device. The
reference computes in the order of rounding that the fixture expects, so it is always judged by `data`, and shows the
results of the inner stages too.

A fixture whose configuration the backend does not take is skipped, with the reason.

The last line is `N passed, N failed`, with `, N skipped` if there are any. With --json, standard output has the JSON document alone and the summary goes
to standard error. The exit status is 1 if a fixture fails or cannot be read, or if none passes.

Examples:
  mlapo verify mlapo/tests/fixtures
  mlapo verify --backend reference mlapo/tests/fixtures/public
  mlapo verify --json case.safetensors | jq .fixtures[0].tensors")]
pub struct Args {
    /// Fixture files, and folders that are searched for *.safetensors
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What computes
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto)]
    backend: BackendChoice,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What became of a fixture.
struct Outcome {
    path: PathBuf,
    result: Verdict,
    time: Duration,
}

enum Verdict {
    Judged(Report),
    /// The backend that was asked for does not take the configuration, for this reason.
    Skipped(String),
    Failed(String),
}

impl Outcome {
    fn pass(&self) -> bool {
        matches!(&self.result, Verdict::Judged(report) if report.pass)
    }

    fn skipped(&self) -> bool {
        matches!(self.result, Verdict::Skipped(_))
    }
}

/// What computes; the stream is opened with the first fixture that needs it.
enum Judge {
    Reference,
    Stream { backend: Backend, stream: Option<Stream> },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut judge = match args.backend {
        BackendChoice::Reference => Judge::Reference,
        choice => Judge::Stream { backend: choice.into(), stream: None },
    };
    let mut outcomes = Vec::new();
    for found in args.paths.iter().flat_map(|path| find(path)) {
        let started = Instant::now();
        let (path, result) = match found {
            Ok(path) => {
                let result = judge.verify(&path).unwrap_or_else(|error| Verdict::Failed(explain(&error)));
                (path, result)
            }
            Err((path, error)) => {
                let result = Verdict::Failed(format!("{}: {error}", path.display()));
                (path, result)
            }
        };
        let outcome = Outcome { path, result, time: started.elapsed() };
        match &outcome.result {
            Verdict::Failed(error) if args.json => complain(error),
            _ if args.json => {}
            _ => print(&outcome)?,
        }
        outcomes.push(outcome);
    }

    let passed = outcomes.iter().filter(|outcome| outcome.pass()).count();
    let skipped = outcomes.iter().filter(|outcome| outcome.skipped()).count();
    let failed = outcomes.len() - passed - skipped;
    let mut summary = format!("{passed} passed, {failed} failed");
    if skipped > 0 {
        summary += &format!(", {skipped} skipped");
    }
    if outcomes.is_empty() {
        let paths: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        complain(&Failure::NothingFound(paths.join(", ")).to_string());
    }
    if args.json {
        let fixtures: Vec<Value> = outcomes.iter().map(as_json).collect();
        let backend = judge.name();
        print_json(&json!({
            "backend": backend,
            "fixtures": fixtures,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
        }))?;
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "{summary}");
    } else {
        let mut out = stdout();
        writeln!(out, "{summary}")?;
        out.flush()?;
    }
    if failed > 0 || passed == 0 {
        return Err(Failure::Verification { failed, total: outcomes.len() });
    }
    Ok(())
}

impl Judge {
    fn name(&self) -> String {
        match self {
            Self::Reference => "reference".to_owned(),
            Self::Stream { backend, .. } => backend.to_string(),
        }
    }

    fn verify(&mut self, path: &Path) -> Result<Verdict, Error> {
        let fixture = Fixture::open(path)?;
        let report = match self {
            Self::Reference => {
                let order = fixture.case().expected_order.order();
                fixture.verify(order, |problem| compute_by_reference(problem, order))
            }
            Self::Stream { backend, stream } => {
                if let Err(refusal) = backend.check(&fixture.case().config) {
                    return Ok(Verdict::Skipped(explain(&refusal)));
                }
                let stream = match stream {
                    Some(stream) => stream,
                    None => stream.insert(Runtime::new()?.device(0)?.stream()?),
                };
                fixture.verify(backend.order(), |problem| compute_on_stream(stream, *backend, problem))
            }
        };
        report.map(Verdict::Judged)
    }
}

fn compute_by_reference(problem: &Problem<'_>, order: Order) -> Result<Candidate, Error> {
    problem.compute(|config, weights, inputs, outputs| {
        let mut intermediates = Intermediates::default();
        reference::run(config, weights, inputs, outputs, order, Some(&mut intermediates))?;
        Ok(Some(intermediates))
    })
}

/// The file itself, or the fixtures below a folder in the order of their names; with what could not be read.
fn find(path: &Path) -> Vec<Result<PathBuf, (PathBuf, std::io::Error)>> {
    let failed = |error| vec![Err((path.to_owned(), error))];
    match fs::metadata(path) {
        Err(error) => return failed(error),
        Ok(metadata) if !metadata.is_dir() => return vec![Ok(path.to_owned())],
        Ok(_) => {}
    }
    let entries: Result<Vec<_>, _> = fs::read_dir(path).and_then(Iterator::collect);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return failed(error),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        // Links to folders are not followed, so that there are no cycles.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(find(&path));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(Ok(path));
        }
    }
    found
}

fn rule_word(rule: Rule) -> &'static str {
    match rule {
        Rule::Data => "data",
        Rule::Either => "either",
    }
}

fn verdict(pass: bool) -> &'static str {
    if pass { "PASS" } else { "FAIL" }
}

fn print(outcome: &Outcome) -> Result<(), Failure> {
    let mut out = stdout();
    let (path, time) = (outcome.path.display(), units::time(outcome.time));
    match &outcome.result {
        Verdict::Judged(report) => {
            let (pass, rule) = (verdict(report.pass), rule_word(report.rule));
            writeln!(out, "{pass}  {path}  (rule {rule}, {time})")?;
            let mut table = Table::new(6, &[1, 2]);
            table.row(["tensor", "largest", "differ", "", ""]);
            for tensor in &report.tensors {
                let (largest, differ) =
                    (units::difference(tensor.max_error), units::percent(tensor.mismatch));
                table.row([tensor.name, &largest, &differ, verdict(tensor.pass), &tensor.detail]);
            }
            writeln!(out, "{table}")?;
        }
        Verdict::Skipped(reason) => writeln!(out, "SKIP  {path}\n      {reason}\n")?,
        Verdict::Failed(error) => writeln!(out, "FAIL  {path}\n      error: {error}\n")?,
    }
    Ok(out.flush()?)
}

fn as_json(outcome: &Outcome) -> Value {
    let (path, pass) = (outcome.path.display().to_string(), outcome.pass());
    match &outcome.result {
        Verdict::Judged(report) => json!({
            "path": path,
            "pass": pass,
            "case": report.case,
            "rule": report.rule,
            "seconds": outcome.time.as_secs_f64(),
            "tensors": report.tensors,
        }),
        Verdict::Skipped(reason) => json!({ "path": path, "skipped": reason }),
        Verdict::Failed(error) => json!({ "path": path, "pass": pass, "error": error }),
    }
}
