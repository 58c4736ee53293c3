//! Allocators of programs, which operators and models would take their memory from.

use std::collections::BTreeMap;
use std::ffi::c_void;

use ascendcl_sys::*;
use parking_lot::Mutex;

use super::abi;
use super::stream::Scope;
use crate::error::{Result, misuse};
use crate::object::Objects;
use crate::report::{Leak, Resource};

/// What a program sets, piece by piece.
#[derive(Clone, Copy, Default)]
struct Allocator {
    /// The address of the program's allocator.
    object: usize,
    allocate: aclrtAllocatorAllocFunc,
    free: aclrtAllocatorFreeFunc,
    advise: aclrtAllocatorAllocAdviseFunc,
    address: aclrtAllocatorGetAddrFromBlockFunc,
}

static DESCRIPTIONS: Objects<c_void, Allocator> = Objects::new("allocator description");

/// The allocators of streams, as they were when they were registered, with the description they came by.
static REGISTERED: Mutex<BTreeMap<usize, (usize, Allocator)>> = Mutex::new(BTreeMap::new());

abi! {
    pub fn aclrtAllocatorCreateDesc() -> aclrtAllocatorDesc, else aclrtAllocatorDesc::null(); {
        Ok(aclrtAllocatorDesc(DESCRIPTIONS.add(Allocator::default())))
    }

    pub fn aclrtAllocatorDestroyDesc(allocator_desc: aclrtAllocatorDesc) {
        DESCRIPTIONS.remove(allocator_desc.0).map(drop)
    }

    pub fn aclrtAllocatorSetObjToDesc(allocator_desc: aclrtAllocatorDesc, allocator: aclrtAllocator) {
        if allocator.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the allocator is null"));
        }
        DESCRIPTIONS.with(allocator_desc.0, |desc| desc.object = allocator.0.expose_provenance())
    }

    pub fn aclrtAllocatorSetAllocFuncToDesc(allocator_desc: aclrtAllocatorDesc, func: aclrtAllocatorAllocFunc) {
        let func = given(func)?;
        DESCRIPTIONS.with(allocator_desc.0, |desc| desc.allocate = func)
    }

    pub fn aclrtAllocatorSetFreeFuncToDesc(allocator_desc: aclrtAllocatorDesc, func: aclrtAllocatorFreeFunc) {
        let func = given(func)?;
        DESCRIPTIONS.with(allocator_desc.0, |desc| desc.free = func)
    }

    pub fn aclrtAllocatorSetAllocAdviseFuncToDesc(
        allocator_desc: aclrtAllocatorDesc,
        func: aclrtAllocatorAllocAdviseFunc,
    ) {
        let func = given(func)?;
        DESCRIPTIONS.with(allocator_desc.0, |desc| desc.advise = func)
    }

    pub fn aclrtAllocatorSetGetAddrFromBlockFuncToDesc(
        allocator_desc: aclrtAllocatorDesc,
        func: aclrtAllocatorGetAddrFromBlockFunc,
    ) {
        let func = given(func)?;
        DESCRIPTIONS.with(allocator_desc.0, |desc| desc.address = func)
    }

    /// The description may go afterwards. No work of the simulator takes memory from an allocator.
    pub fn aclrtAllocatorRegister(stream: aclrtStream, allocator_desc: aclrtAllocatorDesc) {
        if stream.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the stream is null"));
        }
        Scope::enter()?.stream(stream)?;
        let allocator = DESCRIPTIONS.with(allocator_desc.0, |desc| *desc)?;
        let Allocator { object, allocate: Some(_), free: Some(_), address: Some(_), .. } = allocator else {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the description lacks the function that allocates, frees, or finds the address of a block"
            ));
        };
        if object == 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the description lacks the allocator"));
        }
        REGISTERED.lock().insert(stream.0.addr(), (allocator_desc.0.addr(), allocator));
        Ok(())
    }

    pub fn aclrtAllocatorGetByStream(
        stream: aclrtStream,
        allocator_desc: *mut aclrtAllocatorDesc,
        allocator: *mut aclrtAllocator,
        alloc_func: *mut aclrtAllocatorAllocFunc,
        free_func: *mut aclrtAllocatorFreeFunc,
        alloc_advise_func: *mut aclrtAllocatorAllocAdviseFunc,
        get_addr_from_block_func: *mut aclrtAllocatorGetAddrFromBlockFunc,
    ) {
        Scope::enter()?.stream(stream)?;
        let registered = REGISTERED.lock().get(&stream.0.addr()).copied();
        let (desc, registered) =
            registered.ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "no allocator is registered for the stream"))?;
        allocator_desc.set(aclrtAllocatorDesc(std::ptr::without_provenance_mut(desc)))?;
        allocator.set(aclrtAllocator(std::ptr::with_exposed_provenance_mut(registered.object)))?;
        alloc_func.set(registered.allocate)?;
        free_func.set(registered.free)?;
        alloc_advise_func.set(registered.advise)?;
        get_addr_from_block_func.set(registered.address)
    }

    /// Nothing happens for a stream that has no allocator, or that is gone.
    pub fn aclrtAllocatorUnregister(stream: aclrtStream) {
        REGISTERED.lock().remove(&stream.0.addr());
        Ok(())
    }
}

/// The descriptions and registrations that are alive.
pub(super) fn alive() -> Vec<Leak> {
    let described = DESCRIPTIONS.all().into_iter().map(|_| Resource::AllocatorDescription);
    let registered = REGISTERED.lock().len();
    let all = described.chain(std::iter::repeat_n(Resource::Allocator, registered));
    all.map(|resource| Leak { device: -1, resource }).collect()
}

/// Forgets all of them.
pub(super) fn reset() {
    DESCRIPTIONS.clear();
    REGISTERED.lock().clear();
}

fn given<T>(function: Option<T>) -> Result<Option<T>> {
    match function {
        Some(function) => Ok(Some(function)),
        None => Err(misuse!(ACL_ERROR_INVALID_PARAM, "the function is null")),
    }
}
