//! Profiling.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{In, abi};

use crate::error::{Result, misuse};
use crate::object::Objects;
use crate::profile::{self, Kind, Open, Place};
use crate::simulator;
use crate::task::Task;

struct Config {
    devices: Vec<u32>,
    data: u64,
}

/// Which ends of a step were marked.
struct Step {
    number: u32,
    start: bool,
    end: bool,
}

static CONFIGS: Objects<aclprofConfig, Config> = Objects::new("profiling configuration");
/// Stamps, with their messages.
static STAMPS: Objects<c_void, String> = Objects::new("stamp");
static STEPS: Objects<aclprofStepInfo, Step> = Objects::new("step");

thread_local! {
    /// The ranges of `aclprofPush` that this thread has not popped.
    static NESTED: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

const MAX_PATH: usize = 4096;
const MAX_SETTING: usize = 256;
const MAX_MARK: usize = 127;

abi! {
    pub fn aclprofInit(profiler_result_path: *const c_char, length: usize) {
        simulator::get()?;
        let folder = message(&profiler_result_path, length, MAX_PATH)?;
        if folder.is_empty() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the path of the profile is empty"));
        }
        profile::start_session(Path::new(&folder))
    }

    pub fn aclprofFinalize() {
        profile::end_session()
    }

    /// What can be set concerns samplers of the hardware that the simulator does not have, which the log says.
    pub fn aclprofSetConfig(config_type: aclprofConfigType, config: *const c_char, config_length: usize) {
        let value = message(&config, config_length, MAX_SETTING)?;
        if config_type == ACL_PROF_ARGS_MIN || config_type.0 > ACL_PROF_PATH.0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no profiling setting {}", config_type.0));
        }
        tracing::warn!(setting = config_type.0, value, "nothing that the simulator collects has this setting");
        Ok(())
    }

    pub fn aclprofCreateConfig(
        device_id_list: *mut u32,
        device_nums: u32,
        aicore_metrics: aclprofAicoreMetrics,
        aicore_events: *const aclprofAicoreEvents,
        data_type_config: u64,
    ) -> *mut aclprofConfig, else ptr::null_mut(); {
        let most = simulator::running().map_or(u32::from(u16::MAX), |simulator| simulator.machine.devices);
        if device_nums > most {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there are {most} devices, not {device_nums}"));
        }
        let devices = device_id_list.to_vec(device_nums as usize)?;
        if devices.iter().collect::<HashSet<_>>().len() != devices.len() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a device is named twice: {devices:?}"));
        }
        if aicore_metrics.0 > ACL_AICORE_MEMORY_ACCESS.0 && aicore_metrics != ACL_AICORE_NONE {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there are no core metrics {}", aicore_metrics.0));
        }
        if !aicore_events.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "aicoreEvents is not null, which is all that it can be"));
        }
        Ok(CONFIGS.add(Config { devices, data: data_type_config }))
    }

    pub fn aclprofDestroyConfig(profiler_config: *const aclprofConfig) {
        CONFIGS.remove(profiler_config.raw()).map(drop)
    }

    pub fn aclprofStart(profiler_config: *const aclprofConfig) {
        let simulator = simulator::get()?;
        let config = CONFIGS.get(profiler_config.raw())?;
        let config = config.lock();
        for &device in &config.devices {
            simulator.device(i32::try_from(device).unwrap_or(-1))?;
        }
        profile::start(profiler_config.raw().addr(), config.devices.clone(), config.data)
    }

    pub fn aclprofStop(profiler_config: *const aclprofConfig) {
        CONFIGS.get(profiler_config.raw())?;
        profile::stop(profiler_config.raw().addr())
    }

    pub fn aclprofCreateStamp() -> *mut c_void, else ptr::null_mut(); {
        Ok(STAMPS.add(String::new()))
    }

    pub fn aclprofDestroyStamp(stamp: *mut c_void) -> (), else (); {
        STAMPS.remove(stamp.raw()).map(drop)
    }

    pub fn aclprofSetStampTraceMessage(stamp: *mut c_void, msg: *const c_char, msg_len: u32) {
        let message = message(&msg, msg_len as usize, usize::MAX)?;
        STAMPS.with(stamp.raw(), |stamp| *stamp = message)
    }

    pub fn aclprofMark(stamp: *mut c_void) {
        profile::mark(stamped(&stamp)?, None);
        Ok(())
    }

    /// Marks the call, and the stream's turn to carry out what was queued after the call.
    pub fn aclprofMarkEx(msg: *const c_char, msg_len: usize, stream: aclrtStream) {
        let message = message(&msg, msg_len, MAX_MARK)?;
        mark_stream(stream, message.clone())?;
        profile::mark(message, None);
        Ok(())
    }

    pub fn aclprofPush(stamp: *mut c_void) {
        let open = profile::begin(stamped(&stamp)?, Kind::Nested);
        NESTED.with_borrow_mut(|nested| nested.push(open));
        Ok(())
    }

    pub fn aclprofPop() {
        let open = NESTED.with_borrow_mut(Vec::pop);
        profile::end(open.ok_or_else(|| {
            misuse!(ACL_ERROR_INVALID_PARAM, "this thread has popped as often as it has pushed")
        })?);
        Ok(())
    }

    pub fn aclprofRangeStart(stamp: *mut c_void, range_id: *mut u32) {
        range_id.required()?;
        range_id.set(profile::begin_range(stamped(&stamp)?))
    }

    pub fn aclprofRangeStop(range_id: u32) {
        profile::end_range(range_id)
    }

    pub fn aclprofCreateStepInfo() -> *mut aclprofStepInfo, else ptr::null_mut(); {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(STEPS.add(Step { number, start: false, end: false }))
    }

    pub fn aclprofDestroyStepInfo(step_info: *mut aclprofStepInfo) -> (), else (); {
        STEPS.remove(step_info.raw()).map(drop)
    }

    /// Marks in the stream an end of a step, each once.
    pub fn aclprofGetStepTimestamp(
        step_info: *mut aclprofStepInfo,
        tag: aclprofStepTag,
        stream: aclrtStream,
    ) {
        let step = STEPS.get(step_info.raw())?;
        let mut step = step.lock();
        let number = step.number;
        let (marked, name) = match tag {
            ACL_STEP_START => (&mut step.start, "start"),
            ACL_STEP_END => (&mut step.end, "end"),
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no step tag {}", tag.0)),
        };
        if *marked {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the {name} of step {number} was marked before"));
        }
        mark_stream(stream, format!("step {number} {name}"))?;
        *marked = true;
        Ok(())
    }
}

fn stamped(stamp: &In<c_void>) -> Result<String> {
    STAMPS.with(stamp.raw(), |message| message.clone())
}

/// A text of a given length, which a terminator may end before.
fn message(text: &In<c_char>, length: usize, most: usize) -> Result<String> {
    if length > most {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{length} characters are more than {most}"));
    }
    text.required()?;
    // Read one by one: memory behind the terminator may not be the program's.
    let mut bytes = Vec::new();
    for index in 0..length {
        // SAFETY: Not null, hence a text that ends with its length or its terminator, which did not come yet.
        match unsafe { text.raw().add(index).read() } {
            0 => break,
            character => bytes.push(character as u8),
        }
    }
    String::from_utf8(bytes).map_err(|_| misuse!(ACL_ERROR_INVALID_PARAM, "the text is not UTF-8"))
}

fn mark_stream(stream: aclrtStream, message: String) -> Result {
    let stream = Scope::enter()?.stream(stream)?;
    let place = Place::Stream { device: stream.device.id, stream: stream.id };
    let mark = Task::other("PROFILE_MARK", move |_| {
        profile::mark(message.clone(), Some(place));
        Ok(())
    });
    stream.submit(mark).map(drop)
}
