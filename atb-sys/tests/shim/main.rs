//! The shim over a stand-in of ATB: headers of the same declarations and a fake library, in two versions (CANN 8.1 and the
//! newest) and for both C++ ABIs. The stand-in is checked against ATB's own headers where there are any.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../build/compile.rs"]
mod compile;
#[macro_use]
mod support;

mod context;
mod failures;
mod graph;
mod headers;
mod loading;
mod operation;
mod parameters;
