//! Arguments of C functions, made fit for safe code.

use std::ffi::{CStr, c_char, c_void};

use ascendcl_sys::{aclDataType, aclFormat};
use atb_sys::{atb_dims, atb_tensor, atb_tensor_desc};

use crate::operator::{Result, refuse};
use crate::tensor::TensorDesc;
use crate::tensor_check::MAX_DIMENSIONS;

/// As many elements as ATB's small vectors hold.
const MAX_ELEMENTS: usize = 256;

/// What the body of a C function gets for an argument.
pub(crate) trait Argument: Sized {
    /// What the body gets.
    type Safe;

    /// # Safety
    ///
    /// A pointer must be null, or valid for what the C function does with it for the time of the call. Pointers within what it
    /// points to must be so too.
    unsafe fn receive(self, name: &'static str) -> Self::Safe;
}

/// A pointer that a C function reads through, which may be null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct In<T> {
    pointer: *const T,
    name: &'static str,
}

/// A pointer that a C function writes through, which may be null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out<T> {
    pointer: *mut T,
    name: &'static str,
}

impl<T> Argument for *const T {
    type Safe = In<T>;

    unsafe fn receive(self, name: &'static str) -> In<T> {
        In { pointer: self, name }
    }
}

impl<T> Argument for *mut T {
    type Safe = Out<T>;

    unsafe fn receive(self, name: &'static str) -> Out<T> {
        Out { pointer: self, name }
    }
}

macro_rules! by_value {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            type Safe = Self;

            unsafe fn receive(self, _: &'static str) -> Self {
                self
            }
        }
    )*};
}

by_value!(bool, u8, u16, i32, u32, u64, usize, f32, atb_sys::atb_tiling_allocator);

impl<T> In<T> {
    pub(crate) fn is_null(&self) -> bool {
        self.pointer.is_null()
    }

    pub(crate) fn raw(&self) -> *const T {
        self.pointer
    }

    fn required(&self) -> Result<*const T> {
        if self.is_null() {
            return Err(refuse!(ATB_SHIM_INVALID_ARGUMENT, "{} is null", self.name));
        }
        Ok(self.pointer)
    }
}

impl<T: Copy> In<T> {
    pub(crate) fn get(&self) -> Result<T> {
        // SAFETY: Not null, hence valid for a read, by the contract of `Argument::receive`.
        Ok(unsafe { self.required()?.read() })
    }

    /// The elements of an array.
    pub(crate) fn to_vec(self, length: usize) -> Result<Vec<T>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let start = self.required()?;
        // SAFETY: Not null, hence an array of that length, by the contract of `Argument::receive`.
        Ok(unsafe { std::slice::from_raw_parts(start, length) }.to_vec())
    }

    /// The elements of an array that ATB keeps in a small vector.
    pub(crate) fn to_small_vec(self, length: usize) -> Result<Vec<T>> {
        if length > MAX_ELEMENTS {
            let name = self.name;
            return Err(refuse!(
                ATB_SHIM_INVALID_ARGUMENT,
                "{name} has {length} elements, and ATB takes {MAX_ELEMENTS} at most"
            ));
        }
        self.to_vec(length)
    }
}

impl In<c_char> {
    pub(crate) fn text(&self) -> Result<String> {
        // SAFETY: Not null, hence a C string, by the contract of `Argument::receive`.
        let text = unsafe { CStr::from_ptr(self.required()?) };
        Ok(text.to_string_lossy().into_owned())
    }
}

/// A member of a struct that a C function got.
///
/// # Safety
///
/// As for [`Argument::receive`].
pub(crate) unsafe fn member<T>(pointer: *const T, name: &'static str) -> In<T> {
    In { pointer, name }
}

impl<T> Out<T> {
    pub(crate) fn is_null(&self) -> bool {
        self.pointer.is_null()
    }

    pub(crate) fn raw(&self) -> *mut T {
        self.pointer
    }

    pub(crate) fn required(&self) -> Result<*mut T> {
        if self.is_null() {
            return Err(refuse!(ATB_SHIM_INVALID_ARGUMENT, "{} is null", self.name));
        }
        Ok(self.pointer)
    }

    pub(crate) fn set(&self, value: T) -> Result {
        // SAFETY: Not null, hence valid for a write, by the contract of `Argument::receive`.
        unsafe { self.required()?.write(value) };
        Ok(())
    }

    /// Writes the elements of an array that has room for them.
    pub(crate) fn set_all(&self, values: impl ExactSizeIterator<Item = T>) -> Result {
        if values.len() == 0 {
            return Ok(());
        }
        let start = self.required()?;
        for (index, value) in values.enumerate() {
            // SAFETY: Not null, hence an array with room for the values, by the contract of `Argument::receive`.
            unsafe { start.add(index).write(value) };
        }
        Ok(())
    }
}

impl<T: Copy> Out<T> {
    pub(crate) fn get(&self) -> Result<T> {
        // SAFETY: Not null, hence valid for a read, by the contract of `Argument::receive`.
        Ok(unsafe { self.required()?.read() })
    }
}

/// Copies a text out: as much as fits with a final zero, and how long the whole is.
pub(crate) fn copy_text(text: &str, to: Out<c_char>, size: usize, length: Out<usize>) -> Result {
    if size > 0 {
        let fitting = &text.as_bytes()[..text.len().min(size - 1)];
        let characters: Vec<c_char> = fitting.iter().chain(&[0]).map(|byte| *byte as c_char).collect();
        to.set_all(characters.into_iter())?;
    }
    if length.is_null() { Ok(()) } else { length.set(text.len()) }
}

/// A tensor of a call.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub desc: TensorDesc,
    /// Of the memory on the device; zero for none.
    pub address: usize,
    /// What there is in host memory: `size` bytes, or null.
    pub host: In<u8>,
    /// What the program says that the tensor's bytes are.
    pub size: u64,
}

impl Tensor {
    /// # Safety
    ///
    /// As for [`Argument::receive`].
    pub(crate) unsafe fn receive(tensor: &atb_tensor) -> Self {
        Self {
            desc: describe(&tensor.desc),
            address: tensor.deviceData.expose_provenance(),
            // SAFETY: By this function's own contract.
            host: unsafe { member(tensor.hostData.cast::<u8>().cast_const(), "hostData") },
            size: tensor.dataSize,
        }
    }

    pub(crate) fn has_no_memory(&self) -> bool {
        self.address == 0 && self.host.is_null()
    }
}

/// The tensors of an array.
pub(crate) fn tensors(array: In<atb_tensor>, length: usize) -> Result<Vec<Tensor>> {
    let tensors = array.to_small_vec(length)?;
    // SAFETY: They come from an argument of a C function, whose contract covers what they point to.
    Ok(tensors.iter().map(|tensor| unsafe { Tensor::receive(tensor) }).collect())
}

pub(crate) fn describe(desc: &atb_tensor_desc) -> TensorDesc {
    TensorDesc { dtype: aclDataType(desc.dtype), format: aclFormat(desc.format), shape: shape(&desc.shape) }
}

/// The dimensions. More than the struct has room for become one more than that, which every check refuses.
pub(crate) fn shape(dims: &atb_dims) -> Vec<i64> {
    match usize::try_from(dims.dimNum) {
        Ok(number) if number <= MAX_DIMENSIONS => dims.dims[..number].to_vec(),
        _ => vec![0; MAX_DIMENSIONS + 1],
    }
}

pub(crate) fn raw_desc(desc: &TensorDesc) -> atb_tensor_desc {
    atb_tensor_desc { dtype: desc.dtype.0, format: desc.format.0, shape: raw_dims(&desc.shape) }
}

pub(crate) fn raw_dims(shape: &[i64]) -> atb_dims {
    let mut dims = [0; MAX_DIMENSIONS];
    let number = shape.len().min(MAX_DIMENSIONS);
    dims[..number].copy_from_slice(&shape[..number]);
    atb_dims { dims, dimNum: number as u64 }
}

/// An opaque pointer of the program, such as the data of its functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opaque(pub *mut c_void);

// SAFETY: The simulator only hands it back; the program's functions may be called on any thread that calls the library, as
// with ATB itself.
unsafe impl Send for Opaque {}
// SAFETY: As above.
unsafe impl Sync for Opaque {}
