//! Conditions: values in device memory that decide which branches of a captured graph run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::device::Device;
use crate::error::{Result, misuse};
use crate::graph::Graph;
use crate::handle::{Handle, Kind};
use crate::memory::Page;
use crate::simulator::Simulator;
use crate::stream::Stream;
use crate::transfer::Place;

/// The bytes of a condition's value.
const BYTES: usize = 8;

/// A value that decides.
pub(crate) struct Condition {
    pub handle: Handle,
    /// The graph that it was made for, and ends with.
    pub graph: Handle,
    pub device: Arc<Device>,
    /// Where the value is.
    pub address: usize,
    place: Place,
    /// What the value is at the start of each run of the graph; `None` leaves it to the program.
    default: Option<u32>,
    /// A condition decides for one task.
    is_used: AtomicBool,
}

impl Condition {
    /// Makes a condition, whose value is zero.
    pub(crate) fn new(
        simulator: &Simulator,
        graph: Handle,
        device: &Arc<Device>,
        default: Option<u32>,
    ) -> Result<Arc<Self>> {
        // Pooled: it is the runtime's own, no leak of the program's, and nothing that the program frees.
        let (address, _) = device.memory.allocate_pooled(BYTES, 0, Page::Normal)?;
        let place = Place::find(simulator, device, address, BYTES)?;
        Ok(Arc::new(Self {
            handle: Handle::new(Kind::Condition),
            graph,
            device: Arc::clone(device),
            address,
            place,
            default,
            is_used: AtomicBool::new(false),
        }))
    }

    /// Marks that a task uses it, which only one may.
    pub(crate) fn claim(&self) -> Result {
        if self.is_used.swap(true, Ordering::AcqRel) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the condition decides for another task already; make one for each task"
            ));
        }
        Ok(())
    }

    pub(crate) fn assign_default(&self) -> Result {
        self.default.map_or(Ok(()), |value| self.place.write_value(value.into()))
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        // Unless the device was reset, which has freed it, and others may have the address now.
        if self.place.read_value().is_ok() {
            let _ = self.device.memory.free_pooled(self.address);
        }
    }
}

/// What a condition decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The first branch unless the value is zero, and the second, if there is one, if it is.
    If,
    /// The branch again and again, until the value is zero.
    While,
    /// The branch whose index the value is, if there is one.
    Switch,
}

/// A task that runs branches of its graph.
pub(crate) struct ConditionTask {
    pub condition: Arc<Condition>,
    pub choice: Choice,
    pub branches: Vec<Arc<Graph>>,
}

impl ConditionTask {
    pub(crate) fn name(&self) -> &'static str {
        match self.choice {
            Choice::If => "CONDITION_IF",
            Choice::While => "CONDITION_WHILE",
            Choice::Switch => "CONDITION_SWITCH",
        }
    }

    pub(crate) fn run(&self, stream: &Stream) -> Result {
        let value = || self.condition.place.read_value();
        let index = match self.choice {
            Choice::If => usize::from(value()? == 0),
            Choice::Switch => usize::try_from(value()?).unwrap_or(usize::MAX),
            Choice::While => {
                while value()? != 0 {
                    stream.refuse_interrupt()?;
                    self.branches.iter().try_for_each(|branch| branch.run_tasks(stream))?;
                }
                return Ok(());
            }
        };
        self.branches.get(index).map_or(Ok(()), |branch| branch.run_tasks(stream))
    }
}
