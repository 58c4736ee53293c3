//! Ordinary host memory in whole pages.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use ascendcl_sys as sys;

use crate::buffer::bytes;
use crate::dtype::Element;
use crate::error::{AclError, Result};

/// Bytes of a page: what registered memory must be aligned to (AscendCL docs: host memory management).
const PAGE: usize = 4096;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

/// Ordinary host memory that begins at a page and shares none with anything else, so that it can be
/// [registered](crate::Device::register).
///
/// ```
/// use ascendcl::PageBox;
/// let mut values = PageBox::<u16>::zeroed(3)?;
/// values[1] = 7;
/// assert_eq!(*values, [0, 7, 0]);
/// assert!(values.as_ptr().addr().is_multiple_of(4096));
/// # Ok::<(), ascendcl::Error>(())
/// ```
pub struct PageBox<T: Element> {
    pages: Vec<Page>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> PageBox<T> {
    /// Memory for `len` elements, all zero.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory) if the host has not so much memory;
    /// [`Error::Shape`](crate::Error::Shape) if the size does not fit the address space.
    pub fn zeroed(len: usize) -> Result<Self> {
        let size = bytes::<T>(len)?;
        let count = size.div_ceil(PAGE).max(1);
        let mut pages = Vec::new();
        pages.try_reserve_exact(count).map_err(|error| AclError {
            call: "PageBox::zeroed",
            code: sys::ACL_ERROR_BAD_ALLOC,
            message: Some(format!("{size} bytes: {error}")),
        })?;
        pages.resize(count, Page([0; PAGE]));
        Ok(Self { pages, len, element: PhantomData })
    }

    /// Memory that holds a copy of `values`.
    ///
    /// # Errors
    /// As [`zeroed`](Self::zeroed).
    pub fn from_slice(values: &[T]) -> Result<Self> {
        let mut memory = Self::zeroed(values.len())?;
        memory.copy_from_slice(values);
        Ok(memory)
    }

    /// The pages' address and size in bytes.
    pub(crate) fn pages(&mut self) -> (NonNull<c_void>, usize) {
        let size = size_of_val(self.pages.as_slice());
        (NonNull::from(self.pages.as_mut_slice()).cast(), size)
    }
}

impl<T: Element> Deref for PageBox<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the pages hold at least `len` elements of a type for which any bit pattern is valid; all bytes are
        // initialised, and a page is aligned for any element.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr().cast(), self.len) }
    }
}

impl<T: Element> DerefMut for PageBox<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; mutably borrowed with `self`.
        unsafe { std::slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast(), self.len) }
    }
}

impl<T: Element> fmt::Debug for PageBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageBox<{:?}>({} at {:p})", T::DATA_TYPE, self.len, self.pages.as_ptr())
    }
}
