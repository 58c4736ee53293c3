//! The library's pools of memory.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ascendcl::{Error, ErrorKind, MemPool, Reuse, Stream};
use ascendcl_sim::{Resource, report};
use common::{Gate, device};

const MIB: usize = 1 << 20;

fn pool(stream: &Stream, limit: usize) -> MemPool {
    stream.device().create_mem_pool(limit).unwrap()
}

#[test]
fn memory_goes_back_in_the_order_of_the_stream() {
    let stream = device(0).stream().unwrap();
    let pool = pool(&stream, 64 * MIB);
    let mut target = stream.alloc_from(&[0u8; 1000]).unwrap();
    let mut first = stream.alloc_in::<u8>(&pool, 1000).unwrap();
    let address = first.as_device_ptr();
    let gate = Gate::close(&stream);
    stream.fill_bytes(&mut first, 5).unwrap();
    stream.copy(&first, &mut target).unwrap();
    drop(first);
    // The stream's own order keeps both uses apart.
    let mut second = stream.alloc_in::<u8>(&pool, 900).unwrap();
    assert_eq!(second.as_device_ptr(), address);
    stream.fill_bytes(&mut second, 6).unwrap();
    drop(gate);
    assert_eq!(stream.download_vec(&target).unwrap(), [5; 1000]);
    assert_eq!(stream.download_vec(&second).unwrap(), [6; 900]);
    let misuse = report().of_device(0).misuse;
    assert!(misuse.is_empty(), "{misuse:?}");
}

#[test]
fn another_stream_waits_for_the_allocation_and_for_the_free() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let pool = pool(&stream, 64 * MIB);
    let gate = Gate::close(&stream);
    let mut buffer = stream.alloc_in::<u8>(&pool, 100).unwrap();
    other.fill_bytes(&mut buffer, 1).unwrap();
    assert!(!other.is_idle().unwrap(), "the memory is there when the first stream gets to it");
    drop(gate);
    other.synchronize().unwrap();

    // Memory of a stream that is held up is not freed on another one yet.
    let gate = Gate::close(&other);
    let mut target = other.alloc::<u8>(100).unwrap();
    other.copy(&buffer, &mut target).unwrap();
    let address = buffer.as_device_ptr();
    drop(buffer);
    let mut fresh = stream.alloc_in::<u8>(&pool, 100).unwrap();
    assert_ne!(fresh.as_device_ptr(), address);
    stream.fill_bytes(&mut fresh, 2).unwrap();
    stream.synchronize().unwrap();
    drop(gate);
    assert_eq!(other.download_vec(&target).unwrap(), [1; 100]);
}

#[test]
fn limits_statistics_and_trimming() {
    let stream = device(2).stream().unwrap();
    let pool = pool(&stream, 8 * MIB);
    pool.set_release_threshold(u64::MAX).unwrap();
    assert_eq!(pool.release_threshold().unwrap(), u64::MAX);
    let buffers = [0; 2].map(|_| stream.alloc_in::<u8>(&pool, 3 * MIB).unwrap());
    let error = stream.alloc_in::<u8>(&pool, 3 * MIB).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    let statistics = pool.statistics().unwrap();
    assert_eq!((statistics.used_bytes, statistics.reserved_bytes), (8 << 20, 8 << 20), "pages of 2 MiB");
    drop(buffers);
    // Kept, by the threshold, until somebody trims.
    pool.trim_to(5 * MIB).unwrap();
    let statistics = pool.statistics().unwrap();
    assert_eq!((statistics.used_bytes, statistics.reserved_bytes), (0, 4 << 20));
    assert_eq!((statistics.peak_used_bytes, statistics.peak_reserved_bytes), (8 << 20, 8 << 20));
    pool.reset_peaks().unwrap();
    assert_eq!(pool.statistics().unwrap().peak_used_bytes, 0);
    assert_eq!(pool.statistics().unwrap().peak_reserved_bytes, 4 << 20);
    // Without a threshold a wait for a stream gives everything back.
    pool.set_release_threshold(0).unwrap();
    stream.synchronize().unwrap();
    assert_eq!(pool.statistics().unwrap().reserved_bytes, 0);

    for how in [Reuse::FollowEvents, Reuse::Opportunistic, Reuse::InternalDependencies] {
        pool.set_reuses(how, false).unwrap();
        assert!(!pool.reuses(how).unwrap());
        pool.set_reuses(how, true).unwrap();
        assert!(pool.reuses(how).unwrap());
    }
}

#[test]
fn a_pool_lives_as_long_as_its_memory() {
    let device = device(3);
    let stream = device.stream().unwrap();
    let pool = pool(&stream, 64 * MIB);
    let has_pool =
        || report().of_device(3).leaks.iter().any(|leak| matches!(leak.resource, Resource::MemPool(_)));
    let mut buffer = stream.alloc_in::<u32>(&pool, 10).unwrap();
    let graph = stream.capture(|stream| stream.fill_bytes(&mut buffer, 8)).unwrap();
    drop((pool, buffer));
    graph.launch(&stream).unwrap();
    stream.synchronize().unwrap();
    assert!(has_pool());
    drop(graph);
    assert!(!has_pool());

    let pool = device.create_mem_pool(MIB).unwrap();
    let elsewhere = common::device(2).stream().unwrap();
    assert!(matches!(elsewhere.alloc_in::<u8>(&pool, 1), Err(Error::Mismatch { .. })));
    let result = stream.capture(|stream| stream.alloc_in::<u8>(&pool, 1).map(drop));
    assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
    drop((pool, stream));
    drop(device);
    let report = report().of_device(3);
    assert!(report.is_clean(), "{report}");
}
