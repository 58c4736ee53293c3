//! Cases, and what comes of them.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::report::Latency;

/// Why a case failed.
pub type Failure = Box<dyn Error>;

/// What a case answers if it does not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// With what was measured.
    Passed(Vec<String>),
    Skipped(Skip),
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

/// Why a case is skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    pub reason: String,
    /// What the run is incomplete without; none if what is tested does not have it, so that nothing is amiss.
    pub gap: Option<Gap>,
}

impl Skip {
    /// What is tested does not have it.
    pub fn expected(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), gap: None }
    }

    /// A complete run has it.
    pub fn gap(gap: Gap, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), gap: Some(gap) }
    }
}

/// Something that a complete run tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    FusedOperation,
    VendorOperators,
    SmallKernel,
    SecondDevice,
}

impl Gap {
    pub fn what(self) -> &'static str {
        match self {
            Self::FusedOperation => "the fused operation",
            Self::VendorOperators => "the vendor's operators",
            Self::SmallKernel => "the launch of a small kernel",
            Self::SecondDevice => "work on two devices",
        }
    }

    /// Whether a run on an NPU can have it, if what is missing there is built or installed.
    pub fn is_avoidable(self) -> bool {
        matches!(self, Self::FusedOperation | Self::VendorOperators)
    }
}

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
    fn lacks(&self, need: Need) -> Option<Skip>;

    /// The latencies that the last case has measured.
    fn measured(&mut self) -> Vec<Latency> {
        Vec::new()
    }
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    Passed {
        notes: Vec<String>,
    },
    Skipped {
        reason: String,
        gap: Option<Gap>,
    },
    Failed {
        error: String,
    },
    /// Its turn did not come, because an earlier case left nothing to run it on.
    NotRun {
        reason: String,
    },
}

/// A case that was run, or skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub name: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub seconds: f64,
}

impl Outcome {
    pub fn new(name: &str, verdict: Verdict, time: Duration) -> Self {
        // To the microsecond.
        Self { name: name.to_owned(), verdict, seconds: (time.as_secs_f64() * 1e6).round() / 1e6 }
    }
}

/// Keeps the cases whose name contains one of the filters; all if there is no filter.
pub fn select<C>(cases: Vec<Case<C>>, filters: &[String]) -> Vec<Case<C>> {
    let wanted = |case: &Case<C>| filters.is_empty() || filters.iter().any(|word| case.name.contains(word));
    cases.into_iter().filter(wanted).collect()
}

impl<C: Offers> Case<C> {
    /// Runs it, or skips it.
    pub fn run(&self, context: &mut C) -> Outcome {
        let started = Instant::now();
        let verdict = match self.needs.iter().find_map(|need| context.lacks(*need)) {
            Some(skip) => skipped(skip),
            None => verdict(catch_unwind(AssertUnwindSafe(|| (self.body)(context)))),
        };
        Outcome::new(&self.name, verdict, started.elapsed())
    }
}

fn skipped(Skip { reason, gap }: Skip) -> Verdict {
    Verdict::Skipped { reason, gap }
}

fn verdict(ended: std::thread::Result<Answer>) -> Verdict {
    match ended {
        Ok(Ok(Done::Passed(notes))) => Verdict::Passed { notes },
        Ok(Ok(Done::Skipped(skip))) => skipped(skip),
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
        fn lacks(&self, need: Need) -> Option<Skip> {
            (need == Need::Atb).then(|| Skip::gap(Gap::VendorOperators, "no ATB here"))
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
    fn a_case_has_a_verdict_whatever_it_does() {
        let cases = [
            Case::new("a/fails", |_: &mut Nothing| Err("planted".into())),
            Case::new("a/panics", |_: &mut Nothing| -> Answer { panic!("planted {}", 7) }),
            Case::new("a/skips", |_: &mut Nothing| Ok(Done::Skipped(Skip::expected("not today")))),
            Case::new("a/needs", |_: &mut Nothing| -> Answer { panic!("must not run") })
                .needs(Need::Kernel)
                .needs(Need::Atb),
            Case::new("a/passes", |_: &mut Nothing| Ok(Done::noting("3 us"))).needs(Need::Kernel),
        ];
        let failed = |error: &str| Verdict::Failed { error: error.to_owned() };
        let skipped = |reason: &str, gap| Verdict::Skipped { reason: reason.to_owned(), gap };
        assert_eq!(
            cases.map(|case| case.run(&mut Nothing).verdict),
            [
                failed("planted"),
                failed("panicked: planted 7"),
                skipped("not today", None),
                skipped("no ATB here", Some(Gap::VendorOperators)),
                Verdict::Passed { notes: vec!["3 us".to_owned()] },
            ]
        );
    }
}
