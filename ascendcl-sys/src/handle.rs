//! The two shapes of C pointers that get a type of their own.

/// A handle, `void *` in C, as a type that is not mixed up with other handles.
macro_rules! handle {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub *mut c_void);

        impl $name {
            /// The handle that names nothing.
            pub const fn null() -> Self {
                Self(core::ptr::null_mut())
            }

            /// Whether this is [`Self::null`].
            pub const fn is_null(self) -> bool {
                self.0.is_null()
            }
        }
    };
}

/// A struct that only the library knows the inside of, and that is only ever pointed to.
macro_rules! opaque {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[repr(C)]
        #[derive(Debug)]
        pub struct $name {
            _data: [u8; 0],
            _marker: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    };
}

pub(crate) use {handle, opaque};
