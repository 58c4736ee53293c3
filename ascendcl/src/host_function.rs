//! Functions that the host runs in a stream's order.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::error::Result;
use crate::pinned::PinnedBuffer;
use crate::raw::host_function::HostTask;
use crate::stream::{Capture, Stream, Submission};
use crate::usage::Access;

impl Stream {
    /// Queues a function that the host runs in the stream's order (`aclrtLaunchHostFunc`, or `aclrtLaunchCallback` before
    /// CANN 9.1).
    ///
    /// It must not wait for other work of the device, and calls of this crate answer with [`Error::InHostFunction`](crate::Error::InHostFunction) in
    /// it, because the library forbids them; what would need a call to be dropped (a stream, a graph, an event) is leaked
    /// there. A panic is caught and reported by the next wait for the stream.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// stream.host_function(move || drop(sender.send(42)))?;
    /// stream.synchronize()?;
    /// assert_eq!(receiver.recv(), Ok(42));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Capturing`](crate::Error::Capturing) during a capture, because a graph would run the function more
    /// than once; [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn host_function(&self, function: impl FnOnce() + Send + 'static) -> Result<()> {
        let submission = self.submit("Stream::host_function", Capture::Refused)?;
        self.launch(&submission, function)
    }

    /// Queues a host function that works on the contents of pinned buffers, in the stream's order.
    ///
    /// `function` gets the buffers' bytes in the order in which the buffers were given. Copies into them that were
    /// queued before are done by then, and copies out of them that are queued after see what it wrote.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let device = stream.alloc_from(&[1u8, 2, 3])?;
    /// let mut host = stream.alloc_pinned::<u8>(3)?;
    /// stream.download_pinned(&device, &mut host)?;
    /// stream.host_function_on([&mut host], |[host]| host.reverse())?;
    /// assert_eq!(host.as_slice()?, [3, 2, 1]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`host_function`](Self::host_function).
    pub fn host_function_on<const N: usize>(
        &self,
        buffers: [&mut PinnedBuffer<u8>; N],
        function: impl FnOnce([&mut [u8]; N]) + Send + 'static,
    ) -> Result<()> {
        let submission = self.submit("Stream::host_function_on", Capture::Refused)?;
        for buffer in &buffers {
            submission.touch(&buffer.block, Access::Write)?;
        }
        // The queued function owns the blocks, so they are not handed out again before it has run.
        let parts = buffers.map(|buffer| (Arc::clone(&buffer.block), buffer.len()));
        self.launch(&submission, move || {
            let slices = parts.each_ref().map(|(block, len)| {
                // SAFETY: the block holds `len` initialised bytes. The buffers were mutably borrowed, so they are
                // distinct; this stream's turn on each has come, and every other access waits for it.
                unsafe { std::slice::from_raw_parts_mut(block.pointer.as_ptr().cast::<u8>(), *len) }
            });
            function(slices);
        })
    }

    fn launch(&self, submission: &Submission<'_>, function: impl FnOnce() + Send + 'static) -> Result<()> {
        let core = Arc::clone(&self.core);
        let task: HostTask = Box::new(move || {
            // What the function owned is dropped within.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| inside(function))) {
                core.panicked.lock().get_or_insert(message_of(&*panic));
                // A payload whose destructor panics, too, is forgotten: nothing may unwind into C.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                    std::mem::forget(payload);
                }
            }
        });
        let Submission { acl, handle, .. } = submission;
        if self.device().runtime().inner.runs_host_functions {
            // SAFETY: the stream is alive, and is not being captured while the submission is held.
            return unsafe { acl.launch_host_function(*handle, task) };
        }
        let mut subscribed = self.core.pump.lock();
        if subscribed.is_none() {
            let pump = self.device().pump()?;
            // SAFETY: the stream is alive and was not subscribed before.
            unsafe { pump.subscribe(acl, *handle) }?;
            *subscribed = Some(pump);
        }
        // SAFETY: the stream is alive, subscribed, and is not being captured while the submission is held.
        unsafe { acl.launch_callback(*handle, task) }
    }
}

thread_local! {
    /// Whether this thread is running a host function.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function that the library calls; calls into the library are refused meanwhile, also those of destructors.
pub(crate) fn inside(function: impl FnOnce()) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    INSIDE.set(true);
    let _leave = Leave;
    function();
}

/// Whether this thread is running a function that the library calls, in which the library must not be called.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::ffi::{CStr, c_void};
    use std::ptr::NonNull;
    use std::sync::mpsc::channel;

    use ascendcl_sys::Library;

    use crate::backend::Opened;
    use crate::device::Device;
    use crate::error::Error;
    use crate::raw::Acl;
    use crate::runtime::Runtime;

    /// The simulator as an older library: without the functions that CANN 9.1 brought.
    fn resolve_8_1(name: &CStr) -> Option<NonNull<c_void>> {
        let newer = [c"aclrtLaunchHostFunc", c"aclrtDeviceGetStreamPriorityRange"];
        if newer.contains(&name) { None } else { ascendcl_sim::resolve(name) }
    }

    #[test]
    fn an_older_library_runs_host_functions_on_a_thread_of_ours() {
        // SAFETY: the simulator's functions have the signatures of their names.
        let acl = Acl { functions: unsafe { Library::from_resolver("CANN 8.1", resolve_8_1) } };
        let initialised_here = acl.init().unwrap();
        let device =
            Device::open(Runtime::of_library(Opened { acl, initialised_here }, crate::BackendKind::Sim), 0)
                .unwrap();
        let error = device.stream_priority_range().unwrap_err();
        assert!(matches!(&error, Error::MissingSymbol(missing) if missing.since == "9.1"), "{error}");

        let (sender, receiver) = channel();
        let (first, second) = (device.stream().unwrap(), device.stream().unwrap());
        for round in 0..20 {
            for stream in [&first, &second] {
                let sender = sender.clone();
                stream.host_function(move || sender.send(round).unwrap()).unwrap();
            }
        }
        first.host_function(|| panic!("expected in this test")).unwrap();
        assert!(matches!(first.synchronize(), Err(Error::HostFunctionPanicked { .. })));
        second.synchronize().unwrap();
        drop(sender);
        assert_eq!(receiver.iter().count(), 40);
        let mut host = first.alloc_pinned::<u8>(4).unwrap();
        first.host_function_on([&mut host], |[host]| host.fill(9)).unwrap();
        assert_eq!(host.as_slice().unwrap(), [9; 4]);
    }
}
