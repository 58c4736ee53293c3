//! Calls of the simulator's own operators, in two phases, on tensors that own their memory.
#![allow(dead_code, reason = "no test file uses everything")]

use std::ffi::{CStr, c_void};
use std::ptr;

use ascendcl_sys::*;
use half::{bf16, f16};

use crate::common::{download, malloc, message, stream, upload};

pub type Second = unsafe extern "C" fn(*mut c_void, u64, *mut aclOpExecutor, aclrtStream) -> i32;
pub type Add = unsafe extern "C" fn(
    *const aclTensor,
    *const aclTensor,
    *const aclScalar,
    *mut aclTensor,
    *mut u64,
    *mut *mut aclOpExecutor,
) -> i32;
pub type Mul = unsafe extern "C" fn(
    *const aclTensor,
    *const aclTensor,
    *mut aclTensor,
    *mut u64,
    *mut *mut aclOpExecutor,
) -> i32;
pub type Matmul = unsafe extern "C" fn(
    *const aclTensor,
    *const aclTensor,
    *mut aclTensor,
    i8,
    *mut u64,
    *mut *mut aclOpExecutor,
) -> i32;

/// A function of the simulator, of the type of its declaration in `include/aclnnop`.
macro_rules! function {
    ($name:literal as $type:ty) => {{
        let address = ascendcl_sim::resolve($name).unwrap();
        // SAFETY: The type is that of the declaration.
        unsafe { std::mem::transmute::<ptr::NonNull<c_void>, $type>(address) }
    }};
}

/// The codes of element types.
pub fn bytes_of(data_type: aclDataType, values: &[f64]) -> Vec<u8> {
    let bytes = |&value: &f64| match data_type {
        ACL_FLOAT => (value as f32).to_ne_bytes().to_vec(),
        ACL_FLOAT16 => f16::from_f64(value).to_ne_bytes().to_vec(),
        ACL_BF16 => bf16::from_f64(value).to_ne_bytes().to_vec(),
        ACL_INT32 => (value as i32).to_ne_bytes().to_vec(),
        _ => panic!("no type of these tests"),
    };
    values.iter().flat_map(bytes).collect()
}

pub fn values_of(data_type: aclDataType, bytes: &[u8]) -> Vec<f64> {
    match data_type {
        ACL_FLOAT => bytes.as_chunks().0.iter().map(|&b| f32::from_ne_bytes(b).into()).collect(),
        ACL_FLOAT16 => bytes.as_chunks().0.iter().map(|&b| f16::from_ne_bytes(b).into()).collect(),
        ACL_BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_ne_bytes(b).into()).collect(),
        ACL_INT32 => bytes.as_chunks().0.iter().map(|&b| i32::from_ne_bytes(b).into()).collect(),
        _ => panic!("no type of these tests"),
    }
}

/// Device memory and a view of it.
pub struct Tensor {
    pub data_type: aclDataType,
    pub memory: *mut c_void,
    pub length: usize,
    pub handle: *mut aclTensor,
}

impl Tensor {
    pub fn new(data_type: aclDataType, shape: &[i64], values: &[f64]) -> Self {
        assert_eq!(shape.iter().product::<i64>() as usize, values.len());
        Self::view(data_type, values, shape, None, 0)
    }

    pub fn view(
        data_type: aclDataType,
        values: &[f64],
        shape: &[i64],
        strides: Option<&[i64]>,
        offset: i64,
    ) -> Self {
        let bytes = bytes_of(data_type, values);
        let memory = malloc(bytes.len().max(1));
        if !bytes.is_empty() {
            upload(memory, &bytes);
        }
        let storage = [values.len() as i64];
        let handle = code!(aclCreateTensor(
            shape.as_ptr(),
            shape.len() as u64,
            data_type,
            strides.map_or(ptr::null(), <[i64]>::as_ptr),
            offset,
            ACL_FORMAT_ND,
            storage.as_ptr(),
            1,
            memory
        ));
        assert!(!handle.is_null(), "{}", message());
        Self { data_type, memory, length: bytes.len(), handle }
    }

    pub fn values(&self) -> Vec<f64> {
        if self.length == 0 {
            return Vec::new();
        }
        values_of(self.data_type, &download(self.memory, self.length))
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        ok!(aclDestroyTensor(self.handle));
        ok!(aclrtFree(self.memory));
    }
}

pub fn scalar(value: f32) -> *mut aclScalar {
    let mut value = value;
    code!(aclCreateScalar((&raw mut value).cast(), ACL_FLOAT))
}

pub fn int_scalar(value: i64) -> *mut aclScalar {
    let mut value = value;
    code!(aclCreateScalar((&raw mut value).cast(), ACL_INT64))
}

/// The second phase, with a workspace and a stream of the caller's.
pub fn second(
    name: &CStr,
    workspace: *mut c_void,
    size: u64,
    executor: *mut aclOpExecutor,
    stream: aclrtStream,
) -> i32 {
    // SAFETY: All second phases have this type.
    let second: Second = unsafe { std::mem::transmute(ascendcl_sim::resolve(name).unwrap()) };
    // SAFETY: The handles are the simulator's, or tested as wrong ones.
    unsafe { second(workspace, size, executor, stream) }
}

/// Runs the second phase with a workspace, and waits.
pub fn run(name: &CStr, size: u64, executor: *mut aclOpExecutor) -> i32 {
    let stream = stream();
    let workspace = if size > 0 { malloc(size as usize) } else { ptr::null_mut() };
    let code = second(name, workspace, size, executor, stream);
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtDestroyStream(stream));
    if size > 0 {
        ok!(aclrtFree(workspace));
    }
    code
}

pub fn add_first(
    a: &Tensor,
    b: &Tensor,
    alpha: *mut aclScalar,
    out: &Tensor,
) -> (i32, u64, *mut aclOpExecutor) {
    let (mut size, mut executor) = (u64::MAX, ptr::null_mut());
    let first = function!(c"aclnnAddGetWorkspaceSize" as Add);
    // SAFETY: The handles are the simulator's.
    let code = unsafe { first(a.handle, b.handle, alpha, out.handle, &mut size, &mut executor) };
    (code, size, executor)
}

pub fn mul_first(a: &Tensor, b: &Tensor, out: &Tensor) -> (i32, u64, *mut aclOpExecutor) {
    let (mut size, mut executor) = (u64::MAX, ptr::null_mut());
    let first = function!(c"aclnnMulGetWorkspaceSize" as Mul);
    // SAFETY: The handles are the simulator's.
    let code = unsafe { first(a.handle, b.handle, out.handle, &mut size, &mut executor) };
    (code, size, executor)
}

pub fn matmul_first(a: &Tensor, b: &Tensor, out: &Tensor, math: i8) -> (i32, u64, *mut aclOpExecutor) {
    let (mut size, mut executor) = (u64::MAX, ptr::null_mut());
    let first = function!(c"aclnnMatmulGetWorkspaceSize" as Matmul);
    // SAFETY: The handles are the simulator's.
    let code = unsafe { first(a.handle, b.handle, out.handle, math, &mut size, &mut executor) };
    (code, size, executor)
}

pub fn add(a: &Tensor, b: &Tensor, alpha: *mut aclScalar, out: &Tensor) -> Vec<f64> {
    let (code, size, executor) = add_first(a, b, alpha, out);
    assert_eq!(code, 0, "{}", message());
    assert_eq!(run(c"aclnnAdd", size, executor), 0, "{}", message());
    ok!(aclDestroyScalar(alpha));
    out.values()
}

pub fn mul(a: &Tensor, b: &Tensor, out: &Tensor) -> Vec<f64> {
    let (code, size, executor) = mul_first(a, b, out);
    assert_eq!(code, 0, "{}", message());
    assert_eq!(run(c"aclnnMul", size, executor), 0, "{}", message());
    out.values()
}

pub fn matmul(a: &Tensor, b: &Tensor, out: &Tensor, math: i8) -> Vec<f64> {
    let (code, size, executor) = matmul_first(a, b, out, math);
    assert_eq!(code, 0, "{}", message());
    assert_eq!(run(c"aclnnMatmul", size, executor), 0, "{}", message());
    out.values()
}
