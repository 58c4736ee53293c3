//! The overflow of floating-point operators, on streams that saturate; see [`crate::aclnn`].

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::misuse;
use crate::task::Task;
use crate::transfer::Place;

/// The bytes that a device writes for its status.
const STATUS: usize = 64;
/// The tag of streams without a group, which ask for the whole process.
const EVERY_GROUP: u32 = 0;

abi! {
    /// Writes 1 if an operator of the group of the stream overflowed since the last reset, else 0, and zeros behind it.
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
        let tag = stream.options.tag.load(Ordering::Relaxed);
        let task = Task::other("GET_OVERFLOW", move |stream| {
            let overflowed = stream.device.overflowed.lock();
            let is_set = if tag == EVERY_GROUP { !overflowed.is_empty() } else { overflowed.contains(&tag) };
            drop(overflowed);
            let mut status = [0; STATUS];
            status[0] = u8::from(is_set);
            to.write_at(0, &status)
        });
        stream.submit(task).map(drop)
    }

    pub fn aclrtResetOverflowStatus(stream: aclrtStream) {
        let stream = Scope::enter()?.stream(stream)?;
        let tag = stream.options.tag.load(Ordering::Relaxed);
        let task = Task::other("RESET_OVERFLOW", move |stream| {
            let is_kept = |&other: &u32| tag != EVERY_GROUP && other != tag;
            stream.device.overflowed.lock().retain(is_kept);
            Ok(())
        });
        stream.submit(task).map(drop)
    }
}
