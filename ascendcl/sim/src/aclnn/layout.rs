//! How a tensor lies in memory, and its elements.

use ascendcl_sys::*;
use half::{bf16, f16};

use serde_json::{Value, json};

use super::Type;
use crate::dump::View;
use crate::operator::{Fault, Memory};

/// The most dimensions of a tensor (AscendCL docs: aclnnAdd).
const MAX_DIMENSIONS: usize = 8;

/// More than any memory holds.
const MAX_ELEMENTS: usize = 1 << 44;

/// A view of device memory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    name: &'static str,
    format: &'static str,
    pub data_type: Type,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
    offset: usize,
    /// From the first element to the end of the last one, in elements.
    span: usize,
}

/// The elements of a view, from its first one on, with those between them.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    pub layout: &'a Layout,
    pub values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    Float(Vec<f32>),
    Integer(Vec<i32>),
}

impl Layout {
    /// Checks a view; `storage` is the number of elements of the memory, if it is told.
    pub(crate) fn new(
        name: &'static str,
        data_type: aclDataType,
        format: aclFormat,
        shape: &[i64],
        strides: &[i64],
        offset: i64,
        storage: Option<i64>,
    ) -> Result<Self, String> {
        let known = Type::of(data_type).ok_or_else(|| {
            format!(
                "{name} has data type {}; the simulator has FLOAT, FLOAT16, BFLOAT16 and INT32",
                data_type.0
            )
        })?;
        let format = match format {
            ACL_FORMAT_ND => "ND",
            ACL_FORMAT_NCHW => "NCHW",
            ACL_FORMAT_NHWC => "NHWC",
            ACL_FORMAT_NC => "NC",
            ACL_FORMAT_NCL => "NCL",
            ACL_FORMAT_NCDHW => "NCDHW",
            ACL_FORMAT_NDHWC => "NDHWC",
            ACL_FORMAT_HWCN => "HWCN",
            other => return Err(format!("{name} has format {}, and must have ND", other.0)),
        };
        if shape.len() > MAX_DIMENSIONS {
            return Err(format!(
                "{name} has {} dimensions, and at most {MAX_DIMENSIONS} may be",
                shape.len()
            ));
        }
        let sizes = |values: &[i64]| -> Result<Vec<usize>, String> {
            let size = |&value| usize::try_from(value).map_err(|_| format!("{name}: {value} is negative"));
            values.iter().map(size).collect()
        };
        let (shape, strides) = (sizes(shape)?, sizes(strides)?);
        let offset =
            usize::try_from(offset).map_err(|_| format!("{name}: the offset {offset} is negative"))?;
        let too_large = || format!("{name}: {shape:?} with strides {strides:?} is larger than any memory");
        let is_empty = shape.contains(&0);
        let mut span = usize::from(!is_empty);
        let mut elements = 1usize;
        for (&size, &stride) in shape.iter().zip(&strides) {
            elements = elements.checked_mul(size).ok_or_else(too_large)?;
            if !is_empty {
                let last = stride.checked_mul(size - 1).ok_or_else(too_large)?;
                span = span.checked_add(last).ok_or_else(too_large)?;
            }
        }
        let end = offset.checked_add(span).ok_or_else(too_large)?;
        if end.max(elements) > MAX_ELEMENTS {
            return Err(too_large());
        }
        if let Some(storage) = storage
            && !is_empty
            && end as u64 > storage.max(0) as u64
        {
            return Err(format!("{name} reaches to element {end}, and its storage has {storage}"));
        }
        Ok(Self { name, format, data_type: known, shape, strides, offset, span })
    }

    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where its memory starts, from the address of the tensor, and its length.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.offset * self.data_type.bytes(), self.span * self.data_type.bytes())
    }

    pub(crate) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        })
    }

    pub(super) fn describe(&self) -> Value {
        json!({ "format": self.format, "data_type": self.data_type.to_string(), "shape": self.shape })
    }

    pub(crate) fn view(&self) -> View {
        View { data_type: self.data_type.code(), shape: self.shape.clone(), strides: self.strides.clone() }
    }

    /// The strides of a view that repeats this one along `shape`.
    pub(super) fn broadcast(&self, shape: &[usize]) -> Vec<usize> {
        broadcast_strides(&self.shape, &self.strides, shape.len())
    }

    pub(super) fn read(&self, memory: &Memory) -> Result<Elements<'_>, Fault> {
        let values = match self.data_type {
            Type::F32 => Values::Float(memory.read(0, self.span)?),
            Type::I32 => Values::Integer(memory.read(0, self.span)?),
            Type::F16 => {
                Values::Float(memory.read::<f16>(0, self.span)?.into_iter().map(f16::to_f32).collect())
            }
            Type::Bf16 => {
                Values::Float(memory.read::<bf16>(0, self.span)?.into_iter().map(bf16::to_f32).collect())
            }
        };
        Ok(Elements { layout: self, values })
    }

    /// Writes the elements, in order; nothing between them is touched.
    pub(super) fn write(&self, memory: &Memory, values: &Values) -> Result<(), Fault> {
        match (self.data_type, values) {
            (Type::I32, Values::Integer(values)) => self.write_as(memory, values),
            (Type::F32, Values::Float(values)) => self.write_as(memory, values),
            (Type::F16, Values::Float(values)) => {
                self.write_as(memory, &values.iter().map(|&value| f16::from_f32(value)).collect::<Vec<_>>())
            }
            (Type::Bf16, Values::Float(values)) => {
                self.write_as(memory, &values.iter().map(|&value| bf16::from_f32(value)).collect::<Vec<_>>())
            }
            (Type::I32, Values::Float(_)) => Err(Fault::new("floating-point numbers for integers")),
            (_, Values::Integer(_)) => Err(Fault::new("integers for floating-point numbers")),
        }
    }

    fn write_as<T: bytemuck::NoUninit>(&self, memory: &Memory, values: &[T]) -> Result<(), Fault> {
        if self.is_contiguous() {
            return memory.write(0, values);
        }
        // Rows whose elements are side by side are written at once.
        let row = match (self.shape.last(), self.strides.last()) {
            (Some(&size), Some(&1)) if size > 0 => size,
            _ => 1,
        };
        let starts = offsets(&self.shape, &self.strides).step_by(row);
        for (start, row) in starts.zip(values.chunks(row)) {
            memory.write(start * size_of::<T>(), row)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{:?}", self.name, self.data_type, self.shape)
    }
}

impl Values {
    /// Takes the numbers for a type, which is floating-point if they are. Answers whether one is infinite or none there; what is infinite becomes the largest one if asked for.
    pub(super) fn overflow(&mut self, data_type: Type, saturates: bool) -> bool {
        if let Self::Integer(integers) = self
            && data_type.is_float()
        {
            *self = Self::Float(integers.iter().map(|&value| value as f32).collect());
        }
        let Self::Float(values) = self else { return false };
        let mut overflowed = false;
        for value in values {
            let rounded = data_type.round(*value);
            overflowed |= !rounded.is_finite();
            if saturates && rounded.is_infinite() {
                *value = data_type.largest().copysign(rounded);
            }
        }
        overflowed
    }

    pub(super) fn float(&self, index: usize) -> f32 {
        match self {
            Self::Float(values) => values[index],
            Self::Integer(values) => values[index] as f32,
        }
    }
}

/// The shape that two shapes are repeated to.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(own) => shape[own],
        None => 1,
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The strides of a view that is repeated, with `rank` dimensions.
pub(super) fn broadcast_strides(shape: &[usize], strides: &[usize], rank: usize) -> Vec<usize> {
    let own = shape.iter().zip(strides).map(|(&size, &stride)| if size == 1 { 0 } else { stride });
    std::iter::repeat_n(0, rank - shape.len()).chain(own).collect()
}

/// Where the elements of a view are, in the order of its indices.
pub(crate) fn offsets<'a>(shape: &'a [usize], strides: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let count = shape.iter().product::<usize>();
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    (0..count).map(move |_| {
        let now = offset;
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
        now
    })
}
