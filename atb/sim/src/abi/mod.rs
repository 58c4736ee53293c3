//! The C functions, one file for each topic, and the table of them.
//!
//! A function is written inside [`abi!`]; its body is safe, gets what [`argument::Argument`] makes of the arguments, and
//! answers with a `Result`. A panic becomes `ATB_ERROR_INTERNAL_ERROR`.
#![allow(non_snake_case, clippy::too_many_arguments, reason = "the interface is C's")]

pub(crate) mod argument;
mod context;
mod entry_points;
mod graph;
mod operation;
mod parameters;
mod table;
mod utils;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use atb_sys::{ATB_NO_ERROR, ATB_SHIM_UNSUPPORTED, atb_status};

pub(crate) use table::FUNCTIONS;

use crate::operator::{Result, refuse};
use crate::report;

/// Defines C functions that answer with a status.
macro_rules! abi {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    )*) => {$(
        $(#[$attribute])*
        pub(super) unsafe extern "C" fn $name($($argument: $type),*) -> atb_sys::atb_status {
            $(
                // SAFETY: The caller keeps the contract of the C function: its pointers are null or valid.
                let $argument = unsafe {
                    $crate::abi::argument::Argument::receive($argument, stringify!($argument))
                };
            )*
            $crate::abi::status_of(stringify!($name), || $body)
        }
    )*};
}

use abi;

thread_local! {
    /// What the thread's last call that failed had to say.
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs the body of a C function.
fn status_of(function: &'static str, body: impl FnOnce() -> Result) -> atb_status {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(refuse!(ATB_ERROR_INTERNAL_ERROR, "the simulator panicked, which is a defect of the simulator"))
    });
    let Err(refusal) = result else { return ATB_NO_ERROR };
    if refusal.status == ATB_SHIM_UNSUPPORTED {
        tracing::warn!(function, "{}", refusal.message);
    } else {
        report::refused(function, &refusal);
    }
    MESSAGE.with_borrow_mut(|message| *message = format!("{function}: {}", refusal.message));
    refusal.status
}
