//! What is known about each function, and the macro that makes a method of [`Library`](crate::Library) of it.

/// The libraries that a function can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Devices, streams, memory, kernels, graphs, models, operators.
    Runtime,
    /// Dump callbacks and paths.
    Dump,
    /// Compilation of single operators.
    OpCompiler,
    /// Data channels.
    TdtChannel,
    /// Data queues.
    TdtQueue,
    /// Profiling.
    Profiler,
    /// Matrix products.
    Cblas,
    /// Base of the two-phase operators (aclnn).
    OpBase,
}

impl Group {
    /// Every group, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Runtime,
        Self::Dump,
        Self::OpCompiler,
        Self::TdtChannel,
        Self::TdtQueue,
        Self::Profiler,
        Self::Cblas,
        Self::OpBase,
    ];

    /// The files that may hold the functions of this group, the oldest name first.
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            // CANN 9 moved the runtime half to libacl_rt.so and kept libascendcl.so.
            Self::Runtime => &["libascendcl.so", "libacl_rt.so"],
            Self::Dump => &["libascend_dump.so"],
            Self::OpCompiler => &["libacl_op_compiler.so"],
            Self::TdtChannel => &["libacl_tdt_channel.so"],
            Self::TdtQueue => &["libacl_tdt_queue.so"],
            Self::Profiler => &["libmsprofiler.so"],
            Self::Cblas => &["libacl_cblas.so"],
            Self::OpBase => &["libnnopbase.so"],
        }
    }
}

/// A function of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionInfo {
    /// Its name, as in C.
    pub name: &'static str,
    /// The first version of CANN that is known to have it.
    pub since: &'static str,
    /// The header that declares it.
    pub header: &'static str,
    /// The libraries that it is in.
    pub group: Group,
}

/// Makes, from the list of functions, the slots of [`Library`](crate::Library), its methods, and the table
/// [`FUNCTIONS`](crate::FUNCTIONS).
macro_rules! functions {
    ($([$since:tt $group:ident $header:literal] fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        /// Every function that [`Library`](crate::Library) has a method for.
        pub const FUNCTIONS: &[FunctionInfo] = &[$(
            FunctionInfo {
                name: stringify!($name),
                since: stringify!($since),
                header: $header,
                group: Group::$group,
            },
        )*];

        /// The C type of each function, so that the compiler can check whoever provides them.
        pub mod signature {
            use super::*;
            $(
                #[doc = concat!("`", stringify!($name), "` (", $header, ", since ", stringify!($since), ").")]
                pub type $name = unsafe extern "C" fn($($argument: $type),*) -> $output;
            )*
        }

        /// The address of each function, once it was needed.
        #[derive(Default)]
        pub(crate) struct Slots {
            $($name: once_cell::sync::OnceCell<signature::$name>,)*
        }

        /// The functions of AscendCL. Each method has the name and the arguments of the C function, and
        /// returns what that returns, or [`MissingSymbol`](crate::MissingSymbol) if no such function was
        /// found.
        ///
        /// # Safety
        ///
        /// The contract of each method is that of the C function; see the AscendCL API reference.
        impl $crate::Library {
            $(
                #[doc = concat!("`", stringify!($name), "` (", $header, ", since ", stringify!($since), ").")]
                pub unsafe fn $name(&self, $($argument: $type),*) -> Result<$output, $crate::MissingSymbol> {
                    const FUNCTION: FunctionInfo = FunctionInfo {
                        name: stringify!($name),
                        since: stringify!($since),
                        header: $header,
                        group: Group::$group,
                    };
                    let function = self.slots.$name.get_or_try_init(|| {
                        let address = self.resolve(&FUNCTION)?;
                        // SAFETY: The address is that of the C function of this name, whose declaration in
                        // the headers the signature was generated from.
                        Ok(unsafe {
                            core::mem::transmute::<core::ptr::NonNull<c_void>, signature::$name>(address)
                        })
                    })?;
                    // SAFETY: The caller keeps the contract of the C function.
                    Ok(unsafe { function($($argument),*) })
                }
            )*
        }

        #[cfg(feature = "link")]
        #[cfg_attr(not(feature = "cann-9"), allow(dead_code, reason = "declared, but only 8.1 is linked"))]
        mod linked_symbols {
            use super::*;
            unsafe extern "C" {
                $(pub(super) fn $name($($argument: $type),*) -> $output;)*
            }
        }

        /// The address of a function that this program is linked with.
        #[cfg(feature = "link")]
        pub(crate) fn linked(name: &str) -> Option<core::ptr::NonNull<c_void>> {
            $(linked_symbol!($since name $name);)*
            None
        }
    };
}

/// Answers with a linked function, if functions of its version are linked.
#[cfg(feature = "link")]
macro_rules! linked_symbol {
    (8.1 $wanted:ident $name:ident) => {
        if $wanted == stringify!($name) {
            return core::ptr::NonNull::new(linked_symbols::$name as *const () as *mut c_void);
        }
    };
    ($since:tt $wanted:ident $name:ident) => {
        #[cfg(feature = "cann-9")]
        linked_symbol!(8.1 $wanted $name);
    };
}

pub(crate) use functions;
#[cfg(feature = "link")]
pub(crate) use linked_symbol;
