//! Elements as bytes.

use crate::dtype::Element;

/// The bytes of some elements.
pub(crate) fn of<T: Element>(values: &[T]) -> &[u8] {
    // SAFETY: an `Element` has no padding, so all its bytes are initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of some elements, to write.
pub(crate) fn of_mut<T: Element>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `of`; and any bytes that are written make valid elements.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
