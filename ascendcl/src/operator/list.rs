//! Lists of tensors and scalars.
//!
//! A list destroys its members with itself (aclnn docs: `aclDestroyTensorList`, "need not be destroyed again"), so
//! it takes them over.

use std::fmt;
use std::marker::PhantomData;

use ascendcl_sys as sys;

use super::{OpScalar, OpTensor, Operators, Owned};
use crate::error::Result;
use crate::raw::operator::Operand;
use crate::tensor::Tensor;

/// A list of tensors for an operator (`aclTensorList`), which owns them and borrows their memory.
pub struct TensorList<'t> {
    pub(super) owned: Owned<sys::aclTensorList>,
    tensors: PhantomData<&'t Tensor>,
}

/// A list of numbers for an operator (`aclScalarList`), which owns them.
pub struct ScalarList {
    owned: Owned<sys::aclScalarList>,
}

impl Operators {
    /// A list of tensors for an operator (`aclCreateTensorList`).
    ///
    /// ```
    /// use ascendcl::{Backend, Format, Operators, Runtime};
    /// let runtime = Runtime::with_backend(Backend::Sim)?;
    /// let stream = runtime.device(0)?.stream()?;
    /// let tensors = [stream.tensor_from(&[1u8, 2], Format::Nd, &[2])?, stream.tensor_from(&[3u8], Format::Nd, &[1])?];
    /// let operators = Operators::new(&runtime)?;
    /// let members = tensors.iter().map(|tensor| operators.tensor(tensor)).collect::<ascendcl::Result<_>>()?;
    /// assert_eq!(operators.tensor_list(members)?.len()?, 2);
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if a member was made by another runtime's operator library,
    /// [`Error::Acl`](crate::Error::Acl) from the library, [`Error::MissingSymbol`](crate::Error::MissingSymbol) if it is
    /// not installed.
    pub fn tensor_list<'t>(&self, members: Vec<OpTensor<'t>>) -> Result<TensorList<'t>> {
        let members: Vec<_> = members.into_iter().map(|member| member.owned).collect();
        let raw = self.members("member of the tensor list", &members)?;
        // SAFETY: the members are alive, and forgotten below when the list owns them.
        let list = unsafe { self.acl()?.create_tensor_list(&raw) }?;
        members.into_iter().for_each(Owned::give_up);
        // SAFETY: just made.
        Ok(TensorList { owned: unsafe { Owned::new(self, list) }, tensors: PhantomData })
    }

    /// A list of numbers for an operator (`aclCreateScalarList`).
    ///
    /// # Errors
    /// As [`tensor_list`](Self::tensor_list).
    pub fn scalar_list(&self, members: Vec<OpScalar>) -> Result<ScalarList> {
        let members: Vec<_> = members.into_iter().map(|member| member.owned).collect();
        let raw = self.members("member of the scalar list", &members)?;
        // SAFETY: as in `tensor_list`.
        let list = unsafe { self.acl()?.create_scalar_list(&raw) }?;
        members.into_iter().for_each(Owned::give_up);
        // SAFETY: just made.
        Ok(ScalarList { owned: unsafe { Owned::new(self, list) } })
    }

    fn members<P: Operand>(&self, what: &'static str, members: &[Owned<P>]) -> Result<Vec<*const P>> {
        members
            .iter()
            .map(|member| {
                self.check_runtime(what, member.operators.runtime())?;
                Ok(member.raw.as_ptr().cast_const())
            })
            .collect()
    }
}

macro_rules! lists {
    ($($List:ident $(<$life:lifetime>)?: $raw:ident, $len:literal;)*) => {$(
        impl $List $(<$life>)? {
            #[doc = concat!("How many members there are (`", $len, "`).")]
            ///
            /// # Errors
            /// [`Error::Acl`](crate::Error::Acl) from the library.
            pub fn len(&self) -> Result<usize> {
                self.owned.len()
            }

            /// Whether there is no member.
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

        impl fmt::Debug for $List $(<$life>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:p})", stringify!($List), self.as_raw())
            }
        }
    )*};
}

lists! {
    TensorList<'_>: aclTensorList, "aclGetTensorListSize";
    ScalarList: aclScalarList, "aclGetScalarListSize";
}
