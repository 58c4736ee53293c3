//! Flags between cores.
//!
//! Each core has 16 counters. A flag is set by a group of cores; when all of them have set it, the counters of
//! the cores that it is for go up by one (Ascend C docs: inter-core synchronization, key features).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::check::Knowledge;
use super::layout::{Group, Layout};

/// Flags that a core has; of a larger number the hardware takes the lowest bits.
pub(super) const FLAGS: u32 = 16;
/// The largest value of a counter.
const COUNTER_LIMIT: usize = 15;

/// What the cores knew that let another go on; empty unless the sanitizer looks.
pub(super) type Known = Arc<[Knowledge]>;

/// A flag that a group of cores sets.
#[derive(Debug)]
struct Gate {
    setters: Vec<usize>,
    takers: Vec<usize>,
    /// By setter: what was set and waits for the others.
    arrived: Vec<VecDeque<Option<Knowledge>>>,
    /// Setters that have arrived.
    present: usize,
}

/// What setting a flag did.
#[derive(Debug, Default)]
pub(super) struct Raised {
    /// The cores whose counters went up.
    pub takers: Vec<usize>,
    /// A counter was at its largest value already.
    pub overflow: bool,
}

/// All flags between the cores of a launch.
#[derive(Debug, Default)]
pub(super) struct CrossFlags {
    gates: HashMap<(Group, u32), Gate>,
    /// By core and flag: one entry for each time the counter went up.
    counters: HashMap<(usize, u32), VecDeque<Known>>,
}

impl CrossFlags {
    /// `core`, which is of the group, sets the flag.
    pub(super) fn set(
        &mut self,
        layout: &Layout,
        core: usize,
        group: Group,
        flag: u32,
        knowledge: Option<Knowledge>,
    ) -> Raised {
        let gate = self.gates.entry((group, flag)).or_insert_with(|| {
            let setters = layout.setters(group);
            let arrived = setters.iter().map(|_| VecDeque::new()).collect();
            Gate { setters, takers: layout.takers(group), arrived, present: 0 }
        });
        let mut raised = Raised::default();
        let Ok(index) = gate.setters.binary_search(&core) else { return raised };
        gate.present += usize::from(gate.arrived[index].is_empty());
        gate.arrived[index].push_back(knowledge);
        if gate.present < gate.setters.len() {
            return raised;
        }
        let known: Known = gate.arrived.iter_mut().filter_map(VecDeque::pop_front).flatten().collect();
        gate.present = gate.arrived.iter().filter(|queue| !queue.is_empty()).count();
        for &taker in &gate.takers {
            let counter = self.counters.entry((taker, flag)).or_default();
            raised.overflow |= counter.len() >= COUNTER_LIMIT;
            counter.push_back(Arc::clone(&known));
        }
        raised.takers.clone_from(&gate.takers);
        raised
    }

    /// Takes the flag from the counter of the core, unless it is zero.
    pub(super) fn take(&mut self, core: usize, flag: u32) -> Option<Known> {
        self.counters.get_mut(&(core, flag))?.pop_front()
    }

    /// Flags that were set and not taken, with the core that they are for (the lowest, if not all that set a
    /// flag together have done so) and what one of those knew that set them.
    pub(super) fn left(&self) -> Vec<(usize, u32, &Knowledge)> {
        let counters = self.counters.iter().flat_map(|(&(taker, flag), queue)| {
            queue.iter().filter_map(move |known| Some((taker, flag, known.first()?)))
        });
        let gates = self.gates.iter().flat_map(|((_, flag), gate)| {
            let taker = gate.takers.first().copied().unwrap_or_default();
            gate.arrived.iter().flatten().flatten().map(move |knowledge| (taker, *flag, knowledge))
        });
        let mut left: Vec<_> = counters.chain(gates).collect();
        left.sort_by_key(|&(taker, flag, _)| (taker, flag));
        left
    }

    /// Who has not set a flag that others set and that the core waits for.
    pub(super) fn missing(&self, layout: &Layout, core: usize, flag: u32) -> String {
        let mut text = String::new();
        let mut gates: Vec<_> = self.gates.iter().filter(|((_, of), _)| *of == flag).collect();
        gates.sort_by_key(|(key, _)| **key);
        for (_, gate) in gates.iter().filter(|(_, gate)| gate.present > 0 && gate.takers.contains(&core)) {
            let absent = gate.setters.iter().zip(&gate.arrived).filter(|(_, arrived)| arrived.is_empty());
            let names: Vec<_> = absent.map(|(&setter, _)| layout.name(setter)).collect();
            text += &format!(
                " ({} of {} cores have set it, {} not)",
                gate.present,
                gate.setters.len(),
                list(&names)
            );
        }
        text
    }
}

/// A few names, and how many more there are.
fn list(names: &[String]) -> String {
    match names {
        [head @ .., _] if head.len() >= 4 => {
            format!("{} and {} more", names[..3].join(", "), names.len() - 3)
        }
        _ => names.join(", "),
    }
}
