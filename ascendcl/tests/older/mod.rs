//! A library of CANN 8.1: a shared library that exports the functions of that version and no newer one, each of which jumps to
//! the simulated device's.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::{CString, c_void};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ascendcl::sys::FUNCTIONS;

/// The names of the functions of 8.1.
fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().filter(|function| function.since == "8.1").map(|function| function.name)
}

/// Builds the library; `false` if this machine's instructions are not known here.
pub fn build(path: &Path) -> bool {
    let jump = if cfg!(target_arch = "x86_64") {
        |index: usize| format!("    jmp *functions_of_8_1+{}(%rip)\n", 8 * index)
    } else if cfg!(target_arch = "aarch64") {
        |index: usize| {
            let at = format!("functions_of_8_1+{}", 8 * index);
            format!("    adrp x16, {at}\n    ldr x16, [x16, :lo12:{at}]\n    br x16\n")
        }
    } else {
        return false;
    };
    let mut source = String::from("    .text\n");
    for (index, name) in names().enumerate() {
        let jump = jump(index);
        write!(source, "    .globl {name}\n    .type {name}, %function\n{name}:\n{jump}").unwrap();
    }
    let size = 8 * names().count();
    source += &format!(
        "    .bss\n    .balign 8\n    .globl table\n    .hidden functions_of_8_1\nfunctions_of_8_1:\ntable:\n    .zero {size}\n\
         \u{20}   .section .note.GNU-stack,\"\",%progbits\n"
    );
    let file = path.with_extension("s");
    std::fs::write(&file, source).unwrap();
    let status =
        Command::new("c++").args(["-shared", "-nostdlib", "-o"]).arg(path).arg(&file).status().unwrap();
    assert!(status.success(), "{status}");
    true
}

/// Lets the library at `path` jump to the simulated device.
pub fn connect(path: &Path) {
    // SAFETY: the library has no initialiser.
    let library = unsafe { libloading::Library::new(path) }.unwrap();
    // SAFETY: the symbol is the table's first pointer; it has one for each name, and nobody calls the functions yet.
    unsafe {
        let table = *library.get::<*mut *mut c_void>(b"table").unwrap();
        for (index, name) in names().enumerate() {
            let name = CString::new(name).unwrap();
            let address =
                ascendcl_sim::resolve(&name).map_or(std::ptr::null_mut(), |address| address.as_ptr());
            table.add(index).write(address);
        }
    }
    // It stays: the runtime opens the same one.
    std::mem::forget(library);
}
