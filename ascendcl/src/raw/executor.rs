//! Executors of `aclnn` operators, and more about their operands.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};

use ascendcl_sys as sys;

use super::cxx::take_array;
use super::operator::{Layout, Operand};
use super::{Acl, call};
use crate::error::Result;

impl Operand for sys::aclOpExecutor {
    /// `aclDestroyAclOpExecutor`, for repeatable ones.
    unsafe fn destroy(acl: &Acl, executor: NonNull<Self>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(acl, aclDestroyAclOpExecutor(executor.as_ptr())) }
    }
}

/// Calls a function that sets an address of an executor.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident => $function:ident($($index:ident),+; $object:ident);)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// Executor and operand are alive, and the operand is the one that the executor was made with at this index.
        pub(crate) unsafe fn $name(
            &self,
            executor: NonNull<sys::aclOpExecutor>,
            $($index: usize,)+
            operand: *mut sys::$object,
            address: *mut c_void,
        ) -> Result<()> {
            // SAFETY: the caller's promise is the function's contract; the address is noted.
            unsafe { call!(self, $function(executor.as_ptr(), $($index,)+ operand, address)) }
        }
    )*};
}

impl Acl {
    setters! {
        /// `aclSetInputTensorAddr`.
        set_input_address => aclSetInputTensorAddr(index; aclTensor);
        /// `aclSetOutputTensorAddr`.
        set_output_address => aclSetOutputTensorAddr(index; aclTensor);
        /// `aclSetTensorAddr`, which counts inputs and outputs together.
        set_operand_address => aclSetTensorAddr(index; aclTensor);
        /// `aclSetDynamicInputTensorAddr`, of a member of a list.
        set_input_member_address => aclSetDynamicInputTensorAddr(index, member; aclTensorList);
        /// `aclSetDynamicOutputTensorAddr`, of a member of a list.
        set_output_member_address => aclSetDynamicOutputTensorAddr(index, member; aclTensorList);
        /// `aclSetDynamicTensorAddr`, of a member of a list; counts inputs and outputs together.
        set_operand_member_address => aclSetDynamicTensorAddr(index, member; aclTensorList);
    }

    /// `aclSetAclOpExecutorRepeatable`.
    ///
    /// # Safety
    /// The executor is alive and was not executed yet.
    pub(crate) unsafe fn make_repeatable(&self, executor: NonNull<sys::aclOpExecutor>) -> Result<()> {
        // SAFETY: the caller's promise is the function's contract.
        unsafe { call!(self, aclSetAclOpExecutorRepeatable(executor.as_ptr())) }
    }

    /// `aclInitTensor`, which describes a tensor anew.
    ///
    /// # Safety
    /// The tensor is alive, and the layout has as many strides as its view has dimensions.
    pub(crate) unsafe fn init_tensor(
        &self,
        tensor: NonNull<sys::aclTensor>,
        layout: &Layout,
        data_type: sys::aclDataType,
        format: sys::aclFormat,
        address: *mut c_void,
    ) -> Result<()> {
        let Layout { view, strides, offset, storage } = layout;
        // SAFETY: as many numbers as said are valid, for the strides by the caller's promise; the function copies them.
        unsafe {
            call!(
                self,
                aclInitTensor(
                    tensor.as_ptr(),
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
            )
        }
    }

    /// `aclGetViewShape`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_view_shape(&self, tensor: NonNull<sys::aclTensor>) -> Result<Vec<i64>> {
        let (mut array, mut count) = (ptr::null_mut(), 0);
        // SAFETY: valid out-pointers; the caller promises that the tensor is alive.
        unsafe { call!(self, aclGetViewShape(tensor.as_ptr(), &mut array, &mut count)) }?;
        // SAFETY: the answer is an array that its receiver frees by `delete[]` (aclnn docs).
        Ok(unsafe { take_array(array, count) })
    }

    /// `aclGetViewStrides`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_strides(&self, tensor: NonNull<sys::aclTensor>) -> Result<Vec<i64>> {
        let (mut array, mut count) = (ptr::null_mut(), 0);
        // SAFETY: valid out-pointers; the caller promises that the tensor is alive.
        unsafe { call!(self, aclGetViewStrides(tensor.as_ptr(), &mut array, &mut count)) }?;
        // SAFETY: as in `tensor_view_shape`.
        Ok(unsafe { take_array(array, count) })
    }

    /// `aclGetStorageShape`.
    ///
    /// # Safety
    /// The tensor is alive.
    pub(crate) unsafe fn tensor_storage_shape(&self, tensor: NonNull<sys::aclTensor>) -> Result<Vec<i64>> {
        let (mut array, mut count) = (ptr::null_mut(), 0);
        // SAFETY: valid out-pointers; the caller promises that the tensor is alive.
        unsafe { call!(self, aclGetStorageShape(tensor.as_ptr(), &mut array, &mut count)) }?;
        // SAFETY: as in `tensor_view_shape`.
        Ok(unsafe { take_array(array, count) })
    }

    /// `aclDumpOpTensors` (since 9.1), of inputs and then outputs.
    ///
    /// # Safety
    /// The tensors and the stream are alive, and the tensors' memory is valid to read, until the stream has done it.
    pub(crate) unsafe fn dump_tensors(
        &self,
        [operator, name]: [&CStr; 2],
        tensors: &mut [*mut sys::aclTensor],
        inputs: usize,
        stream: sys::aclrtStream,
    ) -> Result<()> {
        let (outputs, array) = (tensors.len().saturating_sub(inputs), tensors.as_mut_ptr());
        let (operator, name) = (operator.as_ptr(), name.as_ptr());
        // SAFETY: two C strings, and an array of so many tensors; the caller's promise for the rest.
        unsafe { call!(self, aclDumpOpTensors(operator, name, array, inputs, outputs, stream)) }
    }

    /// `aclDataTypeSize`, in bytes; 0 for types that have no such size.
    pub(crate) fn data_type_size(&self, data_type: sys::aclDataType) -> Result<usize> {
        // SAFETY: takes a number.
        Ok(unsafe { self.functions.aclDataTypeSize(data_type) }?)
    }

    /// `aclFloat16ToFloat`.
    pub(crate) fn half_to_float(&self, value: sys::aclFloat16) -> Result<f32> {
        // SAFETY: takes a number.
        Ok(unsafe { self.functions.aclFloat16ToFloat(value) }?)
    }

    /// `aclFloatToFloat16`.
    pub(crate) fn float_to_half(&self, value: f32) -> Result<sys::aclFloat16> {
        // SAFETY: takes a number.
        Ok(unsafe { self.functions.aclFloatToFloat16(value) }?)
    }
}
