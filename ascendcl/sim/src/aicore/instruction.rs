//! Every instruction as one value: what pipes hold and what traces record.

use super::abi::{self, Kind, Pipe};
use super::fault::Fault;
use super::memory::{Access, CoreMemory, Registers};

/// What an instruction does to memory; each family implements it beside its arithmetic.
pub(crate) trait Semantics {
    /// Checks fields and alignment: what the hardware would refuse whatever memory holds.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    fn check(&self) -> Result<(), Fault>;

    /// Tells every byte that [`run`](Self::run) would read or write now, for the sanitizer. Masked lanes and
    /// gaps are left out. Offsets that lie in memory are read from there.
    fn accesses(&self, memory: &CoreMemory, visit: &mut dyn FnMut(Access));

    /// Computes. Memory is reached through [`CoreMemory::at`] only, which keeps every access in bounds.
    ///
    /// # Errors
    ///
    /// What the hardware would refuse.
    fn run(&self, memory: &CoreMemory, registers: &mut Registers) -> Result<(), Fault>;
}

macro_rules! instruction {
    (computes: $($computes:ident),*; orders: $($orders:ident),* $(,)?) => {
        /// An instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "instructions are kept by value, in order")]
        pub(crate) enum Instruction {
            $($computes(abi::$computes),)*
            $($orders(abi::$orders),)*
        }

        impl Instruction {
            /// The name that a report shows.
            pub(crate) const fn name(&self) -> &'static str {
                match self { $(Self::$computes(_) => stringify!($computes),)* $(Self::$orders(_) => stringify!($orders),)* }
            }

            /// The code of the pipe that runs it.
            pub(crate) const fn pipe_code(&self) -> u8 {
                match self { $(Self::$computes(i) => i.pipe,)* $(Self::$orders(i) => i.pipe,)* }
            }

            /// The arithmetic, of an instruction that uses memory.
            pub(crate) fn semantics(&self) -> Option<&dyn Semantics> {
                match self { $(Self::$computes(i) => Some(i),)* _ => None }
            }

            /// Copies the instruction that a kernel passes; `None` if its kind is unknown.
            ///
            /// # Safety
            ///
            /// `instruction` must be to one of the structures of [`abi`], with the kind that it says.
            pub(crate) unsafe fn read(instruction: *const std::ffi::c_void) -> Option<Self> {
                // SAFETY: Every structure starts with the kind, and is of the kind that it says.
                unsafe {
                    Some(match Kind::of(instruction.cast::<u16>().read())? {
                        $(Kind::$computes => Self::$computes(instruction.cast::<abi::$computes>().read()),)*
                        $(Kind::$orders => Self::$orders(instruction.cast::<abi::$orders>().read()),)*
                    })
                }
            }
        }
    };
}

instruction! {
    computes: Vector, Reduce, Gather, GatherMask, BroadcastBlocks, Transpose, TransposeRows, Sort, Merge, Copy,
        NdToNz, NzToNd, Load2d, LoadTranspose, Load3d, Fill, Mmad, Fixpipe;
    orders: SetFlag, WaitFlag, Barrier, CrossSet, CrossWait, SyncAll, CleanCache, PostMemory, WaitMemory,
}

impl Instruction {
    /// The pipe that runs it, if there is such a pipe.
    pub(crate) fn pipe(&self) -> Option<Pipe> {
        Pipe::of(self.pipe_code())
    }
}
