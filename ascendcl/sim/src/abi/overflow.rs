//! The overflow of floating-point operators. No operator runs on the simulated device, so that none overflows.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::misuse;
use crate::task::Task;
use crate::transfer::{Fill, Pattern, Place};

/// The bytes that a device writes for its status.
const STATUS: usize = 64;

abi! {
    /// Writes zeros, for "no overflow".
    pub fn aclrtGetOverflowStatus(output_addr: *mut c_void, output_size: usize, stream: aclrtStream) {
        if output_size != STATUS {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the status has {STATUS} bytes, not {output_size}"));
        }
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let to = Place::find(&scope.simulator, &stream.device, output_addr.address()?, STATUS)?;
        if !to.is_device() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the status goes to device memory only"));
        }
        stream.submit(Task::Fill(Fill { to, pattern: Pattern::Byte(0), length: STATUS })).map(drop)
    }

    pub fn aclrtResetOverflowStatus(stream: aclrtStream) {
        Scope::enter()?.stream(stream)?.submit(Task::Order("RESET_OVERFLOW")).map(drop)
    }
}
