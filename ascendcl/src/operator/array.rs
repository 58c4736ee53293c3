//! Arrays of numbers and truth values.

use std::fmt;

use ascendcl_sys as sys;

use super::{Operators, Owned};
use crate::error::Result;
use crate::raw::operator::ArrayElement;

macro_rules! arrays {
    ($($(#[$doc:meta])* $Array:ident($element:ty, $raw:ident), $(#[$make_doc:meta])* $make:ident;)*) => {$(
        $(#[$doc])*
        pub struct $Array {
            owned: Owned<sys::$raw>,
        }

        impl Operators {
            $(#[$make_doc])*
            ///
            /// # Errors
            /// [`Error::Acl`](crate::Error::Acl) from the library, [`Error::MissingSymbol`](crate::Error::MissingSymbol)
            /// if it is not installed.
            pub fn $make(&self, values: &[$element]) -> Result<$Array> {
                let raw = <$element>::create(self.acl()?, values)?;
                // SAFETY: just made.
                Ok($Array { owned: unsafe { Owned::new(self, raw) } })
            }
        }

        impl $Array {
            #[doc = concat!("How many values there are (`aclGet", stringify!($Array), "Size`).")]
            ///
            /// # Errors
            /// [`Error::Acl`](crate::Error::Acl) from the library.
            pub fn len(&self) -> Result<usize> {
                self.owned.len()
            }

            /// Whether there is no value.
            ///
            /// # Errors
            /// As [`len`](Self::len).
            pub fn is_empty(&self) -> Result<bool> {
                Ok(self.len()? == 0)
            }

            /// The handle, for an operator's C functions; alive as long as `self`.
            pub fn as_raw(&self) -> *mut sys::$raw {
                self.owned.raw.as_ptr()
            }
        }

        impl fmt::Debug for $Array {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:p})", stringify!($Array), self.as_raw())
            }
        }
    )*};
}

arrays! {
    /// An array of integers for an operator (`aclIntArray`), such as a shape or axes.
    IntArray(i64, aclIntArray),
    /// Copies integers into an array for an operator (`aclCreateIntArray`).
    int_array;

    /// An array of floats for an operator (`aclFloatArray`).
    FloatArray(f32, aclFloatArray),
    /// Copies floats into an array for an operator (`aclCreateFloatArray`).
    float_array;

    /// An array of truth values for an operator (`aclBoolArray`).
    BoolArray(bool, aclBoolArray),
    /// Copies truth values into an array for an operator (`aclCreateBoolArray`).
    bool_array;
}
