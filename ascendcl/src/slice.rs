//! Borrowed parts of buffers.

use std::ops::{Bound, RangeBounds};

use crate::error::{Result, ShapeError};

/// Offset and length of a range within `len` elements.
pub(crate) fn resolve(range: impl RangeBounds<usize>, len: usize) -> Result<(usize, usize)> {
    let start = match range.start_bound() {
        Bound::Included(&start) => Some(start),
        Bound::Excluded(&before) => before.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1),
        Bound::Excluded(&end) => Some(end),
        Bound::Unbounded => Some(len),
    };
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= len => Ok((start, end - start)),
        _ => {
            let got = format!("{:?} to {:?}", range.start_bound(), range.end_bound());
            Err(ShapeError::new("range", format!("within 0..{len}"), got).into())
        }
    }
}

/// Defines the two slice types of a buffer type, which has `block` and `len`.
macro_rules! slices {
    ($(#[$shared_doc:meta])* $Slice:ident, $(#[$mut_doc:meta])* $SliceMut:ident, $Buffer:ident) => {
        $crate::slice::slices!(@type $(#[$shared_doc])* $Slice, &'a T);
        $crate::slice::slices!(@type $(#[$mut_doc])* $SliceMut, &'a mut T);

        impl<T: Element> $Buffer<T> {
            /// A part of the buffer.
            ///
            /// # Errors
            /// [`Error::Shape`](crate::Error::Shape) if the range is not within the buffer.
            pub fn slice(&self, range: impl std::ops::RangeBounds<usize>) -> Result<$Slice<'_, T>> {
                let (offset, len) = $crate::slice::resolve(range, self.len)?;
                Ok($Slice { block: &self.block, offset, len, element: PhantomData })
            }

            /// A part of the buffer, to write.
            ///
            /// # Errors
            /// [`Error::Shape`](crate::Error::Shape) if the range is not within the buffer.
            pub fn slice_mut(&mut self, range: impl std::ops::RangeBounds<usize>) -> Result<$SliceMut<'_, T>> {
                let (offset, len) = $crate::slice::resolve(range, self.len)?;
                Ok($SliceMut { block: &self.block, offset, len, element: PhantomData })
            }
        }

        impl<'a, T: Element> $Slice<'a, T> {
            /// A part of the slice.
            ///
            /// # Errors
            /// [`Error::Shape`](crate::Error::Shape) if the range is not within the slice.
            pub fn slice(self, range: impl std::ops::RangeBounds<usize>) -> Result<Self> {
                let (offset, len) = $crate::slice::resolve(range, self.len)?;
                Ok(Self { offset: self.offset + offset, len, ..self })
            }
        }

        impl<T: Element> Clone for $Slice<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: Element> Copy for $Slice<'_, T> {}

        impl<'a, T: Element> $SliceMut<'a, T> {
            /// A part of the slice, which is given up for it.
            ///
            /// # Errors
            /// [`Error::Shape`](crate::Error::Shape) if the range is not within the slice.
            pub fn slice_mut(self, range: impl std::ops::RangeBounds<usize>) -> Result<Self> {
                let (offset, len) = $crate::slice::resolve(range, self.len)?;
                Ok(Self { offset: self.offset + offset, len, ..self })
            }

            /// Two parts: the first `middle` elements, and the others.
            ///
            /// # Errors
            /// [`Error::Shape`](crate::Error::Shape) if there are not so many.
            pub fn split_at_mut(self, middle: usize) -> Result<(Self, Self)> {
                let (_, rest) = $crate::slice::resolve(middle.., self.len)?;
                let second = Self { offset: self.offset + middle, len: rest, ..self };
                Ok((Self { len: middle, ..self }, second))
            }
        }

        impl<'a, T: Element> From<&'a $Buffer<T>> for $Slice<'a, T> {
            fn from(buffer: &'a $Buffer<T>) -> Self {
                Self { block: &buffer.block, offset: 0, len: buffer.len, element: PhantomData }
            }
        }

        impl<'a, T: Element> From<&'a mut $Buffer<T>> for $SliceMut<'a, T> {
            fn from(buffer: &'a mut $Buffer<T>) -> Self {
                Self { block: &buffer.block, offset: 0, len: buffer.len, element: PhantomData }
            }
        }
    };
    (@type $(#[$doc:meta])* $Name:ident, $borrow:ty) => {
        $(#[$doc])*
        pub struct $Name<'a, T: Element> {
            pub(crate) block: &'a Arc<Block>,
            offset: usize,
            len: usize,
            element: PhantomData<$borrow>,
        }

        impl<T: Element> $Name<'_, T> {
            /// Length in elements.
            pub fn len(&self) -> usize {
                self.len
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len == 0
            }

            /// Where the first element is: an address, not to be read here.
            pub(crate) fn address(&self) -> *mut std::ffi::c_void {
                self.block.pointer.as_ptr().wrapping_byte_add(self.offset * size_of::<T>())
            }
        }

        impl<T: Element> fmt::Debug for $Name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}<{:?}>({} at {:p})", stringify!($Name), T::DATA_TYPE, self.len, self.address())
            }
        }
    };
}

pub(crate) use slices;
