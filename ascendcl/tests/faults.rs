//! What goes wrong is reported as a typed value, and what is left keeps working. Each test has a device of its own,
//! because an injected fault belongs to a device.

mod common;

use ascendcl::{Error, ErrorKind, Workspace};
use ascendcl_sim::fault::{Fault, inject};
use common::{Gate, device};

#[test]
fn memory_that_runs_out_is_reported_or_found() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let total = device.memory_info().unwrap().total;
    let error = stream.alloc::<u8>(2 * total).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(error.to_string().starts_with("aclrtMalloc failed: "), "{error}");
    let error = stream.alloc::<u64>(usize::MAX / 4).unwrap_err();
    assert!(matches!(error, Error::Shape(_)), "{error}");

    // Memory that is only cached is freed when it is needed.
    drop(stream.alloc::<u8>(total / 4 * 3).unwrap());
    let reserved = device.pool_statistics().reserved_bytes;
    assert!(reserved >= total / 4 * 3);
    let large = stream.alloc::<u8>(total / 10 * 9).unwrap();
    drop(large);

    // A request that fails once is served after the cache was freed.
    let _first = inject(0, Fault::OutOfMemory { nth: 1 });
    let mut buffer = stream.alloc::<u8>(64 << 20).unwrap();
    stream.fill_bytes(&mut buffer, 3).unwrap();
    assert_eq!(stream.download_vec(buffer.slice(..4).unwrap()).unwrap(), [3; 4]);
}

#[test]
fn cached_memory_can_be_given_back() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let gate = Gate::close(&stream);
    let mut buffer = stream.alloc::<u8>(10 << 20).unwrap();
    stream.fill_bytes(&mut buffer, 1).unwrap();
    drop(buffer);
    drop(gate);
    assert!(device.pool_statistics().reserved_bytes >= 10 << 20);
    device.trim_pools().unwrap(); // waits for the fill
    assert_eq!(device.pool_statistics().used_bytes, 0);
    assert_eq!(device.pool_statistics().reserved_bytes, 0);
    let mut workspace = Workspace::default();
    workspace.reserve(&stream, 100).unwrap();
    workspace.reserve(&stream, 1 << 20).unwrap();
    assert!(workspace.capacity() >= 1 << 20);
    assert_eq!(workspace.reserve(&stream, 10).unwrap().len(), 10);
    assert!(workspace.capacity() >= 1 << 20, "it does not shrink");
}

#[test]
fn copies_that_fail_say_so_at_once_or_when_somebody_waits() {
    let stream = device(2).stream().unwrap();
    let from = stream.alloc_from(&[1u8; 10]).unwrap();
    let mut to = stream.alloc_from(&[0u8; 10]).unwrap();
    stream.synchronize().unwrap();

    let fault = inject(2, Fault::Copy { nth: 1 });
    let error = stream.copy(&from, &mut to).unwrap_err();
    assert!(fault.has_happened());
    match &error {
        Error::Acl(acl) => {
            assert_eq!(acl.call, "aclrtMemcpyAsync");
            assert!(acl.name().is_some_and(|name| name.starts_with("ACL_ERROR_")), "{error}");
            assert!(acl.message.is_some(), "the library's own words: {error}");
        }
        other => panic!("{other}"),
    }
    drop(fault);

    let fault = inject(2, Fault::AsyncCopy { nth: 1 });
    stream.copy(&from, &mut to).unwrap();
    assert!(stream.synchronize().is_err());
    assert!(fault.has_happened());
    drop(fault);

    stream.copy(&from, &mut to).unwrap();
    assert_eq!(stream.download_vec(&to).unwrap(), [1; 10]);
}

#[test]
fn a_lost_device_answers_with_errors_and_nothing_hangs() {
    let device = device(3);
    let stream = device.stream().unwrap();
    let mut buffer = stream.alloc_from(&[1u8; 10]).unwrap();
    let mut pinned = stream.alloc_pinned::<u8>(10).unwrap();
    stream.upload_pinned(&pinned, &mut buffer).unwrap();
    stream.synchronize().unwrap();
    let fault = inject(3, Fault::DeviceLost);
    let results = [
        stream.synchronize(),
        stream.upload(&[2; 10], &mut buffer),
        stream.upload_pinned(&pinned, &mut buffer),
        stream.download_pinned(&buffer, &mut pinned),
        stream.fill_bytes(&mut buffer, 0),
        device.synchronize(),
    ];
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeviceLost, "{error}");
    }
    drop((buffer, pinned, stream));
    drop(fault);
    // The device is back.
    assert_eq!(device.stream().unwrap().alloc_from(&[5u8]).unwrap().len(), 1);
}
