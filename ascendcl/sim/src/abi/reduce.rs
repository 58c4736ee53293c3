//! Reductions of device memory into device memory.

use std::convert::identity;
use std::ffi::c_void;
use std::ops::Add;

use ascendcl_sys::*;

use super::abi;
use super::data_type::{bits, narrow, widen};
use super::stream::Scope;
use crate::error::misuse;
use crate::task::Task;
use crate::transfer::Place;

abi! {
    /// `count` bytes of `src` are added to those of `dst`, or the greater or lesser of both are kept. Sums of integers
    /// wrap; half-precision sums are rounded once.
    pub fn aclrtReduceAsync(
        dst: *mut c_void,
        src: *const c_void,
        count: u64,
        kind: aclrtReduceKind,
        data_type: aclDataType,
        stream: aclrtStream,
        reserve: *mut c_void,
    ) {
        if !reserve.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "reserve is not null"));
        }
        let (Some(reduce), Some(bits)) = (reduction(kind, data_type), bits(data_type)) else {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the simulator has no reduction {} for data type {}",
                kind.0,
                data_type.0
            ));
        };
        let length = usize::try_from(count).ok().filter(|&length| length > 0 && length % (bits / 8) == 0);
        let length = length.ok_or_else(|| {
            misuse!(ACL_ERROR_INVALID_PARAM, "{count} bytes are not one or more elements of {bits} bits")
        })?;
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let place = |address| match Place::find(&scope.simulator, &stream.device, address, length)? {
            Place::Device { device, span } if device.id == stream.device.id => Ok(Place::Device { device, span }),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "{address:#x} is not memory of the stream's device")),
        };
        let (to, from) = (place(dst.address()?)?, place(src.address()?)?);
        let task = Task::other("REDUCE", move |_| {
            let mut sum = to.read(length)?;
            reduce(&mut sum, &from.read(length)?);
            to.write(&sum)
        });
        stream.submit(task).map(drop)
    }
}

/// Combines the elements of the second range with those of the first.
type Reduce = fn(&mut [u8], &[u8]);

/// What combines two ranges of elements of this type.
fn reduction(kind: aclrtReduceKind, data_type: aclDataType) -> Option<Reduce> {
    /// Combines elements of a type in another type.
    macro_rules! each {
        ($type:ty, $decode:expr, $encode:expr, $combine:expr) => {
            Some(|sum, operand| {
                let size = size_of::<$type>();
                for (sum, operand) in sum.chunks_exact_mut(size).zip(operand.chunks_exact(size)) {
                    let element = |bytes: &[u8]| {
                        let mut array = [0; size_of::<$type>()];
                        array.copy_from_slice(bytes);
                        $decode(<$type>::from_ne_bytes(array))
                    };
                    let combined = $combine(element(sum), element(operand));
                    sum.copy_from_slice(&<$type>::to_ne_bytes($encode(combined)));
                }
            })
        };
    }
    macro_rules! kinds {
        ($type:ty, $decode:expr, $encode:expr, $add:expr, $max:expr, $min:expr) => {
            match kind {
                ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM => each!($type, $decode, $encode, $add),
                ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX => each!($type, $decode, $encode, $max),
                ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN => each!($type, $decode, $encode, $min),
                _ => None,
            }
        };
    }
    match data_type {
        ACL_INT8 => kinds!(i8, identity, identity, i8::wrapping_add, i8::max, i8::min),
        ACL_INT16 => kinds!(i16, identity, identity, i16::wrapping_add, i16::max, i16::min),
        ACL_INT32 => kinds!(i32, identity, identity, i32::wrapping_add, i32::max, i32::min),
        ACL_FLOAT => kinds!(f32, identity, identity, f32::add, f32::max, f32::min),
        ACL_FLOAT16 => kinds!(u16, widen, narrow, f32::add, f32::max, f32::min),
        ACL_BF16 => kinds!(u16, widen_bf16, narrow_bf16, f32::add, f32::max, f32::min),
        _ => None,
    }
}

fn widen_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// To nearest, ties to even.
fn narrow_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        // Quiet, whatever is cut off.
        return (bits >> 16) as u16 | 0x40;
    }
    let to_even = 0x7fff + (bits >> 16 & 1);
    ((bits + to_even) >> 16) as u16
}
