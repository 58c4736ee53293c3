//! Bytes of a core's memory, copied in and out within bounds that were checked once.

use std::marker::PhantomData;

use crate::aicore::fault::Fault;
use crate::aicore::memory::{Address, CoreMemory};

/// Bytes of one memory that an instruction may use.
pub(in crate::aicore) struct Region<'a> {
    address: Address,
    pointer: *mut u8,
    length: usize,
    memory: PhantomData<&'a CoreMemory>,
}

impl<'a> Region<'a> {
    /// # Errors
    ///
    /// As [`CoreMemory::at`].
    pub(in crate::aicore) fn of(memory: &'a CoreMemory, address: u64, length: u64) -> Result<Self, Fault> {
        let address = Address(address);
        let pointer = memory.at(address, length)?;
        Ok(Self { address, pointer, length: length as usize, memory: PhantomData })
    }

    #[inline]
    fn bounds(&self, offset: usize, length: usize) -> Result<(), Fault> {
        if offset.checked_add(length).is_some_and(|end| end <= self.length) {
            return Ok(());
        }
        let address = self.address.add(offset as u64);
        Err(Fault::OutOfBounds { address, length: length as u64, size: self.length as u64 })
    }

    /// Copies bytes out of the memory.
    #[inline]
    pub(in crate::aicore) fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), Fault> {
        self.bounds(offset, into.len())?;
        // SAFETY: `CoreMemory::at` gave `length` bytes at the pointer, which live as long as the memory that
        // the region borrows; the bounds were checked. `into` is Rust's own and no part of the memory.
        unsafe { self.pointer.add(offset).copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Copies bytes into the memory.
    #[inline]
    pub(in crate::aicore) fn write(&self, offset: usize, from: &[u8]) -> Result<(), Fault> {
        self.bounds(offset, from.len())?;
        // SAFETY: As in `read`; the memory belongs to this core's thread.
        unsafe { self.pointer.add(offset).copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        Ok(())
    }
}
