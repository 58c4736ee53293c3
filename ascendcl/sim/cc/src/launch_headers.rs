//! Launches by `ACLRT_LAUNCH_KERNEL(kernel)(blocks, stream, arguments)`, as the kernel project of the toolkit's CMake offers
//! them: a function `aclrtlaunch_kernel` for each kernel, and the header of that name with its declaration.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Error;
use crate::scan::{Found, Parameter};
use crate::tools::write;

/// The functions of a file's kernels, as text to be compiled after it. A template stands for no kernel.
pub(crate) fn functions(kernels: &[Found]) -> String {
    let mut text = String::new();
    for kernel in kernels.iter().filter(|kernel| !kernel.is_template) {
        let arguments: String = kernel
            .parameters
            .iter()
            .map(|Parameter { name, value_type }| match value_type {
                // The kernel says what it points to, by words that are no longer there.
                None => format!(", ::AscendCModel::Address {{ {name} }}"),
                Some(_) => format!(", {name}"),
            })
            .collect();
        let _ = writeln!(
            text,
            "\n{}\n{{\n    return ::AscendCModel::Launch<{}>(aclrtlaunch_blocks, 0, aclrtlaunch_stream)({});\n}}",
            declaration(kernel),
            kernel.path,
            arguments.trim_start_matches(", ")
        );
    }
    text
}

/// Writes the headers of a file's kernels into a folder, and makes the folder if it is missing.
pub(crate) fn write_headers(kernels: &[Found], folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|error| Error::Io { path: folder.to_owned(), error })?;
    for kernel in kernels.iter().filter(|kernel| !kernel.is_template) {
        let name = &kernel.name;
        let text = format!(
            "// Made by sim-cc.\n#ifndef ACLRTLAUNCH_{name}_H\n#define ACLRTLAUNCH_{name}_H\n\n#include <cstdint>\n\n\
             #ifndef ACLRT_LAUNCH_KERNEL\n#define ACLRT_LAUNCH_KERNEL(kernel) aclrtlaunch_##kernel\n#endif\n\n\
             {};\n\n#endif\n",
            declaration(kernel)
        );
        write(&folder.join(format!("aclrtlaunch_{name}.h")), text.as_bytes())?;
    }
    Ok(())
}

/// Without the semicolon. A stream is a `void *` for C.
fn declaration(kernel: &Found) -> String {
    let parameters: String = kernel
        .parameters
        .iter()
        .map(|Parameter { name, value_type }| {
            format!(", {} {name}", value_type.as_deref().unwrap_or("void *"))
        })
        .collect();
    format!(
        "extern \"C\" uint32_t aclrtlaunch_{}(uint32_t aclrtlaunch_blocks, void *aclrtlaunch_stream{parameters})",
        kernel.name
    )
}
