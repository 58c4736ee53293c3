//! Device memory as operations see it.

use std::ffi::c_void;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use ascendcl::{DataType, DeviceBuffer, DeviceSlice, DeviceSliceMut, Element, Format, Tensor, Touch};

use crate::error::{Error, Result};
use crate::tensor::TensorDesc;

/// Device memory with a description; who borrows it, is up to the two public types.
pub(crate) struct Memory<'a> {
    pub(crate) desc: TensorDesc,
    pub(crate) address: *mut c_void,
    /// From the address on; the description needs no more.
    capacity: usize,
    pub(crate) touch: Touch<'a>,
}

impl Memory<'_> {
    fn describe(&mut self, desc: TensorDesc) -> Result<()> {
        let bytes = desc.bytes(&"view")?;
        if bytes > self.capacity {
            let expected = format_args!("of at most {} bytes", self.capacity);
            return Err(Error::tensor("view", expected, format_args!("{desc}: {bytes} bytes")));
        }
        self.desc = desc;
        Ok(())
    }

    fn slice(&mut self, range: impl RangeBounds<usize>) -> Result<()> {
        let Some(&len) = self.desc.shape.first() else {
            return Err(Error::tensor("view to slice", "of at least one dimension", &self.desc));
        };
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => Some(len),
        };
        let (Some(start), Some(end)) = (start, end) else {
            return Err(Error::tensor(
                "range of a view",
                format_args!("within 0..{len}"),
                "one past the end",
            ));
        };
        if start > end || end > len {
            let got = format_args!("{start}..{end}");
            return Err(Error::tensor("range of a view", format_args!("within 0..{len}"), got));
        }
        let row = self.desc.bytes(&"view")? / len.max(1);
        self.address = self.address.wrapping_byte_add(start * row);
        self.capacity = (end - start) * row;
        if let Some(first) = self.desc.shape.first_mut() {
            *first = end - start;
        }
        Ok(())
    }
}

macro_rules! views {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        pub struct $Name<'a> {
            pub(crate) memory: Memory<'a>,
        }

        impl<'a> $Name<'a> {
            /// What the view describes.
            pub fn desc(&self) -> &TensorDesc {
                &self.memory.desc
            }

            /// The same memory with another shape of the storage.
            ///
            /// # Errors
            /// [`Error::Tensor`] if it needs more bytes than there are, or more than eight dimensions.
            pub fn with_shape(mut self, shape: &[usize]) -> Result<Self> {
                let desc = TensorDesc { shape: shape.to_vec(), ..self.memory.desc.clone() };
                self.memory.describe(desc)?;
                Ok(self)
            }

            /// The same memory and shape with another format: the elements stay where they are.
            ///
            /// # Errors
            /// [`Error::Tensor`] for FRACTAL_NZ with fewer than four dimensions, which ATB does not take.
            pub fn with_format(mut self, format: Format) -> Result<Self> {
                if format == Format::FractalNz && self.memory.desc.shape.len() < 4 {
                    let expected = "of the storage's four dimensions, batch first";
                    return Err(Error::tensor("FRACTAL_NZ view", expected, &self.memory.desc));
                }
                self.memory.desc.format = format;
                Ok(self)
            }

            /// The same memory and shape with another type of elements, such as the vendor's signed numbers for bit patterns.
            ///
            /// # Errors
            /// [`Error::Tensor`] if it needs more bytes than there are.
            pub fn with_dtype(mut self, dtype: DataType) -> Result<Self> {
                let desc = TensorDesc { dtype, ..self.memory.desc.clone() };
                self.memory.describe(desc)?;
                Ok(self)
            }

            /// A range of the first dimension.
            ///
            /// # Errors
            /// [`Error::Tensor`] if the range is not within the dimension, or there is none.
            pub fn slice(mut self, range: impl RangeBounds<usize>) -> Result<Self> {
                self.memory.slice(range)?;
                Ok(self)
            }
        }

        impl fmt::Debug for $Name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} at {:p})", stringify!($Name), self.memory.desc, self.memory.address)
            }
        }
    };
}

views! {
    /// Device memory that an operation reads.
    ///
    /// ```
    /// use ascendcl::{Backend, Format, Runtime};
    /// use atb::{DataType, TensorDesc, View};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let tensor = stream.tensor_from(&[0f32; 12], Format::Nd, &[4, 3])?;
    /// let rows = View::of(&tensor).slice(1..3)?;
    /// assert_eq!(*rows.desc(), TensorDesc::nd(DataType::Float32, &[2, 3]));
    /// assert!(View::of(&tensor).with_shape(&[5, 3]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    View
}

views! {
    /// Device memory that an operation writes.
    ///
    /// While there is one, the tensor cannot be anything else in the same pack:
    ///
    /// ```compile_fail,E0502
    /// # use ascendcl::{Backend, Format, Runtime};
    /// # use atb::{VariantPack, View, ViewMut};
    /// # let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// # let mut tensor = stream.tensor_from(&[0f32; 12], Format::Nd, &[4, 3])?;
    /// VariantPack::new().input(View::of(&tensor)).output(ViewMut::of(&mut tensor));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// An operation that writes an input in place says so: see [`VariantPack::updated`](crate::VariantPack::updated).
    ViewMut
}

impl<'a> View<'a> {
    /// All of a tensor, a buffer or a part of one.
    pub fn of(memory: impl Into<Self>) -> Self {
        memory.into()
    }
}

impl<'a> ViewMut<'a> {
    /// All of a tensor, a buffer or a part of one.
    pub fn of(memory: impl Into<Self>) -> Self {
        memory.into()
    }
}

impl<'a> From<&'a Tensor> for View<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        let (desc, buffer) = (TensorDesc::from(tensor.desc()), tensor.buffer());
        let (address, capacity) = (buffer.as_device_ptr(), buffer.len());
        Self { memory: Memory { desc, address, capacity, touch: buffer.read() } }
    }
}

impl<'a> From<&'a mut Tensor> for ViewMut<'a> {
    fn from(tensor: &'a mut Tensor) -> Self {
        let desc = TensorDesc::from(tensor.desc());
        let buffer = tensor.buffer_mut();
        let (address, capacity) = (buffer.as_device_ptr(), buffer.len());
        Self { memory: Memory { desc, address, capacity, touch: buffer.write() } }
    }
}

impl<'a, T: Element> From<DeviceSlice<'a, T>> for View<'a> {
    fn from(slice: DeviceSlice<'a, T>) -> Self {
        let desc = TensorDesc::nd(T::DATA_TYPE, &[slice.len()]);
        let (address, capacity) = (slice.as_device_ptr().cast_mut(), slice.len() * size_of::<T>());
        Self { memory: Memory { desc, address, capacity, touch: slice.read() } }
    }
}

impl<'a, T: Element> From<DeviceSliceMut<'a, T>> for ViewMut<'a> {
    fn from(slice: DeviceSliceMut<'a, T>) -> Self {
        let desc = TensorDesc::nd(T::DATA_TYPE, &[slice.len()]);
        let (address, capacity) = (slice.as_device_ptr(), slice.len() * size_of::<T>());
        Self { memory: Memory { desc, address, capacity, touch: slice.write() } }
    }
}

impl<'a, T: Element> From<&'a DeviceBuffer<T>> for View<'a> {
    fn from(buffer: &'a DeviceBuffer<T>) -> Self {
        DeviceSlice::from(buffer).into()
    }
}

impl<'a, T: Element> From<&'a mut DeviceBuffer<T>> for ViewMut<'a> {
    fn from(buffer: &'a mut DeviceBuffer<T>) -> Self {
        DeviceSliceMut::from(buffer).into()
    }
}
