//! The result layer: one method for each function of the shim that the safe types use, with the code turned into an [`Error`].
//!
//! This module and its children hold all calls into the table. A method is safe if no argument can make the call undefined;
//! otherwise it is `unsafe` and says what it needs. Handles are the library's own; the safe types decide how long they live.

pub(crate) mod context;
pub(crate) mod graph;
pub(crate) mod operation;
pub(crate) mod param;

use std::cell::Cell;
use std::ffi::c_char;

use atb_sys::{ATB_NO_ERROR, Shim, atb_functions, atb_status};

use crate::error::{Error, Result};

/// A shim with its functions.
#[derive(Debug)]
pub struct Atb {
    pub(crate) shim: Shim,
}

/// Calls a function of the table and turns its code into a `Result<()>`; used inside `unsafe` blocks.
macro_rules! call {
    ($atb:expr, $name:literal: $function:ident($($arg:expr),* $(,)?)) => {
        match $atb.functions().$function {
            Some(function) => $atb.check($name, function($($arg),*)),
            None => $atb.check($name, atb_sys::ATB_SHIM_UNSUPPORTED),
        }
    };
}
pub(crate) use call;

impl Atb {
    pub(crate) fn functions(&self) -> &'static atb_functions {
        self.shim.functions()
    }

    /// The one place where a code becomes an error. Success costs a comparison.
    pub(crate) fn check(&self, call: &'static str, status: atb_status) -> Result<()> {
        match status {
            ATB_NO_ERROR => Ok(()),
            code => Err(Error::of_code(call, code, self.message())),
        }
    }

    /// What the thread's last failed call had to say.
    fn message(&self) -> String {
        let Some(message) = self.functions().message else { return String::new() };
        let text = read_text(|text, size, length| {
            // SAFETY: room for `size` bytes and a place for the length.
            unsafe { message(text, size, length) };
            Ok(())
        });
        text.unwrap_or_default()
    }

    /// `Utils::GetAtbVersion`.
    pub(crate) fn version(&self) -> Result<String> {
        read_text(|text, size, length| {
            // SAFETY: room for `size` bytes and a place for the length.
            unsafe { call!(self, "GetAtbVersion": getAtbVersion(text, size, length)) }
        })
    }
}

/// A text of the shim's, which copies as much as fits and says how long the whole is.
fn read_text(mut read: impl FnMut(*mut c_char, usize, *mut usize) -> Result<()>) -> Result<String> {
    let mut bytes = vec![0u8; 256];
    loop {
        let mut length = 0;
        read(bytes.as_mut_ptr().cast(), bytes.len(), &mut length)?;
        if length < bytes.len() {
            bytes.truncate(length);
            return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
        }
        // And the final zero.
        bytes.resize(length + 1, 0);
    }
}

thread_local! {
    /// Whether a closure of a graph runs on this thread, in a call of the library's.
    static IN_CLOSURE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller is a closure of a graph.
pub(crate) fn is_inside() -> bool {
    IN_CLOSURE.get()
}

/// Refuses what a closure of a graph must not do: the library's set-up is not reentrant (ATB's source
/// mem_allocation_solver_creator.cpp: one plan of memory for each thread).
pub(crate) fn check_outside(call: &'static str) -> Result<()> {
    if is_inside() { Err(Error::InClosure { call }) } else { Ok(()) }
}

/// Runs a closure of a graph.
fn inside<R>(run: impl FnOnce() -> R) -> R {
    let before = IN_CLOSURE.replace(true);
    let result = run();
    IN_CLOSURE.set(before);
    result
}
