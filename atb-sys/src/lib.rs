//! Raw FFI of ATB, the vendor's C++ operator library, through a C shim of our own: not written yet.
