//! Functions of the program that are told of streams that come and go.

use ascendcl_sys::{aclrtStream, aclrtStreamState, aclrtStreamStateCallback};
use parking_lot::Mutex;

use crate::error::{Result, misuse};
use crate::stream::Stream;

/// A function that is to be told.
#[derive(Clone)]
struct Watcher {
    name: String,
    callback: unsafe extern "C" fn(aclrtStream, aclrtStreamState, *mut std::ffi::c_void),
    argument: usize,
}

/// The watchers, of the process: they outlive `aclFinalize`, as the program's other callbacks do.
static WATCHERS: Mutex<Vec<Watcher>> = Mutex::new(Vec::new());

/// Adds the watcher of a name, or without a function takes it away.
pub(crate) fn watch(name: String, callback: aclrtStreamStateCallback, argument: usize) -> Result {
    let mut watchers = WATCHERS.lock();
    let found = watchers.iter().position(|watcher| watcher.name == name);
    match (callback, found) {
        (Some(callback), None) => watchers.push(Watcher { name, callback, argument }),
        (None, Some(index)) => drop(watchers.remove(index)),
        (Some(_), Some(_)) => {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "a callback is registered as {name:?} already"));
        }
        (None, None) => {
            return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "no callback is registered as {name:?}"));
        }
    }
    Ok(())
}

/// Tells every watcher of a stream, in the calling thread.
pub(crate) fn announce(stream: &Stream, state: aclrtStreamState) {
    let watchers = WATCHERS.lock().clone();
    for Watcher { callback, argument, .. } in watchers {
        let argument = std::ptr::with_exposed_provenance_mut(argument);
        // SAFETY: The program registered the function to be called with this argument, for any stream and from
        // any thread that makes or ends one.
        unsafe { callback(aclrtStream(stream.handle.pointer()), state, argument) };
    }
}
