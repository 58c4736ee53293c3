//! Data types of tensors.

use ascendcl_sys::*;

use super::abi;
use crate::error::misuse;

abi! {
    /// Zero for types that have no size in bytes: texts, and elements smaller than a byte.
    pub fn aclDataTypeSize(data_type: aclDataType) -> usize, else 0; {
        match bits(data_type) {
            Some(bits) if bits % 8 == 0 => Ok(bits / 8),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "data type {} has no size in bytes", data_type.0)),
        }
    }

    pub fn aclFloat16ToFloat(value: aclFloat16) -> f32, else 0.0; {
        Ok(widen(value))
    }

    /// Rounds to nearest, ties to even.
    pub fn aclFloatToFloat16(value: f32) -> aclFloat16, else 0; {
        Ok(narrow(value))
    }
}

/// The bits of an element, for types that have a fixed number of them.
pub(super) fn bits(data_type: aclDataType) -> Option<usize> {
    Some(match data_type {
        ACL_UINT1 => 1,
        ACL_INT4 | ACL_FLOAT4_E2M1 | ACL_FLOAT4_E1M2 => 4,
        ACL_FLOAT6_E3M2 | ACL_FLOAT6_E2M3 => 6,
        ACL_INT8 | ACL_UINT8 | ACL_BOOL => 8,
        ACL_HIFLOAT8 | ACL_FLOAT8_E5M2 | ACL_FLOAT8_E4M3FN | ACL_FLOAT8_E8M0 => 8,
        ACL_FLOAT16 | ACL_BF16 | ACL_INT16 | ACL_UINT16 => 16,
        ACL_FLOAT | ACL_INT32 | ACL_UINT32 | ACL_COMPLEX32 => 32,
        ACL_DOUBLE | ACL_INT64 | ACL_UINT64 | ACL_COMPLEX64 => 64,
        ACL_COMPLEX128 => 128,
        _ => return None,
    })
}

/// The value of a half-precision number (IEEE 754 binary16).
pub(super) fn widen(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half) & 0x3ff;
    match exponent {
        // Zero or subnormal: the fraction counts units of 2^-24, which single precision holds exactly.
        0 => f32::from_bits(sign | (fraction as f32 * f32::from_bits((127 - 24) << 23)).to_bits()),
        // A signaling NaN becomes quiet, as arithmetic makes it.
        0x1f if fraction != 0 => f32::from_bits(sign | 0x7fc0_0000 | fraction << 13),
        0x1f => f32::from_bits(sign | 0x7f80_0000),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

/// The half-precision number nearest to a value, the even one if two are.
pub(super) fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00 | (magnitude >> 13) as u16 & 0x3ff;
    }
    let exponent = (magnitude >> 23).cast_signed() - 127;
    if exponent > 15 {
        return sign | 0x7c00;
    }
    // The significand with its leading one, and how many of its low bits do not fit.
    let significand = magnitude & 0x007f_ffff | 0x0080_0000;
    let (base, excess) = if exponent >= -14 { (exponent + 14, 13) } else { (0, -exponent - 1) };
    if excess > 24 {
        return sign;
    }
    let kept = significand >> excess;
    let rest = significand & ((1 << excess) - 1);
    let half = 1 << (excess - 1);
    let up = u32::from(rest > half || rest == half && kept & 1 == 1);
    // The leading one adds one to the exponent; a carry out of the fraction goes there, and from there to infinity.
    sign | ((base.cast_unsigned() << 10) + kept + up) as u16
}
