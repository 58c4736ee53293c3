//! Printing to standard output, which may be a pipe that closes early.

use std::io::{self, StdoutLock, Write};

use serde_json::Value;

/// Standard output, written all at once or not; never panics.
pub fn stdout() -> io::BufWriter<StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// Prints one JSON document.
pub fn print_json(document: &Value) -> io::Result<()> {
    let mut out = stdout();
    writeln!(out, "{document:#}")?;
    out.flush()
}
