//! Goes through the cases, whatever happens to the process that runs them.

use std::time::Instant;

use crate::report::Latency;
use crate::suite::{Outcome, Verdict};
use crate::worker::{Gone, NotOpened, Worker};

/// After so many cases that hang, the device is left alone: each takes all the time that a case may take.
const HANGS: usize = 2;

/// What happens, for a report that is up to date should the program end in the middle of a case.
pub enum Progress<'a> {
    Begins(&'a str),
    Ends(&'a Outcome, Vec<Latency>),
}

/// Runs the cases in their order, on `worker` and then on others that `start` starts.
///
/// A case that fails takes its worker with it: after an exception of a kernel a process's context is of no more use, and
/// what else is left of a failure nobody knows. The next case begins with a process of its own.
pub fn run(
    cases: &[String],
    worker: Worker,
    start: impl Fn() -> Result<Worker, NotOpened>,
    mut progress: impl FnMut(Progress<'_>),
) {
    let mut run = Run { worker: Some(worker), start, failed: String::new(), hangs: 0, over: None };
    for case in cases {
        progress(Progress::Begins(case));
        let (outcome, latency) = run.case(case);
        progress(Progress::Ends(&outcome, latency));
    }
}

struct Run<S> {
    worker: Option<Worker>,
    start: S,
    /// The last case that failed.
    failed: String,
    hangs: usize,
    /// Why no more cases are run.
    over: Option<String>,
}

impl<S: Fn() -> Result<Worker, NotOpened>> Run<S> {
    fn case(&mut self, case: &str) -> (Outcome, Vec<Latency>) {
        let started = Instant::now();
        let (verdict, latency) = match self.worker() {
            Err(reason) => (Verdict::NotRun { reason }, Vec::new()),
            Ok(mut worker) => match worker.run(case) {
                Ok((outcome, latency)) => {
                    match &outcome.verdict {
                        Verdict::Failed { .. } => case.clone_into(&mut self.failed),
                        _ => self.worker = Some(worker),
                    }
                    return (outcome, latency);
                }
                Err(gone) => {
                    worker.kill();
                    case.clone_into(&mut self.failed);
                    self.hangs += usize::from(matches!(gone, Gone::Hangs(_)));
                    (Verdict::Failed { error: gone.to_string() }, Vec::new())
                }
            },
        };
        (Outcome::new(case, verdict, started.elapsed()), latency)
    }

    /// The worker for the next case, or why there is none.
    fn worker(&mut self) -> Result<Worker, String> {
        if let Some(worker) = self.worker.take() {
            return Ok(worker);
        }
        let failed = &self.failed;
        if self.over.is_none() && self.hangs == HANGS {
            self.over = Some(format!("after `{failed}`, as {HANGS} cases hung"));
        }
        if let Some(reason) = &self.over {
            return Err(reason.clone());
        }
        (self.start)().map_err(|error| {
            let reason = format!("after `{failed}`, the device cannot be opened again: {error}");
            self.over.insert(reason).clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// A worker in another language: it opens, and for each case runs what `cases` has for the words after the slash. Its socket
    /// is its standard input.
    fn shell(cases: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(
            r#"
            ended() {{ echo "{{\"Ended\":{{\"outcome\":{{\"name\":\"$name\",\"seconds\":1.0,$1}},\"latency\":[]}}}}" >&0; }}
            passed() {{ ended '"verdict":"passed","notes":["by '$$'"]'; }}
            echo '{{"Opened":[{{"name":"shell","value":"yes"}}]}}' >&0
            while read -r name; do case "$name" in {cases} *) passed;; esac; done"#
        ));
        command
    }

    fn start(cases: &str, limit: Duration) -> Result<Worker, NotOpened> {
        Worker::start(shell(cases), limit).map(|(worker, _)| worker)
    }

    const LIMIT: Duration = Duration::from_secs(30);

    /// Runs `a/1` to `a/5` and answers with what came of them.
    fn outcomes(worker: Worker, start: impl Fn() -> Result<Worker, NotOpened>) -> Vec<(String, Verdict)> {
        let cases = ["a/1", "a/2", "a/3", "a/4", "a/5"].map(str::to_owned);
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        run(&cases, worker, start, |progress| match progress {
            Progress::Begins(name) => begun.push(name.to_owned()),
            Progress::Ends(outcome, _) => ended.push((outcome.name.clone(), outcome.verdict.clone())),
        });
        assert_eq!(begun, cases);
        assert_eq!(ended.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), cases);
        ended
    }

    fn passed_by(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Passed { notes } => &notes[0],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn after_a_failure_the_next_case_has_a_process_of_its_own() {
        let cases = r#"a/2) ended '"verdict":"failed","error":"507015"';;"#;
        let ended = outcomes(start(cases, LIMIT).unwrap(), || start(cases, LIMIT));
        assert_eq!(ended[1].1, Verdict::Failed { error: "507015".into() });
        let by: Vec<&str> = [0, 2, 3, 4].iter().map(|index| passed_by(&ended[*index].1)).collect();
        assert!(by[0] != by[1] && by[1] == by[2] && by[2] == by[3], "{by:?}");
    }

    #[test]
    fn a_crash_is_a_failure_of_its_case() {
        let cases = "a/2) kill -SEGV $$;; a/4) exit 7;;";
        let ended = outcomes(start(cases, LIMIT).unwrap(), || start(cases, LIMIT));
        let error = |index: usize| match &ended[index].1 {
            Verdict::Failed { error } => error.as_str(),
            other => panic!("{other:?}"),
        };
        assert!(error(1).contains("signal: 11"), "{}", error(1));
        assert!(error(3).contains("exit status: 7"), "{}", error(3));
        for index in [0, 2, 4] {
            passed_by(&ended[index].1);
        }
    }

    #[test]
    fn a_case_that_hangs_is_ended_and_the_second_ends_the_run() {
        let cases = "a/1|a/3) exec sleep 600;;";
        let limit = Duration::from_secs(1);
        let ended = outcomes(start(cases, limit).unwrap(), || start(cases, limit));
        for index in [0, 2] {
            assert!(
                matches!(&ended[index].1, Verdict::Failed { error } if error.contains("no answer within 1 s")),
                "{ended:?}"
            );
        }
        passed_by(&ended[1].1);
        for (_, verdict) in &ended[3..] {
            assert!(
                matches!(verdict, Verdict::NotRun { reason } if reason.contains("after `a/3`")),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn without_a_device_the_rest_is_not_run() {
        let cases = r#"a/2) ended '"verdict":"failed","error":"507010"';;"#;
        let tried = Cell::new(0);
        let ended = outcomes(start(cases, LIMIT).unwrap(), || {
            tried.set(tried.get() + 1);
            Err(NotOpened { exit_status: 1, message: "device 0 is lost".into() })
        });
        assert_eq!(tried.get(), 1);
        for (_, verdict) in &ended[2..] {
            assert!(
                matches!(verdict, Verdict::NotRun { reason }
                    if reason.contains("after `a/2`") && reason.contains("device 0 is lost")),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn what_does_not_open_is_told() {
        let told = |script: &str, limit| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Worker::start(command, limit).map(|_| ()).unwrap_err()
        };
        let refused = told(r#"echo '{"NotOpened":{"exit_status":3,"message":"no NPU"}}' >&0"#, LIMIT);
        assert_eq!(refused, NotOpened { exit_status: 3, message: "no NPU".into() });
        let crashed = told("exit 9", LIMIT);
        assert!(crashed.exit_status == 1 && crashed.message.contains("exit status: 9"), "{crashed:?}");
        let hung = told("exec sleep 600", Duration::from_secs(1));
        assert!(hung.message.contains("no answer within 1 s"), "{hung:?}");
        let confused = told("echo nonsense >&0; sleep 1", LIMIT);
        assert!(
            confused.message.contains("`nonsense`") || confused.message.contains("\"nonsense\""),
            "{confused:?}"
        );
    }
}
