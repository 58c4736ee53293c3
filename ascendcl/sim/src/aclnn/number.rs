//! The types of elements and scalars.

use ascendcl_sys::*;
use half::{bf16, f16};

/// The types that the operators have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    F32,
    F16,
    Bf16,
    I32,
}

impl Type {
    pub(crate) fn of(data_type: aclDataType) -> Option<Self> {
        Some(match data_type {
            ACL_FLOAT => Self::F32,
            ACL_FLOAT16 => Self::F16,
            ACL_BF16 => Self::Bf16,
            ACL_INT32 => Self::I32,
            _ => return None,
        })
    }

    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        self != Self::I32
    }

    /// The type that two operands are computed in.
    pub(crate) fn common(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::I32, float) | (float, Self::I32) => float,
            _ => Self::F32,
        }
    }

    /// The nearest value of a floating-point type, the even one if two are.
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
            Self::F32 | Self::I32 => value,
        }
    }
}

impl Type {
    /// The largest number of a floating-point type.
    pub(crate) fn largest(self) -> f32 {
        match self {
            Self::F16 => f16::MAX.to_f32(),
            Self::Bf16 => bf16::MAX.to_f32(),
            Self::F32 | Self::I32 => f32::MAX,
        }
    }

    pub(crate) fn code(self) -> aclDataType {
        match self {
            Self::F32 => ACL_FLOAT,
            Self::F16 => ACL_FLOAT16,
            Self::Bf16 => ACL_BF16,
            Self::I32 => ACL_INT32,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "FLOAT",
            Self::F16 => "FLOAT16",
            Self::Bf16 => "BFLOAT16",
            Self::I32 => "INT32",
        })
    }
}

/// The value of an `aclScalar`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Float(f64),
    Integer(i64),
}

impl Number {
    /// Of bytes that start with a value of the type.
    pub(crate) fn read(data_type: aclDataType, bytes: &[u8; 16]) -> Result<Self, String> {
        let [a, b, c, d, e, f, g, h, ..] = *bytes;
        Ok(match data_type {
            ACL_FLOAT => Self::Float(f32::from_ne_bytes([a, b, c, d]).into()),
            ACL_DOUBLE => Self::Float(f64::from_ne_bytes([a, b, c, d, e, f, g, h])),
            ACL_FLOAT16 => Self::Float(f16::from_ne_bytes([a, b]).to_f64()),
            ACL_BF16 => Self::Float(bf16::from_ne_bytes([a, b]).to_f64()),
            ACL_INT64 => Self::Integer(i64::from_ne_bytes([a, b, c, d, e, f, g, h])),
            ACL_INT32 => Self::Integer(i32::from_ne_bytes([a, b, c, d]).into()),
            ACL_INT16 => Self::Integer(i16::from_ne_bytes([a, b]).into()),
            ACL_INT8 => Self::Integer(i8::from_ne_bytes([a]).into()),
            ACL_UINT8 => Self::Integer(a.into()),
            ACL_BOOL => Self::Integer((a != 0).into()),
            aclDataType(other) => return Err(format!("alpha has data type {other}, which is no number")),
        })
    }

    pub(crate) fn as_f32(self) -> f32 {
        match self {
            Self::Float(value) => value as f32,
            Self::Integer(value) => value as f32,
        }
    }
}
