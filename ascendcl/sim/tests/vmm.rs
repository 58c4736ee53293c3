//! Physical memory, virtual addresses, mappings.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod physical;

use std::ffi::{CString, c_void};
use std::path::Path;
use std::ptr;

use ascendcl_sim::Resource;
use ascendcl_sys::*;
use common::*;
use physical::*;

fn access(location: aclrtMemLocation) -> aclrtMemAccessDesc {
    aclrtMemAccessDesc { flags: ACL_RT_MEM_ACCESS_FLAGS_READWRITE, location, rsv: [0; 12] }
}

fn of_device(device: i32) -> aclrtMemAccessDesc {
    access(aclrtMemLocation { id: device.cast_unsigned(), type_: ACL_MEM_LOCATION_TYPE_DEVICE })
}

fn of_host() -> aclrtMemAccessDesc {
    access(aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_HOST })
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 4096) as u8).collect()
}

#[test]
fn scattered_memory_is_adjacent_where_it_is_mapped() {
    let device = TestDevice::take();
    let free = free_bytes();
    let base = reserve(2 * HUGE);
    assert_eq!(base.addr() % HUGE, 0);
    let (first, second) = (physical(device.0, HUGE), physical(device.0, HUGE));
    assert_eq!(free_bytes(), free - 2 * HUGE);
    ok!(aclrtMapMem(base, HUGE, 0, second, 0));
    ok!(aclrtMapMem(base.wrapping_byte_add(HUGE), HUGE, 0, first, 0));
    // One copy, fill and copy within the device across the border.
    let bytes = pattern(2 * HUGE);
    upload(base, &bytes);
    assert_eq!(download(base, 2 * HUGE), bytes);
    let border = base.wrapping_byte_add(HUGE - 8);
    ok!(aclrtMemset(border, 16, 0xA5, 16));
    let plain = malloc(32);
    ok!(aclrtMemcpy(plain, 32, border.wrapping_byte_sub(8), 32, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE));
    let mut expected = bytes[HUGE - 16..HUGE + 16].to_vec();
    expected[8..24].fill(0xA5);
    assert_eq!(download(plain, 32), expected);
    let mut attributes = aclrtPtrAttributes {
        location: aclrtMemLocation { id: 99, type_: ACL_MEM_LOCATION_TYPE_HOST },
        pageSize: 0,
        rsv: [0; 4],
    };
    ok!(aclrtPointerGetAttributes(border, &mut attributes));
    assert_eq!(attributes.location.type_, ACL_MEM_LOCATION_TYPE_DEVICE);
    assert_eq!((attributes.location.id, attributes.pageSize), (device.0.cast_unsigned(), 2 << 20));

    // Mapped elsewhere, the memory is the same.
    ok!(aclrtUnmapMem(base));
    let other = reserve(3 * HUGE).wrapping_byte_add(HUGE);
    ok!(aclrtMapMem(other, HUGE, 0, second, 0));
    assert_eq!(download(other, HUGE - 8), bytes[..HUGE - 8]);
    // At two places at once, too.
    ok!(aclrtMapMem(other.wrapping_byte_add(HUGE), HUGE, 0, second, 0));
    upload(other.wrapping_byte_add(5), &[1, 2, 3]);
    assert_eq!(download(other.wrapping_byte_add(HUGE + 5), 3), [1, 2, 3]);

    ok!(aclrtUnmapMem(other));
    ok!(aclrtUnmapMem(other.wrapping_byte_add(HUGE)));
    ok!(aclrtUnmapMem(base.wrapping_byte_add(HUGE)));
    ok!(aclrtReleaseMemAddress(other.wrapping_byte_sub(HUGE)));
    ok!(aclrtReleaseMemAddress(base));
    ok!(aclrtFreePhysical(first));
    ok!(aclrtFreePhysical(second));
    ok!(aclrtFree(plain));
    assert_eq!(free_bytes(), free);
    assert!(device.report().is_clean(), "{}", device.report());
}

#[test]
fn physical_memory_needs_no_contiguous_pages() {
    let device = TestDevice::take();
    // Every second huge page is taken.
    let mut blocks = Vec::new();
    let mut block = ptr::null_mut();
    while code!(aclrtMalloc(&mut block, HUGE - 64, ACL_MEM_MALLOC_HUGE_ONLY)) == ACL_SUCCESS {
        blocks.push(block);
    }
    for block in blocks.iter().step_by(2) {
        ok!(aclrtFree(*block));
    }
    fails!(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMalloc(&mut block, 2 * HUGE, ACL_MEM_MALLOC_HUGE_ONLY));
    let size = 4 * HUGE;
    let (base, handle) = (reserve(size), physical(device.0, size));
    ok!(aclrtMapMem(base, size, 0, handle, 0));
    let bytes = pattern(size);
    upload(base, &bytes);
    assert_eq!(download(base, size), bytes);
    // The pages that are left are no more than there are.
    let mut rest = aclrtDrvMemHandle::null();
    let left = free_bytes();
    let properties = properties(device.0, ACL_MEM_HUGE);
    fails!(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMallocPhysical(&mut rest, left + HUGE, &properties, 0));
    assert_eq!(free_bytes(), left);
    ok!(aclrtMallocPhysical(&mut rest, left, &properties, 0));
    assert_eq!(free_bytes(), 0);
}

#[test]
fn freed_physical_memory_lives_until_it_is_unmapped() {
    let device = TestDevice::take();
    let free = free_bytes();
    let (base, handle) = (reserve(HUGE), physical(device.0, HUGE));
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    upload(base, &[7; 10]);
    ok!(aclrtFreePhysical(handle));
    assert_eq!(download(base, 10), [7; 10]);
    assert_eq!(free_bytes(), free - HUGE);
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(handle));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtMapMem(base, HUGE, 0, handle, 0));
    ok!(aclrtUnmapMem(base));
    assert_eq!(free_bytes(), free);
    ok!(aclrtReleaseMemAddress(base));
    // New memory at the same addresses is not the old one.
    let (again, handle) = (reserve(HUGE), physical(device.0, HUGE));
    assert_eq!(again, base);
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    assert_eq!(download(base, 10), [0; 10]);
}

#[test]
fn granularities_are_those_of_the_pages() {
    let device = TestDevice::take();
    let ask = |attribute, option| {
        let mut granularity = 0;
        let mut properties = properties(device.0, attribute);
        let code = code!(aclrtMemGetAllocationGranularity(&mut properties, option, &mut granularity));
        if code == ACL_SUCCESS { Ok(granularity) } else { Err(code) }
    };
    let (least, best) = (ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM, ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED);
    assert_eq!((ask(ACL_MEM_NORMAL, least), ask(ACL_MEM_NORMAL, best)), (Ok(4096), Ok(HUGE)));
    assert_eq!((ask(ACL_HBM_MEM_NORMAL, least), ask(ACL_MEM_P2P_HUGE, best)), (Ok(HUGE), Ok(HUGE)));
    assert_eq!(ask(ACL_HBM_MEM_HUGE1G, least), Ok(1 << 30));
    assert_eq!(ask(ACL_DDR_MEM_HUGE, least), Err(ACL_ERROR_INVALID_PARAM));
    assert_eq!(ask(ACL_MEM_P2P_HUGE1G, least), Err(ACL_ERROR_RT_FEATURE_NOT_SUPPORT));
    assert_eq!(ask(ACL_MEM_HUGE, ACL_RT_MEM_ALLOC_GRANULARITY_UNDEF), Err(ACL_ERROR_INVALID_PARAM));
    let mut granularity = 0;
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemGetAllocationGranularity(ptr::null_mut(), least, &mut granularity)
    );
}

#[test]
fn physical_memory_is_refused_as_documented() {
    let device = TestDevice::take();
    let good = properties(device.0, ACL_HBM_MEM_HUGE);
    let mut handle = aclrtDrvMemHandle::null();
    let mut allocate = |size, properties: aclrtPhysicalMemProp, flags| {
        code!(aclrtMallocPhysical(&mut handle, size, &properties, flags))
    };
    assert_eq!(allocate(0, good, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(allocate(HUGE + 4096, good, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(allocate(HUGE, good, 1), ACL_ERROR_INVALID_PARAM);
    let posix = aclrtPhysicalMemProp { handleType: ACL_MEM_HANDLE_TYPE_POSIX, ..good };
    assert_eq!(allocate(HUGE, posix, 0), ACL_ERROR_INVALID_PARAM);
    let location = |id, type_| aclrtPhysicalMemProp { location: aclrtMemLocation { id, type_ }, ..good };
    assert_eq!(allocate(HUGE, location(64, ACL_MEM_LOCATION_TYPE_DEVICE), 0), ACL_ERROR_RT_INVALID_DEVICEID);
    assert_eq!(allocate(HUGE, location(0, ACL_MEM_LOCATION_TYPE_HOST), 0), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
    assert_eq!(allocate(HUGE, location(0, ACL_MEM_LOCATION_TYPE_MANAGED), 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(allocate(MEMORY as usize + HUGE, good, 0), ACL_ERROR_RT_MEMORY_ALLOCATION);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMallocPhysical(&mut handle, HUGE, ptr::null(), 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtFreePhysical(aclrtDrvMemHandle::null()));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(aclrtDrvMemHandle(stream().0)));
}

#[test]
fn misuse_of_addresses_is_caught() {
    let device = TestDevice::take();
    let mut address = ptr::null_mut();
    fails!(ACL_ERROR_INVALID_PARAM, aclrtReserveMemAddress(&mut address, 0, 0, ptr::null_mut(), 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtReserveMemAddress(&mut address, HUGE, HUGE, ptr::null_mut(), 0));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtReserveMemAddress(&mut address, HUGE, 0, ptr::null_mut(), 2));
    let wish = ptr::without_provenance_mut(16 << 40);
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtReserveMemAddress(&mut address, HUGE, 0, wish, 0));
    fails!(
        ACL_ERROR_RT_MEMORY_ALLOCATION,
        aclrtReserveMemAddress(&mut address, 1 << 46, 0, ptr::null_mut(), 0)
    );

    let (base, handle) = (reserve(3 * HUGE), physical(device.0, HUGE));
    let map =
        |address: *mut c_void, size, offset, flags| code!(aclrtMapMem(address, size, offset, handle, flags));
    let at = |offset| base.wrapping_byte_add(offset);
    // What is mapped where.
    let plain = malloc(64);
    let local = 0u8;
    for nowhere in [at(3 * HUGE), plain, (&raw const local).cast_mut().cast()] {
        assert_eq!(map(nowhere, HUGE, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
        fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(nowhere));
        fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(nowhere));
    }
    assert_eq!(map(ptr::null_mut(), HUGE, 0, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(map(base, HUGE / 2, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(map(base, 2 * HUGE, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(map(at(4096), HUGE, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(map(base, HUGE, HUGE, 0), ACL_ERROR_INVALID_PARAM);
    assert_eq!(map(base, HUGE, 0, 1), ACL_ERROR_INVALID_PARAM);
    assert_eq!(map(at(HUGE), HUGE, 0, 0), ACL_SUCCESS);
    assert_eq!(map(at(HUGE), HUGE, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("overlap"));
    let pair = physical(device.0, 2 * HUGE);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(base, 2 * HUGE, 0, pair, 0));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at(2 * HUGE), 2 * HUGE, 0, pair, 0));
    assert!(message().contains("out of bounds"));

    // What is not mapped cannot be touched, nor freed as if it were plain memory.
    let mut bytes = [0u8; 16];
    let to = bytes.as_mut_ptr().cast();
    for (address, length) in [(base, 1), (at(HUGE - 1), 2), (at(2 * HUGE - 8), 16), (at(3 * HUGE), 1)] {
        fails!(
            ACL_ERROR_RT_PARAM_INVALID,
            aclrtMemcpy(to, length, address, length, ACL_MEMCPY_DEVICE_TO_HOST)
        );
    }
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(at(HUGE)));
    assert!(message().contains("virtual"));

    // Ends.
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(base));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(at(HUGE)));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(base));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at(HUGE + 4096)));
    ok!(aclrtUnmapMem(at(HUGE)));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at(HUGE)));
    ok!(aclrtReleaseMemAddress(base));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(base));
    assert_eq!(map(base, HUGE, 0, 0), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(base, 1, 0, 1));
}

#[test]
fn other_devices_and_the_host_need_access() {
    let (first, second) = (TestDevice::take(), TestDevice::take());
    // The memory is that of the first device, the addresses are reserved by the second, which is current.
    let (base, handle) = (reserve(2 * HUGE), physical(first.0, HUGE));
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    let copy = || {
        let bytes = [3u8; 8];
        code!(aclrtMemcpy(base, 8, bytes.as_ptr().cast(), 8, ACL_MEMCPY_HOST_TO_DEVICE))
    };
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    assert!(message().contains("aclrtMemSetAccess"));
    ok!(aclrtSetDevice(first.0));
    assert_eq!(copy(), ACL_SUCCESS);
    ok!(aclrtSetDevice(second.0));

    let give = |address, size, mut access: aclrtMemAccessDesc| {
        code!(aclrtMemSetAccess(address, size, &mut access, 1))
    };
    let to_second = of_device(second.0);
    assert_eq!(give(base, 2 * HUGE, to_second), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(give(base.wrapping_byte_add(HUGE), HUGE, to_second), ACL_ERROR_RT_PARAM_INVALID);
    assert_eq!(give(base, HUGE, of_device(64)), ACL_ERROR_RT_INVALID_DEVICEID);
    let reads = aclrtMemAccessDesc { flags: ACL_RT_MEM_ACCESS_FLAGS_READ, ..to_second };
    assert_eq!(give(base, HUGE, reads), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
    let managed = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_MANAGED };
    assert_eq!(give(base, HUGE, access(managed)), ACL_ERROR_INVALID_PARAM);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemSetAccess(base, HUGE, ptr::null_mut(), 1));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemSetAccess(base, HUGE, &mut of_device(second.0), 0));
    assert_eq!(give(base, HUGE, to_second), ACL_SUCCESS);
    // It is still memory of another device.
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    ok!(aclrtDeviceEnablePeerAccess(first.0, 0));
    assert_eq!(copy(), ACL_SUCCESS);
    // And a copy to it is one between devices.
    let here = malloc(8);
    ok!(aclrtMemcpy(base, 8, here, 8, ACL_MEMCPY_INTER_DEVICE_TO_DEVICE));
    fails!(
        ACL_ERROR_RT_INVALID_MEMORY_TYPE,
        aclrtMemcpy(base, 8, here, 8, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE)
    );

    // One reservation has memory of one device.
    let other = physical(second.0, HUGE);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(base.wrapping_byte_add(HUGE), HUGE, 0, other, 0));

    // The host touches it itself.
    assert_eq!(give(base, HUGE, of_host()), ACL_SUCCESS);
    // SAFETY: The host has access to all of the mapping.
    unsafe { base.cast::<u64>().write_volatile(0x0807_0605_0403_0201) };
    ok!(aclrtSetDevice(first.0));
    assert_eq!(download(base, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    upload(base, &[9; 8]);
    // SAFETY: As above.
    assert_eq!(unsafe { base.cast::<[u8; 8]>().read_volatile() }, [9; 8]);
    ok!(aclrtUnmapMem(base));
}

#[test]
fn tasks_on_memory_that_was_unmapped_fail() {
    let device = TestDevice::take();
    let stream = stream();
    let (base, handle) = (reserve(2 * HUGE), physical(device.0, HUGE));
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    ok!(aclrtMapMem(base.wrapping_byte_add(HUGE), HUGE, 0, handle, 0));
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(base, HUGE, 1, HUGE, stream));
    ok!(aclrtUnmapMem(base.wrapping_byte_add(HUGE)));
    gate.open();
    // What is unmapped beside the memory of the task does not matter.
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(base, 4), [1; 4]);

    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(base, HUGE, 2, HUGE, stream));
    ok!(aclrtUnmapMem(base));
    // The task is not for what is mapped there by now.
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    gate.open();
    fails!(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
    assert!(message().contains("unmapped"));
    assert_eq!(download(base, 4), [1; 4]);
}

#[test]
fn kernels_work_on_mapped_and_managed_memory() {
    let device = TestDevice::take();
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scalar.cpp");
    let object = ascendcl_sim_cc::Build::new(folder.path().join("scalar.so")).source(source).run().unwrap();
    let path = CString::new(object.output.to_str().unwrap()).unwrap();
    let (mut binary, mut add_one) = (aclrtBinHandle::null(), aclrtFuncHandle::null());
    ok!(aclrtBinaryLoadFromFile(path.as_ptr(), ptr::null_mut(), &mut binary));
    ok!(aclrtBinaryGetFunction(binary, c"add_one".as_ptr(), &mut add_one));

    let base = reserve(2 * HUGE);
    for offset in [0, HUGE] {
        let handle = physical(device.0, HUGE);
        ok!(aclrtMapMem(base.wrapping_byte_add(offset), HUGE, 0, handle, 0));
    }
    let mut count = ptr::null_mut();
    ok!(aclrtMemAllocManaged(&mut count, 4, ACL_RT_MEM_ATTACH_GLOBAL));
    // SAFETY: The host has access to managed memory.
    unsafe { count.cast::<u32>().write(6) };
    // Six numbers across the border of the mappings.
    let values = base.wrapping_byte_add(HUGE - 12);
    let numbers: Vec<u8> = [10i32, 20, 30, 40, 50, 60].iter().flat_map(|n| n.to_ne_bytes()).collect();
    upload(values, &numbers);
    let stream = stream();
    let mut list = aclrtArgsHandle::null();
    ok!(aclrtKernelArgsInit(add_one, &mut list));
    for mut argument in [values, count] {
        let mut parameter = aclrtParamHandle::null();
        ok!(aclrtKernelArgsAppend(list, (&raw mut argument).cast(), 8, &mut parameter));
    }
    ok!(aclrtKernelArgsFinalize(list));
    ok!(aclrtLaunchKernelWithConfig(add_one, 1, stream, ptr::null_mut(), list, ptr::null_mut()));
    ok!(aclrtSynchronizeStream(stream));
    let expected: Vec<u8> = [11i32, 21, 31, 41, 51, 61].iter().flat_map(|n| n.to_ne_bytes()).collect();
    assert_eq!(download(values, 24), expected);
}

#[test]
fn operators_work_on_mapped_memory() {
    let device = TestDevice::take();
    let stream = stream();
    let (base, handle) = (reserve(HUGE), physical(device.0, HUGE));
    ok!(aclrtMapMem(base, HUGE, 0, handle, 0));
    upload(base, &[1, 2, 3, 4]);
    let ranges = [(base.expose_provenance(), 4), (base.expose_provenance() + 8, 4)];
    ascendcl_sim::operator::enqueue("negate", stream, &ranges, |memory| {
        let values: Vec<u8> = memory[0].read::<u8>(0, 4)?.iter().map(|value| !value).collect();
        memory[1].write(0, &values)
    })
    .unwrap();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(base, 12), [1, 2, 3, 4, 0, 0, 0, 0, 254, 253, 252, 251]);
}

#[test]
fn what_is_left_is_reported() {
    let device = TestDevice::take();
    let free = free_bytes();
    let (base, handle) = (reserve(100), physical(device.0, HUGE));
    let whole = reserve(HUGE);
    ok!(aclrtMapMem(whole, HUGE, 0, handle, 0));
    ok!(aclrtResetDevice(device.0));
    let found: Vec<Resource> = device.report().leaks.iter().map(|leak| leak.resource).collect();
    assert!(found.contains(&Resource::ReservedAddress { address: base.addr(), size: 100 }), "{found:?}");
    assert!(found.contains(&Resource::ReservedAddress { address: whole.addr(), size: HUGE }), "{found:?}");
    let is_physical = |leak: &Resource| matches!(leak, Resource::PhysicalMemory { size: HUGE, .. });
    assert!(found.iter().any(is_physical), "{found:?}");
    assert_eq!(found.len(), 3);
    ok!(aclrtSetDevice(device.0));
    fails!(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(handle));
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(whole));
    assert_eq!(free_bytes(), free);
}
