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

    let runtime = Runtime::with_backend(Backend::Sim).unwrap();
    assert!(runtime.device_count().unwrap() > 0);
    runtime.finalize().unwrap();
}
