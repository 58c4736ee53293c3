//! Vector clocks of the pipes of one core.
//!
//! An instruction is an event `(pipe, number)`. The clock of a pipe says up to which number the instructions of
//! each pipe are complete before the pipe's next instruction starts. A pipe does not know its own earlier
//! instructions: they were issued in order, but may still run (PipeBarrier docs). What other cores did enters a
//! core only through its scalar unit, so one number, the epoch, stands for all of it.

use crate::aicore::abi::Pipe;

/// Pipes of a core.
pub(super) const PIPES: usize = 7;
pub(super) const SCALAR: usize = 0;
pub(super) const VECTOR: usize = 1;
pub(super) const CUBE: usize = 2;
pub(super) const MTE2: usize = 4;
pub(super) const MTE3: usize = 5;
pub(super) const FIX: usize = 6;

/// The pipes by their indices.
const ALL: [Pipe; PIPES] =
    [Pipe::Scalar, Pipe::Vector, Pipe::Cube, Pipe::Mte1, Pipe::Mte2, Pipe::Mte3, Pipe::Fix];

/// The name that programmers know, of the pipe with this index.
pub(super) fn name(index: usize) -> &'static str {
    ALL[index].name()
}

/// The index of a pipe; `None` for all of them.
pub(super) fn index(pipe: Pipe) -> Option<usize> {
    ALL.iter().position(|known| *known == pipe)
}

/// What is known to be complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Instructions of each pipe of this core.
    pub pipes: [u32; PIPES],
    /// How often this core had heard of others.
    pub epoch: u32,
}

impl Clock {
    /// Learns what another clock knows.
    pub(super) fn join(&mut self, other: &Self) {
        for (own, other) in self.pipes.iter_mut().zip(other.pipes) {
            *own = (*own).max(other);
        }
        self.epoch = self.epoch.max(other.epoch);
    }
}
