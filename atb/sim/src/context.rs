//! Contexts: the streams that operations run on, and the settings of a thread of work.

use std::ffi::c_void;
use std::sync::LazyLock;

use ascendcl_sys::{ACL_MEM_MALLOC_HUGE_FIRST, ACL_SUCCESS, Library, aclrtStream};
use atb_sys::{ATB_ERROR_INVALID_CONTEXT_ADDR, atb_context};
use parking_lot::Mutex;

use crate::operator::{Result, refuse};
use crate::registry::Registry;

pub(crate) static CONTEXTS: Registry<atb_context, Context> =
    Registry::new("context", ATB_ERROR_INVALID_CONTEXT_ADDR);

/// The simulated device, by its C functions.
pub(crate) static ACL: LazyLock<Library> = LazyLock::new(|| {
    // SAFETY: The simulator checks the signatures of its functions against these bindings when it is built.
    unsafe { Library::from_resolver("the simulated device", ascendcl_sim::resolve) }
});

/// Bytes of a block of memory for tilings.
const TILING_BLOCK: usize = 3 << 20;

/// Blocks of tilings on the device, unless the program says how many.
pub(crate) const DEFAULT_TILING_BLOCKS: u32 = 32;

/// Whose memory tilings are in.
pub(crate) trait TilingAllocator: Send + Sync {
    /// Zero if there is no memory.
    fn allocate(&self, bytes: usize) -> usize;

    fn deallocate(&self, address: usize);
}

/// `aclrtMalloc` and `aclrtFree`.
pub(crate) struct DeviceAllocator;

impl TilingAllocator for DeviceAllocator {
    fn allocate(&self, bytes: usize) -> usize {
        let mut memory: *mut c_void = std::ptr::null_mut();
        // SAFETY: The pointer is to a variable.
        match unsafe { ACL.aclrtMalloc(&mut memory, bytes, ACL_MEM_MALLOC_HUGE_FIRST) } {
            Ok(ACL_SUCCESS) => memory.expose_provenance(),
            _ => 0,
        }
    }

    fn deallocate(&self, address: usize) {
        // SAFETY: The function looks the address up; it is one that `allocate` answered.
        let result = unsafe { ACL.aclrtFree(std::ptr::with_exposed_provenance_mut(address)) };
        if !matches!(result, Ok(ACL_SUCCESS)) {
            tracing::warn!("the tiling memory of a context could not be freed: {result:?}");
        }
    }
}

/// `atb::Context`
pub(crate) struct Context {
    settings: Mutex<Settings>,
    allocator: Box<dyn TilingAllocator>,
    /// Its address. The simulator puts nothing there; but it is missing to the program, as on a real device.
    tiling: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Addresses of streams; zero for none. At least one.
    pub streams: Vec<usize>,
    pub copies_tiling_alongside: bool,
    /// Whether the first call of an operation is captured, and later ones replay it.
    pub is_graph_launch: bool,
}

impl Context {
    /// A context without a stream, with memory for the tilings of the calls under way.
    pub(crate) fn new(allocator: Box<dyn TilingAllocator>, tiling_blocks: u32) -> Result<Self> {
        let bytes = TILING_BLOCK * tiling_blocks as usize;
        let tiling = allocator.allocate(bytes);
        if tiling == 0 {
            return Err(refuse!(
                ATB_ERROR_OUT_OF_DEVICE_MEMORY,
                "no {bytes} bytes of device memory for tilings; is a device set?"
            ));
        }
        let settings = Settings { streams: vec![0], copies_tiling_alongside: false, is_graph_launch: false };
        Ok(Self { settings: Mutex::new(settings), allocator, tiling })
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.lock().clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock());
    }

    /// The stream of an operation with this number.
    pub(crate) fn stream(&self, id: u32) -> Result<aclrtStream> {
        let settings = self.settings.lock();
        match settings.streams.get(id as usize) {
            Some(0) => Err(refuse!(ATB_ERROR_INVALID_PARAM, "the context has no execute stream")),
            Some(&address) => Ok(aclrtStream(std::ptr::with_exposed_provenance_mut(address))),
            None => Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "the operation is for execute stream {id}, and the context has {}",
                settings.streams.len()
            )),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.allocator.deallocate(self.tiling);
    }
}
