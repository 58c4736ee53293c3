//! Elements on the host as tensors on a device, and back.

use ascendcl::{DataType, Format, Stream, Tensor, TensorDesc};

use crate::call::Values;
use crate::config::Dtype;
use crate::error::{Error, TensorError};

impl Values {
    /// An ND tensor of these elements; the 16-bit ones are of type `dtype`.
    ///
    /// # Errors
    /// [`Error::Device`] if their number is not that of the shape, or from the allocation or the copy.
    pub fn upload(&self, stream: &Stream, dtype: Dtype, shape: &[usize]) -> Result<Tensor, Error> {
        let (dtype, bytes): (_, &[u8]) = match self {
            Self::Half(values) => (dtype.data_type(), bytemuck::cast_slice(values)),
            Self::Int8(values) => (DataType::Int8, bytemuck::cast_slice(values)),
        };
        upload(stream, dtype, shape, bytes)
    }

    /// The elements of a tensor in the order in which it stores them; waits for them.
    ///
    /// # Errors
    /// [`Error::Tensor`] if its type is neither int8 nor a 16-bit float, [`Error::Device`] from the copy or from work
    /// before it.
    pub fn download(stream: &Stream, tensor: &Tensor) -> Result<Self, Error> {
        let len = tensor.desc().storage_len();
        match tensor.desc().dtype() {
            DataType::Int8 => {
                let mut values = vec![0i8; len];
                stream.download(tensor.buffer(), bytemuck::cast_slice_mut(&mut values))?;
                Ok(Self::Int8(values))
            }
            DataType::Float16 | DataType::Bf16 => {
                let mut values = vec![0u16; len];
                stream.download(tensor.buffer(), bytemuck::cast_slice_mut(&mut values))?;
                Ok(Self::Half(values))
            }
            other => Err(TensorError {
                tensor: "values",
                what: "dtype",
                expected: "Int8, Float16 or Bf16".into(),
                got: format!("{other:?}"),
            }
            .into()),
        }
    }
}

/// An ND tensor with these bytes.
pub(crate) fn upload(
    stream: &Stream,
    dtype: DataType,
    shape: &[usize],
    bytes: &[u8],
) -> Result<Tensor, Error> {
    let mut tensor = stream.tensor(TensorDesc::new(dtype, Format::Nd, shape)?)?;
    stream.upload(bytes, tensor.buffer_mut())?;
    Ok(tensor)
}
