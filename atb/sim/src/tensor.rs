//! Tensors as operations see them.

use ascendcl_sim::operator::{Fault, Memory};
use ascendcl_sys::{
    ACL_BF16, ACL_BOOL, ACL_DT_UNDEFINED, ACL_FLOAT, ACL_FLOAT16, ACL_FORMAT_FRACTAL_NZ, ACL_INT8, ACL_INT32,
    ACL_INT64, ACL_UINT8, ACL_UINT32, ACL_UINT64, aclDataType, aclFormat,
};
use half::{bf16, f16};

/// `atb::TensorDesc`. A tensor that is left out has no dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorDesc {
    pub dtype: aclDataType,
    pub format: aclFormat,
    /// The shape of the storage: for FRACTAL_NZ with the fractals' dimensions.
    pub shape: Vec<i64>,
}

impl TensorDesc {
    /// A tensor that is left out.
    pub(crate) fn none() -> Self {
        Self { dtype: ACL_DT_UNDEFINED, format: aclFormat(-1), shape: Vec::new() }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.shape.is_empty()
    }

    pub(crate) fn is_nz(&self) -> bool {
        self.format == ACL_FORMAT_FRACTAL_NZ
    }

    /// Elements, or `None` if a dimension is negative or the number does not fit.
    pub(crate) fn len(&self) -> Option<usize> {
        if self.is_none() {
            return Some(0);
        }
        self.shape.iter().try_fold(1usize, |len, dim| len.checked_mul(usize::try_from(*dim).ok()?))
    }
}

/// What tests say tensors by.
#[cfg(test)]
impl TensorDesc {
    pub(crate) fn nd(dtype: aclDataType, shape: &[i64]) -> Self {
        Self { dtype, format: ascendcl_sys::ACL_FORMAT_ND, shape: shape.to_vec() }
    }

    pub(crate) fn nz(dtype: aclDataType, shape: &[i64]) -> Self {
        Self { dtype, format: ACL_FORMAT_FRACTAL_NZ, shape: shape.to_vec() }
    }

    /// Bytes, or `None` if that does not fit.
    pub(crate) fn bytes(&self) -> Option<usize> {
        self.len()?.checked_mul(element_size(self.dtype)?)
    }
}

/// Bytes of an element; `None` for a type that no operation here has.
pub(crate) fn element_size(dtype: aclDataType) -> Option<usize> {
    Some(match dtype {
        ACL_INT8 | ACL_UINT8 | ACL_BOOL => 1,
        ACL_FLOAT16 | ACL_BF16 => 2,
        ACL_FLOAT | ACL_INT32 | ACL_UINT32 => 4,
        ACL_INT64 | ACL_UINT64 => 8,
        ACL_DT_UNDEFINED => 0,
        _ => return None,
    })
}

/// A tensor of a call while the device works on it.
#[derive(Debug)]
pub(crate) struct Operand<'a> {
    pub desc: &'a TensorDesc,
    pub memory: &'a Memory,
    /// What the program handed over in host memory (`hostData`), as it was at `Execute`.
    pub host: Option<&'a [u8]>,
}

impl Operand<'_> {
    pub(crate) fn is_none(&self) -> bool {
        self.desc.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.desc.len().unwrap_or(0)
    }

    /// A dimension, which there must be.
    pub(crate) fn dim(&self, index: usize) -> usize {
        self.desc.shape.get(index).map_or(0, |dim| usize::try_from(*dim).unwrap_or(0))
    }

    /// The values as the device's float unit sees them: 16-bit types widened, integers converted.
    pub(crate) fn to_f32(&self) -> std::result::Result<Vec<f32>, Fault> {
        let count = self.len();
        Ok(match self.desc.dtype {
            ACL_FLOAT => self.memory.read(0, count)?,
            ACL_FLOAT16 => self.memory.read::<f16>(0, count)?.into_iter().map(f16::to_f32).collect(),
            ACL_BF16 => self.memory.read::<bf16>(0, count)?.into_iter().map(bf16::to_f32).collect(),
            ACL_INT8 => self.memory.read::<i8>(0, count)?.into_iter().map(f32::from).collect(),
            ACL_INT32 => self.memory.read::<i32>(0, count)?.into_iter().map(|value| value as f32).collect(),
            other => return Err(Fault::new(format!("no numbers of type {} are here", other.0))),
        })
    }

    /// Writes values from the element `start` on, rounded to nearest even where the type is narrower.
    pub(crate) fn write_f32(&self, start: usize, values: &[f32]) -> std::result::Result<(), Fault> {
        match self.desc.dtype {
            ACL_FLOAT => self.memory.write(4 * start, values),
            ACL_FLOAT16 => {
                let rounded: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
                self.memory.write(2 * start, &rounded)
            }
            ACL_BF16 => {
                let rounded: Vec<bf16> = values.iter().map(|value| bf16::from_f32(*value)).collect();
                self.memory.write(2 * start, &rounded)
            }
            other => Err(Fault::new(format!("no floats can be written as type {}", other.0))),
        }
    }
}
