//! The one unsafe step of reading a checkpoint: mapping a file.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only, and nothing in this process writes to the files of a checkpoint that it
    // has open. Another process could; `Checkpoint::open` documents that it must not. Should it happen all the
    // same, no memory outside the mapping is reached: offsets are checked against the mapped length, the bytes
    // are copied out as integers (for which each bit pattern is valid), and the loss of mapped pages ends the
    // process by a signal.
    unsafe { Mmap::map(file) }
}
