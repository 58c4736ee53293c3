//! The report, for people (Markdown) and for programs (JSON).

use std::fmt::{self, Write as _};
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::suite::{Gap, Outcome, Verdict};

/// Version of the JSON's form.
const FORMAT: u32 = 1;

/// What the table of latencies shows.
const LATENCY: &str = "\
Time on the device between two events around a call: DeepSeek-V3's dimensions with 128 heads, bf16, split cache. Calls and events
are queued behind a host function that waits, so that what the host does for a call is not in its time. Warm: after the same
call. Flushed: after a write (`aclrtMemsetAsync`) of a buffer of twice the size of the L2 cache, which is meant to leave nothing
else in it; whether such a write goes through the cache of a device is not known here, so that these times are those of a cold
cache only if it does.

";

/// Something to know about the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// One line of the table of latencies; times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub backend: String,
    pub tokens: usize,
    /// Whether a buffer larger than the L2 cache was written before each call; else it was the same call.
    pub flushed: bool,
    pub calls: usize,
    pub median_us: f64,
    pub least_us: f64,
}

/// All that is known after a run, or in the middle of one.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    format: u32,
    pub simulated: bool,
    pub facts: Vec<Fact>,
    /// What the soak ran for.
    pub soak: String,
    /// What was not tested though a complete run does, each with the reason.
    pub not_tested: Vec<String>,
    pub cases: Vec<Outcome>,
    /// The case that is running; a report that still has one is of a program that ended or hangs in it.
    pub running: Option<String>,
    pub latency: Vec<Latency>,
}

/// How many cases ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub not_run: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)?;
        if self.not_run > 0 {
            write!(f, ", {} not run", self.not_run)?;
        }
        Ok(())
    }
}

impl Report {
    pub fn new(simulated: bool, facts: Vec<Fact>, soak: String) -> Self {
        Self {
            format: FORMAT,
            simulated,
            facts,
            soak,
            not_tested: Vec::new(),
            cases: Vec::new(),
            running: None,
            latency: Vec::new(),
        }
    }

    /// Adds what came of a case.
    pub fn add(&mut self, outcome: Outcome, latency: Vec<Latency>) {
        if let Verdict::Skipped { reason, gap: Some(gap) } = &outcome.verdict
            && self.gaps().all(|known| known != *gap)
        {
            self.not_tested.push(format!("{}: {}", gap.what(), first_line(reason)));
        }
        self.cases.push(outcome);
        self.latency.extend(latency);
        self.running = None;
    }

    /// What was skipped that a complete run has, once for each case.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.cases.iter().filter_map(|case| match &case.verdict {
            Verdict::Skipped { gap, .. } => *gap,
            _ => None,
        })
    }

    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for case in &self.cases {
            match case.verdict {
                Verdict::Passed { .. } => count.passed += 1,
                Verdict::Failed { .. } => count.failed += 1,
                Verdict::Skipped { .. } => count.skipped += 1,
                Verdict::NotRun { .. } => count.not_run += 1,
            }
        }
        count
    }

    /// Writes `report.md` and `report.json` to a folder, which is made if it is not there.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        replace(&folder.join("report.md"), &self.markdown())?;
        replace(&folder.join("report.json"), &(serde_json::to_string_pretty(self)? + "\n"))
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let device = if self.simulated { "simulated device" } else { "NPU" };
        let _ = writeln!(text, "# Test of the {device}: {}\n", self.count());
        if let Some(case) = &self.running {
            let _ = writeln!(
                text,
                "**The run is not over: `{}` is running, or the program ended in it.**\n",
                cell(case)
            );
        }
        for not_tested in &self.not_tested {
            let _ = writeln!(text, "**Not tested: {}**\n", cell(not_tested));
        }
        if self.simulated {
            text += "This run used the simulated device (`--sim`). It says nothing about an NPU.\n\n";
        }
        text += "## Machine\n\n";
        let rows = self.facts.iter().map(|fact| [fact.name.clone(), fact.value.clone()]);
        table(&mut text, ["", ""], rows);
        text += "\n## Cases\n\n";
        let _ = writeln!(text, "Soak: {}.\n", self.soak);
        let rows = self.cases.iter().map(|case| {
            let (word, said) = match &case.verdict {
                Verdict::Passed { notes } => ("passed", notes.join("; ")),
                Verdict::Skipped { reason, .. } => ("skipped", first_line(reason)),
                Verdict::Failed { .. } => ("**FAILED**", "see below".to_owned()),
                Verdict::NotRun { reason } => ("**NOT RUN**", first_line(reason)),
            };
            [case.name.clone(), word.to_owned(), format!("{:.2} s", case.seconds), said]
        });
        table(&mut text, ["case", "verdict", "time", "notes"], rows);
        let failed = self.cases.iter().filter_map(|case| match &case.verdict {
            Verdict::Failed { error } => Some((&case.name, error)),
            _ => None,
        });
        for (index, (name, error)) in failed.enumerate() {
            if index == 0 {
                text += "\n## Failures\n";
            }
            let fence = fence(error);
            let _ = write!(text, "\n### {name}\n\n{fence}text\n{error}\n{fence}\n");
        }
        if !self.latency.is_empty() {
            text += "\n## Latency of one call\n\n";
            text += LATENCY;
            if self.simulated {
                text +=
                    "**These are times of the simulator on this host. They mean nothing for an NPU.**\n\n";
            }
            let rows = self.latency.iter().map(|row| {
                [
                    row.backend.clone(),
                    row.tokens.to_string(),
                    if row.flushed { "flushed" } else { "warm" }.to_owned(),
                    format!("{:.1}", row.median_us),
                    format!("{:.1}", row.least_us),
                    row.calls.to_string(),
                ]
            });
            table(&mut text, ["backend", "tokens", "L2", "median, us", "least, us", "calls"], rows);
        }
        text
    }
}

/// Replaces a file as a whole: whoever reads it, or finds it after the program was ended, has the old or the new text.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(part, path)
}

fn table<const N: usize>(text: &mut String, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let mut line = |cells: [String; N]| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(head.map(str::to_owned));
    line(head.map(|_| "---".to_owned()));
    rows.for_each(|row| line(row.map(|value| cell(&value))));
}

/// A text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { first + " ..." } else { first }
}

/// Longer than any run of backticks in a text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(simulated: bool) -> Report {
        let facts = vec![Fact { name: "library".into(), value: "/a|b/lib\nacl.so".into() }];
        let mut report = Report::new(simulated, facts, "10000 launches".into());
        let case = |name: &str, verdict| Outcome { name: name.into(), verdict, seconds: 0.25 };
        report.cases = vec![
            case("a/passes", Verdict::Passed { notes: vec!["1 us".into(), "2 | 3".into()] }),
            case("a/skips", Verdict::Skipped { reason: "not in bf16\ntried".into(), gap: None }),
            case("a/fails", Verdict::Failed { error: "first\n```second```".into() }),
        ];
        let row = |flushed| Latency {
            backend: "kernel".into(),
            tokens: 4,
            flushed,
            calls: 9,
            median_us: 41.26,
            least_us: 40.0,
        };
        report.latency = vec![row(false), row(true)];
        report
    }

    /// Cells of a line of a table: a bar with a backslash before it is none.
    fn cells(line: &str) -> usize {
        line.replace("\\|", "").matches('|').count() - 1
    }

    #[test]
    fn tables_are_well_formed() {
        let text = report(false).markdown();
        let lines: Vec<&str> = text.lines().collect();
        let mut tables = Vec::new();
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("|")) {
            if index == 0 || !lines[index - 1].starts_with('|') {
                assert!(lines[index - 1].is_empty(), "an empty line before a table");
                assert!(lines[index + 1].starts_with("| ---"), "{}", lines[index + 1]);
                tables.push((cells(line), 0));
            }
            let (width, rows) = tables.last_mut().unwrap();
            assert_eq!(cells(line), *width, "{line}");
            *rows += 1;
        }
        // With head and rule.
        assert_eq!(tables, [(2, 3), (4, 5), (6, 4)]);
    }

    #[test]
    fn failures_are_told_in_full_and_the_rest_in_a_line() {
        let text = report(false).markdown();
        assert!(text.starts_with("# Test of the NPU: 1 passed, 1 failed, 1 skipped\n"), "{text}");
        assert!(text.contains("### a/fails\n\n````text\nfirst\n```second```\n````\n"), "{text}");
        assert!(text.contains("| a/skips | skipped | 0.25 s | not in bf16 ... |"), "{text}");
        assert!(text.contains("| a/passes | passed | 0.25 s | 1 us; 2 \\| 3 |"), "{text}");
        assert!(text.contains("| kernel | 4 | flushed | 41.3 | 40.0 | 9 |"), "{text}");
        assert!(!text.contains("mean nothing"));
        assert!(report(true).markdown().contains("They mean nothing for an NPU"));
        let running = Report { running: Some("a/hangs".into()), ..report(false) }.markdown();
        assert!(running.contains("`a/hangs` is running"));
    }

    #[test]
    fn the_json_has_everything() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new/folder");
        report(true).write(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("report.md")).unwrap(), report(true).markdown());
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        assert_eq!((&json["format"], &json["simulated"]), (&1.into(), &true.into()));
        assert_eq!(json["facts"][0]["value"], "/a|b/lib\nacl.so");
        assert_eq!(json["cases"][0]["notes"][1], "2 | 3");
        assert_eq!(json["cases"][1]["reason"], "not in bf16\ntried");
        assert_eq!(
            (&json["cases"][2]["verdict"], &json["cases"][2]["error"]),
            (&"failed".into(), &"first\n```second```".into())
        );
        assert_eq!(
            (&json["latency"][1]["flushed"], &json["latency"][1]["median_us"]),
            (&true.into(), &41.26.into())
        );
        assert!(json["running"].is_null());
    }

    #[test]
    fn what_was_not_tested_is_a_headline_once() {
        let mut report = report(false);
        let skipped = |name: &str, gap| {
            let reason = "no ATB\ntried /x".to_owned();
            Outcome { name: name.into(), verdict: Verdict::Skipped { reason, gap }, seconds: 0.0 }
        };
        report.add(skipped("b/refused", None), Vec::new());
        assert!(report.not_tested.is_empty() && report.gaps().count() == 0);
        report.add(skipped("b/one", Some(Gap::VendorOperators)), Vec::new());
        report.add(skipped("b/two", Some(Gap::VendorOperators)), Vec::new());
        assert_eq!(report.not_tested, ["the vendor's operators: no ATB ..."]);
        let text = report.markdown();
        assert_eq!(text.matches("**Not tested: the vendor's operators: no ATB ...**\n").count(), 1, "{text}");
        assert!(text.find("**Not tested") < text.find("## Machine"), "{text}");
    }

    #[test]
    fn cases_that_were_not_run_are_told() {
        let mut report = report(false);
        let verdict = Verdict::NotRun { reason: "after `a/fails`".into() };
        report.add(Outcome { name: "b/rest".into(), verdict, seconds: 0.0 }, Vec::new());
        let text = report.markdown();
        assert!(text.starts_with("# Test of the NPU: 1 passed, 1 failed, 1 skipped, 1 not run\n"), "{text}");
        assert!(text.contains("| b/rest | **NOT RUN** | 0.00 s | after `a/fails` |"), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["cases"][3]["verdict"], "not-run");
    }

    /// Who has the old report open goes on to read it: a file that is written in place changes under the reader.
    #[test]
    fn a_report_is_replaced_as_a_whole() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        report(false).write(folder.path()).unwrap();
        for name in ["report.md", "report.json"] {
            let path = folder.path().join(name);
            let old = fs::read_to_string(&path).unwrap();
            let mut reader = fs::File::open(&path).unwrap();
            report(true).write(folder.path()).unwrap();
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            assert!(read == old && fs::read_to_string(&path).unwrap() != old, "{name}");
            report(false).write(folder.path()).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }
}
