//! The cube unit and the pipes that feed and drain it.

use super::abi;
use super::fault::Fault;
use super::instruction::Semantics;
use super::memory::{Access, CoreMemory, Registers};

macro_rules! pending {
    ($($name:ident),*) => {$(
        impl Semantics for abi::$name {
            fn check(&self) -> Result<(), Fault> {
                Err(Fault::Unsupported(stringify!($name).to_owned()))
            }

            fn accesses(&self, _memory: &CoreMemory, _visit: &mut dyn FnMut(Access)) {}

            fn run(&self, _memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
                self.check()
            }
        }
    )*};
}

pending!(Copy, NdToNz, NzToNd, Load2d, LoadTranspose, Load3d, Fill, Mmad, Fixpipe);
