//! The few things that need `unsafe`: memory mappings, raw copies, calls of a program's functions.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory of a device, mapped twice: as a window that the program gets addresses of and cannot touch, and
/// as an alias through which the simulator reads and writes. Both are sparse: only what was written takes
/// memory.
#[derive(Debug)]
pub(crate) struct DeviceMapping {
    file: OwnedFd,
    window: usize,
    alias: usize,
    size: usize,
}

impl DeviceMapping {
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        // SAFETY: The name is a C string.
        let file = unsafe { libc::memfd_create(c"ascend-device-memory".as_ptr(), libc::MFD_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: The descriptor was opened above, and nothing else owns it.
        let file = unsafe { OwnedFd::from_raw_fd(file) };
        let length = libc::off_t::try_from(size).map_err(io::Error::other)?;
        // SAFETY: A call that touches no memory of the process.
        if unsafe { libc::ftruncate(file.as_raw_fd(), length) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let reserved = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let window = map(size, libc::PROT_NONE, reserved, -1)?;
        let shared = libc::MAP_SHARED | libc::MAP_NORESERVE;
        match map(size, libc::PROT_READ | libc::PROT_WRITE, shared, file.as_raw_fd()) {
            Ok(alias) => Ok(Self { file, window, alias, size }),
            Err(error) => {
                unmap(window, size);
                Err(error)
            }
        }
    }

    /// The offset of an address that the program has.
    pub(crate) fn offset(&self, address: usize) -> Option<usize> {
        address.checked_sub(self.window).filter(|&offset| offset < self.size)
    }

    /// The address that the program gets for an offset.
    pub(crate) fn address(&self, offset: usize) -> usize {
        self.window + offset
    }

    /// Where the simulator reaches an offset.
    pub(crate) fn alias(&self, offset: usize) -> usize {
        self.alias + offset
    }

    /// Gives the pages of a range back to the system; they read as zeros afterwards.
    pub(crate) fn discard(&self, offset: usize, length: usize) -> io::Result<()> {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let (offset, length) = (
            libc::off_t::try_from(offset).map_err(io::Error::other)?,
            libc::off_t::try_from(length).map_err(io::Error::other)?,
        );
        // SAFETY: The call changes the content of the alias mapping only, which no reference points into.
        match unsafe { libc::fallocate(self.file.as_raw_fd(), mode, offset, length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for DeviceMapping {
    fn drop(&mut self) {
        unmap(self.window, self.size);
        unmap(self.alias, self.size);
    }
}

fn map(size: usize, protection: i32, flags: i32, file: i32) -> io::Result<usize> {
    // SAFETY: A new mapping at an address that the system chooses overlaps nothing.
    let address = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, file, 0) };
    if address == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(address.expose_provenance())
    }
}

fn unmap(address: usize, size: usize) {
    // SAFETY: Called once for each mapping of `DeviceMapping`, by its owner, with the size it was made with.
    if unsafe { libc::munmap(ptr::with_exposed_provenance_mut(address), size) } != 0 {
        tracing::error!("munmap: {}", io::Error::last_os_error());
    }
}

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
        let layout = Layout::from_size_align(size.max(1), PAGE).ok()?.pad_to_align();
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
