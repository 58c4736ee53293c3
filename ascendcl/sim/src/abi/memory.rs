//! Device memory.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, misuse};
use crate::fault;
use crate::memory::Page;
use crate::transfer::Place;

/// What `aclrtMalloc` adds to a size that was rounded up to 32 bytes.
const PADDING: usize = 32;
/// From this size on, memory of no special policy is made of huge pages.
const HUGE_FROM: usize = 2 << 20;

abi! {
    pub fn aclrtMalloc(dev_ptr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy) {
        allocate(&dev_ptr, size, PADDING, Pages::of(policy, size))
    }

    pub fn aclrtMallocAlign32(dev_ptr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy) {
        allocate(&dev_ptr, size, 0, Pages::of(policy, size))
    }

    /// All memory is cached, so that this is `aclrtMalloc` with fewer policies.
    pub fn aclrtMallocCached(dev_ptr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy) {
        match policy {
            ACL_MEM_MALLOC_HUGE_FIRST
            | ACL_MEM_MALLOC_HUGE_ONLY
            | ACL_MEM_MALLOC_NORMAL_ONLY
            | ACL_MEM_MALLOC_HUGE1G_ONLY => allocate(&dev_ptr, size, PADDING, Pages::of(policy, size)),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "cached memory has no policy {:#x}", policy.0)),
        }
    }

    pub fn aclrtMallocWithCfg(
        dev_ptr: *mut *mut c_void,
        size: usize,
        policy: aclrtMemMallocPolicy,
        cfg: *mut aclrtMallocConfig,
    ) {
        check_config(&cfg)?;
        let bits = ACL_MEM_TYPE_LOW_BAND_WIDTH.0
            | ACL_MEM_TYPE_HIGH_BAND_WIDTH.0
            | ACL_MEM_ACCESS_USER_SPACE_READONLY.0;
        allocate(&dev_ptr, size, PADDING, Pages::of(aclrtMemMallocPolicy(policy.0 & !bits), size))
    }

    pub fn aclrtMallocForTaskScheduler(
        dev_ptr: *mut *mut c_void,
        size: usize,
        policy: aclrtMemMallocPolicy,
        cfg: *mut aclrtMallocConfig,
    ) {
        check_config(&cfg)?;
        allocate(&dev_ptr, size, PADDING, Pages::of(policy, size))
    }

    /// Frees at once: a task that still uses the memory fails when it runs.
    pub fn aclrtFree(dev_ptr: *mut c_void) {
        free(&dev_ptr)
    }

    pub fn aclrtFreeWithDevSync(dev_ptr: *mut c_void) {
        dev_ptr.required()?;
        synchronize(&Scope::enter()?)?;
        free(&dev_ptr)
    }

    /// DDR is not what this device has, so that its figures are those of HBM, as documented.
    pub fn aclrtGetMemInfo(attr: aclrtMemAttr, free: *mut usize, total: *mut usize) {
        let page = match attr {
            ACL_HBM_MEM_HUGE1G | ACL_HBM_MEM_P2P_HUGE1G | ACL_MEM_HUGE1G | ACL_MEM_P2P_HUGE1G => {
                Page::Gigantic
            }
            ACL_DDR_MEM_HUGE | ACL_HBM_MEM_HUGE | ACL_MEM_HUGE => Page::Huge,
            ACL_DDR_MEM_P2P_HUGE | ACL_HBM_MEM_P2P_HUGE | ACL_MEM_P2P_HUGE => Page::Huge,
            aclrtMemAttr(other) if other <= ACL_MEM_P2P_HUGE1G.0 => Page::Normal,
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no memory attribute {}", attr.0)),
        };
        let scope = Scope::enter()?;
        let (left, usable) = scope.context.device.memory.available(page);
        free.set(left)?;
        total.set(usable)
    }

    pub fn aclrtGetMemUsageInfo(
        device_id: i32,
        mem_usage_info: *mut aclrtMemUsageInfo,
        input_num: usize,
        output_num: *mut usize,
    ) {
        let scope = Scope::enter()?;
        let (used, peak) = scope.simulator.device(device_id)?.memory.usage();
        output_num.required()?;
        if input_num == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "inputNum is 0"));
        }
        let mut name = [0; 32];
        for (to, from) in name.iter_mut().zip(*b"APP") {
            *to = from as std::ffi::c_char;
        }
        mem_usage_info.set(aclrtMemUsageInfo {
            name,
            curMemSize: used as u64,
            memPeakSize: peak as u64,
            reserved: [0; 8],
        })?;
        output_num.set(1)
    }

    pub fn aclrtMemFlush(dev_ptr: *mut c_void, size: usize) {
        check_range(&dev_ptr, size)
    }

    pub fn aclrtMemInvalidate(dev_ptr: *mut c_void, size: usize) {
        check_range(&dev_ptr, size)
    }

    pub fn aclrtPointerGetAttributes(ptr: *const c_void, attributes: *mut aclrtPtrAttributes) {
        let scope = Scope::enter()?;
        let address = ptr.address()?;
        let simulator = &scope.simulator;
        let (type_, id, page) = if let Some(device) = simulator.owner(address) {
            let memory = &device.memory;
            let mapped = memory.virtual_offset(address).and_then(|o| memory.virtual_memory.page_at(o));
            let allocation = memory.offset(address).and_then(|offset| memory.allocation_at(offset));
            match (mapped, allocation) {
                (Some((home, page)), _) => (ACL_MEM_LOCATION_TYPE_DEVICE, home.cast_unsigned(), page),
                (None, Some(allocation)) => {
                    (ACL_MEM_LOCATION_TYPE_DEVICE, device.id.cast_unsigned(), allocation.page.bytes())
                }
                (None, None) => (ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0),
            }
        } else if let Some(found) = simulator.host_memory.find(address) {
            if found.is_managed() {
                (ACL_MEM_LOCATION_TYPE_MANAGED, 0, Page::Huge.bytes())
            } else {
                (ACL_MEM_LOCATION_TYPE_HOST, 0, Page::Normal.bytes())
            }
        } else {
            (ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0)
        };
        attributes.set(aclrtPtrAttributes {
            location: aclrtMemLocation { id, type_ },
            pageSize: page as u32,
            rsv: [0; 4],
        })
    }
}

/// What an allocation is made of: the first choice, and the second if there is not enough of the first.
struct Pages(Page, Option<Page>);

impl Pages {
    /// The documented meaning of the policies; those for copies between devices are no different here.
    fn of(policy: aclrtMemMallocPolicy, size: usize) -> Self {
        match policy {
            ACL_MEM_MALLOC_HUGE_FIRST if size <= 1 << 20 => Self(Page::Normal, None),
            ACL_MEM_MALLOC_HUGE_FIRST | ACL_MEM_MALLOC_HUGE_FIRST_P2P => Self(Page::Huge, Some(Page::Normal)),
            ACL_MEM_MALLOC_HUGE_ONLY | ACL_MEM_MALLOC_HUGE_ONLY_P2P => Self(Page::Huge, None),
            ACL_MEM_MALLOC_NORMAL_ONLY | ACL_MEM_MALLOC_NORMAL_ONLY_P2P => Self(Page::Normal, None),
            ACL_MEM_MALLOC_HUGE1G_ONLY | ACL_MEM_MALLOC_HUGE1G_ONLY_P2P => Self(Page::Gigantic, None),
            _ if size >= HUGE_FROM => Self(Page::Huge, None),
            _ => Self(Page::Normal, None),
        }
    }
}

fn allocate(dev_ptr: &Out<*mut c_void>, size: usize, padding: usize, Pages(first, second): Pages) -> Result {
    dev_ptr.required()?;
    let scope = Scope::enter()?;
    let device = &scope.context.device;
    if size == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "an allocation of 0 bytes"));
    }
    fault::on_allocation(device.id)?;
    // A gigantic page has no room for padding, as documented.
    let allocate =
        |page: Page| device.memory.allocate(size, if page == Page::Gigantic { 0 } else { padding }, page);
    let address = allocate(first).or_else(|error| second.map_or(Err(error), allocate))?;
    dev_ptr.set(std::ptr::with_exposed_provenance_mut(address))
}

fn free(dev_ptr: &Out<c_void>) -> Result {
    let address = dev_ptr.address()?;
    let scope = Scope::enter()?;
    let device = &scope.context.device;
    match scope.simulator.owner(address) {
        Some(owner) if owner.id != device.id => Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "{address:#x} is memory of device {}, the current device is {}",
            owner.id,
            device.id
        )),
        None if scope.simulator.host_memory.free_managed(address) => Ok(()),
        None => Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not device memory")),
        Some(owner) if owner.memory.virtual_offset(address).is_some() => Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "{address:#x} is a virtual address, which aclrtMalloc did not give; aclrtUnmapMem or aclrtIpcMemClose gives it \
             back"
        )),
        Some(owner) => {
            owner.memory.free(address)?;
            // Other processes that have it imported notice.
            if let Some(offset) = owner.memory.offset(address) {
                scope.simulator.offers.withdraw_of(owner.id, Some(offset));
            }
            Ok(())
        }
    }
}

/// Waits for the work of the device, whatever becomes of it.
pub(super) fn synchronize(scope: &Scope) -> Result {
    for stream in scope.simulator.streams_of(scope.context.device.id) {
        stream.synchronize(None)?;
    }
    Ok(())
}

fn check_range(dev_ptr: &Out<c_void>, size: usize) -> Result {
    let address = dev_ptr.address()?;
    let scope = Scope::enter()?;
    if size == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a range of 0 bytes"));
    }
    if !Place::find(&scope.simulator, &scope.context.device, address, size)?.is_device() {
        return Err(misuse!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "{address:#x} is not device memory"));
    }
    Ok(())
}

/// The attributes name the module that allocates, or the device, which has to be the current one.
pub(super) fn check_config(cfg: &Out<aclrtMallocConfig>) -> Result {
    if cfg.is_null() {
        return Ok(());
    }
    let config = cfg.get()?;
    let attributes = config.attrs;
    if attributes.is_null() && config.numAttrs > 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the configuration has no attributes at all"));
    }
    for index in 0..config.numAttrs {
        // SAFETY: The program says that there are as many attributes.
        let attribute = unsafe { attributes.add(index).read() };
        match attribute.attr {
            ACL_RT_MEM_ATTR_RSV
            | ACL_RT_MEM_ATTR_MODULE_ID
            | ACL_RT_MEM_ATTR_DEVICE_ID
            | ACL_RT_MEM_ATTR_VA_FLAG => {}
            other => {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no memory attribute {}", other.0));
            }
        }
    }
    Ok(())
}
