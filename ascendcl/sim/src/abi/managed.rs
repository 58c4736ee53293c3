//! Managed memory: of the host and of every device.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::misuse;
use crate::memory::Page;

/// The most of it that a process has (AscendCL docs: unified addressing).
const MOST: u64 = 3 << 40;

abi! {
    /// One copy serves the host and the devices, so that nothing moves when another one touches it. `aclrtFree` frees it.
    pub fn aclrtMemAllocManaged(ptr: *mut *mut c_void, size: u64, flag: u32) {
        ptr.required()?;
        let scope = Scope::enter()?;
        if flag != ACL_RT_MEM_ATTACH_GLOBAL {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flag is {flag}, not ACL_RT_MEM_ATTACH_GLOBAL"));
        }
        let memory = &scope.simulator.host_memory;
        let used: u64 = memory.all().iter().filter(|pinned| pinned.is_managed()).map(|pinned| pinned.size as u64).sum();
        if size == 0 || size > MOST - used.min(MOST) {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "{size} bytes of managed memory beside {used}: there are 1 to {MOST} in all"
            ));
        }
        // At most a few TiB, hence no overflow.
        let size = (size as usize).next_multiple_of(Page::Huge.bytes());
        let address = memory.allocate_managed(size, scope.context.device.id)?;
        ptr.set(std::ptr::with_exposed_provenance_mut(address))
    }
}
