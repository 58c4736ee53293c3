//! Many copies in one call.

use std::ffi::c_void;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

/// Which way all copies of a batch go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Upload,
    Download,
}

/// One copy of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    pub(crate) to: *mut c_void,
    pub(crate) from: *mut c_void,
    pub(crate) bytes: usize,
}

impl Acl {
    /// `aclrtMemcpyBatchAsync` between page-locked memory and the device with the number `device`.
    ///
    /// # Safety
    /// For each copy as [`memcpy_async`](Self::memcpy_async), and no two write the same memory.
    pub(crate) unsafe fn memcpy_batch_async(
        &self,
        copies: &[Copy],
        direction: Direction,
        device: u32,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let mut targets: Vec<_> = copies.iter().map(|copy| copy.to).collect();
        let mut sources: Vec<_> = copies.iter().map(|copy| copy.from).collect();
        let mut sizes: Vec<_> = copies.iter().map(|copy| copy.bytes).collect();
        let mut capacities = sizes.clone();
        let host = sys::aclrtMemLocation { id: 0, type_: sys::ACL_MEM_LOCATION_TYPE_HOST };
        let device = sys::aclrtMemLocation { id: device, type_: sys::ACL_MEM_LOCATION_TYPE_DEVICE };
        let (source, target) = match direction {
            Direction::Upload => (host, device),
            Direction::Download => (device, host),
        };
        // One attribute, which holds from the first copy on.
        let mut attribute = sys::aclrtMemcpyBatchAttr { dstLoc: target, srcLoc: source, rsv: [0; 16] };
        let (mut first, mut failed) = (0, usize::MAX);
        // SAFETY: four arrays of as many elements as there are copies, one attribute with its index, a valid
        // out-pointer, and the caller's promise for the copies and the stream.
        unsafe {
            call!(
                self,
                aclrtMemcpyBatchAsync(
                    targets.as_mut_ptr(),
                    capacities.as_mut_ptr(),
                    sources.as_mut_ptr(),
                    sizes.as_mut_ptr(),
                    copies.len(),
                    &mut attribute,
                    &mut first,
                    1,
                    &mut failed,
                    stream,
                )
            )
        }
        .inspect_err(|_| {
            if failed < copies.len() {
                tracing::error!(copy = failed, "a copy of a batch was refused");
            }
        })
    }
}
