//! Streams.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ascendcl_sys::*;

use super::{abi, timeout};
use crate::context::{self, Context};
use crate::error::{Result, failure, misuse};
use crate::simulator::{self, Simulator};
use crate::stream::{self, Making, Stream};
use crate::stream_state;

/// Streams of these flags work as others do, except persistent ones, which keep their tasks for a graph.
const SIMULATED_FLAGS: u32 = ACL_STREAM_FAST_LAUNCH
    | ACL_STREAM_FAST_SYNC
    | ACL_STREAM_HUGE
    | ACL_STREAM_PERSISTENT
    | ACL_STREAM_DEVICE_USE_ONLY;
const KNOWN_FLAGS: u32 = SIMULATED_FLAGS | ACL_STREAM_CPU_SCHEDULE;

abi! {
    pub fn aclrtCreateStream(stream: *mut aclrtStream) {
        stream.required()?;
        stream.set(create(Making::default())?)
    }

    pub fn aclrtCreateStreamWithConfig(stream: *mut aclrtStream, priority: u32, flag: u32) {
        stream.required()?;
        stream.set(create(Making { priority, flags: flag })?)
    }

    pub fn aclrtCreateStreamV2(stream: *mut aclrtStream, handle: *const aclrtStreamConfigHandle) {
        stream.required()?;
        let config = handle.get()?;
        let flags = u32::try_from(config.flag)
            .map_err(|_| misuse!(ACL_ERROR_INVALID_PARAM, "there is no stream flag {:#x}", config.flag))?;
        stream.set(create(Making { priority: config.priority, flags })?)
    }

    pub fn aclrtCreateStreamConfigHandle() -> *mut aclrtStreamConfigHandle, else std::ptr::null_mut(); {
        let workptr = std::ptr::null_mut();
        let config = aclrtStreamConfigHandle { workptr, workSize: 0, flag: 0, priority: 0 };
        Ok(Box::into_raw(Box::new(config)))
    }

    pub fn aclrtDestroyStreamConfigHandle(handle: *mut aclrtStreamConfigHandle) {
        let handle = handle.required()?;
        // SAFETY: The program got the pointer from `aclrtCreateStreamConfigHandle`, and gives it back once.
        drop(unsafe { Box::from_raw(handle) });
        Ok(())
    }

    pub fn aclrtSetStreamConfigOpt(
        handle: *mut aclrtStreamConfigHandle,
        attr: aclrtStreamConfigAttr,
        attr_value: *const std::ffi::c_void,
        value_size: usize,
    ) {
        let mut config = handle.get()?;
        let value = attr_value.required()?;
        let sized = |size: usize| {
            if value_size == size {
                Ok(())
            } else {
                Err(misuse!(
                    ACL_ERROR_INVALID_PARAM,
                    "the value of stream attribute {} has {size} bytes, not {value_size}",
                    attr.0
                ))
            }
        };
        // SAFETY: The value has the size of the type, and the program vouches for the pointer.
        unsafe {
            match attr {
                ACL_RT_STREAM_WORK_ADDR_PTR => {
                    sized(size_of::<*mut std::ffi::c_void>())?;
                    config.workptr = value.cast::<*mut std::ffi::c_void>().read_unaligned();
                }
                ACL_RT_STREAM_WORK_SIZE => {
                    sized(size_of::<usize>())?;
                    config.workSize = value.cast::<usize>().read_unaligned();
                }
                ACL_RT_STREAM_FLAG => {
                    sized(size_of::<usize>())?;
                    config.flag = value.cast::<usize>().read_unaligned();
                }
                ACL_RT_STREAM_PRIORITY => {
                    sized(size_of::<u32>())?;
                    config.priority = value.cast::<u32>().read_unaligned();
                }
                _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no stream attribute {}", attr.0)),
            }
        }
        handle.set(config)
    }

    pub fn aclrtDestroyStream(stream: aclrtStream) {
        destroy(stream, true)
    }

    pub fn aclrtDestroyStreamForce(stream: aclrtStream) {
        destroy(stream, false)
    }

    pub fn aclrtSynchronizeStream(stream: aclrtStream) {
        let scope = Scope::enter()?;
        scope.stream(stream)?.synchronize(None)?;
        scope.simulator.release_free_memory(scope.context.device.id)
    }

    pub fn aclrtSynchronizeStreamWithTimeout(stream: aclrtStream, milliseconds: i32) {
        let deadline = timeout(milliseconds)?;
        let scope = Scope::enter()?;
        scope.stream(stream)?.synchronize(deadline)?;
        scope.simulator.release_free_memory(scope.context.device.id)
    }

    pub fn aclrtStreamQuery(stream: aclrtStream, status: *mut aclrtStreamStatus) {
        status.required()?;
        let is_idle = Scope::enter()?.stream(stream)?.is_idle()?;
        status.set(if is_idle { ACL_STREAM_STATUS_COMPLETE } else { ACL_STREAM_STATUS_NOT_READY })
    }

    /// A host function that runs is waited for; nothing can stop it.
    pub fn aclrtStreamAbort(stream: aclrtStream) {
        Scope::enter()?.stream(stream)?.abort(true);
        Ok(())
    }

    pub fn aclrtStreamStop(stream: aclrtStream) {
        let scope = Scope::enter()?;
        if stream.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the default stream cannot be stopped"));
        }
        scope.stream(stream)?.stop_running();
        Ok(())
    }

    pub fn aclrtStreamGetId(stream: aclrtStream, stream_id: *mut i32) {
        stream_id.set(Scope::enter()?.stream(stream)?.id)
    }

    pub fn aclrtStreamGetPriority(stream: aclrtStream, priority: *mut u32) {
        priority.set(Scope::enter()?.stream(stream)?.priority.load(Ordering::Relaxed))
    }

    pub fn aclrtStreamGetFlags(stream: aclrtStream, flags: *mut u32) {
        flags.set(Scope::enter()?.stream(stream)?.flags)
    }

    pub fn aclrtSetStreamFailureMode(stream: aclrtStream, mode: u64) {
        set_failure_mode(&*Scope::enter()?.stream(stream)?, mode)
    }

    pub fn aclrtSetStreamOverflowSwitch(stream: aclrtStream, flag: u32) {
        set_switch(&Scope::enter()?.stream(stream)?.options.overflow_check, flag)
    }

    pub fn aclrtGetStreamOverflowSwitch(stream: aclrtStream, flag: *mut u32) {
        flag.set(Scope::enter()?.stream(stream)?.options.overflow_check.load(Ordering::Relaxed))
    }

    pub fn aclrtSetStreamAttribute(
        stream: aclrtStream,
        stm_attr_type: aclrtStreamAttr,
        value: *mut aclrtStreamAttrValue,
    ) {
        let stream = Scope::enter()?.stream(stream)?;
        let value = value.get()?;
        // SAFETY: Every field is a plain number, and the program sets the one that the attribute names.
        unsafe {
            match stm_attr_type {
                ACL_STREAM_ATTR_FAILURE_MODE => return set_failure_mode(&stream, value.failureMode),
                ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK => {
                    return set_switch(&stream.options.overflow_check, value.overflowSwitch);
                }
                ACL_STREAM_ATTR_USER_CUSTOM_TAG => {
                    stream.options.tag.store(value.userCustomTag, Ordering::Relaxed);
                }
                ACL_STREAM_ATTR_CACHE_OP_INFO => {
                    return set_switch(&stream.options.cache_operator_info, value.cacheOpInfoSwitch);
                }
                ACL_STREAM_ATTR_PRIORITY => stream.priority.store(value.streamPriority, Ordering::Relaxed),
                _ => {
                    return Err(misuse!(
                        ACL_ERROR_INVALID_PARAM,
                        "there is no stream attribute {}",
                        stm_attr_type.0
                    ));
                }
            }
        }
        Ok(())
    }

    pub fn aclrtGetStreamAttribute(
        stream: aclrtStream,
        stm_attr_type: aclrtStreamAttr,
        value: *mut aclrtStreamAttrValue,
    ) {
        let stream = Scope::enter()?.stream(stream)?;
        let options = &stream.options;
        let mut answer = aclrtStreamAttrValue { reserve: [0; 4] };
        match stm_attr_type {
            ACL_STREAM_ATTR_FAILURE_MODE => answer.failureMode = stream.failure.stops().into(),
            ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK => {
                answer.overflowSwitch = options.overflow_check.load(Ordering::Relaxed);
            }
            ACL_STREAM_ATTR_USER_CUSTOM_TAG => answer.userCustomTag = options.tag.load(Ordering::Relaxed),
            ACL_STREAM_ATTR_CACHE_OP_INFO => {
                answer.cacheOpInfoSwitch = options.cache_operator_info.load(Ordering::Relaxed);
            }
            ACL_STREAM_ATTR_PRIORITY => answer.streamPriority = stream.priority.load(Ordering::Relaxed),
            _ => {
                return Err(misuse!(
                    ACL_ERROR_INVALID_PARAM,
                    "there is no stream attribute {}",
                    stm_attr_type.0
                ));
            }
        }
        value.set(answer)
    }

    /// The callback is told of default streams, too, in the thread that makes or ends them.
    pub fn aclrtRegStreamStateCallback(
        reg_name: *const std::ffi::c_char,
        callback: aclrtStreamStateCallback,
        args: *mut std::ffi::c_void,
    ) {
        simulator::get()?;
        let name = reg_name.text()?;
        if name.is_empty() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "reg_name is empty"));
        }
        stream_state::watch(name, callback, args.raw().expose_provenance())
    }

    pub fn aclrtGetThreadLastTaskId(task_id: *mut u32) {
        simulator::get()?;
        task_id.set(stream::last_task())
    }
}

/// The machine and the thread's context, which almost every call needs.
pub(crate) struct Scope {
    pub simulator: Arc<Simulator>,
    pub context: Arc<Context>,
}

impl Scope {
    pub(crate) fn enter() -> Result<Self> {
        let simulator = simulator::get()?;
        Ok(Self { simulator, context: context::current()? })
    }

    /// The stream of a handle, which must belong to the thread's context; null is the context's default
    /// stream.
    pub(crate) fn stream(&self, handle: aclrtStream) -> Result<Arc<Stream>> {
        if handle.is_null() {
            return Ok(Arc::clone(&self.context.default_stream));
        }
        let stream = self.simulator.streams.get(handle.0)?;
        if stream.context != self.context.handle {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_CONTEXT,
                "stream {} belongs to another context than the thread's",
                stream.id
            ));
        }
        Ok(stream)
    }
}

fn create(making: Making) -> Result<aclrtStream> {
    let scope = Scope::enter()?;
    let flags = making.flags;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no stream flag {:#x}", flags & !KNOWN_FLAGS));
    }
    if flags & !SIMULATED_FLAGS != 0 {
        return Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "the simulator has no streams of flag {:#x}",
            flags & !SIMULATED_FLAGS
        ));
    }
    let context = &scope.context;
    let stream = Stream::new(&context.device, context.handle, &context.failure, making)?;
    scope.simulator.add_stream(&stream);
    Ok(aclrtStream(stream.handle.pointer()))
}

fn destroy(handle: aclrtStream, patient: bool) -> Result {
    let scope = Scope::enter()?;
    if handle.is_null() {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "the stream is null; a default stream ends with its context"
        ));
    }
    let stream = scope.stream(handle)?;
    if stream.is_default {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a default stream ends with its context"));
    }
    if stream.capture().is_some() {
        return Err(misuse!(
            ACL_ERROR_RT_STREAM_CAPTURED,
            "the work of stream {} is being captured; end the capture first",
            stream.id
        ));
    }
    if stream.persistent.as_ref().is_some_and(|persistent| persistent.graph().is_some()) {
        return Err(misuse!(
            ACL_ERROR_RT_STREAM_MODEL,
            "stream {} is bound to a graph; call aclmdlRIUnbindStream first",
            stream.id
        ));
    }
    scope.simulator.end_stream(&stream, patient);
    Ok(())
}

fn set_failure_mode(stream: &Stream, mode: u64) -> Result {
    if stream.is_default {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a default stream has no failure mode"));
    }
    if mode > u64::from(ACL_STOP_ON_FAILURE) {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no failure mode {mode}"));
    }
    stream.set_failure_mode(mode == u64::from(ACL_STOP_ON_FAILURE))
}

fn set_switch(switch: &std::sync::atomic::AtomicU32, value: u32) -> Result {
    if value > 1 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a switch is 0 or 1, not {value}"));
    }
    switch.store(value, Ordering::Relaxed);
    Ok(())
}
