//! Descriptions of tensors in ATB's sense.

use std::fmt;

use ascendcl::{DataType, Format};
use atb_sys::{ATB_MAX_DIM, atb_dims, atb_tensor_desc};

use crate::error::{Error, Result};

/// Type, format and shape of a tensor (`atb::TensorDesc`).
///
/// The shape is that of the storage: the logical one for [`Format::Nd`], `[batch, columns / c0, rows, c0]` for
/// [`Format::FractalNz`], where `c0` is 32 bytes' worth of elements and rows and columns are padded to whole fractals. ATB
/// always wants the batch: the matrix `[2112, 7168]` of int8 is `[1, 224, 2112, 32]`. The conversion from
/// [`ascendcl::TensorDesc`], whose shape is the logical one, sees to that.
///
/// A tensor that an operation does not need is [`none`](Self::none): it has no dimension.
///
/// ```
/// use atb::{DataType, Format, TensorDesc};
/// let weight = ascendcl::TensorDesc::new(DataType::Int8, Format::FractalNz, &[2112, 7168])?;
/// assert_eq!(TensorDesc::from(&weight), TensorDesc::nz(DataType::Int8, &[1, 224, 2112, 32]));
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorDesc {
    /// Type of the elements.
    pub dtype: DataType,
    /// Storage format.
    pub format: Format,
    /// Shape of the storage; empty for a tensor that is left out.
    pub shape: Vec<usize>,
}

impl TensorDesc {
    /// A tensor of the given type, format and storage shape.
    pub fn new(dtype: DataType, format: Format, shape: &[usize]) -> Self {
        Self { dtype, format, shape: shape.to_vec() }
    }

    /// A row-major tensor.
    pub fn nd(dtype: DataType, shape: &[usize]) -> Self {
        Self::new(dtype, Format::Nd, shape)
    }

    /// A tensor of matrices in fractals, `[batch, columns / c0, rows, c0]`.
    pub fn nz(dtype: DataType, storage_shape: &[usize]) -> Self {
        Self::new(dtype, Format::FractalNz, storage_shape)
    }

    /// A tensor that is left out. Its type says nothing.
    pub fn none() -> Self {
        Self::nd(DataType::Float32, &[])
    }

    /// Whether the tensor is left out.
    pub fn is_none(&self) -> bool {
        self.shape.is_empty()
    }

    /// Elements in storage; `None` if the number does not fit. A tensor that is left out has none.
    pub fn checked_len(&self) -> Option<usize> {
        if self.is_none() {
            return Some(0);
        }
        self.shape.iter().try_fold(1usize, |len, dim| len.checked_mul(*dim))
    }

    /// Bytes in storage; `None` if the number does not fit.
    pub fn checked_bytes(&self) -> Option<usize> {
        self.checked_len()?.checked_mul(self.dtype.size())
    }

    /// Bytes in storage, which fit the address space and ATB's numbers.
    pub(crate) fn bytes(&self, tensor: &dyn fmt::Display) -> Result<usize> {
        let bytes = self.checked_bytes().filter(|bytes| isize::try_from(*bytes).is_ok());
        let bytes =
            bytes.ok_or_else(|| Error::tensor(tensor, "of a size that fits the address space", self))?;
        if self.shape.len() > ATB_MAX_DIM as usize {
            return Err(Error::tensor(tensor, format_args!("of at most {ATB_MAX_DIM} dimensions"), self));
        }
        Ok(bytes)
    }

    /// As C has it. The description passed [`bytes`](Self::bytes).
    pub(crate) fn to_raw(&self, tensor: &dyn fmt::Display) -> Result<atb_tensor_desc> {
        self.bytes(tensor)?;
        if self.is_none() {
            // `ACL_FORMAT_UNDEFINED` and `ACL_DT_UNDEFINED` are both -1.
            return Ok(atb_tensor_desc {
                dtype: -1,
                format: -1,
                shape: atb_dims { dims: [0; 8], dimNum: 0 },
            });
        }
        let mut dims = [0; ATB_MAX_DIM as usize];
        for (to, from) in dims.iter_mut().zip(&self.shape) {
            // Fits, unless another dimension is zero.
            *to = i64::try_from(*from)
                .map_err(|_| Error::tensor(tensor, "of dimensions that fit 64 bits", self))?;
        }
        Ok(atb_tensor_desc {
            dtype: self.dtype.to_acl().0,
            format: self.format.to_acl().0,
            shape: atb_dims { dims, dimNum: self.shape.len() as u64 },
        })
    }

    /// What the library described.
    pub(crate) fn from_raw(desc: &atb_tensor_desc, tensor: impl fmt::Display) -> Result<Self> {
        let wrong = |expected, got: &dyn fmt::Display| Err(Error::tensor(&tensor, expected, got));
        let dims = usize::try_from(desc.shape.dimNum).ok().and_then(|count| desc.shape.dims.get(..count));
        let Some(dims) = dims else { return wrong("of at most 8 dimensions", &desc.shape.dimNum) };
        if dims.is_empty() {
            return Ok(Self::none());
        }
        let Some(dtype) = dtype_of(desc.dtype) else {
            return wrong("of a type that `ascendcl` has", &desc.dtype);
        };
        let known = [Format::Nd, Format::FractalNz];
        let Some(format) = known.into_iter().find(|format| format.to_acl().0 == desc.format) else {
            return wrong("ND or FRACTAL_NZ", &desc.format);
        };
        let shape: Option<_> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let Some(shape) = shape else {
            return wrong("of dimensions that are not negative", &format!("{dims:?}"));
        };
        Ok(Self { dtype, format, shape })
    }
}

/// The type of a number of `aclDataType`.
pub(crate) fn dtype_of(number: i32) -> Option<DataType> {
    use DataType::*;
    let known = [Float32, Float16, Bf16, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64];
    known.into_iter().find(|dtype| dtype.to_acl().0 == number)
}

impl From<&ascendcl::TensorDesc> for TensorDesc {
    fn from(desc: &ascendcl::TensorDesc) -> Self {
        let mut shape = desc.storage_shape();
        if desc.format() == Format::FractalNz && desc.shape().len() == 2 {
            shape.insert(0, 1);
        }
        Self { dtype: desc.dtype(), format: desc.format(), shape }
    }
}

impl From<ascendcl::TensorDesc> for TensorDesc {
    fn from(desc: ascendcl::TensorDesc) -> Self {
        Self::from(&desc)
    }
}

impl fmt::Display for TensorDesc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("left out");
        }
        write!(f, "{:?} {:?} {:?}", self.dtype, self.format, self.shape)
    }
}
