//! `atb::Utils`, and the message of the thread.

use std::ffi::c_char;

use atb_sys::atb_tensor_desc;

use super::argument::{Argument, copy_text, describe};
use super::{MESSAGE, abi};
use crate::operator::refuse;
use crate::tensor_check;

/// Levels of the log, from debug to none.
const LOG_LEVELS: std::ops::RangeInclusive<i32> = 0..=4;

pub(super) unsafe extern "C" fn message(text: *mut c_char, size: usize, length: *mut usize) {
    // SAFETY: The caller keeps the contract of the C function: its pointers are null or valid.
    let (text, length) = unsafe { (text.receive("text"), length.receive("length")) };
    // A text without room is no error here; there is nobody to tell it.
    let _ = MESSAGE.with_borrow(|message| copy_text(message, text, size, length));
}

abi! {
    fn getAtbVersion(text: *mut c_char, size: usize, length: *mut usize) {
        copy_text(concat!("simulated ", env!("CARGO_PKG_VERSION")), text, size, length)
    }

    /// As in ATB, what cannot be counted has no bytes.
    fn getTensorSize(desc: *const atb_tensor_desc, bytes: *mut u64) {
        bytes.set(tensor_check::byte_count(&describe(&desc.get()?)))
    }

    fn getTensorNumel(desc: *const atb_tensor_desc, elements: *mut u64) {
        elements.set(tensor_check::element_count(&describe(&desc.get()?)))
    }

    /// The bits of each float become the low half of a word.
    fn quantParamConvert(src: *const f32, dest: *mut u64, itemCount: u64) {
        let count = usize::try_from(itemCount)
            .ok()
            .filter(|count| count.checked_mul(size_of::<u64>()).is_some_and(|bytes| bytes <= isize::MAX as usize))
            .ok_or_else(|| refuse!(ATB_SHIM_INVALID_ARGUMENT, "no memory has {itemCount} values"))?;
        dest.set_all(src.to_vec(count)?.into_iter().map(|value| u64::from(value.to_bits())))
    }

    /// The simulator logs by `tracing`, whose levels the program sets there.
    fn setLogLevel(level: i32) {
        if LOG_LEVELS.contains(&level) {
            Ok(())
        } else {
            Err(refuse!(ATB_ERROR_INVALID_PARAM, "a level of the log is 0 to 4, not {level}"))
        }
    }

    fn resetLogLevel() {
        Ok(())
    }
}
