//! What the suite says while it runs.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line to the standard output. Whoever reads it may have gone (`| head`), which does not end the run: the report
/// is what counts.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line to the standard error output, likewise.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "test-npu: {line}");
}
