//! What the tests share: the simulator behind the table of functions, with a device for each test.
#![allow(dead_code, reason = "no test file uses everything")]

use std::ffi::c_void;
use std::ptr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI32, Ordering};

use ascendcl_sim::SimConfig;
use ascendcl_sys::*;

/// The memory of each device.
pub const MEMORY: u64 = 64 << 20;

/// The functions, after `aclInit`.
pub static ACL: LazyLock<Library> = LazyLock::new(|| {
    ascendcl_sim::configure(SimConfig { devices: 64, memory: Some(MEMORY), ..SimConfig::default() }).unwrap();
    let library = library();
    // SAFETY: Null is an argument that the function takes.
    assert_eq!(unsafe { library.aclInit(ptr::null()) }.unwrap(), ACL_SUCCESS);
    library
});

/// The functions.
pub fn library() -> Library {
    // SAFETY: The simulator checks the signatures of its functions against these bindings when it is built.
    unsafe { Library::from_resolver("the simulated device", ascendcl_sim::resolve) }
}

/// Calls a function and answers with its code.
#[macro_export]
macro_rules! code {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: The tests pass pointers that the functions can use, or test what is said of others.
        unsafe { $crate::common::ACL.$function($($argument),*) }.unwrap()
    };
}

/// Calls a function that must succeed.
#[macro_export]
macro_rules! ok {
    ($function:ident($($argument:tt)*)) => {{
        let code = $crate::code!($function($($argument)*));
        assert_eq!(
            code,
            ascendcl_sys::ACL_SUCCESS,
            "{} is {}: {}",
            stringify!($function),
            ascendcl_sys::error_name(code).unwrap_or("unknown"),
            $crate::common::message()
        );
    }};
}

/// Calls a function that must fail with a code.
#[macro_export]
macro_rules! fails {
    ($code:ident, $function:ident($($argument:tt)*)) => {{
        let code = $crate::code!($function($($argument)*));
        assert_eq!(
            code,
            ascendcl_sys::$code,
            "{} is {}, expected {}: {}",
            stringify!($function),
            ascendcl_sys::error_name(code).unwrap_or("unknown"),
            stringify!($code),
            $crate::common::message()
        );
    }};
}

/// The thread's messages.
pub fn message() -> String {
    let text = code!(aclGetRecentErrMsg());
    if text.is_null() {
        return String::new();
    }
    // SAFETY: Not null, hence a C string, until the next call.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

/// A device that no other test of the file uses, current in this thread.
pub struct TestDevice(pub i32);

static NEXT: AtomicI32 = AtomicI32::new(0);

impl TestDevice {
    pub fn take() -> Self {
        let device = Self(NEXT.fetch_add(1, Ordering::Relaxed));
        ok!(aclrtSetDevice(device.0));
        device
    }

    /// What the report says of it.
    pub fn report(&self) -> ascendcl_sim::Report {
        ascendcl_sim::report().of_device(self.0)
    }
}

pub fn stream() -> aclrtStream {
    let mut stream = aclrtStream::null();
    ok!(aclrtCreateStream(&mut stream));
    stream
}

pub fn event() -> aclrtEvent {
    let mut event = aclrtEvent::null();
    ok!(aclrtCreateEvent(&mut event));
    event
}

pub fn event_with(flags: u32) -> aclrtEvent {
    let mut event = aclrtEvent::null();
    ok!(aclrtCreateEventExWithFlag(&mut event, flags));
    event
}

pub fn malloc(size: usize) -> *mut c_void {
    let mut address = ptr::null_mut();
    ok!(aclrtMalloc(&mut address, size, ACL_MEM_MALLOC_HUGE_FIRST));
    address
}

/// Page-locked memory.
pub fn pinned(size: usize) -> *mut u8 {
    let mut address = ptr::null_mut();
    ok!(aclrtMallocHost(&mut address, size));
    address.cast()
}

pub fn upload(to: *mut c_void, bytes: &[u8]) {
    ok!(aclrtMemcpy(to, bytes.len(), bytes.as_ptr().cast(), bytes.len(), ACL_MEMCPY_HOST_TO_DEVICE));
}

pub fn download(from: *const c_void, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ok!(aclrtMemcpy(bytes.as_mut_ptr().cast(), length, from, length, ACL_MEMCPY_DEVICE_TO_HOST));
    bytes
}

/// A host function that keeps its stream busy until [`Gate::open`].
pub struct Gate(std::sync::Mutex<bool>, std::sync::Condvar);

impl Gate {
    pub fn close_on(stream: aclrtStream) -> std::sync::Arc<Self> {
        let gate = std::sync::Arc::new(Self(std::sync::Mutex::new(false), std::sync::Condvar::new()));
        let argument = std::sync::Arc::into_raw(std::sync::Arc::clone(&gate)).cast_mut().cast();
        ok!(aclrtLaunchHostFunc(stream, Some(Self::wait), argument));
        gate
    }

    unsafe extern "C" fn wait(argument: *mut c_void) {
        // SAFETY: The argument is that of `close_on`, and the function is called once.
        let gate = unsafe { std::sync::Arc::from_raw(argument.cast::<Self>()) };
        let mut open = gate.0.lock().unwrap();
        while !*open {
            open = gate.1.wait(open).unwrap();
        }
    }

    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}
