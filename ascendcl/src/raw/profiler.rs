//! Profiling ranges (msproftx).

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;

use super::{Acl, call};
use crate::error::{Result, ShapeError};

impl Acl {
    /// Starts a named range with `aclprofCreateStamp`, `aclprofSetStampTraceMessage` and `aclprofRangeStart`.
    pub(crate) fn range_start(&self, name: &str) -> Result<(NonNull<c_void>, u32)> {
        // SAFETY: takes nothing.
        let stamp = unsafe { self.functions.aclprofCreateStamp() }?;
        let stamp = NonNull::new(stamp).ok_or_else(|| {
            ShapeError::new("aclprofCreateStamp", "a stamp (is profiling initialised?)", "null")
        })?;
        let message = name.as_bytes();
        let length = u32::try_from(message.len())
            .map_err(|_| ShapeError::new("range name", "shorter than 4 GiB", message.len()))?;
        let mut range = 0;
        // SAFETY: the stamp is alive; message and length describe a live buffer, which the call copies.
        let named = unsafe {
            call!(
                self,
                aclprofSetStampTraceMessage(stamp.as_ptr(), message.as_ptr().cast::<c_char>(), length)
            )
        };
        // SAFETY: the stamp is alive and `range` is a valid out-pointer.
        let started =
            named.and_then(|()| unsafe { call!(self, aclprofRangeStart(stamp.as_ptr(), &mut range)) });
        match started {
            Ok(()) => Ok((stamp, range)),
            Err(error) => {
                // SAFETY: the stamp is alive and started no range.
                unsafe { self.functions.aclprofDestroyStamp(stamp.as_ptr()) }?;
                Err(error)
            }
        }
    }

    /// Ends a range with `aclprofRangeStop` and `aclprofDestroyStamp`.
    ///
    /// # Safety
    /// Both came from [`range_start`](Self::range_start) and are not used afterwards.
    pub(crate) unsafe fn range_stop(&self, stamp: NonNull<c_void>, range: u32) -> Result<()> {
        // SAFETY: the range was started and not stopped yet, by the caller's promise.
        let stopped = unsafe { call!(self, aclprofRangeStop(range)) };
        // SAFETY: the stamp is alive and not used afterwards, by the caller's promise.
        unsafe { self.functions.aclprofDestroyStamp(stamp.as_ptr()) }?;
        stopped
    }
}
