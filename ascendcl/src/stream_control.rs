//! Attributes of streams, and ending their work early.

use ascendcl_sys as sys;

use crate::device_info::unknown;
use crate::error::Result;
use crate::stream::{Capture, Stream};

/// What a stream does when a task of it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureMode {
    /// The next task (`ACL_CONTINUE_ON_FAILURE`, the default).
    Continue,
    /// Nothing any more, and takes no new work (`ACL_STOP_ON_FAILURE`).
    Stop,
}

/// Whether a stream's work is captured (`aclmdlRICaptureStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaptureStatus {
    /// It is not.
    None,
    /// It is.
    Active,
    /// It was, until something that cannot be captured spoilt it.
    Invalidated,
}

impl Stream {
    /// The stream's priority; a lower number is a higher priority (`aclrtStreamGetPriority`, since 9.1).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1, [`Error::Acl`](crate::Error::Acl) from the
    /// library.
    pub fn priority(&self) -> Result<u32> {
        let submission = self.submit("Stream::priority", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.stream_priority(submission.handle) }
    }

    /// Changes the priority (`aclrtSetStreamAttribute` with `ACL_STREAM_ATTR_PRIORITY`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority), also for a priority outside
    /// [`Device::stream_priority_range`](crate::Device::stream_priority_range).
    pub fn set_priority(&self, priority: u32) -> Result<()> {
        self.set_attribute("Stream::set_priority", sys::ACL_STREAM_ATTR_PRIORITY, priority)
    }

    /// The flags that the stream was made with, as bits of `ACL_STREAM_*` (`aclrtStreamGetFlags`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority).
    pub fn flags(&self) -> Result<u32> {
        let submission = self.submit("Stream::flags", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.stream_flags(submission.handle) }
    }

    /// What the stream does when a task of it failed
    /// (`aclrtGetStreamAttribute` with `ACL_STREAM_ATTR_FAILURE_MODE`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority), and [`Error::Shape`](crate::Error::Shape) for a mode that this crate does not
    /// know.
    pub fn failure_mode(&self) -> Result<FailureMode> {
        match self.attribute("Stream::failure_mode", sys::ACL_STREAM_ATTR_FAILURE_MODE)? {
            sys::ACL_CONTINUE_ON_FAILURE => Ok(FailureMode::Continue),
            sys::ACL_STOP_ON_FAILURE => Ok(FailureMode::Stop),
            other => Err(unknown("failure mode", "to continue or to stop", other)),
        }
    }

    /// Sets what the stream does when a task of it failed, which can be done once (`aclrtSetStreamFailureMode`).
    ///
    /// Streams of a device share a context, so one that stops on a failure makes all of the process's streams
    /// on the device do so.
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    ///
    /// # Safety
    /// With [`FailureMode::Stop`], a failure drops what is queued, as [`abort`](Self::abort) does: its contract holds then.
    pub unsafe fn set_failure_mode(&self, mode: FailureMode) -> Result<()> {
        let mode = match mode {
            FailureMode::Continue => sys::ACL_CONTINUE_ON_FAILURE,
            FailureMode::Stop => sys::ACL_STOP_ON_FAILURE,
        };
        let submission = self.submit("Stream::set_failure_mode", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.set_stream_failure_mode(submission.handle, mode) }
    }

    /// Whether the device looks for overflows in the stream's work (`aclrtGetStreamOverflowSwitch`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn checks_overflow(&self) -> Result<bool> {
        let submission = self.submit("Stream::checks_overflow", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.stream_overflow_switch(submission.handle) }
    }

    /// Lets the device look for overflows in work that is queued from now on, or not
    /// (`aclrtSetStreamOverflowSwitch`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn set_checks_overflow(&self, on: bool) -> Result<()> {
        let submission = self.submit("Stream::set_checks_overflow", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.set_stream_overflow_switch(submission.handle, on) }
    }

    /// The number that the program gave the stream
    /// (`aclrtGetStreamAttribute` with `ACL_STREAM_ATTR_USER_CUSTOM_TAG`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority).
    pub fn tag(&self) -> Result<u32> {
        self.attribute("Stream::tag", sys::ACL_STREAM_ATTR_USER_CUSTOM_TAG)
    }

    /// Gives the stream a number of the program's own
    /// (`aclrtSetStreamAttribute` with `ACL_STREAM_ATTR_USER_CUSTOM_TAG`, since 9.1).
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// stream.set_tag(7)?;
    /// assert_eq!(stream.tag()?, 7);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`priority`](Self::priority).
    pub fn set_tag(&self, tag: u32) -> Result<()> {
        self.set_attribute("Stream::set_tag", sys::ACL_STREAM_ATTR_USER_CUSTOM_TAG, tag)
    }

    /// Whether captures keep what profilers show of operators
    /// (`aclrtGetStreamAttribute` with `ACL_STREAM_ATTR_CACHE_OP_INFO`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority).
    pub fn caches_operator_info(&self) -> Result<bool> {
        let switch = self.attribute("Stream::caches_operator_info", sys::ACL_STREAM_ATTR_CACHE_OP_INFO)?;
        Ok(switch != 0)
    }

    /// Lets captures keep what profilers show of operators, or not
    /// (`aclrtSetStreamAttribute` with `ACL_STREAM_ATTR_CACHE_OP_INFO`, since 9.1).
    ///
    /// # Errors
    /// As [`priority`](Self::priority).
    pub fn set_caches_operator_info(&self, on: bool) -> Result<()> {
        let call = "Stream::set_caches_operator_info";
        self.set_attribute(call, sys::ACL_STREAM_ATTR_CACHE_OP_INFO, on.into())
    }

    /// Whether the stream's work is being captured, as the library sees it (`aclmdlRICaptureGetInfo`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library, [`Error::Shape`](crate::Error::Shape) for a status that this
    /// crate does not know.
    pub fn capture_status(&self) -> Result<CaptureStatus> {
        let submission = self.submit("Stream::capture_status", Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        match unsafe { submission.acl.capture_status(submission.handle) }? {
            sys::ACL_MODEL_RI_CAPTURE_STATUS_NONE => Ok(CaptureStatus::None),
            sys::ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE => Ok(CaptureStatus::Active),
            sys::ACL_MODEL_RI_CAPTURE_STATUS_INVALIDATED => Ok(CaptureStatus::Invalidated),
            other => Err(unknown("capture status", "none, active or invalidated", other.0)),
        }
    }

    /// Ends the task that is running and drops those that are queued (`aclrtStreamAbort`).
    ///
    /// The stream can be used again afterwards. What dropped work would have written keeps its old
    /// contents, or has new ones in part. Host functions that have not run are leaked, with what they own. Other streams
    /// that wait for this one, because of an event or of memory that both use, may wait for ever and must be aborted,
    /// too.
    ///
    /// No thread queues work on the device during the call, which therefore waits for threads that are queueing, as an
    /// upload from a plain slice is until it is done.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let device = Runtime::with_backend(Backend::Sim)?.device(0)?;
    /// let (stream, event) = (device.stream()?, device.event()?);
    /// stream.record(&event)?;
    /// // SAFETY: no other stream has work.
    /// unsafe { stream.abort() }?;
    /// assert!(stream.is_idle()?);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Capturing`](crate::Error::Capturing) during a capture, [`Error::Acl`](crate::Error::Acl) from the library.
    ///
    /// # Safety
    /// Waits for other streams are dropped with the work that they were for, so the order of work on memory that this
    /// stream shares with others is lost: nothing touches such memory before the work of those other streams is done, for
    /// instance because the device was [synchronised](crate::Device::synchronize).
    pub unsafe fn abort(&self) -> Result<()> {
        let (submission, _alone) = self.submit_alone("Stream::abort")?;
        // SAFETY: the submission's stream is alive, and nobody queues work on the device meanwhile.
        unsafe { submission.acl.abort_stream(submission.handle) }
    }

    /// Ends the task that is running and leaves those that are queued (`aclrtStreamStop`, since 9.1).
    ///
    /// For what it leaves behind see [`abort`](Self::abort).
    ///
    /// # Errors
    /// As [`abort`](Self::abort), and [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1.
    ///
    /// # Safety
    /// As [`abort`](Self::abort): the running task may be a wait for another stream.
    pub unsafe fn stop_running_task(&self) -> Result<()> {
        let (submission, _alone) = self.submit_alone("Stream::stop_running_task")?;
        // SAFETY: the submission's stream is alive, and nobody queues work on the device meanwhile.
        unsafe { submission.acl.stop_stream(submission.handle) }
    }

    fn attribute(&self, call: &'static str, attribute: sys::aclrtStreamAttr) -> Result<u32> {
        let submission = self.submit(call, Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.stream_attribute(submission.handle, attribute) }
    }

    fn set_attribute(&self, call: &'static str, attribute: sys::aclrtStreamAttr, value: u32) -> Result<()> {
        let submission = self.submit(call, Capture::Allowed)?;
        // SAFETY: the submission's stream is alive.
        unsafe { submission.acl.set_stream_attribute(submission.handle, attribute, value) }
    }
}
