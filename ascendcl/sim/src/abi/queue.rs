//! Queues of data and the routes between them. Buffers that processes share are not simulated.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use ascendcl_sys::*;

use super::channel::patience;
use super::{In, Out, abi};
use crate::error::{Result, misuse};
use crate::object::Objects;
use crate::queue::{self, Message};
use crate::simulator::{self, Simulator};
use crate::transfer::Place;

struct Attributes {
    name: Option<CString>,
    depth: u32,
}

#[derive(Clone, Copy)]
struct Route {
    from: u32,
    to: u32,
    status: i32,
}

/// What routes are looked for by.
#[derive(Clone, Copy, Default)]
struct Query {
    mode: Option<acltdtQueueRouteQueryMode>,
    from: Option<u32>,
    to: Option<u32>,
}

static ATTRIBUTES: Objects<acltdtQueueAttr, Attributes> = Objects::new("queue attribute");
static ROUTES: Objects<acltdtQueueRoute, Route> = Objects::new("queue route");
static LISTS: Objects<acltdtQueueRouteList, Vec<Route>> = Objects::new("list of queue routes");
static QUERIES: Objects<acltdtQueueRouteQueryInfo, Query> = Objects::new("query of queue routes");

/// The depth of a queue for which none is set.
const DEPTH: u32 = 8;
/// As long as a name is at most.
const MAX_NAME: usize = 127;
/// As many bytes as a program says about its data at most.
const MAX_NOTE: usize = 96;

const UNBOUND: i32 = ACL_TDT_QUEUE_ROUTE_UNBIND.cast_signed();
const BOUND: i32 = ACL_TDT_QUEUE_ROUTE_BIND.cast_signed();
const ABNORMAL: i32 = ACL_TDT_QUEUE_ROUTE_BIND_ABNORMAL.cast_signed();

abi! {
    pub fn acltdtCreateQueueAttr() -> *mut acltdtQueueAttr, else ptr::null_mut(); {
        Ok(ATTRIBUTES.add(Attributes { name: None, depth: DEPTH }))
    }

    pub fn acltdtDestroyQueueAttr(attr: *const acltdtQueueAttr) {
        ATTRIBUTES.remove(attr.raw()).map(drop)
    }

    /// Copies a name, whose pointer `param` points to.
    pub fn acltdtSetQueueAttr(
        attr: *mut acltdtQueueAttr,
        type_: acltdtQueueAttrType,
        len: usize,
        param: *const c_void,
    ) {
        ATTRIBUTES.get(attr.raw())?;
        match type_ {
            ACL_TDT_QUEUE_NAME_PTR => {
                let name: *const c_char = value(&param, len)?;
                if name.is_null() {
                    return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the name is null"));
                }
                // SAFETY: Not null, hence the C string that the program names its queue by.
                let name = unsafe { CStr::from_ptr(name) }.to_owned();
                if name.as_bytes().len() > MAX_NAME {
                    return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the name has more than {MAX_NAME} bytes"));
                }
                ATTRIBUTES.with(attr.raw(), |attributes| attributes.name = Some(name))
            }
            ACL_TDT_QUEUE_DEPTH_UINT32 => {
                let depth: u32 = value(&param, len)?;
                if depth == 0 {
                    return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the depth is 0"));
                }
                ATTRIBUTES.with(attr.raw(), |attributes| attributes.depth = depth)
            }
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no queue attribute {}", type_.0)),
        }
    }

    /// A name lives until it changes or its attributes end; it is null if none was set.
    pub fn acltdtGetQueueAttr(
        attr: *const acltdtQueueAttr,
        type_: acltdtQueueAttrType,
        len: usize,
        param_ret_size: *mut usize,
        param: *mut c_void,
    ) {
        let attributes = ATTRIBUTES.get(attr.raw())?;
        let attributes = attributes.lock();
        match type_ {
            ACL_TDT_QUEUE_NAME_PTR => {
                let name = attributes.name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
                answer(&param, len, &param_ret_size, name)
            }
            ACL_TDT_QUEUE_DEPTH_UINT32 => answer(&param, len, &param_ret_size, attributes.depth),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no queue attribute {}", type_.0)),
        }
    }

    /// Without attributes the queue has the default depth.
    pub fn acltdtCreateQueue(attr: *const acltdtQueueAttr, qid: *mut u32) {
        simulator::get()?;
        qid.required()?;
        let depth = match attr.is_null() {
            true => DEPTH,
            false => ATTRIBUTES.with(attr.raw(), |attributes| attributes.depth)?,
        };
        qid.set(queue::create(depth as usize))
    }

    pub fn acltdtDestroyQueue(qid: u32) {
        queue::destroy(qid)
    }

    pub fn acltdtEnqueueData(
        qid: u32,
        data: *const c_void,
        data_size: usize,
        user_data: *const c_void,
        user_data_size: usize,
        timeout: i32,
        _rsv: u32,
    ) {
        let patience = patience(timeout)?;
        check_note(user_data_size)?;
        let simulator = simulator::get()?;
        let bytes = |pointer: &In<c_void>, size| match size {
            0 => Ok(Vec::new()),
            size => place(&simulator, pointer, size)?.read(size),
        };
        let message = Message { data: bytes(&data, data_size)?, note: bytes(&user_data, user_data_size)? };
        queue::enqueue(qid, &message, patience)
    }

    /// A message that is longer than the memory for it stays in the queue.
    pub fn acltdtDequeueData(
        qid: u32,
        data: *mut c_void,
        data_size: usize,
        ret_data_size: *mut usize,
        user_data: *mut c_void,
        user_data_size: usize,
        timeout: i32,
    ) {
        let patience = patience(timeout)?;
        check_note(user_data_size)?;
        ret_data_size.required()?;
        let simulator = simulator::get()?;
        let room = |pointer: &In<c_void>, size| match size {
            0 => Ok(None),
            size => place(&simulator, pointer, size).map(Some),
        };
        let (to, note_to) = (room(&data, data_size)?, room(&user_data, user_data_size)?);
        let message = queue::dequeue(qid, data_size, user_data_size, patience)?;
        if let Some(to) = to {
            to.write(&message.data)?;
        }
        if let Some(to) = note_to {
            to.write(&message.note[..user_data_size])?;
        }
        ret_data_size.set(message.data.len())
    }

    pub fn acltdtCreateQueueRoute(src_id: u32, dst_id: u32) -> *mut acltdtQueueRoute, else ptr::null_mut(); {
        Ok(ROUTES.add(Route { from: src_id, to: dst_id, status: UNBOUND }))
    }

    pub fn acltdtDestroyQueueRoute(route: *const acltdtQueueRoute) {
        ROUTES.remove(route.raw()).map(drop)
    }

    pub fn acltdtGetQueueRouteParam(
        route: *const acltdtQueueRoute,
        type_: acltdtQueueRouteParamType,
        len: usize,
        param_ret_size: *mut usize,
        param: *mut c_void,
    ) {
        let route = ROUTES.with(route.raw(), |route| *route)?;
        match type_ {
            ACL_TDT_QUEUE_ROUTE_SRC_UINT32 => answer(&param, len, &param_ret_size, route.from),
            ACL_TDT_QUEUE_ROUTE_DST_UINT32 => answer(&param, len, &param_ret_size, route.to),
            ACL_TDT_QUEUE_ROUTE_STATUS_INT32 => answer(&param, len, &param_ret_size, route.status),
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no route parameter {}", type_.0)),
        }
    }

    pub fn acltdtCreateQueueRouteList() -> *mut acltdtQueueRouteList, else ptr::null_mut(); {
        Ok(LISTS.add(Vec::new()))
    }

    pub fn acltdtDestroyQueueRouteList(route_list: *const acltdtQueueRouteList) {
        LISTS.remove(route_list.raw()).map(drop)
    }

    /// Copies the route.
    pub fn acltdtAddQueueRoute(route_list: *mut acltdtQueueRouteList, route: *const acltdtQueueRoute) {
        let route = ROUTES.with(route.raw(), |route| *route)?;
        LISTS.with(route_list.raw(), |list| list.push(route))
    }

    /// Copies into the route.
    pub fn acltdtGetQueueRoute(
        route_list: *const acltdtQueueRouteList,
        index: usize,
        route: *mut acltdtQueueRoute,
    ) {
        let found = LISTS.with(route_list.raw(), |list| list.get(index).copied())?;
        let found =
            found.ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "the list has no route of index {index}"))?;
        ROUTES.with(route.raw(), |route| *route = found)
    }

    pub fn acltdtGetQueueRouteNum(route_list: *const acltdtQueueRouteList) -> usize, else 0; {
        LISTS.with(route_list.raw(), |list| list.len())
    }

    /// Binds every route that can be bound, and answers with the first error.
    pub fn acltdtBindQueueRoutes(route_list: *mut acltdtQueueRouteList) {
        let result = change(&route_list, |route| {
            queue::bind(route.from, route.to)
                .inspect(|()| route.status = BOUND)
                .inspect_err(|_| route.status = ABNORMAL)
        });
        queue::settle();
        result
    }

    /// Unbinds every route that is bound, and answers with the first error.
    pub fn acltdtUnbindQueueRoutes(route_list: *mut acltdtQueueRouteList) {
        change(&route_list, |route| {
            queue::unbind(route.from, route.to).inspect(|()| route.status = UNBOUND)
        })
    }

    /// What the list held before is gone.
    pub fn acltdtQueryQueueRoutes(
        query_info: *const acltdtQueueRouteQueryInfo,
        route_list: *mut acltdtQueueRouteList,
    ) {
        let query = QUERIES.with(query_info.raw(), |query| *query)?;
        let missing = |what: &str| misuse!(ACL_ERROR_INVALID_PARAM, "the query lacks the {what}");
        let (from, to) = match query.mode.ok_or_else(|| missing("mode"))? {
            ACL_TDT_QUEUE_ROUTE_QUERY_SRC => (Some(query.from.ok_or_else(|| missing("source"))?), None),
            ACL_TDT_QUEUE_ROUTE_QUERY_DST => (None, Some(query.to.ok_or_else(|| missing("destination"))?)),
            ACL_TDT_QUEUE_ROUTE_QUERY_SRC_AND_DST => (
                Some(query.from.ok_or_else(|| missing("source"))?),
                Some(query.to.ok_or_else(|| missing("destination"))?),
            ),
            // No route becomes abnormal once it is bound.
            _ => return LISTS.with(route_list.raw(), Vec::clear),
        };
        let matches = |wanted: Option<u32>, found| wanted.is_none_or(|wanted| wanted == found);
        let routes = queue::routes().into_iter().filter(|route| matches(from, route.0) && matches(to, route.1));
        let routes = routes.map(|(from, to)| Route { from, to, status: BOUND }).collect();
        LISTS.with(route_list.raw(), |list| *list = routes)
    }

    pub fn acltdtCreateQueueRouteQueryInfo() -> *mut acltdtQueueRouteQueryInfo, else ptr::null_mut(); {
        Ok(QUERIES.add(Query::default()))
    }

    pub fn acltdtDestroyQueueRouteQueryInfo(info: *const acltdtQueueRouteQueryInfo) {
        QUERIES.remove(info.raw()).map(drop)
    }

    pub fn acltdtSetQueueRouteQueryInfo(
        param: *mut acltdtQueueRouteQueryInfo,
        type_: acltdtQueueRouteQueryInfoParamType,
        len: usize,
        value_of: *const c_void,
    ) {
        QUERIES.get(param.raw())?;
        let number: u32 = value(&value_of, len)?;
        let mode = acltdtQueueRouteQueryMode(number);
        if type_ == ACL_TDT_QUEUE_ROUTE_QUERY_MODE_ENUM
            && mode.0 > ACL_TDT_QUEUE_ROUTE_QUERY_SRC_AND_DST.0
            && mode != ACL_TDT_QUEUE_ROUTE_QUERY_ABNORMAL
        {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no query mode {number}"));
        }
        QUERIES.with(param.raw(), |query| match type_ {
            ACL_TDT_QUEUE_ROUTE_QUERY_MODE_ENUM => {
                query.mode = Some(mode);
                Ok(())
            }
            ACL_TDT_QUEUE_ROUTE_QUERY_SRC_ID_UINT32 => {
                query.from = Some(number);
                Ok(())
            }
            ACL_TDT_QUEUE_ROUTE_QUERY_DST_ID_UINT32 => {
                query.to = Some(number);
                Ok(())
            }
            _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no query parameter {}", type_.0)),
        })?
    }
}

/// A value that comes by its address and size.
fn value<T: Copy>(pointer: &In<c_void>, size: usize) -> Result<T> {
    sized::<T>(size)?;
    let pointer = pointer.required()?.cast::<T>();
    // SAFETY: Not null, hence a value of that size; every type in use here has no invalid values.
    Ok(unsafe { pointer.read_unaligned() })
}

fn answer<T>(pointer: &Out<c_void>, size: usize, written: &Out<usize>, value: T) -> Result {
    sized::<T>(size)?;
    written.required()?;
    let pointer = pointer.required()?.cast::<T>();
    // SAFETY: Not null, hence memory of that size.
    unsafe { pointer.write_unaligned(value) };
    written.set(size)
}

fn sized<T>(size: usize) -> Result {
    if size != size_of::<T>() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the value has {} bytes, not {size}", size_of::<T>()));
    }
    Ok(())
}

fn check_note(size: usize) -> Result {
    if size > MAX_NOTE {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "the program's own data have {size} bytes, not {MAX_NOTE}"
        ));
    }
    Ok(())
}

/// Memory of the host or of any device.
fn place(simulator: &Simulator, pointer: &In<c_void>, size: usize) -> Result<Place> {
    let address = pointer.address()?;
    let device = match simulator.owner(address) {
        Some(owner) => owner,
        None => simulator.device(0)?,
    };
    Place::find(simulator, device, address, size)
}

/// Changes every route of a list, and answers with the first error.
fn change(list: &In<acltdtQueueRouteList>, mut change: impl FnMut(&mut Route) -> Result) -> Result {
    LISTS.with(list.raw(), |list| {
        let mut result = Ok(());
        for route in list {
            result = result.and(change(route));
        }
        result
    })?
}
