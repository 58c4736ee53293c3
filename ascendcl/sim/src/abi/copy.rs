//! Copies.

use std::ffi::c_void;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{In, Out, abi};
use crate::error::{Result, failure, misuse};
use crate::fault;
use crate::graph;
use crate::task::Task;
use crate::transfer::{Place, Request, Transfer};

/// The largest rows and the most of them (AscendCL docs: memory copy).
const MAX_WIDTH: usize = 5_000_000;
const MAX_HEIGHT: usize = 5 << 20;

abi! {
    /// Copies at once, whatever streams do.
    pub fn aclrtMemcpy(
        dst: *mut c_void,
        dest_max: usize,
        src: *const c_void,
        count: usize,
        kind: aclrtMemcpyKind,
    ) {
        now(&[linear(&dst, dest_max, &src, count, kind)?])
    }

    /// Waits for the copy if it is to or from pageable memory.
    pub fn aclrtMemcpyAsync(
        dst: *mut c_void,
        dest_max: usize,
        src: *const c_void,
        count: usize,
        kind: aclrtMemcpyKind,
        stream: aclrtStream,
    ) {
        later(&[linear(&dst, dest_max, &src, count, kind)?], stream)
    }

    pub fn aclrtMemcpyAsyncWithCondition(
        dst: *mut c_void,
        dest_max: usize,
        src: *const c_void,
        count: usize,
        kind: aclrtMemcpyKind,
        stream: aclrtStream,
    ) {
        later(&[linear(&dst, dest_max, &src, count, kind)?], stream)
    }

    pub fn aclrtMemcpy2d(
        dst: *mut c_void,
        dpitch: usize,
        src: *const c_void,
        spitch: usize,
        width: usize,
        height: usize,
        kind: aclrtMemcpyKind,
    ) {
        now(&[matrix(&dst, dpitch, &src, spitch, width, height, kind)?])
    }

    pub fn aclrtMemcpy2dAsync(
        dst: *mut c_void,
        dpitch: usize,
        src: *const c_void,
        spitch: usize,
        width: usize,
        height: usize,
        kind: aclrtMemcpyKind,
        stream: aclrtStream,
    ) {
        later(&[matrix(&dst, dpitch, &src, spitch, width, height, kind)?], stream)
    }

    pub fn aclrtMemcpyBatch(
        dsts: *mut *mut c_void,
        dest_maxs: *mut usize,
        srcs: *mut *mut c_void,
        sizes: *mut usize,
        num_batches: usize,
        attrs: *mut aclrtMemcpyBatchAttr,
        attrs_indexes: *mut usize,
        num_attrs: usize,
        fail_index: *mut usize,
    ) {
        let batch = Batch { dsts, dest_maxs, srcs, sizes, num_batches, attrs, attrs_indexes, num_attrs };
        now(&batch.requests(Some(&fail_index))?)
    }

    pub fn aclrtMemcpyBatchV2(
        dsts: *mut *mut c_void,
        dest_maxs: *mut usize,
        srcs: *mut *mut c_void,
        sizes: *mut usize,
        num_batches: usize,
        attrs: *mut aclrtMemcpyBatchAttr,
        attrs_indexes: *mut usize,
        num_attrs: usize,
    ) {
        let batch = Batch { dsts, dest_maxs, srcs, sizes, num_batches, attrs, attrs_indexes, num_attrs };
        now(&batch.requests(None)?)
    }

    pub fn aclrtMemcpyBatchAsync(
        dsts: *mut *mut c_void,
        dest_maxs: *mut usize,
        srcs: *mut *mut c_void,
        sizes: *mut usize,
        num_batches: usize,
        attrs: *mut aclrtMemcpyBatchAttr,
        attrs_indexes: *mut usize,
        num_attrs: usize,
        fail_index: *mut usize,
        stream: aclrtStream,
    ) {
        let batch = Batch { dsts, dest_maxs, srcs, sizes, num_batches, attrs, attrs_indexes, num_attrs };
        later(&batch.requests(Some(&fail_index))?, stream)
    }

    pub fn aclrtMemcpyBatchAsyncV2(
        dsts: *mut *mut c_void,
        dest_maxs: *mut usize,
        srcs: *mut *mut c_void,
        sizes: *mut usize,
        num_batches: usize,
        attrs: *mut aclrtMemcpyBatchAttr,
        attrs_indexes: *mut usize,
        num_attrs: usize,
        stream: aclrtStream,
    ) {
        let batch = Batch { dsts, dest_maxs, srcs, sizes, num_batches, attrs, attrs_indexes, num_attrs };
        later(&batch.requests(None)?, stream)
    }
}

fn linear(
    dst: &Out<c_void>,
    dest_max: usize,
    src: &In<c_void>,
    count: usize,
    kind: aclrtMemcpyKind,
) -> Result<Request> {
    checked(dst.address()?, dest_max, src.address()?, count, kind)
}

fn checked(to: usize, most: usize, from: usize, count: usize, kind: aclrtMemcpyKind) -> Result<Request> {
    if count > most {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{count} bytes into a destination of {most}"));
    }
    if count == 0 {
        return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "a copy of 0 bytes"));
    }
    Ok(Request::linear(to, from, count, kind))
}

fn matrix(
    dst: &Out<c_void>,
    to_pitch: usize,
    src: &In<c_void>,
    from_pitch: usize,
    width: usize,
    height: usize,
    kind: aclrtMemcpyKind,
) -> Result<Request> {
    let (to, from) = (dst.address()?, src.address()?);
    if width == 0 || height == 0 || width > MAX_WIDTH || height > MAX_HEIGHT {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "{height} rows of {width} bytes: there are 1 to {MAX_HEIGHT} rows of 1 to {MAX_WIDTH} bytes"
        ));
    }
    if width > to_pitch || width > from_pitch {
        return Err(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "rows of {width} bytes are wider than the pitches {to_pitch} and {from_pitch}"
        ));
    }
    if !matches!(kind, ACL_MEMCPY_HOST_TO_DEVICE | ACL_MEMCPY_DEVICE_TO_HOST | ACL_MEMCPY_DEVICE_TO_DEVICE) {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a copy of rows is not possible with kind {}", kind.0));
    }
    Ok(Request { to, from, width, height, to_pitch, from_pitch, kind })
}

/// Copies in the calling thread.
fn now(requests: &[Request]) -> Result {
    let scope = Scope::enter()?;
    let device = &scope.context.device;
    graph::refuse_unsafe(device.id, "a synchronous copy")?;
    let transfers = resolve(&scope, requests)?;
    transfers.iter().try_for_each(Transfer::run)
}

/// Copies in a stream.
fn later(requests: &[Request], stream: aclrtStream) -> Result {
    let scope = Scope::enter()?;
    let stream = scope.stream(stream)?;
    let device = &scope.context.device;
    let transfers = resolve(&scope, requests)?;
    for (transfer, request) in transfers.iter().zip(requests) {
        let is_of_device = |place: &Place| place.is_device() || place.is_managed();
        if request.kind == ACL_MEMCPY_HOST_TO_HOST
            || !(is_of_device(&transfer.to) || is_of_device(&transfer.from))
        {
            return Err(failure!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "streams do not copy from host to host; aclrtMemcpy does"
            ));
        }
    }
    let mut ticket = None;
    for (mut transfer, request) in transfers.into_iter().zip(requests) {
        if request.kind == ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE {
            transfer = transfer.stage()?;
        }
        let blocks = transfer.to.is_pageable() || transfer.from.is_pageable();
        if blocks {
            graph::refuse_unsafe(device.id, "an asynchronous copy of pageable memory")?;
        }
        transfer.fails = fault::on_async_copy(device.id);
        let last = stream.submit(Task::Copy(transfer))?;
        ticket = blocks.then_some(last).or(ticket);
    }
    ticket.map_or(Ok(()), |ticket| stream.wait(ticket, None))
}

fn resolve(scope: &Scope, requests: &[Request]) -> Result<Vec<Transfer>> {
    let device = &scope.context.device;
    let transfers: Result<Vec<Transfer>> =
        requests.iter().map(|request| request.resolve(&scope.simulator, device)).collect();
    fault::on_copy(device.id)?;
    transfers
}

/// Copies in one call, all to the device or all from it.
struct Batch {
    dsts: Out<*mut c_void>,
    dest_maxs: Out<usize>,
    srcs: Out<*mut c_void>,
    sizes: Out<usize>,
    num_batches: usize,
    attrs: Out<aclrtMemcpyBatchAttr>,
    attrs_indexes: Out<usize>,
    num_attrs: usize,
}

impl Batch {
    fn requests(&self, fail_index: Option<&Out<usize>>) -> Result<Vec<Request>> {
        if let Some(fail_index) = fail_index {
            fail_index.set(usize::MAX)?;
        }
        let count = self.num_batches;
        if count == 0 || self.num_attrs == 0 || self.num_attrs > count {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "{} attributes for {count} copies: there is at least one, and no more than copies",
                self.num_attrs
            ));
        }
        let (dsts, srcs) = (self.dsts.to_vec(count)?, self.srcs.to_vec(count)?);
        let (most, sizes) = (self.dest_maxs.to_vec(count)?, self.sizes.to_vec(count)?);
        let kinds = self.kinds(fail_index)?;
        let mut requests = Vec::with_capacity(count);
        for index in 0..count {
            if dsts[index].is_null() || srcs[index].is_null() {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a pointer of copy {index} is null"));
            }
            let (to, from) = (dsts[index].expose_provenance(), srcs[index].expose_provenance());
            requests.push(checked(to, most[index], from, sizes[index], kinds[index])?);
        }
        Ok(requests)
    }

    /// The kind of each copy, which its attributes tell.
    fn kinds(&self, fail_index: Option<&Out<usize>>) -> Result<Vec<aclrtMemcpyKind>> {
        let (attributes, starts) =
            (self.attrs.to_vec(self.num_attrs)?, self.attrs_indexes.to_vec(self.num_attrs)?);
        let ascends = starts.windows(2).all(|pair| pair[0] < pair[1]);
        if starts[0] != 0 || !ascends || starts.last().is_some_and(|&last| last >= self.num_batches) {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "attrsIndexes {starts:?} does not ascend from 0 to below {}",
                self.num_batches
            ));
        }
        let mut kinds: Vec<aclrtMemcpyKind> = Vec::with_capacity(self.num_batches);
        for index in 0..self.num_batches {
            let attribute = &attributes[starts.partition_point(|&start| start <= index) - 1];
            let kind = match (attribute.srcLoc.type_, attribute.dstLoc.type_) {
                (ACL_MEM_LOCATION_TYPE_HOST, ACL_MEM_LOCATION_TYPE_DEVICE) => ACL_MEMCPY_HOST_TO_DEVICE,
                (ACL_MEM_LOCATION_TYPE_DEVICE, ACL_MEM_LOCATION_TYPE_HOST) => ACL_MEMCPY_DEVICE_TO_HOST,
                _ => return Err(Self::wrong_direction(index, fail_index)?),
            };
            if kinds.first().is_some_and(|&first| first != kind) {
                return Err(Self::wrong_direction(index, fail_index)?);
            }
            kinds.push(kind);
        }
        Ok(kinds)
    }

    fn wrong_direction(index: usize, fail_index: Option<&Out<usize>>) -> Result<crate::error::Error> {
        if let Some(fail_index) = fail_index {
            fail_index.set(index)?;
        }
        Ok(misuse!(
            ACL_ERROR_INVALID_PARAM,
            "copy {index} is not in the one direction of the batch, from the host to the device or back"
        ))
    }
}
