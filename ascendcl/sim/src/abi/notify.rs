//! Notifies and values in memory that streams wait for.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::error::{Result, failure, misuse};
use crate::notify::Notify;
use crate::task::Task;
use crate::transfer::Place;

/// How long a task that waits for a value in memory sleeps before it looks again.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

abi! {
    pub fn aclrtCreateNotify(notify: *mut aclrtNotify, flag: u64) {
        notify.required()?;
        let scope = Scope::enter()?;
        match u32::try_from(flag) {
            Ok(ACL_NOTIFY_DEFAULT) => {}
            Ok(ACL_NOTIFY_DEVICE_USE_ONLY) => {
                return Err(failure!(
                    ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "the simulator has no notifies for the device alone"
                ));
            }
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no notify flag {flag:#x}")),
        }
        let made = Notify::new(&scope.context.device)?;
        scope.simulator.notifies.insert(made.handle, Arc::clone(&made));
        notify.set(aclrtNotify(made.handle.pointer()))
    }

    /// Does not wait: tasks that use the notify keep it.
    pub fn aclrtDestroyNotify(notify: aclrtNotify) {
        let simulator = Scope::enter()?.simulator;
        simulator.forget_notify(&*simulator.notifies.remove(notify.0)?);
        Ok(())
    }

    pub fn aclrtRecordNotify(notify: aclrtNotify, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let notify = scope.simulator.notifies.get(notify.0)?;
        notify.check_reach(&scope.context.device)?;
        let record = Task::other("NOTIFY_RECORD", move |_| {
            notify.record();
            Ok(())
        });
        scope.stream(stream)?.submit(record).map(drop)
    }

    pub fn aclrtWaitAndResetNotify(notify: aclrtNotify, stream: aclrtStream, seconds: u32) {
        let scope = Scope::enter()?;
        let notify = scope.simulator.notifies.get(notify.0)?;
        notify.check_reach(&scope.context.device)?;
        let timeout = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let wait = Task::other("NOTIFY_WAIT", move |stream| notify.wait(stream, timeout));
        scope.stream(stream)?.submit(wait).map(drop)
    }

    pub fn aclrtValueWrite(dev_addr: *mut c_void, value: u64, flag: u32, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        if flag != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flag is {flag}, not 0"));
        }
        let to = value_place(&scope, &dev_addr)?;
        stream.submit(Task::other("VALUE_WRITE", move |_| to.write_value(value))).map(drop)
    }

    pub fn aclrtValueWait(dev_addr: *mut c_void, value: u64, flag: u32, stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let holds: fn(u64, u64) -> bool = match flag {
            ACL_STREAM_WAIT_VALUE_GEQ => |found, value| found.wrapping_sub(value).cast_signed() >= 0,
            ACL_STREAM_WAIT_VALUE_EQ => |found, value| found == value,
            ACL_STREAM_WAIT_VALUE_AND => |found, value| found & value != 0,
            ACL_STREAM_WAIT_VALUE_NOR => |found, value| !(found | value) != 0,
            _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no way {flag} to wait for a value")),
        };
        let at = value_place(&scope, &dev_addr)?;
        let wait = Task::other("VALUE_WAIT", move |stream| {
            while !holds(at.read_value()?, value) {
                stream.pause(BETWEEN_LOOKS)?;
            }
            Ok(())
        });
        stream.submit(wait).map(drop)
    }
}

/// Eight bytes of device memory.
fn value_place(scope: &Scope, dev_addr: &Out<c_void>) -> Result<Place> {
    let address = dev_addr.address()?;
    if !address.is_multiple_of(8) {
        return Err(misuse!(ACL_ERROR_RT_ADDR_UNALIGNED, "{address:#x} is not a multiple of 8"));
    }
    let place = Place::find(&scope.simulator, &scope.context.device, address, 8)?;
    if !place.is_device() {
        return Err(misuse!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "{address:#x} is not device memory"));
    }
    Ok(place)
}
