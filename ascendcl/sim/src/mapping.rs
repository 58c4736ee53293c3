//! Mappings of memory: of a device, and of what processes share.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The pages of the host.
const PAGE: usize = 4096;

/// Memory that several processes can map: a file that has no name and takes space only where it is written.
#[derive(Debug)]
pub(crate) struct SharedFile(OwnedFd);

impl SharedFile {
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: The name is a C string.
        let file = unsafe { libc::memfd_create(c"ascend-device-memory".as_ptr(), flags) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: The descriptor was opened above, and nothing else owns it.
        let file = Self(unsafe { OwnedFd::from_raw_fd(file) });
        // SAFETY: Calls that touch no memory of the process.
        let done = unsafe {
            libc::ftruncate(file.as_raw_fd(), signed(size)?) == 0
                && libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) == 0
        };
        if done { Ok(file) } else { Err(io::Error::last_os_error()) }
    }

    /// One that another process made. It has to have these many bytes for good: who maps a range that the file loses
    /// is killed by an access to it.
    pub(crate) fn received(file: OwnedFd, size: usize) -> io::Result<Self> {
        // SAFETY: A call that touches no memory of the process.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        if seals < 0 || seals & libc::F_SEAL_SHRINK == 0 {
            return Err(io::Error::other("the file of the other process may shrink"));
        }
        let length = std::fs::File::from(file.try_clone()?).metadata()?.len();
        if length < size as u64 {
            return Err(io::Error::other(format!(
                "the file of the other process has {length} bytes, not {size}"
            )));
        }
        Ok(Self(file))
    }

    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl AsFd for SharedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The size of such a file never changes.
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

fn signed(size: usize) -> io::Result<libc::off_t> {
    libc::off_t::try_from(size).map_err(io::Error::other)
}

/// The addresses of a device, mapped twice: as a window that the program gets addresses of and cannot touch, and
/// as an alias through which the simulator reads and writes. Both are sparse: only what was written takes
/// memory.
///
/// All of the alias can be read and written, always. Where the device has no memory, it shows a part of the file
/// that nobody looks at, so that work that comes too late touches nothing of others.
#[derive(Debug)]
pub(crate) struct DeviceMapping {
    file: Arc<SharedFile>,
    window: usize,
    alias: usize,
    size: usize,
}

impl DeviceMapping {
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        let file = Arc::new(SharedFile::new(size)?);
        // At the start of a gigantic page, so that pages of every size start at a multiple of it.
        let window = map_aligned(size, libc::PROT_NONE, HIDDEN, -1)?;
        match map_aligned(size, OPEN, SHOWN, file.as_raw_fd()) {
            Ok(alias) => Ok(Self { file, window, alias, size }),
            Err(error) => {
                unmap(window, size);
                Err(error)
            }
        }
    }

    /// What the memory consists of: its offsets are those of the file.
    pub(crate) fn file(&self) -> &Arc<SharedFile> {
        &self.file
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
        // SAFETY: The call changes the content of the alias mapping only, which no reference points into.
        match unsafe { libc::fallocate(self.file.as_raw_fd(), mode, signed(offset)?, signed(length)?) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Shows the bytes of a file, from `start` on, in a range of whole pages.
    pub(crate) fn show(
        &self,
        offset: usize,
        length: usize,
        file: &SharedFile,
        start: usize,
    ) -> io::Result<()> {
        self.check(offset, length);
        replace(self.alias + offset, length, OPEN, SHOWN, file.as_raw_fd(), start)
    }

    /// Ends what [`Self::show`] and [`Self::open_to_host`] did.
    pub(crate) fn hide(&self, offset: usize, length: usize) -> io::Result<()> {
        self.check(offset, length);
        replace(self.window + offset, length, libc::PROT_NONE, HIDDEN, -1, 0)?;
        replace(self.alias + offset, length, OPEN, SHOWN, self.file.as_raw_fd(), offset)
    }

    /// Lets the program itself touch a range that shows a file.
    pub(crate) fn open_to_host(
        &self,
        offset: usize,
        length: usize,
        file: &SharedFile,
        start: usize,
    ) -> io::Result<()> {
        self.check(offset, length);
        replace(self.window + offset, length, OPEN, SHOWN, file.as_raw_fd(), start)
    }

    fn check(&self, offset: usize, length: usize) {
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.size), "{length} bytes at {offset} of {}", self.size);
    }
}

impl Drop for DeviceMapping {
    fn drop(&mut self) {
        unmap(self.window, self.size);
        unmap(self.alias, self.size);
    }
}

/// A page of counters that several processes share.
#[derive(Debug)]
pub(crate) struct SharedPage {
    file: Arc<SharedFile>,
    address: usize,
}

impl SharedPage {
    /// How many counters there are.
    pub(crate) const WORDS: usize = PAGE / size_of::<AtomicU64>();

    pub(crate) fn new() -> io::Result<Self> {
        Self::map(SharedFile::new(PAGE)?)
    }

    /// The page of another process.
    pub(crate) fn received(file: OwnedFd) -> io::Result<Self> {
        Self::map(SharedFile::received(file, PAGE)?)
    }

    fn map(file: SharedFile) -> io::Result<Self> {
        let address = map(PAGE, OPEN, SHOWN, file.as_raw_fd())?;
        Ok(Self { file: Arc::new(file), address })
    }

    pub(crate) fn file(&self) -> &Arc<SharedFile> {
        &self.file
    }

    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < Self::WORDS, "word {index} of a shared page");
        let word = ptr::with_exposed_provenance_mut::<AtomicU64>(self.address).wrapping_add(index);
        // SAFETY: The word is within the page, which is mapped as long as `self` lives and is used as atomic words only,
        // by every process.
        unsafe { &*word }
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        unmap(self.address, PAGE);
    }
}

const OPEN: i32 = libc::PROT_READ | libc::PROT_WRITE;
const SHOWN: i32 = libc::MAP_SHARED | libc::MAP_NORESERVE;
const HIDDEN: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

fn map(size: usize, protection: i32, flags: i32, file: i32) -> io::Result<usize> {
    // SAFETY: A new mapping at an address that the system chooses overlaps nothing.
    let address = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, file, 0) };
    if address == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(address.expose_provenance())
    }
}

/// As [`map`], at a multiple of the largest page.
fn map_aligned(size: usize, protection: i32, flags: i32, file: i32) -> io::Result<usize> {
    const ALIGNMENT: usize = 1 << 30;
    let reserved = size.checked_add(ALIGNMENT).ok_or_else(|| io::Error::other("the size is no size"))?;
    let found = map(reserved, libc::PROT_NONE, HIDDEN, -1)?;
    let start = found.next_multiple_of(ALIGNMENT);
    let end = start + size.next_multiple_of(PAGE);
    if start > found {
        unmap(found, start - found);
    }
    if found + reserved > end {
        unmap(end, found + reserved - end);
    }
    match replace(start, size, protection, flags, file, 0) {
        Ok(()) => Ok(start),
        Err(error) => {
            unmap(start, size);
            Err(error)
        }
    }
}

/// Maps another thing at a range of a mapping of this file's. For every other thread this happens at once.
fn replace(
    address: usize,
    size: usize,
    protection: i32,
    flags: i32,
    file: i32,
    start: usize,
) -> io::Result<()> {
    let at = ptr::with_exposed_provenance_mut(address);
    // SAFETY: The callers name ranges of mappings that they own, which no reference points into.
    let done = unsafe { libc::mmap(at, size, protection, flags | libc::MAP_FIXED, file, signed(start)?) };
    if done == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn unmap(address: usize, size: usize) {
    // SAFETY: The callers name ranges that they mapped, once, when nothing uses them any more.
    if unsafe { libc::munmap(ptr::with_exposed_provenance_mut(address), size) } != 0 {
        tracing::error!("munmap: {}", io::Error::last_os_error());
    }
}
