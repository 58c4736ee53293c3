//! Host memory for the local memories of cores, and for the system's workspace.

use std::io;
use std::ptr;

use parking_lot::Mutex;

use super::abi::CoreType;
use super::memory::{Range, Space};

/// The bytes from one local memory to the next; the header finds the memory of a pointer by it.
const SLOT: usize = 1 << 20;
const PAGE: usize = 4096;

/// Pages of the process that nothing else knows.
#[derive(Debug)]
struct Mapping {
    address: usize,
    size: usize,
}

impl Mapping {
    fn new(size: usize, protection: i32) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: A new mapping at an address that the system chooses overlaps nothing.
        let address = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { address: address.expose_provenance(), size })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: The mapping was made with this size, and its owner is gone.
        if unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.address), self.size) } != 0 {
            tracing::error!("munmap: {}", io::Error::last_os_error());
        }
    }
}

/// The local memories of a core, each at its own MiB and out of reach after its end. They are full of zeros
/// when they are handed out, so that what a kernel reads without having written it does not depend on who had
/// the memory before.
#[derive(Debug)]
pub(super) struct Arena {
    _mapping: Mapping,
    core_type: CoreType,
    base: [*mut u8; 8],
    used: bool,
}

// SAFETY: The arena owns its mapping, and the pointers are into it.
unsafe impl Send for Arena {}

/// Arenas that no core uses now.
static IDLE: Mutex<Vec<Arena>> = Mutex::new(Vec::new());

/// The memories of a kind of core.
fn spaces(core_type: CoreType) -> &'static [Space] {
    match core_type {
        CoreType::Aic => &[Space::L1, Space::L0a, Space::L0b, Space::L0c, Space::Bt, Space::Fb],
        CoreType::Aiv => &[Space::Ub],
    }
}

impl Arena {
    /// An arena that nothing else uses until it is given back.
    pub(super) fn take(core_type: CoreType) -> io::Result<Self> {
        let idle = {
            let mut idle = IDLE.lock();
            let found = idle.iter().rposition(|arena| arena.core_type == core_type);
            found.map(|index| idle.swap_remove(index))
        };
        let mut arena = match idle {
            Some(arena) => arena,
            None => Self::new(core_type)?,
        };
        if arena.used {
            for &space in spaces(core_type) {
                // SAFETY: The memory has as many bytes, which can be written, and nobody else uses them.
                unsafe { arena.base[space as usize].write_bytes(0, space.size()) };
            }
        }
        arena.used = true;
        Ok(arena)
    }

    fn new(core_type: CoreType) -> io::Result<Self> {
        let mapping = Mapping::new((Space::ALL.len() + 1) * SLOT, libc::PROT_NONE)?;
        let aligned = ptr::with_exposed_provenance_mut::<u8>(mapping.address.next_multiple_of(SLOT));
        let mut base = [ptr::null_mut(); 8];
        for &space in spaces(core_type) {
            let start = aligned.wrapping_add(space as usize * SLOT);
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: The pages are within the mapping, which has room for every slot after the alignment.
            if unsafe { libc::mprotect(start.cast(), space.size().next_multiple_of(PAGE), protection) } != 0 {
                return Err(io::Error::last_os_error());
            }
            base[space as usize] = start;
        }
        Ok(Self { _mapping: mapping, core_type, base, used: false })
    }

    /// Keeps it for the next core.
    pub(super) fn give_back(self) {
        IDLE.lock().push(self);
    }

    /// Where the memories start, by space; null for those that the core has not.
    pub(super) fn base(&self) -> [*mut u8; 8] {
        self.base
    }

    /// Their bytes, by space.
    pub(super) fn size(&self) -> [u32; 8] {
        Space::ALL.map(|space| if self.base[space as usize].is_null() { 0 } else { space.size() as u32 })
    }
}

/// The system's workspace of a launch in global memory, full of zeros.
#[derive(Debug)]
pub(super) struct SystemWorkspace(Mapping);

impl SystemWorkspace {
    /// What the vendor's host code reserves before a kernel's own workspace (`GetLibApiWorkSpaceSize`).
    const SIZE: usize = 16 << 20;

    pub(super) fn new() -> io::Result<Self> {
        Mapping::new(Self::SIZE, libc::PROT_READ | libc::PROT_WRITE).map(Self)
    }

    /// The workspace as an allocation of global memory.
    pub(super) fn range(&self) -> Range {
        Range { start: self.0.address as u64, length: Self::SIZE as u64, delta: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_memory_has_its_own_mib_and_is_zero_when_it_is_used_again() {
        for (core_type, present) in
            [(CoreType::Aiv, vec![Space::Ub]), (CoreType::Aic, Space::ALL[2..].to_vec())]
        {
            for _ in 0..3 {
                let arena = Arena::take(core_type).unwrap();
                for space in Space::ALL {
                    let base = arena.base()[space as usize];
                    assert_eq!(base.is_null(), !present.contains(&space), "{space:?}");
                    if base.is_null() {
                        assert_eq!(arena.size()[space as usize], 0);
                        continue;
                    }
                    assert_eq!(base.addr() % SLOT, 0);
                    // SAFETY: The arena is the test's until it is given back.
                    let bytes = unsafe { std::slice::from_raw_parts_mut(base, space.size()) };
                    assert!(bytes.iter().all(|&byte| byte == 0));
                    bytes.fill(0xa5);
                }
                arena.give_back();
            }
        }
    }
}
