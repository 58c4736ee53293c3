//! A stored tensor, and its elements as the types that the operation wants.

use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype as StoredDtype;

use super::error::CheckpointError;
use super::prepare;
use crate::Dtype;

/// A view of a tensor in a mapped shard.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub path: &'a Path,
    pub name: String,
    pub dtype: StoredDtype,
    pub shape: &'a [usize],
    pub data: &'a [u8],
}

impl<'a> Tensor<'a> {
    pub fn error(
        &self,
        what: &'static str,
        expected: impl Into<String>,
        got: impl ToString,
    ) -> CheckpointError {
        CheckpointError::Tensor {
            path: self.path.to_owned(),
            tensor: self.name.clone(),
            what,
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// Requires one of some shapes.
    pub fn of_shape(self, accepted: &[&[usize]]) -> Result<Self, CheckpointError> {
        if accepted.contains(&self.shape) {
            return Ok(self);
        }
        let expected: Vec<_> = accepted.iter().map(|shape| format!("{shape:?}")).collect();
        Err(self.error("shape", expected.join(" or "), format!("{:?}", self.shape)))
    }

    /// Requires one value for each of `rows` outputs: `[rows]` or `[rows, 1]`.
    pub fn per_row(self, rows: usize) -> Result<Self, CheckpointError> {
        self.of_shape(&[&[rows], &[rows, 1]])
    }

    /// Requires a single value: `[1]`, or no dimension at all.
    pub fn single(self) -> Result<Self, CheckpointError> {
        self.of_shape(&[&[1], &[]])
    }

    fn wrong_dtype(&self, expected: &'static str) -> CheckpointError {
        self.error("dtype", expected, self.dtype)
    }

    fn elements<const SIZE: usize, T>(&self, from: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
        self.data.as_chunks::<SIZE>().0.iter().map(|bytes| from(*bytes)).collect()
    }

    pub fn int8(&self) -> Result<&'a [i8], CheckpointError> {
        match self.dtype {
            StoredDtype::I8 => Ok(bytemuck::cast_slice(self.data)),
            _ => Err(self.wrong_dtype("I8")),
        }
    }

    pub fn int32(&self) -> Result<Vec<i32>, CheckpointError> {
        match self.dtype {
            StoredDtype::I32 => Ok(self.elements(i32::from_le_bytes)),
            _ => Err(self.wrong_dtype("I32")),
        }
    }

    /// Floats of any stored width; all finite.
    pub fn floats(&self) -> Result<Vec<f32>, CheckpointError> {
        let values = match self.dtype {
            StoredDtype::F32 => self.elements(f32::from_le_bytes),
            StoredDtype::BF16 => self.elements(|bytes| bf16::from_le_bytes(bytes).to_f32()),
            StoredDtype::F16 => self.elements(|bytes| f16::from_le_bytes(bytes).to_f32()),
            _ => return Err(self.wrong_dtype("F32, BF16 or F16")),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(self.error("value", "finite", format!("{} at element {at}", values[at]))),
        }
    }

    /// 16-bit floats of the wanted type: as stored if it is that, else converted through f32 and rounded to
    /// nearest even. A value that the wanted type cannot hold is an error, not an infinity.
    pub fn halves(&self, dtype: Dtype) -> Result<Vec<u16>, CheckpointError> {
        // Exponent bits all ones: infinity or NaN.
        let exponent = match dtype {
            Dtype::Fp16 => 0x7C00,
            Dtype::Bf16 => 0x7F80,
        };
        let (values, stored): (Vec<u16>, _) = match (self.dtype, dtype) {
            (StoredDtype::BF16, Dtype::Bf16) | (StoredDtype::F16, Dtype::Fp16) => {
                (self.elements(u16::from_le_bytes), None)
            }
            _ => {
                let stored = self.floats()?;
                (stored.iter().map(|value| prepare::to_half(*value, dtype)).collect(), Some(stored))
            }
        };
        match values.iter().position(|bits| bits & exponent == exponent) {
            None => Ok(values),
            Some(at) => {
                let got =
                    stored.map_or_else(|| format!("{:#06x}", values[at]), |stored| stored[at].to_string());
                Err(self.error("value", format!("finite in {dtype:?}"), format!("{got} at element {at}")))
            }
        }
    }

    /// De-quantisation scales: f32, or int64 words that carry the f32 pattern ([`prepare::descale`]).
    pub fn descales(&self) -> Result<Vec<f32>, CheckpointError> {
        match self.dtype {
            StoredDtype::I64 => {
                let words = self.elements(i64::from_le_bytes);
                let scale = |word: &i64| {
                    prepare::descale(*word).ok_or_else(|| {
                        self.error("value", "an f32 pattern in the low 32 bits", format!("{word:#018x}"))
                    })
                };
                words.iter().map(scale).collect()
            }
            StoredDtype::F32 | StoredDtype::BF16 | StoredDtype::F16 => self.floats(),
            _ => Err(self.wrong_dtype("F32 or I64")),
        }
    }

    /// A zero point: stored as int8 or as a float, an integer from -128 to 127 either way.
    pub fn zero_point(&self) -> Result<i8, CheckpointError> {
        if self.dtype == StoredDtype::I8 {
            return self.int8()?.first().copied().ok_or_else(|| self.error("shape", "[1]", "[0]"));
        }
        let value = self.floats()?.first().copied().unwrap_or(f32::NAN);
        if value.fract() == 0.0 && (-128.0..=127.0).contains(&value) {
            return Ok(value as i8);
        }
        Err(self.error("value", "an integer from -128 to 127", value))
    }

    /// Requires zeros; for what the operation has no place for.
    pub fn zeros(&self, why: &'static str) -> Result<(), CheckpointError> {
        let nonzero = match self.dtype {
            StoredDtype::I8 => self.int8()?.iter().position(|value| *value != 0),
            StoredDtype::I32 => self.int32()?.iter().position(|value| *value != 0),
            _ => self.floats()?.iter().position(|value| *value != 0.0),
        };
        match nonzero {
            None => Ok(()),
            Some(at) => Err(self.error("value", why, format!("a nonzero element {at}"))),
        }
    }
}
