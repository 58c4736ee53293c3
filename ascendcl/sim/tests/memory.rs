//! Memory, copies and fills as programs use them.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;
use std::thread;
use std::time::Duration;

use ascendcl_sys::*;
use common::*;

#[test]
fn copies_go_there_and_back() {
    let device = TestDevice::take();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 + i / 256) as u8).collect();
    let (first, second) = (malloc(bytes.len()), malloc(bytes.len()));
    upload(first, &bytes);
    ok!(aclrtMemcpy(second, bytes.len(), first, bytes.len(), ACL_MEMCPY_DEVICE_TO_DEVICE));
    assert_eq!(download(second, bytes.len()), bytes);
    ok!(aclrtFree(first));
    ok!(aclrtFree(second));
    assert!(device.report().is_clean(), "{}", device.report());
}

#[test]
fn host_to_host_is_a_plain_copy() {
    let _device = TestDevice::take();
    let (from, mut to) = ([1u8, 2, 3], [0u8; 3]);
    ok!(aclrtMemcpy(to.as_mut_ptr().cast(), 3, from.as_ptr().cast(), 3, ACL_MEMCPY_HOST_TO_HOST));
    assert_eq!(to, from);
    let stream = stream();
    fails!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        aclrtMemcpyAsync(to.as_mut_ptr().cast(), 3, from.as_ptr().cast(), 3, ACL_MEMCPY_HOST_TO_HOST, stream)
    );
}

#[test]
fn rows_are_copied_with_their_pitches() {
    let _device = TestDevice::take();
    let stream = stream();
    let device = malloc(5 * 16);
    ok!(aclrtMemset(device, 80, 0xEE, 80));
    let host = pinned(5 * 10);
    for i in 0..50 {
        // SAFETY: The block has 50 bytes.
        unsafe { host.add(i).write(i as u8) };
    }
    ok!(aclrtMemcpy2dAsync(device, 16, host.cast(), 10, 8, 5, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    ok!(aclrtSynchronizeStream(stream));
    let expected: Vec<u8> =
        (0..80).map(|i| if i % 16 < 8 { (i / 16 * 10 + i % 16) as u8 } else { 0xEE }).collect();
    assert_eq!(download(device, 80), expected);
    let mut back = [0u8; 40];
    ok!(aclrtMemcpy2d(back.as_mut_ptr().cast(), 8, device, 16, 8, 5, ACL_MEMCPY_DEVICE_TO_HOST));
    assert_eq!(back[8..16], [10, 11, 12, 13, 14, 15, 16, 17]);
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemcpy2d(back.as_mut_ptr().cast(), 4, device, 16, 8, 5, ACL_MEMCPY_DEVICE_TO_HOST)
    );
}

#[test]
fn fills_fill_bytes_and_words() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(64);
    ok!(aclrtMemsetAsync(memory, 64, 0x1AB, 64, stream));
    ok!(aclrtMemsetD32Async(memory, 64, 0x0403_0201, 3, stream));
    ok!(aclrtSynchronizeStream(stream));
    let mut expected = vec![0xAB; 64];
    expected[..12].copy_from_slice(&[1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
    assert_eq!(download(memory, 64), expected);
    let host = pinned(8);
    ok!(aclrtMemsetD32(host.cast(), 8, 0x0807_0605, 2));
    // SAFETY: The block has 8 bytes.
    assert_eq!(unsafe { host.cast::<[u8; 8]>().read() }, [5, 6, 7, 8, 5, 6, 7, 8]);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMemsetD32(memory, 64, 0, 17));
    let mut local = [0u8; 8];
    fails!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, aclrtMemset(local.as_mut_ptr().cast(), 8, 0, 8));
}

#[test]
fn synchronous_copies_do_not_wait_for_streams() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(1);
    upload(memory, &[1]);
    let gate = Gate::close_on(stream);
    ok!(aclrtMemsetAsync(memory, 1, 2, 1, stream));
    assert_eq!(download(memory, 1), [1]);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(memory, 1), [2]);
}

#[test]
fn pageable_copies_wait_and_staged_ones_do_not() {
    let _device = TestDevice::take();
    let stream = stream();
    let memory = malloc(8);
    let gate = Gate::close_on(stream);
    let mut source = [7u8; 8];
    let kind = ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE;
    ok!(aclrtMemcpyAsync(memory, 8, source.as_ptr().cast(), 8, kind, stream));
    source.fill(0);
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        gate.open();
    });
    let mut result = [0u8; 8];
    // Behind the gate, so that the copy could not have been made before the call returned.
    ok!(aclrtMemcpyAsync(result.as_mut_ptr().cast(), 8, memory, 8, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    assert_eq!(result, [7; 8]);
    opener.join().unwrap();
}

#[test]
fn memory_is_counted_and_limited() {
    let _device = TestDevice::take();
    let (mut free, mut total) = (0, 0);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    assert_eq!((free as u64, total as u64), (MEMORY, MEMORY));
    let mut memory = ptr::null_mut();
    fails!(
        ACL_ERROR_RT_MEMORY_ALLOCATION,
        aclrtMalloc(&mut memory, MEMORY as usize, ACL_MEM_MALLOC_HUGE_FIRST)
    );
    // 2 MiB are rounded up with the padding to 4.
    let huge = malloc(2 << 20);
    let small = malloc(1000);
    ok!(aclrtGetMemInfo(ACL_HBM_MEM, &mut free, &mut total));
    assert_eq!(free as u64, MEMORY - (4 << 20) - 4096);
    let mut attributes = aclrtPtrAttributes {
        location: aclrtMemLocation { id: 99, type_: ACL_MEM_LOCATION_TYPE_HOST },
        pageSize: 0,
        rsv: [0; 4],
    };
    ok!(aclrtPointerGetAttributes(huge, &mut attributes));
    assert_eq!((attributes.location.type_, attributes.pageSize), (ACL_MEM_LOCATION_TYPE_DEVICE, 2 << 20));
    ok!(aclrtPointerGetAttributes(small, &mut attributes));
    assert_eq!(attributes.pageSize, 4096);
    ok!(aclrtPointerGetAttributes((&raw const free).cast(), &mut attributes));
    assert_eq!(attributes.location.type_, ACL_MEM_LOCATION_TYPE_UNREGISTERED);
    ok!(aclrtFree(huge));
    ok!(aclrtFree(small));
    ok!(aclrtGetMemInfo(ACL_HBM_MEM_HUGE, &mut free, &mut total));
    assert_eq!(free as u64, MEMORY);
    assert_eq!((huge.addr() % 512, small.addr() % 64), (0, 0));
}

#[test]
fn freed_memory_reads_as_zeros_when_it_is_given_out_again() {
    let _device = TestDevice::take();
    let first = malloc(4096);
    upload(first, &[9; 4096]);
    ok!(aclrtFree(first));
    let second = malloc(4096);
    assert_eq!(first, second);
    assert_eq!(download(second, 4096), [0; 4096]);
}

#[test]
fn memory_of_another_device_needs_peer_access() {
    let (first, second) = (TestDevice::take(), TestDevice::take());
    let there = malloc(16);
    upload(there, &[5; 16]);
    ok!(aclrtSetDevice(first.0));
    let here = malloc(16);
    let copy = || code!(aclrtMemcpy(here, 16, there, 16, ACL_MEMCPY_DEVICE_TO_DEVICE));
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    let mut possible = 0;
    ok!(aclrtDeviceCanAccessPeer(&mut possible, first.0, second.0));
    assert_eq!(possible, 1);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtDeviceEnablePeerAccess(first.0, 0));
    ok!(aclrtDeviceEnablePeerAccess(second.0, 0));
    assert_eq!(copy(), ACL_SUCCESS);
    assert_eq!(download(here, 16), [5; 16]);
    ok!(aclrtDeviceDisablePeerAccess(second.0));
    assert_eq!(copy(), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(there));
}

#[test]
fn batches_have_one_direction() {
    let _device = TestDevice::take();
    let host = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_HOST };
    let device = aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_DEVICE };
    let mut attribute = aclrtMemcpyBatchAttr { dstLoc: device, srcLoc: host, rsv: [0; 16] };
    let (a, b) = (malloc(3), malloc(4));
    let (x, y) = ([1u8, 2, 3], [4u8, 5, 6, 7]);
    let mut dsts = [a, b];
    let mut srcs = [x.as_ptr().cast_mut().cast::<c_void>(), y.as_ptr().cast_mut().cast()];
    let (mut most, mut sizes, mut starts, mut fail) = ([3usize, 4], [3usize, 4], [0usize], 0usize);
    ok!(aclrtMemcpyBatch(
        dsts.as_mut_ptr(),
        most.as_mut_ptr(),
        srcs.as_mut_ptr(),
        sizes.as_mut_ptr(),
        2,
        &mut attribute,
        starts.as_mut_ptr(),
        1,
        &mut fail,
    ));
    assert_eq!((download(a, 3), download(b, 4)), (x.to_vec(), y.to_vec()));
    assert_eq!(fail, usize::MAX);
    let mut mixed = [attribute, aclrtMemcpyBatchAttr { dstLoc: host, srcLoc: device, rsv: [0; 16] }];
    let mut starts = [0usize, 1];
    fails!(
        ACL_ERROR_INVALID_PARAM,
        aclrtMemcpyBatch(
            dsts.as_mut_ptr(),
            most.as_mut_ptr(),
            srcs.as_mut_ptr(),
            sizes.as_mut_ptr(),
            2,
            mixed.as_mut_ptr(),
            starts.as_mut_ptr(),
            2,
            &mut fail,
        )
    );
    assert_eq!(fail, 1);
}

#[test]
fn registered_memory_is_page_locked() {
    let device = TestDevice::take();
    let stream = stream();
    // A page of its own within a larger block.
    let mut block = vec![0u8; 3 * 4096];
    let page = block.as_mut_ptr().wrapping_add(block.as_ptr().align_offset(4096));
    let mut mapped = ptr::null_mut();
    let register = |address: *mut u8, mapped: &mut *mut c_void| {
        code!(aclrtHostRegister(address.cast(), 4096, ACL_HOST_REGISTER_MAPPED, mapped))
    };
    assert_eq!(register(page.wrapping_add(1), &mut mapped), ACL_ERROR_RT_ADDR_UNALIGNED);
    assert_eq!(register(page, &mut mapped), ACL_SUCCESS);
    assert_eq!(register(page, &mut mapped), ACL_ERROR_RT_PARAM_INVALID);
    let mut found = ptr::null_mut();
    ok!(aclrtHostGetDevicePointer(page.cast(), &mut found, 0));
    assert_eq!(found, mapped);
    // Copies of it are asynchronous: this one returns although the stream is busy.
    let memory = malloc(8);
    let gate = Gate::close_on(stream);
    ok!(aclrtMemcpyAsync(memory, 8, page.cast(), 8, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(code!(aclrtFreeHost(page.cast())), ACL_ERROR_RT_PARAM_INVALID);
    assert!(device.report().leaks.iter().any(|leak| {
        leak.resource == ascendcl_sim::Resource::HostMemory { address: page.addr(), size: 4096 }
    }));
    ok!(aclrtHostUnregister(page.cast()));
    assert_eq!(code!(aclrtHostUnregister(page.cast())), ACL_ERROR_RT_PARAM_INVALID);
    fails!(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtHostRegisterV2(page.cast(), 4096, ACL_HOST_REG_READONLY));
}

#[test]
fn policies_choose_pages() {
    let _device = TestDevice::take();
    let mut memory = ptr::null_mut();
    let mut page_of = |size, policy| {
        let code = code!(aclrtMalloc(&mut memory, size, policy));
        if code != ACL_SUCCESS {
            return Err(code);
        }
        let mut attributes = aclrtPtrAttributes {
            location: aclrtMemLocation { id: 0, type_: ACL_MEM_LOCATION_TYPE_HOST },
            pageSize: 0,
            rsv: [0; 4],
        };
        ok!(aclrtPointerGetAttributes(memory, &mut attributes));
        ok!(aclrtFree(memory));
        Ok(attributes.pageSize)
    };
    let (normal, huge) = (Ok(4 << 10), Ok(2 << 20));
    assert_eq!(page_of(1 << 20, ACL_MEM_MALLOC_HUGE_FIRST), normal);
    assert_eq!(page_of((1 << 20) + 1, ACL_MEM_MALLOC_HUGE_FIRST), huge);
    assert_eq!(page_of(1, ACL_MEM_MALLOC_HUGE_ONLY), huge);
    assert_eq!(page_of(8 << 20, ACL_MEM_MALLOC_NORMAL_ONLY), normal);
    assert_eq!(page_of((2 << 20) - 1, aclrtMemMallocPolicy(77)), normal);
    assert_eq!(page_of(2 << 20, aclrtMemMallocPolicy(77)), huge);
    // The device is smaller than a page of this kind.
    assert_eq!(page_of(1, ACL_MEM_MALLOC_HUGE1G_ONLY), Err(ACL_ERROR_RT_MEMORY_ALLOCATION));
    assert_eq!(page_of(0, ACL_MEM_MALLOC_HUGE_FIRST), Err(ACL_ERROR_INVALID_PARAM));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtMallocCached(&mut memory, 1, ACL_MEM_MALLOC_HUGE_ONLY_P2P));
    // Without huge pages, the policy that prefers them takes normal ones.
    let mut blocks = Vec::new();
    while code!(aclrtMalloc(&mut memory, (2 << 20) - 64, ACL_MEM_MALLOC_HUGE_ONLY)) == ACL_SUCCESS {
        blocks.push(memory);
    }
    assert_eq!(blocks.len() as u64, MEMORY >> 21);
    ok!(aclrtFree(blocks[3]));
    let small = malloc(100);
    ok!(aclrtMalloc(&mut memory, 1_500_000, ACL_MEM_MALLOC_HUGE_FIRST));
    assert_eq!(small.addr() >> 21, memory.addr() >> 21);
}
