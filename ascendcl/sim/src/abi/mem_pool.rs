//! Memory pools of streams (SOMA).

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, failure, misuse};
use crate::fault;
use crate::mem_pool::{MemPool, Switches};
use crate::stream::Stream;

abi! {
    pub fn aclrtMemPoolCreate(mem_pool: *mut aclrtMemPool, pool_props: *const aclrtMemPoolProps) {
        mem_pool.required()?;
        let scope = Scope::enter()?;
        let properties = pool_props.get()?;
        if properties.allocType != ACL_MEM_ALLOCATION_TYPE_PINNED
            || properties.location.type_ != ACL_MEM_LOCATION_TYPE_DEVICE
        {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a memory pool is of pinned memory of a device"));
        }
        if properties.handleType != ACL_MEM_HANDLE_TYPE_NONE {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "memory pools that are shared are not simulated"
            ));
        }
        if properties.reserved != [0; 32] {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the reserved bytes are not zero"));
        }
        let limit = properties.maxSize;
        if limit == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a memory pool of 0 bytes"));
        }
        let id = i32::try_from(properties.location.id)
            .map_err(|_| misuse!(ACL_ERROR_RT_INVALID_DEVICEID, "there is no device {}", properties.location.id))?;
        let pool = MemPool::new(scope.simulator.device(id)?, limit);
        scope.simulator.mem_pools.insert(pool.handle, Arc::clone(&pool));
        mem_pool.set(aclrtMemPool(pool.handle.pointer()))
    }

    pub fn aclrtMemPoolDestroy(mem_pool: aclrtMemPool) {
        let scope = Scope::enter()?;
        find(&scope, mem_pool)?.close()?;
        scope.simulator.mem_pools.remove(mem_pool.0).map(drop)
    }

    pub fn aclrtMemPoolSetAttr(mem_pool: aclrtMemPool, attr: aclrtMemPoolAttr, value: *mut c_void) {
        let pool = find(&Scope::enter()?, mem_pool)?;
        match attr {
            ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES => {
                let on = switch(&value)?;
                pool.set_switches(|switches| switches.follow_events = on);
            }
            ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC => {
                let on = switch(&value)?;
                pool.set_switches(|switches| switches.opportunistic = on);
            }
            ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES => {
                let on = switch(&value)?;
                pool.set_switches(|switches| switches.internal_dependencies = on);
            }
            ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD => pool.set_threshold(read(&value)?),
            ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH => {
                zero(&value)?;
                pool.reset_peak_reserved();
            }
            ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH => {
                zero(&value)?;
                pool.reset_peak_used();
            }
            ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT | ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT => {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "attribute {} can only be read", attr.0));
            }
            _ => return Err(no_attribute(attr)),
        }
        Ok(())
    }

    pub fn aclrtMemPoolGetAttr(mem_pool: aclrtMemPool, attr: aclrtMemPoolAttr, value: *mut c_void) {
        let pool = find(&Scope::enter()?, mem_pool)?;
        let Switches { follow_events, opportunistic, internal_dependencies } = pool.switches();
        let counters = pool.counters();
        match attr {
            ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES => write(&value, u32::from(follow_events)),
            ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC => write(&value, u32::from(opportunistic)),
            ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES => {
                write(&value, u32::from(internal_dependencies))
            }
            ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD => write(&value, pool.threshold()),
            ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT => write(&value, counters.reserved),
            ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH => write(&value, counters.peak_reserved),
            ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT => write(&value, counters.used),
            ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH => write(&value, counters.peak_used),
            _ => Err(no_attribute(attr)),
        }
    }

    pub fn aclrtMemPoolMallocAsync(
        ptr: *mut *mut c_void,
        size: usize,
        mem_pool: aclrtMemPool,
        stream: aclrtStream,
    ) {
        ptr.required()?;
        let scope = Scope::enter()?;
        let stream = plain_stream(&scope, stream)?;
        let pool = find(&scope, mem_pool)?;
        if pool.device.id != stream.device.id {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "memory pool {} is of device {}, stream {} of device {}",
                pool.id,
                pool.device.id,
                stream.id,
                stream.device.id
            ));
        }
        if size == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "an allocation of 0 bytes"));
        }
        fault::on_allocation(pool.device.id)?;
        ptr.set(std::ptr::with_exposed_provenance_mut(pool.allocate(size, &stream)?))
    }

    /// The memory stays with its pool.
    pub fn aclrtMemPoolFreeAsync(ptr: *mut c_void, stream: aclrtStream) {
        let address = ptr.address()?;
        let scope = Scope::enter()?;
        let stream = plain_stream(&scope, stream)?;
        let pool = scope.simulator.mem_pools.all().into_iter().find(|pool| pool.has(address));
        let pool = pool.ok_or_else(|| {
            misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not memory of a memory pool")
        })?;
        pool.free(address, &stream)
    }

    pub fn aclrtMemPoolTrimTo(mem_pool: aclrtMemPool, min_bytes_to_keep: usize) {
        find(&Scope::enter()?, mem_pool)?.trim(min_bytes_to_keep as u64)
    }
}

fn find(scope: &Scope, handle: aclrtMemPool) -> Result<Arc<MemPool>> {
    scope.simulator.mem_pools.get(handle.0)
}

/// A stream whose work is done, and not captured: whether graphs may have memory of pools is not documented.
fn plain_stream(scope: &Scope, handle: aclrtStream) -> Result<Arc<Stream>> {
    let stream = scope.stream(handle)?;
    if stream.capture().is_some() {
        return Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "stream {} is being captured, and memory of pools in a graph is not simulated",
            stream.id
        ));
    }
    Ok(stream)
}

fn no_attribute(attr: aclrtMemPoolAttr) -> crate::error::Error {
    misuse!(ACL_ERROR_INVALID_PARAM, "a memory pool has no attribute {}", attr.0)
}

/// Reads the value of an attribute, which has the attribute's type.
fn read<T: Copy>(value: &Out<c_void>) -> Result<T> {
    // SAFETY: Not null, hence a value of the type that the program vouches for.
    Ok(unsafe { value.required()?.cast::<T>().read_unaligned() })
}

fn write<T>(value: &Out<c_void>, attribute: T) -> Result {
    // SAFETY: Not null, hence room for the type that the program vouches for.
    unsafe { value.required()?.cast::<T>().write_unaligned(attribute) };
    Ok(())
}

fn switch(value: &Out<c_void>) -> Result<bool> {
    match read::<u32>(value)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(misuse!(ACL_ERROR_INVALID_PARAM, "a switch is 0 or 1, not {other}")),
    }
}

fn zero(value: &Out<c_void>) -> Result {
    match read::<u64>(value)? {
        0 => Ok(()),
        other => Err(misuse!(ACL_ERROR_INVALID_PARAM, "a peak can only be set to 0, not to {other}")),
    }
}
