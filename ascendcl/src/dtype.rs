//! Element types of device memory and storage formats of tensors.

use ascendcl_sys as sys;
use half::{bf16, f16};

/// The type of a tensor's elements (`aclDataType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// `ACL_FLOAT`.
    Float32,
    /// `ACL_FLOAT16`.
    Float16,
    /// `ACL_BF16`.
    Bf16,
    /// `ACL_DOUBLE`.
    Float64,
    /// `ACL_INT8`.
    Int8,
    /// `ACL_INT16`.
    Int16,
    /// `ACL_INT32`.
    Int32,
    /// `ACL_INT64`.
    Int64,
    /// `ACL_UINT8`.
    Uint8,
    /// `ACL_UINT16`.
    Uint16,
    /// `ACL_UINT32`.
    Uint32,
    /// `ACL_UINT64`.
    Uint64,
}

impl DataType {
    /// Size of one element in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Float16 | Self::Bf16 | Self::Int16 | Self::Uint16 => 2,
            Self::Float32 | Self::Int32 | Self::Uint32 => 4,
            Self::Float64 | Self::Int64 | Self::Uint64 => 8,
        }
    }

    /// The C constant.
    pub const fn to_acl(self) -> sys::aclDataType {
        match self {
            Self::Float32 => sys::ACL_FLOAT,
            Self::Float16 => sys::ACL_FLOAT16,
            Self::Bf16 => sys::ACL_BF16,
            Self::Float64 => sys::ACL_DOUBLE,
            Self::Int8 => sys::ACL_INT8,
            Self::Int16 => sys::ACL_INT16,
            Self::Int32 => sys::ACL_INT32,
            Self::Int64 => sys::ACL_INT64,
            Self::Uint8 => sys::ACL_UINT8,
            Self::Uint16 => sys::ACL_UINT16,
            Self::Uint32 => sys::ACL_UINT32,
            Self::Uint64 => sys::ACL_UINT64,
        }
    }
}

/// How a tensor's elements are stored (`aclFormat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `ACL_FORMAT_ND`: row-major.
    Nd,
    /// `ACL_FORMAT_FRACTAL_NZ`: the last two dimensions in fractals, see [`FractalNz`](crate::FractalNz).
    FractalNz,
}

impl Format {
    /// The C constant.
    pub const fn to_acl(self) -> sys::aclFormat {
        match self {
            Self::Nd => sys::ACL_FORMAT_ND,
            Self::FractalNz => sys::ACL_FORMAT_FRACTAL_NZ,
        }
    }
}

/// A type whose values can live in device memory.
///
/// # Safety
/// The type has no padding, no pointers, no destructor, and every bit pattern of its size is a valid value: device
/// memory holds whatever earlier work left there, and a copy to the host brings it back as it is.
/// `DATA_TYPE.size()` is the type's size.
pub unsafe trait Element: Copy + Send + Sync + 'static {
    /// The element type as the C interface names it.
    const DATA_TYPE: DataType;
}

macro_rules! elements {
    ($($ty:ty => $data_type:ident),* $(,)?) => {$(
        // SAFETY: a primitive number, or (`half`) a transparent wrapper of one: all bit patterns are valid, there is
        // no padding, and the size is asserted below.
        unsafe impl Element for $ty {
            const DATA_TYPE: DataType = DataType::$data_type;
        }
        const _: () = assert!(DataType::$data_type.size() == size_of::<$ty>());
    )*};
}

elements! {
    f32 => Float32, f16 => Float16, bf16 => Bf16, f64 => Float64,
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64,
    u8 => Uint8, u16 => Uint16, u32 => Uint32, u64 => Uint64,
}
