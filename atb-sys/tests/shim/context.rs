//! Contexts, and what stands beside the classes.

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use atb_sys::*;

use crate::support::{all, desc, text};

#[test]
fn the_table_is_complete() {
    for atb in all() {
        assert_eq!((atb.table().version, atb.table().cxx11Abi), (ATB_SHIM_VERSION, atb.cxx11_abi.into()));
        // SAFETY: After the two numbers the table consists of pointers.
        let members = unsafe {
            let first = std::ptr::from_ref(atb.table()).cast::<usize>();
            std::slice::from_raw_parts(first.add(1), size_of::<atb_functions>() / size_of::<usize>() - 1)
        };
        assert_eq!(members.len(), 31 + 3 * 17 + 1);
        assert!(members.iter().all(|&member| member != 0), "{members:?}");
    }
}

#[test]
fn a_context_keeps_what_it_is_told() {
    for atb in all() {
        let mut context = null_mut();
        assert_eq!(call!(atb, createContext, &mut context), 0);
        assert_eq!(atb.alive(), 1);

        let mut stream = null_mut();
        assert_eq!(call!(atb, setExecuteStream, context, 0x1000 as *mut c_void), 0);
        assert_eq!(call!(atb, getExecuteStream, context, &mut stream), 0);
        assert_eq!(stream as usize, 0x1000);

        let streams = [1, 2, 3].map(|number| number as *mut c_void);
        assert_eq!(call!(atb, setExecuteStreams, context, streams.as_ptr(), 3), 0);
        let (mut some, mut number) = ([null_mut(); 2], 0);
        assert_eq!(call!(atb, getExecuteStreams, context, some.as_mut_ptr(), 2, &mut number), 0);
        assert_eq!((some, number), ([streams[0], streams[1]], 3), "as many as fit");
        assert_eq!(call!(atb, getExecuteStreams, context, null_mut(), 0, &mut number), 0);
        assert_eq!(number, 3);

        let mut enabled = false;
        assert_eq!(call!(atb, setAsyncTilingCopyStatus, context, true), 0);
        assert_eq!(call!(atb, getAsyncTilingCopyStatus, context, &mut enabled), 0);
        assert!(enabled);

        let mut kind = 0;
        assert_eq!(call!(atb, setExecuteType, context, 2), 0);
        assert_eq!(call!(atb, getExecuteType, context, &mut kind), 0);
        assert_eq!(kind, 2);

        assert_eq!(call!(atb, destroyContext, context), 0);
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn a_launch_mode_is_there_in_newer_versions() {
    for atb in all() {
        let mut context = null_mut();
        assert_eq!(call!(atb, createContext, &mut context), 0);
        let mut mode = -1;
        if atb.is_newest() {
            assert_eq!(call!(atb, setLaunchMode, context, 1), 0);
            assert_eq!(call!(atb, getLaunchMode, context, &mut mode), 0);
            assert_eq!(mode, 1);
        } else {
            assert_eq!(call!(atb, setLaunchMode, context, 1), ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have Context::SetLaunchMode"), "{}", atb.message());
            assert_eq!(call!(atb, getLaunchMode, context, &mut mode), ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have Context::GetLaunchMode"), "{}", atb.message());
            assert_eq!(mode, -1);
        }
        assert_eq!(call!(atb, destroyContext, context), 0);
    }
}

/// What an allocator was asked for, and what it got back.
#[derive(Default)]
struct Allocations {
    sizes: Vec<usize>,
    freed: Vec<usize>,
}

unsafe extern "C" fn allocate(data: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: The data is that of the test.
    let allocations = unsafe { &mut *data.cast::<Allocations>() };
    allocations.sizes.push(size);
    0x4000 as *mut c_void
}

unsafe extern "C" fn deallocate(data: *mut c_void, memory: *mut c_void) {
    // SAFETY: The data is that of the test.
    let allocations = unsafe { &mut *data.cast::<Allocations>() };
    allocations.freed.push(memory as usize);
}

#[test]
fn newer_versions_have_more_ways_to_make_a_context() {
    for atb in all() {
        let mut allocations = Allocations::default();
        let data = (&raw mut allocations).cast();
        let allocator = atb_tiling_allocator { allocate: Some(allocate), deallocate: Some(deallocate), data };
        let (mut context, mut other) = (null_mut(), null_mut());
        let status = call!(atb, createContextWithAllocator, allocator, &mut context);
        if atb.is_newest() {
            assert_eq!(status, 0);
            assert_eq!(call!(atb, destroyContext, context), 0);
            assert_eq!((allocations.sizes, allocations.freed), (vec![4096], vec![0x4000]));

            assert_eq!(call!(atb, createContextWithTilingBlocks, 128, 32, &mut other), 0);
            assert_eq!(atb.record(), "blocks 128 32");
            assert_eq!(call!(atb, destroyContext, other), 0);
        } else {
            assert_eq!(status, ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have CreateContext with an allocator"));
            assert_eq!(call!(atb, createContextWithTilingBlocks, 128, 32, &mut other), ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have CreateContext with numbers of tiling blocks"));
            assert!(context.is_null() && other.is_null());
        }
        let incomplete =
            atb_tiling_allocator { allocate: Some(allocate), deallocate: None, data: null_mut() };
        let status = call!(atb, createContextWithAllocator, incomplete, &mut context);
        assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`allocator.deallocate` is null");
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn helpers_of_the_library() {
    for atb in all() {
        let version = text(|text, size| {
            let mut length = 0;
            assert_eq!(call!(atb, getAtbVersion, text, size, &mut length), 0);
            length
        });
        let expected = if atb.is_newest() { "a stand-in of the newest version" } else { "a stand-in of 8.1" };
        assert_eq!(version, expected);

        let shape = desc(&[2, 3, 5]);
        let (mut bytes, mut elements) = (0, 0);
        assert_eq!(call!(atb, getTensorSize, &shape, &mut bytes), 0);
        assert_eq!(call!(atb, getTensorNumel, &shape, &mut elements), 0);
        assert_eq!((bytes, elements), (60, 30));
        let mut wrong = shape;
        wrong.shape.dimNum = 9;
        assert_eq!(call!(atb, getTensorSize, &wrong, &mut bytes), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`desc` has 9 dimensions, more than 8");
        assert_eq!(call!(atb, getTensorNumel, &wrong, &mut bytes), ATB_SHIM_INVALID_ARGUMENT);

        let (scales, mut packed) = ([1.0_f32, -2.0], [u64::MAX; 2]);
        assert_eq!(call!(atb, quantParamConvert, scales.as_ptr(), packed.as_mut_ptr(), 2), 0);
        assert_eq!(packed, [0x3F80_0000, 0xC000_0000], "the bits of the numbers, and zeros above");

        let (set, reset) = (call!(atb, setLogLevel, 3), atb.record());
        if atb.is_newest() {
            assert_eq!((set, &*reset), (0, "level 3"));
            assert_eq!((call!(atb, resetLogLevel), &*atb.record()), (0, "level reset"));
        } else {
            assert_eq!(set, ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have Utils::SetLogLevel"), "{}", atb.message());
            assert_eq!(call!(atb, resetLogLevel), ATB_SHIM_UNSUPPORTED);
            assert!(atb.message().ends_with("does not have Utils::ResetLogLevel"), "{}", atb.message());
        }
    }
}

#[test]
fn texts_are_cut_to_what_fits() {
    for atb in all() {
        let (mut bytes, mut length) = ([b'x'; 4], 0);
        assert_eq!(call!(atb, getAtbVersion, bytes.as_mut_ptr().cast(), 4, &mut length), 0);
        let whole = if atb.is_newest() { 32 } else { 17 };
        assert_eq!((CStr::from_bytes_until_nul(&bytes).unwrap(), length), (c"a s", whole));
        assert_eq!(call!(atb, getAtbVersion, null_mut(), 0, &mut length), 0);
        assert_eq!(length, whole);
        assert_eq!(call!(atb, getAtbVersion, null_mut(), 4, &mut length), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`text` is null");
    }
}

#[test]
fn c_functions_of_newer_versions_are_found_and_get_the_librarys_own_objects() {
    for atb in all() {
        let found = call!(atb, entryPoint, c"AtbMLAPreprocess".as_ptr());
        assert_eq!(!found.is_null(), atb.is_newest());
        assert!(call!(atb, entryPoint, c"AtbNoSuchThing".as_ptr()).is_null());
        assert!(call!(atb, entryPoint, c"malloc".as_ptr()).is_null(), "it is not the library's");
        assert!(call!(atb, entryPoint, null()).is_null());
        if found.is_null() {
            continue;
        }
        // SAFETY: This is the function's type.
        let execute = unsafe { std::mem::transmute::<*mut c_void, AtbExecuteFn>(found) }.unwrap();
        let (mut context, operation) = (null_mut(), atb.operation());
        assert_eq!(call!(atb, createContext, &mut context), 0);
        // SAFETY: The objects are alive.
        assert_eq!(unsafe { execute(null_mut(), 77, operation, context) }, 0);
        assert_eq!(atb.record(), "ConcatParam 77");
        assert_eq!(call!(atb, destroyContext, context), 0);
        atb.destroy(operation);
    }
}
