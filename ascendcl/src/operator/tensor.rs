//! Tensors.

use std::ffi::c_void;
use std::fmt;

use ascendcl_sys as sys;

use super::{Operators, Owned};
use crate::dtype::Format;
use crate::error::{Result, ShapeError};
use crate::raw::operator::Layout;
use crate::tensor::{Tensor, TensorDesc};

/// What an operator sees of a tensor in row-major storage; all numbers count elements.
///
/// Element `[i, j, ..]` of the view is element `offset + i * strides[0] + j * strides[1] + ..` of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorView<'a> {
    /// Shape of the view.
    pub shape: &'a [usize],
    /// From one element to the next, for each dimension.
    pub strides: &'a [usize],
    /// Where the first element is in the storage.
    pub offset: usize,
}

/// A tensor for an operator (`aclTensor`), which borrows the [`Tensor`] that has the memory.
///
/// It says where the memory is, not who works on it: nothing keeps work that is queued with [`as_raw`](Self::as_raw)
/// in order with other streams, or the memory alive until the work is done. Whoever queues it sees to both.
pub struct OpTensor<'t> {
    pub(super) owned: Owned<sys::aclTensor>,
    tensor: &'t Tensor,
}

impl Operators {
    /// All of a tensor, for an operator (`aclCreateTensor`): the view is the logical shape with contiguous strides, the
    /// storage that of the format.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the tensor belongs to another runtime,
    /// [`Error::Acl`](crate::Error::Acl) from the library, [`Error::MissingSymbol`](crate::Error::MissingSymbol) if it is
    /// not installed.
    pub fn tensor<'t>(&self, tensor: &'t Tensor) -> Result<OpTensor<'t>> {
        let layout = layout_of(tensor.desc(), None)?;
        // SAFETY: the layout has as many strides as dimensions.
        unsafe { self.create(tensor, &layout) }
    }

    /// A part of a tensor, for an operator (`aclCreateTensor`).
    ///
    /// ```
    /// use ascendcl::{Backend, Format, Operators, Runtime, TensorView};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let stream = runtime.device(0)?.stream()?;
    /// let matrix = stream.tensor_from(&[0u8; 12], Format::Nd, &[3, 4])?;
    /// let operators = Operators::new(&runtime)?;
    /// // The last two columns, transposed.
    /// let view = TensorView { shape: &[2, 3], strides: &[1, 4], offset: 2 };
    /// assert_eq!(operators.tensor_view(&matrix, view)?.offset()?, 2);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if an element of the view is outside the tensor, if there are not as many
    /// strides as dimensions, or if the tensor's format is not [`Format::Nd`]; else as [`tensor`](Self::tensor).
    pub fn tensor_view<'t>(&self, tensor: &'t Tensor, view: TensorView<'_>) -> Result<OpTensor<'t>> {
        let layout = layout_of(tensor.desc(), Some(view))?;
        // SAFETY: the layout has as many strides as dimensions.
        unsafe { self.create(tensor, &layout) }
    }

    /// # Safety
    /// The layout has as many strides as its view has dimensions.
    unsafe fn create<'t>(&self, tensor: &'t Tensor, layout: &Layout) -> Result<OpTensor<'t>> {
        self.check_runtime("tensor", tensor.buffer().device().runtime())?;
        let desc = tensor.desc();
        let address = tensor.buffer().as_device_ptr();
        let (data_type, format) = (desc.dtype().to_acl(), desc.format().to_acl());
        // SAFETY: the caller's promise.
        let raw = unsafe { self.acl()?.create_tensor(layout, data_type, format, address) }?;
        // SAFETY: just made.
        Ok(OpTensor { owned: unsafe { Owned::new(self, raw) }, tensor })
    }
}

impl<'t> OpTensor<'t> {
    /// The tensor that has the memory.
    pub fn tensor(&self) -> &'t Tensor {
        self.tensor
    }

    /// Where the first element is in the storage, in elements (`aclGetViewOffset`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn offset(&self) -> Result<i64> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_offset(self.owned.raw) }
    }

    /// Shape of the view, as the library has it (`aclGetViewShape`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn view_shape(&self) -> Result<Vec<i64>> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_view_shape(self.owned.raw) }
    }

    /// From one element of the view to the next for each dimension, in elements (`aclGetViewStrides`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn view_strides(&self) -> Result<Vec<i64>> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_strides(self.owned.raw) }
    }

    /// Shape of the storage, as the library has it (`aclGetStorageShape`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn storage_shape(&self) -> Result<Vec<i64>> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_storage_shape(self.owned.raw) }
    }

    /// Storage format (`aclGetFormat`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn format(&self) -> Result<sys::aclFormat> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_format(self.owned.raw) }
    }

    /// Type of the elements (`aclGetDataType`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn data_type(&self) -> Result<sys::aclDataType> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_data_type(self.owned.raw) }
    }

    /// The address of the storage on the device (`aclGetRawTensorAddr`).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn address(&self) -> Result<*mut c_void> {
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().tensor_address(self.owned.raw) }
    }

    /// Goes on with another tensor's memory (`aclSetRawTensorAddr`).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if that tensor is not of the same type, format and shape,
    /// [`Error::Mismatch`](crate::Error::Mismatch) if it is on another device, [`Error::Acl`](crate::Error::Acl) from the
    /// library.
    pub fn set_tensor(&mut self, tensor: &'t Tensor) -> Result<()> {
        self.check_alike(tensor)?;
        let address = tensor.buffer().as_device_ptr();
        // SAFETY: the tensor is alive as long as `self`.
        unsafe { self.owned.acl().set_tensor_address(self.owned.raw, address) }?;
        self.tensor = tensor;
        Ok(())
    }

    /// Goes on as another tensor, all of it or a part (`aclInitTensor`).
    ///
    /// ```
    /// use ascendcl::{Backend, Format, Operators, Runtime, TensorView};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let stream = runtime.device(0)?.stream()?;
    /// let matrix = stream.tensor_from(&[0u8; 12], Format::Nd, &[3, 4])?;
    /// let vector = stream.tensor_from(&[0.5f32; 8], Format::Nd, &[8])?;
    /// let operators = Operators::new(&runtime)?;
    /// let mut operand = operators.tensor(&matrix)?;
    /// operand.describe(&vector, Some(TensorView { shape: &[4], strides: &[2], offset: 1 }))?;
    /// assert_eq!((operand.view_shape()?, operand.view_strides()?), (vec![4], vec![2]));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Operators::tensor`] and [`Operators::tensor_view`].
    pub fn describe(&mut self, tensor: &'t Tensor, view: Option<TensorView<'_>>) -> Result<()> {
        let operators = &self.owned.operators;
        operators.check_runtime("tensor", tensor.buffer().device().runtime())?;
        let desc = tensor.desc();
        let layout = layout_of(desc, view)?;
        let address = tensor.buffer().as_device_ptr();
        let (data_type, format) = (desc.dtype().to_acl(), desc.format().to_acl());
        // SAFETY: the tensor is alive as long as `self`, and the layout has as many strides as dimensions.
        unsafe { operators.acl()?.init_tensor(self.owned.raw, &layout, data_type, format, address) }?;
        self.tensor = tensor;
        Ok(())
    }

    /// Whether another tensor can take this one's place: on the same device, of the same type, format and shape.
    pub(super) fn check_alike(&self, tensor: &Tensor) -> Result<()> {
        self.tensor.buffer().device().check_same("tensor", tensor.buffer().device())?;
        if tensor.desc() != self.tensor.desc() {
            let (expected, got) = (format!("{:?}", self.tensor.desc()), format!("{:?}", tensor.desc()));
            return Err(ShapeError::new("tensor", expected, got).into());
        }
        Ok(())
    }

    /// The handle, for an operator's C functions; alive as long as `self`.
    pub fn as_raw(&self) -> *mut sys::aclTensor {
        self.owned.raw.as_ptr()
    }
}

impl fmt::Debug for OpTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpTensor({:p} of {:?})", self.as_raw(), self.tensor)
    }
}

impl TensorView<'_> {
    fn check(&self, desc: &TensorDesc) -> Result<()> {
        if desc.format() != Format::Nd {
            let got = format!("{:?}", desc.format());
            return Err(ShapeError::new("format of a tensor with a view", "row-major", got).into());
        }
        let dimensions = self.shape.len();
        if self.strides.len() != dimensions {
            return Err(ShapeError::new("view's strides", dimensions, self.strides.len()).into());
        }
        let last = self.shape.iter().zip(self.strides).try_fold(self.offset, |last, (dim, stride)| {
            last.checked_add(dim.saturating_sub(1).checked_mul(*stride)?)
        });
        // A view without elements needs no storage, but must not begin beyond it.
        let within = if self.shape.contains(&0) {
            self.offset <= desc.storage_len()
        } else {
            last.is_some_and(|last| last < desc.storage_len())
        };
        if within {
            return Ok(());
        }
        let expected = format!("within the {} elements of {:?}", desc.storage_len(), desc.shape());
        Err(ShapeError::new("view", expected, format!("{self:?}")).into())
    }
}

/// How a tensor lies in its storage: all of it, or a part, with as many strides as dimensions.
fn layout_of(desc: &TensorDesc, view: Option<TensorView<'_>>) -> Result<Layout> {
    let storage = numbers("tensor's storage shape", &desc.storage_shape())?;
    let Some(view) = view else {
        return Ok(Layout {
            view: numbers("tensor's shape", desc.shape())?,
            strides: numbers("tensor's strides", &contiguous(desc.shape())?)?,
            offset: 0,
            storage,
        });
    };
    view.check(desc)?;
    Ok(Layout {
        view: numbers("view's shape", view.shape)?,
        strides: numbers("view's strides", view.strides)?,
        offset: number("view's offset", view.offset)?,
        storage,
    })
}

/// Strides of row-major storage.
fn contiguous(shape: &[usize]) -> Result<Vec<usize>> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        // Only a shape with a zero can be too large here, and then the value does not matter.
        strides[axis - 1] = usize::checked_mul(strides[axis], shape[axis]).ok_or_else(|| {
            ShapeError::new("tensor's strides", "sizes that fit the address space", format!("{shape:?}"))
        })?;
    }
    Ok(strides)
}

fn numbers(what: &'static str, values: &[usize]) -> Result<Vec<i64>> {
    values.iter().map(|value| number(what, *value)).collect()
}

fn number(what: &'static str, value: usize) -> Result<i64> {
    i64::try_from(value).map_err(|_| ShapeError::new(what, "a signed number of 64 bits", value).into())
}
