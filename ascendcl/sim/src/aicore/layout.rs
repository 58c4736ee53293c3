//! Which cores a launch has. They are numbered block by block, the cube core of a block first.

use std::ops::Range;

use super::abi::{CoreType, KernelType, SyncScope};

/// The cores of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub blocks: u32,
    /// Cube cores of a block: 0 or 1.
    pub cubes: u32,
    /// Vector cores of a block: 0 to 2.
    pub vectors: u32,
}

/// The place of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub core_type: CoreType,
    pub block: u32,
    /// Among the vector cores of the block.
    pub sub_block: u32,
}

/// Cores that set a flag together, for others or for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    /// Mode 0.
    AllOf(CoreType),
    /// Mode 1: the vector cores of a block.
    Vectors(u32),
    /// Mode 2: the vector cores of a block, for its cube core.
    ToCube(u32),
    /// Mode 2: the cube core of a block, for its vector cores.
    ToVectors(u32),
}

impl Layout {
    pub(super) fn new(kernel_type: KernelType, blocks: u32) -> Self {
        let (cubes, vectors) = match kernel_type {
            KernelType::AivOnly | KernelType::MixAiv10 => (0, 1),
            KernelType::AicOnly | KernelType::MixAic10 => (1, 0),
            KernelType::MixAic11 => (1, 1),
            KernelType::MixAic12 => (1, 2),
        };
        Self { blocks, cubes, vectors }
    }

    /// Blocks that a device with so many cube cores, and twice as many vector cores, runs at a time.
    pub(super) fn blocks_at_once(&self, cube_cores: u32) -> u32 {
        if self.cubes == 0 { 2 * cube_cores } else { cube_cores }
    }

    /// Cores of a block.
    pub(super) fn members(&self) -> usize {
        (self.cubes + self.vectors) as usize
    }

    pub(super) fn cores(&self) -> usize {
        self.blocks as usize * self.members()
    }

    pub(super) fn block(&self, block: u32) -> Range<usize> {
        let first = block as usize * self.members();
        first..first + self.members()
    }

    pub(super) fn place(&self, core: usize) -> Place {
        let member = (core % self.members()) as u32;
        let block = (core / self.members()) as u32;
        if member < self.cubes {
            Place { core_type: CoreType::Aic, block, sub_block: 0 }
        } else {
            Place { core_type: CoreType::Aiv, block, sub_block: member - self.cubes }
        }
    }

    /// Such as `AIV 3`: the index among the cores of its kind.
    pub(super) fn name(&self, core: usize) -> String {
        let Place { core_type, block, sub_block } = self.place(core);
        match core_type {
            CoreType::Aic => format!("AIC {block}"),
            CoreType::Aiv => format!("AIV {}", block * self.vectors + sub_block),
        }
    }

    /// Who sets a flag of this mode with the core; `None` if the launch has no such mode.
    pub(super) fn group(&self, core: usize, mode: u32) -> Option<Group> {
        let Place { core_type, block, .. } = self.place(core);
        let mixed = self.cubes > 0 && self.vectors > 0;
        match (mode, core_type) {
            (0, _) => Some(Group::AllOf(core_type)),
            (1, CoreType::Aiv) if mixed => Some(Group::Vectors(block)),
            (2, CoreType::Aic) if mixed => Some(Group::ToVectors(block)),
            (2, CoreType::Aiv) if mixed => Some(Group::ToCube(block)),
            _ => None,
        }
    }

    /// The cores that must all set a flag of the group.
    pub(super) fn setters(&self, group: Group) -> Vec<usize> {
        match group {
            Group::AllOf(kind) => self.of_kind(0..self.cores(), kind),
            Group::Vectors(block) | Group::ToCube(block) => self.of_kind(self.block(block), CoreType::Aiv),
            Group::ToVectors(block) => self.of_kind(self.block(block), CoreType::Aic),
        }
    }

    /// The cores whose counters a flag of the group raises.
    pub(super) fn takers(&self, group: Group) -> Vec<usize> {
        match group {
            Group::AllOf(_) | Group::Vectors(_) => self.setters(group),
            Group::ToCube(block) => self.of_kind(self.block(block), CoreType::Aic),
            Group::ToVectors(block) => self.of_kind(self.block(block), CoreType::Aiv),
        }
    }

    fn of_kind(&self, cores: Range<usize>, kind: CoreType) -> Vec<usize> {
        cores.filter(|&core| self.place(core).core_type == kind).collect()
    }

    /// How many cores meet in the scope.
    pub(super) fn meeting(&self, scope: SyncScope) -> usize {
        let members = match scope {
            SyncScope::Vector => self.vectors,
            SyncScope::Cube => self.cubes,
            SyncScope::Mixed => self.cubes + self.vectors,
        };
        self.blocks as usize * members as usize
    }
}
