//! Host callbacks in stream order.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi, timeout};
use crate::callback::Way;
use crate::error::{Result, misuse};
use crate::raw::Call;
use crate::simulator;
use crate::stream::Stream;
use crate::task::Task;

abi! {
    pub fn aclrtSubscribeReport(thread_id: u64, stream: aclrtStream) {
        let scope = Scope::enter()?;
        scope.simulator.subscriptions.subscribe(thread_id, &*scope.stream(stream)?)
    }

    pub fn aclrtUnSubscribeReport(thread_id: u64, stream: aclrtStream) {
        let scope = Scope::enter()?;
        scope.simulator.subscriptions.unsubscribe(thread_id, &*scope.stream(stream)?)
    }

    /// The thread needs no context.
    pub fn aclrtProcessReport(milliseconds: i32) {
        let deadline = timeout(milliseconds)?;
        simulator::get()?.subscriptions.process(deadline)
    }

    /// Host functions of the stream run in the thread from now on.
    pub fn aclrtSubscribeHostFunc(host_func_thread_id: u64, exe_stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = explicit(&scope, exe_stream)?;
        scope.simulator.subscriptions.subscribe_host_functions(host_func_thread_id, &stream)
    }

    pub fn aclrtUnSubscribeHostFunc(host_func_thread_id: u64, exe_stream: aclrtStream) {
        let scope = Scope::enter()?;
        let stream = explicit(&scope, exe_stream)?;
        scope.simulator.subscriptions.unsubscribe_host_functions(host_func_thread_id, &stream)
    }

    /// The thread needs no context.
    pub fn aclrtProcessHostFunc(milliseconds: i32) {
        let deadline = timeout(milliseconds)?;
        simulator::get()?.subscriptions.process_host_functions(deadline)
    }

    pub fn aclrtLaunchCallback(
        fn_: aclrtCallback,
        user_data: *mut c_void,
        block_type: aclrtCallbackBlockType,
        stream: aclrtStream,
    ) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let call = call(fn_, &user_data)?;
        let blocks = match block_type {
            ACL_CALLBACK_NO_BLOCK => false,
            ACL_CALLBACK_BLOCK => true,
            aclrtCallbackBlockType(other) => {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no callback of type {other}"));
            }
        };
        let inbox = match &*stream.callbacks.lock() {
            Way::Subscribed(inbox) => Arc::clone(inbox),
            _ => {
                return Err(misuse!(
                    ACL_ERROR_RT_STREAM_NO_CB_REG,
                    "stream {} is subscribed to no thread; call aclrtSubscribeReport first",
                    stream.id
                ));
            }
        };
        stream.submit(Task::Callback { call, inbox, blocks }).map(drop)
    }

    /// Runs in the thread that `aclrtSubscribeHostFunc` named, else on the stream's own; later tasks wait for it.
    pub fn aclrtLaunchHostFunc(stream: aclrtStream, fn_: aclrtHostFunc, args: *mut c_void) {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let call = call(fn_, &args)?;
        let inbox = stream.host_thread.lock().clone();
        if inbox.is_some() {
            return stream.submit(Task::HostFunction { call, inbox }).map(drop);
        }
        let mut way = stream.callbacks.lock();
        if let Way::Subscribed(_) = &*way {
            return Err(misuse!(
                ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "stream {} is subscribed to a thread, which does not mix with aclrtLaunchHostFunc",
                stream.id
            ));
        }
        *way = Way::HostFunctions;
        drop(way);
        stream.submit(Task::HostFunction { call, inbox: None }).map(drop)
    }
}

/// The stream of a handle, which must not be null.
fn explicit(scope: &Scope, stream: aclrtStream) -> Result<Arc<Stream>> {
    if stream.is_null() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "exe_stream is null"));
    }
    scope.stream(stream)
}

fn call(function: aclrtCallback, argument: &Out<c_void>) -> Result<Call> {
    let Some(function) = function else {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the function is null"));
    };
    // SAFETY: The program hands both over to be called from another thread, which is what these functions are
    // for.
    Ok(unsafe { Call::new(function, argument.raw()) })
}
