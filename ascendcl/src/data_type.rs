//! The library's own view of data types.

use half::f16;

use crate::dtype::DataType;
use crate::error::Result;
use crate::runtime::Runtime;

impl Runtime {
    /// Bytes of an element, as the library says (`aclDataTypeSize`); [`DataType::size`] says the same without it.
    ///
    /// ```
    /// use ascendcl::{Backend, DataType, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// assert_eq!(runtime.data_type_size(DataType::Bf16)?, DataType::Bf16.size());
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingSymbol`](crate::Error::MissingSymbol) if the library does not have the function.
    pub fn data_type_size(&self, data_type: DataType) -> Result<usize> {
        self.acl().data_type_size(data_type.to_acl())
    }

    /// Widens a number as the library does (`aclFloat16ToFloat`).
    ///
    /// # Errors
    /// As [`data_type_size`](Self::data_type_size).
    pub fn half_to_float(&self, value: f16) -> Result<f32> {
        self.acl().half_to_float(value.to_bits())
    }

    /// Rounds a number as the library does (`aclFloatToFloat16`).
    ///
    /// # Errors
    /// As [`data_type_size`](Self::data_type_size).
    pub fn float_to_half(&self, value: f32) -> Result<f16> {
        self.acl().float_to_half(value).map(f16::from_bits)
    }
}
