//! What `aclnn` operators are called with: tensors, scalars, arrays and lists.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use ascendcl_sys as sys;

use super::{Acl, call};
use crate::error::Result;

/// How a tensor lies in its storage, in elements.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) view: Vec<i64>,
    pub(crate) strides: Vec<i64>,
    pub(crate) offset: i64,
    pub(crate) storage: Vec<i64>,
}

/// An object that operators are called with.
pub(crate) trait Operand: Sized {
    /// The type's destroy function.
    ///
    /// # Safety
    /// The object is alive, is not a member of a list, and is not used afterwards.
    unsafe fn destroy(acl: &Acl, object: NonNull<Self>) -> Result<()>;
}

/// An object that has members.
pub(crate) trait Sequence: Operand {
    /// The number of members.
    ///
    /// # Safety
    /// The object is alive.
    unsafe fn len(acl: &Acl, object: NonNull<Self>) -> Result<u64>;
}

macro_rules! operands {
    ($($Type:ident: $destroy:ident $(, $len:ident)?;)*) => {$(
        impl Operand for sys::$Type {
            unsafe fn destroy(acl: &Acl, object: NonNull<Self>) -> Result<()> {
                // SAFETY: the caller's promise is the function's contract.
                unsafe { call!(acl, $destroy(object.as_ptr())) }
            }
        }
        $(impl Sequence for sys::$Type {
            unsafe fn len(acl: &Acl, object: NonNull<Self>) -> Result<u64> {
                let mut len = 0;
                // SAFETY: the caller promises that the object is alive; a valid out-pointer.
                unsafe { call!(acl, $len(object.as_ptr(), &mut len)) }?;
                Ok(len)
            }
        })?
    )*};
}

operands! {
    aclTensor: aclDestroyTensor;
    aclScalar: aclDestroyScalar;
    aclIntArray: aclDestroyIntArray, aclGetIntArraySize;
    aclFloatArray: aclDestroyFloatArray, aclGetFloatArraySize;
    aclBoolArray: aclDestroyBoolArray, aclGetBoolArraySize;
    aclTensorList: aclDestroyTensorList, aclGetTensorListSize;
    aclScalarList: aclDestroyScalarList, aclGetScalarListSize;
}

/// An element type of arrays.
pub(crate) trait ArrayElement: Copy {
    type Array: Sequence;

    /// The array type's create function, which copies the values.
    fn create(acl: &Acl, values: &[Self]) -> Result<NonNull<Self::Array>>;
}

macro_rules! arrays {
    ($($element:ty => $Array:ident: $create:ident;)*) => {$(
        impl ArrayElement for $element {
            type Array = sys::$Array;

            fn create(acl: &Acl, values: &[Self]) -> Result<NonNull<Self::Array>> {
                // SAFETY: so many values are valid, and the function copies them.
                let array = unsafe { acl.functions.$create(values.as_ptr(), values.len() as u64) };
                acl.made(stringify!($create), array?)
            }
        }
    )*};
}

arrays! {
    i64 => aclIntArray: aclCreateIntArray;
    f32 => aclFloatArray: aclCreateFloatArray;
    bool => aclBoolArray: aclCreateBoolArray;
}

impl Acl {
    /// `aclnnInit` with defaults.
    pub(crate) fn init_operators(&self) -> Result<()> {
        // SAFETY: no settings file is the documented way to ask for defaults.
        unsafe { call!(self, aclnnInit(ptr::null())) }
    }

    /// `aclnnFinalize`.
    ///
    /// # Safety
    /// No object of this module is used afterwards.
    pub(crate) unsafe fn finalize_operators(&self) -> Result<()> {
        // SAFETY: the caller promises that no object survives.
        unsafe { call!(self, aclnnFinalize()) }
    }

    /// `aclCreateTensor`, which notes the address and touches nothing there.
    ///
    /// # Safety
    /// The layout has as many strides as its view has dimensions.
    pub(crate) unsafe fn create_tensor(
        &self,
        layout: &Layout,
        data_type: sys::aclDataType,
        format: sys::aclFormat,
        address: *mut c_void,
    ) -> Result<NonNull<sys::aclTensor>> {
        let Layout { view, strides, offset, storage } = layout;
        // SAFETY: as many numbers as said are valid, for the strides by the caller's promise; the function copies them.
        let tensor = unsafe {
            self.functions.aclCreateTensor(
                view.as_ptr(),
                view.len() as u64,
                data_type,
                strides.as_ptr(),
                *offset,
                format,
                storage.as_ptr(),
                storage.len() as u64,
                address,
            )
        };
        self.made("aclCreateTensor", tensor?)
    }

    /// `aclGetViewOffset`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_offset(&self, tensor: NonNull<sys::aclTensor>) -> Result<i64> {
        let mut offset = 0;
        // SAFETY: the caller promises that the tensor is alive; a valid out-pointer.
        unsafe { call!(self, aclGetViewOffset(tensor.as_ptr(), &mut offset)) }?;
        Ok(offset)
    }

    /// `aclGetFormat`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_format(&self, tensor: NonNull<sys::aclTensor>) -> Result<sys::aclFormat> {
        let mut format = sys::ACL_FORMAT_UNDEFINED;
        // SAFETY: the caller promises that the tensor is alive; a valid out-pointer.
        unsafe { call!(self, aclGetFormat(tensor.as_ptr(), &mut format)) }?;
        Ok(format)
    }

    /// `aclGetDataType`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_data_type(
        &self,
        tensor: NonNull<sys::aclTensor>,
    ) -> Result<sys::aclDataType> {
        let mut data_type = sys::ACL_DT_UNDEFINED;
        // SAFETY: the caller promises that the tensor is alive; a valid out-pointer.
        unsafe { call!(self, aclGetDataType(tensor.as_ptr(), &mut data_type)) }?;
        Ok(data_type)
    }

    /// `aclGetRawTensorAddr`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_address(&self, tensor: NonNull<sys::aclTensor>) -> Result<*mut c_void> {
        let mut address = ptr::null_mut();
        // SAFETY: the caller promises that the tensor is alive; a valid out-pointer.
        unsafe { call!(self, aclGetRawTensorAddr(tensor.as_ptr(), &mut address)) }?;
        Ok(address)
    }

    /// `aclSetRawTensorAddr`, which notes the address and touches nothing there.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn set_tensor_address(
        &self,
        tensor: NonNull<sys::aclTensor>,
        address: *mut c_void,
    ) -> Result<()> {
        // SAFETY: the caller promises that the tensor is alive.
        unsafe { call!(self, aclSetRawTensorAddr(tensor.as_ptr(), address)) }
    }

    /// `aclCreateScalar`.
    ///
    /// # Safety
    /// A value of the data type is valid to read at `value`.
    pub(crate) unsafe fn create_scalar(
        &self,
        value: *const c_void,
        data_type: sys::aclDataType,
    ) -> Result<NonNull<sys::aclScalar>> {
        // SAFETY: the caller promises a value, which the function copies; that its type is not `const` means nothing.
        let scalar = unsafe { self.functions.aclCreateScalar(value.cast_mut(), data_type) };
        self.made("aclCreateScalar", scalar?)
    }

    /// `aclCreateTensorList`.
    ///
    /// # Safety
    /// The tensors are alive. If a list is made, it owns them: they are destroyed with it.
    pub(crate) unsafe fn create_tensor_list(
        &self,
        tensors: &[*const sys::aclTensor],
    ) -> Result<NonNull<sys::aclTensorList>> {
        // SAFETY: so many tensors are valid; the caller promises that they are alive.
        let list = unsafe { self.functions.aclCreateTensorList(tensors.as_ptr(), tensors.len() as u64) };
        self.made("aclCreateTensorList", list?)
    }

    /// `aclCreateScalarList`.
    ///
    /// # Safety
    /// As [`create_tensor_list`](Self::create_tensor_list).
    pub(crate) unsafe fn create_scalar_list(
        &self,
        scalars: &[*const sys::aclScalar],
    ) -> Result<NonNull<sys::aclScalarList>> {
        // SAFETY: so many scalars are valid; the caller promises that they are alive.
        let list = unsafe { self.functions.aclCreateScalarList(scalars.as_ptr(), scalars.len() as u64) };
        self.made("aclCreateScalarList", list?)
    }

    /// What a create function answered: null is its only way to fail, and says no code.
    fn made<T>(&self, call: &'static str, object: *mut T) -> Result<NonNull<T>> {
        NonNull::new(object).ok_or_else(|| self.error(call, sys::ACL_ERROR_FAILURE))
    }
}
