//! Graphs without a stream: running one to its end, and printing it.

use std::ffi::CString;
use std::path::Path;

use crate::error::{Result, ShapeError};
use crate::graph::Graph;
use crate::usage::Access;

impl Graph {
    /// Does the captured work on a stream of the library's own, and waits until it is done (`aclmdlRIExecute`,
    /// since 9.1).
    ///
    /// First it waits for the streams whose work on the graph's memory must come before. No thread queues work on the
    /// device from then until the graph's work is done, so a host function that is queued meanwhile on a
    /// stream which uses that memory must not wait for one.
    ///
    /// ```
    /// use ascendcl::{Backend, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let (from, mut to) = (stream.alloc_from(&[1u8, 2, 3])?, stream.alloc_from(&[0u8; 3])?);
    /// let graph = stream.capture(|stream| stream.copy(&from, &mut to))?;
    /// graph.execute()?;
    /// assert_eq!(stream.download_vec(&to)?, [1, 2, 3]);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1, [`Error::Acl`](crate::Error::Acl) from the
    /// library, also for work that failed, be it the graph's or what had to come before.
    pub fn execute(&self) -> Result<()> {
        let acl = self.device.bind()?;
        // Once without the lock, so that a long wait keeps nobody from queueing what it may be waiting for. Nothing is
        // forgotten here: others may be queueing work on the same memory.
        let launches = self.launches.lock().clone();
        launches.wait_on_host(Access::Write)?;
        for (block, access) in self.recording.blocks() {
            let usage = block.usage().clone();
            usage.wait_on_host(*access)?;
        }
        let _alone = self.device.inner.order.write();
        let launches = self.launches.lock();
        launches.wait_on_host(Access::Write)?;
        for (block, access) in self.recording.blocks() {
            block.wait_on_host(*access)?;
        }
        // SAFETY: the graph is alive and owns the memory that its work touches. The work that must come before was waited
        // for, and the lock keeps other work from being queued until the call is over. When it answers with an error,
        // the library has given the work up.
        unsafe { acl.graph_execute_to_end(self.handle) }
    }

    /// Prints the graph's tasks where the library prints to (`aclmdlRIDebugPrint`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn debug_print(&self) -> Result<()> {
        let acl = self.device.bind()?;
        // SAFETY: the graph is alive while it is borrowed.
        unsafe { acl.graph_debug_print(self.handle) }
    }

    /// Writes the graph's tasks to a JSON file for Chromium's trace viewer (`aclmdlRIDebugJsonPrint` with
    /// `ACL_MDLRI_DEBUG_JSON_PRINT_SUMMARY`, since 9.1).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a path with a zero byte,
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) before CANN 9.1, [`Error::Acl`](crate::Error::Acl) from the
    /// library, also if it cannot write the file.
    pub fn debug_json(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let c_path = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| ShapeError::new("path of the graph", "without a zero byte", path.display()))?;
        let acl = self.device.bind()?;
        // SAFETY: the graph is alive while it is borrowed.
        unsafe { acl.graph_debug_json(self.handle, &c_path) }
    }
}
