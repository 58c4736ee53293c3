//! Page-locked host memory.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::memory::{check_config, synchronize};
use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, failure, misuse};
use crate::host_memory::Registering;

/// Registered memory starts at a page.
const PAGE: usize = 4096;

abi! {
    pub fn aclrtMallocHost(host_ptr: *mut *mut c_void, size: usize) {
        allocate(&host_ptr, size)
    }

    pub fn aclrtMallocHostWithCfg(ptr: *mut *mut c_void, size: u64, cfg: *mut aclrtMallocConfig) {
        check_config(&cfg)?;
        allocate(&ptr, length(size)?)
    }

    /// Frees at once: a task that still uses the memory fails when it runs.
    pub fn aclrtFreeHost(host_ptr: *mut c_void) {
        let address = host_ptr.address()?;
        Scope::enter()?.simulator.host_memory.free(address)
    }

    pub fn aclrtFreeHostWithDevSync(host_ptr: *mut c_void) {
        let address = host_ptr.address()?;
        let scope = Scope::enter()?;
        synchronize(&scope)?;
        scope.simulator.host_memory.free(address)
    }

    /// The address for the device is the same: the simulated device reaches host memory by it.
    pub fn aclrtHostRegister(
        ptr: *mut c_void,
        size: u64,
        type_: aclrtHostRegisterType,
        dev_ptr: *mut *mut c_void,
    ) {
        match type_ {
            ACL_HOST_REGISTER_MAPPED => {}
            ACL_HOST_REGISTER_IOMEMORY | ACL_HOST_REGISTER_READONLY => {
                return Err(failure!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "registration {} is reserved and not supported",
                    type_.0
                ));
            }
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no registration {}", type_.0)),
        }
        dev_ptr.required()?;
        register(&ptr, size, Registering { mapped: true, page_locked: false })?;
        dev_ptr.set(ptr.raw())
    }

    pub fn aclrtHostRegisterV2(ptr: *mut c_void, size: u64, flag: u32) {
        let supported = ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED;
        let known = supported | ACL_HOST_REG_IOMEMORY | ACL_HOST_REG_READONLY;
        if flag == 0 || flag & !known != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no registration {flag:#x}"));
        }
        if flag & !supported != 0 {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "registration {flag:#x} is reserved and not supported"
            ));
        }
        let registering = Registering {
            mapped: flag & ACL_HOST_REG_MAPPED != 0,
            page_locked: flag & ACL_HOST_REG_PINNED != 0,
        };
        register(&ptr, size, registering)
    }

    pub fn aclrtHostUnregister(ptr: *mut c_void) {
        let address = ptr.address()?;
        Scope::enter()?.simulator.host_memory.unregister(address)
    }

    pub fn aclrtHostGetDevicePointer(p_host: *mut c_void, p_device: *mut *mut c_void, flag: u32) {
        let address = p_host.address()?;
        if flag != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flag is {flag}, not 0"));
        }
        let scope = Scope::enter()?;
        if !scope.simulator.host_memory.is_mapped(address, 1, scope.context.device.id) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is not registered and mapped for the device"
            ));
        }
        p_device.set(p_host.raw())
    }
}

fn length(size: u64) -> Result<usize> {
    usize::try_from(size)
        .map_err(|_| misuse!(ACL_ERROR_INVALID_PARAM, "{size} bytes are more than any memory"))
}

fn allocate(host_ptr: &Out<*mut c_void>, size: usize) -> Result {
    host_ptr.required()?;
    let scope = Scope::enter()?;
    if size == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "an allocation of 0 bytes"));
    }
    let address = scope.simulator.host_memory.allocate(size, scope.context.device.id)?;
    host_ptr.set(std::ptr::with_exposed_provenance_mut(address))
}

fn register(ptr: &Out<c_void>, size: u64, registering: Registering) -> Result {
    let address = ptr.address()?;
    let scope = Scope::enter()?;
    if size == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a registration of 0 bytes"));
    }
    if !address.is_multiple_of(PAGE) {
        return Err(misuse!(ACL_ERROR_RT_ADDR_UNALIGNED, "{address:#x} is not a multiple of {PAGE}"));
    }
    scope.simulator.host_memory.register(address, length(size)?, scope.context.device.id, registering)
}
