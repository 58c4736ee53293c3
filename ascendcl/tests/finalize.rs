//! The end of the library's use. One test, because it concerns the whole process.

use ascendcl::{Backend, Error, Runtime};

#[test]
fn the_library_is_finalised_when_nothing_uses_it() {
    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    let again = Runtime::with_backend(Backend::Sim).unwrap();
    assert!(matches!(again.finalize(), Err(Error::InUse { handles: 1 })));

    let stream = runtime.device(0).unwrap().stream().unwrap();
    let buffer = stream.alloc_from(&[1u8, 2]).unwrap();
    assert!(matches!(runtime.clone().finalize(), Err(Error::InUse { .. })));
    drop((stream, buffer));

    let range = runtime.profiling_range("test").unwrap();
    assert!(matches!(runtime.clone().finalize(), Err(Error::InUse { .. })));
    range.end().unwrap();

    runtime.finalize().unwrap();
    let report = ascendcl_sim::report();
    assert!(report.is_clean(), "{report:?}");

    // Somebody else in the process initialises the library, too, and goes on with it.
    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    // SAFETY: the simulator's functions have the signatures of their names.
    let other = unsafe { ascendcl::sys::Library::from_resolver("other", ascendcl_sim::resolve) };
    let mut count = 0;
    // SAFETY: null is an argument that the function takes.
    let code = unsafe { other.aclInit(std::ptr::null()) }.unwrap();
    assert_eq!(code, ascendcl::sys::ACL_ERROR_REPEAT_INITIALIZE);
    assert!(matches!(runtime.clone().finalize_reference(), Err(Error::InUse { handles: 1 })));
    assert_eq!(runtime.finalize_reference().unwrap(), 1);
    // SAFETY: a valid out-pointer.
    let code = unsafe { other.aclrtGetDeviceCount(&mut count) }.unwrap();
    assert_eq!((code, count), (ascendcl::sys::ACL_SUCCESS, 1));
    // A runtime that was not the first gives its own reference back, and no other.
    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    assert_eq!(runtime.finalize_reference().unwrap(), 1);
    // SAFETY: nobody uses the library any more.
    assert_eq!(unsafe { other.aclFinalize() }.unwrap(), ascendcl::sys::ACL_SUCCESS);

    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    assert!(runtime.device_count().unwrap() > 0);
    runtime.finalize().unwrap();
}
