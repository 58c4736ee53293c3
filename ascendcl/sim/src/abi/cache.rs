//! Caches, which the simulated device does not have: what is said about them is checked, and changes nothing.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::misuse;
use crate::task::Task;
use crate::transfer::Place;

abi! {
    pub fn aclrtCmoAsync(src: *mut c_void, size: usize, cmo_type: aclrtCmoType, stream: aclrtStream) {
        if cmo_type != ACL_RT_CMO_TYPE_PREFETCH {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "only prefetching is possible, not {}", cmo_type.0));
        }
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        match Place::find(&scope.simulator, &stream.device, src.address()?, size)? {
            Place::Device { device, .. } if device.id == stream.device.id => {}
            _ => {
                return Err(misuse!(
                    ACL_ERROR_INVALID_PARAM,
                    "{:#x} is not memory of the stream's device",
                    src.address()?
                ));
            }
        }
        stream.submit(Task::Order("CMO")).map(drop)
    }
}
