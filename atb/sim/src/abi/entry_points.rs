//! C functions of newer versions of ATB (`atb_acl.h` there), of which the simulator has those of MlaPreprocess.

use std::ffi::{c_char, c_void};
use std::ptr;

use ascendcl_sys::{ACL_DT_UNDEFINED, ACL_FORMAT_UNDEFINED, ACL_SUCCESS};
use atb_sys::{aclTensor, atb_context, atb_mla_preprocess_param, atb_operation};

use super::abi;
use super::argument::{Argument, In, Tensor, member};
use super::parameters::new_mla_preprocess;
use crate::context::{ACL, CONTEXTS};
use crate::execution::{LiveOperation, OPERATIONS, Workspace};
use crate::operator::{Result, refuse};
use crate::ops::mla_preprocess::{CACHE_INT8_NZ, CACHE_KV, QUANT_PER_TENSOR, QUANT_PER_TOKEN, QUANT_UNQUANT};
use crate::tensor::TensorDesc;
use crate::tensor_check::{self, MAX_DIMENSIONS};

pub(super) unsafe extern "C" fn entryPoint(name: *const c_char) -> *mut c_void {
    // SAFETY: The caller keeps the contract of the C function: the name is null or a C string.
    let name = unsafe { name.receive("name") };
    match name.text().as_deref() {
        Ok("AtbMLAPreprocessGetWorkspaceSize") => AtbMLAPreprocessGetWorkspaceSize as *mut c_void,
        Ok("AtbMLAPreprocess") => AtbMLAPreprocess as *mut c_void,
        _ => ptr::null_mut(),
    }
}

abi! {
    /// Makes the operation if `*op` is null, and sets it up. With an operation, only its own parameter counts; which tensors
    /// are passed on depends on the modes of this call all the same.
    fn AtbMLAPreprocessGetWorkspaceSize(
        input: *const aclTensor,
        gamma0: *const aclTensor,
        beta0: *const aclTensor,
        quantScale0: *const aclTensor,
        quantOffset0: *const aclTensor,
        wdqkv: *const aclTensor,
        deScale0: *const aclTensor,
        bias0: *const aclTensor,
        gamma1: *const aclTensor,
        beta1: *const aclTensor,
        quantScale1: *const aclTensor,
        quantOffset1: *const aclTensor,
        wuq: *const aclTensor,
        deScale1: *const aclTensor,
        bias1: *const aclTensor,
        gamma2: *const aclTensor,
        cos: *const aclTensor,
        sin: *const aclTensor,
        wuk: *const aclTensor,
        kvCache: *const aclTensor,
        kvCacheRope: *const aclTensor,
        slotmapping: *const aclTensor,
        ctkvScale: *const aclTensor,
        qNopeScale: *const aclTensor,
        wdqDim: u32,
        qRopeDim: u32,
        kRopeDim: u32,
        epsilon: f32,
        qRotaryCoeff: u32,
        kRotaryCoeff: u32,
        transposeWdq: bool,
        transposeWuq: bool,
        transposeWuk: bool,
        cacheMode: u8,
        quantMode: u16,
        qOut0: *mut aclTensor,
        kvCacheOut0: *mut aclTensor,
        qOut1: *mut aclTensor,
        kvCacheOut1: *mut aclTensor,
        workspaceSize: *mut u64,
        op: *mut *mut atb_operation,
        context: *mut atb_context,
    ) {
        if !op.is_null() && op.get()?.is_null() {
            let param = atb_mla_preprocess_param {
                wdqDim,
                qRopeDim,
                kRopeDim,
                epsilon,
                qRotaryCoeff: qRotaryCoeff as i32,
                kRotaryCoeff: kRotaryCoeff as i32,
                transposeWdq,
                transposeWuq,
                transposeWuk,
                cacheMode,
                quantMode,
            };
            op.set(OPERATIONS.add(LiveOperation::new(new_mla_preprocess(&param)?)))?;
        }
        let is_per_tensor = quantMode == QUANT_PER_TENSOR;
        let has_bias = quantMode != QUANT_PER_TOKEN && quantMode != QUANT_UNQUANT;
        let is_split = cacheMode != CACHE_KV;
        let is_int8_cache = cacheMode == CACHE_INT8_NZ;
        let inputs = [
            (input, true),
            (gamma0, true),
            (beta0, true),
            (quantScale0, is_per_tensor),
            (quantOffset0, is_per_tensor),
            (wdqkv, true),
            (deScale0, true),
            (bias0, has_bias),
            (gamma1, true),
            (beta1, true),
            (quantScale1, is_per_tensor),
            (quantOffset1, is_per_tensor),
            (wuq, true),
            (deScale1, true),
            (bias1, has_bias),
            (gamma2, true),
            (cos, true),
            (sin, true),
            (wuk, true),
            (kvCache, true),
            (kvCacheRope, is_split),
            (slotmapping, true),
            (ctkvScale, is_int8_cache),
            (qNopeScale, is_int8_cache),
        ];
        let inputs = inputs.map(|(tensor, passed)| convert(if passed { tensor.raw() } else { ptr::null() }));
        let inputs = inputs.into_iter().collect::<Result<Vec<Tensor>>>()?;
        let outputs = [qOut0, kvCacheOut0, qOut1, kvCacheOut1];
        let outputs = outputs.iter().take(if is_split { 4 } else { 2 });
        let outputs = outputs.map(|tensor| convert(tensor.raw())).collect::<Result<Vec<Tensor>>>()?;
        if op.is_null() {
            return Err(refuse!(ATB_ERROR_INVALID_OPERATION_ADDR, "the place of the operation is null"));
        }
        let operation = OPERATIONS.get(op.get()?)?;
        workspaceSize.required()?;
        if context.is_null() {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the context is null"));
        }
        let context = CONTEXTS.get(context.raw())?;
        workspaceSize.set(operation.set_up(&inputs, &outputs, &context)?)
    }

    /// Queues the work on the tensors that it was set up with.
    fn AtbMLAPreprocess(
        workspace: *mut c_void,
        workspaceSize: u64,
        op: *mut atb_operation,
        context: *mut atb_context,
    ) {
        if op.is_null() {
            return Err(refuse!(ATB_ERROR_INVALID_OPERATION_ADDR, "the operation is null"));
        }
        let operation = OPERATIONS.get(op.raw())?;
        if context.is_null() {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "the context is null"));
        }
        let context = CONTEXTS.get(context.raw())?;
        let workspace = Workspace { address: workspace.raw().expose_provenance(), size: workspaceSize };
        operation.execute(&[], &[], workspace, &context)
    }
}

/// A tensor of AscendCL's operator library as one of ATB, of the shape that it is viewed in; null is one that is left out.
fn convert(tensor: *const aclTensor) -> Result<Tensor> {
    // SAFETY: There is no host memory.
    let host: In<u8> = unsafe { member(ptr::null(), "hostData") };
    if tensor.is_null() {
        return Ok(Tensor { desc: TensorDesc::none(), address: 0, host, size: 0 });
    }
    let tensor: *const ascendcl_sys::aclTensor = tensor.cast();
    let shape = view_shape(tensor)?;
    let (mut dtype, mut format, mut address) = (ACL_DT_UNDEFINED, ACL_FORMAT_UNDEFINED, ptr::null_mut());
    // SAFETY: The simulator looks tensors up, and the pointers are to variables.
    let (has_dtype, has_format, has_address) = unsafe {
        (
            ACL.aclGetDataType(tensor, &mut dtype),
            ACL.aclGetFormat(tensor, &mut format),
            ACL.aclGetRawTensorAddr(tensor, &mut address),
        )
    };
    if !matches!(has_dtype, Ok(ACL_SUCCESS)) {
        return Err(refuse!(ATB_ERROR_INVALID_TENSOR_DTYPE, "AscendCL does not tell the type of a tensor"));
    }
    if !matches!(has_format, Ok(ACL_SUCCESS)) {
        return Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_FORMAT,
            "AscendCL does not tell the format of a tensor"
        ));
    }
    if !matches!(has_address, Ok(ACL_SUCCESS)) {
        return Err(refuse!(ATB_ERROR_INVALID_TENSOR_ADDR, "AscendCL does not tell where a tensor is"));
    }
    let desc = TensorDesc { dtype, format, shape };
    let size = tensor_check::byte_count(&desc);
    Ok(Tensor { desc, address: address.expose_provenance(), host, size })
}

fn view_shape(tensor: *const ascendcl_sys::aclTensor) -> Result<Vec<i64>> {
    let (mut dims, mut number) = (ptr::null_mut(), 0);
    // SAFETY: As above.
    let result = unsafe { ACL.aclGetViewShape(tensor, &mut dims, &mut number) };
    if !matches!(result, Ok(ACL_SUCCESS)) {
        return Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "AscendCL does not tell the shape of a tensor"));
    }
    // SAFETY: The function answers an array of this length, which is the caller's.
    let shape = unsafe { std::slice::from_raw_parts(dims, number as usize) }.to_vec();
    // SAFETY: The simulator allocates the array by `malloc`, and nobody else has it.
    unsafe { libc::free(dims.cast()) };
    if shape.len() > MAX_DIMENSIONS {
        return Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_DIM,
            "a tensor has {} dimensions, and ATB takes {MAX_DIMENSIONS}",
            shape.len()
        ));
    }
    Ok(shape)
}
