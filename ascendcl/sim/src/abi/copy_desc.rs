//! Copies that a description in device memory tells, which is read when the stream comes to them.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::{Result, failure, misuse};
use crate::graph;
use crate::simulator;
use crate::task::Task;
use crate::transfer::{Place, Request};

/// The bytes of a description, and what its address is a multiple of.
const SIZE: usize = 64;
/// What a description starts with.
const MARK: u64 = 0x6370_795f_6465_7363;

abi! {
    pub fn aclrtGetMemcpyDescSize(kind: aclrtMemcpyKind, desc_size: *mut usize) {
        desc_size.required()?;
        Scope::enter()?;
        check(kind)?;
        desc_size.set(SIZE)
    }

    pub fn aclrtSetMemcpyDesc(
        desc: *mut c_void,
        kind: aclrtMemcpyKind,
        src_addr: *mut c_void,
        dst_addr: *mut c_void,
        count: usize,
        config: *mut c_void,
    ) {
        check(kind)?;
        let (from, to) = (src_addr.address()?, dst_addr.address()?);
        if !config.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "config is not null"));
        }
        if count == 0 {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "a copy of 0 bytes"));
        }
        let scope = Scope::enter()?;
        let device = &scope.context.device;
        graph::refuse_unsafe(device.id, "writing the description of a copy")?;
        let place = place(&scope, desc.address()?)?;
        Request::linear(to, from, count, kind).resolve(&scope.simulator, device)?;
        let words = [MARK, from as u64, to as u64, count as u64];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        place.write(&bytes)
    }

    pub fn aclrtMemcpyAsyncWithDesc(desc: *mut c_void, kind: aclrtMemcpyKind, stream: aclrtStream) {
        check(kind)?;
        let address = desc.address()?;
        let scope = Scope::enter()?;
        let place = place(&scope, address)?;
        let device = Arc::clone(&scope.context.device);
        let copy = Task::other("MEMCPY_DESC", move |_| {
            let words: Vec<u64> = place
                .read(4 * size_of::<u64>())?
                .as_chunks::<8>()
                .0
                .iter()
                .map(|word| u64::from_ne_bytes(*word))
                .collect();
            let &[MARK, from, to, count] = words.as_slice() else {
                return Err(misuse!(
                    ACL_ERROR_RT_SYS_DMA,
                    "aclrtSetMemcpyDesc wrote no description of a copy at {address:#x}"
                ));
            };
            let request = Request::linear(to as usize, from as usize, count as usize, kind);
            request.resolve(&*simulator::get()?, &device)?.run()
        });
        scope.stream(stream)?.submit(copy).map(drop)
    }
}

fn check(kind: aclrtMemcpyKind) -> Result {
    if kind == ACL_MEMCPY_INNER_DEVICE_TO_DEVICE {
        return Ok(());
    }
    Err(failure!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "descriptions are of copies within a device (ACL_MEMCPY_INNER_DEVICE_TO_DEVICE), not of kind {}",
        kind.0
    ))
}

/// Where a description is.
fn place(scope: &Scope, address: usize) -> Result<Place> {
    if !address.is_multiple_of(SIZE) {
        return Err(misuse!(ACL_ERROR_RT_ADDR_UNALIGNED, "{address:#x} is not a multiple of {SIZE}"));
    }
    let place = Place::find(&scope.simulator, &scope.context.device, address, SIZE)?;
    if !place.is_device() {
        return Err(misuse!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "{address:#x} is not device memory"));
    }
    Ok(place)
}
