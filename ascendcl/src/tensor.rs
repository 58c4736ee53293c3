//! Tensors: device memory with a shape, an element type and a storage format.

use crate::buffer::{DeviceBuffer, DeviceSliceMut};
use crate::dtype::{DataType, Element, Format};
use crate::error::{Error, Result, ShapeError};
use crate::format::{FractalNz, nd_to_nz, nz_to_nd};
use crate::stream::Stream;

/// Type, format and logical shape of a tensor.
///
/// ```
/// use ascendcl::{DataType, Format, TensorDesc};
/// let desc = TensorDesc::new(DataType::Int8, Format::FractalNz, &[2112, 7168])?;
/// assert_eq!(desc.storage_shape(), [224, 2112, 32]);
/// assert_eq!(desc.storage_bytes(), 2112 * 7168);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorDesc {
    dtype: DataType,
    format: Format,
    shape: Vec<usize>,
    storage_len: usize,
}

impl TensorDesc {
    /// Describes a tensor of the given logical shape. In FRACTAL_NZ the last two dimensions are stored in fractals, and
    /// those before them are a batch.
    ///
    /// # Errors
    /// [`Error::Shape`] if the size does not fit the address space, or for FRACTAL_NZ with fewer than two dimensions or
    /// elements of eight bytes.
    pub fn new(dtype: DataType, format: Format, shape: &[usize]) -> Result<Self> {
        let fits = || ShapeError::new("tensor", "a size that fits the address space", format!("{shape:?}"));
        // Also without its zeros, so that no product of some of the dimensions overflows.
        let nonzero =
            shape.iter().try_fold(1usize, |len, dim| len.checked_mul((*dim).max(1))).ok_or_else(fits)?;
        let len = if shape.contains(&0) { 0 } else { nonzero };
        let storage_len = match format {
            Format::Nd => len,
            Format::FractalNz => {
                let [batch @ .., rows, columns] = shape else {
                    let got = format!("{shape:?}");
                    return Err(
                        ShapeError::new("FRACTAL_NZ tensor", "of at least two dimensions", got).into()
                    );
                };
                let matrix = FractalNz::new(*rows, *columns, dtype.size())?.storage_len();
                batch.iter().try_fold(matrix, |len, dim| len.checked_mul(*dim)).ok_or_else(fits)?
            }
        };
        storage_len
            .checked_mul(dtype.size())
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or_else(fits)?;
        Ok(Self { dtype, format, shape: shape.to_vec(), storage_len })
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Storage format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Logical elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements in storage, padding included.
    pub fn storage_len(&self) -> usize {
        self.storage_len
    }

    /// Bytes in storage, padding included.
    pub fn storage_bytes(&self) -> usize {
        self.storage_len * self.dtype.size()
    }

    /// The shape of the storage: the logical one, or for FRACTAL_NZ `[batch.., columns / c0, rows, c0]`, padded.
    pub fn storage_shape(&self) -> Vec<usize> {
        match (self.format, self.matrix()) {
            (Format::FractalNz, Some((_, nz))) => {
                let batch = &self.shape[..self.shape.len().saturating_sub(2)];
                [batch, &nz.storage_shape()].concat()
            }
            _ => self.shape.clone(),
        }
    }

    /// Batch and fractal geometry of the last two dimensions.
    fn matrix(&self) -> Option<(usize, FractalNz)> {
        let [batch @ .., rows, columns] = self.shape.as_slice() else { return None };
        let nz = FractalNz::new(*rows, *columns, self.dtype.size()).ok()?;
        Some((batch.iter().product(), nz))
    }
}

/// Device memory with a [`TensorDesc`].
///
/// ```
/// use ascendcl::{Backend, Format, Runtime};
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let values: Vec<i8> = (0..6).collect();
/// let tensor = stream.tensor_from(&values, Format::FractalNz, &[2, 3])?;
/// assert_eq!(tensor.desc().storage_len(), 16 * 32); // padded
/// assert_eq!(stream.tensor_to_vec::<i8>(&tensor)?, values);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Debug)]
pub struct Tensor {
    desc: TensorDesc,
    buffer: DeviceBuffer<u8>,
}

impl Tensor {
    /// Type, format and shape.
    pub fn desc(&self) -> &TensorDesc {
        &self.desc
    }

    /// The storage, in bytes.
    pub fn buffer(&self) -> &DeviceBuffer<u8> {
        &self.buffer
    }

    /// The storage, in bytes, to write.
    pub fn buffer_mut(&mut self) -> DeviceSliceMut<'_, u8> {
        DeviceSliceMut::from(&mut self.buffer)
    }
}

impl Stream {
    /// A tensor whose contents are unspecified.
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc).
    pub fn tensor(&self, desc: TensorDesc) -> Result<Tensor> {
        let buffer = self.alloc(desc.storage_bytes())?;
        Ok(Tensor { desc, buffer })
    }

    /// A tensor of zeros (padding included).
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc) and [`fill_bytes`](Self::fill_bytes).
    pub fn tensor_zeros(&self, desc: TensorDesc) -> Result<Tensor> {
        let mut tensor = self.tensor(desc)?;
        self.fill_bytes(&mut tensor.buffer, 0)?;
        Ok(tensor)
    }

    /// A tensor with the given row-major values, stored in `format`; padding is zero.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not that of the shape or the format does not take the type;
    /// else as [`alloc`](Self::alloc) and [`upload`](Self::upload).
    pub fn tensor_from<T: Element + Default>(
        &self,
        values: &[T],
        format: Format,
        shape: &[usize],
    ) -> Result<Tensor> {
        let desc = TensorDesc::new(T::DATA_TYPE, format, shape)?;
        if values.len() != desc.len() {
            return Err(ShapeError::new(
                "values of the tensor",
                format!("{} ({shape:?})", desc.len()),
                values.len(),
            )
            .into());
        }
        let mut tensor = self.tensor(desc)?;
        match (format, tensor.desc.matrix()) {
            (Format::FractalNz, Some((batch, _))) => {
                let [.., rows, columns] = *shape else { return Ok(tensor) };
                let stored = nd_to_nz(values, batch, rows, columns)?;
                self.upload(crate::raw_bytes::of(&stored), &mut tensor.buffer)?;
            }
            _ => self.upload(crate::raw_bytes::of(values), &mut tensor.buffer)?,
        }
        Ok(tensor)
    }

    /// The tensor's values in row-major order, without padding; waits for them.
    ///
    /// # Errors
    /// [`Error::Shape`] if `T` is not the tensor's type; else as [`download`](Self::download).
    pub fn tensor_to_vec<T: Element + Default>(&self, tensor: &Tensor) -> Result<Vec<T>> {
        let desc = &tensor.desc;
        if T::DATA_TYPE != desc.dtype {
            let expected = format!("{:?}", desc.dtype);
            return Err(Error::from(ShapeError::new(
                "type of the values",
                expected,
                format!("{:?}", T::DATA_TYPE),
            )));
        }
        let mut stored = vec![T::default(); desc.storage_len];
        self.download(&tensor.buffer, crate::raw_bytes::of_mut(&mut stored))?;
        match (desc.format, desc.matrix(), desc.shape.as_slice()) {
            (Format::FractalNz, Some((batch, _)), [.., rows, columns]) => {
                Ok(nz_to_nd(&stored, batch, *rows, *columns)?)
            }
            _ => Ok(stored),
        }
    }
}
