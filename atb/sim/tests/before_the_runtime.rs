//! What needs to know the machine is refused before there is one. The process has one test, as it must not start AscendCL.

#[macro_use]
mod common;

use std::ptr;

use atb_sys::ATB_ERROR_INVALID_PARAM;
use common::mla_preprocess::param;

#[test]
fn mla_preprocess_is_for_known_machines() {
    // ATB says so on a machine that is neither Atlas A2 nor A3; the simulated ones all are, once they are.
    let mut operation = ptr::null_mut();
    fails!(ATB_ERROR_INVALID_PARAM, "Atlas A2 and A3", createMlaPreprocess(&param(0, 0), &mut operation));
    assert!(operation.is_null());
}
