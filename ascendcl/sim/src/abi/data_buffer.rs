//! Data buffers: an address and a size, which programs hand to operators and models.

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;

use super::abi;
use crate::error::{Result, misuse};
use crate::object::Objects;

struct DataBuffer {
    address: usize,
    size: usize,
}

static BUFFERS: Objects<aclDataBuffer, DataBuffer> = Objects::new("data buffer");

abi! {
    pub fn aclCreateDataBuffer(data: *mut c_void, size: usize) -> *mut aclDataBuffer, else ptr::null_mut(); {
        Ok(BUFFERS.add(DataBuffer::new(data.raw(), size)?))
    }

    /// The memory stays; it is the program's.
    pub fn aclDestroyDataBuffer(data_buffer: *const aclDataBuffer) {
        BUFFERS.remove(data_buffer.raw()).map(drop)
    }

    pub fn aclUpdateDataBuffer(data_buffer: *mut aclDataBuffer, data: *mut c_void, size: usize) {
        let updated = DataBuffer::new(data.raw(), size)?;
        BUFFERS.with(data_buffer.raw(), |buffer| *buffer = updated)
    }

    pub fn aclGetDataBufferAddr(data_buffer: *const aclDataBuffer) -> *mut c_void, else ptr::null_mut(); {
        BUFFERS.with(data_buffer.raw(), |buffer| ptr::with_exposed_provenance_mut(buffer.address))
    }

    /// A size that 32 bits do not hold is an error, for which the answer is 0; `aclGetDataBufferSizeV2` has it.
    pub fn aclGetDataBufferSize(data_buffer: *const aclDataBuffer) -> u32, else 0; {
        let size = BUFFERS.with(data_buffer.raw(), |buffer| buffer.size)?;
        u32::try_from(size)
            .map_err(|_| misuse!(ACL_ERROR_INVALID_PARAM, "{size} bytes are too many for aclGetDataBufferSize"))
    }

    pub fn aclGetDataBufferSizeV2(data_buffer: *const aclDataBuffer) -> usize, else 0; {
        BUFFERS.with(data_buffer.raw(), |buffer| buffer.size)
    }
}

impl DataBuffer {
    fn new(data: *mut c_void, size: usize) -> Result<Self> {
        if data.is_null() && size != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "data is null, and the size is {size}, not 0"));
        }
        Ok(Self { address: data.expose_provenance(), size })
    }
}
