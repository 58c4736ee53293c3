//! What `aclnn` operators are called with: tensors, scalars, arrays and lists.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::OnceLock;

use ascendcl_sys::*;

use super::data_type::bits;
use super::tensor_desc::MAX_DIMENSIONS;
use super::{In, Out, abi};
use crate::dump::View;
use crate::error::{Error, Result, failure, misuse};
use crate::init_file;
use crate::object::Objects;
use crate::simulator;

/// A pointer is null (AscendCL docs: return codes of the operator library).
pub(super) const NULL_POINTER: aclnnStatus = 161_001;
/// Another argument is wrong.
pub(super) const INVALID: aclnnStatus = 161_002;

pub(super) struct Tensor {
    pub(super) data_type: aclDataType,
    pub(super) format: aclFormat,
    pub(super) view: Vec<i64>,
    pub(super) strides: Vec<i64>,
    /// Of the first element, in elements from the start of the storage.
    pub(super) offset: i64,
    pub(super) storage: Vec<i64>,
    pub(super) address: usize,
}

/// The value of a scalar, as many bytes as its type has.
pub(super) struct Scalar {
    pub(super) data_type: aclDataType,
    pub(super) value: [u8; 16],
}

type Numbers<P, T> = Objects<P, Vec<T>>;

pub(super) static TENSORS: Objects<aclTensor, Tensor> = Objects::new("tensor");
pub(super) static SCALARS: Objects<aclScalar, Scalar> = Objects::new("scalar");
static INT_ARRAYS: Numbers<aclIntArray, i64> = Objects::new("array of integers");
static FLOAT_ARRAYS: Numbers<aclFloatArray, f32> = Objects::new("array of floats");
static BOOL_ARRAYS: Numbers<aclBoolArray, bool> = Objects::new("array of booleans");
pub(super) static TENSOR_LISTS: Objects<aclTensorList, Vec<usize>> = Objects::new("list of tensors");
static SCALAR_LISTS: Objects<aclScalarList, Vec<usize>> = Objects::new("list of scalars");

abi! {
    /// The file is checked, and has nothing for the simulator.
    pub fn aclnnInit(config_path: *const c_char) {
        simulator::get()?;
        if config_path.is_null() {
            return Ok(());
        }
        init_file::check_operator_file(&config_path.text()?).map_err(|error| Error { code: INVALID, ..error })
    }

    pub fn aclnnFinalize() {
        simulator::get().map(drop)
    }

    /// Without strides the view is contiguous.
    pub fn aclCreateTensor(
        view_dims: *const i64,
        view_dims_num: u64,
        data_type: aclDataType,
        stride: *const i64,
        offset: i64,
        format: aclFormat,
        storage_dims: *const i64,
        storage_dims_num: u64,
        tensor_data: *mut c_void,
    ) -> *mut aclTensor, else ptr::null_mut(); {
        let view = (&view_dims, view_dims_num);
        let storage = (&storage_dims, storage_dims_num);
        Ok(TENSORS.add(Tensor::new(view, data_type, &stride, offset, format, storage, tensor_data.raw())?))
    }

    pub fn aclInitTensor(
        tensor: *mut aclTensor,
        view_dims: *const i64,
        view_dims_num: u64,
        data_type: aclDataType,
        stride: *const i64,
        offset: i64,
        format: aclFormat,
        storage_dims: *const i64,
        storage_dims_num: u64,
        tensor_data_addr: *mut c_void,
    ) {
        let view = (&view_dims, view_dims_num);
        let storage = (&storage_dims, storage_dims_num);
        let new = Tensor::new(view, data_type, &stride, offset, format, storage, tensor_data_addr.raw())?;
        given(TENSORS.with(tensor.raw(), |tensor| *tensor = new))
    }

    pub fn aclDestroyTensor(tensor: *const aclTensor) {
        given(TENSORS.remove(tensor.raw())).map(drop)
    }

    pub fn aclGetViewShape(tensor: *const aclTensor, view_dims: *mut *mut i64, view_dims_num: *mut u64) {
        hand_out(&tensor, &view_dims, &view_dims_num, |tensor| &tensor.view)
    }

    pub fn aclGetStorageShape(
        tensor: *const aclTensor,
        storage_dims: *mut *mut i64,
        storage_dims_num: *mut u64,
    ) {
        hand_out(&tensor, &storage_dims, &storage_dims_num, |tensor| &tensor.storage)
    }

    pub fn aclGetViewStrides(
        tensor: *const aclTensor,
        strides_value: *mut *mut i64,
        strides_num: *mut u64,
    ) {
        hand_out(&tensor, &strides_value, &strides_num, |tensor| &tensor.strides)
    }

    pub fn aclGetViewOffset(tensor: *const aclTensor, offset: *mut i64) {
        answer(&offset, TENSORS.with(tensor.raw(), |tensor| tensor.offset))
    }

    pub fn aclGetFormat(tensor: *const aclTensor, format: *mut aclFormat) {
        answer(&format, TENSORS.with(tensor.raw(), |tensor| tensor.format))
    }

    pub fn aclGetDataType(tensor: *const aclTensor, data_type: *mut aclDataType) {
        answer(&data_type, TENSORS.with(tensor.raw(), |tensor| tensor.data_type))
    }

    pub fn aclSetRawTensorAddr(tensor: *mut aclTensor, addr: *mut c_void) {
        given(TENSORS.with(tensor.raw(), |tensor| tensor.address = addr.raw().expose_provenance()))
    }

    pub fn aclGetRawTensorAddr(tensor: *const aclTensor, addr: *mut *mut c_void) {
        let address = TENSORS.with(tensor.raw(), |tensor| ptr::with_exposed_provenance_mut(tensor.address));
        answer(&addr, address)
    }

    /// Copies the value.
    pub fn aclCreateScalar(value: *mut c_void, data_type: aclDataType) -> *mut aclScalar, else ptr::null_mut(); {
        let size = bits(data_type).filter(|bits| bits % 8 == 0).map(|bits| bits / 8).ok_or_else(|| Error {
            code: INVALID,
            ..misuse!(ACL_ERROR_INVALID_PARAM, "data type {} is not that of a scalar", data_type.0)
        })?;
        let mut scalar = Scalar { data_type, value: [0; 16] };
        let bytes = &mut scalar.value[..size];
        // SAFETY: Not null, hence a value of the data type that the program vouches for; none is longer than 16 bytes.
        unsafe { ptr::copy_nonoverlapping(not_null(&value)?.cast::<u8>(), bytes.as_mut_ptr(), size) };
        Ok(SCALARS.add(scalar))
    }

    pub fn aclDestroyScalar(scalar: *const aclScalar) {
        given(SCALARS.remove(scalar.raw())).map(drop)
    }

    pub fn aclCreateIntArray(value: *const i64, size: u64) -> *mut aclIntArray, else ptr::null_mut(); {
        Ok(INT_ARRAYS.add(elements(&value, size)?))
    }

    pub fn aclCreateFloatArray(value: *const f32, size: u64) -> *mut aclFloatArray, else ptr::null_mut(); {
        Ok(FLOAT_ARRAYS.add(elements(&value, size)?))
    }

    pub fn aclCreateBoolArray(value: *const bool, size: u64) -> *mut aclBoolArray, else ptr::null_mut(); {
        // As bytes: other values than 0 and 1 are true in C, and no `bool` in Rust.
        let bytes = In { pointer: value.raw().cast::<u8>(), name: "value" };
        Ok(BOOL_ARRAYS.add(elements(&bytes, size)?.into_iter().map(|byte| byte != 0).collect()))
    }

    pub fn aclDestroyIntArray(array: *const aclIntArray) {
        given(INT_ARRAYS.remove(array.raw())).map(drop)
    }

    pub fn aclDestroyFloatArray(array: *const aclFloatArray) {
        given(FLOAT_ARRAYS.remove(array.raw())).map(drop)
    }

    pub fn aclDestroyBoolArray(array: *const aclBoolArray) {
        given(BOOL_ARRAYS.remove(array.raw())).map(drop)
    }

    pub fn aclGetIntArraySize(array: *const aclIntArray, size: *mut u64) {
        answer(&size, INT_ARRAYS.with(array.raw(), |array| array.len() as u64))
    }

    pub fn aclGetFloatArraySize(array: *const aclFloatArray, size: *mut u64) {
        answer(&size, FLOAT_ARRAYS.with(array.raw(), |array| array.len() as u64))
    }

    pub fn aclGetBoolArraySize(array: *const aclBoolArray, size: *mut u64) {
        answer(&size, BOOL_ARRAYS.with(array.raw(), |array| array.len() as u64))
    }

    /// The list takes the tensors over: they end with it.
    pub fn aclCreateTensorList(
        value: *const *const aclTensor,
        size: u64,
    ) -> *mut aclTensorList, else ptr::null_mut(); {
        Ok(TENSOR_LISTS.add(members(&TENSORS, &value, size)?))
    }

    /// The list takes the scalars over: they end with it.
    pub fn aclCreateScalarList(
        value: *const *const aclScalar,
        size: u64,
    ) -> *mut aclScalarList, else ptr::null_mut(); {
        Ok(SCALAR_LISTS.add(members(&SCALARS, &value, size)?))
    }

    pub fn aclDestroyTensorList(array: *const aclTensorList) {
        let members = given(TENSOR_LISTS.remove(array.raw()))?;
        end(&TENSORS, &members.lock())
    }

    pub fn aclDestroyScalarList(array: *const aclScalarList) {
        let members = given(SCALAR_LISTS.remove(array.raw()))?;
        end(&SCALARS, &members.lock())
    }

    pub fn aclGetTensorListSize(tensor_list: *const aclTensorList, size: *mut u64) {
        answer(&size, TENSOR_LISTS.with(tensor_list.raw(), |list| list.len() as u64))
    }

    pub fn aclGetScalarListSize(scalar_list: *const aclScalarList, size: *mut u64) {
        answer(&size, SCALAR_LISTS.with(scalar_list.raw(), |list| list.len() as u64))
    }
}

impl Tensor {
    /// The tensor as it lies in memory, with the address and the bytes from its first element to its last.
    pub(super) fn view_in_memory(&self) -> std::result::Result<(View, (usize, usize)), String> {
        let sizes = |values: &[i64]| values.iter().map(|&value| usize::try_from(value)).collect();
        let (Ok(shape), Ok(strides), Ok(offset)) =
            (sizes(&self.view), sizes(&self.strides), usize::try_from(self.offset))
        else {
            return Err("the tensor has a negative size, stride or offset".to_owned());
        };
        let view = View { data_type: self.data_type, shape, strides };
        let (size, _) = view
            .element()
            .ok_or_else(|| format!("tensors of data type {} are not dumped", self.data_type.0))?;
        let length = view.span().and_then(|span| span.checked_mul(size));
        let start = offset.checked_mul(size).and_then(|offset| self.address.checked_add(offset));
        let (Some(start), Some(length)) = (start, length) else {
            return Err("the tensor is larger than any memory".to_owned());
        };
        Ok((view, (start, length)))
    }

    fn new(
        view: (&In<i64>, u64),
        data_type: aclDataType,
        strides: &In<i64>,
        offset: i64,
        format: aclFormat,
        storage: (&In<i64>, u64),
        data: *mut c_void,
    ) -> Result<Self> {
        let view = dimensions("view", view)?;
        let strides = if strides.is_null() {
            contiguous(&view)?
        } else {
            dimensions("stride", (strides, view.len() as u64))?
        };
        if offset < 0 {
            return Err(invalid(format!("the offset is negative: {offset}")));
        }
        let storage = dimensions("storage", storage)?;
        Ok(Self { data_type, format, view, strides, offset, storage, address: data.expose_provenance() })
    }
}

fn dimensions(name: &str, (values, count): (&In<i64>, u64)) -> Result<Vec<i64>> {
    let count = usize::try_from(count).ok().filter(|&count| count <= MAX_DIMENSIONS).ok_or_else(|| {
        invalid(format!("{name}: a shape has at most {MAX_DIMENSIONS} dimensions, not {count}"))
    })?;
    let values = given(values.to_vec(count))?;
    match values.iter().find(|&&value| value < 0) {
        Some(wrong) => Err(invalid(format!("{name}: {wrong} is negative, in {values:?}"))),
        None => Ok(values),
    }
}

fn contiguous(view: &[i64]) -> Result<Vec<i64>> {
    let mut strides = vec![1; view.len()];
    for axis in (1..view.len()).rev() {
        strides[axis - 1] = i64::checked_mul(strides[axis], view[axis])
            .ok_or_else(|| invalid(format!("{view:?} are too many elements")))?;
    }
    Ok(strides)
}

fn elements<T: Copy>(values: &In<T>, count: u64) -> Result<Vec<T>> {
    let count = usize::try_from(count).map_err(|_| invalid(format!("{count} are too many elements")))?;
    given(values.to_vec(count))
}

/// The members of a list, of which each must be alive, or null for one that is left out.
fn members<P, T>(objects: &Objects<P, T>, values: &In<*const P>, count: u64) -> Result<Vec<usize>> {
    let members = elements(values, count)?;
    for &member in members.iter().filter(|member| !member.is_null()) {
        given(objects.get(member))?;
    }
    Ok(members.into_iter().map(|member| member.addr()).collect())
}

/// Ends the members of a list. One that the program ended itself is an error, and the rest ends all the same.
fn end<P, T>(objects: &Objects<P, T>, members: &[usize]) -> Result {
    let mut result = Ok(());
    for &member in members.iter().filter(|&&member| member != 0) {
        result = result.and(given(objects.remove(ptr::without_provenance(member))).map(drop));
    }
    result
}

fn invalid(message: String) -> Error {
    Error { code: INVALID, message, misuse: true }
}

/// Gives an error the code that the operator library has for it.
pub(super) fn given<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        // Null is the only argument that the functions used here call invalid.
        let code = if error.code == ACL_ERROR_INVALID_PARAM { NULL_POINTER } else { INVALID };
        Error { code, ..error }
    })
}

pub(super) fn not_null<T>(pointer: &In<T>) -> Result<*mut T> {
    given(pointer.required())
}

fn answer<T>(output: &Out<T>, value: Result<T>) -> Result {
    not_null(output)?;
    output.set(given(value)?)
}

/// An array of so many numbers, from the `new[]` that belongs to the caller's `delete[]`; null without memory. Without a
/// C++ runtime nobody can call `delete[]`, and any memory will do.
fn new_array(len: usize) -> *mut i64 {
    /// `operator new[](size_t, const std::nothrow_t &)`; the second argument is an empty object that nobody reads.
    type NewArray = unsafe extern "C" fn(usize, *const u8) -> *mut c_void;
    static FOUND: OnceLock<Option<NewArray>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SAFETY: Loading the C++ runtime, if it is not loaded yet, runs only its own initialisation.
        let library = unsafe { libloading::Library::new("libstdc++.so.6") }.ok()?;
        // SAFETY: The symbol stands for a function of this type where `size_t` is 64 bits wide.
        let function =
            unsafe { library.get::<NewArray>(b"_ZnamRKSt9nothrow_t\0") }.ok().map(|function| *function);
        std::mem::forget(library); // the function is used for as long as the process lives
        function
    });
    let bytes = size_of::<i64>() * len.max(1);
    match found {
        // SAFETY: The function has no preconditions but a valid second reference.
        Some(new) => unsafe { new(bytes, &0) }.cast(),
        // SAFETY: A call without preconditions.
        None => unsafe { libc::malloc(bytes) }.cast(),
    }
}

/// Gives the program an array that it frees, in C++ by `delete[]` as documented.
fn hand_out(
    tensor: &In<aclTensor>,
    values: &Out<*mut i64>,
    count: &Out<u64>,
    part: impl FnOnce(&Tensor) -> &Vec<i64>,
) -> Result {
    not_null(values)?;
    not_null(count)?;
    let part = given(TENSORS.with(tensor.raw(), |tensor| part(tensor).clone()))?;
    let array = new_array(part.len());
    if array.is_null() {
        return Err(failure!(ACL_ERROR_BAD_ALLOC, "the host has no memory for {} numbers", part.len()));
    }
    // SAFETY: The array was just allocated for that many numbers.
    unsafe { ptr::copy_nonoverlapping(part.as_ptr(), array, part.len()) };
    values.set(array)?;
    count.set(part.len() as u64)
}
