//! What the cores of a launch were told to do, for a model of time.

use std::collections::HashMap;
use std::ffi::{CStr, c_char};

use super::abi::{CoreType, Pipe, Site};
use super::check::SourceLine;
use super::instruction::Instruction;

/// One instruction, as the scalar unit issued it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TraceEntry {
    pub instruction: Instruction,
    pub pipe: Pipe,
    /// The scalar unit's clock: instructions and reads of registers before this one.
    pub order: u64,
    /// Index into [`CoreTrace::files`].
    pub file: u32,
    pub line: u32,
}

/// The instructions of one core in the order of issue, flags and waits included.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CoreTrace {
    pub core_type: CoreType,
    pub block: u32,
    pub sub_block: u32,
    pub files: Vec<String>,
    pub entries: Vec<TraceEntry>,
}

/// A trace in the making.
#[derive(Debug)]
pub(super) struct Recorder {
    trace: CoreTrace,
    /// Where a file's name is in the object, and its index.
    known: HashMap<*const c_char, u32>,
}

impl Recorder {
    pub(super) fn new(core_type: CoreType, block: u32, sub_block: u32) -> Self {
        let trace = CoreTrace { core_type, block, sub_block, files: Vec::new(), entries: Vec::new() };
        Self { trace, known: HashMap::new() }
    }

    pub(super) fn record(&mut self, instruction: Instruction, pipe: Pipe, order: u64, site: Site) {
        let files = &mut self.trace.files;
        let file = *self.known.entry(site.file).or_insert_with(|| {
            files.push(source_line(site).file);
            files.len() as u32 - 1
        });
        self.trace.entries.push(TraceEntry { instruction, pipe, order, file, line: site.line });
    }

    pub(super) fn finish(self) -> CoreTrace {
        self.trace
    }
}

/// The source line that a kernel passed.
pub(super) fn source_line(site: Site) -> SourceLine {
    let file = if site.file.is_null() {
        "?".to_owned()
    } else {
        // SAFETY: The header passes null-terminated names that live as long as the object, which the launch keeps.
        unsafe { CStr::from_ptr(site.file) }.to_string_lossy().into_owned()
    };
    SourceLine { file, line: site.line }
}
