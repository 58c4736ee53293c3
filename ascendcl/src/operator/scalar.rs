//! Scalars.

use std::fmt;

use ascendcl_sys as sys;

use super::{Operators, Owned};
use crate::dtype::{DataType, Element};
use crate::error::Result;

/// A number for an operator (`aclScalar`).
pub struct OpScalar {
    pub(super) owned: Owned<sys::aclScalar>,
    dtype: DataType,
}

impl Operators {
    /// A number for an operator, of the type of `value` (`aclCreateScalar`).
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library, [`Error::MissingSymbol`](crate::Error::MissingSymbol) if it is
    /// not installed.
    pub fn scalar<T: Element>(&self, value: T) -> Result<OpScalar> {
        // SAFETY: `value` is a value of its type.
        let raw = unsafe { self.acl()?.create_scalar((&raw const value).cast(), T::DATA_TYPE.to_acl()) }?;
        // SAFETY: just made.
        Ok(OpScalar { owned: unsafe { Owned::new(self, raw) }, dtype: T::DATA_TYPE })
    }
}

impl OpScalar {
    /// Type of the number.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// The handle, for an operator's C functions; alive as long as `self`.
    pub fn as_raw(&self) -> *mut sys::aclScalar {
        self.owned.raw.as_ptr()
    }
}

impl fmt::Debug for OpScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpScalar({:?} {:p})", self.dtype, self.as_raw())
    }
}
