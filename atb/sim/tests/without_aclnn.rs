//! MlaPreprocess with a toolkit that has no `aclnn` kernel. The process has one test, as the environment is its own.

#[macro_use]
mod common;

use std::ptr;

use ascendcl_sys::ACL_BF16;
use atb_sys::*;
use common::mla_preprocess::*;
use common::*;

#[test]
fn rows_15_and_16() {
    // SAFETY: No other thread of the process reads or writes the environment yet.
    unsafe { std::env::set_var("ATB_SIM_ACLNN", "off") };
    initialize();
    let infer = |Call { param, inputs, .. }: &Call| {
        let mut operation = ptr::null_mut();
        ok!(createMlaPreprocess(param, &mut operation));
        let status =
            atb!(inferShape(operation, inputs.as_ptr(), inputs.len(), [none(); 4].as_mut_ptr(), 4, &mut 0));
        ok!(destroyOperation(operation));
        status
    };
    assert_eq!(infer(&Case::default().call()), ATB_NO_ERROR);
    let generalized = Case { hidden: 4096, ..Case::default() };
    assert_eq!(infer(&generalized.call()), ATB_ERROR_INVALID_TENSOR_DIM_NUM);
    // The mode is looked at before.
    assert_eq!(infer(&Case { quant_mode: 1, ..generalized }.call()), ATB_ERROR_INVALID_PARAM);
    let mut float_weights = Case::default().call();
    float_weights.inputs[WDQKV] = nz(ACL_BF16, &[1, 448, 2112, 16]);
    float_weights.inputs[WUQ] = nz(ACL_BF16, &[1, 96, 3 * 192, 16]);
    assert_eq!(infer(&float_weights), ATB_ERROR_INVALID_TENSOR_DTYPE);
}
