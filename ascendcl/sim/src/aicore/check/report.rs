//! Findings as they come up, and what they name.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::clock;
use super::{Actor, Finding, FindingKind, Site, SourceLine};
use crate::aicore::trace::source_line;

/// An instruction of a line: what an [`Actor`] is without its core.
#[derive(Clone, Debug)]
struct Record {
    pipe: usize,
    instruction: &'static str,
    source: SourceLine,
}

/// Every line that did something, by number.
#[derive(Debug, Default)]
pub(super) struct Records {
    known: Mutex<Known>,
}

/// Numbers by file (the address of its name), line, pipe and instruction, and what they number.
type Known = (HashMap<(usize, u32, usize, &'static str), u32>, Vec<Record>);

impl Records {
    /// The number of an instruction of a line.
    pub(super) fn number(&self, pipe: usize, instruction: &'static str, site: Site) -> u32 {
        let mut known = self.known.lock();
        let (numbers, records) = &mut *known;
        *numbers.entry((site.file as usize, site.line, pipe, instruction)).or_insert_with(|| {
            records.push(Record { pipe, instruction, source: source_line(site) });
            records.len() as u32 - 1
        })
    }

    /// Who that is on a core of this name.
    pub(super) fn actor(&self, record: u32, core: &str) -> Actor {
        let known = self.known.lock();
        let record = &known.1[record as usize];
        Actor {
            core: core.to_owned(),
            pipe: clock::name(record.pipe).to_owned(),
            instruction: record.instruction.to_owned(),
            source: record.source.clone(),
        }
    }
}

/// Kind, line of the actor, line of the other.
type Key = (FindingKind, (String, u32), Option<(String, u32)>);

fn key(finding: &Finding) -> Key {
    let line = |actor: &Actor| (actor.source.file.clone(), actor.source.line);
    (finding.kind, line(&finding.actor), finding.other.as_ref().map(line))
}

/// The findings of each core.
#[derive(Debug)]
pub(super) struct Findings {
    cores: Vec<Mutex<BTreeMap<Key, Finding>>>,
}

impl Findings {
    pub(super) fn new(cores: usize) -> Self {
        Self { cores: (0..cores).map(|_| Mutex::default()).collect() }
    }

    /// Adds a finding of a core; of equal ones the first is kept.
    pub(super) fn add(&self, core: usize, finding: Finding) {
        let mut findings = self.cores[core].lock();
        findings.entry(key(&finding)).and_modify(|kept| kept.count += 1).or_insert(finding);
    }

    /// All of them, lower cores first, equal ones once.
    pub(super) fn all(&self) -> Vec<Finding> {
        let mut place = HashMap::new();
        let mut all: Vec<Finding> = Vec::new();
        for core in &self.cores {
            for (key, finding) in core.lock().iter() {
                match place.get(key) {
                    Some(&at) => {
                        let kept: &mut Finding = &mut all[at];
                        kept.count += finding.count;
                    }
                    None => {
                        place.insert(key.clone(), all.len());
                        all.push(finding.clone());
                    }
                }
            }
        }
        all
    }
}
