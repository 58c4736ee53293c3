//! Queues of data and the routes between them.

#[macro_use]
mod table;

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use ascendcl_sys::*;
use table::with_runtime;

fn queue(acl: &Library, depth: u32) -> u32 {
    let attr = call!(acl.acltdtCreateQueueAttr());
    let depth: *const u32 = &raw const depth;
    let code = call!(acl.acltdtSetQueueAttr(attr, ACL_TDT_QUEUE_DEPTH_UINT32, 4, depth.cast()));
    assert_eq!(code, ACL_SUCCESS);
    let mut number = 0;
    assert_eq!(call!(acl.acltdtCreateQueue(attr, &mut number)), ACL_SUCCESS);
    assert_eq!(call!(acl.acltdtDestroyQueueAttr(attr)), ACL_SUCCESS);
    number
}

fn put(acl: &Library, queue: u32, text: &str) -> aclError {
    let note = [text.len() as u8; 4];
    let (data, note): (*const c_void, *const c_void) = (text.as_ptr().cast(), note.as_ptr().cast());
    call!(acl.acltdtEnqueueData(queue, data, text.len(), note, 4, 0, 0))
}

fn take(acl: &Library, queue: u32) -> Result<String, aclError> {
    let (mut data, mut note, mut size) = ([0_u8; 16], [0_u8; 4], 0);
    let (to, note_to): (*mut c_void, *mut c_void) = (data.as_mut_ptr().cast(), note.as_mut_ptr().cast());
    match call!(acl.acltdtDequeueData(queue, to, 16, &mut size, note_to, 4, 0)) {
        ACL_SUCCESS => {
            assert_eq!(note, [size as u8; 4]);
            Ok(String::from_utf8_lossy(&data[..size]).into_owned())
        }
        code => Err(code),
    }
}

#[test]
fn attributes_are_what_was_set() {
    with_runtime(|acl| {
        let attr = call!(acl.acltdtCreateQueueAttr());
        let mut size = 0;
        let mut name: *const c_char = c"pipeline".as_ptr();
        let set = |kind, size, value: *const c_void| call!(acl.acltdtSetQueueAttr(attr, kind, size, value));
        assert_eq!(set(ACL_TDT_QUEUE_NAME_PTR, 8, (&raw const name).cast()), ACL_SUCCESS);
        assert_eq!(set(ACL_TDT_QUEUE_NAME_PTR, 4, (&raw const name).cast()), ACL_ERROR_INVALID_PARAM);
        assert_eq!(set(ACL_TDT_QUEUE_NAME_PTR, 8, ptr::null()), ACL_ERROR_INVALID_PARAM);
        let none = 0_u32;
        assert_eq!(set(ACL_TDT_QUEUE_DEPTH_UINT32, 4, (&raw const none).cast()), ACL_ERROR_INVALID_PARAM);
        name = ptr::null();
        let code =
            call!(acl.acltdtGetQueueAttr(attr, ACL_TDT_QUEUE_NAME_PTR, 8, &mut size, (&raw mut name).cast()));
        assert_eq!((code, size), (ACL_SUCCESS, 8));
        // SAFETY: Not null, hence a text that lives as long as the attributes.
        assert_eq!(unsafe { CStr::from_ptr(name) }, c"pipeline");
        let mut depth = 0_u32;
        let to = (&raw mut depth).cast();
        let code = call!(acl.acltdtGetQueueAttr(attr, ACL_TDT_QUEUE_DEPTH_UINT32, 4, &mut size, to));
        // The documented default.
        assert_eq!((code, size, depth), (ACL_SUCCESS, 4, 8));
        assert_eq!(call!(acl.acltdtDestroyQueueAttr(attr)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtDestroyQueueAttr(attr)), ACL_ERROR_RT_INVALID_HANDLE);
        assert_eq!(call!(acl.acltdtCreateQueue(ptr::null(), ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    });
}

#[test]
fn data_come_out_in_order() {
    with_runtime(|acl| {
        let number = queue(acl, 2);
        assert_eq!(take(acl, number), Err(ACL_ERROR_RT_QUEUE_EMPTY));
        assert_eq!(put(acl, number, "first"), ACL_SUCCESS);
        assert_eq!(put(acl, number, ""), ACL_SUCCESS);
        assert_eq!(put(acl, number, "third"), ACL_ERROR_RT_QUEUE_FULL);
        // Too long for the memory: it stays.
        let (mut small, mut size) = ([0_u8; 2], 0);
        let to: *mut c_void = small.as_mut_ptr().cast();
        let code = call!(acl.acltdtDequeueData(number, to, 2, &mut size, ptr::null_mut(), 0, 0));
        assert_eq!(code, ACL_ERROR_INVALID_PARAM);
        assert_eq!(take(acl, number).as_deref(), Ok("first"));
        assert_eq!(take(acl, number).as_deref(), Ok(""));
        assert_eq!(call!(acl.acltdtDestroyQueue(number)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtDestroyQueue(number)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(put(acl, number, "gone"), ACL_ERROR_INVALID_PARAM);
    });
}

/// A list of routes.
fn routes(acl: &Library, pairs: &[(u32, u32)]) -> *mut acltdtQueueRouteList {
    let list = call!(acl.acltdtCreateQueueRouteList());
    for &(from, to) in pairs {
        let route = call!(acl.acltdtCreateQueueRoute(from, to));
        assert_eq!(call!(acl.acltdtAddQueueRoute(list, route)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtDestroyQueueRoute(route)), ACL_SUCCESS);
    }
    assert_eq!(call!(acl.acltdtGetQueueRouteNum(list)), pairs.len());
    list
}

/// Source, destination and status of a route of a list.
fn route(acl: &Library, list: *mut acltdtQueueRouteList, index: usize) -> (u32, u32, i32) {
    let route = call!(acl.acltdtCreateQueueRoute(0, 0));
    assert_eq!(call!(acl.acltdtGetQueueRoute(list, index, route)), ACL_SUCCESS);
    let read = |kind| {
        let (mut value, mut size) = (0_u32, 0);
        let to = (&raw mut value).cast();
        assert_eq!(call!(acl.acltdtGetQueueRouteParam(route, kind, 4, &mut size, to)), ACL_SUCCESS);
        assert_eq!(size, 4);
        value
    };
    let found = (
        read(ACL_TDT_QUEUE_ROUTE_SRC_UINT32),
        read(ACL_TDT_QUEUE_ROUTE_DST_UINT32),
        read(ACL_TDT_QUEUE_ROUTE_STATUS_INT32).cast_signed(),
    );
    assert_eq!(call!(acl.acltdtDestroyQueueRoute(route)), ACL_SUCCESS);
    found
}

#[test]
fn routes_lead_data_on() {
    with_runtime(|acl| {
        let [source, left, right] = [2, 1, 2].map(|depth| queue(acl, depth));
        let list = routes(acl, &[(source, left), (source, right)]);
        assert_eq!(put(acl, source, "early"), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtBindQueueRoutes(list)), ACL_SUCCESS);
        assert_eq!(route(acl, list, 1), (source, right, 1));
        assert_eq!(put(acl, source, "later"), ACL_SUCCESS);
        // The left queue is full, so that the second message waits, for the right queue, too.
        assert_eq!(take(acl, right).as_deref(), Ok("early"));
        assert_eq!(take(acl, right), Err(ACL_ERROR_RT_QUEUE_EMPTY));
        assert_eq!(take(acl, left).as_deref(), Ok("early"));
        for number in [left, right] {
            assert_eq!(take(acl, number).as_deref(), Ok("later"));
        }
        assert_eq!(take(acl, source), Err(ACL_ERROR_RT_QUEUE_EMPTY));
        // Binding twice, or in a circle, is an error and says which route it was.
        assert_eq!(call!(acl.acltdtBindQueueRoutes(list)), ACL_ERROR_INVALID_PARAM);
        let circle = routes(acl, &[(right, source)]);
        assert_eq!(call!(acl.acltdtBindQueueRoutes(circle)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(route(acl, circle, 0), (right, source, 2));

        let query = call!(acl.acltdtCreateQueueRouteQueryInfo());
        let set = |kind, value: u32| {
            let value: *const u32 = &raw const value;
            call!(acl.acltdtSetQueueRouteQueryInfo(query, kind, 4, value.cast()))
        };
        let found = routes(acl, &[]);
        assert_eq!(call!(acl.acltdtQueryQueueRoutes(query, found)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(set(ACL_TDT_QUEUE_ROUTE_QUERY_MODE_ENUM, 9), ACL_ERROR_INVALID_PARAM);
        assert_eq!(set(ACL_TDT_QUEUE_ROUTE_QUERY_MODE_ENUM, ACL_TDT_QUEUE_ROUTE_QUERY_SRC.0), ACL_SUCCESS);
        assert_eq!(set(ACL_TDT_QUEUE_ROUTE_QUERY_SRC_ID_UINT32, source), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtQueryQueueRoutes(query, found)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtGetQueueRouteNum(found)), 2);
        let both = ACL_TDT_QUEUE_ROUTE_QUERY_SRC_AND_DST.0;
        assert_eq!(set(ACL_TDT_QUEUE_ROUTE_QUERY_MODE_ENUM, both), ACL_SUCCESS);
        assert_eq!(set(ACL_TDT_QUEUE_ROUTE_QUERY_DST_ID_UINT32, left), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtQueryQueueRoutes(query, found)), ACL_SUCCESS);
        assert_eq!(call!(acl.acltdtGetQueueRouteNum(found)), 1);
        assert_eq!(route(acl, found, 0), (source, left, 1));

        assert_eq!(call!(acl.acltdtUnbindQueueRoutes(list)), ACL_SUCCESS);
        assert_eq!(route(acl, list, 0), (source, left, 0));
        assert_eq!(call!(acl.acltdtUnbindQueueRoutes(list)), ACL_ERROR_INVALID_PARAM);
        assert_eq!(put(acl, source, "stays"), ACL_SUCCESS);
        assert_eq!(take(acl, source).as_deref(), Ok("stays"));
        assert_eq!(call!(acl.acltdtDestroyQueueRouteQueryInfo(query)), ACL_SUCCESS);
        for list in [list, circle, found] {
            assert_eq!(call!(acl.acltdtDestroyQueueRouteList(list)), ACL_SUCCESS);
            assert_eq!(call!(acl.acltdtDestroyQueueRouteList(list)), ACL_ERROR_RT_INVALID_HANDLE);
        }
        for number in [source, left, right] {
            assert_eq!(call!(acl.acltdtDestroyQueue(number)), ACL_SUCCESS);
        }
    });
}
