//! The few things that need `unsafe`: blocks of host memory, raw copies, calls of a program's functions; mappings are in `mapping`.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Page-locked memory of the host, in whole pages.
#[derive(Debug)]
pub(crate) struct HostBlock {
    address: usize,
    layout: Layout,
}

const PAGE: usize = 4096;

impl HostBlock {
    /// `None` if the system has no such block.
    pub(crate) fn new(size: usize) -> Option<Self> {
        Self::aligned(size, PAGE)
    }

    /// As [`Self::new`], in whole pages of another size.
    pub(crate) fn aligned(size: usize, page: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size.max(1), page).ok()?.pad_to_align();
        // SAFETY: The size is not zero.
        let address = unsafe { alloc(layout) };
        (!address.is_null()).then(|| Self { address: address.expose_provenance(), layout })
    }

    pub(crate) fn address(&self) -> usize {
        self.address
    }
}

impl Drop for HostBlock {
    fn drop(&mut self) {
        // SAFETY: The block was allocated with this layout and is freed once, here.
        unsafe { dealloc(ptr::with_exposed_provenance_mut(self.address), self.layout) }
    }
}

/// Copies bytes, also between ranges that overlap.
///
/// Two streams may copy to and from the same bytes at once if the program orders them badly. That is a race
/// on a real device, too: the order is the program's duty, as for `memcpy` in C, and the safe crate keeps it.
///
/// # Safety
///
/// Both ranges must be mapped for the whole call, the first for writing, and no Rust reference may point into
/// the first, nor a mutable one into the second, other than those that the program behind the C interface
/// lent.
pub(crate) unsafe fn copy(to: usize, from: usize, length: usize) {
    // SAFETY: By contract.
    unsafe {
        ptr::copy(ptr::with_exposed_provenance::<u8>(from), ptr::with_exposed_provenance_mut(to), length);
    }
}

/// Fills bytes with a value; the remarks at [`copy`] hold.
///
/// # Safety
///
/// The range must be mapped for writing for the whole call, and no Rust reference may point into it.
pub(crate) unsafe fn fill(to: usize, value: u8, length: usize) {
    // SAFETY: By contract.
    unsafe { ptr::write_bytes(ptr::with_exposed_provenance_mut::<u8>(to), value, length) }
}

/// Fills words of 32 bits with a value; the remarks at [`copy`] hold.
///
/// # Safety
///
/// As for [`fill`], for `count` words.
pub(crate) unsafe fn fill_words(to: usize, value: u32, count: usize) {
    let start = ptr::with_exposed_provenance_mut::<u32>(to);
    for index in 0..count {
        // SAFETY: By contract; the address may be unaligned.
        unsafe { start.add(index).write_unaligned(value) }
    }
}

/// Writes a value that other threads may be waiting for.
///
/// # Safety
///
/// The eight bytes must be mapped for writing for the whole call, and their address be a multiple of 8.
pub(crate) unsafe fn store(to: usize, value: u64) {
    // SAFETY: By contract.
    unsafe { AtomicU64::from_ptr(ptr::with_exposed_provenance_mut(to)) }.store(value, Ordering::Release);
}

/// Reads a value that another thread may be writing.
///
/// # Safety
///
/// The eight bytes must be mapped for the whole call, and their address be a multiple of 8.
pub(crate) unsafe fn load(from: usize) -> u64 {
    // SAFETY: By contract.
    unsafe { AtomicU64::from_ptr(ptr::with_exposed_provenance_mut(from)) }.load(Ordering::Acquire)
}

/// A function of the program with the argument it wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    function: unsafe extern "C" fn(*mut c_void),
    argument: usize,
}

impl Call {
    /// # Safety
    ///
    /// The function must be callable with the argument, from any thread, for as long as the [`Call`] is used.
    pub(crate) unsafe fn new(function: unsafe extern "C" fn(*mut c_void), argument: *mut c_void) -> Self {
        Self { function, argument: argument.expose_provenance() }
    }

    pub(crate) fn run(self) {
        // SAFETY: By the contract of `new`.
        unsafe { (self.function)(ptr::with_exposed_provenance_mut(self.argument)) }
    }
}

/// The calling thread as programs name it to `aclrtSubscribeReport`: its `pthread_t`.
pub(crate) fn thread_id() -> u64 {
    // SAFETY: A call without preconditions.
    unsafe { libc::pthread_self() }
}

/// Tells a function of the program of a failed task. `info` lives for the call.
pub(crate) fn call_exception(
    callback: unsafe extern "C" fn(*mut ascendcl_sys::aclrtExceptionInfo),
    info: *mut ascendcl_sys::aclrtExceptionInfo,
) {
    // SAFETY: The program registered the function for this call, with any pointer that the runtime gives it.
    unsafe { callback(info) }
}
