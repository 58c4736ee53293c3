//! Faults on demand, so that tests can see how a program takes them.
//!
//! A fault belongs to one device and lasts as long as its [`Guard`]; tests on different devices do not
//! disturb each other. The variable `ASCENDCL_SIM_FAULT` arms faults at `aclInit`, for programs that cannot
//! call this module: a list of `device:fault` with commas, where the fault is `malloc=N`, `copy=N`,
//! `async-copy=N` or `lost`.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::config::ConfigError;
use crate::error::{Result, failure};

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The `nth` allocation of device memory from now on (1 is the next) fails:
    /// `ACL_ERROR_RT_MEMORY_ALLOCATION`.
    OutOfMemory {
        /// Which one.
        nth: u64,
    },
    /// The call of the `nth` copy from now on, synchronous or not, fails: `ACL_ERROR_RT_DRV_INTERNAL_ERROR`.
    Copy {
        /// Which one.
        nth: u64,
    },
    /// The `nth` asynchronous copy from now on is accepted and fails when it runs: `ACL_ERROR_RT_SYS_DMA` at
    /// the next synchronization.
    AsyncCopy {
        /// Which one.
        nth: u64,
    },
    /// The device is gone: every call that needs it fails with `ACL_ERROR_RT_LOST_HEARTBEAT`.
    DeviceLost,
}

/// Takes its fault away when dropped.
#[derive(Debug)]
#[must_use = "the fault is gone when its guard is dropped"]
pub struct Guard {
    id: usize,
}

impl Guard {
    /// Whether the fault has happened; a lost device is one from the start.
    pub fn has_happened(&self) -> bool {
        ARMED.lock().iter().find(|armed| armed.id == self.id).is_none_or(|armed| armed.left == 0)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        disarm(|armed| armed.id == self.id);
    }
}

/// Lets `fault` happen on a device, for as long as the guard lives.
pub fn inject(device: u32, fault: Fault) -> Guard {
    Guard { id: arm(device, fault, false) }
}

#[derive(Debug)]
struct Armed {
    id: usize,
    device: u32,
    fault: Fault,
    /// How many events of its kind are left until it happens; 0 if it has happened.
    left: u64,
    from_environment: bool,
}

static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());
/// The number of armed faults: the usual case, none, must cost nothing.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

fn arm(device: u32, fault: Fault, from_environment: bool) -> usize {
    let left = match fault {
        Fault::OutOfMemory { nth } | Fault::Copy { nth } | Fault::AsyncCopy { nth } => nth.max(1),
        Fault::DeviceLost => 0,
    };
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut armed = ARMED.lock();
    armed.push(Armed { id, device, fault, left, from_environment });
    COUNT.store(armed.len(), Ordering::Release);
    id
}

fn disarm(which: impl Fn(&Armed) -> bool) {
    let mut armed = ARMED.lock();
    armed.retain(|armed| !which(armed));
    COUNT.store(armed.len(), Ordering::Release);
}

/// Counts one event on a device, and says whether it is the one that goes wrong.
fn strikes(device: i32, kind: impl Fn(Fault) -> bool) -> bool {
    if COUNT.load(Ordering::Acquire) == 0 {
        return false;
    }
    let mut struck = false;
    for armed in ARMED.lock().iter_mut() {
        if i64::from(armed.device) == i64::from(device) && armed.left > 0 && kind(armed.fault) {
            armed.left -= 1;
            struck |= armed.left == 0;
        }
    }
    struck
}

pub(crate) fn on_allocation(device: i32) -> Result {
    if strikes(device, |fault| matches!(fault, Fault::OutOfMemory { .. })) {
        return Err(failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "injected fault: out of device memory"));
    }
    Ok(())
}

pub(crate) fn on_copy(device: i32) -> Result {
    if strikes(device, |fault| matches!(fault, Fault::Copy { .. })) {
        return Err(failure!(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "injected fault: the copy failed"));
    }
    Ok(())
}

/// Whether the asynchronous copy that is being queued will fail when it runs.
pub(crate) fn on_async_copy(device: i32) -> bool {
    strikes(device, |fault| matches!(fault, Fault::AsyncCopy { .. }))
}

pub(crate) fn is_lost(device: i32) -> bool {
    COUNT.load(Ordering::Acquire) != 0
        && ARMED
            .lock()
            .iter()
            .any(|armed| i64::from(armed.device) == i64::from(device) && armed.fault == Fault::DeviceLost)
}

pub(crate) fn check_not_lost(device: i32) -> Result {
    if is_lost(device) {
        return Err(failure!(ACL_ERROR_RT_LOST_HEARTBEAT, "injected fault: device {device} is lost"));
    }
    Ok(())
}

/// Arms what the environment asks for.
pub(crate) fn arm_from_environment() -> std::result::Result<(), ConfigError> {
    let Ok(text) = std::env::var("ASCENDCL_SIM_FAULT") else { return Ok(()) };
    let faults = parse(&text).map_err(|reason| ConfigError::Fault { text, reason })?;
    disarm_environment();
    for (device, fault) in faults {
        arm(device, fault, true);
    }
    Ok(())
}

pub(crate) fn disarm_environment() {
    disarm(|armed| armed.from_environment);
}

fn parse(text: &str) -> std::result::Result<Vec<(u32, Fault)>, String> {
    let parse_one = |item: &str| -> Option<(u32, Fault)> {
        let (device, fault) = item.trim().split_once(':')?;
        let (kind, nth) = match fault.split_once('=') {
            Some((kind, nth)) => (kind, Some(nth.parse().ok().filter(|&nth| nth > 0)?)),
            None => (fault, None),
        };
        let fault = match (kind, nth) {
            ("malloc", Some(nth)) => Fault::OutOfMemory { nth },
            ("copy", Some(nth)) => Fault::Copy { nth },
            ("async-copy", Some(nth)) => Fault::AsyncCopy { nth },
            ("lost", None) => Fault::DeviceLost,
            _ => return None,
        };
        Some((device.parse().ok()?, fault))
    };
    text.split(',')
        .filter(|item| !item.trim().is_empty())
        .map(|item| {
            parse_one(item).ok_or_else(|| {
                format!("{item:?} is not DEVICE:malloc=N, DEVICE:copy=N, DEVICE:async-copy=N or DEVICE:lost")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_parsed() {
        assert_eq!(
            parse("0:malloc=3, 1:copy=2,2:async-copy=1,3:lost"),
            Ok(vec![
                (0, Fault::OutOfMemory { nth: 3 }),
                (1, Fault::Copy { nth: 2 }),
                (2, Fault::AsyncCopy { nth: 1 }),
                (3, Fault::DeviceLost),
            ])
        );
        for wrong in ["malloc=3", "0:malloc", "0:malloc=0", "0:lost=1", "x:lost", "0:fire"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fault_strikes_once_on_its_device() {
        let guard = inject(1000, Fault::OutOfMemory { nth: 2 });
        assert!(on_allocation(1001).is_ok());
        assert!(on_allocation(1000).is_ok());
        assert!(!guard.has_happened());
        assert!(on_allocation(1000).is_err());
        assert!(guard.has_happened());
        assert!(on_allocation(1000).is_ok());
    }
}
