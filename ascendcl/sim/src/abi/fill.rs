//! Filling memory.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, misuse};
use crate::graph;
use crate::task::Task;
use crate::transfer::{Fill, Pattern, Place};

abi! {
    pub fn aclrtMemset(dev_ptr: *mut c_void, max_count: usize, value: i32, count: usize) {
        let scope = Scope::enter()?;
        now(&scope, resolve(&scope, &dev_ptr, max_count, byte(value), count)?)
    }

    pub fn aclrtMemsetAsync(
        dev_ptr: *mut c_void,
        max_count: usize,
        value: i32,
        count: usize,
        stream: aclrtStream,
    ) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let fill = resolve(&scope, &dev_ptr, max_count, byte(value), count)?;
        stream.submit(Task::Fill(fill)).map(drop)
    }

    pub fn aclrtMemsetD32(ptr: *mut c_void, mem_size: usize, value: u32, n: usize) {
        let scope = Scope::enter()?;
        now(&scope, resolve(&scope, &ptr, mem_size, Pattern::Word(value), words(n)?)?)
    }

    /// Host memory is filled at once, as documented.
    pub fn aclrtMemsetD32Async(ptr: *mut c_void, mem_size: usize, value: u32, n: usize, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let fill = resolve(&scope, &ptr, mem_size, Pattern::Word(value), words(n)?)?;
        if fill.to.is_device() { stream.submit(Task::Fill(fill)).map(drop) } else { now(&scope, fill) }
    }
}

/// As `memset` in C, the value is that of a byte.
fn byte(value: i32) -> Pattern {
    Pattern::Byte(value as u8)
}

fn words(count: usize) -> Result<usize> {
    count
        .checked_mul(4)
        .ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "{count} words are more than any memory"))
}

fn resolve(scope: &Scope, ptr: &Out<c_void>, most: usize, pattern: Pattern, length: usize) -> Result<Fill> {
    let address = ptr.address()?;
    if length > most {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{length} bytes into memory of {most}"));
    }
    if length == 0 {
        return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "a fill of 0 bytes"));
    }
    let to = Place::find(&scope.simulator, &scope.context.device, address, length)?;
    if to.is_pageable() {
        return Err(misuse!(
            ACL_ERROR_RT_INVALID_MEMORY_TYPE,
            "{address:#x} is neither device memory nor page-locked; filling it is undefined"
        ));
    }
    Ok(Fill { to, pattern, length })
}

fn now(scope: &Scope, fill: Fill) -> Result {
    graph::refuse_unsafe(scope.context.device.id, "a synchronous fill")?;
    fill.run()
}
