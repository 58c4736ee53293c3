//! How fields become C's and back.

use ascendcl::DataType;

use crate::error::{Error, Result};
use crate::tensor::dtype_of;

/// A field that is another type in C.
pub(crate) trait Field<Raw>: Sized {
    fn to_raw(&self) -> Raw;
    fn from_raw(raw: Raw) -> Result<Self>;
}

macro_rules! same {
    ($($ty:ty),*) => {$(
        impl Field<$ty> for $ty {
            fn to_raw(&self) -> $ty {
                *self
            }

            fn from_raw(raw: $ty) -> Result<Self> {
                Ok(raw)
            }
        }
    )*};
}

same!(bool, i32, i64, u32, f32, f64, [i64; 2]);

/// `ACL_DT_UNDEFINED` is -1.
impl Field<i32> for Option<DataType> {
    fn to_raw(&self) -> i32 {
        self.map_or(-1, |dtype| dtype.to_acl().0)
    }

    fn from_raw(raw: i32) -> Result<Self> {
        match raw {
            -1 => Ok(None),
            number => dtype_of(number).map(Some).ok_or_else(|| unknown("data type", number.into())),
        }
    }
}

pub(crate) fn unknown(what: &str, got: i64) -> Error {
    Error::tensor(format_args!("{what} of a parameter"), "a value that is known here", got)
}

/// An enum of C++ with its numbers.
macro_rules! c_enum {
    ($(#[$doc:meta])* $Name:ident: $Raw:ty { $($(#[$variant_doc:meta])* $Variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $Name {
            $($(#[$variant_doc])* $Variant,)*
        }

        impl $crate::param::fields::Field<$Raw> for $Name {
            fn to_raw(&self) -> $Raw {
                match self {
                    $(Self::$Variant => $value,)*
                }
            }

            fn from_raw(raw: $Raw) -> $crate::error::Result<Self> {
                match raw {
                    $($value => Ok(Self::$Variant),)*
                    other => Err($crate::param::fields::unknown(stringify!($Name), other.into())),
                }
            }
        }
    };
}

/// Makes a structure of plain fields a parameter: `Rust type: C type "name" { field: cField, .. }`.
macro_rules! plain_param {
    ($Name:ident: $Raw:ident, $name:literal, addresses: $addresses:literal {
        $($field:ident: $raw_field:ident),* $(,)?
    }) => {
        impl $crate::param::Param for $Name {}

        impl $crate::param::OpParam for $Name {
            const NAME: &'static str = $name;
            const ADDRESSES: bool = $addresses;
            type Raw = atb_sys::$Raw;

            fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R {
                call(&atb_sys::$Raw { $($raw_field: $crate::param::fields::Field::to_raw(&self.$field)),* })
            }

            fn from_raw(raw: &Self::Raw) -> $crate::error::Result<Self> {
                Ok(Self { $($field: $crate::param::fields::Field::from_raw(raw.$raw_field)?),* })
            }
        }
    };
}
