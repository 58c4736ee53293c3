//! Channels of tensors.

#[macro_use]
mod table;

use std::ffi::c_void;
use std::time::Duration;
use std::{ptr, thread};

use ascendcl_sys::*;
use table::with_runtime;

fn item(acl: &Library, shape: &[i64], values: &mut [f32]) -> *mut acltdtDataItem {
    let data: *mut c_void = values.as_mut_ptr().cast();
    let item = call!(acl.acltdtCreateDataItem(
        ACL_TENSOR_DATA_TENSOR,
        shape.as_ptr(),
        shape.len(),
        ACL_FLOAT,
        data,
        size_of_val(values)
    ));
    assert!(!item.is_null());
    assert_eq!(call!(acl.acltdtGetDataAddrFromItem(item)), data);
    item
}

fn dataset(acl: &Library, items: &[*mut acltdtDataItem]) -> *mut acltdtDataset {
    let dataset = call!(acl.acltdtCreateDataset());
    for &item in items {
        assert_eq!(call!(acl.acltdtAddDataItem(dataset, item)), ACL_SUCCESS);
    }
    assert_eq!(call!(acl.acltdtGetDatasetSize(dataset)), items.len());
    dataset
}

#[test]
fn what_is_sent_is_received() {
    with_runtime(|acl| {
        let channel = call!(acl.acltdtCreateChannelWithCapacity(0, c"through".as_ptr(), 2));
        assert!(!channel.is_null());
        let mut values = [1.5, -2.0, 3.25, 4.0, 5.0, 6.0];
        let sent = item(acl, &[2, 3], &mut values);
        let end = call!(acl.acltdtCreateDataItem(
            ACL_TENSOR_DATA_END_OF_SEQUENCE,
            ptr::null(),
            0,
            ACL_DT_UNDEFINED,
            ptr::null_mut(),
            0
        ));
        let both = dataset(acl, &[sent, end]);
        assert_eq!(call!(acl.acltdtSendTensor(channel, both, -1)), ACL_SUCCESS);
        // It was copied.
        values.fill(0.0);
        let mut size = 0;
        assert_eq!(call!(acl.acltdtQueryChannelSize(channel, &mut size)), ACL_SUCCESS);
        assert_eq!(size, 1);

        let received = dataset(acl, &[]);
        assert_eq!(call!(acl.acltdtReceiveTensor(channel, both, 0)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(call!(acl.aclrtGetLastError(ACL_RT_THREAD_LEVEL)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(call!(acl.acltdtReceiveTensor(channel, received, 1000)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtGetDatasetSize(received)), 2);
        // Nobody named it, which is no error, as a dataset that there is not would be.
        assert!(call!(acl.acltdtGetDatasetName(received)).is_null());
        assert_eq!(call!(acl.aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL)), ACL_SUCCESS);
        assert!(call!(acl.acltdtGetDatasetName(ptr::null())).is_null());
        assert_eq!(call!(acl.aclrtGetLastError(ACL_RT_THREAD_LEVEL)), ACL_ERROR_INVALID_PARAM);
        let first = call!(acl.acltdtGetDataItem(received, 0));
        assert_eq!(call!(acl.acltdtGetTensorTypeFromItem(first)), ACL_TENSOR_DATA_TENSOR);
        assert_eq!(call!(acl.acltdtGetDataTypeFromItem(first)), ACL_FLOAT);
        assert_eq!(call!(acl.acltdtGetDataSizeFromItem(first)), 24);
        assert_eq!(call!(acl.acltdtGetDimNumFromItem(first)), 2);
        let mut shape = [0, 0];
        assert_eq!(call!(acl.acltdtGetDimsFromItem(first, shape.as_mut_ptr(), 2)), ACL_SUCCESS);
        assert_eq!(shape, [2, 3]);
        assert_eq!(call!(acl.acltdtGetDimsFromItem(first, shape.as_mut_ptr(), 1)), ACL_ERROR_INVALID_PARAM);
        let (mut slices, mut slice) = (0, 9);
        assert_eq!(call!(acl.acltdtGetSliceInfoFromItem(first, &mut slices, &mut slice)), ACL_SUCCESS);
        assert_eq!((slices, slice), (1, 0));
        let data = call!(acl.acltdtGetDataAddrFromItem(first)).cast::<f32>();
        // SAFETY: The item has six floats, in bytes, as long as its dataset lives.
        let found: Vec<f32> = (0..6).map(|index| unsafe { data.add(index).read_unaligned() }).collect();
        assert_eq!(found, [1.5, -2.0, 3.25, 4.0, 5.0, 6.0]);
        let last = call!(acl.acltdtGetDataItem(received, 1));
        assert_eq!(call!(acl.acltdtGetTensorTypeFromItem(last)), ACL_TENSOR_DATA_END_OF_SEQUENCE);
        assert!(call!(acl.acltdtGetDataItem(received, 2)).is_null());

        assert_eq!(call!(acl.acltdtDestroyDataset(received)), ACL_SUCCESS);
        // Received items end with their dataset, the program's own do not.
        assert_eq!(call!(acl.acltdtDestroyDataItem(first)), ACL_ERROR_RT_INVALID_HANDLE);
        assert_eq!(call!(acl.acltdtDestroyDataset(both)), ACL_SUCCESS);
        for item in [sent, end] {
            assert_eq!(call!(acl.acltdtDestroyDataItem(item)), ACL_SUCCESS);
        }
        assert_eq!(call!(acl.acltdtStopChannel(channel)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtDestroyChannel(channel)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtDestroyChannel(channel)), ACL_ERROR_RT_INVALID_HANDLE);
    });
}

#[test]
fn a_channel_is_full_or_empty() {
    with_runtime(|acl| {
        let channel = call!(acl.acltdtCreateChannelWithCapacity(0, c"small".as_ptr(), 2));
        let mut values = [1.0];
        let sent = item(acl, &[1], &mut values);
        let (message, received) = (dataset(acl, &[sent]), dataset(acl, &[]));
        assert_eq!(call!(acl.acltdtReceiveTensor(channel, received, 0)), ACL_ERROR_RT_QUEUE_EMPTY);
        assert_eq!(call!(acl.acltdtReceiveTensor(channel, received, 1)), ACL_ERROR_RT_QUEUE_EMPTY);
        for _ in 0..2 {
            assert_eq!(call!(acl.acltdtSendTensor(channel, message, 0)), ACL_SUCCESS);
        }
        assert_eq!(call!(acl.acltdtSendTensor(channel, message, 0)), ACL_ERROR_RT_QUEUE_FULL);
        assert_eq!(call!(acl.acltdtSendTensor(channel, message, 1)), ACL_ERROR_RT_QUEUE_FULL);
        assert_eq!(call!(acl.acltdtSendTensor(channel, message, -2)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(call!(acl.acltdtCleanChannel(channel)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtReceiveTensor(channel, received, 0)), ACL_ERROR_RT_QUEUE_EMPTY);
        assert_eq!(call!(acl.acltdtDestroyChannel(channel)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtSendTensor(channel, message, 0)), ACL_ERROR_RT_INVALID_HANDLE);
    });
}

#[test]
fn a_stop_wakes_those_who_wait() {
    with_runtime(|acl| {
        let channel = call!(acl.acltdtCreateChannelWithCapacity(0, c"stopped".as_ptr(), 2)).addr();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let received = dataset(acl, &[]);
                call!(acl.acltdtReceiveTensor(ptr::without_provenance(channel), received, -1))
            });
            // A stop before the wait wakes nobody: it is repeated until the wait is over.
            while !waiting.is_finished() {
                assert_eq!(call!(acl.acltdtStopChannel(ptr::without_provenance_mut(channel))), ACL_SUCCESS);
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(waiting.join().unwrap(), ACL_ERROR_FAILURE);
        });
    });
}

#[test]
fn impossible_channels_and_items_are_not_made() {
    with_runtime(|acl| {
        let create =
            |device, name, capacity| call!(acl.acltdtCreateChannelWithCapacity(device, name, capacity));
        assert!(create(0, ptr::null(), 2).is_null());
        assert!(create(0, c"".as_ptr(), 2).is_null());
        assert!(create(0, c"name".as_ptr(), 1).is_null());
        assert!(create(0, c"name".as_ptr(), 8193).is_null());
        assert!(create(u32::MAX, c"name".as_ptr(), 2).is_null());
        let item = |kind, count, size| {
            let none = ptr::null_mut();
            call!(acl.acltdtCreateDataItem(kind, [1].as_ptr(), count, ACL_FLOAT, none, size))
        };
        assert!(item(ACL_TENSOR_DATA_TENSOR, 1, 4).is_null());
        assert!(item(ACL_TENSOR_DATA_TENSOR, 26, 0).is_null());
        assert!(item(acltdtTensorType(9), 1, 0).is_null());
        assert_eq!(call!(acl.acltdtAddDataItem(ptr::null_mut(), ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
        assert_eq!(call!(acl.acltdtDestroyDataset(ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    });
}
