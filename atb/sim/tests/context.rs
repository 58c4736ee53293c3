//! Contexts, handles, the helpers of ATB, and what is reported.

#[macro_use]
mod common;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use atb_sim::Leak;
use atb_sys::*;
use common::*;

#[test]
fn streams_are_kept() {
    let fixture = Fixture::new();
    let mut stream = ptr::null_mut();
    ok!(getExecuteStream(fixture.context, &mut stream));
    assert_eq!(stream, fixture.stream.0);
    let mut others = [aclrtStream::null(); 2];
    for other in &mut others {
        acl!(aclrtCreateStream(other));
    }
    let streams = [others[0].0, others[1].0, fixture.stream.0];
    ok!(setExecuteStreams(fixture.context, streams.as_ptr(), 3));
    let (mut found, mut count) = ([ptr::null_mut(); 2], 0);
    // Two of three fit.
    ok!(getExecuteStreams(fixture.context, found.as_mut_ptr(), 2, &mut count));
    assert_eq!((count, found.as_slice()), (3, &streams[..2]));
    fails!(ATB_ERROR_INVALID_PARAM, "at least one", setExecuteStreams(fixture.context, streams.as_ptr(), 0));
    let mut enabled = true;
    ok!(getAsyncTilingCopyStatus(fixture.context, &mut enabled));
    assert!(!enabled);
    ok!(setAsyncTilingCopyStatus(fixture.context, true));
    ok!(getAsyncTilingCopyStatus(fixture.context, &mut enabled));
    assert!(enabled);
    let mut mode = 7;
    ok!(getLaunchMode(fixture.context, &mut mode));
    assert_eq!(mode, 0);
    for other in others {
        acl!(aclrtDestroyStream(other));
    }
}

#[test]
fn handles_are_looked_up() {
    let fixture = Fixture::new();
    let operation = transpose();
    ok!(destroyOperation(operation));
    fails!(ATB_ERROR_INVALID_OPERATION_ADDR, "was destroyed", destroyOperation(operation));
    fails!(ATB_ERROR_INVALID_OPERATION_ADDR, "no operation", getInputNum(operation, &mut 0));
    fails!(ATB_ERROR_INVALID_OPERATION_ADDR, "no operation", getInputNum(fixture.context.cast(), &mut 0));
    fails!(ATB_ERROR_INVALID_CONTEXT_ADDR, "no context", setExecuteStream(16 as *mut _, ptr::null_mut()));
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "the context is null",
        setExecuteStream(ptr::null_mut(), ptr::null_mut())
    );
    fails!(ATB_ERROR_INVALID_PARAM, "nowhere", createContext(ptr::null_mut()));
    // As in ATB, nothing is destroyed by null.
    ok!(destroyOperation(ptr::null_mut()));
    ok!(destroyContext(ptr::null_mut()));
    let operation = transpose();
    fails!(ATB_SHIM_INVALID_ARGUMENT, "number is null", getInputNum(operation, ptr::null_mut()));
    let (mut inputs, mut outputs) = (0, 0);
    ok!(getInputNum(operation, &mut inputs));
    ok!(getOutputNum(operation, &mut outputs));
    assert_eq!((inputs, outputs), (1, 1));
    ok!(destroyOperation(operation));
}

#[test]
fn texts_are_copied_as_far_as_they_fit() {
    initialize();
    let operation = transpose();
    let (mut text, mut length) = ([7u8; 10], 0);
    ok!(getName(operation, text.as_mut_ptr().cast(), 10, &mut length));
    assert_eq!((&text, length), (b"Transpose\0", "TransposeOperation".len()));
    ok!(getName(operation, ptr::null_mut(), 0, &mut length));
    fails!(ATB_SHIM_INVALID_ARGUMENT, "text is null", getName(operation, ptr::null_mut(), 10, &mut length));
    let mut version = [0u8; 64];
    ok!(getAtbVersion(version.as_mut_ptr().cast(), 64, &mut length));
    assert!(version.starts_with(b"simulated "));
    ok!(destroyOperation(operation));
}

#[test]
fn contexts_take_device_memory_for_tilings() {
    let fixture = Fixture::new();
    let free = || {
        let (mut free, mut total) = (0, 0);
        acl!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
        free
    };
    let (before, mut context) = (free(), ptr::null_mut());
    ok!(createContext(&mut context));
    // 32 blocks of 3 MiB, in pages of 2 MiB.
    assert!((96 << 20..=98 << 20).contains(&(before - free())));
    ok!(destroyContext(context));
    assert_eq!(free(), before);
    ok!(createContextWithTilingBlocks(128, 64, &mut context));
    assert!((192 << 20..=194 << 20).contains(&(before - free())));
    ok!(destroyContext(context));
    fails!(ATB_ERROR_INVALID_PARAM, "127 blocks", createContextWithTilingBlocks(127, 64, &mut context));
    fails!(ATB_ERROR_INVALID_PARAM, "1025 blocks", createContextWithTilingBlocks(128, 1025, &mut context));
    fails!(
        ATB_ERROR_OUT_OF_DEVICE_MEMORY,
        "no 3221225472 bytes",
        createContextWithTilingBlocks(128, 1024, &mut context)
    );
    drop(fixture);
    fails!(ATB_ERROR_OUT_OF_DEVICE_MEMORY, "is a device set?", createContext(&mut context));
}

#[derive(Default)]
struct Allocations {
    allocated: usize,
    freed: usize,
}

unsafe extern "C" fn allocate(data: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: The test passes its counters as data.
    unsafe { (*data.cast::<Allocations>()).allocated += size };
    ptr::without_provenance_mut(4096)
}

unsafe extern "C" fn deallocate(data: *mut c_void, memory: *mut c_void) {
    assert_eq!(memory.addr(), 4096);
    // SAFETY: As above.
    unsafe { (*data.cast::<Allocations>()).freed += 1 };
}

#[test]
fn the_program_may_allocate_for_a_context() {
    initialize();
    let counters = Box::into_raw(Box::new(Allocations::default()));
    let allocator =
        |allocate, deallocate| atb_tiling_allocator { allocate, deallocate, data: counters.cast() };
    let mut context = ptr::null_mut();
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "both functions or none",
        createContextWithAllocator(allocator(Some(allocate), None), &mut context)
    );
    ok!(createContextWithAllocator(allocator(Some(allocate), Some(deallocate)), &mut context));
    ok!(destroyContext(context));
    // SAFETY: Nobody else has it any more.
    let counters = unsafe { Box::from_raw(counters) };
    assert_eq!((counters.allocated, counters.freed), (96 << 20, 1));
}

#[test]
fn what_is_alive_and_what_was_refused_is_reported() {
    let fixture = Fixture::new();
    let operation = transpose();
    let owned = transpose();
    let of_graph = graph([1, 1, 0], &[node(owned, &[0], &[1])]);
    let leak =
        |handle: *mut atb_operation, name: &str| Leak::Operation { handle: handle.addr(), name: name.into() };
    let leaks = atb_sim::report().leaks;
    assert!(leaks.contains(&Leak::Context(fixture.context.addr())));
    assert!(leaks.contains(&leak(operation, "TransposeOperation")));
    assert!(leaks.contains(&leak(of_graph, "graph")));
    assert!(!leaks.contains(&leak(owned, "TransposeOperation")), "the graph destroys it");
    ok!(destroyOperation(operation));
    ok!(destroyOperation(of_graph));
    let context = Leak::Context(fixture.context.addr());
    drop(fixture);
    let leaks = atb_sim::report().leaks;
    assert!(!leaks.contains(&context));
    assert!(
        !leaks
            .iter()
            .any(|leak| matches!(leak, Leak::Operation { handle, .. } if *handle == operation.addr()))
    );

    assert_ne!(atb!(destroyOperation(operation)), ATB_NO_ERROR);
    let report = atb_sim::report();
    let of_it = |misuse: &&atb_sim::Misuse| misuse.message.contains(&format!("{:#x}", operation.addr()));
    let misuse = report.misuse.iter().find(of_it);
    let found = misuse.map(|misuse| (misuse.function, misuse.status));
    assert_eq!(found, Some(("destroyOperation", ATB_ERROR_INVALID_OPERATION_ADDR)));
    assert!(report.to_string().contains("ERROR_INVALID_OPERATION_ADDR, 24"), "{report}");
}

#[test]
fn sizes_of_tensors() {
    initialize();
    for (desc, elements, bytes) in [
        (nd(ACL_FLOAT16, &[2, 3]), 6, 12),
        (nd(ACL_INT64, &[5]), 5, 40),
        (nd(ACL_COMPLEX128, &[2]), 2, 32),
        (nd(ACL_DT_UNDEFINED, &[2]), 2, 2),
        (none(), 0, 0),
        (nd(ACL_FLOAT16, &[2, 0]), 0, 0),
        (nd(ACL_FLOAT16, &[-2, -2]), 0, 0),
        (nd(ACL_INT8, &[1 << 40, 1 << 40]), 0, 0),
        (nd(ACL_INT64, &[1 << 62]), 1 << 62, 0),
        (nd(ACL_INT4, &[2]), 2, 0),
    ] {
        let (mut found_elements, mut found_bytes) = (7, 7);
        ok!(getTensorNumel(&desc, &mut found_elements));
        ok!(getTensorSize(&desc, &mut found_bytes));
        assert_eq!((found_elements, found_bytes), (elements, bytes), "{desc:?}");
    }
}

#[test]
fn scales_become_words() {
    initialize();
    let mut words = [7u64; 3];
    ok!(quantParamConvert([1.0f32, -0.0].as_ptr(), words.as_mut_ptr(), 2));
    // The sign does not go into the upper half.
    assert_eq!(words, [0x3F80_0000, 0x8000_0000, 7]);
    fails!(ATB_SHIM_INVALID_ARGUMENT, "src is null", quantParamConvert(ptr::null(), words.as_mut_ptr(), 2));
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "no memory has",
        quantParamConvert(words.as_ptr().cast(), words.as_mut_ptr(), u64::MAX)
    );
    ok!(setLogLevel(4));
    fails!(ATB_ERROR_INVALID_PARAM, "not 5", setLogLevel(5));
    ok!(resetLogLevel());
}

#[test]
fn the_table_is_of_this_version() {
    let functions = atb_sim::functions();
    assert_eq!((functions.version, functions.cxx11Abi), (ATB_SHIM_VERSION, -1));
}
