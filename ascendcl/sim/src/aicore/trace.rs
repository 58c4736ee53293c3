//! What the cores of a launch were told to do, for a model of time.

use std::collections::HashMap;
use std::ffi::{CStr, c_char};

use super::abi::{CoreType, Pipe, Site};
use super::check::SourceLine;
use super::instruction::Instruction;

/// One instruction, as the scalar unit issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreTrace {
    pub(crate) core_type: CoreType,
    pub(crate) block: u32,
    pub(crate) sub_block: u32,
    pub(crate) files: Vec<String>,
    pub(crate) entries: Vec<TraceEntry>,
}

/// An instruction of a [`CoreTrace`], by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traced<'a> {
    /// Such as `Copy`.
    pub instruction: &'static str,
    /// Such as `MTE2`.
    pub pipe: &'static str,
    /// The scalar unit's clock when it issued the instruction.
    pub order: u64,
    /// File of the kernel's source.
    pub file: &'a str,
    /// Line in the file.
    pub line: u32,
}

impl CoreTrace {
    /// Whether it is of a cube core; else it is of a vector core.
    pub fn is_cube(&self) -> bool {
        self.core_type == CoreType::Aic
    }

    /// The core's block, and which of the block's vector cores it is.
    pub fn place(&self) -> (u32, u32) {
        (self.block, self.sub_block)
    }

    /// What the core was told to do, in order.
    pub fn instructions(&self) -> impl ExactSizeIterator<Item = Traced<'_>> {
        self.entries.iter().map(|entry| Traced {
            instruction: entry.instruction.name(),
            pipe: entry.pipe.name(),
            order: entry.order,
            file: self.files.get(entry.file as usize).map_or("?", String::as_str),
            line: entry.line,
        })
    }
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
pub(crate) fn source_line(site: Site) -> SourceLine {
    let file = if site.file.is_null() {
        "?".to_owned()
    } else {
        // SAFETY: The header passes null-terminated names that live as long as the object, which the launch keeps.
        unsafe { CStr::from_ptr(site.file) }.to_string_lossy().into_owned()
    };
    SourceLine { file, line: site.line }
}
