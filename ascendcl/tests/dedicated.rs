//! Buffers with an allocation of their own, looked at through the simulator's account of memory.

mod common;

use ascendcl::{Allocation, Error, ErrorKind, MemoryLocation, PagePolicy};
use ascendcl_sim::fault::{Fault, inject};
use ascendcl_sim::{Resource, report};
use common::{Gate, device};

/// The bytes that were asked for at an address of a device.
fn size_at(id: i32, address: usize) -> Option<usize> {
    report().of_device(id).leaks.iter().find_map(|leak| match leak.resource {
        Resource::DeviceMemory { address: at, size } | Resource::HostMemory { address: at, size } => {
            (at == address).then_some(size)
        }
        _ => None,
    })
}

#[test]
fn each_function_allocates_what_it_is_asked_for() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let configured = |peer| Allocation::Configured { peer, module: 33 };
    let flavours = [
        (PagePolicy::HugeFirst, Allocation::Align32, 4096),
        (PagePolicy::Normal, Allocation::Cached, 4096),
        (PagePolicy::Huge, Allocation::Cached, 2 << 20),
        (PagePolicy::Huge, configured(false), 2 << 20),
        (PagePolicy::Normal, configured(true), 4096),
        (PagePolicy::Gigantic, configured(true), 1 << 30),
    ];
    for (pages, how, page) in flavours {
        let mut buffer = stream.alloc_dedicated::<u16>(1000, pages, how).unwrap();
        let attributes = device.pointer_attributes(buffer.as_device_ptr()).unwrap();
        assert_eq!(attributes.location, MemoryLocation::Device(0));
        assert_eq!(attributes.page_bytes, page, "{pages:?} {how:?}");
        let address = buffer.as_device_ptr() as usize;
        assert_eq!(size_at(0, address), Some(2000));
        stream.fill_bytes(&mut buffer, 3).unwrap();
        assert_eq!(stream.download_vec(buffer.slice(998..).unwrap()).unwrap(), [0x0303; 2]);
        buffer.free_now().unwrap();
        assert_eq!(size_at(0, address), None);
    }
    let empty = stream.alloc_dedicated::<u8>(0, PagePolicy::Normal, Allocation::Align32).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn memory_is_freed_only_after_the_work_on_it() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let alloc = || stream.alloc_dedicated::<u8>(100, PagePolicy::Normal, Allocation::Align32).unwrap();
    let mut target = stream.alloc_from(&[0u8; 100]).unwrap();
    let mut buffer = alloc();
    let address = buffer.as_device_ptr() as usize;
    device.fill_bytes(&mut buffer, 4).unwrap();
    let gate = Gate::close(&stream);
    stream.copy(&buffer, &mut target).unwrap();
    drop(buffer);
    // The next allocation frees what is idle, and this is not.
    let other = alloc();
    assert_eq!(size_at(1, address), Some(100));
    drop(gate);
    assert_eq!(stream.download_vec(&target).unwrap(), [4; 100], "it was there for the copy");
    drop(alloc());
    let misuse = report().of_device(1).misuse;
    assert!(misuse.is_empty(), "{misuse:?}");
    drop(other);
    device.trim_pools().unwrap();
    let left = report().of_device(1).leaks;
    let left = left.iter().filter(|leak| matches!(leak.resource, Resource::DeviceMemory { size: 100, .. }));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_graph_keeps_the_memory() {
    let stream = device(1).stream().unwrap();
    let mut buffer = stream.alloc_dedicated::<u8>(64, PagePolicy::Normal, Allocation::Cached).unwrap();
    let address = buffer.as_device_ptr() as usize;
    let graph = stream.capture(|stream| stream.fill_bytes(&mut buffer, 1)).unwrap();
    buffer.free_now().unwrap();
    assert_eq!(size_at(1, address), Some(64));
    graph.launch(&stream).unwrap();
    stream.synchronize().unwrap();
}

#[test]
fn pinned_memory_of_its_own() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let mut host = stream.alloc_pinned_dedicated::<u32>(5, 33).unwrap();
    let address = host.as_slice().unwrap().as_ptr() as usize;
    assert_eq!(host.as_slice().unwrap(), [0; 5]);
    assert_eq!(size_at(2, address), Some(20));
    let memory = stream.alloc_from(&[1u32, 2, 3, 4, 5]).unwrap();
    let gate = Gate::close(&stream);
    stream.download_pinned(&memory, &mut host).unwrap();
    drop(gate);
    assert_eq!(host.as_slice().unwrap(), [1, 2, 3, 4, 5]);
    host.free_now().unwrap();
    assert_eq!(size_at(2, address), None);
    assert!(matches!(
        stream.capture(|stream| {
            let mut made = stream.alloc_dedicated::<u8>(1, PagePolicy::Normal, Allocation::Align32)?;
            stream.fill_bytes(&mut made, 1)?;
            stream.alloc_pinned_dedicated::<u8>(1, 33)?.free_now()
        }),
        Err(Error::Capturing { .. })
    ));
}

#[test]
fn memory_that_runs_out_is_found_or_reported() {
    let device = device(3);
    let stream = device.stream().unwrap();
    let total = device.memory_info().unwrap().total;
    let alloc = |len| stream.alloc_dedicated::<u8>(len, PagePolicy::HugeFirst, Allocation::Align32);
    let error = alloc(2 * total).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    // What is cached or retired is freed when it is needed.
    drop(alloc(total / 4 * 3).unwrap());
    drop(alloc(total / 4 * 3).unwrap());
    drop(stream.alloc::<u8>(total / 4 * 3).unwrap());
    let _first = inject(3, Fault::OutOfMemory { nth: 1 });
    alloc(1 << 20).unwrap();
}

#[test]
fn caches_of_ranges() {
    let stream = device(2).stream().unwrap();
    let mut buffer = stream.alloc_from(&[1u8, 2, 3]).unwrap();
    buffer.flush_cache().unwrap();
    buffer.invalidate_cache().unwrap();
    stream.alloc::<u8>(0).unwrap().flush_cache().unwrap();
    assert_eq!(stream.download_vec(&buffer).unwrap(), [1, 2, 3]);
}
