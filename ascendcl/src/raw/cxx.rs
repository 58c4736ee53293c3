//! Arrays that the operator library allocates with C++'s `new[]`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

/// The symbol of `operator delete[](void *)` in the C++ ABI that Linux has.
const DELETE_ARRAY: &CStr = c"_ZdaPv";
/// The C++ runtime that the vendor's libraries are linked with; it is loaded with them.
const RUNTIME: &CStr = c"libstdc++.so.6";
const RTLD_LAZY: c_int = 1;

type DeleteArray = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    // Of the C library, which Rust's standard library is linked with.
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// The C++ runtime's `operator delete[]`; `None` if there is no C++ runtime.
fn delete_array() -> Option<DeleteArray> {
    static FOUND: OnceLock<Option<DeleteArray>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: both names are C strings, and loading the C++ runtime, if it is not loaded yet, runs only its own
        // initialisation. It is never unloaded.
        let function = unsafe {
            let library = NonNull::new(dlopen(RUNTIME.as_ptr(), RTLD_LAZY))?;
            NonNull::new(dlsym(library.as_ptr(), DELETE_ARRAY.as_ptr()))?
        };
        // SAFETY: the symbol stands for a function of this type in every C++ runtime.
        Some(unsafe { std::mem::transmute::<*mut c_void, DeleteArray>(function.as_ptr()) })
    })
}

/// Copies an array of numbers and frees it. Without a C++ runtime to free it with, it is left to the process.
///
/// # Safety
/// `array` is null, or came from `new[]` with so many numbers and is not used afterwards.
pub(crate) unsafe fn take_array(array: *mut i64, count: u64) -> Vec<i64> {
    if array.is_null() {
        return Vec::new();
    }
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller promises so many numbers.
    let numbers = unsafe { std::slice::from_raw_parts(array, count) }.to_vec();
    match delete_array() {
        // SAFETY: the caller promises that the array came from `new[]` and is not used afterwards.
        Some(delete) => unsafe { delete(array.cast()) },
        None => tracing::debug!(count, "no C++ runtime to free an array of the operator library with"),
    }
    numbers
}
