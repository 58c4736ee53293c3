//! Cases, and the runner that goes through them whatever happens.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Why a case failed.
pub type Failure = Box<dyn Error>;

/// What a case answers if it does not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// With what was measured.
    Passed(Vec<String>),
    /// With the reason.
    Skipped(String),
}

impl Done {
    /// Passed, with nothing to tell.
    pub const PASSED: Self = Self::Passed(Vec::new());

    /// Passed, with one measurement.
    pub fn noting(note: impl Into<String>) -> Self {
        Self::Passed(vec![note.into()])
    }
}

/// A case's answer.
pub type Answer = Result<Done, Failure>;

/// What a case needs besides a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A second device.
    TwoDevices,
    /// The fused kernel, built for the device.
    Kernel,
    /// ATB.
    Atb,
}

/// What the cases run on.
pub trait Offers {
    /// Why there is not what a case needs; `None` if there is.
    fn lacks(&self, need: Need) -> Option<String>;
}

/// One test of the suite.
pub struct Case<C> {
    /// Group and name: `memory/copy round trip`.
    pub name: String,
    needs: Vec<Need>,
    body: Box<dyn Fn(&mut C) -> Answer>,
}

impl<C> Case<C> {
    pub fn new(name: impl Into<String>, body: impl Fn(&mut C) -> Answer + 'static) -> Self {
        Self { name: name.into(), needs: Vec::new(), body: Box::new(body) }
    }

    #[must_use]
    pub fn needs(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    Passed { notes: Vec<String> },
    Skipped { reason: String },
    Failed { error: String },
}

/// A case that was run, or skipped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub name: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub seconds: f64,
}

/// Keeps the cases whose name contains one of the filters; all if there is no filter.
pub fn select<C>(cases: Vec<Case<C>>, filters: &[String]) -> Vec<Case<C>> {
    let wanted = |case: &Case<C>| filters.is_empty() || filters.iter().any(|word| case.name.contains(word));
    cases.into_iter().filter(wanted).collect()
}

/// What happens between the cases, for a report that is up to date should the program end in the middle of one.
pub enum Progress<'a> {
    Begins(&'a str),
    Ends(&'a Outcome),
}

/// Runs all cases in their order.
pub fn run<C: Offers>(cases: &[Case<C>], context: &mut C, mut progress: impl FnMut(&C, Progress<'_>)) {
    for case in cases {
        progress(context, Progress::Begins(&case.name));
        let started = Instant::now();
        let verdict = match case.needs.iter().find_map(|need| context.lacks(*need)) {
            Some(reason) => Verdict::Skipped { reason },
            None => verdict(catch_unwind(AssertUnwindSafe(|| (case.body)(context)))),
        };
        let outcome = Outcome { name: case.name.clone(), verdict, seconds: seconds(started.elapsed()) };
        progress(context, Progress::Ends(&outcome));
    }
}

fn verdict(ended: std::thread::Result<Answer>) -> Verdict {
    match ended {
        Ok(Ok(Done::Passed(notes))) => Verdict::Passed { notes },
        Ok(Ok(Done::Skipped(reason))) => Verdict::Skipped { reason },
        Ok(Err(error)) => Verdict::Failed { error: explain(&*error) },
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
            Verdict::Failed { error: format!("panicked: {text}") }
        }
    }
}

/// An error with its causes, unless its own text has them.
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// To the microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

/// Fails a case unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}
pub(crate) use ensure;

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Offers for Nothing {
        fn lacks(&self, need: Need) -> Option<String> {
            (need == Need::Atb).then(|| "no ATB here".to_owned())
        }
    }

    fn names(filters: &[&str]) -> Vec<String> {
        let cases = ["memory/fill", "memory/copy", "soak/fill"]
            .map(|name| Case::<Nothing>::new(name, |_| Ok(Done::PASSED)));
        let filters: Vec<String> = filters.iter().map(|word| (*word).to_owned()).collect();
        select(cases.into(), &filters).into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn filters_are_parts_of_names() {
        assert_eq!(names(&[]).len(), 3);
        assert_eq!(names(&["memory/"]), ["memory/fill", "memory/copy"]);
        assert_eq!(names(&["fill"]), ["memory/fill", "soak/fill"]);
        assert_eq!(names(&["copy", "soak"]), ["memory/copy", "soak/fill"]);
        assert!(names(&["nothing"]).is_empty());
    }

    #[test]
    fn the_run_goes_on_after_errors_and_panics() {
        let cases = [
            Case::new("a/fails", |_: &mut Nothing| Err("planted".into())),
            Case::new("a/panics", |_: &mut Nothing| -> Answer { panic!("planted {}", 7) }),
            Case::new("a/skips", |_: &mut Nothing| Ok(Done::Skipped("not today".into()))),
            Case::new("a/needs", |_: &mut Nothing| -> Answer { panic!("must not run") })
                .needs(Need::Kernel)
                .needs(Need::Atb),
            Case::new("a/passes", |_: &mut Nothing| Ok(Done::noting("3 us"))).needs(Need::Kernel),
        ];
        let (mut begun, mut outcomes) = (Vec::new(), Vec::new());
        run(&cases, &mut Nothing, |_, progress| match progress {
            Progress::Begins(name) => begun.push(name.to_owned()),
            Progress::Ends(outcome) => outcomes.push(outcome.clone()),
        });
        assert_eq!(begun.len(), 5);
        let verdicts: Vec<Verdict> = outcomes.into_iter().map(|outcome| outcome.verdict).collect();
        let failed = |error: &str| Verdict::Failed { error: error.to_owned() };
        let skipped = |reason: &str| Verdict::Skipped { reason: reason.to_owned() };
        assert_eq!(
            verdicts,
            [
                failed("planted"),
                failed("panicked: planted 7"),
                skipped("not today"),
                skipped("no ATB here"),
                Verdict::Passed { notes: vec!["3 us".to_owned()] },
            ]
        );
    }
}
