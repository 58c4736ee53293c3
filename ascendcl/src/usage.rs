//! Which streams still work on a piece of memory.
//!
//! A stream orders its own work. What this module adds is the order between streams, and between a stream and the host: each
//! block of memory carries a [`Usage`], and before a stream touches the block, it waits for the others that do.
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
                for other in
                    self.writer.iter().chain(&self.readers).filter(|other| !Arc::ptr_eq(other, stream))
                {
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

    /// Lets the host wait for the work that its own access must follow.
    pub(crate) fn wait_on_host(&mut self, access: Access) -> Result<()> {
        match access {
            Access::Read => {
                if let Some(writer) = &self.writer {
                    writer.synchronize()?;
                }
                self.writer = None;
            }
            Access::Write => {
                for stream in self.writer.iter().chain(&self.readers) {
                    stream.synchronize()?;
                }
                *self = Self::default();
            }
        }
        Ok(())
    }

    /// Whether work on `stream` may touch the block without waiting for another stream.
    pub(crate) fn is_ordered_on(&self, stream: &Arc<StreamCore>) -> bool {
        let is_stream = |other: &Arc<StreamCore>| Arc::ptr_eq(other, stream);
        // A reader has waited for the writer.
        let after_writer = self.readers.iter().any(is_stream)
            || self.writer.iter().all(|writer| is_stream(writer) || writer.is_closed());
        after_writer && self.readers.iter().all(|reader| is_stream(reader) || reader.is_closed())
    }
}
