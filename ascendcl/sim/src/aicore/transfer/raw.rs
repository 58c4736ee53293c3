//! Bytes in and out of a core's memories.
//!
//! Everything goes through copies: no reference to a memory of the device is ever made, so kernels that race
//! on global memory get bytes of the one or the other, as on the device.

use crate::aicore::fault::Fault;
use crate::aicore::memory::{Address, CoreMemory};

/// Copies bytes between memories; the ranges may overlap.
pub(crate) fn copy(memory: &CoreMemory, dst: Address, src: Address, length: u64) -> Result<(), Fault> {
    let from = memory.at(src, length)?;
    let to = memory.at(dst, length)?;
    // SAFETY: `at` returned places that hold `length` bytes each; `copy` allows them to overlap.
    unsafe { std::ptr::copy(from, to, length as usize) };
    Ok(())
}

/// Reads bytes.
pub(crate) fn get(memory: &CoreMemory, src: Address, into: &mut [u8]) -> Result<(), Fault> {
    let from = memory.at(src, into.len() as u64)?;
    // SAFETY: `at` returned a place that holds as many bytes; `into` is memory of this process alone.
    unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    Ok(())
}

/// Reads bytes into memory of its own.
pub(crate) fn read(memory: &CoreMemory, src: Address, length: u64) -> Result<Vec<u8>, Fault> {
    let from = memory.at(src, length)?;
    let mut bytes = Vec::with_capacity(length as usize);
    // SAFETY: `at` returned a place that holds `length` bytes, and the vector has room for them.
    unsafe {
        std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), length as usize);
        bytes.set_len(length as usize);
    }
    Ok(bytes)
}

/// Writes bytes.
pub(crate) fn put(memory: &CoreMemory, dst: Address, bytes: &[u8]) -> Result<(), Fault> {
    let to = memory.at(dst, bytes.len() as u64)?;
    // SAFETY: `at` returned a place that holds as many bytes; `bytes` is memory of this process alone.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    Ok(())
}
