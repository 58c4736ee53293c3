//! Physical memory, virtual addresses, and mapping the one at the other.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::device::Device;
use crate::error::{Result, failure, misuse};
use crate::fault;
use crate::memory::Page;
use crate::physical::Physical;

abi! {
    pub fn aclrtMemGetAllocationGranularity(
        prop: *mut aclrtPhysicalMemProp,
        option: aclrtMemGranularityOptions,
        granularity: *mut usize,
    ) {
        granularity.required()?;
        let (_, page) = read(&Scope::enter()?, &prop.get()?)?;
        match option {
            ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM => granularity.set(page.bytes()),
            ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED => {
                granularity.set(page.bytes().max(Page::Huge.bytes()))
            }
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no granularity {}", option.0)),
        }
    }

    pub fn aclrtMallocPhysical(
        handle: *mut aclrtDrvMemHandle,
        size: usize,
        prop: *const aclrtPhysicalMemProp,
        flags: u64,
    ) {
        handle.required()?;
        let prop = prop.get()?;
        let scope = Scope::enter()?;
        reserved("flags", flags)?;
        let (device, page) = read(&scope, &prop)?;
        if size == 0 || !size.is_multiple_of(page.bytes()) {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "physical memory of {size} bytes: it consists of whole pages, here of {}",
                page.bytes()
            ));
        }
        fault::on_allocation(device.id)?;
        let physical = Physical::new(device, size, page)?;
        handle.set(keep(&scope, &physical))
    }

    /// Memory that is mapped lives on until it is unmapped, as documented; the handle is gone.
    pub fn aclrtFreePhysical(handle: aclrtDrvMemHandle) {
        let simulator = Scope::enter()?.simulator;
        let physical = simulator.physical_memory.remove(handle.0)?;
        if let Some(key) = physical.key() {
            // Processes that have it keep it; no other can import it any more.
            simulator.offers.withdraw(key);
        }
        Ok(())
    }

    pub fn aclrtReserveMemAddress(
        vir_ptr: *mut *mut c_void,
        size: usize,
        alignment: usize,
        expect_ptr: *mut c_void,
        flags: u64,
    ) {
        vir_ptr.required()?;
        let scope = Scope::enter()?;
        if size == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a reservation of 0 bytes"));
        }
        reserved("alignment", alignment as u64)?;
        if flags > 1 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flags is {flags}, not 0 (or 1, as it was once)"));
        }
        if !expect_ptr.is_null() {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "the simulator reserves no addresses of the program's choice"
            ));
        }
        let memory = &scope.context.device.memory;
        memory.mapping()?;
        let offset = memory.virtual_memory.reserve(size)?;
        vir_ptr.set(std::ptr::with_exposed_provenance_mut(memory.address(offset)?))
    }

    pub fn aclrtReleaseMemAddress(vir_ptr: *mut c_void) {
        let scope = Scope::enter()?;
        let (device, offset, address) = find(&scope, &vir_ptr)?;
        device.memory.virtual_memory.release(offset, address)
    }

    pub fn aclrtMapMem(
        vir_ptr: *mut c_void,
        size: usize,
        offset: usize,
        handle: aclrtDrvMemHandle,
        flags: u64,
    ) {
        let scope = Scope::enter()?;
        reserved("offset", offset as u64)?;
        reserved("flags", flags)?;
        let physical = scope.simulator.physical_memory.get(handle.0)?;
        let (device, at, _) = find(&scope, &vir_ptr)?;
        device.memory.virtual_memory.map(device.memory.mapping()?, at, size, physical)
    }

    /// Tasks that still use the addresses fail when they run.
    pub fn aclrtUnmapMem(vir_ptr: *mut c_void) {
        let scope = Scope::enter()?;
        let (device, offset, _) = find(&scope, &vir_ptr)?;
        device.memory.virtual_memory.unmap(device.memory.mapping()?, offset)
    }

    /// The device that the memory was made for has access from the start; others, and the host, get it here.
    pub fn aclrtMemSetAccess(vir_ptr: *mut c_void, size: usize, desc: *mut aclrtMemAccessDesc, count: usize) {
        let scope = Scope::enter()?;
        let (device, offset, _) = find(&scope, &vir_ptr)?;
        if count == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "no description of an access"));
        }
        let (mut devices, mut host) = (Vec::new(), false);
        for aclrtMemAccessDesc { flags, location, .. } in desc.to_vec(count)? {
            if flags != ACL_RT_MEM_ACCESS_FLAGS_READWRITE {
                return Err(failure!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "access {} is not supported; ACL_RT_MEM_ACCESS_FLAGS_READWRITE is",
                    flags.0
                ));
            }
            match location.type_ {
                ACL_MEM_LOCATION_TYPE_HOST => host = true,
                ACL_MEM_LOCATION_TYPE_DEVICE => {
                    devices.push(scope.simulator.device(location.id.cast_signed())?.id);
                }
                other => {
                    return Err(misuse!(
                        ACL_ERROR_INVALID_PARAM,
                        "access is for a device or the host, not for a location of type {}",
                        other.0
                    ));
                }
            }
        }
        let mapping = device.memory.mapping()?;
        device.memory.virtual_memory.give_access(mapping, offset, size, &devices, host)
    }
}

/// Makes physical memory known.
pub(super) fn keep(scope: &Scope, physical: &Arc<Physical>) -> aclrtDrvMemHandle {
    scope.simulator.physical_memory.insert(physical.handle, Arc::clone(physical));
    aclrtDrvMemHandle(physical.handle.pointer())
}

/// Refuses a value of an argument that has no meaning yet.
pub(super) fn reserved(name: &str, value: u64) -> Result {
    if value != 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{name} is {value}, not 0"));
    }
    Ok(())
}

/// The device that a virtual address is of, its offset there, and itself.
fn find<'a>(scope: &'a Scope, vir_ptr: &Out<c_void>) -> Result<(&'a Arc<Device>, usize, usize)> {
    let address = vir_ptr.address()?;
    let found = scope.simulator.owner(address);
    let found = found.and_then(|owner| Some((owner, owner.memory.virtual_offset(address)?, address)));
    found.ok_or_else(|| {
        misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is no address that aclrtReserveMemAddress gives")
    })
}

/// The device that properties name, and the pages that its memory consists of.
fn read<'a>(scope: &'a Scope, prop: &aclrtPhysicalMemProp) -> Result<(&'a Arc<Device>, Page)> {
    if prop.handleType != ACL_MEM_HANDLE_TYPE_NONE || prop.allocationType != ACL_MEM_ALLOCATION_TYPE_PINNED {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "physical memory has handles of type ACL_MEM_HANDLE_TYPE_NONE and is pinned, not of types {} and {}",
            prop.handleType.0,
            prop.allocationType.0
        ));
    }
    match prop.location.type_ {
        ACL_MEM_LOCATION_TYPE_DEVICE => {}
        ACL_MEM_LOCATION_TYPE_HOST | ACL_MEM_LOCATION_TYPE_HOST_NUMA => {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "the simulator has physical memory of devices alone"
            ));
        }
        other => {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "there is no physical memory at a location of type {}",
                other.0
            ));
        }
    }
    let device = scope.simulator.device(prop.location.id.cast_signed())?;
    let page = match prop.memAttr {
        ACL_MEM_NORMAL | ACL_MEM_P2P_NORMAL => Page::Normal,
        // Normal memory of the HBM is made of huge pages, as documented.
        ACL_MEM_HUGE | ACL_MEM_P2P_HUGE | ACL_HBM_MEM_HUGE | ACL_HBM_MEM_NORMAL => Page::Huge,
        ACL_MEM_HUGE1G | ACL_HBM_MEM_HUGE1G => Page::Gigantic,
        ACL_MEM_P2P_HUGE1G => {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "the device has no pages of 1 GiB for copies between devices"
            ));
        }
        other => {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "there is no physical memory of a device with attribute {}",
                other.0
            ));
        }
    };
    Ok((device, page))
}
