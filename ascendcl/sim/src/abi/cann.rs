//! What the toolkit supports.

use std::ffi::c_char;

use ascendcl_sys::*;

use super::abi;
use crate::error::misuse;
use crate::simulator;
use crate::soc::Soc;

/// What an Atlas A2 supports: the overflow mode Inf/NaN, bf16, and operators that come compiled.
const ATTRIBUTES: [aclCannAttr; 3] = [ACL_CANN_ATTR_INF_NAN, ACL_CANN_ATTR_BF16, ACL_CANN_ATTR_JIT_COMPILE];

abi! {
    /// The list lives as long as the process.
    pub fn aclGetCannAttributeList(list: *mut *const aclCannAttr, num: *mut usize) {
        num.required()?;
        list.set(ATTRIBUTES.as_ptr())?;
        num.set(ATTRIBUTES.len())
    }

    pub fn aclGetCannAttribute(attribute: aclCannAttr, value: *mut i32) {
        if !ATTRIBUTES.contains(&attribute) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no attribute {}", attribute.0));
        }
        value.set(1)
    }

    /// Whether operators compiled for a model of processor run here. All models that can be simulated have one
    /// architecture; no other model is compatible with it.
    pub fn aclrtCheckArchCompatibility(soc_version: *const c_char, can_compatible: *mut i32) {
        simulator::get()?;
        can_compatible.set(Soc::find(&soc_version.text()?).is_some().into())
    }
}
