//! Many copies in one call.

use std::ffi::c_void;

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::{Error, Result};

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

/// A batch as the C interface wants it.
struct Batch {
    targets: Vec<*mut c_void>,
    sources: Vec<*mut c_void>,
    sizes: Vec<usize>,
    capacities: Vec<usize>,
    /// One attribute, which holds from the first copy on.
    attribute: sys::aclrtMemcpyBatchAttr,
    first: usize,
}

impl Batch {
    fn new(copies: &[Copy], direction: Direction, device: u32) -> Self {
        let host = sys::aclrtMemLocation { id: 0, type_: sys::ACL_MEM_LOCATION_TYPE_HOST };
        let device = sys::aclrtMemLocation { id: device, type_: sys::ACL_MEM_LOCATION_TYPE_DEVICE };
        let (source, target) = match direction {
            Direction::Upload => (host, device),
            Direction::Download => (device, host),
        };
        let sizes: Vec<_> = copies.iter().map(|copy| copy.bytes).collect();
        Self {
            targets: copies.iter().map(|copy| copy.to).collect(),
            sources: copies.iter().map(|copy| copy.from).collect(),
            capacities: sizes.clone(),
            sizes,
            attribute: sys::aclrtMemcpyBatchAttr { dstLoc: target, srcLoc: source, rsv: [0; 16] },
            first: 0,
        }
    }
}

/// Calls the form of a function that says which copy failed, or else the form without.
macro_rules! call_batch {
    ($acl:expr, $batch:expr, $with_index:ident, $without:ident $(, $stream:expr)?) => {{
        let Batch { targets, sources, sizes, capacities, attribute, first } = $batch;
        let count = targets.len();
        let mut failed = usize::MAX;
        let result = call!($acl, $with_index(
            targets.as_mut_ptr(),
            capacities.as_mut_ptr(),
            sources.as_mut_ptr(),
            sizes.as_mut_ptr(),
            count,
            attribute,
            first,
            1,
            &mut failed,
            $($stream)?
        ));
        match result {
            Err(missing @ Error::MissingSymbol(_)) => {
                let result = call!($acl, $without(
                    targets.as_mut_ptr(),
                    capacities.as_mut_ptr(),
                    sources.as_mut_ptr(),
                    sizes.as_mut_ptr(),
                    count,
                    attribute,
                    first,
                    1,
                    $($stream)?
                ));
                // Of two that are missing, the older one is what is needed.
                if let Err(Error::MissingSymbol(_)) = result { Err(missing) } else { result }
            }
            result => result.inspect_err(|_| {
                if failed < count {
                    tracing::error!(copy = failed, "a copy of a batch was refused");
                }
            }),
        }
    }};
}

impl Acl {
    /// `aclrtMemcpyBatchAsync`, or `aclrtMemcpyBatchAsyncV2` of a library that has only that, between page-locked memory and
    /// the device with the number `device`.
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
        let batch = &mut Batch::new(copies, direction, device);
        // SAFETY: four arrays of as many elements as there are copies, one attribute with its index, a valid
        // out-pointer, and the caller's promise for the copies and the stream.
        unsafe { call_batch!(self, batch, aclrtMemcpyBatchAsync, aclrtMemcpyBatchAsyncV2, stream) }
    }

    /// `aclrtMemcpyBatch`, or `aclrtMemcpyBatchV2` of a library that has only that, between host memory and the device with
    /// the number `device`; waits for no stream.
    ///
    /// # Safety
    /// For each copy as [`memcpy`](Self::memcpy), and no two write the same memory.
    pub(crate) unsafe fn memcpy_batch(
        &self,
        copies: &[Copy],
        direction: Direction,
        device: u32,
    ) -> Result<()> {
        let batch = &mut Batch::new(copies, direction, device);
        // SAFETY: as in `memcpy_batch_async`.
        unsafe { call_batch!(self, batch, aclrtMemcpyBatch, aclrtMemcpyBatchV2) }
    }
}
