//! What tests share that call single functions of the table.
#![allow(dead_code, unused_macros, reason = "no test file uses everything")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ptr;

use ascendcl_sys::{ACL_SUCCESS, Library};
use parking_lot::Mutex;

/// Tests that start and end the runtime, which there is once, take turns.
pub static RUNTIME: Mutex<()> = Mutex::new(());

/// The functions.
pub fn library() -> Library {
    // SAFETY: The table gives to each name a function of its signature.
    unsafe { Library::from_resolver("the simulated device", ascendcl_sim::resolve) }
}

/// Calls a function of the library, which is there.
macro_rules! call {
    ($acl:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: Every test hands over null, pointers that are valid for the call, or what the library gave it.
        unsafe { $acl.$name($($argument),*) }.unwrap()
    };
}

/// Runs a test with a runtime.
pub fn with_runtime(test: impl FnOnce(&Library)) {
    let _turn = RUNTIME.lock();
    let acl = library();
    // SAFETY: Null is an argument that the function takes.
    assert_eq!(unsafe { acl.aclInit(ptr::null()) }.unwrap(), ACL_SUCCESS);
    test(&acl);
    // SAFETY: The test is over, and took its handles with it.
    assert_eq!(unsafe { acl.aclFinalize() }.unwrap(), ACL_SUCCESS);
}
