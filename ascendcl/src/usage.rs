//! Which streams still work on a piece of memory.
//!
//! A stream orders its own work. What this module adds is the order between streams, and between a stream and the host:
//! each block of memory carries a [`Usage`], and before a stream touches the block, it waits for the others that do.
//! With one stream nothing is recorded and nothing waits.

use std::sync::Arc;

use crate::error::Result;
use crate::stream::StreamCore;

/// How queued work touches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The streams whose queued work touches a block: the last to write it, and those that read it since.
#[derive(Clone, Default)]
pub(crate) struct Usage {
    writer: Option<Arc<StreamCore>>,
    /// None of them is the writer, and each has waited for it.
    readers: Vec<Arc<StreamCore>>,
}

impl Usage {
    /// Makes `stream` wait for what its access must follow, and remembers the access.
    pub(crate) fn touch(&mut self, stream: &Arc<StreamCore>, access: Access) -> Result<()> {
        let writes_already = self.writer.as_ref().is_some_and(|writer| Arc::ptr_eq(writer, stream));
        match access {
            Access::Read => {
                if writes_already || self.readers.iter().any(|reader| Arc::ptr_eq(reader, stream)) {
                    return Ok(());
                }
                if let Some(writer) = &self.writer {
                    stream.wait_for(writer)?;
                }
                self.readers.push(Arc::clone(stream));
            }
            Access::Write => {
                if writes_already && self.readers.is_empty() {
                    return Ok(());
                }
                for other in self.streams().filter(|other| !Arc::ptr_eq(other, stream)) {
                    stream.wait_for(other)?;
                }
                self.readers.clear();
                if !writes_already {
                    self.writer = Some(Arc::clone(stream));
                }
            }
        }
        Ok(())
    }

    fn streams(&self) -> impl Iterator<Item = &Arc<StreamCore>> {
        self.writer.iter().chain(&self.readers)
    }

    /// Lets the host wait for the work that its own access must follow.
    ///
    /// The usage is a copy of the block's: waiting under a lock would hold up whoever queues work meanwhile.
    pub(crate) fn wait_on_host(&self, access: Access) -> Result<()> {
        match access {
            Access::Read => self.writer.iter().try_for_each(|stream| stream.synchronize()),
            Access::Write => self.streams().try_for_each(|stream| stream.synchronize()),
        }
    }

    /// Forgets what the host has waited for, so that it need not wait again.
    ///
    /// Meanwhile only readers can have come, while the host was to read: who writes has the buffer to itself.
    pub(crate) fn forget(&mut self, waited_for: &Self, access: Access) {
        let is_writer =
            |writer: &Arc<StreamCore>| waited_for.writer.iter().any(|other| Arc::ptr_eq(other, writer));
        self.writer = self.writer.take().filter(|writer| !is_writer(writer));
        if access == Access::Write {
            self.readers.clear();
        }
    }

    /// Whether work on `stream` may touch the block without waiting for another stream.
    pub(crate) fn is_ordered_on(&self, stream: &Arc<StreamCore>) -> bool {
        let is_stream = |other: &Arc<StreamCore>| Arc::ptr_eq(other, stream);
        // A reader has waited for the writer.
        let after_writer = self.readers.iter().any(is_stream)
            || self.writer.iter().all(|writer| is_stream(writer) || writer.is_closed());
        after_writer && self.readers.iter().all(|reader| is_stream(reader) || reader.is_closed())
    }

    /// Whether the host may touch the block without waiting. The device's context must be bound.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams().all(|stream| stream.is_idle())
    }
}
